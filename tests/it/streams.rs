//! The project's own small streams, one for each dialect, and what each says.

use llm_canary::observe::{End, Head, Observer};

/// File, content type, and its facts: dialect, outcome, finish, characters, tokens in, cached, out, reasoning, tool calls.
const STREAMS: &[(&str, &str, &str)] = &[
    ("chat-stream.sse", "text/event-stream", "openai-chat complete stop 13 9 - 7 - 0"),
    ("responses-stream.sse", "text/event-stream", "openai-responses complete stop 11 12 4 9 3 1"),
    ("anthropic-stream.sse", "text/event-stream", "anthropic-messages complete tool_calls 11 21 5 17 - 1"),
    ("gemini-stream.sse", "text/event-stream", "gemini complete stop 11 8 - 6 5 1"),
    ("gemini-array.json", "application/json", "gemini complete stop 11 8 - 6 - 0"),
    ("cohere-stream.sse", "text/event-stream", "cohere-v2 complete tool_calls 5 14 - 12 - 2"),
    ("ollama-chat.ndjson", "application/x-ndjson", "ollama complete stop 11 26 - 4 - 1"),
    ("tgi-stream.sse", "text/event-stream", "tgi complete length 5 - - 3 - 0"),
    ("sglang-stream.sse", "text/event-stream", "sglang complete stop 11 6 0 3 - 0"),
    ("triton-stream.sse", "text/event-stream", "triton complete none 11 - - - - 0"),
    ("triton-error.sse", "text/event-stream", "triton stream_error none 6 - - - - 0"),
];

#[test]
fn each_dialect_is_read() {
    for (file, content_type, expected) in STREAMS {
        let path = format!("{}/tests/data/streams/{file}", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(path).unwrap();
        for size in [1, 5, bytes.len()] {
            let head = Head { status: 200, content_type: content_type.as_bytes(), content_encoding: b"" };
            let mut observer = Observer::new(head, 0, 0);
            bytes.chunks(size).for_each(|chunk| observer.push(0, chunk));
            let seen = observer.finish(End::Complete, 0);
            let number = |value: Option<u64>| value.map_or("-".to_string(), |value| value.to_string());
            let facts = [
                seen.dialect.unwrap_or("-").to_string(),
                seen.outcome.as_str().to_string(),
                seen.finish.as_str().to_string(),
                number(seen.text_chars),
                number(seen.usage.input),
                number(seen.usage.cached_input),
                number(seen.usage.output),
                number(seen.usage.reasoning),
                seen.tool_calls.to_string(),
            ];
            assert_eq!(facts.join(" "), *expected, "{file} in pieces of {size}");
        }
    }
}
