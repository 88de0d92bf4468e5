//! The command `policy`, and policies in `check`.

use super::plan::PLAN;
use super::world::{FakeWorld, json};

const BROKEN: &str = "alpha: 2\nsignals: {refusal: {mode: guard}}\nwarmup: 2\n";

#[test]
fn the_printed_policy_is_valid_and_can_be_checked() {
    let world = FakeWorld::new("2026-11-23T09:00:00Z", &[("broken.yaml", BROKEN)]);
    for arguments in [&["policy"][..], &["policy", "--json"]] {
        let printed = world.fine(arguments).out;
        world.write("policy.yaml", &printed);
        let ran = world.fine(&["check", "policy.yaml"]);
        assert!(
            ran.out.starts_with(
                "policy.yaml: a policy: alpha 0.05, beta 0.05, tolerance 1.1; guards: errors, refusals, "
            ) && ran.err.is_empty(),
            "{ran:?}"
        );
    }
    let ran = world.run(&["check", "policy.yaml", "broken.yaml", "--json"]);
    let report = json(&ran.out);
    let errors: Vec<&str> =
        report["errors"].as_array().unwrap().iter().map(|error| error["path"].as_str().unwrap()).collect();
    assert_eq!((ran.code, errors), (2, vec!["alpha", "signals.refusal", "warmup"]));
    assert_eq!(report["errors"][1]["place"], "broken.yaml");
    assert_eq!(report["configurations"][0]["policy"]["alpha"], 0.05);
    assert_eq!(report["configurations"][0]["policy"]["guards"].as_array().map(Vec::len), Some(7));
}

#[test]
fn a_policy_is_no_configuration() {
    let world = FakeWorld::new(
        "2026-11-23T09:00:00Z",
        &[("p.yaml", "alpha: 0.1"), ("chat.json", super::change::CHAT)],
    );
    world
        .refused(&["simulate", "p.yaml"], "p.yaml: is a policy, and no configuration; give it with --policy");
    world.refused(&[&PLAN[..], &["--policy", "chat.json"]].concat(), "chat.json: holds no policy: ");
}
