//! Waiting until every Envoy runs a change.

use super::change::CHAT;
use super::world::{FakeWorld, Takes, json};
use std::time::Duration;

fn world(envoys: &[(&str, Takes)]) -> FakeWorld {
    let mut world = FakeWorld::new("2026-11-23T09:00:00Z", &[("chat.json", CHAT)]);
    for (address, takes) in envoys {
        world.add_envoy(address, *takes);
    }
    world
}

fn after(ms: u64) -> Takes {
    Takes::After(Duration::from_millis(ms))
}

#[test]
fn every_envoy_is_waited_for() {
    let world = world(&[("a", after(0)), ("b", after(300)), ("c", after(120))]);
    let admins = ["--admin", "a", "--admin", "b", "--admin", "c"];
    let ran = world.fine(&[&["stop", "chat.json", "v2"][..], &admins].concat());
    let mut lines: Vec<&str> = ran.out.lines().skip(1).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["a runs it after 0 ms", "b runs it after 300 ms", "c runs it after 150 ms"]);
    assert!(ran.err.ends_with("all 3 Envoys run it; the slowest took 300 ms\n"), "{ran:?}");

    let ran = world.fine(&[&["ramp", "chat.json", "v2", "1", "--resume", "--json"][..], &admins].concat());
    let report = json(&ran.out);
    let envoy = |name, after_ms: f64| serde_json::json!({"admin": name, "state": "runs", "after_ms": after_ms, "why": null});
    let expect = [envoy("a", 0.0), envoy("b", 300.0), envoy("c", 150.0)];
    assert_eq!(report["envoys"], serde_json::json!(expect), "in the order of the options");
    let written = llm_canary::config::json::parse(world.read("chat.json").as_bytes()).unwrap();
    assert_eq!(report["config_hash"], written.hash());
    // Envoys are also asked if nothing has to change.
    let ran = world.fine(&[&["ramp", "chat.json", "v2", "1", "--at", "+10m"][..], &admins].concat());
    assert!(ran.out.contains("nothing to do") && ran.out.lines().count() == 4, "{ran:?}");
}

#[test]
fn an_envoy_that_does_not_run_a_change_has_an_exit_code_of_its_own() {
    let world = world(&[
        ("good", after(0)),
        ("refuses", Takes::Nothing),
        ("late", after(60_000)),
        ("off", Takes::Silence),
    ]);
    let ran = world.run(&["stop", "chat.json", "v2", "--admin", "good", "--admin", "refuses"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.out.contains("refuses refused it: its log says why"), "{ran:?}");
    assert!(
        ran.err.ends_with("error: 1 of 2 Envoys run it; the change is written to chat.json, and stays\n"),
        "{ran:?}"
    );
    assert_eq!(json(&world.read("chat.json"))["rollouts"][0]["versions"][1]["stopped"], true);

    let args = ["ramp", "chat.json", "v2", "1", "--resume", "--json", "--admin", "late", "--admin", "off"];
    let ran = world.run(&[&args[..], &["--admin", "good"]].concat());
    assert_eq!(ran.code, 4, "{ran:?}");
    let report = json(&ran.out);
    let states: Vec<_> = (0..3).map(|index| report["envoys"][index]["state"].clone()).collect();
    assert_eq!(states, ["timed_out", "timed_out", "runs"]);
    assert!(
        report["envoys"][0]["why"]
            .as_str()
            .unwrap()
            .contains("it runs the rollout chat by the configuration with the hash")
    );
    assert_eq!((&report["written"], &report["exit_code"]), (&true.into(), &4.into()));
    assert_eq!(report["error"], "1 of 3 Envoys run it; the change is written to chat.json, and stays");
    let off = "does not run it: it does not answer: connection refused";
    assert_eq!(report["errors"][1], serde_json::json!({"place": "off", "path": "", "message": off}));

    // The same holds if the file said it before.
    let ran = world.run(&["stop", "chat.json", "v3", "--admin", "off", "--timeout", "1s"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    let ran = world.run(&["stop", "chat.json", "v3", "--admin", "off", "--timeout", "1s"]);
    assert!(ran.out.starts_with("chat: nothing to do: v3 is stopped already\n"), "{ran:?}");
    let said = "warning: the clock of off is not known, because it does not answer: connection refused. That Envoy may have taken any planned \
                step already, so no planned step is changed or dropped\nerror: 0 of 1 Envoys run it; chat.json is written as was \
                asked, and nothing had to be changed\n";
    assert_eq!((ran.code, ran.err.as_str()), (4, said));
}

#[test]
fn an_envoy_that_reads_a_step_too_late_is_named() {
    let world = world(&[("slow", after(1_500))]);
    let ran = world.fine(&["ramp", "chat.json", "v2", "20", "--at", "now", "--admin", "slow"]);
    let warning =
        "warning: slow ran the step 1 s after it took effect; a conversation that began there in between may";
    assert!(ran.err.contains(warning), "{ran:?}");
    let ran = world.fine(&["ramp", "chat.json", "v2", "30", "--at", "+10m", "--admin", "slow"]);
    assert!(!ran.err.contains("took effect"), "{ran:?}");
}
