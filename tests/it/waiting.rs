//! Requests that wait for their bodies, or whose bodies are edited: with every cut, and with each hostcall failing.

#![expect(clippy::unwrap_used, reason = "a failure fails the test")]

use crate::host::{Cut, Envoy, Id, on_a_new_worker, on_each_host};
use llm_canary::pin::Token;
use std::time::Duration;

/// A rollout of two versions, with further fields.
fn config(fields: &str) -> String {
    config_of(fields, "")
}

fn config_of(fields: &str, version: &str) -> String {
    format!(
        r#"{{"rollouts":[{{"name": "chat", "salt": "s", "baseline": "v1", "split": {{"v2": 50}}, {fields},
            "versions": [{{"name": "v1", "cluster": "llm-v1"}}, {{"name": "v2", "cluster": "llm-v2" {version}}}]}}]}}"#
    )
}

const BODY_KEY: &str = r#""key": [{"body": "/id"}, {"header": "x-id"}]"#;
/// Keys that belong to v1 and v2 with the salt `s`.
const V1_KEY: &str = "b";
const V2_KEY: &str = "a";
const BODY: &[u8] = br#"{"messages":[{"role":"user","content":"hi"}],"id":"a"}"#;

fn head<'h>(other: &[(&'h str, &'h [u8])]) -> Vec<(&'h str, &'h [u8])> {
    const HEAD: [(&str, &[u8]); 3] =
        [(":method", b"POST"), (":path", b"/v1/chat/completions"), ("content-type", b"application/json")];
    let kept = HEAD.iter().filter(|(name, _)| !other.iter().any(|(n, _)| n == name));
    kept.chain(other).copied().collect()
}

fn waiting(fields: &str) -> Envoy {
    let envoy = Envoy::with(&config(fields));
    envoy.deliver_bodies();
    envoy
}

fn version(id: Id) -> String {
    let header = |name| id.upstream_header(name).map(|value| String::from_utf8(value).unwrap());
    let version = header("x-llm-version").unwrap_or_default();
    let cluster = header("x-llm-cluster").unwrap_or_default();
    assert_eq!(cluster, if version.is_empty() { String::new() } else { format!("llm-{version}") });
    version
}

#[test]
fn a_request_waits_for_the_key_in_its_body_and_the_body_passes_whole() {
    on_each_host(|| {
        let mut envoy = waiting(BODY_KEY);
        for cut in 0..=BODY.len() {
            let id = envoy.request(&head(&[("x-id", V1_KEY.as_bytes())]));
            assert!(id.is_paused() && version(id).is_empty());
            let id = id.post([&BODY[..cut], &BODY[cut..]]);
            assert_eq!((version(id).as_str(), id.upstream_body().as_slice()), ("v2", BODY), "{cut}");
            assert_eq!(id.filter_state("llm_reason").unwrap(), "split");
            id.respond("200", &[], true).end();
        }
        assert_eq!(envoy.sum("llm_decisions_total", "llm_version=v2"), BODY.len() as u64 + 1);
        assert_eq!(envoy.sum("llm_first_turn_requests_total", ""), BODY.len() as u64 + 1);
        // The request resumes as soon as the key is known.
        let id = envoy.request(&head(&[]));
        id.post_piece(br#"{"id":"a","messages":["#, false);
        assert_eq!((id.is_paused(), version(id).as_str()), (false, "v2"));
        id.post_piece(b"]}", true);
        assert_eq!(id.upstream_body(), br#"{"id":"a","messages":[]}"#);
    });
}

#[test]
fn a_request_whose_head_decides_does_not_wait() {
    on_each_host(|| {
        let keys = r#""key": [{"header": "x-id"}, {"body": "/id"}], "pin": {"cookie": "pin"},
                  "overrides": [{"header": "x-o", "values": ["1"], "version": "v2"}]"#;
        let mut envoy = waiting(keys);
        let pinned = format!("pin={}", Token::of("chat", "v2"));
        for (name, value, expected) in [
            ("x-id", V1_KEY.as_bytes(), "v1"),
            ("x-id", V2_KEY.as_bytes(), "v2"),
            ("x-o", b"1", "v2"),
            ("cookie", pinned.as_bytes(), "v2"),
        ] {
            let id = envoy.request(&head(&[(name, value)]));
            assert_eq!((id.is_paused(), version(id).as_str()), (false, expected), "{name}");
        }
        // Nor does a request whose body the filter does not read, or that has none.
        for other in [
            [(":method", &b"GET"[..])],
            [("content-encoding", b"gzip")],
            [("content-type", b"application/grpc+proto")],
        ] {
            let id = envoy.request(&head(&other));
            assert_eq!((id.is_paused(), version(id).as_str()), (false, "v1"), "{other:?}");
        }
        assert_eq!(version(envoy.get(&head(&[]))), "v1");
    });
}

#[test]
fn a_body_without_the_key_falls_through_to_the_next() {
    on_each_host(|| {
        let mut envoy = waiting(BODY_KEY);
        let long = format!(r#"{{"messages":"{}","id":"{V1_KEY}"}}"#, "x".repeat(9 << 20));
        let early = format!(r#"{{"id":"{V1_KEY}","messages":"{}"}}"#, "x".repeat(5 << 20));
        for (body, expected) in [
            (&b""[..], "v2"),
            (b"id=b", "v2"),
            (br#"{"id":{"a":"b"}}"#, "v2"),
            (br#"{"id":null}"#, "v2"),
            (br#"{"id":""}"#, "v2"),
            (br#"["id"]"#, "v2"),
            (br#"{"messages":[]"#, "v2"),
            (br#"{"id":"b"}"#, "v1"),
            (br#"{"id" : "\u0062"}"#, "v1"),
            (long.as_bytes(), "v2"),
            (early.as_bytes(), "v1"),
        ] {
            for size in [1000, 1 << 20] {
                let id = envoy.request(&head(&[("x-id", V2_KEY.as_bytes())])).post(body.chunks(size));
                assert_eq!(version(id), expected, "{}", body[..body.len().min(40)].escape_ascii());
                assert!(id.upstream_body() == body);
            }
        }
        // Trailers end a body too.
        let id = envoy.request(&head(&[("x-id", V2_KEY.as_bytes())]));
        id.post_piece(br#"{"messages":[]"#, false);
        assert!(id.is_paused());
        let id = id.post_trailers();
        assert_eq!((version(id).as_str(), id.upstream_body().as_slice()), ("v2", &br#"{"messages":[]"#[..]));
        // A body that is too long to wait for its end is counted; each of the others ended, or had its key before.
        assert_eq!(envoy.sum("llm_body_limit_total", ""), 2);
        // A client that leaves while its request waits is not counted.
        envoy.request(&head(&[])).cut(Cut::Client);
        assert_eq!(envoy.sum("llm_requests_total", ""), 0);
    });
}

#[test]
fn requests_resume_without_their_bodies_where_none_arrive() {
    on_a_new_worker(|| {
        let mut envoy = Envoy::with(&config(BODY_KEY));
        let id = envoy.request(&head(&[("x-id", V2_KEY.as_bytes())]));
        id.post_piece(br#"{"id":"b"}"#, true);
        assert!(id.is_paused());
        envoy.tick();
        envoy.advance(Duration::from_millis(2_100));
        assert!(envoy.tick() > 0);
        assert_eq!((id.is_paused(), version(id).as_str()), (false, "v2"));
        id.post_piece(b"", true);
        assert!(envoy.logs().last().unwrap().contains("allow_on_headers_stop_iteration"));
        // Later requests do not wait.
        let id = envoy.request(&head(&[("x-id", V2_KEY.as_bytes())]));
        assert_eq!((id.is_paused(), version(id).as_str()), (false, "v2"));
    });
}

/// Bodies that begin `late` after their heads, many at once, from clients that time them.
fn slow_bodies(envoy: &mut Envoy, late: Duration) {
    let before: Vec<Id> = (0..32).map(|_| envoy.request(&head(&[]))).collect();
    let tick = Duration::from_millis(500);
    let mut waited = Duration::ZERO;
    while waited < late {
        envoy.advance(tick.min(late - waited));
        waited += tick.min(late - waited);
        envoy.tick();
    }
    for id in before {
        id.post([&BODY[..5], &BODY[5..]]);
        assert!(!id.is_paused());
        id.respond("200", &[], true).end();
    }
}

#[test]
fn no_client_turns_waiting_off_for_others() {
    let key = |envoy: &mut Envoy| {
        let id = envoy.request(&head(&[("x-id", V1_KEY.as_bytes())])).post([BODY]);
        let version = version(id);
        id.respond("200", &[], true).end();
        version
    };
    for late_ms in [0, 500, 1_990, 2_000, 2_001, 2_020, 2_500, 9_990, 10_000, 10_010, 60_000] {
        // Right after the first start, when no body has come yet, then after a reload, when some have.
        on_a_new_worker(|| {
            let mut envoy = waiting(BODY_KEY);
            for _ in 0..3 {
                slow_bodies(&mut envoy, Duration::from_millis(late_ms));
                assert_eq!(key(&mut envoy), "v2", "{late_ms}");
                assert_eq!(envoy.gauge("llm_body_waits"), Some(1));
                assert!(envoy.configure(config(BODY_KEY).as_bytes()));
            }
            assert!(!envoy.logs().iter().any(|line| line.contains("no longer wait")));
        });
    }
}

#[test]
fn a_worker_keeps_over_reloads_that_bodies_come() {
    on_a_new_worker(|| {
        let mut envoy = waiting(BODY_KEY);
        let old = envoy.request(&head(&[]));
        assert!(envoy.configure(config(BODY_KEY).as_bytes()));
        // The body of a request that waits under the old configuration.
        assert_eq!(version(old.post([BODY])), "v2");
        let slow = envoy.request(&head(&[]));
        envoy.advance(Duration::from_millis(9_500));
        envoy.tick();
        assert!(slow.is_paused(), "where bodies come, a slow client has 10 s");
        // A filter in front that holds bodies back now and then is no proof either.
        envoy.deliver_no_bodies();
        slow.post_piece(BODY, true);
        for _ in 0..3 {
            envoy.advance(Duration::from_millis(500));
            envoy.tick();
        }
        assert!(!slow.is_paused());
        assert!(envoy.request(&head(&[])).is_paused());
        assert_eq!(envoy.gauge("llm_body_waits"), Some(1));
    });
}

#[test]
fn a_body_that_is_held_back_for_a_moment_is_no_proof() {
    on_a_new_worker(|| {
        let mut envoy = Envoy::with(&config(BODY_KEY));
        for ticks in 1..=3 {
            // A filter in front of this one has the body for a while, up to the moment when the request gives up.
            let id = envoy.request(&head(&[]));
            envoy.tick();
            envoy.advance(Duration::from_millis(2_000 - 500 * (ticks - 1)));
            id.post_piece(BODY, true);
            for _ in 1..ticks {
                envoy.tick();
                assert!(id.is_paused());
                envoy.advance(Duration::from_millis(500));
            }
            envoy.tick();
            assert!(!id.is_paused());
            let is_proof = ticks > 1;
            assert_eq!(envoy.gauge("llm_body_waits"), Some(u64::from(!is_proof)), "{ticks}");
            let next = envoy.request(&head(&[]));
            assert_eq!(next.is_paused(), !is_proof);
            [id, next].into_iter().for_each(|id| id.cut(Cut::Client));
            assert!(envoy.configure(config(BODY_KEY).as_bytes()));
        }
    });
}

#[test]
fn body_wait_says_whether_requests_wait() {
    for (setting, waits_first, waits_later) in
        [("auto", true, false), ("always", true, true), ("never", false, false)]
    {
        on_a_new_worker(|| {
            let set =
                |fields: &str| config(fields).replacen('{', &format!(r#"{{"body_wait": "{setting}","#), 1);
            // The proxy delivers no bodies.
            let mut envoy = Envoy::with(&set(BODY_KEY));
            for waits in [waits_first, waits_later, waits_later] {
                assert_eq!(envoy.gauge("llm_body_waits"), Some(waits.into()), "{setting}");
                let id = envoy.request(&head(&[("x-id", V2_KEY.as_bytes())]));
                assert_eq!(id.is_paused(), waits, "{setting}");
                id.post_piece(br#"{"id":"b"}"#, true);
                for _ in 0..5 {
                    envoy.tick();
                    envoy.advance(Duration::from_millis(500));
                }
                assert_eq!((id.is_paused(), version(id).as_str()), (false, "v2"), "{setting}");
            }
            let warnings = envoy.logs().iter().filter(|line| line.contains("no longer wait")).count();
            assert_eq!(warnings, usize::from(setting == "auto"));
            (0..2).for_each(|_| _ = envoy.tick());
            assert_eq!(envoy.tick(), 0, "nothing waits any more");
            // A reload forgets it: the setting of the proxy may have changed.
            assert!(envoy.configure(set(BODY_KEY).as_bytes()));
            let id = envoy.request(&head(&[]));
            assert_eq!(id.is_paused(), waits_first);
            id.cut(Cut::Client);
            envoy.stop();
        });
    }
    on_each_host(|| {
        let never = config(BODY_KEY).replacen('{', r#"{"body_wait": "never","#, 1);
        let mut envoy = Envoy::with(&never);
        envoy.deliver_bodies();
        let id = envoy.request(&head(&[("x-id", V1_KEY.as_bytes())]));
        assert!(!id.is_paused());
        assert_eq!((version(id).as_str(), id.post([BODY]).upstream_body().as_slice()), ("v1", BODY));
        envoy.stop();
    });
}

#[test]
fn requests_that_wait_under_an_old_configuration_resume_under_a_new_one() {
    let mut envoy = Envoy::with(&config(BODY_KEY));
    let id = envoy.request(&head(&[("x-id", V2_KEY.as_bytes())]));
    envoy.tick_period(0);
    assert!(envoy.configure(config(r#""key": [{"header": "x-id"}]"#).as_bytes()));
    envoy.advance(Duration::from_millis(2_100));
    assert!(envoy.tick() > 0);
    assert_eq!((id.is_paused(), version(id).as_str()), (false, "v2"));
}

#[test]
fn the_model_selects_the_rollout() {
    on_each_host(|| {
        let rollout = |name: &str, models: &str| {
            format!(
                r#"{{"name": "{name}", "match": {{"models": [{models}]}}, "baseline": "{name}", "key": [{{"header": "x-id"}}],
                 "versions": [{{"name": "{name}", "cluster": "llm-{name}"}}]}}"#
            )
        };
        let rollouts = [rollout("small", r#""s", "s-1""#), rollout("large", r#""l""#)].join(",");
        let mut envoy = Envoy::with(&format!(r#"{{"rollouts":[{rollouts}]}}"#));
        envoy.deliver_bodies();
        for (body, expected) in [
            (&br#"{"model":"s"}"#[..], "small"),
            (br#"{"messages":[{"model":"s"}],"model":"l"}"#, "large"),
            (br#"{"model":"other"}"#, ""),
            (br#"{"model":1}"#, ""),
            (br"{}", ""),
            (b"x", ""),
        ] {
            let id = envoy.request(&head(&[("x-llm-cluster", b"mine")])).post(body.chunks(5));
            assert_eq!(version(id), expected, "{}", body.escape_ascii());
            assert_eq!(id.upstream_body(), body);
        }
        assert_eq!(version(envoy.get(&head(&[]))), "");
    });
}

#[test]
fn a_pin_overrides_the_split() {
    on_each_host(|| {
        let pin = r#""key": [{"header": "x-id"}], "pin": {"cookie": "llm_pin", "header": "x-llm-pin", "max_age_s": 60}"#;
        let mut envoy = waiting(pin);
        let token = |version| Token::of("chat", version).to_string();
        let answered = |id: Id| {
            let id = id.respond("200", &[("set-cookie", b"other=1")], true);
            let cookies: Vec<String> =
                id.client_headers("set-cookie").into_iter().map(|c| String::from_utf8(c).unwrap()).collect();
            (id.client_headers("x-llm-pin"), cookies[1..].join(" "))
        };
        let first = envoy.get(&head(&[("x-id", V2_KEY.as_bytes())]));
        let cookie = format!("llm_pin={}; Max-Age=60; Path=/; HttpOnly; SameSite=Lax", token("v2"));
        assert_eq!(answered(first), (vec![token("v2").into_bytes()], cookie));
        // The cookie or the header holds the version, and a cookie that the client has is not set again.
        let drained = config(pin).replace(r#""v2": 50"#, r#""v2": 0"#);
        assert!(envoy.configure(drained.as_bytes()));
        let cookies = format!("a=b; llm_pin={}", token("v2"));
        let id = envoy.get(&head(&[("x-id", V2_KEY.as_bytes()), ("cookie", cookies.as_bytes())]));
        assert_eq!((version(id).as_str(), id.filter_state("llm_reason").unwrap().as_str()), ("v2", "pin"));
        assert_eq!(answered(id).1, "");
        let id = envoy.get(&head(&[("x-llm-pin", token("v2").as_bytes())]));
        assert_eq!(version(id), "v2");
        assert!(!answered(id).1.is_empty());
        // An invalid pin, or one of a stopped version, counts as absent. The new pin is the baseline's.
        for pin in [
            "",
            "v2",
            "00000000",
            &token("v2")[1..],
            &token("v2").to_uppercase(),
            &Token::of("x", "v2").to_string(),
        ] {
            let id = envoy.get(&head(&[("x-llm-pin", pin.as_bytes())]));
            assert_eq!(version(id), "v1", "{pin}");
        }
        let stopped = drained.replace(r#""llm-v2" "#, r#""llm-v2", "stopped": true"#);
        assert!(envoy.configure(stopped.as_bytes()));
        let id = envoy.get(&head(&[("x-id", V2_KEY.as_bytes()), ("cookie", cookies.as_bytes())]));
        assert_eq!(version(id), "v1");
        assert!(answered(id).1.starts_with(&format!("llm_pin={};", token("v1"))));
        assert_eq!(envoy.sum("llm_decisions_total", "llm_reason=pin"), 2);
    });
}

const RESPONSES: &str = r#""key": [{"header": "x-id"}], "pin": {"response_id": true}"#;

#[test]
fn stored_responses_are_requested_from_the_version_that_stores_them() {
    on_each_host(|| {
        let mut envoy = waiting(RESPONSES);
        let path = (":path", &b"/v1/responses"[..]);
        let id = envoy.request(&head(&[path, ("x-id", V2_KEY.as_bytes())]));
        id.post_piece(br#"{"input":"hi"}"#, true);
        let body =
        br#"{"id":"resp_1","object":"response","conversation":{"id":"conv_1"},"previous_response_id":null}"#;
        let id =
            id.respond("200", &[("content-type", b"application/json"), ("content-length", b"91")], false);
        let id = id.body(&body[..9], false).body(&body[9..], true);
        let tagged = |id: &str| format!("{id}-llm-{}", Token::of("chat", "v2"));
        let expected = String::from_utf8_lossy(body)
            .replace("resp_1", &tagged("resp_1"))
            .replace("conv_1", &tagged("conv_1"));
        assert_eq!(String::from_utf8(id.client_body()).unwrap(), expected);
        assert_eq!(id.client_header("content-length"), None);
        id.end();

        let stream = b"event: response.created\ndata: {\"response\":{\"id\":\"resp_2\"}}\n\n";
        let id = envoy.request(&head(&[path, ("x-id", V2_KEY.as_bytes())])).post([&b"{}"[..]]).event_stream();
        let id = id.chunk(&stream[..50]).chunk(&stream[50..]);
        let expected = String::from_utf8_lossy(stream).replace("resp_2", &tagged("resp_2"));
        assert_eq!(String::from_utf8(id.client_body()).unwrap(), expected);
        id.complete();

        // Any of the ids routes the next turn to that version, whatever the key. The server receives its own ids.
        for (name, sent) in [
            (
                "previous_response_id",
                format!(r#"{{"previous_response_id":"{}","input":"x"}}"#, tagged("resp_1")),
            ),
            ("conversation", format!(r#"{{"input":"x","conversation":"{}"}}"#, tagged("conv_1"))),
            ("conversation.id", format!(r#"{{"input":"x","conversation":{{"id":"{}"}}}}"#, tagged("conv_1"))),
        ] {
            let length = sent.len().to_string();
            let headers = [path, ("x-id", V1_KEY.as_bytes()), ("content-length", length.as_bytes())];
            for size in [1, 7, 1000] {
                let id = envoy.request(&head(&headers)).post(sent.as_bytes().chunks(size));
                assert_eq!(version(id), "v2", "{name}");
                let expected = sent.replace(&tagged(""), "");
                assert_eq!(String::from_utf8(id.upstream_body()).unwrap(), expected);
                let length =
                    id.upstream_header("content-length").map(|length| String::from_utf8(length).unwrap());
                assert!(length.is_none_or(|length| length == expected.len().to_string()), "{name} {size}");
            }
        }
        let id = envoy.get(&head(&[(":path", format!("/v1/responses/{}?a=b", tagged("resp_1")).as_bytes())]));
        assert_eq!(version(id), "v2");
        assert_eq!(id.upstream_header(":path").unwrap(), b"/v1/responses/resp_1?a=b");
        // Foreign tags stay unchanged, and so do the bodies of other APIs.
        let other = b"/v1/responses/resp_1-llm-00000000";
        let id = envoy.get(&head(&[(":path", other)]));
        assert_eq!(
            (version(id).as_str(), id.upstream_header(":path").unwrap().as_slice()),
            ("v1", &other[..])
        );
        let chat = envoy.request(&head(&[("x-id", V1_KEY.as_bytes())]));
        assert!(!chat.is_paused());
        let chat = chat.post([&b"{}"[..]]).respond("200", &[("content-type", b"application/json")], false);
        assert_eq!(chat.body(br#"{"id":"resp_1"}"#, true).client_body(), br#"{"id":"resp_1"}"#);
    });
}

const REWRITE: &str = r#", "rewrite": {"host": "v2.example.com", "path_prefix": {"from": "/v1/", "to": "/v1/v2/"},
    "model": "chat-2", "headers": {"x-canary": "1"}}"#;

#[test]
fn a_request_is_rewritten_for_its_version() {
    on_each_host(|| {
        let mut envoy = Envoy::with(&config_of(r#""key": [{"header": "x-id"}]"#, REWRITE));
        envoy.deliver_bodies();
        let key = ("x-id", V2_KEY.as_bytes());
        let body = br#"{"model":"chat","messages":[]}"#;
        let expected = br#"{"model":"chat-2","messages":[]}"#;
        for cut in 0..=body.len() {
            let length = body.len().to_string();
            let id =
                envoy.request(&head(&[key, ("content-length", length.as_bytes()), (":authority", b"llm")]));
            let id = id.post([&body[..cut], &body[cut..]]);
            assert_eq!(id.upstream_body(), expected, "{cut}");
            assert_eq!(id.upstream_header("content-length").unwrap(), expected.len().to_string().as_bytes());
            for (name, value) in
                [(":path", "/v1/v2/chat/completions"), (":authority", "v2.example.com"), ("x-canary", "1")]
            {
                assert_eq!(id.upstream_header(name).unwrap(), value.as_bytes());
            }
        }
        // Without `content-length` no request waits. With it a request waits until the edit is done, at the body's end.
        let id = envoy.request(&head(&[key]));
        assert!(!id.is_paused());
        assert_eq!(id.post(body.chunks(3)).upstream_body(), expected);
        let id = envoy.request(&head(&[key, ("content-length", b"1000")]));
        id.post_piece(&body[..20], false);
        assert!(id.is_paused());
        id.post_piece(&body[20..29], false);
        assert!(id.is_paused());
        id.post_piece(&body[29..], false);
        assert!(!id.is_paused());
        assert_eq!(id.upstream_header("content-length").unwrap(), b"1002");
        // Of a key that occurs twice, a server that reads the last reads the same as one that reads the first.
        let twice = br#"{"model":"chat","messages":[],"mod\u0065l":"other"}"#;
        let expected = br#"{"model":"chat-2","messages":[],"mod\u0065l":"chat-2"}"#;
        for cut in 0..=twice.len() {
            for length in [Some(twice.len().to_string()), None] {
                let length = length.iter().map(|length| ("content-length", length.as_bytes()));
                let id = envoy.request(&head(&[key].into_iter().chain(length).collect::<Vec<_>>()));
                let id = id.post([&twice[..cut], &twice[cut..]]);
                assert_eq!(id.upstream_body(), expected, "{cut}");
                let length = id.upstream_header("content-length");
                assert!(length.is_none_or(|length| length == expected.len().to_string().as_bytes()), "{cut}");
            }
        }
        // Nothing to rewrite, or an unreadable body.
        for body in [&b"x"[..], b"{}", br#"{"model":1}"#] {
            let id = envoy.request(&head(&[key, ("content-length", b"3")])).post([body]);
            assert_eq!(
                (id.upstream_body().as_slice(), id.upstream_header("content-length").unwrap()),
                (body, b"3".to_vec())
            );
        }
        let id = envoy.request(&head(&[key, ("content-encoding", b"gzip")])).post([&body[..]]);
        assert_eq!(id.upstream_body(), body);
        let id = envoy.request(&head(&[("x-id", V1_KEY.as_bytes())])).post([&body[..]]);
        assert_eq!((id.upstream_body().as_slice(), id.upstream_header("x-canary")), (&body[..], None));
    });
}

/// Only `content-length` has to be known before the body's end.
#[test]
fn a_request_without_its_length_waits_for_its_key_and_not_for_its_rewrite() {
    on_each_host(|| {
        let mut envoy = Envoy::with(&config_of(BODY_KEY, REWRITE));
        envoy.deliver_bodies();
        let body = br#"{"id":"a","model":"chat","messages":[],"model":"other"}"#;
        let expected = br#"{"id":"a","model":"chat-2","messages":[],"model":"chat-2"}"#;
        let key_bytes = br#"{"id":"a""#.len();
        for length in [None, Some(body.len().to_string())] {
            let header = length.iter().map(|length| ("content-length", length.as_bytes()));
            for cut in key_bytes..body.len() {
                let id = envoy.request(&head(&header.clone().collect::<Vec<_>>()));
                assert!(id.is_paused());
                id.post_piece(&body[..key_bytes - 1], false);
                assert!(id.is_paused());
                id.post_piece(&body[key_bytes - 1..cut], false);
                assert_eq!(id.is_paused(), length.is_some(), "{cut}");
                id.post_piece(&body[cut..], true);
                assert_eq!(id.upstream_body(), expected, "{cut}");
                assert_eq!(
                    id.upstream_header("content-length").map(|length| String::from_utf8(length).unwrap()),
                    length.as_ref().map(|_| expected.len().to_string()),
                    "{cut}"
                );
            }
        }
    });
}

#[test]
fn feedback_may_have_its_key_in_its_body() {
    on_each_host(|| {
        let fields =
            format!(r#"{BODY_KEY}, "keyless": "random", "feedback": {{"path": "/feedback", "up": ["up"]}}"#);
        let mut envoy = waiting(&fields);
        let path = (":path", &b"/feedback"[..]);
        let id = envoy.request(&head(&[path])).post([&br#"{"rating":"up","#[..], br#""id":"a"}"#]);
        assert_eq!(id.local_reply().unwrap().0, 204);
        assert_eq!(envoy.sum("llm_feedback_total", "llm_version=v2"), 1);
        let id = envoy.request(&head(&[path])).post([&br#"{"rating":"up"}"#[..]]);
        assert_eq!(id.local_reply().unwrap().0, 400);
        let passed_on = config(&fields.replace(r#"["up"]}"#, r#"["up"], "respond": false}"#));
        assert!(envoy.configure(passed_on.as_bytes()));
        let body = br#"{"rating":"up","id":"a"}"#;
        let id = envoy.request(&head(&[path])).post(body.chunks(4));
        assert_eq!((id.upstream_body().as_slice(), version(id).as_str()), (&body[..], "v2"));
        assert_eq!(envoy.sum("llm_feedback_total", "llm_version=v2"), 2);
    });
}

#[test]
fn no_body_is_lost_whichever_hostcall_fails() {
    on_each_host(|| {
        let body = br#"{"model":"chat","id":"a","previous_response_id":"resp_1-llm-12345678"}"#;
        let edited = br#"{"model":"chat-2","id":"a","previous_response_id":"resp_1-llm-12345678"}"#;
        let fields = format!(r#"{BODY_KEY}, "pin": {{"response_id": true, "cookie": "p", "header": "x-p"}}"#);
        let mut envoy = Envoy::with(&config_of(&fields, REWRITE));
        envoy.deliver_bodies();
        let play = |envoy: &mut Envoy| {
            let length = body.len().to_string();
            let headers = [(":path", &b"/v1/responses"[..]), ("content-length", length.as_bytes())];
            let id = envoy.request(&head(&headers)).post([&body[..15], &body[15..]]);
            envoy.tick();
            let sent = id.upstream_body();
            assert!(!id.is_paused() && (sent == body || sent == edited), "{}", sent.escape_ascii());
            let length =
                id.upstream_header("content-length").map(|length| String::from_utf8(length).unwrap());
            let id = id.respond("200", &[("content-type", b"application/json")], false);
            let answer = id.body(br#"{"id":"r"}"#, true).client_body();
            assert!(
                answer.starts_with(br#"{"id":"r"#) && answer.ends_with(br#""}"#),
                "{}",
                answer.escape_ascii()
            );
            id.end();
            (sent.len(), length)
        };
        assert_eq!(play(&mut envoy), (edited.len(), Some(edited.len().to_string())));
        envoy.play_with_each_call_failing(30, |envoy| {
            play(envoy);
        });
    });
}
