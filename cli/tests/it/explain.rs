//! `explain`, and what else follows a configuration's hash.

use crate::chat::{CHAT, file, run, run_with_input};
use crate::tool::json;
use std::process::Command;

#[test]
fn explain_tells_the_whole_way() {
    let config = file("explain.json", CHAT);
    // The bucket and the shard are mmh3 5.3.1's.
    let ran = run(&[
        "explain",
        &config,
        "--host",
        "LLM.example.com:443",
        "--path",
        "/v1/chat/completions",
        "-H",
        "X-Conversation-Id: c-23",
    ]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(
        ran.out,
        "rollout  chat\n\
         key      \"c-23\" from header x-conversation-id, which names a conversation (key[0])\n\
         bucket   40360 of 1000000, murmur3 of \"chat:\" and the key\n\
         range    0 <= 40360 < 125000 belongs to v2, which has 12.5 %\n\
         version  v2, reason split, compared with other versions, in shard 22\n\
         sets     x-llm-cluster: llm-v2 on the request\n\
         sets     x-llm-version: v2 on the request\n\
         sets     x-llm-version: v2 on the response\n"
    );
}

/// The keys are published by the tools themselves: `tests/data/flag_tools.json`.
#[test]
fn explain_tells_by_which_tool_a_key_got_its_bucket() {
    let line = |name: &str, hash: &str, key: &str| {
        let config = file(name, &CHAT.replace("\"baseline\"", &format!("\"hash\": {hash}, \"baseline\"")));
        let config = config.as_str();
        let header = format!("x-conversation-id: {key}");
        let request =
            ["explain", config, "--host", "llm.example.com", "--path", "/v1/chat/completions", "-H", &header];
        let said = run(&[&request[..], &["--json"]].concat());
        let ran = run(&request);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        let line = ran.out.lines().find(|line| line.starts_with("bucket")).unwrap_or_default().to_owned();
        (line, json(&said.out)["hash"].to_string(), json(&said.out)["salt"].is_null())
    };
    let flexible = r#"{"scheme": "unleash", "group_id": "Feature.Variants.D", "weights": 1000}"#;
    assert_eq!(
        line("hash-variants.json", flexible, "525"),
        (
            "bucket   229000 of 1000000, for variants of Unleash 230 in 1 to 1000, by the group id \"Feature.Variants.D\" and the key".to_owned(),
            r#"{"scheme":"unleash","group_id":"Feature.Variants.D","weights":1000}"#.to_owned(),
            true
        )
    );
    for (name, hash, words) in [
        (
            "hash-flag.json",
            r#"{"scheme": "flagd", "flag_key": "f"}"#,
            "fractional v2 has it, by the flag key \"f\"",
        ),
        (
            "hash-seed.json",
            r#"{"scheme": "flagd", "seed": "", "fractional": "v3"}"#,
            "fractional v3 has it, by the seed \"\"",
        ),
        (
            "hash-v1.json",
            r#"{"scheme": "flagd", "seed": "s", "fractional": "v1"}"#,
            "fractional v1 has it, by the seed \"s\"",
        ),
    ] {
        let (line, _, has_no_salt) = line(name, hash, "jack");
        assert!(line.ends_with(&format!("as flagd's {words} and the key")) && has_no_salt, "{line}");
    }
}

#[test]
fn simulate_and_changes_follow_the_hash() {
    let by_unleash = CHAT
        .replace(
            "\"baseline\"",
            r#""hash": {"scheme": "unleash", "group_id": "Feature.flexibleRollout.10"}, "baseline""#,
        )
        .replace("12.5", "10");
    let config = file("hash-simulate.json", &by_unleash);
    let keys = file("hash-simulate-keys.txt", "174\n499\n");
    let ran = run(&["simulate", &config, "--keys", &keys, "--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let said = ran.out.clone();
    assert!(
        said.contains("\"measured_percent\": 50.0") || said.contains("\"measured_percent\":50.0"),
        "{said}"
    );
    let ran = run(&["ramp", &config, "v2", "12.5", "--dry-run"]);
    assert_ne!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.err.contains("is 12.5, but \"hash\" gives keys away by 1 percent; write 12 or 13"),
        "{ran:?}"
    );
}

/// What `--json` tells of a request to the host and path of [`CHAT`].
fn report(name: &str, config: &str, args: &[&str]) -> serde_json::Value {
    let config = file(name, config);
    let request = ["explain", &config, "--json", "--host", "llm.example.com"];
    let ran = run(&[&request, args].concat());
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    json(&ran.out)
}

#[test]
fn explain_finds_the_key_wherever_it_is() {
    for (i, (args, source, kind)) in [
        (["--header", "x-conversation-id=k", "--path", "/v1/"], "header x-conversation-id", "conversation"),
        (["--cookie", "conv=k", "--path", "/v1/"], "cookie conv", "conversation"),
        (["--cookie", "a=b", "--path", "/v1/?c=%6b"], "query parameter c", "conversation"),
        (["--metadata", "jwt/sub=k", "--path", "/v1/"], "metadata jwt/sub", "user"),
    ]
    .into_iter()
    .enumerate()
    {
        let explained = report(&format!("where-{i}.json"), CHAT, &args);
        let expect = serde_json::json!({"source": source, "kind": kind, "key": "k"});
        assert_eq!(explained["key"], expect, "{args:?}");
    }
    let explained =
        report("where-cookies.json", CHAT, &["--cookie", "a=b", "--cookie", "conv=k", "--path", "/v1/"]);
    assert_eq!(explained["key"]["source"], "cookie conv");
    // Envoy hands over a number as a double.
    let explained = report("where-number.json", CHAT, &["--metadata", "jwt/sub:= 42", "--path", "/v1/"]);
    assert_eq!(explained["key"]["key"], "\0\0\0\0\0\0E@");
}

#[test]
fn explain_names_every_reason() {
    let staff = ["--path", "/v1/", "--header", "x-llm-cohort=staff", "--header", "x-conversation-id=k"];
    let asked = report("reason-override.json", CHAT, &staff);
    assert_eq!((&asked["reason"], &asked["version"]), (&"override".into(), &"v2".into()));
    assert_eq!(asked["override"], "header x-llm-cohort is one of staff, beta");
    assert_eq!((&asked["compare"], &asked["bucket"]), (&false.into(), &serde_json::Value::Null));

    let stopped = CHAT.replace(r#""llm-v2"}"#, r#""llm-v2", "stopped": true}"#);
    let moved = report("reason-stopped.json", &stopped, &staff);
    assert_eq!(
        (&moved["reason"], &moved["version"], &moved["chosen"]),
        (&"stopped".into(), &"v1".into(), &"v2".into())
    );

    let keyless = report("reason-keyless.json", CHAT, &["--path", "/v1/"]);
    assert_eq!((&keyless["reason"], &keyless["version"]), (&"keyless".into(), &"v1".into()));

    let random = CHAT.replace("\"baseline\": \"v1\"", "\"baseline\": \"v1\", \"keyless\": \"random\"");
    let drawn = report("reason-random.json", &random, &["--path", "/v1/"]);
    assert_eq!(drawn["reason"], "keyless");
    let place = (drawn["range"][0].as_u64(), drawn["bucket"].as_u64(), drawn["range"][1].as_u64());
    assert!(place.0 <= place.1 && place.1 < place.2, "{place:?}");

    let nobody = report("reason-none.json", CHAT, &["--path", "/v2/"]);
    assert_eq!(nobody["rollout"], serde_json::Value::Null);
    assert_eq!(nobody["passed_over"][0]["why"], "the path is \"/v2/\" and does not start with /v1/");
    assert_eq!(nobody["removed_headers"], serde_json::json!(["x-llm-cluster", "x-llm-version"]));
    assert_eq!(nobody["request_headers"], serde_json::json!({}));
}

#[test]
fn explain_says_why_no_rollout_matches() {
    let config = file("unmatched.json", CHAT);
    let ran = run(&["explain", &config, "--host", "example.com"]);
    assert_eq!(ran.code, Some(0));
    assert_eq!(
        ran.out,
        "not      chat, because the host is \"example.com\", not llm.example.com\n\
         rollout  none matches the request\n\
         removes  x-llm-cluster and x-llm-version, and sets nothing: Envoy's other routes apply\n"
    );
}

#[test]
fn explain_tells_feedback() {
    let with = |feedback: &str| CHAT.replace(r#""baseline": "v1","#, feedback);
    let answered = with(r#""baseline": "v1", "feedback": {"path": "/rate", "up": ["+"]},"#);
    let config = file("feedback.json", &answered);
    let args = ["explain", &config, "--host", "llm.example.com", "--path", "/rate?x=1"];
    // The bucket of c-23 is the second version's, that of no key the baseline's.
    let ran = run(&[&args[..], &["-H", "x-conversation-id=c-23"]].concat());
    let line = ran.out.lines().next().unwrap_or_default();
    assert_eq!(line, "feedback on chat: counted for v2, answered by the filter");
    assert!(run(&args).out.starts_with("feedback on chat: counted for v1"), "{}", run(&args).out);
    let random = with(
        r#""baseline": "v1", "keyless": "random", "feedback": {"path": "/rate", "up": ["+"], "respond": false},"#,
    );
    let explained = report("feedback-random.json", &random, &["--path", "/rate"]);
    assert_eq!(
        explained["feedback"],
        serde_json::json!({"rollout": "chat", "version": null, "respond": false})
    );
}

#[test]
fn explain_takes_many_keys() {
    let config = file("keys.json", CHAT);
    let mut input: Vec<u8> = (0..2000).flat_map(|i| format!("conversation-{i}\n").into_bytes()).collect();
    input.extend_from_slice(b"windows\r\n\na b\n\xff\xfe\nlast without an end");
    let ran = run_with_input(&["explain", &config, "--keys", "-"], &input);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(
        ran.err
            .starts_with("assumed, because rollout chat requires it: :authority llm.example.com, :path /v1/")
    );
    let lines: Vec<serde_json::Value> = ran.out.lines().map(json).collect();
    assert_eq!(lines.len(), 2005);
    let mut canaries = 0;
    for (i, line) in lines.iter().take(2000).enumerate() {
        let key = format!("conversation-{i}");
        let bucket = llm_canary::bucket::bucket(b"chat", key.as_bytes());
        let version = if bucket < 125_000 { "v2" } else { "v1" };
        canaries += u32::from(version == "v2");
        let expect = serde_json::json!({"key": key, "bucket": bucket, "version": version, "reason": "split"});
        assert_eq!(line, &expect);
    }
    // 250 expected, standard deviation 14.8.
    assert!((190..310).contains(&canaries), "{canaries}");
    assert_eq!(lines[2000]["key"], "windows");
    assert_eq!(
        lines[2001],
        serde_json::json!({"key": "", "bucket": null, "version": "v1", "reason": "keyless"})
    );
    assert_eq!(lines[2002]["key"], "a b");
    assert_eq!(lines[2003]["key_hex"], "fffe");
    assert_eq!(lines[2003]["bucket"], llm_canary::bucket::bucket(b"chat", b"\xff\xfe"));
    assert_eq!(lines[2004]["key"], "last without an end");
}

/// A key given alone falls where the same key in a request falls, whatever kind of place it is put in.
#[test]
fn explain_puts_a_key_where_the_rollout_looks() {
    for (i, places) in [
        r#"{"cookie": "conv"}"#,
        r#"{"query": "a b"}"#,
        r#"{"metadata": "jwt/sub"}"#,
        r#"{"query": "q"}, {"header": "x-k"}"#,
    ]
    .into_iter()
    .enumerate()
    {
        let text = CHAT.replace(
            r#"{"header": "x-conversation-id"}, {"cookie": "conv"}, {"query": "c"},"#,
            &format!("{places},"),
        );
        let config = file(&format!("put-{i}.json"), &text);
        let ran = run(&["explain", &config, "--json", "--key", "a&b=c% 世"]);
        let explained = json(&ran.out);
        assert_eq!(explained["key"]["key"], "a&b=c% 世", "{places}");
        assert_eq!(
            explained["bucket"],
            llm_canary::bucket::bucket(b"chat", "a&b=c% 世".as_bytes()),
            "{places}"
        );
    }
}

#[test]
fn explain_refuses_what_it_cannot_use() {
    let config = file("refuse.json", CHAT);
    let bad = file("refuse-bad.json", &CHAT.replace("12.5", "125"));
    let other = file("refuse-other.yaml", "kind: Service\n");
    let several = file("refuse-several.yaml", "rollouts: []\n---\nrollouts: []\n");
    let empty = file("refuse-empty.json", "{\"rollouts\": []}");
    for (args, error) in [
        (vec!["explain", &bad], "error: refuse-bad.json: rollouts[0].split.v2: is 125"),
        (vec!["explain", &other], "error: refuse-other.yaml: holds no llm-canary configuration; give"),
        (vec!["explain", &several], "error: refuse-several.yaml: has several configurations"),
        (vec!["explain", &empty, "--key", "k"], "error: the configuration has no rollouts"),
        (
            vec!["explain", &config, "--header", "x-a"],
            "error: --header \"x-a\" is not a name and a value; write",
        ),
        (
            vec!["explain", &config, "--header", "x a=b"],
            "error: --header \"x a\" is not a header name because of ' '",
        ),
        (vec!["explain", &config, "--header", ":path=b"], "error: --header"),
        (vec!["explain", &config, "--cookie", "a"], "error: --cookie \"a\" is not a name and a value"),
        (
            vec!["explain", &config, "--metadata", "a/b:=c"],
            "error: --metadata \"a/b:=c\" has no number behind",
        ),
        (
            vec!["explain", &config, "--rollout", "chat"],
            "error: --rollout and --header-name say where a key goes",
        ),
        (
            vec!["explain", &config, "--key", "k", "--rollout", "x"],
            "error: --rollout \"x\" is not in the configuration, which has chat",
        ),
        (
            vec!["explain", &config, "--key", "k", "--header-name", "x-y"],
            "error: --header-name \"x-y\": rollout chat looks only in header x-c",
        ),
        (vec!["explain", &config, "--keys", "nowhere.txt"], "assumed"),
        (
            vec!["explain", &config, "--key", "k", "--keys", "-"],
            "error: the argument '--key <KEY>' cannot be used with",
        ),
    ] {
        let ran = run(&args);
        assert!(ran.code == Some(2) && ran.out.is_empty() && ran.err.starts_with(error), "{args:?}: {ran:?}");
    }
}

/// Reading only the beginning of the output is no error.
#[cfg(unix)]
#[test]
fn a_closed_pipe_ends_it_quietly() {
    let config = file("pipe.json", CHAT);
    let keys = file("pipe-keys.txt", &"some-key\n".repeat(50_000));
    let script = format!("'{}' explain {config} --keys {keys} | head -n 1", env!("CARGO_BIN_EXE_llm-canary"));
    let done = Command::new("bash")
        .args(["-c", &format!("set -o pipefail; {script}")])
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .output()
        .expect("bash runs");
    assert!(done.status.success(), "{done:?}");
    assert_eq!(done.stdout.iter().filter(|&&b| b == b'\n').count(), 1);
}
