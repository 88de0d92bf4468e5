//! How much memory one stream needs, whatever is sent.

use llm_canary::edit::Editor;
use llm_canary::pin::{Body, TagIds, Token, UntagIds};
use llm_canary::rewrite::{Model, ModelName};

use crate::counting::{LIVE, STREAM_BYTES_MAX, peak_bytes};

#[test]
fn no_stream_keeps_more_than_its_share() {
    const COUNT: usize = 100_000;
    let times = |piece: &str, count: usize| piece.repeat(count).into_bytes();
    let join = |parts: &[&[u8]]| parts.concat();
    let call = |id: usize| {
        format!(
            "data: {{\"choices\":[{{\"index\":{id},\"delta\":{{\"tool_calls\":[{{\"index\":{id},\"id\":\"{id}\"}}]}}}}]}}\n\n"
        )
    };
    let calls: String = (0..COUNT / 10).map(call).collect();
    let many_calls: String = (0..COUNT / 10).map(|id| format!("{{\"id\":\"{id}\"}},")).collect();
    let many_calls = format!("data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":[{many_calls}");
    // A frame of gRPC, as long as it can be, with the beginning of a response in it.
    let frame = |start: &[u8]| join(&[&[0, 0x7f, 0xff, 0xff, 0xff, 0x12, 0xff, 0xff, 0xff, 0x7f], start]);
    let text = b"\x2a\x0e\x0a\x05other\x12\x05BYTES\x32\xff\xff\xff\x7e\xff\xff\xff\x7f";
    let cases: [(&str, &str, Vec<u8>); 19] = [
        ("an endless line", "text/event-stream", join(&[b"data: ", &times("x", COUNT * 10)])),
        ("an endless field name", "text/event-stream", times("d", COUNT * 10)),
        ("an endless type", "text/event-stream", join(&[b"event: ", &times("x", COUNT * 10)])),
        ("an endless event", "text/event-stream", times("data: {\"a\":1}\n", COUNT * 10)),
        ("a million tiny events", "text/event-stream", times("data:\n\n", COUNT * 10)),
        ("a million comments", "text/event-stream", times(":\n", COUNT * 10)),
        (
            "an endless text",
            "text/event-stream",
            join(&[b"data: {\"choices\":[{\"delta\":{\"content\":\"", &times("é", COUNT * 10)]),
        ),
        ("many calls", "text/event-stream", calls.into_bytes()),
        ("many calls in one event", "text/event-stream", many_calls.into_bytes()),
        ("deep arrays", "application/json", times("[", COUNT * 10)),
        ("deep objects", "application/json", times("{\"choices\":", COUNT)),
        ("a long key", "application/json", join(&[b"{\"", &times("k", COUNT * 10)])),
        (
            "a long number",
            "application/json",
            join(&[b"{\"choices\":[],\"model\":", &times("1", COUNT * 10)]),
        ),
        ("long messages", "application/vnd.amazon.eventstream", times("\0", COUNT * 10)),
        ("a million empty messages", "application/grpc", times("\0", COUNT * 10)),
        ("an endless message", "application/grpc", join(&[&frame(b""), &times("\x08\x01", COUNT * 5)])),
        ("a million tensors", "application/grpc", join(&[&frame(b""), &times("\x2a\0", COUNT * 5)])),
        (
            "a long name",
            "application/grpc",
            join(&[&frame(b"\x0a\0\x12\xff\xff\xff\x7e"), &times("n", COUNT * 10)]),
        ),
        ("an endless tensor", "application/grpc", join(&[&frame(text), &times("é", COUNT * 10)])),
    ];
    for (name, content_type, body) in &cases {
        for size in [1 + body.len() / 50, 4096] {
            let peak = peak_bytes(content_type, body.chunks(size));
            assert!(peak <= STREAM_BYTES_MAX, "{name} in chunks of {size}: {peak} bytes");
        }
    }
}

/// Bytes that an edit may allocate between two chunks of a body: a scanner, and the few bytes that it holds back.
const EDIT_BYTES_MAX: isize = 1024;

#[test]
fn an_edit_keeps_little_whatever_is_sent() {
    let token = Token::of("chat", "v1");
    let editors: [fn(Token) -> Box<dyn Editor>; 4] = [
        |token| Box::new(TagIds::new(Body::Whole, token)),
        |token| Box::new(TagIds::new(Body::Stream, token)),
        |token| Box::new(UntagIds::new([token].into())),
        |_| Box::new(Model::new(ModelName::new("m"))),
    ];
    let pieces = ["x", "[", "{\"response\":", "-llm-", "\"", "\\", "\n", "\"response_id\":\"x\",", "data: "];
    for (index, new) in editors.iter().enumerate() {
        for start in
            ["{\"model\":\"", "{\"id\":\"", "{\"", "data: {\"response_id\":\"", "data: {", "event: ", "{"]
        {
            for piece in pieces {
                new(token).push(b"{"); // the first one compiles the tables
                let before = LIVE.get();
                let mut editor = new(token);
                drop(editor.push(start.as_bytes()));
                for _ in 0..50 {
                    drop(editor.push(piece.repeat(1000).as_bytes()));
                    let kept = LIVE.get() - before;
                    assert!(kept <= EDIT_BYTES_MAX, "edit {index} keeps {kept} bytes of {start}{piece}…");
                }
            }
        }
    }
}

#[test]
fn streams_leave_nothing_behind() {
    let stream: &[u8] = include_bytes!("../data/corpus/openai-chat/chat-stream.sse");
    peak_bytes("text/event-stream", [stream]); // the first one compiles the tables
    let before = LIVE.get();
    for _ in 0..1000 {
        peak_bytes("text/event-stream", stream.chunks(9));
    }
    assert_eq!(LIVE.get(), before);
}
