//! What is refused, with a way out; and who is asked.

use super::{FakeWorld, Prompts, healthy, json_of, watchdog, world};
use serde_json::json;

const CONFIG: &str = r#"{"rollouts": [{"name": "chat", "baseline": "v1",
    "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b"}], "split": {"v2": 10}, OVERRIDES}]}"#;

fn with_config(overrides: &str) -> FakeWorld {
    FakeWorld::new("2026-11-29T07:00:00Z", &[("chat.json", &CONFIG.replace("OVERRIDES", overrides))])
}

const OVERRIDES: &str = r#""overrides": [{"header": "x-cohort", "values": ["staff"], "version": "v2"},
    {"header": "x-cohort", "values": ["old"], "version": "v1"}]"#;

#[test]
fn each_mistake_has_a_way_out() {
    let set = Prompts::new(2);
    let one = ["--target", "v1=http://127.0.0.1:1"];
    let two = ["--target", "v1=http://127.0.0.1:1", "--target", "v2=http://127.0.0.1:1"];
    let of_two = |more: &[&'static str]| [&two[..], more].concat();
    for (arguments, words) in [
        (vec![], "say whom to ask: --target v1=http://…"),
        (one.to_vec(), "say whom to ask"),
        ([&one[..], &one[..]].concat(), "with different names"),
        (vec!["--target", "v1", "--target", "v2"], "say whom to ask"),
        (of_two(&["--version", "v3"]), "there is no --target v3=…; the targets are v1 and v2"),
        (of_two(&["--version", "v1", "--baseline", "v1"]), "are both v1"),
        (vec!["--via", "http://127.0.0.1:1"], "--via needs FILE"),
        (of_two(&["--api", "gemini"]), "write one of chat, responses, messages, completions, ollama"),
        (of_two(&["--max-calls-per-day", "10"]), "--max-calls-per-day 10: leaves 0 calls"),
        (of_two(&["--key-file", "none"]), "--key-file none: does not exist"),
        (of_two(&["--out", "/dev/full"]), "/dev/full: is a device"),
        (of_two(&["--out", "/tmp"]), "/tmp: is a folder"),
        (of_two(&["--once", "--rounds", "2"]), "cannot be used with"),
        (of_two(&["--concurrency", "0"]), "--concurrency"),
        (of_two(&["--rounds", "0"]), "--rounds"),
    ] {
        let ran = world().run(&[&["watchdog", "--set", set.path()], &arguments[..]].concat());
        assert!(ran.code == 2 && ran.err.contains(words), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn the_first_target_is_the_baseline_unless_it_is_said_otherwise() {
    let set = Prompts::new(1);
    let (a, b) = (healthy(), healthy());
    for (more, version) in [
        (&[][..], "v2"),
        (&["--version", "v1"], "v1"),
        (&["--baseline", "v2"], "v1"),
        (&["--baseline", "v1", "--version", "v2"], "v2"),
    ] {
        let ran = watchdog(&world(), &set, &b, &a, &[&["--once"], more].concat());
        assert!(ran.out.starts_with(&format!("{version} against ")), "{}", ran.out);
    }
}

#[test]
fn the_file_names_the_version_and_via_sends_the_header_that_chooses_it() {
    let set = Prompts::new(3);
    let gateway = healthy();
    let arguments =
        ["watchdog", "chat.json", "--set", set.path(), "--via", &gateway.url, "--once", "--model", "m"];
    let ran = with_config(OVERRIDES).run(&arguments);
    assert!(ran.out.starts_with("v2 against v1 after round 1"), "{ran:?}");
    let heads = gateway.heads();
    let count = |line: &str| heads.iter().filter(|head| head.to_ascii_lowercase().contains(line)).count();
    assert_eq!((count("\r\nx-cohort: staff\r\n"), count("\r\nx-cohort: old\r\n"), heads.len()), (3, 9, 12));
    assert!(heads[0].starts_with("POST /v1/chat/completions HTTP/1.1"), "{}", heads[0]);
}

#[test]
fn without_an_override_the_lines_to_add_are_said() {
    let set = Prompts::new(1);
    let arguments = ["watchdog", "chat.json", "--set", set.path(), "--via", "http://127.0.0.1:1", "--once"];
    let ran = with_config(r#""overrides": []"#).run(&arguments);
    let line = r#"{"header": "x-llm-canary-probe", "values": ["v2"], "version": "v2"}"#;
    assert!(ran.code == 2 && ran.err.contains(line), "{}", ran.err);
}

#[test]
fn a_limit_of_calls_rotates_through_the_set() {
    let set = Prompts::new(10);
    let (v1, v2) = (healthy(), healthy());
    let limit = (24 * 2 * 4).to_string();
    let more = ["--every", "1h", "--rounds", "2", "--json", "--max-calls-per-day", &limit];
    let ran = watchdog(&world(), &set, &v2, &v1, &more);
    assert_eq!((v2.heads().len(), v1.heads().len()), (8, 16), "{ran:?}");
    assert_eq!(
        json_of(&ran)["prompts"],
        json!({"total": 10, "better": 0, "worse": 0, "same": 8, "quarantined": 0, "unknown": 2})
    );
}

#[test]
fn a_set_that_asks_nothing_is_refused_and_strict_refuses_what_is_left_out() {
    let set =
        Prompts::of(&json!({"prompts": ["file://none.js"], "providers": ["echo"], "tests": [{"vars": {}}]}));
    let two = ["--target", "v1=http://127.0.0.1:1", "--target", "v2=http://127.0.0.1:1"];
    let ran = world().run(&[&["watchdog", "--set", set.path()], &two[..]].concat());
    assert!(ran.code == 2 && ran.err.contains("the sets ask nothing"), "{}", ran.err);
    let code = json!({"prompts": ["a"], "providers": ["echo"], "tests": [{"assert": [{"type": "javascript", "value": "true"}]}]});
    let set = Prompts::of(&code);
    let ran = world().run(&[&["watchdog", "--set", set.path(), "--strict"], &two[..]].concat());
    assert!(ran.code == 2 && ran.err.contains("left out: javascript 1"), "{}", ran.err);
}
