//! Defects of answers, counted by the whole filter: once for each kind, once for the answer, on the answer's version.

use crate::host::{Cut, Envoy, Id, on_each_host};

const HEAD: &[(&str, &[u8])] = &[
    (":method", b"POST"),
    (":path", b"/v1/chat/completions"),
    (":authority", b"a"),
    ("content-type", b"application/json"),
    ("x-id", b"k"),
];
const JSON: &[(&str, &[u8])] = &[("content-type", b"application/json")];
const PLAIN: &[u8] = br#"{"messages":[{"role":"user","content":"a"}]}"#;
/// Offers a tool behind the history, and asks for JSON.
const AGENT: &[u8] = br#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}],
    "tools":[{"type":"function","function":{"name":"get_weather"}}],"response_format":{"type":"json_object"}}"#;

fn envoy(options: &str) -> Envoy {
    let envoy = Envoy::with(&format!(
        r#"{{"rollouts": [{{"name": "chat", "baseline": "v1", "key": [{{"header": "x-id"}}], {options}
            "versions": [{{"name": "v1", "cluster": "llm-v1"}}, {{"name": "v2", "cluster": "llm-v2"}}]}}]}}"#
    ));
    envoy.deliver_bodies();
    envoy
}

/// The kinds that were counted, each as often as it was, and how many answers had any; of one version, or of all.
fn defects(envoy: &Envoy, version: &str) -> (Vec<String>, u64) {
    let is_of_version = |name: &str| version.is_empty() || name.contains(&format!("llm_version={version}"));
    let kinds = envoy.metrics().into_iter().filter(|(name, _)| name.starts_with("llm_defects_total{"));
    let kinds = kinds.filter(|(name, _)| is_of_version(name)).flat_map(|(name, values)| {
        let kind = name.split("llm_defect=").nth(1).unwrap().trim_end_matches('}').to_owned();
        let count = usize::try_from(values.iter().sum::<u64>()).unwrap();
        vec![kind; count]
    });
    let label = if version.is_empty() { String::new() } else { format!("llm_version={version}") };
    (kinds.collect(), envoy.sum("llm_defective_responses_total", &label))
}

fn call(name: &str, arguments: &str) -> String {
    serde_json::json!({"choices": [{"message": {"tool_calls": [
        {"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}]}, "finish_reason": "tool_calls"}]})
    .to_string()
}

fn text(text: &str) -> String {
    serde_json::json!({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}).to_string()
}

fn answer(id: Id, body: &str) -> Id {
    let id = id.respond("200", JSON, false);
    let pieces: Vec<_> = body.as_bytes().chunks(9).collect();
    pieces.into_iter().fold(id, |id, piece| id.body(piece, false)).body(b"", true).end();
    id
}

#[test]
fn a_defect_is_counted_once_on_the_version_that_answered() {
    let logged = |id: Id| -> serde_json::Value {
        serde_json::from_str(&id.filter_state("llm_observation").unwrap()).unwrap()
    };
    on_each_host(|| {
        let mut envoy = envoy(r#""split": {"v2": 100}, "log_observations": true,"#);
        let id = envoy.request(HEAD).post([PLAIN]);
        let body = text("a \u{fffd} and \u{fffd} in it.<|im_end|>");
        let id = answer(id, &body);
        assert_eq!(id.client_body(), body.as_bytes());
        let both = ["control_token", "replacement_char"].map(String::from).to_vec();
        assert_eq!(defects(&envoy, "v2"), (both, 1));
        assert_eq!(defects(&envoy, "v1"), (vec![], 0));
        let shard = llm_canary::bucket::shard(b"k");
        assert_eq!(envoy.sum("llm_shard_defects_total", &format!("llm_shard={shard}}}")), 1);
        assert_eq!(envoy.sum("llm_shard_defects_total", ""), 1);
        assert_eq!(logged(id)["defects"], serde_json::json!(["control_token", "replacement_char"]));
        let id = envoy.request(HEAD).post([PLAIN]);
        let id = answer(id, &text("All is well."));
        assert_eq!(logged(id)["defects"], serde_json::json!([]));
        assert_eq!(defects(&envoy, "v2").1, 1);
        envoy.stop();
    });
}

/// The names and the wish for JSON come from the request, whether the filter waited for it, edited it or let it pass.
#[test]
fn what_was_asked_for_is_what_the_answer_is_held_to() {
    let in_body = r#""started_at": {"body": "/since"},"#;
    let edits = r#""usage": "request","#;
    on_each_host(|| {
        for options in ["", in_body, &format!("{in_body} {edits}"), edits] {
            for (request, response, expected) in [
                (AGENT, call("get_weather", "{}"), &[][..]),
                (AGENT, call("get_wether", "{}"), &["tool_name_unknown"]),
                (AGENT, call("get_weather", "{]"), &["tool_args_invalid"]),
                (AGENT, text("{}"), &[]),
                (AGENT, text("Sure!"), &["json_missing"]),
                (PLAIN, call("get_wether", "{}"), &[]),
                (PLAIN, text("Sure!"), &[]),
            ] {
                let mut envoy = envoy(options);
                let id = envoy.request(HEAD).post(request.chunks(50));
                answer(id, &response);
                let expected: Vec<String> = expected.iter().map(|&kind| kind.to_owned()).collect();
                let count = expected.len() as u64;
                assert_eq!(defects(&envoy, ""), (expected, count), "{options}: {response}");
                envoy.stop();
            }
        }
    });
}

/// An answer that begins before the request's end is held to nothing that the request says.
#[test]
fn an_early_answer_is_held_to_nothing() {
    on_each_host(|| {
        for response in [call("get_wether", "{}"), text("Sure!")] {
            let mut envoy = envoy("");
            let id = envoy.request(HEAD);
            id.post_piece(&AGENT[..150], false);
            let id = id.respond("200", JSON, false);
            id.post_piece(&AGENT[150..], true);
            id.body(response.as_bytes(), true).end();
            assert_eq!(defects(&envoy, ""), (vec![], 0), "{response}");
            envoy.stop();
        }
    });
}

/// Names do not go through an internal redirect, so no name is unknown behind one. The wish for JSON does.
#[test]
fn behind_a_redirect_only_names_are_forgotten() {
    on_each_host(|| {
        for (response, expected) in [(call("get_wether", "{}"), &[][..]), (text("Sure!"), &["json_missing"])]
        {
            let mut envoy = envoy("");
            let first = envoy.request(HEAD).post([AGENT]);
            let second = envoy.redirect(first, "other", "/moved");
            answer(second, &response);
            let expected: Vec<String> = expected.iter().map(|&kind| kind.to_owned()).collect();
            let count = expected.len() as u64;
            assert_eq!(defects(&envoy, ""), (expected, count), "{response}");
            envoy.stop();
        }
    });
}

#[test]
fn an_error_has_no_defects_and_a_broken_answer_has_those_that_it_shows() {
    on_each_host(|| {
        let mut envoy = envoy("");
        let broken = text("a \u{fffd} in it");
        envoy.request(HEAD).post([PLAIN]).respond("500", JSON, false).body(broken.as_bytes(), true).end();
        envoy.request(HEAD).post([AGENT]).respond_locally("503").end();
        assert_eq!(defects(&envoy, ""), (vec![], 0));
        let id = envoy.request(HEAD).post([AGENT]).event_stream();
        id.chunk("data: {\"choices\":[{\"delta\":{\"content\":\"a \u{fffd} in\"}}]}\n\n".as_bytes());
        id.cut(Cut::Client);
        assert_eq!(defects(&envoy, ""), (vec!["replacement_char".to_owned()], 1));
        envoy.stop();
    });
}

#[test]
fn defects_may_be_switched_off() {
    on_each_host(|| {
        let mut envoy = envoy(r#""defects": false,"#);
        let id = envoy.request(HEAD).post([AGENT]);
        answer(id, &text("a \u{fffd} in it"));
        assert_eq!(defects(&envoy, ""), (vec![], 0));
        assert_eq!(envoy.sum("llm_requests_total", "llm_outcome=complete"), 1);
        envoy.stop();
    });
}

/// Reasoning is counted whether or not defects are looked for.
#[test]
fn reasoning_is_counted_by_its_characters() {
    on_each_host(|| {
        for options in ["", r#""defects": false,"#] {
            let mut envoy = envoy(options);
            let id = envoy.request(HEAD).post([PLAIN]);
            answer(
                id,
                r#"{"choices":[{"message":{"reasoning_content":"Gr\u00fc\u00dfe","content":"Hi"},"finish_reason":"stop"}]}"#,
            );
            assert_eq!(envoy.sum("llm_reasoning_chars_total", ""), 5, "{options}");
            envoy.stop();
        }
    });
}
