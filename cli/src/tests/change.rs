//! The commands that change a rollout.

use super::world::{FakeWorld, json};
use llm_canary::config::Config;
use llm_canary::timestamp::rfc3339;
use std::time::Duration;

pub(super) const CHAT: &str = r#"{
  "rollouts": [
    {
      "name": "chat",
      "baseline": "v1",
      "versions": [
        { "name": "v1", "cluster": "llm-v1" },
        { "name": "v2", "cluster": "llm-v2" },
        { "name": "v3", "cluster": "llm-v3" }
      ],
      "split": { "v2": 10 }
    }
  ]
}
"#;

const EPOCH: &str = "1970-01-01T00:00:00Z";
const LATER: &str = "2999-01-01T00:00:00Z";

fn world() -> FakeWorld {
    FakeWorld::new("2026-11-23T09:00:00.4Z", &[("chat.json", CHAT)])
}

/// The steps of a bare configuration: the moment of each, and its percentages as JSON.
pub(super) fn steps(world: &FakeWorld) -> Vec<(String, String)> {
    let config = json(&world.read("chat.json"));
    let steps = config["rollouts"][0]["steps"].as_array().cloned().unwrap_or_default();
    let text =
        |step: &serde_json::Value| (step["at"].as_str().unwrap().to_owned(), step["percent"].to_string());
    steps.iter().map(text).collect()
}

pub(super) fn shares(world: &FakeWorld) -> Vec<String> {
    steps(world).into_iter().map(|(_, shares)| shares).collect()
}

#[test]
fn a_ramp_keeps_every_running_conversation() {
    let world = world();
    let ran = world.fine(&["ramp", "chat.json", "v2", "25"]);
    assert!(ran.out == "chat: v2 has 10 %, gets 25 % from 2026-11-23T09:00:03Z (in 2 s)\n", "{ran:?}");
    assert!(ran.err.starts_with("--- chat.json\n+++ chat.json (changed)\n@@ "), "{ran:?}");
    assert!(ran.err.contains("\n-      \"split\": { \"v2\": 10 }\n+      \"steps\": [\n"), "{ran:?}");
    assert_eq!(shares(&world), [r#"{"v2":10}"#, r#"{"v2":25}"#]);
    assert_eq!(steps(&world)[0].0, EPOCH);
    let text = world.read("chat.json");
    let (start, end) = (CHAT.find("      \"split\"").unwrap(), CHAT.find("\n    }\n").unwrap());
    assert!(text.starts_with(&CHAT[..start]) && text.ends_with(&CHAT[end..]), "only the split is replaced");

    // A conversation that began before the step keeps the version that the split gave it.
    let (old, new) = (Config::parse(CHAT.as_bytes()).unwrap(), Config::parse(text.as_bytes()).unwrap());
    let (old, new) = (&old.rollouts[0].steps, &new.rollouts[0].steps);
    let step = new.steps()[1].at;
    for bucket in (0..1_000_000).step_by(997) {
        for start in [0, 1, step - 1] {
            assert_eq!(new.at(start).version(bucket), old.at(start).version(bucket), "{bucket} {start}");
        }
    }
    assert_eq!(new.at(step).parts(1), 250_000);
    assert_eq!(rfc3339(step), "2026-11-23T09:00:03Z", "Envoys have two seconds, and steps have full seconds");
}

#[test]
fn other_versions_keep_their_shares() {
    let world = world();
    world.fine(&["ramp", "chat.json", "v3", "0.5%", "--at", "+1m"]);
    world.fine(&["ramp", "chat.json", "v2", "20", "--at", "+2m"]);
    assert_eq!(shares(&world), [r#"{"v2":10}"#, r#"{"v2":10,"v3":0.5}"#, r#"{"v2":20,"v3":0.5}"#]);
    // What the filter would refuse is not written.
    let before = world.read("chat.json");
    world.refused(
        &["ramp", "chat.json", "v3", "81", "--at", "+3m"],
        "nothing was written, because the filter would refuse it:\nerror: chat.json: rollouts[0].steps[3].percent: \
         v2 20 + v3 81 = 101 percent",
    );
    assert_eq!(world.read("chat.json"), before);
}

#[test]
fn a_plan_is_followed_and_replaced() {
    let world = world();
    world.fine(&["ramp", "chat.json", "v2", "--plan", &format!("20,50%@+30m,90@{LATER}")]);
    assert_eq!(shares(&world), [r#"{"v2":10}"#, r#"{"v2":20}"#, r#"{"v2":50}"#, r#"{"v2":90}"#]);
    assert_eq!(steps(&world)[3].0, LATER);
    world.fine(&["ramp", "chat.json", "v3", "1", "--at", "+2h"]);
    let ran = world.fine(&["drain", "chat.json", "v2", "--at", "+10m"]);
    assert!(ran.err.contains("note: no longer planned: v2 50 % from "), "{ran:?}");
    assert_eq!(
        shares(&world),
        [r#"{"v2":10}"#, r#"{"v2":20}"#, r#"{"v2":0}"#, r#"{"v2":0,"v3":1}"#],
        "the other version's plan stays"
    );
    for (plan, message) in [
        ("5,5%", "is not later than the share before it"),
        ("5@+2h,6@+1h", "is not later than the share before it"),
        ("5@1999-01-01T00:00:00Z", "is in the past; conversations that began since then would move"),
        ("5@soon", "is not a time; write now"),
        ("five", "is not a percentage"),
        // v3 has 1 % from two hours on.
        (
            "5,100@+3h",
            "v2 100 + v3 1 = 101 percent, but the sum must be at most 100; lower one. --plan 5,100@+3h asks for that",
        ),
    ] {
        world.refused(&["ramp", "chat.json", "v2", "--plan", plan], message);
        world.refused(&["ramp", "chat.json", "v2", "--plan", plan], &format!("--plan {plan}"));
    }
    world.refused(&["ramp", "chat.json", "v2"], "<PERCENT>");
    world.refused(
        &["ramp", "chat.json", "v2", "101"],
        "\"101\" is more than 100; write a percentage from 0 to 100",
    );
}

#[test]
fn stop_is_one_write() {
    let world = world();
    let ran = world.fine(&["stop", "chat.json", "v2"]);
    assert!(ran.out.ends_with("v2 is stopped; v1 serves its conversations\n"), "{ran:?}");
    assert_eq!(shares(&world), [r#"{"v2":10}"#, r#"{"v2":0}"#]);
    let stopped = json(&world.read("chat.json"))["rollouts"][0]["versions"][1]["stopped"].clone();
    assert_eq!(stopped, true);
    // A second stop changes nothing.
    let before = world.read("chat.json");
    let ran = world.fine(&["stop", "chat.json", "v2"]);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("chat: nothing to do: v2 is stopped already\n", ""));
    assert_eq!(before, world.read("chat.json"));

    world.refused(&["ramp", "chat.json", "v2", "1"], "is stopped, so it would get nothing; add --resume");
    world.refused(&["promote", "chat.json", "v2"], "is stopped; start it again first");
    world.fine(&["ramp", "chat.json", "v2", "1", "--resume", "--at", "+1m"]);
    assert_eq!(shares(&world), [r#"{"v2":10}"#, r#"{"v2":0}"#, r#"{"v2":1}"#], "not its old share");
}

#[test]
fn the_baseline_cannot_be_stopped() {
    let world = world();
    world.refused(
        &["stop", "chat.json", "v1"],
        "Make another version the baseline first: llm-canary promote chat.json",
    );
    world.refused(&["drain", "chat.json", "v1"], "Promote another version first");
    world.refused(
        &["ramp", "chat.json", "v1", "5"],
        "v1 is the baseline, and gets what the other versions leave",
    );
    assert_eq!(world.read("chat.json"), CHAT);
}

#[test]
fn a_promotion_is_finished_when_the_old_version_has_drained() {
    let world = world();
    world.fine(&["promote", "chat.json", "v2", "--at", "now"]);
    assert_eq!(shares(&world), [r#"{"v2":10}"#, r#"{"v2":100}"#]);
    world.pass(Duration::from_secs(90 * 60));
    world.refused(&["promote", "chat.json", "v2", "--finish"], "v2 has had 100 % for 1 h 29 min only");
    world.refused(&["promote", "chat.json", "v3", "--finish", "--held", "0s"], "v3 has 0 % now, not 100 %");
    let ran = world.fine(&["promote", "chat.json", "v2", "--finish", "--held", "1h", "--json"]);
    assert_eq!(json(&ran.out)["baseline"], "v2");
    let config = json(&world.read("chat.json"));
    assert_eq!(config["rollouts"][0]["baseline"], "v2");
    assert_eq!(shares(&world), [r#"{"v1":0}"#]);
    let config = Config::parse(world.read("chat.json").as_bytes()).unwrap();
    assert!(config.rollouts[0].steps.steps().iter().all(|step| step.split.parts(1) == 1_000_000));
    let ran = world.fine(&["promote", "chat.json", "v2", "--finish"]);
    assert_eq!(ran.out, "chat: nothing to do: v2 is the baseline already\n");
    world.fine(&["stop", "chat.json", "v1"]);
}

#[test]
fn a_dry_run_changes_nothing() {
    let world = world();
    for args in [
        &["ramp", "chat.json", "v2", "25", "--dry-run"][..],
        &["ramp", "chat.json", "v2", "--plan", "1,2@+1m", "--dry-run"],
        &["drain", "chat.json", "v2", "--dry-run"],
        &["stop", "chat.json", "v2", "--dry-run", "--admin", "http://127.0.0.1:1"],
        &["promote", "chat.json", "v2", "--dry-run"],
    ] {
        let ran = world.fine(args);
        assert!(ran.out.starts_with("chat: not done, because of --dry-run: v2 "), "{ran:?}");
        assert!(ran.err.contains("\n+      \"steps\": ["), "{ran:?}");
        assert_eq!(world.read("chat.json"), CHAT, "{args:?}");
    }
    let ran = json(&world.fine(&["stop", "chat.json", "v2", "--dry-run", "--json"]).out);
    assert_eq!((&ran["changed"], &ran["written"]), (&true.into(), &false.into()));
    assert_eq!(ran["steps"][0]["percent"]["v2"], 10.0);
    assert_eq!(ran["stopped"][0], "v2");
}

#[test]
fn unknown_names_and_files_are_refused() {
    let world = world();
    world.refused(&["stop", "chat.json", "V2"], "rollout chat has no version \"V2\"; did you mean v2?");
    world.refused(&["stop", "chat.json", "green"], "there are v1, v2, v3");
    world.refused(
        &["stop", "chat.json", "v2", "--rollout", "caht"],
        "has no rollout \"caht\"; did you mean chat?",
    );
    let rollout = CHAT.split_once('[').unwrap().1.rsplit_once("\n  ]").unwrap().0;
    world.write(
        "two.json",
        &format!("{{\"rollouts\": [{rollout}, {}]}}", rollout.replace("\"chat\"", "\"code\"")),
    );
    world.refused(&["stop", "two.json", "v2"], "has the rollouts chat, code; say which with --rollout");
    world.fine(&["stop", "two.json", "v2", "--rollout", "code"]);
    let two = json(&world.read("two.json"));
    assert!(two["rollouts"][0]["steps"].is_null() && two["rollouts"][1]["versions"][1]["stopped"] == true);
    world.refused(&["stop", "nowhere.json", "v2"], "nowhere.json: does not exist");
    world.write("broken.json", &CHAT.replace("10", "1000"));
    world.refused(&["stop", "broken.json", "v2"], "broken.json: rollouts[0].split.v2: is 1000");
    world.write("other.yaml", "kind: Service\n");
    world.refused(&["stop", "other.yaml", "v2"], "holds no llm-canary configuration");
}
