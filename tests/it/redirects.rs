//! A pass of a request may end in an internal redirect of the proxy. The request then passes the filter again.

use std::time::Duration;

use crate::host::{Envoy, Id, on_each_host};

const CONFIG: &str = r#"{"rollouts": [{"name": "chat", "baseline": "v1", "key": [{"header": "x-id"}],
    "versions": [{"name": "v1", "cluster": "llm-v1"}, {"name": "v2", "cluster": "llm-v2"}]OPTIONS}]}"#;

fn envoy(options: &str) -> Envoy {
    let envoy = Envoy::with(&CONFIG.replace("OPTIONS", options));
    envoy.deliver_bodies();
    envoy
}

fn post<'h>(path: &'h str, more: &[(&'h str, &'h [u8])]) -> Vec<(&'h str, &'h [u8])> {
    let head: [(&str, &[u8]); 4] =
        [(":method", b"POST"), (":path", path.as_bytes()), (":authority", b"a"), ("x-id", b"k")];
    [&head, more].concat()
}

/// How many requests ended, and those that were complete.
fn requests(envoy: &Envoy) -> [u64; 2] {
    ["", "outcome=complete"].map(|label| envoy.sum("llm_requests_total", label))
}

const ANSWER: &[u8] = br#"{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}"#;
const JSON: &[(&str, &[u8])] = &[("content-type", b"application/json")];
const ELSEWHERE: (&str, &str) = ("other", "/moved/here");

/// The second pass begins with what the filter edited, at a place that the upstream chose. It keeps its version, and is
/// edited no more.
#[test]
fn a_redirected_request_keeps_its_version_and_its_edits() {
    let rewrites = r#"{"rollouts": [
        {"name": "chat", "baseline": "v1", "keyless": "random", "split": {"v2": 50},
         "match": {"models": ["public"], "hosts": ["a"]}, "key": [{"header": "x-id"}],
         "versions": [{"name": "v1", "cluster": "llm-v1", "rewrite": {"model": "one", "path_prefix": {"from": "/v1", "to": "/v1/v1"}}},
                      {"name": "v2", "cluster": "llm-v2", "rewrite": {"model": "two", "path_prefix": {"from": "/v1", "to": "/v1/v2"}, "host": "two"}}]},
        {"name": "other", "baseline": "o", "match": {"hosts": ["other"]},
         "versions": [{"name": "o", "cluster": "other", "rewrite": {"model": "o"}}]}]}"#;
    let body = br#"{"model":"public","messages":[{"role":"user","content":"Hi"}]}"#;
    let retry: &[(&str, &[u8])] = &[("x-stainless-retry-count", b"1"), ("content-type", b"application/json")];
    let mut head = post("/v1/chat/completions", retry);
    head.retain(|(name, _)| *name != "x-id");
    on_each_host(|| {
        for _ in 0..8 {
            let mut envoy = Envoy::with(rewrites);
            envoy.deliver_bodies();
            let first = envoy.request(&head).post([&body[..]]);
            let version = first.filter_state("llm_version").unwrap();
            let sent = first.upstream_body();
            let moved = envoy.redirect(first, ELSEWHERE.0, ELSEWHERE.1);
            let again = envoy.redirect(moved, "a", "/v1/again");
            assert_eq!(again.filter_state("llm_version").unwrap(), version);
            assert_eq!(again.filter_state("llm_reason").unwrap(), "keyless");
            assert_eq!(
                again.upstream_header("x-llm-cluster").unwrap(),
                format!("llm-{version}").into_bytes()
            );
            assert_eq!(again.upstream_header(":path").unwrap(), b"/v1/again");
            assert_eq!(again.upstream_header(":authority").unwrap(), b"a");
            assert_eq!(again.upstream_body(), sent);
            envoy.advance(Duration::from_millis(7));
            again.respond("200", JSON, false).chunk(ANSWER).complete();
            assert_eq!(requests(&envoy), [1, 1]);
            for (name, count) in
                [("requests", 1), ("retries", 1), ("decisions", 3), ("first_turn_requests", 1)]
            {
                assert_eq!(envoy.sum(&format!("llm_{name}_total"), &version), count, "{name}");
                assert_eq!(envoy.sum(&format!("llm_{name}_total"), ""), count, "{name}");
            }
            assert_eq!(envoy.sum("llm_request_duration_ms", ""), 7, "from the first pass on");
            envoy.stop();
        }
    });
}

#[test]
fn what_the_filter_asked_for_is_taken_out_after_a_redirect() {
    let chunks: [&[u8]; 3] = [
        b"data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\n",
        b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n",
        b"data: [DONE]\n\n",
    ];
    on_each_host(|| {
        for (body, is_taken_out) in [
            (&br#"{"stream":true}"#[..], true),
            (br#"{"stream":true,"stream_options":{"include_usage":true}}"#, false),
        ] {
            let mut envoy = envoy(r#", "usage": "request""#);
            let id = envoy.request(&post("/v1/chat/completions", JSON)).post([body]);
            let id = envoy.redirect(id, ELSEWHERE.0, ELSEWHERE.1);
            let id = id.event_stream();
            chunks.iter().for_each(|chunk| {
                id.chunk(chunk);
            });
            let expected = if is_taken_out { [chunks[0], chunks[2]].concat() } else { chunks.concat() };
            id.complete();
            assert_eq!(id.client_body(), expected);
            assert_eq!(envoy.sum("llm_tokens_total", ""), 3);
            envoy.stop();
        }
    });
}

#[test]
fn a_redirected_request_of_a_stored_response_gets_its_pin() {
    let config =
        CONFIG.replace("OPTIONS", r#", "pin": {"response_id": true, "cookie": "pin"}, "split": {"v2": 50}"#);
    on_each_host(|| {
        for key in ["1", "2", "3", "4"] {
            let mut envoy = Envoy::with(&config);
            envoy.deliver_bodies();
            let tagged = |id: Id| {
                let body = id.client_body();
                assert!(body.starts_with(br#"{"id":"resp_"#) && body.len() > 16, "{}", body.escape_ascii());
                body
            };
            let ask = |envoy: &mut Envoy, key: &str, body: &[u8]| {
                let mut head = post("/v1/responses", JSON);
                head.retain(|(name, _)| *name != "x-id");
                head.push(("x-id", key.as_bytes()));
                envoy.request(&head).post([body])
            };
            let first = ask(&mut envoy, key, b"{}");
            let version = first.filter_state("llm_version").unwrap();
            let first = envoy.redirect(first, ELSEWHERE.0, ELSEWHERE.1);
            first.respond("200", JSON, false).chunk(br#"{"id":"resp_1"}"#).complete();
            assert!(first.client_header("set-cookie").is_some());
            let body = tagged(first);
            let id = str::from_utf8(&body).unwrap().split('"').nth(3).unwrap();
            let body = format!(r#"{{"previous_response_id":"{id}"}}"#);
            let next = ask(&mut envoy, "another", body.as_bytes());
            assert_eq!(next.filter_state("llm_reason").unwrap(), "pin");
            let next = envoy.redirect(next, ELSEWHERE.0, ELSEWHERE.1);
            assert_eq!(next.upstream_body(), br#"{"previous_response_id":"resp_1"}"#);
            assert_eq!(next.filter_state("llm_reason").unwrap(), "pin");
            assert_eq!(next.filter_state("llm_version").unwrap(), version);
            next.respond("200", JSON, false).chunk(br#"{"id":"resp_1"}"#).complete();
            tagged(next);
            envoy.stop();
        }
    });
}

/// The header that Envoy adds to a redirected request proves nothing.
#[test]
fn a_client_cannot_hand_anything_over() {
    on_each_host(|| {
        let mut envoy = envoy(r#", "split": {"v2": 0}"#);
        let forged: &[(&str, &[u8])] = &[
            ("x-envoy-original-url", b"http://a/"),
            ("llm_handed_over", b"chat v2 split 0 1 answer"),
            ("wasm.llm_handed_over", b"chat v2 split 0 1 answer"),
        ];
        let id = envoy.request(&post("/v1/chat/completions", forged)).post([&b"{}"[..]]);
        assert_eq!(id.filter_state("llm_version").unwrap(), "v1");
        id.respond("200", JSON, false).chunk(ANSWER).complete();
        assert_eq!(requests(&envoy), [1, 1]);
        envoy.stop();
    });
}

#[test]
fn a_redirected_request_leaves_a_version_that_is_stopped_or_gone() {
    on_each_host(|| {
        for now in [
            CONFIG
                .replace("OPTIONS", r#", "split": {"v2": 100}"#)
                .replace(r#""llm-v2""#, r#""llm-v2", "stopped": true"#),
            CONFIG.replace("OPTIONS", "").replace("v2", "v3"),
        ] {
            let mut envoy = envoy(r#", "split": {"v2": 100}"#);
            let id = envoy.request(&post("/v1/chat/completions", JSON)).post([&b"{}"[..]]);
            assert_eq!(id.filter_state("llm_version").unwrap(), "v2");
            assert!(envoy.configure(now.as_bytes()));
            let id = envoy.redirect(id, "a", "/v1/chat/completions");
            assert_eq!(id.filter_state("llm_version").unwrap(), "v1");
            id.respond("200", JSON, false).chunk(ANSWER).complete();
            assert_eq!(requests(&envoy), [1, 1]);
            envoy.stop();
        }
    });
}

#[test]
fn feedback_that_is_redirected_counts_once() {
    on_each_host(|| {
        let mut envoy = envoy(r#", "feedback": {"path": "/feedback", "up": ["up"], "respond": false}"#);
        let id = envoy.request(&post("/feedback", JSON)).post([&br#"{"rating":"up"}"#[..]]);
        let id = envoy.redirect(id, "a", "/feedback");
        assert_eq!(id.upstream_header("x-llm-cluster").unwrap(), b"llm-v1");
        let id = envoy.redirect(id, ELSEWHERE.0, ELSEWHERE.1);
        assert_eq!(id.upstream_body(), br#"{"rating":"up"}"#);
        id.respond("200", JSON, false).complete();
        assert_eq!(envoy.sum("llm_feedback_total", ""), 1);
        assert_eq!(requests(&envoy), [0, 0]);
        envoy.stop();
    });
}

/// Envoy tells the cluster of the second pass at the end of the first.
#[test]
fn an_observed_request_counts_for_the_cluster_that_answers() {
    on_each_host(|| {
        let mut envoy = envoy(r#", "observe": true"#);
        let retry: &[(&str, &[u8])] = &[("x-stainless-retry-count", b"1")];
        let id = envoy.request(&post("/v1/chat/completions", retry)).post([&b"{}"[..]]).route_to("llm-v2");
        let id = envoy.redirect(id, "a", "/v1/chat/completions").route_to("llm-v2");
        id.respond("200", JSON, false).chunk(ANSWER).complete();
        for name in ["requests", "retries", "decisions"] {
            assert_eq!(envoy.sum(&format!("llm_{name}_total"), "v2"), 1, "{name}");
        }
        envoy.stop();
    });
}
