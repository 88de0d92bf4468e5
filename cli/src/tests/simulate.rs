//! What `simulate` shows, against the filter's own split.

use super::world::{FakeWorld, json};
use llm_canary::bucket::bucket;

const STEPS: &str = r#"{"rollouts": [
  {"name": "chat", "baseline": "v1",
   "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b"}, {"name": "v3", "cluster": "c"}],
   "steps": [{"at": "1970-01-01T00:00:00Z", "percent": {"v2": 1}},
             {"at": "2026-11-23T09:00:00Z", "percent": {"v2": 5, "v3": 10}},
             {"at": "2026-11-23T10:00:00Z", "percent": {"v2": 5, "v3": 0}},
             {"at": "2999-01-01T00:00:00Z", "percent": {"v2": 100}}]},
  {"name": "users", "baseline": "v1", "key": [{"header": "x-user-id", "kind": "user"}],
   "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b", "stopped": true}],
   "split": {"v2": 50}}]}"#;

fn world() -> FakeWorld {
    FakeWorld::new("2026-11-28T09:00:00Z", &[("c.json", STEPS)])
}

#[test]
fn shares_are_those_of_the_steps() {
    let world = world();
    let args = ["simulate", "c.json", "--rollout", "chat", "--json"];
    let ran = world.fine(&args);
    assert_eq!(ran.out, world.fine(&args).out, "the same keys each time");
    let other = world.fine(&[&args[..], &["--seed", "1"]].concat());
    assert_ne!(ran.out, other.out, "and others from another seed");
    let chat = &json(&ran.out)[0];
    let steps = chat["steps"].as_array().unwrap();
    assert_eq!(
        steps.iter().map(|step| step["in_force"] == true).collect::<Vec<_>>(),
        [false, false, true, false]
    );
    assert!(steps[0]["from"].is_null() && steps[1]["from"] == "2026-11-23T09:00:00Z");
    let expect = [[99.0, 1.0, 0.0], [85.0, 5.0, 10.0], [95.0, 5.0, 0.0], [0.0, 100.0, 0.0]];
    // What each step moves is what it changes, and nothing between versions that keep theirs.
    let moves = [0.0, 14.0, 10.0, 95.0];
    for (step, (shares, moves)) in steps.iter().zip(expect.iter().zip(moves)) {
        for (version, percent) in step["versions"].as_array().unwrap().iter().zip(shares) {
            assert_eq!(version["percent"], *percent);
            let measured = version["measured_percent"].as_f64().unwrap();
            // Four standard deviations of a hundred thousand draws are 0.63 points at most.
            assert!((measured - percent).abs() < 0.65, "{version}");
        }
        let measured = step["moves"].as_f64().unwrap() / 1000.0;
        assert!((measured - moves).abs() < 0.65, "{step}");
    }
}

#[test]
fn real_keys_are_counted_one_by_one() {
    let world = world();
    let plain: Vec<String> = (0..1000).map(|i| format!("conversation {i}")).collect();
    // UUIDv7, ULID and TypeID, each from 2026, with as many ways to end as there are numbers.
    let timed = |i: u32| match i % 3 {
        0 => format!("019e0a1b-2c3d-7000-8000-{i:012x}"),
        1 => format!("01KQ50Q2S00000000000{i:06}"),
        _ => format!("conv_01kq50q2s0e008000000{i:06}"),
    };
    let timed: Vec<String> = (0..300).map(timed).collect();
    let text = format!("{}\r\n\n{}", plain.join("\r\n"), timed.join("\n"));
    world.write("ids", &text);
    let ran = world.fine(&["simulate", "c.json", "--keys", "ids", "--json"]);
    let from_stdin = world.run_with_input(&["simulate", "c.json", "--keys", "-", "--json"], &text);
    assert_eq!(ran.out, from_stdin.out);
    let (chat, users) = (&json(&ran.out)[0], &json(&ran.out)[1]);
    assert_eq!((&chat["keys"], &chat["timed_keys"]), (&1300.into(), &300.into()));
    let lands = |keys: &[String], range: std::ops::Range<u32>| {
        keys.iter().filter(|key| range.contains(&bucket(b"chat", key.as_bytes()))).count()
    };
    // v2 takes 1 to 5 %, v3 5 to 15 % and gives it back.
    assert_eq!(chat["steps"][1]["moves"], lands(&plain, 10_000..150_000));
    assert_eq!(chat["steps"][1]["held"], lands(&timed, 10_000..150_000));
    assert_eq!(chat["steps"][2]["moves"], lands(&plain, 50_000..150_000));
    assert_eq!(chat["steps"][3]["moves"], lands(&plain, 50_000..1_000_000));
    assert_eq!(
        chat["steps"][1]["versions"][2]["keys"],
        lands(&plain, 50_000..150_000) + lands(&timed, 50_000..150_000)
    );
    // A user's key may carry a time, which is never read; and what is stopped serves nobody.
    assert_eq!((&users["timed_keys"], &users["stopped"][0]), (&0.into(), &"v2".into()));
    assert_eq!(users["steps"][0]["versions"][0]["percent"], 100.0);
    assert_eq!(users["steps"][0]["versions"][1]["keys"], 0);
}

#[test]
fn a_person_can_look_at_it() {
    let world = world();
    let ran = world.fine(&["simulate", "c.json", "--rollout", "chat", "--at", "2026-11-23T09:30:00Z"]);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines[0], "chat: 100000 synthetic keys");
    assert!(lines[1].contains("v1, baseline") && lines[1].ends_with("moves"), "{}", ran.out);
    assert!(
        lines[2].starts_with("  the beginning  ") && lines[2].contains('█') && lines[2].ends_with(" -"),
        "{}",
        ran.out
    );
    assert!(lines[3].starts_with("> 2026-11-23T09:00:00Z"), "{}", ran.out);
    assert!(lines[5].contains(" 100.000 % ████████████████"), "{}", ran.out);
    let ran = world.fine(&["simulate", "c.json", "--count", "10"]);
    assert!(
        ran.out.contains("\n\nusers: 10 synthetic keys\n") && ran.out.contains("v2, stopped"),
        "{}",
        ran.out
    );
}

#[test]
fn what_cannot_be_simulated() {
    let world = world();
    world.refused(
        &["simulate", "c.json", "--rollout", "x"],
        "--rollout \"x\" is not in c.json, which has chat, users",
    );
    world.refused(&["simulate", "c.json", "--keys", "nowhere"], "--keys nowhere: does not exist");
    world.refused(
        &["simulate", "c.json", "--count", "0"],
        "\"0\" is less than 1; write a whole number from 1 to 10000000",
    );
    world.refused(&["simulate", "c.json", "--at", "soon"], "--at \"soon\" is not a time");
    world.write("empty", "\n\n");
    world.refused(&["simulate", "c.json", "--keys", "empty"], "--keys empty: has no keys");
    world.write("broken.json", &STEPS.replace("\"v3\": 10", "\"v3\": 96"));
    world.refused(&["simulate", "broken.json"], "rollouts[0].steps[1].percent: v2 5 + v3 96 = 101 percent");
    world.write("other.yaml", "kind: Service\n");
    world.refused(&["simulate", "other.yaml"], "holds no llm-canary configuration");
}

#[test]
fn a_plan_is_simulated_before_it_is_written() {
    let world = world();
    let ids: String = (0..5000).map(|i| format!("conversation {i}\n")).collect();
    world.write("ids", &ids);
    let plan = ["--rollout", "chat", "--keys", "ids", "--json"];
    let planned = |plan_of: &[&str]| world.fine(&[&["simulate", "c.json"], plan_of, &plan].concat()).out;
    let before = world.read("c.json");
    let shown = planned(&["v2", "--plan", "20%@+1h,60%@+2h"]);
    assert_eq!(world.read("c.json"), before, "nothing is written");
    world.fine(&["ramp", "c.json", "v2", "--rollout", "chat", "--plan", "20%@+1h,60%@+2h"]);
    assert_eq!(shown, planned(&[]), "and it is what ramp makes of it");
    let percent = |step: usize| json(&shown)[0]["steps"][step]["versions"][1]["percent"].as_f64();
    assert_eq!((percent(3), percent(4)), (Some(20.0), Some(60.0)));

    for (arguments, words) in [
        (&["v2"][..], "--plan"),
        (&["--plan", "5%"], "<VERSION>"),
        (&["v9", "--plan", "5%"], "has no version \"v9\""),
        (&["v1", "--plan", "5%"], "v1 is the baseline"),
        (&["v2", "--plan", "5%@+1h,9%@+1m"], "is not later than the share before it"),
        (&["v2", "--plan", "101%"], "101"),
    ] {
        world.refused(&[&["simulate", "c.json", "--rollout", "chat"], arguments].concat(), words);
    }
}

/// Ids of a day: of any bytes, in lines that end in any way, more than one block of them.
#[test]
fn a_file_of_keys_may_have_any_bytes() {
    let world = world();
    let mut bytes = Vec::new();
    for i in 0..200_000_u32 {
        bytes.extend(i.to_le_bytes().iter().map(|byte| if *byte == b'\n' { b'n' } else { *byte }));
        bytes.extend_from_slice(b"-\xff\x00\n");
    }
    world.write_bytes("ids", &bytes);
    let report =
        json(&world.fine(&["simulate", "c.json", "--rollout", "chat", "--keys", "ids", "--json"]).out);
    assert_eq!(report[0]["keys"], 200_000);
    let keys = bytes.split(|byte| *byte == b'\n').filter(|key| !key.is_empty());
    let lands = keys.filter(|key| bucket(b"chat", key) < 50_000).count();
    assert_eq!(report[0]["steps"][1]["versions"][1]["keys"], lands);
}
