//! What requests ask for, by their bodies: tools, and JSON. It is counted with their answers.

use crate::host::{Cut, Envoy, Id, on_each_host};

/// Agents send the tools behind the history.
const AGENT: &[u8] = br#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}],
    "tools":[{"type":"function","function":{"name":"get_weather","parameters":{"type":"object"}}}],
    "response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object"}}},"user":"u"}"#;
const CHAT: &[u8] = br#"{"messages":[{"role":"user","content":"a"}],"user":"u"}"#;
const ANSWER: &[u8] = br#"{"choices":[{"message":{"content":"{}"},"finish_reason":"stop"}]}"#;
const JSON: &[(&str, &[u8])] = &[("content-type", b"application/json")];
const HEAD: &[(&str, &[u8])] = &[
    (":method", b"POST"),
    (":path", b"/v1/chat/completions"),
    (":authority", b"a"),
    ("content-type", b"application/json"),
    ("x-id", b"k"),
];

fn envoy(options: &str) -> Envoy {
    let envoy = Envoy::with(&format!(
        r#"{{"rollouts": [{{"name": "chat", "baseline": "v1", {options}
            "versions": [{{"name": "v1", "cluster": "llm-v1"}}, {{"name": "v2", "cluster": "llm-v2"}}]}}]}}"#
    ));
    envoy.deliver_bodies();
    envoy
}

/// Answers to requests that offered tools, and to those that asked for JSON.
fn asked(envoy: &Envoy) -> [u64; 2] {
    ["llm_tools_offered_total", "llm_json_asked_total"].map(|metric| envoy.sum(metric, ""))
}

fn ask<'p>(envoy: &mut Envoy, pieces: impl IntoIterator<Item = &'p [u8]>) -> Id {
    envoy.request(HEAD).post(pieces)
}

fn answer(id: Id) {
    id.respond("200", JSON, false).body(ANSWER, true).end();
}

/// However the body comes, and whatever waits for it or edits it.
#[test]
fn what_is_asked_for_is_counted_with_the_answer() {
    let (body_key, edit) =
        (r#""key": [{"body": "/user"}],"#, r#""usage": "request", "pin": {"response_id": true},"#);
    on_each_host(|| {
        for options in [r#""key": [{"header": "x-id"}],"#, body_key, &format!("{body_key} {edit}")] {
            let mut envoy = envoy(options);
            for size in [1, 7, AGENT.len()] {
                let before = asked(&envoy);
                let id = ask(&mut envoy, AGENT.chunks(size));
                assert_eq!(asked(&envoy), before, "not before it has ended");
                answer(id);
                assert_eq!(asked(&envoy), before.map(|count| count + 1), "{options} in pieces of {size}");
                let id = ask(&mut envoy, CHAT.chunks(size));
                answer(id);
                assert_eq!(asked(&envoy), before.map(|count| count + 1), "asks for nothing");
            }
            envoy.stop();
        }
    });
}

#[test]
fn an_error_is_no_answer_and_a_broken_one_is() {
    on_each_host(|| {
        let mut envoy = envoy("");
        ask(&mut envoy, [AGENT]).respond("429", JSON, false).body(b"{}", true).end();
        ask(&mut envoy, [AGENT]).respond_locally("503").end();
        assert_eq!(asked(&envoy), [0, 0]);
        let cut = ask(&mut envoy, [AGENT]).event_stream();
        cut.chunk(b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n").cut(Cut::Upstream);
        assert_eq!(asked(&envoy), [1, 1]);
        // What is no JSON object, and what is not whole, shows nothing.
        for body in [&b"--boundary"[..], &AGENT[..AGENT.len() - 1]] {
            let id = ask(&mut envoy, [body]);
            answer(id);
            assert_eq!(asked(&envoy), [1, 1]);
        }
        envoy.stop();
    });
}

/// A server may answer before it has read the request.
#[test]
fn a_body_may_end_after_the_head_of_its_answer() {
    on_each_host(|| {
        let mut envoy = envoy("");
        let id = envoy.request(HEAD);
        id.post_piece(&AGENT[..100], false);
        let id = id.respond("200", JSON, false);
        id.post_piece(&AGENT[100..], true);
        id.body(ANSWER, true).end();
        assert_eq!(asked(&envoy), [1, 1]);
        envoy.stop();
    });
}

#[test]
fn an_observed_request_is_read_as_well() {
    on_each_host(|| {
        let mut envoy = envoy(r#""observe": true,"#);
        let id = ask(&mut envoy, [AGENT]).route_to("llm-v2");
        answer(id);
        assert_eq!(asked(&envoy), [1, 1]);
        envoy.stop();
    });
}

/// The second pass does not read the body, which the first has read.
#[test]
fn a_redirected_request_hands_over_what_it_asks_for() {
    let log = |id: Id| -> [serde_json::Value; 2] {
        let log: serde_json::Value =
            serde_json::from_str(&id.filter_state("llm_observation").unwrap()).unwrap();
        ["tools_offered", "json_asked"].map(|name| log[name].clone())
    };
    on_each_host(|| {
        let mut envoy = envoy(r#""log_observations": true,"#);
        for (body, expected) in [(AGENT, true), (CHAT, false)] {
            let first = ask(&mut envoy, [body]);
            let second = envoy.redirect(first, "other", "/moved");
            answer(second);
            assert_eq!(log(second), [expected, expected]);
            assert_eq!(asked(&envoy), [1, 1]);
        }
        let unread = ask(&mut envoy, [&b"--boundary"[..]]);
        let second = envoy.redirect(unread, "other", "/moved");
        answer(second);
        assert_eq!(log(second), [serde_json::Value::Null, serde_json::Value::Null]);
        envoy.stop();
    });
}

/// Where defects are not looked for, nobody needs to know what was asked for. The body is read until its turn is known.
#[test]
fn without_defects_no_body_is_read_for_what_it_asks_for() {
    let absent = ["defect", "llm_tools_offered", "llm_json_asked"];
    on_each_host(|| {
        // A proxy keeps the series that it has.
        let calls = [false, true].map(|looks| {
            let key = r#""key": [{"header": "x-id"}]"#;
            let mut envoy = envoy(&format!(r#"{key}, "log_observations": true, "defects": {looks},"#));
            let id = envoy.request(HEAD);
            let (history, rest) = AGENT.split_at(90);
            assert!(history.windows(9).any(|part| part == b"assistant"));
            id.post_piece(history, false);
            let before = envoy.calls();
            rest.chunks(50).for_each(|piece| id.post_piece(piece, false));
            let calls = envoy.calls() - before;
            id.post_piece(b"", true);
            answer(id);
            let log: serde_json::Value =
                serde_json::from_str(&id.filter_state("llm_observation").unwrap()).unwrap();
            assert_eq!(
                (log["first_turn"].as_bool(), log["tools_offered"].as_bool()),
                (Some(false), looks.then_some(true))
            );
            assert_eq!(log["defects"].is_null(), !looks);
            let has = |part: &str| envoy.names().iter().any(|name| name.contains(part));
            assert_eq!(absent.map(has), [looks; 3]);
            assert!(has("llm_reasoning_chars_total"));
            envoy.stop();
            calls
        });
        assert!(calls[0] < calls[1], "{calls:?}");
    });
}

/// Of two rollouts only one looks for defects, and a waiting request is read before its rollout is known.
#[test]
fn a_waiting_request_is_read_for_the_rollout_that_it_gets() {
    let config = r#"{"rollouts": [
        {"name": "off", "match": {"models": ["m"]}, "baseline": "v1", "defects": false, "versions": [{"name": "v1", "cluster": "a"}]},
        {"name": "on", "baseline": "v1", "versions": [{"name": "v1", "cluster": "b"}]}]}"#;
    on_each_host(|| {
        let mut envoy = Envoy::with(config);
        envoy.deliver_bodies();
        for (model, expected) in [("m", [0, 0]), ("n", [1, 1])] {
            let body = String::from_utf8(AGENT.to_vec()).unwrap();
            let body = body.replacen('{', &format!(r#"{{"model":"{model}","#), 1);
            let id = ask(&mut envoy, body.as_bytes().chunks(20));
            answer(id);
            assert_eq!(asked(&envoy), expected, "{model}");
        }
        assert_eq!(envoy.sum("llm_requests_total", "llm_rollout=off"), 1);
        envoy.stop();
    });
}
