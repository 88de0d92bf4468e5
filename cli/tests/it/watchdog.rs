//! `llm-canary watchdog --dry-run` and `llm-canary grade`, as their users run them.

use crate::tool::Folder;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;

const CONFIG: &str = "prompts: ['Say {{a}}']
providers: [openai:x]
tests:
- vars: {a: [hi, bye]}
  assert: [{type: contains, value: x}, {type: llm-rubric, value: kind}, {type: javascript, value: 'true'}]
";

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_dry_run_says_what_a_set_asks_and_checks() {
    let folder = Folder::new("watchdog-dry");
    folder.write("promptfooconfig.yaml", CONFIG);
    for set in ["promptfooconfig.yaml", "."] {
        let ran = folder.run(&["watchdog", "--set", set, "--dry-run", "--json"]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
        let found = json_of(&ran.out);
        let file = &found["files"][0];
        assert_eq!((&file["file"], &file["format"]), (&json!(set), &json!("promptfoo-config")));
        assert_eq!((&file["cases"], &file["prompts"], &file["requests"]), (&json!(2), &json!(1), &json!(2)));
        assert_eq!(file["checks"], json!({"contains": 2}));
        assert_eq!(
            (&file["judge"], &file["left_out"]),
            (&json!({"llm-rubric": 2}), &json!({"javascript": 2}))
        );
        assert_eq!((&found["requests_per_round"], &found["calls_per_day"]), (&json!(4), &json!(1152)));
    }
    let shown = folder.run(&["watchdog", "--set", ".", "--dry-run", "--show", "--json"]);
    let lines: Vec<Value> = shown.out.lines().map(json_of).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[1]["messages"], json!([{"role": "user", "content": "Say bye"}]));
    assert_eq!((&lines[1]["vars"], &lines[1]["set"]), (&json!({"a": "bye"}), &json!(".")));
    assert!(folder.run(&["watchdog", "--set", ".", "--dry-run", "--show"]).out.contains("user: Say hi"));
}

#[test]
fn what_cannot_be_done_is_refused_with_words() {
    let folder = Folder::new("watchdog-refused");
    folder.write("promptfooconfig.yaml", CONFIG);
    folder.write("other.yaml", "stimuli: []\nname: x\n");
    folder.write("plain.yaml", "prompts: [x]\nproviders: [y]\n");
    for (args, part) in [
        (vec!["--set", "."], "say whom to ask"),
        (vec!["--set", ".", "--dry-run", "--strict"], "left out: javascript 2"),
        (vec!["--set", "other.yaml", "--dry-run"], "unknown format"),
        (vec!["--set", "none.yaml", "--dry-run"], "does not exist"),
    ] {
        let ran = folder.run(&[&["watchdog"], args.as_slice()].concat());
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains(part), "{part}: {}", ran.err);
    }
    assert_eq!(folder.run(&["watchdog", "--set", "plain.yaml", "--dry-run", "--strict"]).code, Some(0));
    let both = folder.run(&["watchdog", "--set", "plain.yaml", "--set", "other.yaml", "--dry-run", "--json"]);
    let found = json_of(&both.out);
    assert_eq!(
        (both.code, &found["files"][0]["file"], &found["exit_code"]),
        (Some(2), &json!("plain.yaml"), &json!(2))
    );
}

#[test]
fn a_set_reads_no_file_outside_and_no_secret() {
    let folder = Folder::new("watchdog-outside");
    fs::create_dir_all(folder.path.join("set")).unwrap();
    folder.write("secret.txt", "hidden-text");
    symlink("../secret.txt", folder.path.join("set/link.txt")).unwrap();
    folder.write(
        "set/promptfooconfig.yaml",
        "prompts: ['{{a}} {{b}} {{env.LLM_CANARY_TEST_TOKEN}} {{env.HOME}}', file://../secret.txt]\nproviders: [x]\ntests: [{vars: {a: file://link.txt, b: 1}}]\n",
    );
    let ran = folder.run(&["watchdog", "--set", "set", "--dry-run", "--show", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.out.contains("hidden-text") && ran.out.contains("--allow-outside"), "{}", ran.out);
    let allowed =
        folder.run(&["watchdog", "--set", "set", "--dry-run", "--show", "--json", "--allow-outside"]);
    assert!(allowed.out.contains("hidden-text"), "{}", allowed.out);
}

#[test]
fn a_file_of_100_mb_is_refused() {
    let folder = Folder::new("watchdog-large");
    fs::File::create(folder.path.join("large.jsonl")).unwrap().set_len(100 << 20).unwrap();
    let ran = folder.run(&["watchdog", "--set", "large.jsonl", "--dry-run"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("larger than 32 MiB"), "{}", ran.err);
}

#[test]
fn answers_are_graded_line_by_line() {
    let folder = Folder::new("grade");
    folder.write(
        "cases.jsonl",
        "{\"output\": \"Paris.\", \"assert\": [{\"type\": \"contains\", \"value\": \"{{city}}\"}, {\"type\": \"equals\", \"value\": \"x\"}], \"vars\": {\"city\": \"Paris\"}, \"threshold\": 0.5}\n\n\
         {\"output\": \"x\", \"assert\": [{\"type\": \"llm-rubric\", \"value\": \"kind\"}]}\n\
         {\"output\": {\"a\": 1}, \"assert\": [{\"type\": \"is-json\"}]}\n",
    );
    let ran = folder.run(&["grade", "cases.jsonl"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
    let lines: Vec<Value> = ran.out.lines().map(json_of).collect();
    assert_eq!(lines[0], json!({"pass": true, "score": 0.5, "error": null}));
    assert_eq!((&lines[1]["pass"], &lines[1]["error"]), (&json!(false), &json!("llm-rubric needs a judge")));
    assert_eq!(lines[2], json!({"pass": true, "score": 1, "error": null}));
    folder.write("broken.jsonl", "{\"output\": \"sk-secret\n");
    let broken = folder.run(&["grade", "broken.jsonl"]);
    assert_eq!(broken.code, Some(2));
    assert!(broken.err.contains("line 1") && !broken.err.contains("sk-secret"), "{}", broken.err);
}
