//! Conversations whose key changes between the first turn and the others, because the server gives the id. Shares are
//! constant. `docs/stickiness.md` has the figures.

#![expect(clippy::unwrap_used, reason = "a failure fails the test")]

use crate::host::{Envoy, Id, on_each_host};
use serde_json::{Value, json};

const CONVERSATIONS: usize = 60;
const TURNS: usize = 4;

/// What clients of one API send and get.
struct Api {
    path: &'static str,
    /// The keys of the configuration; empty for the default.
    keys: &'static str,
    /// The body of a turn, by the number of its conversation and the id that the server gave.
    body: fn(usize, Option<&Value>) -> Value,
    /// Where the id is in a response, and what it is.
    id: &'static str,
    given: fn(usize) -> Value,
    /// How many conversations move without a pin. At 50 %, of two independent buckets, it is about half of them.
    moved: usize,
}

const APIS: [Api; 3] = [
    // The Responses API, with the default keys: first the user, then the conversation.
    Api {
        path: "/v1/responses",
        keys: "",
        body: |n, id| match id {
            None => json!({"model": "m", "user": format!("user-{n}"), "input": "hi"}),
            Some(id) => {
                json!({"model": "m", "user": format!("user-{n}"), "input": "and?", "conversation": id})
            }
        },
        id: "/conversation",
        given: |n| json!({"id": format!("conv_{n}")}),
        moved: 28,
    },
    // The same, by the response before.
    Api {
        path: "/v1/responses",
        keys: r#""key": [{"body": "/previous_response_id"}, {"body": "/user", "kind": "user"}],"#,
        body: |n, id| json!({"model": "m", "user": format!("user-{n}"), "input": "hi", "previous_response_id": id}),
        id: "/id",
        given: |n| json!(format!("resp_{n}")),
        moved: 38,
    },
    // Dify: first the user, then the conversation.
    Api {
        path: "/v1/chat-messages",
        keys: r#""key": [{"body": "/conversation_id"}, {"body": "/user", "kind": "user"}],"#,
        body: |n, id| json!({"user": format!("user-{n}"), "query": "hi", "conversation_id": id.unwrap_or(&json!(""))}),
        id: "/conversation_id",
        given: |n| json!(format!("{n:08x}-4a48-4f72-a415-92d753ba5457")),
        moved: 33,
    },
];

/// How many of the conversations got more than one version.
fn moved(api: &Api, pin: &str) -> usize {
    let keys = api.keys;
    let mut envoy = Envoy::with(&format!(
        r#"{{"rollouts": [{{"name": "chat", "baseline": "v1", "split": {{"v2": 50}}, {keys} {pin}
            "versions": [{{"name": "v1", "cluster": "llm-v1"}}, {{"name": "v2", "cluster": "llm-v2"}}]}}]}}"#
    ));
    envoy.deliver_bodies();
    let has_moved = |n: &usize| {
        let (mut id, mut header, mut cookie) = (None, None, None);
        let mut versions: Vec<Vec<u8>> = Vec::new();
        for _ in 0..TURNS {
            let body = (api.body)(*n, id.as_ref()).to_string();
            let request = turn(&mut envoy, api.path, &body, header.as_deref(), cookie.as_deref());
            versions.push(request.upstream_header("x-llm-version").unwrap());
            let mut response = json!({"id": format!("resp_{n}"), "output": []});
            response[&api.id[1..]] = (api.given)(*n);
            let answer = request.respond("200", &[("content-type", b"application/json")], false);
            let answer = answer.body(response.to_string().as_bytes(), true);
            let received: Value = serde_json::from_slice(&answer.client_body()).unwrap();
            id = Some(received[&api.id[1..]].clone());
            header = answer.client_header("x-llm-pin").or(header);
            cookie = answer.client_header("set-cookie").or(cookie);
            answer.end();
        }
        versions.iter().any(|version| *version != versions[0])
    };
    let moved = (0..CONVERSATIONS).filter(has_moved).count();
    envoy.stop();
    moved
}

fn turn(envoy: &mut Envoy, path: &str, body: &str, header: Option<&[u8]>, cookie: Option<&[u8]>) -> Id {
    let mut headers =
        vec![(":method", &b"POST"[..]), (":path", path.as_bytes()), ("content-type", b"application/json")];
    // A browser sends a cookie back without its attributes.
    let cookie = cookie.and_then(|cookie| cookie.split(|&byte| byte == b';').next());
    headers.extend(header.map(|value| ("x-llm-pin", value)));
    headers.extend(cookie.map(|value| ("cookie", value)));
    envoy.request(&headers).post([body.as_bytes()])
}

#[test]
fn a_pin_holds_a_conversation_whose_key_changes() {
    on_each_host(|| {
        for api in &APIS {
            assert_eq!(moved(api, ""), api.moved, "{}", api.keys);
            assert_eq!(moved(api, r#""pin": {"header": "x-llm-pin"},"#), 0, "{}", api.keys);
            assert_eq!(moved(api, r#""pin": {"cookie": "llm_pin"},"#), 0, "{}", api.keys);
            if api.path == "/v1/responses" {
                assert_eq!(moved(api, r#""pin": {"response_id": true},"#), 0, "{}", api.keys);
            }
        }
    });
}
