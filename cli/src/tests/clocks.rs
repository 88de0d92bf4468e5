//! Clocks that are apart: no step that an Envoy has taken is dropped, changed or put in another order.

use super::change::{CHAT, steps};
use super::world::{FakeWorld, Slow, json};
use llm_canary::timestamp::{parse_rfc3339, rfc3339};
use proptest::prelude::*;
use std::time::Duration;

const NOW: &str = "2026-11-23T09:00:00.4Z";
const MINUTE_MS: i64 = 60_000;

/// A world at [`NOW`] by this machine's clock. Steps: milliseconds from now, and the share of v2.
fn world(planned: &[(i64, u32)], ahead_ms: &[i64]) -> FakeWorld {
    let now = parse_rfc3339(NOW).unwrap();
    let step = |(ms, share): &(i64, u32)| {
        format!(r#"{{"at": "{}", "percent": {{"v2": {share}}}}}"#, rfc3339(now.saturating_add_signed(*ms)))
    };
    let all: Vec<String> = planned.iter().map(step).collect();
    let text = CHAT.replace(r#""split": { "v2": 10 }"#, &format!(r#""steps": [{}]"#, all.join(", ")));
    let mut world = FakeWorld::new(NOW, &[("chat.json", &text)]);
    for (name, ahead_ms) in ["a", "b", "c"].iter().zip(ahead_ms) {
        world.add_envoy_ahead(name, *ahead_ms);
    }
    world
}

#[test]
fn a_step_that_an_envoy_has_taken_stays() {
    // This machine's clock is 5 minutes slow: the second step is planned by it, and was taken by the Envoys.
    let planned = [(-60 * MINUTE_MS, 1), (3 * MINUTE_MS, 5), (9 * MINUTE_MS, 25)];
    let cases: [(&[&str], usize); 4] = [
        (&["ramp", "chat.json", "v2", "10"], 3),
        (&["drain", "chat.json", "v2"], 3),
        (&["promote", "chat.json", "v2"], 3),
        (&["stop", "chat.json", "v2"], 3),
    ];
    for (arguments, count) in cases {
        let world = world(&planned, &[5 * MINUTE_MS]);
        let before = steps(&world);
        let ran = world.fine(&[arguments, &["--admin", "a"]].concat());
        let after = steps(&world);
        assert_eq!(after[..2], before[..2], "{ran:?}");
        assert_eq!(after.len(), count, "{ran:?}");
        assert!(after[2].0.starts_with("2026-11-23T09:05:0"), "by the Envoy's clock: {after:?}");
        let warning = "warning: the clock of a is 300 s ahead of this machine's clock. Steps take effect by each Envoy's";
        assert!(ran.err.starts_with(warning), "{ran:?}");
        assert!(ran.err.contains("note: no longer planned: v2 25 %"), "{ran:?}");
        assert!(!ran.err.contains("no longer planned: v2 5 %"), "{ran:?}");
        let said = world.fine(&["stop", "chat.json", "v3", "--admin", "a", "--json"]);
        assert!(json(&said.out)["warnings"][0].as_str().unwrap().contains("300 s ahead"), "{said:?}");
    }
    // A time that is past for an Envoy is past.
    world(&planned, &[5 * MINUTE_MS]).refused(
        &["ramp", "chat.json", "v2", "10", "--admin", "a", "--at", "2026-11-23T09:04:00Z"],
        "is in the past",
    );
    // By this machine's clock the step is taken, and the Envoy's is slow.
    let world = world(&[(-MINUTE_MS, 5)], &[-5 * MINUTE_MS]);
    let before = steps(&world);
    let ran = world.fine(&["ramp", "chat.json", "v2", "10", "--admin", "a"]);
    assert_eq!(steps(&world)[..1], before[..]);
    assert!(ran.err.contains("the clock of a is 300 s behind this machine's clock"), "{ran:?}");
}

#[test]
fn a_step_of_this_very_second_is_taken() {
    let world = world(&[(-400, 5)], &[]);
    // The clock shows 09:00:00.4, and the step is of 09:00:00. Now is 09:00:01.
    world.fine(&["ramp", "chat.json", "v2", "10", "--at", "now"]);
    assert_eq!(steps(&world)[1].0, "2026-11-23T09:00:01Z");
    let exact = FakeWorld::new("2026-11-23T09:00:01Z", &[("chat.json", &world.read("chat.json"))]);
    exact.fine(&["ramp", "chat.json", "v2", "20", "--at", "now"]);
    let times: Vec<String> = steps(&exact).into_iter().map(|(at, _)| at).collect();
    assert_eq!(times, ["2026-11-23T09:00:00Z", "2026-11-23T09:00:01Z", "2026-11-23T09:00:02Z"]);
}

#[test]
fn a_promotion_is_finished_by_the_slowest_clock() {
    let arguments = ["promote", "chat.json", "v2", "--finish", "--held", "10m", "--admin", "a"];
    let planned = [(-12 * MINUTE_MS, 100)];
    world(&planned, &[-5 * MINUTE_MS]).refused(&arguments, "v2 has had 100 % for 7 min only");
    world(&planned, &[5 * MINUTE_MS]).fine(&arguments);
}

#[test]
fn clocks_that_agree_are_not_mentioned() {
    let world = world(&[], &[0, 900, -900]);
    let ran = world.fine(&["ramp", "chat.json", "v2", "10", "--admin", "a", "--admin", "b", "--admin", "c"]);
    assert!(!ran.err.contains("clock"), "{ran:?}");
    assert!(ran.out.contains("from 2026-11-23T09:00:03Z (in 2 s)"), "{ran:?}");
}

const ALWAYS: u32 = u32::MAX;

fn slow(requests: u32, answers_after_ms: u64) -> Slow {
    Slow { requests, answers_after: Duration::from_millis(answers_after_ms) }
}

/// A world with an Envoy that answers late, or does not say its time.
fn world_with_slow(planned: &[(i64, u32)], ahead_ms: Option<i64>, slow: Slow) -> FakeWorld {
    let mut world = world(planned, &[0]);
    world.set_clock("a", ahead_ms, slow);
    world
}

const UNKNOWN: &str = "warning: the clock of a is not known, because it does not answer: it took too long. That Envoy \
    may have taken any planned step already, so no planned step is changed or dropped\n";

#[test]
fn a_stop_touches_no_step_that_an_unknown_clock_may_have_reached() {
    // The Envoy is 5 minutes ahead, and has taken the second step. Its admin page takes 0.7 s.
    let planned = [(-60 * MINUTE_MS, 1), (3 * MINUTE_MS, 5), (9 * MINUTE_MS, 25)];
    let world = world_with_slow(&planned, Some(5 * MINUTE_MS), slow(ALWAYS, 700));
    let before = steps(&world);
    let ran = world.fine(&["stop", "chat.json", "v2", "--admin", "a"]);
    assert!(ran.err.starts_with(UNKNOWN) && !ran.err.contains("no longer planned"), "{ran:?}");
    let after = steps(&world);
    assert_eq!(after[..3], before[..], "{ran:?}");
    assert_eq!(after[3], ("2026-11-23T09:09:01Z".to_owned(), r#"{"v2":0}"#.to_owned()), "after all of them");
    assert_eq!(json(&world.read("chat.json"))["rollouts"][0]["versions"][1]["stopped"], true);
    // Its time is known as soon as it answers.
    assert!(ran.err.contains("warning: the clock of a is 300 s ahead of this machine's clock"), "{ran:?}");
    let said = json(&world.fine(&["stop", "chat.json", "v3", "--admin", "a", "--json"]).out);
    let warnings = said["warnings"].to_string();
    assert!(warnings.contains("a is not known") && warnings.contains("300 s ahead"), "{said}");
    let nothing = world_with_slow(&planned[..1], Some(0), slow(ALWAYS, 700));
    let ran = nothing.fine(&["stop", "chat.json", "v2", "--admin", "a"]);
    assert_eq!(steps(&nothing)[1].0, "2026-11-23T09:00:01Z", "nothing is planned: {ran:?}");
}

#[test]
fn other_commands_wait_for_a_slow_clock() {
    let planned = [(-60 * MINUTE_MS, 1), (3 * MINUTE_MS, 5), (9 * MINUTE_MS, 25)];
    let world = world_with_slow(&planned, Some(5 * MINUTE_MS), slow(ALWAYS, 700));
    let ran = world.fine(&["ramp", "chat.json", "v2", "10", "--admin", "a"]);
    assert!(ran.err.starts_with("warning: the clock of a is 300 s ahead"), "{ran:?}");
    assert!(steps(&world)[2].0.starts_with("2026-11-23T09:05:0"), "{ran:?}");

    let commands: [&[&str]; 4] = [
        &["ramp", "chat.json", "v2", "10"],
        &["ramp", "chat.json", "v2", "--plan", "10@+5m"],
        &["drain", "chat.json", "v2", "--at", "+1m"],
        &["promote", "chat.json", "v2"],
    ];
    for (ahead_ms, slow, why) in [
        (Some(0), slow(ALWAYS, 9_000), "it does not answer: it took too long"),
        (None, slow(0, 0), "its admin page does not say the time (the header date)"),
    ] {
        for command in commands {
            let world = world_with_slow(&planned, ahead_ms, slow);
            let before = world.read("chat.json");
            let ran = world.run(&[command, &["--admin", "a"]].concat());
            let refusal =
                "is before the step that is planned for 2026-11-23T09:09:00.400Z. a may have taken that step";
            assert!(
                ran.code == 2 && ran.err.contains(refusal) && ran.err.contains(why),
                "{command:?} {ran:?}"
            );
            assert_eq!(world.read("chat.json"), before);
        }
        let world = world_with_slow(&planned, ahead_ms, slow);
        let before = steps(&world);
        let later = ["ramp", "chat.json", "v2", "30", "--at", "+10m", "--admin", "a", "--timeout", "1s"];
        assert!(matches!(world.run(&later).code, 0 | 4));
        assert_eq!(steps(&world)[..3], before[..], "a later time is possible");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever the clocks say, what any of them has taken stays as it is, in its order, and every new step is later.
    #[test]
    fn taken_steps_stay(
        planned in prop::collection::btree_map(-600_000..600_000_i64, 0..=50_u32, 0..8),
        ahead_ms in prop::collection::vec(-400_000..400_000_i64, 0..3),
        // The first of the Envoys may answer too late for its time to be known.
        is_slow in any::<bool>(),
        command in 0..5_usize,
    ) {
        let planned: Vec<(i64, u32)> = planned.into_iter().collect();
        let mut world = world(&planned, &ahead_ms);
        let is_slow = is_slow && !ahead_ms.is_empty();
        if is_slow {
            world.set_clock("a", ahead_ms.first().copied(), slow(2, 9_000));
        }
        let before = steps(&world);
        let commands: [&[&str]; 5] = [
            &["ramp", "chat.json", "v2", "60"],
            &["ramp", "chat.json", "v2", "60", "--at", "now"],
            &["ramp", "chat.json", "v3", "--plan", "1,2@+1m"],
            &["drain", "chat.json", "v2"],
            &["stop", "chat.json", "v2"],
        ];
        let admins: Vec<&str> = ["a", "b", "c"].into_iter().take(ahead_ms.len()).flat_map(|name| ["--admin", name]).collect();
        let ran = world.run(&[commands[command], &admins].concat());
        if is_slow && commands[command][0] != "stop" && ran.code == 2 {
            prop_assert!(ran.err.contains("nothing can be put before it"), "{:?}", ran);
            prop_assert_eq!(&before, &steps(&world));
            return Ok(());
        }
        prop_assert_eq!(ran.code, 0, "{:?}", ran);
        let furthest = ahead_ms.iter().copied().max().unwrap_or(0).max(0);
        let taken = planned.iter().filter(|(ms, _)| *ms <= furthest).count();
        let after = steps(&world);
        prop_assert_eq!(&after[..taken.min(after.len())], &before[..taken]);
        let times: Vec<u64> = after.iter().map(|(at, _)| parse_rfc3339(at).unwrap()).collect();
        prop_assert!(times.is_sorted_by(|a, b| a < b), "{:?}", times);
        // A new step comes after now by the clocks that are known.
        let known = ahead_ms.iter().copied().skip(usize::from(is_slow)).max().unwrap_or(0).max(0);
        let reached = parse_rfc3339(NOW).unwrap().saturating_add_signed(known);
        let new = after.iter().filter(|step| !before.contains(step));
        prop_assert!(new.clone().all(|(at, _)| parse_rfc3339(at).unwrap() > reached - 1_000), "{:?} {:?}", before, after);
    }
}
