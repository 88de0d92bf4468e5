//! Which version serves a request: tables with a fake request, and properties.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a failure fails the test")]

use llm_canary::bucket::{PARTS, bucket, shard};
use llm_canary::config::Config;
use llm_canary::key;
use llm_canary::pin::Token;
use llm_canary::pointer::Fact;
use llm_canary::route::{self, Choice, Decision, Explanation, Mismatch, Reason, Request, mismatch};
use llm_canary::timestamp::UnixMs;
use proptest::prelude::*;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// A request that records which metadata and which of its body was read.
#[derive(Default)]
struct Fake {
    headers: Vec<(String, Vec<u8>)>,
    metadata: Vec<(String, Vec<u8>)>,
    body: BTreeMap<usize, Vec<u8>>,
    reads: RefCell<Vec<String>>,
}

impl Fake {
    /// Headers, and metadata where a name contains a slash.
    fn new(lines: &[(&str, &[u8])]) -> Self {
        let mut fake = Self::default();
        for (name, value) in lines {
            let to = if name.contains('/') { &mut fake.metadata } else { &mut fake.headers };
            to.push(((*name).to_owned(), value.to_vec()));
        }
        fake
    }
}

impl Request for Fake {
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let lines = self.headers.iter().filter(|(header, _)| header == name);
        key::joined(name, lines.map(|(_, value)| value.as_slice()))
    }
    fn metadata(&self, path: &[String]) -> Option<Vec<u8>> {
        self.reads.borrow_mut().push(path.join("/"));
        self.metadata.iter().find(|(name, _)| *name == path.join("/")).map(|(_, value)| value.clone())
    }
    fn body(&self, pointer: usize) -> Fact<'_> {
        self.reads.borrow_mut().push(format!("body {pointer}"));
        self.body.get(&pointer).map_or(Fact::Absent, |value| Fact::Found(value))
    }
    fn fingerprint(&self) -> Fact<'_> {
        Fact::Absent
    }
}

const NOW: UnixMs = 1_800_000_000_000;

fn decide(config: &Config, request: &Fake, random: impl FnOnce() -> u32) -> Option<Decision> {
    route::decide(config, request, NOW, random).unwrap()
}

fn explain(config: &Config, request: &Fake, random: impl FnOnce() -> u32) -> Option<Explanation> {
    route::explain(config, request, NOW, random).unwrap()
}

fn config(rollouts: &str) -> Config {
    Config::parse(format!(r#"{{"rollouts": [{rollouts}]}}"#).as_bytes()).unwrap()
}

/// One rollout with two versions, of which `v1` is the baseline, and these fields.
fn rollout(fields: &str) -> String {
    format!(
        r#"{{"name": "chat", "baseline": "v1", {fields} "versions": [
            {{"name": "v1", "cluster": "llm-v1"}}, {{"name": "v2", "cluster": "llm-v2"}}]}}"#
    )
}

fn no_random() -> u32 {
    panic!("a random number is for requests without a key, where the rollout asks for it")
}

/// The decision as text: `rollout/version reason`, or `-`.
fn outcome(config: &Config, request: &[(&str, &[u8])]) -> String {
    match decide(config, &Fake::new(request), no_random) {
        None => "-".to_owned(),
        Some(decision) => {
            let rollout = &config.rollouts[decision.rollout];
            format!("{}/{} {}", rollout.name, rollout.versions[decision.version].name, decision.reason)
        }
    }
}

fn check(config: &Config, request: &[(&str, &[u8])], expect: &str) {
    assert_eq!(outcome(config, request), expect, "{request:?}");
}

#[test]
fn hosts_paths_and_headers_choose_the_rollout() {
    let all = |name: &str, matcher: &str| {
        format!(
            r#"{{"name": "{name}", "match": {{{matcher}}}, "baseline": "v1",
                "versions": [{{"name": "v1", "cluster": "c"}}]}}"#
        )
    };
    let config = config(
        &[
            all("exact", r#""hosts": ["LLM.example.com", "[::1]"], "path_prefix": "/v1/""#),
            all("below", r#""hosts": ["*.Example.org"]"#),
            all("tenant", r#""headers": {"X-Tenant": "acme", "x-tier": "gold"}"#),
            all("path", r#""path_prefix": "/generate""#),
        ]
        .join(","),
    );
    let check = |authority: &[u8], path: &[u8], expect: &str| {
        check(&config, &[(":authority", authority), (":path", path)], expect);
    };
    check(b"llm.example.com", b"/v1/chat", "exact/v1 keyless");
    check(b"LLM.EXAMPLE.COM:8443", b"/v1/?x=y", "exact/v1 keyless");
    check(b"[::1]:80", b"/v1/", "exact/v1 keyless");
    check(b"[::1]", b"/v1/", "exact/v1 keyless");
    check(b"llm.example.com", b"/v1", "-");
    check(b"llm.example.com.evil", b"/v1/", "-");
    check(b"xllm.example.com", b"/v1/", "-");
    check(b"a.example.org", b"/", "below/v1 keyless");
    check(b"a.b.EXAMPLE.org:1", b"/", "below/v1 keyless");
    check(b"example.org", b"/", "-");
    check(b".example.org", b"/", "-");
    check(b"notexample.org", b"/", "-");
    check(b"", b"/", "-");
    check(b":", b"/generate", "path/v1 keyless");
    check(b"\xff\xfe", b"/generate_stream", "path/v1 keyless");
    check(b"x", b"/v1/generate", "-");

    let tenant = |tenant: &[u8], tier: &[u8]| outcome(&config, &[("x-tenant", tenant), ("x-tier", tier)]);
    assert_eq!(tenant(b"acme", b"gold"), "tenant/v1 keyless");
    assert_eq!(tenant(b" acme ", b"gold"), "tenant/v1 keyless");
    assert_eq!(tenant(b"Acme", b"gold"), "-", "values have a case");
    assert_eq!(tenant(b"acme", b""), "-");
    assert_eq!(tenant(b"acme, other", b"gold"), "-", "a match is the whole value");
    assert_eq!(outcome(&config, &[("x-tenant", b"acme")]), "-");
    assert_eq!(outcome(&config, &[]), "-");
}

#[test]
fn the_first_rollout_that_matches_wins() {
    let two = config(&format!(
        r#"{}, {}"#,
        rollout(r#""match": {"path_prefix": "/a"},"#),
        rollout("").replace("chat", "rest")
    ));
    check(&two, &[(":path", b"/a")], "chat/v1 keyless");
    check(&two, &[(":path", b"/b")], "rest/v1 keyless");
    check(&config(""), &[(":path", b"/a")], "-");
}

/// The key of a request and its source. Its bucket is checked.
fn key_of(config: &Config, request: &[(&str, &[u8])]) -> Option<(usize, Vec<u8>)> {
    match explain(config, &Fake::new(request), || 0).unwrap().choice {
        Choice::Key { source, key, bucket: found, .. } => {
            assert_eq!(found, config.rollouts[0].scheme.bucket(&key));
            Some((source, key))
        }
        Choice::Override(_) | Choice::Pin(_) => None,
        Choice::KeylessBaseline | Choice::KeylessRandom { .. } | Choice::Observed => None,
    }
}

#[test]
fn the_first_key_that_has_a_value_wins() {
    let config = config(&rollout(
        r#""key": [{"header": "X-Conversation-Id"}, {"cookie": "conv"}, {"query": "conversation"},
                   {"metadata": "envoy.filters.http.jwt_authn/payload/sub", "kind": "user"}],"#,
    ));
    let check = |request: &[(&str, &[u8])], expect: Option<(usize, &[u8])>| {
        let expect = expect.map(|(source, key)| (source, key.to_vec()));
        assert_eq!(key_of(&config, request), expect, "{request:?}");
    };
    let jwt = "envoy.filters.http.jwt_authn/payload/sub";
    let (header, path, cookie) = ("x-conversation-id", ":path", "cookie");
    let all: [(&str, &[u8]); 4] =
        [(header, b"h"), (cookie, b"a=b; conv=c"), (path, b"/?conversation=q"), (jwt, b"m")];
    check(&all, Some((0, b"h")));
    check(&all[1..], Some((1, b"c")));
    check(&all[2..], Some((2, b"q")));
    check(&all[3..], Some((3, b"m")));
    check(&[], None);
    check(&[(header, b""), (cookie, b"conv="), (path, b"/?conversation="), (jwt, b"")], None);
    check(&[(header, b"  "), (jwt, b"m")], Some((3, b"m")));
    check(&[(header, b" a b ")], Some((0, b"a b")));
    check(&[(header, b"\xff\x80")], Some((0, b"\xff\x80")));
    check(&[(path, b"/?conversation=a%20b")], Some((2, b"a b")));
}

/// Requests with the same text at each source, and the index of that source's key.
fn at_each_source(config: &Config, text: &[u8]) -> Vec<(usize, Fake)> {
    let escaped: String = text.iter().map(|byte| format!("%{byte:02x}")).collect();
    let mut in_body = Fake::default();
    let pointer = config.pointers.iter().position(|keys| keys == &["id"]).unwrap();
    in_body.body.insert(pointer, text.to_vec());
    vec![
        (0, Fake::new(&[("x-id", text)])),
        (1, Fake::new(&[("cookie", &[b"a=1; id=", text, b"; b=2"].concat())])),
        (1, Fake::new(&[("cookie", &[b"id=\"", text, b"\""].concat())])),
        (2, Fake::new(&[(":path", format!("/?id={escaped}&b=2").as_bytes())])),
        (3, Fake::new(&[("ns/id", text)])),
        (4, in_body),
    ]
}

const SOURCES: &str =
    r#"{"header": "x-id"}, {"cookie": "id"}, {"query": "id"}, {"metadata": "ns/id"}, {"body": "/id"}"#;

#[test]
fn an_id_is_the_same_key_from_every_source() {
    let config = config(&rollout(&format!(r#""key": [{SOURCES}, {{"header": "x-user"}}],"#)));
    let key = |request: &Fake| match explain(&config, request, || 0).unwrap().choice {
        Choice::Key { source, key, .. } => Some((source, key)),
        Choice::Override(_) | Choice::Pin(_) => None,
        Choice::KeylessBaseline | Choice::KeylessRandom { .. } | Choice::Observed => None,
    };
    for text in ["c-42", " c-42", "c-42\t ", "\r\nc-42\n"] {
        for (source, request) in at_each_source(&config, text.as_bytes()) {
            assert_eq!(key(&request), Some((source, b"c-42".to_vec())), "{text:?} from {source}");
        }
    }
    let nothing = ["", " \t", "null", "NULL", " undefined ", "None", "[object Object]", "NaN", "<nil>", "{}"];
    for text in nothing {
        for (source, mut request) in at_each_source(&config, text.as_bytes()) {
            assert_eq!(key(&request), None, "{text:?} from {source}");
            request.headers.push(("x-user".into(), b"alice".to_vec()));
            assert_eq!(key(&request), Some((5, b"alice".to_vec())), "{text:?} from {source}");
        }
    }
}

#[test]
fn a_start_time_is_read_from_every_source() {
    let started_at = 1_799_996_400_000; // an hour ago
    let sources: Vec<_> = SOURCES.split(", ").collect();
    for (at, source) in sources.iter().enumerate() {
        let config = config(&rollout(&format!(r#""key": [{{"header": "x-key"}}], "started_at": {source},"#)));
        let start = |id: &str, mut request: Fake| {
            request.headers.push(("x-key".into(), id.as_bytes().to_vec()));
            let Explanation { decision, choice, .. } = explain(&config, &request, no_random).unwrap();
            let Choice::Key { started_at, invalid_start, .. } = choice else { panic!("there is a key") };
            assert_eq!(decision.has_invalid_start, invalid_start.is_some());
            (started_at, invalid_start.map(|text| String::from_utf8(text).unwrap()))
        };
        // Configurations without a body source have no pointer for it.
        let pointers = config.pointers.clone();
        let requests = |text: &str| {
            let mut config = config.clone();
            if !pointers.iter().any(|keys| keys == &["id"]) {
                config.pointers.push(vec!["id".to_owned()]);
            }
            at_each_source(&config, text.as_bytes()).into_iter().filter(|(source, _)| *source == at)
        };
        for text in [
            "1799996400",
            "1799996400000",
            "1799996400000000",
            "1799996400000000000",
            " 1799996400.5 ",
            "2027-01-15T07:00:00Z",
            "2027-01-15 07:00:00+0000",
            "2027-01-15T08:00:00 01:00",
            "2027-01-15T08%3A00%3A00%2B01%3A00",
            "Fri, 15 Jan 2027 07:00:00 GMT",
        ] {
            let expected = started_at + if text.contains(".5") { 500 } else { 0 };
            for (_, request) in requests(text) {
                assert_eq!(start("k", request), (Some(expected), None), "{text:?} in {source}");
            }
        }
        for text in ["", " "] {
            for (_, request) in requests(text) {
                assert_eq!(start("k", request), (None, None), "{text:?} in {source}");
            }
        }
        for text in [
            "0",
            "yesterday",
            "2027-01-15",
            "1970-01-01T00:00:00Z",
            "179999640000",
            "true",
            "%zz",
            "null",
            "undefined",
            "None",
            "NaN",
            "[object Object]",
            "{}",
        ] {
            for (_, request) in requests(text) {
                assert_eq!(start("k", request), (None, Some(text.to_owned())), "{text:?} in {source}");
            }
            // It is as absent, so the time in the id counts.
            for (_, request) in requests(text) {
                let v7 = start("019ab2f0-7c00-7000-8000-000000000001", request);
                assert_eq!(v7, (Some(0x019a_b2f0_7c00), Some(text.to_owned())), "{text:?} in {source}");
            }
        }
        // A time too far ahead is no error: clocks differ.
        for (_, request) in requests("2027-01-15T08:01:00.001Z") {
            assert_eq!(start("k", request), (None, None), "{source}");
        }
    }
}

/// An id whose first 48 bits are zeros was not made in 1970.
#[test]
fn a_time_of_an_id_before_the_first_does_not_count() {
    let config = config(&rollout(r#""steps": [{"at": "2026-11-23T09:00:00Z", "percent": {"v2": 100}}],"#));
    for (id, reason) in [
        ("00000000-0000-7000-8000-000000000001", Reason::Split),
        ("00000000000000000000000000", Reason::Split),
        ("019ab2f0-7c00-7000-8000-000000000001", Reason::Started),
    ] {
        let decision = decide(&config, &Fake::new(&[("session-id", id.as_bytes())]), no_random).unwrap();
        assert_eq!((decision.reason, decision.has_invalid_start), (reason, false), "{id}");
    }
}

#[test]
fn several_lines_of_a_header_are_one_value() {
    let config = config(&rollout(r#""key": [{"header": "x-id"}, {"cookie": "id"}],"#));
    for (lines, expected) in [
        (&[("x-id", &b"a"[..]), ("x-id", b"a")][..], Some((0, &b"a"[..]))),
        (&[("x-id", b"a"), ("x-id", b" a ")], Some((0, b"a"))),
        (&[("x-id", b"a"), ("x-other", b"c"), ("x-id", b"b")], Some((0, b"a,b"))),
        (&[("x-id", b"b"), ("x-id", b"a")], Some((0, b"b,a"))),
        (&[("x-id", b""), ("x-id", b"a")], Some((0, b"a"))),
        (&[("x-id", b""), ("x-id", b" ")], None),
        (&[("cookie", b"a=1"), ("cookie", b"id=c")], Some((1, b"c"))),
        (&[("cookie", b"id=c"), ("cookie", b"id=d")], Some((1, b"c"))),
    ] {
        assert_eq!(key_of(&config, lines), expected.map(|(at, key)| (at, key.to_vec())), "{lines:?}");
    }
}

#[test]
fn matches_overrides_and_pins_see_every_line() {
    let token = |version: &str| Token::of("chat", version).to_string();
    let (v1, v2) = (token("v1"), token("v2"));
    let config = config(&rollout(
        r#""match": {"headers": {"x-tenant": "acme"}}, "pin": {"header": "x-pin", "cookie": "pin"},
           "overrides": [{"header": "x-cohort", "values": ["staff"], "version": "v2"}],"#,
    ));
    let acme = ("x-tenant", &b"acme"[..]);
    let cookie = format!("pin={v2}");
    // Browsers send the cookie of an earlier domain or path first. It names no version any more.
    let stale = format!("pin=deadbeef; pin=; pin={v2}");
    for (lines, expected) in [
        (&[acme, acme][..], "chat/v1 keyless"),
        (&[acme, ("x-tenant", b"other")], "-"),
        (&[acme, ("x-cohort", b"guest"), ("x-cohort", b"staff")], "chat/v2 override"),
        (&[acme, ("x-cohort", b"guest, x"), ("x-cohort", b"y ,staff")], "chat/v2 override"),
        (&[acme, ("x-cohort", b"guest"), ("x-cohort", b"guest")], "chat/v1 keyless"),
        (&[acme, ("x-pin", v2.as_bytes()), ("x-pin", v2.as_bytes())], "chat/v2 pin"),
        (&[acme, ("x-pin", b"malformed"), ("x-pin", v2.as_bytes())], "chat/v2 pin"),
        (&[acme, ("x-pin", b"00000000"), ("x-pin", v2.as_bytes())], "chat/v2 pin"),
        (&[acme, ("x-pin", v1.as_bytes()), ("x-pin", v2.as_bytes())], "chat/v1 pin"),
        (&[acme, ("x-pin", b"malformed"), ("x-pin", b"nothing")], "chat/v1 keyless"),
        (&[acme, ("cookie", b"a=1"), ("cookie", cookie.as_bytes())], "chat/v2 pin"),
        (&[acme, ("cookie", stale.as_bytes())], "chat/v2 pin"),
    ] {
        check(&config, lines, expected);
    }
}

#[test]
fn without_a_key_list_the_usual_headers_count() {
    let config = config(&rollout(""));
    for (i, name) in llm_canary::config::DEFAULT_KEYS.into_iter().enumerate() {
        assert_eq!(key_of(&config, &[(name, b"k")]), Some((i, b"k".to_vec())), "{name}");
    }
    assert_eq!(key_of(&config, &[("x-user-id", b"k")]), Some((14, b"k".to_vec())));
    assert_eq!(key_of(&config, &[("x-request-id", b"k"), ("cookie", b"conversation_id=k")]), None);
}

#[test]
fn a_long_key_is_hashed_whole() {
    let config = config(&rollout(r#""split": {"v2": 50},"#));
    let long = vec![b'x'; 60_000];
    let mut other = long.clone();
    *other.last_mut().unwrap() = b'y';
    let found = |key: &[u8]| key_of(&config, &[("session-id", key)]).unwrap().1;
    assert_eq!(found(&long), long);
    assert_ne!(bucket(b"chat", &found(&long)), bucket(b"chat", &found(&other)));
}

#[test]
fn overrides_come_before_the_split() {
    let config = config(&rollout(
        r#""split": {"v2": 0}, "overrides": [
            {"header": "x-llm-cohort", "values": ["staff", "beta", "a,b"], "version": "v2"},
            {"header": "x-pinned", "values": ["yes"], "version": "v1"},
            {"header": "x-llm-cohort", "values": ["nobody", "staff"], "version": "v1"}],"#,
    ));
    let check = |cohort: &[u8], expect: &str| {
        check(&config, &[("x-llm-cohort", cohort), ("session-id", b"k")], expect);
    };
    check(b"staff", "chat/v2 override");
    check(b" beta\t", "chat/v2 override");
    check(b"guest, staff", "chat/v2 override");
    check(b"guest,beta ,x", "chat/v2 override");
    check(b"a,b", "chat/v2 override");
    check(b"nobody", "chat/v1 override");
    check(b"Staff", "chat/v1 split");
    check(b"staffx", "chat/v1 split");
    check(b"\xffstaff", "chat/v1 split");
    check(b"", "chat/v1 split");
}

/// A stopped version serves no request, whatever chose it, and the baseline's request instead is not compared.
#[test]
fn a_stopped_version_serves_nobody() {
    let text = rollout(
        r#""split": {"v2": 100}, "keyless": "random",
           "overrides": [{"header": "x-llm-cohort", "values": ["staff"], "version": "v2"}],"#,
    );
    let running = config(&text);
    let stopped = config(&text.replace(r#""llm-v2""#, r#""llm-v2", "stopped": true"#));
    for request in [
        [("session-id", b"k".as_slice())].as_slice(),
        &[("x-llm-cohort", b"staff")],
        &[("x-llm-cohort", b"staff"), ("session-id", b"k")],
        &[],
    ] {
        let request = Fake::new(request);
        let before = explain(&running, &request, || 7).unwrap();
        let after = explain(&stopped, &request, || 7).unwrap();
        assert_eq!((before.decision.version, before.chosen), (1, 1));
        assert_eq!((after.decision.version, after.chosen), (0, 1));
        assert_eq!((after.decision.reason, after.decision.compare), (Reason::Stopped, false));
        assert_eq!(after.choice, before.choice);
    }
}

#[test]
fn only_choices_of_the_split_are_compared() {
    let config = config(&rollout(
        r#""split": {"v2": 50}, "overrides": [{"header": "x-o", "values": ["1"], "version": "v2"}],"#,
    ));
    let decision = |request: &[(&str, &[u8])]| decide(&config, &Fake::new(request), no_random).unwrap();
    let version = usize::from(bucket(b"chat", b"k") < PARTS / 2);
    let shard = Some(shard(b"k"));
    assert_eq!(
        decision(&[("session-id", b"k")]),
        Decision {
            rollout: 0,
            version,
            reason: Reason::Split,
            asks_for_answer: true,
            compare: true,
            gives_pin: true,
            shard,
            is_unheld: false,
            has_invalid_start: false,
        }
    );
    let uncompared = |version, reason| Decision {
        rollout: 0,
        version,
        reason,
        asks_for_answer: true,
        compare: false,
        gives_pin: false,
        shard: None,
        is_unheld: false,
        has_invalid_start: false,
    };
    assert_eq!(decision(&[("x-o", b"1"), ("session-id", b"k")]), uncompared(1, Reason::Override));
    assert_eq!(decision(&[]), uncompared(0, Reason::Keyless));
}

#[test]
fn a_keyless_request_gets_a_random_bucket_if_configured() {
    let config = config(&rollout(r#""split": {"v2": 25}, "keyless": "random","#));
    for (random, version) in [(0, 1), (u32::MAX / 4, 1), (u32::MAX / 4 + 4300, 0), (u32::MAX, 0)] {
        let decision = decide(&config, &Fake::default(), || random).unwrap();
        let expect = (0, version, Reason::Keyless, false, None);
        let decision =
            (decision.rollout, decision.version, decision.reason, decision.compare, decision.shard);
        assert_eq!(decision, expect, "{random}");
    }
}

/// Reading metadata costs a call into Envoy, and reading the body may make the request wait.
#[test]
fn metadata_and_body_are_read_once_and_only_if_needed() {
    let check = |rollouts: &str, request: &[(&str, &[u8])], expect: &[&str]| {
        let fake = Fake::new(request);
        decide(&config(rollouts), &fake, || 0);
        assert_eq!(*fake.reads.borrow(), expect, "{rollouts}");
    };
    let keyed = |fields: &str| {
        let keys = r#"[{"header": "x-k"}, {"metadata": "ns/k"}, {"body": "/k"}]"#;
        rollout(&format!(r#"{fields} "key": {keys},"#))
    };
    check("", &[], &[]);
    check(&keyed(""), &[("x-k", b"k")], &[]);
    check(&keyed(""), &[("ns/k", b"k")], &["ns/k"]);
    check(&keyed(""), &[], &["ns/k", "body 4"]);
    check(&keyed(r#""match": {"path_prefix": "/v1"},"#), &[(":path", b"/v2")], &[]);
    let overridden = r#""overrides": [{"header": "x-o", "values": ["1"], "version": "v2"}],"#;
    check(&keyed(overridden), &[("x-o", b"1")], &[]);
    check(&keyed(overridden), &[("x-o", b"2")], &["ns/k", "body 4"]);
}

#[test]
fn a_mismatch_has_the_value_of_the_request() {
    let config = config(&rollout(
        r#""match": {"hosts": ["a"], "path_prefix": "/v1", "headers": {"x-t": "1", "x-u": "2"}},"#,
    ));
    let found = |request: &[(&str, &[u8])]| mismatch(&config.rollouts[0], &Fake::new(request)).unwrap();
    let all: [(&str, &[u8]); 4] = [(":authority", b"a:1"), (":path", b"/v1"), ("x-t", b"1"), ("x-u", b"2")];
    assert_eq!(found(&all), None);
    assert_eq!(found(&all[..3]), Some(Mismatch::Header { index: 1, found: None }));
    assert_eq!(found(&all[1..]), Some(Mismatch::Host(None)));
    assert_eq!(found(&[(":authority", b"b:1")]), Some(Mismatch::Host(Some(b"b".to_vec()))));
    assert_eq!(found(&[all[0], (":path", b"/")]), Some(Mismatch::Path(Some(b"/".to_vec()))));
}

proptest! {
    /// Whatever bytes a client sends, the bucket of its key decides.
    #[test]
    fn any_bytes_are_routed_by_the_split(key in prop::collection::vec(any::<u8>(), 0..80), parts in 0..=PARTS) {
        let percent = llm_canary::split::percent(parts);
        let config = config(&rollout(&format!(r#""split": {{"v2": {percent}}},"#)));
        prop_assert_eq!(config.rollouts[0].steps.split(0).parts(1), parts, "every part per million can be written");
        let request = [("session-id", key.as_slice()), (":path", &key), (":authority", &key), ("cookie", &key)];
        let decision = decide(&config, &Fake::new(&request), no_random).unwrap();
        let trimmed = key.trim_ascii();
        let expect = if trimmed.is_empty() {
            (0, Reason::Keyless)
        } else {
            (usize::from(bucket(b"chat", trimmed) < parts), Reason::Split)
        };
        prop_assert_eq!((decision.version, decision.reason), expect);
    }

    /// A version whose share grows keeps its conversations.
    #[test]
    fn ramping_up_moves_only_towards_the_canary(key in "[a-z0-9]{1,20}", low in 0..=100_u32, high in 0..=100_u32) {
        let (low, high) = (low.min(high), low.max(high));
        let version = |percent: u32| {
            let config = config(&rollout(&format!(r#""split": {{"v2": {percent}}},"#)));
            decide(&config, &Fake::new(&[("session-id", key.as_bytes())]), no_random).unwrap().version
        };
        prop_assert!(version(low) <= version(high));
    }
}
