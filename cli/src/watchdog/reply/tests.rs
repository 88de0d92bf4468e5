use super::{Api, End, NoResponse, Received, Reply, Standing, read};
use serde_json::{Value, json};

const REQUEST: &[u8] = br#"{"messages":[{"role":"user","content":"Hello"}],"stream":true}"#;

fn received(status: u16, content_type: &str, body: &[&str]) -> Received {
    let pieces: Vec<(u64, Vec<u8>)> =
        body.iter().zip(1..).map(|(piece, at)| (at * 10_000, piece.as_bytes().to_vec())).collect();
    let ended_us = pieces.last().map_or(5_000, |(at, _)| at + 1);
    let content_type = content_type.to_owned();
    Received { status, content_type, head_us: 4_000, pieces, ended_us, ..Received::default() }
}

fn answer(status: u16, body: &Value) -> Received {
    received(status, "application/json", &[&body.to_string()])
}

fn standing(received: Received) -> Standing {
    read(Api::Chat, REQUEST, &Ok(received)).standing
}

fn failed(words: &str) -> Standing {
    Standing::Failed(words.to_owned())
}

fn unknown(words: &str) -> Standing {
    Standing::Unknown(words.to_owned())
}

const EVENTS: [&str; 4] = [
    "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Par\"}}]}\n\n",
    "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"is\"},\"finish_reason\":\"stop\"}]}\n\n",
    "data: {\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2,\"total_tokens\":11}}\n\n",
    "data: [DONE]\n\n",
];

fn whole(text: &str) -> Value {
    let usage = json!({"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11});
    let message = json!({"role": "assistant", "content": text});
    json!({"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage})
}

#[test]
fn a_stream_is_read_as_the_filter_reads_it() {
    let reply = read(Api::Chat, REQUEST, &Ok(received(200, "text/event-stream", &EVENTS)));
    let expect = Reply {
        standing: Standing::Answered,
        status: Some(200),
        outcome: Some("complete"),
        finish: Some("stop"),
        ttft_ms: Some(10),
        latency_ms: Some(41),
        prompt_tokens: Some(9),
        completion_tokens: Some(2),
        defects: Vec::new(),
        text: "Paris".to_owned(),
        calls: Vec::new(),
    };
    assert_eq!(reply, expect);
}

#[test]
fn a_whole_answer_has_no_first_token() {
    let reply = read(Api::Chat, REQUEST, &Ok(answer(200, &whole("Paris"))));
    assert_eq!((reply.text.as_str(), reply.ttft_ms, reply.prompt_tokens), ("Paris", None, Some(9)));
    assert_eq!(reply.standing, Standing::Answered);
}

#[test]
fn tokens_that_came_from_a_cache_are_tokens_of_the_prompt() {
    let usage = json!({"input_tokens": 4, "cache_read_input_tokens": 5, "output_tokens": 2});
    let content = json!([{"type": "text", "text": "Paris"}]);
    let body = json!({"type": "message", "role": "assistant", "content": content, "stop_reason": "end_turn", "usage": usage});
    assert_eq!(read(Api::Messages, REQUEST, &Ok(answer(200, &body))).prompt_tokens, Some(9));
    let mut of_chat = whole("Paris");
    of_chat["usage"]["prompt_tokens_details"] = json!({"cached_tokens": 5});
    assert_eq!(
        read(Api::Chat, REQUEST, &Ok(answer(200, &of_chat))).prompt_tokens,
        Some(9),
        "they are in it already"
    );
}

#[test]
fn defects_are_found() {
    let reply = read(Api::Chat, REQUEST, &Ok(answer(200, &whole("Paris<|im_end|>"))));
    assert_eq!(reply.defects, ["control_token"]);
    assert_eq!(reply.standing, Standing::Answered, "the checks say what it is worth");
}

#[test]
fn what_says_nothing_of_the_version_is_unknown() {
    for status in [401, 402, 403, 407, 408, 429, 529] {
        assert_eq!(standing(answer(status, &json!({}))), unknown(&status.to_string()));
    }
    let busy = Received { asks_for_patience: true, ..answer(503, &json!({})) };
    assert_eq!(standing(busy), unknown("503"));
    let limited = json!({"error": {"type": "rate_limit_error", "message": "slow down"}});
    assert_eq!(standing(answer(200, &limited)), unknown("rate_limit_error"));
    let inside = format!("data: {}\n\n", json!({"error": {"code": 429, "message": "slow down"}}));
    assert_eq!(standing(received(200, "text/event-stream", &[EVENTS[0], &inside])), unknown("429"));
    let none = Err(NoResponse::NotConnected("it refuses the connection".to_owned()));
    let reply = read(Api::Chat, REQUEST, &none);
    assert_eq!(reply.standing, unknown("no connection: it refuses the connection"));
}

#[test]
fn what_the_version_owes_is_a_failure() {
    let error = json!({"error": {"message": "template\n  failed", "type": "server_error"}});
    assert_eq!(standing(answer(500, &error)), failed("status 500: template failed"));
    for status in [302, 400, 404, 413, 422, 500, 502, 503, 504] {
        assert_eq!(standing(answer(status, &json!(null))), failed(&format!("status {status}")));
    }
    let stream = |events: &[&str]| received(200, "text/event-stream", events);
    let broken = Received { end: End::BrokenOff, ..stream(&EVENTS[..1]) };
    assert_eq!(standing(broken), failed("the answer broke off"));
    assert_eq!(standing(stream(&EVENTS[..1])), failed("the stream ended without its last event"));
    let late = Received { end: End::TooLate, ..stream(&EVENTS[..1]) };
    assert_eq!(standing(late), failed("the answer did not end within 2 min"));
    let long = Received { end: End::TooLong, ..stream(&EVENTS[..1]) };
    assert_eq!(standing(long), failed("the answer is longer than 16 MiB"));
    let inside = format!("data: {}\n\n", json!({"error": {"message": "out of memory"}}));
    assert_eq!(standing(stream(&[EVENTS[0], &inside])), failed("the answer reports an error: out of memory"));
    assert_eq!(standing(answer(200, &whole(""))), failed("the answer is empty"));
    let page = received(200, "text/html", &["<html>Sign in</html>"]);
    assert_eq!(standing(page), failed("the body is no answer of the API chat"));
    assert_eq!(standing(answer(200, &json!({"data": []}))), failed("the body is no answer of the API chat"));
    for (error, words) in [
        (NoResponse::BrokenOff, "the connection ended before an answer"),
        (NoResponse::TooLate, "no answer within 2 min"),
    ] {
        assert_eq!(read(Api::Chat, REQUEST, &Err(error)).standing, failed(words));
    }
}

#[test]
fn a_call_without_text_is_an_answer() {
    let call = json!({"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}});
    let message = json!({"role": "assistant", "content": null, "tool_calls": [call]});
    let body = json!({"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]});
    let reply = read(Api::Chat, REQUEST, &Ok(answer(200, &body)));
    assert_eq!((reply.standing, reply.finish), (Standing::Answered, Some("tool_calls")));
    assert_eq!(reply.calls, [call]);
}

#[test]
fn a_message_of_the_server_is_short_and_one_line() {
    let long = json!({"error": {"message": "x\n".repeat(1_000)}});
    let Standing::Failed(words) = standing(answer(500, &long)) else { unreachable!() };
    assert!(words.len() < 250 && !words.contains('\n'), "{words}");
}
