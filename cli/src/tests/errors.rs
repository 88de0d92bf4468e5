//! Errors as JSON, and exit codes.

use super::change::CHAT;
use super::world::{FakeWorld, json};

fn world() -> FakeWorld {
    let broken = CHAT.replace("10", "1000").replace("\"v3\"", "\"v2\"");
    // With keys of its own, so that there is nothing to warn of.
    let good = CHAT.replacen("\"baseline\"", r#""key": [{"header": "x-id"}], "baseline""#, 1);
    FakeWorld::new("2026-11-23T09:00:00Z", &[("chat.json", &good), ("broken.json", &broken)])
}

/// The JSON of a run that is refused.
#[track_caller]
fn refused(arguments: &[&str]) -> serde_json::Value {
    let ran = world().run(arguments);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.starts_with("error: "), "words stay on stderr: {ran:?}");
    let error = json(&ran.out);
    assert_eq!(error["exit_code"], 2);
    assert!(error["error"].is_string() && error["errors"][0]["message"].is_string(), "{error}");
    error
}

#[test]
fn wrong_arguments_are_json_too() {
    let message = "unrecognized subcommand 'chekc'";
    let expect = serde_json::json!({
        "error": message, "errors": [{"place": "", "path": "", "message": message}], "exit_code": 2
    });
    assert_eq!(refused(&["chekc", "--json"]), expect);
    let missing = refused(&["ramp", "chat.json", "v2", "--json"]);
    assert_eq!(missing["error"], "the following required arguments were not provided: <PERCENT>");
    refused(&["ramp", "chat.json", "v2", "101", "--json"]);
    let without = world().run(&["chekc"]);
    assert!(without.code == 2 && without.out.is_empty(), "{without:?}");
}

#[test]
fn every_error_of_a_configuration_is_listed() {
    let error = refused(&["simulate", "broken.json", "--json"]);
    let paths = |error: &serde_json::Value| -> Vec<serde_json::Value> {
        error["errors"].as_array().unwrap().iter().map(|error| error["path"].clone()).collect()
    };
    assert_eq!(paths(&error), ["rollouts[0].versions[2].name", "rollouts[0].split.v2"]);
    assert_eq!(error["errors"][0]["place"], "broken.json");
    assert!(
        error["error"].as_str().unwrap().starts_with("2 errors; the first is broken.json: rollouts[0].ver")
    );
    for arguments in [&["explain", "broken.json", "--json"][..], &["stop", "broken.json", "v2", "--json"]] {
        assert_eq!(refused(arguments), error);
    }
    let checked = refused(&["check", "chat.json", "broken.json", "nowhere.json", "--json"]);
    assert_eq!(checked["errors"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        checked["errors"][2],
        serde_json::json!({"place": "nowhere.json", "path": "", "message": "does not exist"})
    );
    assert_eq!(checked["configurations"][0]["rollouts"][0]["name"], "chat", "valid ones are still shown");
}

#[test]
fn a_refused_change_is_listed_with_its_errors() {
    let error = refused(&["ramp", "chat.json", "v2", "--plan", "50,100@+1h", "--json", "--rollout", "other"]);
    assert_eq!(error["error"], "chat.json has no rollout \"other\"; there are chat");
    let world = world();
    world.fine(&["ramp", "chat.json", "v3", "60"]);
    let ran = world.run(&["ramp", "chat.json", "v2", "60", "--json"]);
    let error = json(&ran.out);
    assert!(
        error["error"]
            .as_str()
            .unwrap()
            .starts_with("nothing was written, because the filter would refuse it")
    );
    assert_eq!(error["errors"][0]["path"], "rollouts[0].steps[1].percent");
}
