//! `explain` where time, the body and pins decide, and what `check` says of such configurations.

use super::world::{FakeWorld, json};
use llm_canary::pin::Token;
use serde_json::Value;

/// UUIDv7s of half past eight and a quarter past nine, neither among the rollout's first 5 %.
const BEGAN_EARLY: &str = "01a20786-bb40-7000-8000-000000000001";
const BEGAN_LATE: &str = "01a207af-ee20-7000-8000-000000000001";

const CHAT: &str = r#"{"rollouts": [{
  "name": "chat", "baseline": "v1",
  "match": {"models": ["chat-large"]},
  "key": [{"header": "x-conversation-id"}, {"body": "/metadata/a~1b"}, {"first_message": true}],
  "pin": {"cookie": "llm_pin", "header": "x-llm-pin"},
  "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b"}],
  "steps": [{"at": "2026-11-23T08:00:00Z", "percent": {"v2": 5}},
            {"at": "2026-11-23T09:00:00Z", "percent": {"v2": 100}}]}]}"#;

fn world() -> FakeWorld {
    FakeWorld::new("2026-11-28T09:00:00Z", &[("c.json", CHAT)])
}

fn report(world: &FakeWorld, args: &[&str]) -> Value {
    json(&world.fine(&[&["explain", "c.json", "--json"], args].concat()).out)
}

#[test]
fn a_conversation_is_looked_up_under_the_step_it_began_under() {
    let world = world();
    let at = |now: &str, key: &str| report(&world, &["--key", key, "--now", now]);
    let early = at("2026-11-23T09:30:00Z", BEGAN_EARLY);
    assert_eq!(
        (&early["began"], &early["split_since"]),
        (&"2026-11-23T08:30:00Z".into(), &"2026-11-23T08:00:00Z".into())
    );
    assert_eq!(
        (&early["version"], &early["reason"], &early["compare"]),
        (&"v1".into(), &"started".into(), &false.into())
    );
    assert_eq!(early["unheld"], false);
    let late = at("2026-11-23T09:30:00Z", BEGAN_LATE);
    assert_eq!(
        (&late["version"], &late["reason"], &late["compare"]),
        (&"v2".into(), &"started".into(), &true.into())
    );
    let words = world.fine(&["explain", "c.json", "--key", BEGAN_EARLY, "--now", "2026-11-23T09:30:00Z"]).out;
    let line = "began    2026-11-23T08:30:00Z, under the step of 2026-11-23T08:00:00Z, which decides\n";
    assert!(words.contains(line), "{words}");
    let plain = |now: &str| at(now, "c-42");
    assert_eq!(plain("2026-11-23T07:59:59Z")["version"], "v1");
    let moved = plain("2026-11-23T09:00:00Z");
    assert_eq!(
        (&moved["version"], &moved["split_since"], &moved["unheld"]),
        (&"v2".into(), &"2026-11-23T09:00:00Z".into(), &true.into())
    );
    assert_eq!(plain("2026-11-24T09:00:00Z")["unheld"], false, "a day later it has been there for a day");
    let words = world.fine(&["explain", "c.json", "--key", "c-42", "--now", "2026-11-23T09:00:00Z"]).out;
    assert!(words.contains("split    the step of 2026-11-23T09:00:00Z, in force now\n"), "{words}");
    assert!(words.contains("unheld   it has no start time and no pin"), "{words}");
    world.refused(&["explain", "c.json", "--key", "k", "--now", "then"], "--now \"then\" is not a time");
}

#[test]
fn a_start_time_that_cannot_be_read_is_told() {
    let world = world();
    world.write("c.json", &CHAT.replace(r#""key":"#, r#""started_at": {"header": "x-began"}, "key":"#));
    let now = "2026-11-23T09:30:00Z";
    for (began, read) in [
        ("2026-11-23T08:30:00Z", Some("2026-11-23T08:30:00Z")),
        ("1795422600", Some("2026-11-23T08:30:00Z")),
        ("1795422600123456", Some("2026-11-23T08:30:00.123Z")),
        ("2026-11-23 09:30:00+0100", Some("2026-11-23T08:30:00Z")),
        ("null", None),
        ("", None),
        ("yesterday", None),
        ("0", None),
    ] {
        let is_invalid = ["null", "yesterday", "0"].contains(&began);
        let args = ["--key", "c-42", "--now", now, "-H", &format!("x-began={began}")];
        let told = report(&world, &args);
        assert_eq!(told["began"], read.map_or(Value::Null, Value::from), "{began:?}");
        let invalid = if is_invalid { Value::from(began) } else { Value::Null };
        assert_eq!(told["invalid_started_at"], invalid, "{began:?}");
        let words = world.fine(&[&["explain", "c.json"][..], &args].concat()).out;
        let line = format!(
            "start    \"{began}\" from header x-began cannot be read as a time, so it counts as absent\n"
        );
        assert_eq!(words.contains(&line), is_invalid, "{words}");
    }
    // The time in the id counts then.
    let told = report(&world, &["--key", BEGAN_EARLY, "--now", now, "-H", "x-began=yesterday"]);
    assert_eq!(
        (&told["began"], &told["invalid_started_at"]),
        (&"2026-11-23T08:30:00Z".into(), &"yesterday".into())
    );
}

#[test]
fn several_lines_of_a_header_are_one_value() {
    let world = world();
    let key = |headers: &[&str]| {
        let headers: Vec<&str> = headers.iter().flat_map(|header| ["-H", header]).collect();
        let args = [&["--key", "c-42", "-H", "x-other=1"][..], &headers].concat();
        report(&world, &args)["key"]["key"].clone()
    };
    assert_eq!(key(&[]), "c-42");
    world.write("body.json", r#"{"model": "chat-large"}"#);
    let key = |headers: &[&str]| {
        let headers: Vec<&str> = headers.iter().flat_map(|header| ["-H", header]).collect();
        report(&world, &[&["--body", "body.json"][..], &headers].concat())["key"]["key"].clone()
    };
    assert_eq!(key(&["x-conversation-id=a", "x-conversation-id=a"]), "a");
    assert_eq!(key(&["x-conversation-id=a", "x-conversation-id=b"]), "a,b");
    assert_eq!(key(&["x-conversation-id=undefined"]), Value::Null);
}

#[test]
fn a_body_is_read_as_the_filter_reads_it() {
    let world = world();
    let body = |fields: &str| {
        format!(r#"{{"model": "chat-large", {fields}"messages": [{{"role": "user", "content": "hi"}}]}}"#)
    };
    world.write("keyed.json", &body(r#""metadata": {"a/b": "m-1"}, "#));
    world.write("plain.json", &body(""));
    world.write("other.json", r#"{"model": "chat-small"}"#);
    let keyed = report(&world, &["--body", "keyed.json"]);
    assert_eq!(
        (&keyed["key"]["source"], &keyed["key"]["key"]),
        (&"body /metadata/a~1b".into(), &"m-1".into())
    );
    let plain = report(&world, &["--body", "plain.json"]);
    assert_eq!(plain["key"]["source"], "the conversation's opening");
    let key = plain["key"]["key"].as_str().unwrap();
    let other = report(&world, &["--body", "plain.json", "-H", "authorization=Bearer x"]);
    assert_ne!(other["key"]["key"], key, "another caller's conversation is another one");
    let ran = world.run_with_input(&["explain", "c.json", "--json", "--body", "-"], &body(""));
    assert_eq!(json(&ran.out)["key"]["key"], key);
    let none = report(&world, &["--body", "other.json"]);
    assert_eq!(none["passed_over"][0]["why"], "the model is \"chat-small\", not chat-large");
    // A key alone is enough: the model is assumed.
    let ran = world.fine(&["explain", "c.json", "--key", "c-42"]);
    assert!(ran.err.contains("assumed, because rollout chat requires it: model chat-large"), "{ran:?}");
    world.refused(&["explain", "c.json", "--body", "nowhere"], "--body nowhere: does not exist");
    world.write(
        "opening.json",
        &CHAT.replace(r#"{"header": "x-conversation-id"}, {"body": "/metadata/a~1b"}, "#, ""),
    );
    world.refused(
        &["explain", "opening.json", "--key", "k"],
        "looks only in the conversation's opening; give the request with --body",
    );
    world.write("body.json", &CHAT.replace(r#"{"header": "x-conversation-id"}, "#, ""));
    let put = world.fine(&["explain", "body.json", "--json", "--key", "k"]).out;
    assert_eq!(json(&put)["key"]["source"], "body /metadata/a~1b");
}

#[test]
fn what_check_says_of_steps_models_and_bodies() {
    let world = world();
    let warnings = |text: &str| {
        world.write("w.json", text);
        world.fine(&["check", "w.json"]).err
    };
    assert_eq!(warnings(CHAT), "");
    assert_eq!(
        warnings(&CHAT.replace("100}", "5}")),
        "warning: w.json: rollouts[0].steps[1]: changes nothing, because every version has these shares already; remove it, or change a percentage\n"
    );
    assert!(
        warnings(&CHAT.replace("a~1b", "user_id"))
            .contains("rollouts[0].key[1]: body /metadata/user_id looks like a user's key")
    );
    // Two rollouts told apart by their models alone.
    let rollout = CHAT.split_once('[').unwrap().1.rsplit_once("]}").unwrap().0;
    let second = rollout
        .replace("\"chat\"", "\"small\"")
        .replace("chat-large", "chat-small")
        .replace("llm_pin", "small_pin")
        .replace("x-llm-pin", "x-small-pin");
    assert_eq!(warnings(&format!("{{\"rollouts\": [{rollout}, {second}]}}")), "");
    let hidden =
        warnings(&format!("{{\"rollouts\": [{rollout}, {}]}}", second.replace("chat-small", "chat-large")));
    assert!(hidden.contains("rollouts[1].match: no request can reach \"small\""), "{hidden}");
}

/// The first turn of a conversation has no id that the server gives.
#[test]
fn what_check_says_of_keys_that_change_within_a_conversation() {
    let world = FakeWorld::new("2026-11-28T09:00:00Z", &[]);
    let warnings = |fields: &str| {
        let text = format!(
            r#"{{"rollouts": [{{"name": "chat", "baseline": "v1", {fields} "split": {{"v2": 10}},
                "versions": [{{"name": "v1", "cluster": "a"}}, {{"name": "v2", "cluster": "b"}}]}}]}}"#
        );
        world.write("w.json", &text);
        let err = world.fine(&["check", "w.json"]).err;
        err.lines()
            .map(|line| line.strip_prefix("warning: w.json: rollouts[0]").unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let keys = |sources: &[&str]| {
        let sources: Vec<String> = sources
            .iter()
            .map(|source| match source.split_once(' ').unwrap() {
                ("user", header) => format!(r#"{{"header": "{header}", "kind": "user"}}"#),
                (place, name) => format!(r#"{{"{place}": "{name}"}}"#),
            })
            .collect();
        format!(r#""key": [{}],"#, sources.join(", "))
    };
    let pins = [
        "",
        r#""pin": {"header": "x-llm-pin"},"#,
        r#""pin": {"cookie": "llm_pin"},"#,
        r#""pin": {"response_id": true},"#,
        r#""keyless": "random", "pin": {"header": "x-llm-pin"},"#,
    ];
    // Where the warning is, and under which of the pins it is given.
    for (sources, at, risky) in [
        // An id of the server before a key that the first turn has.
        (&["body /conversation", "user x-user-id"][..], "[0]", &[0][..]),
        (&["header x-id", "body /conversation/id", "user x-user-id"], "[1]", &[0]),
        (&["body /previous_response_id", "body /prompt_cache_key"], "[0]", &[0]),
        (&["body /conversation", "body /previous_response_id", "user x-user-id"], "[0]", &[0]),
        // Tags are for the Responses API.
        (&["body /conversation_id", "user x-user-id"], "[0]", &[0, 3]),
        (&["body /previous_interaction_id", "user x-user-id"], "[0]", &[0, 3]),
        (&["header Mcp-Session-Id", "user x-user-id"], "[0]", &[0, 3]),
        // The first turn has no key, so it gets no pin unless it is random.
        (&["header x-id", "body /conversation"], "[1]", &[0, 1, 2]),
        (&["body /conversation_id"], "[0]", &[0, 1, 2, 3]),
        (&["body /conversation", "body /conversation/id"], "[0]", &[0, 1, 2]),
        // Keys that every turn has.
        (&["user x-user-id", "header x-id"], "", &[]),
        (&["header x-id", "cookie conv", "query c", "user x-user-id"], "", &[]),
        (&["body /metadata/conversation_id", "body /prompt_cache_key", "user x-user-id"], "", &[]),
    ] {
        for (pin, fields) in pins.iter().enumerate() {
            let found = warnings(&format!("{}{fields}", keys(sources)));
            assert_eq!(found.len(), usize::from(risky.contains(&pin)), "{sources:?} {fields}: {found:?}");
            assert!(found.iter().all(|line| line.starts_with(&format!(".key{at}: "))), "{found:?}");
        }
    }
    assert_eq!(
        warnings(&keys(&["body /conversation", "user x-user-id"])),
        [
            ".key[0]: body /conversation is an id that the server gives, so the first turn of a conversation goes by another key, such as \
          header x-user-id, and the conversation may change its version; hold it with \"pin\": {\"response_id\": true} or \
          \"pin\": {\"header\": \"x-llm-pin\"}, or remove this key"
        ]
    );
    assert_eq!(
        warnings(&keys(&["body /conversation_id"])),
        [
            ".key[0]: body /conversation_id is an id that the server gives, so the first turn of a conversation has no key, and the \
          conversation may change its version; add a key that every turn has, and \"pin\": {\"header\": \"x-llm-pin\"}, or remove this key"
        ]
    );
    // The default list has keys of the Responses API before those of users.
    for (pin, fields) in pins.iter().enumerate() {
        let found = warnings(fields);
        assert_eq!(found.len(), usize::from(pin == 0), "{found:?}");
        let start =
            ".key: is missing, so the default list counts: body /conversation is an id that the server gives";
        assert!(
            found
                .iter()
                .all(|line| line.starts_with(start) && line.ends_with("or list keys that every turn has")),
            "{found:?}"
        );
    }
    // These paths have no such ids, and with one running version there is nothing to change to.
    for fields in [
        r#""match": {"path_prefix": "/v1/chat/"},"#,
        r#""match": {"path_prefix": "/v1/messages"},"#,
        r#""match": {"path_prefix": "/v2/models/llm/"},"#,
    ] {
        assert_eq!(warnings(fields), [""; 0], "{fields}");
    }
    assert_eq!(warnings(r#""match": {"path_prefix": "/v1/"},"#).len(), 1);
}

#[test]
fn a_rewrite_is_told() {
    let world = world();
    let rewrite = r#""cluster": "b", "rewrite": {"host": "v2.example.com", "path_prefix": {"from": "/v2/", "to": "/v2/x/"},
                     "model": "chat-2", "headers": {"x-canary": "1"}}"#;
    world.write("c.json", &CHAT.replace(r#""cluster": "b""#, rewrite));
    let words = world.fine(&["explain", "c.json", "--key", "c-42"]).out;
    let told = "rewrites the host to v2.example.com\nrewrites the path's beginning from /v2/ to /v2/x/\n\
        rewrites the body's model to \"chat-2\"\nrewrites header x-canary to 1\n";
    assert!(words.ends_with(told), "{words}");
}

#[test]
fn a_pin_names_its_version() {
    let world = world();
    let token = Token::of("chat", "v1").to_string();
    let args = ["--key", "c-42", "--cookie", &format!("llm_pin={token}")];
    let pinned = report(&world, &args);
    assert_eq!((&pinned["reason"], &pinned["version"]), (&"pin".into(), &"v1".into()), "{pinned}");
    assert_eq!(pinned["pin"], "cookie llm_pin");
    let words = world.fine(&[&["explain", "c.json"][..], &args].concat()).out;
    assert!(words.contains("pin      cookie llm_pin says v1\n"), "{words}");
    let header = report(&world, &["--key", "c-42", "-H", &format!("x-llm-pin={token}")]);
    assert_eq!(header["pin"], "header x-llm-pin");
    let nobodys = report(&world, &["--key", "c-42", "-H", "x-llm-pin=nothing"]);
    assert_eq!((&nobodys["reason"], &nobodys["pin"]), (&"split".into(), &Value::Null));
}
