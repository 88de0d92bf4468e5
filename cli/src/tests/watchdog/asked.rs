//! What the servers are asked.

use super::{Prompts, Reply, Server, Value, completion, healthy, number, right, watchdog, world};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// A server that keeps the bodies of requests.
fn listening() -> (Server, Arc<Mutex<Vec<Value>>>) {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&bodies);
    let server = Server::start_reading(move |_, body| {
        let body: Value = serde_json::from_slice(body).unwrap();
        let reply = completion(&body, &right(number(&body)), 9);
        kept.lock().unwrap().push(body);
        reply
    });
    (server, bodies)
}

#[test]
fn both_sides_get_the_same_requests_by_turns_streamed_and_whole() {
    let set = Prompts::of(&json!({
        "prompts": ["Say the word of {{n}}."],
        "providers": [{"id": "openai:chat:x", "config": {"temperature": 0, "max_tokens": 7}}],
        "tests": (0..6).map(|n| json!({"vars": {"n": n}})).collect::<Vec<_>>(),
    }));
    let ((v1, of_v1), (v2, of_v2)) = (listening(), listening());
    watchdog(&world(), &set, &v2, &v1, &["--rounds", "2", "--model", "m"]);
    let asked = |bodies: &Mutex<Vec<Value>>| {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for body in bodies.lock().unwrap().iter() {
            assert_eq!(
                (&body["model"], &body["temperature"], &body["max_tokens"]),
                (&json!("m"), &json!(0), &json!(7))
            );
            *counts.entry(body.to_string()).or_default() += 1;
        }
        counts
    };
    let (of_v1, of_v2) = (asked(&of_v1), asked(&of_v2));
    assert!(
        of_v2.len() == 12 && of_v2.values().all(|count| *count == 1),
        "each prompt once streamed and once whole"
    );
    assert!(of_v2.keys().all(|body| of_v1.contains_key(body)));
}

#[test]
fn what_the_api_has_no_word_for_is_said() {
    let set = Prompts::of(&json!({
        "prompts": ["Say the word of {{n}}."],
        "providers": [{"id": "x", "config": {"response_format": {"type": "json_object"}}}],
        "tests": [{"vars": {"n": 1}}],
    }));
    let server = Server::start(|_| {
        Reply::ok(json!({"type": "message", "role": "assistant", "content": [{"type": "text", "text": "1"}], "stop_reason": "end_turn"}).to_string())
    });
    let ran = watchdog(&world(), &set, &server, &server, &["--once", "--api", "messages"]);
    assert!(
        ran.err.contains("the API messages has no response_format; it is left out of 1 prompts"),
        "{}",
        ran.err
    );
}

#[test]
fn an_answer_of_100_mb_is_a_failure_and_not_kept() {
    let set = Prompts::new(1);
    let large = Server::start(|_| Reply::ok(vec![b' '; 100 << 20]));
    let world = world();
    watchdog(&world, &set, &large, &healthy(), &["--once", "--out", "r"]);
    assert!(world.read("r").contains("the answer is longer than 16 MiB") && world.read("r").len() < 10_000);
}

#[test]
fn ollama_is_asked_and_read_in_its_own_words() {
    let set = Prompts::new(2);
    let server = Server::start_reading(|head, body| {
        assert!(head.starts_with("POST /api/chat HTTP/1.1"), "{head}");
        let body: Value = serde_json::from_slice(body).unwrap();
        let text = right(number(&body));
        let message = |text: &str| json!({"role": "assistant", "content": text});
        let last = |text: &str| json!({"model": "m", "created_at": "2026-11-29T07:00:00Z", "message": message(text), "done": true, "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 3});
        if body["stream"] != json!(true) {
            return Reply::ok(last(&text).to_string());
        }
        let first = json!({"model": "m", "created_at": "2026-11-29T07:00:00Z", "message": message(&text), "done": false});
        let lines = format!("{first}\n{}\n", last(""));
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ncontent-length: {}\r\n\r\n",
            lines.len()
        );
        Reply::Raw(format!("{head}{lines}").into_bytes())
    });
    let world = world();
    watchdog(&world, &set, &server, &server, &["--rounds", "2", "--api", "ollama", "--out", "r"]);
    let results = world.read("r");
    let answers: Vec<Value> = results.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let answers: Vec<&Value> = answers.iter().filter(|line| line["line"] == "answer").collect();
    assert_eq!(answers.len(), 12);
    for answer in answers {
        assert_eq!(
            (&answer["pass"], &answer["finish"], &answer["prompt_tokens"]),
            (&json!(true), &json!("stop"), &json!(9)),
            "{answer}"
        );
    }
}
