//! `check`: what it warns of.

use crate::chat::{file, run};

/// The warnings a list of rollouts gives, without their places' file.
fn warnings(name: &str, rollouts: &str) -> Vec<String> {
    warnings_of(name, "", rollouts)
}

fn warnings_of(name: &str, fields: &str, rollouts: &str) -> Vec<String> {
    let name = file(name, &format!(r#"{{{fields} "rollouts": [{rollouts}]}}"#));
    let ran = run(&["check", &name]);
    assert_eq!(ran.code, Some(0), "a warning is no error: {ran:?}");
    let start = format!("warning: {name}: ");
    ran.err.lines().map(|line| line.strip_prefix(&start).unwrap_or(line).to_owned()).collect()
}

/// A rollout of one version with further fields.
fn one(name: &str, fields: &str) -> String {
    format!(
        r#"{{"name": "{name}", "baseline": "v1", {fields} "versions": [{{"name": "v1", "cluster": "c"}}]}}"#
    )
}

#[test]
fn check_warns_of_what_is_probably_not_meant() {
    let none: [&str; 0] = [];
    let keys = r#""key": [{"header": "x-user-id"}, {"cookie": "account"}, {"query": "UID"}, {"metadata": "jwt/payload/sub"},
                  {"header": "x-email", "kind": "user"}, {"header": "x-uuid"}, {"cookie": "subscription"}],"#;
    let found = warnings("w-keys.json", &one("chat", keys));
    let looks = "looks like a user's key, which lives for years; write \"kind\": \"user\" beside it";
    assert_eq!(
        found,
        [
            format!("rollouts[0].key[0]: header x-user-id {looks}"),
            format!("rollouts[0].key[1]: cookie account {looks}"),
            format!("rollouts[0].key[2]: query parameter UID {looks}"),
            format!("rollouts[0].key[3]: metadata jwt/payload/sub {looks}"),
        ]
    );
    assert_eq!(warnings("w-default.json", &one("chat", "")), none, "the default keys are no mistake");

    let hash = r#""hash": {"scheme": "flagd", "flag_key": "f"}, "key": [{"header": "x-id"}, {"first_message": true}],"#;
    let found = warnings("w-hash-key.json", &one("chat", hash));
    let unknown = "is a key that no flag tool has, so \"hash\" agrees with nothing there; use an id that the tool knows";
    assert_eq!(found, [format!("rollouts[0].key[1]: {unknown}")]);

    let two = |fields: &str| {
        format!(
            r#"{{"name": "chat", "baseline": "v1", {fields}
                "versions": [{{"name": "v1", "cluster": "c"}}, {{"name": "v2", "cluster": "c", "stopped": true}}]}}"#
        )
    };
    let missing = "rollouts[0].split: is missing, so every conversation goes to the baseline, \"v1\"";
    assert_eq!(warnings("w-split.json", &two("")), [missing]);
    assert_eq!(warnings("w-zero.json", &two(r#""split": {"v2": 0},"#)), none, "nothing is missing");
    assert_eq!(
        warnings("w-stopped.json", &two(r#""split": {"v2": 10},"#)),
        [r#"rollouts[0].versions[1].stopped: "v2" is stopped, so its 10 % go to "v1""#]
    );

    let matching = |name: &str, matcher: &str| one(name, &format!(r#""match": {{{matcher}}},"#));
    let reach = |name: &str, first: &str, second: &str| {
        !warnings(name, &format!("{}, {}", matching("a", first), matching("b", second))).is_empty()
    };
    let unreachable = [
        ("", ""),
        ("", r#""hosts": ["x"]"#),
        (r#""path_prefix": "/v1""#, r#""path_prefix": "/v1/chat""#),
        (r#""hosts": ["*.b.c", "x"]"#, r#""hosts": ["a.b.c", "*.a.b.c", "X"]"#),
        (r#""headers": {"x-t": "1"}"#, r#""headers": {"x-t": "1", "x-u": "2"}, "path_prefix": "/""#),
    ];
    for (i, (first, second)) in unreachable.into_iter().enumerate() {
        assert!(reach(&format!("w-unreachable-{i}.json"), first, second), "{first} hides {second}");
    }
    let reachable = [
        (r#""hosts": ["x"]"#, ""),
        (r#""path_prefix": "/v1/chat""#, r#""path_prefix": "/v1""#),
        (r#""hosts": ["*.b.c"]"#, r#""hosts": ["b.c"]"#),
        (r#""hosts": ["*.b.c"]"#, r#""hosts": ["xb.c"]"#),
        (r#""hosts": ["a.b.c"]"#, r#""hosts": ["*.b.c"]"#),
        (r#""headers": {"x-t": "1"}"#, r#""headers": {"x-t": "2"}"#),
    ];
    for (i, (first, second)) in reachable.into_iter().enumerate() {
        assert!(!reach(&format!("w-reachable-{i}.json"), first, second), "{first} does not hide {second}");
    }
}

#[test]
fn check_warns_of_pins_that_do_not_come_back() {
    let none: [&str; 0] = [];
    let pinned =
        |matcher: &str, pin: &str| one("chat", &format!(r#""match": {{{matcher}}}, "pin": {{{pin}}},"#));
    let headers = |other: &str| {
        let second = pinned(other, r#""header": "X-Pin""#).replace("chat", "second");
        format!("{}, {second}", pinned(r#""hosts": ["a.com"]"#, r#""header": "x-pin""#))
    };
    let lost = "rollouts[1].pin.header: x-pin is the header of rollout \"chat\" too; a client that keeps one value of it loses the other; give each its own name";
    assert_eq!(
        warnings("w-header.json", &headers(r#""hosts": ["*.b.com", "a.com"], "models": ["m"]"#)),
        [lost]
    );
    assert_eq!(warnings("w-headers.json", &headers(r#""hosts": ["b.com"]"#)), none);
    let of_domain = |name: &str, hosts: &str| {
        warnings(name, &pinned(&format!(r#""hosts": [{hosts}]"#), r#""cookie": "p", "domain": "a.com""#))
    };
    assert_eq!(of_domain("w-domain.json", r#""a.com", "b.a.com", "*.a.com", "*.b.a.com""#), none);
    for (i, host) in ["b.com", "xa.com", "*.com", "*.xa.com", "com"].into_iter().enumerate() {
        let dropped = format!(
            "rollouts[0].pin.domain: \"a.com\" does not contain \"{host}\" of match.hosts, so browsers drop the cookie there; write a domain that contains all of these hosts, or leave it out"
        );
        assert_eq!(of_domain(&format!("w-domain-{i}.json"), &format!("\"a.com\", \"{host}\"")), [dropped]);
    }
    let of_path = |name: &str, path: &str| {
        warnings(
            name,
            &pinned(r#""path_prefix": "/v1/chat/""#, &format!(r#""cookie": "p", "path": "{path}""#)),
        )
    };
    for (i, path) in ["/", "/v1", "/v1/", "/v1/chat", "/v1/chat/"].into_iter().enumerate() {
        assert_eq!(of_path(&format!("w-path-{i}.json"), path), none, "{path}");
    }
    for (i, path) in ["/v", "/v2", "/v1/chat/x", "/V1"].into_iter().enumerate() {
        let unsent = format!(
            "rollouts[0].pin.path: \"{path}\" does not contain match.path_prefix, \"/v1/chat/\", so browsers do not send the cookie with these requests; write \"/\", or a path that contains them"
        );
        assert_eq!(of_path(&format!("w-unsent-{i}.json"), path), [unsent]);
    }
}

#[test]
fn check_warns_of_what_needs_bodies_where_no_request_waits() {
    let none: [&str; 0] = [];
    let in_bodies = r#""key": [{"header": "x-a"}, {"body": "/a"}, {"first_message": true}], "started_at": {"body": "/b"},
        "match": {"models": ["m"]}, "pin": {"response_id": true}, "feedback": {"path": "/f", "up": ["1"]},"#;
    let because = "because \"body_wait\" is \"never\"; write \"body_wait\": \"auto\", or change this";
    assert_eq!(warnings("w-waits.json", &one("chat", in_bodies)), none);
    let never =
        |name: &str, fields: &str| warnings_of(name, r#""body_wait": "never","#, &one("chat", fields));
    assert_eq!(
        never("w-never.json", in_bodies),
        [
            format!("rollouts[0].key[1]: is never found, {because}"),
            format!("rollouts[0].key[2]: is never found, {because}"),
            format!("rollouts[0].started_at: is never found, {because}"),
            format!("rollouts[0].match.models: never holds, {because}"),
            format!("rollouts[0].pin.response_id: holds only requests with an id in their path, {because}"),
            format!(
                "rollouts[0].feedback.respond: has no effect: feedback is counted and passed on, {because}"
            ),
        ]
    );
    let passed_on = r#""key": [{"header": "x-a"}], "started_at": {"header": "x-b"}, "pin": {"cookie": "p"},
        "feedback": {"path": "/f", "up": ["1"], "respond": false},"#;
    assert_eq!(never("w-never-passed-on.json", passed_on), none);
    assert_eq!(never("w-never-default.json", ""), none, "the default keys are no mistake");
}

/// With one version beside the baseline all steps agree; with two a flag tool would shift the second.
#[test]
fn check_warns_of_steps_that_a_flag_tool_would_divide_otherwise() {
    let steps = |v2: [u32; 2], v3: [u32; 2]| {
        let step = |at: &str, i: usize| {
            format!(r#"{{"at": "{at}", "percent": {{"v2": {}, "v3": {}}}}}"#, v2[i], v3[i])
        };
        let (first, second) = (step("2026-11-23T09:00:00Z", 0), step("2026-11-24T09:00:00Z", 1));
        format!(
            r#"{{"name": "chat", "baseline": "v1", "hash": {{"scheme": "flagd", "flag_key": "f"}}, "key": [{{"header": "x-id"}}], "steps": [{first}, {second}],
                "versions": [{{"name": "v1", "cluster": "a"}}, {{"name": "v2", "cluster": "b"}}, {{"name": "v3", "cluster": "c"}}]}}"#
        )
    };
    let none: [&str; 0] = [];
    assert_eq!(warnings("w-steps-one.json", &steps([5, 25], [0, 0])), none);
    assert_eq!(warnings("w-steps-last.json", &steps([5, 5], [1, 10])), none);
    let found = warnings("w-steps-two.json", &steps([5, 25], [5, 5]));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("rollouts[0].steps[1]: differs from \"hash\": a flag tool lays"),
        "{found:?}"
    );
}
