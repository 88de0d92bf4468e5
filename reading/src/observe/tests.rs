//! Observations of small bodies: framing, outcome, times, limits.

mod answers;
mod calls;
mod defects;
mod shapes;

use super::*;
use proptest::prelude::*;

const CHAT: &str = concat!(
    r#"data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
    "\n\n",
    r#"data: {"choices":[{"index":0,"delta":{"content":"Hé"}}]}"#,
    "\n\n",
    r#"data: {"choices":[{"index":0,"delta":{"content":" you"},"finish_reason":"stop"}]}"#,
    "\n\n",
    r#"data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5}}"#,
    "\n\ndata: [DONE]\n\n",
);
const WHOLE: &str = r#"{"choices":[{"message":{"content":"Hé you"},"finish_reason":"length"}],"usage":{"completion_tokens":5}}"#;

fn observe(content_type: &str, body: impl AsRef<[u8]>) -> Observation {
    end(content_type, body, End::Complete)
}

fn end(content_type: &str, body: impl AsRef<[u8]>, end: End) -> Observation {
    let head = Head { status: 200, content_type: content_type.as_bytes(), ..Head::default() };
    let mut observer = Observer::new(head, 0, 0);
    observer.push(0, body.as_ref());
    observer.finish(end, 0)
}

#[test]
fn the_framing_is_detected_from_type_and_first_bytes() {
    let chat = |body: &str, content_type| {
        let seen = observe(content_type, body);
        (seen.dialect, seen.text_chars, seen.events.is_some())
    };
    let streamed = (Some("openai-chat"), Some(6), true);
    let whole = (Some("openai-chat"), Some(6), false);
    for content_type in
        ["text/event-stream", "Text/Event-Stream; charset=utf-8", "", "application/json", "text/plain"]
    {
        assert_eq!(chat(CHAT, content_type), streamed, "{content_type}");
        assert_eq!(chat(&format!("\u{feff}{CHAT}"), content_type), streamed, "BOM, {content_type}");
        assert_eq!(chat(&format!(": ping\n\n{CHAT}"), content_type), streamed, "comment, {content_type}");
        assert_eq!(chat(&format!("event: x\n{CHAT}"), content_type), streamed, "event, {content_type}");
        assert_eq!(chat(WHOLE, content_type), whole, "{content_type}");
        // Some gateways send lines of spaces before the JSON, to keep the connection alive.
        assert_eq!(chat(&format!("\n    \n    {WHOLE}"), content_type), whole, "padded, {content_type}");
    }
}

#[test]
fn of_unknown_content_the_length_is_reported_or_why_not() {
    let length = |content_type, body: &str| {
        (observe(content_type, body).text_chars, observe(content_type, body).outcome)
    };
    assert_eq!(length("text/plain", "Grüße"), (Some(5), Outcome::Complete));
    assert_eq!(length("application/json", r#"{"text":"é"}"#), (None, Outcome::Complete));
    assert_eq!(length("application/json", r#"{"text":"é""#), (None, Outcome::Truncated));
    assert_eq!(length("text/event-stream", "data: é1\n\ndata: 2\n\n"), (Some(3), Outcome::Complete));
    assert_eq!(length("", ""), (Some(0), Outcome::Complete));
    let unparsed = |content_type: &str, encoding: &str| {
        let head = Head {
            status: 200,
            content_type: content_type.as_bytes(),
            content_encoding: encoding.as_bytes(),
            ..Head::default()
        };
        let mut observer = Observer::new(head, 0, 0);
        observer.push(0, CHAT.as_bytes());
        let seen = observer.finish(End::Complete, 0);
        (seen.unparsed, seen.text_chars, seen.outcome)
    };
    assert_eq!(unparsed("text/event-stream", "gzip"), (Some(Unparsed::Encoding), None, Outcome::Complete));
    assert_eq!(unparsed("image/png", ""), (Some(Unparsed::Type), None, Outcome::Complete));
    assert_eq!(unparsed("text/event-stream", "identity"), (None, Some(6), Outcome::Complete));
}

#[test]
fn the_outcome_depends_on_the_end_and_on_the_body() {
    let outcome = |body: &str, how| end("text/event-stream", body, how).outcome;
    let cut = CHAT.find(r#""finish_reason""#).unwrap();
    let finished = CHAT.find(r#"data: {"choices":[],"#).unwrap();
    for (body, complete, client, upstream) in [
        (CHAT, Outcome::Complete, Outcome::Complete, Outcome::Complete),
        // All answers have ended. Neither usage nor [DONE] is needed.
        (&CHAT[..finished], Outcome::Complete, Outcome::Complete, Outcome::Complete),
        (&CHAT[..cut], Outcome::Truncated, Outcome::ClientAbort, Outcome::UpstreamReset),
        ("", Outcome::Truncated, Outcome::ClientAbort, Outcome::UpstreamReset),
        ("data: [DONE]\n\n", Outcome::Complete, Outcome::Complete, Outcome::Complete),
        // There is no blank line at the end, but the document is complete.
        ("data: [DONE]", Outcome::Complete, Outcome::Complete, Outcome::Complete),
        ("data: {\"error\":\"x\"}", Outcome::StreamError, Outcome::StreamError, Outcome::StreamError),
        ("data: {\"error\":null}\n\n", Outcome::Complete, Outcome::ClientAbort, Outcome::UpstreamReset),
        (
            "event: error\ndata: {\"type\":\"error\",\"code\":\"x\",\"message\":\"y\"}\n\n",
            Outcome::StreamError,
            Outcome::StreamError,
            Outcome::StreamError,
        ),
        (
            "data: {\"type\":\"error\",\"code\":\"x\"}\n\n",
            Outcome::StreamError,
            Outcome::StreamError,
            Outcome::StreamError,
        ),
        ("error: {\"code\":500}\n\n", Outcome::StreamError, Outcome::StreamError, Outcome::StreamError),
    ] {
        assert_eq!(outcome(body, End::Complete), complete, "{body}");
        assert_eq!(outcome(body, End::ClientAbort), client, "{body}");
        assert_eq!(outcome(body, End::UpstreamReset), upstream, "{body}");
        assert_eq!(outcome(body, End::LocalReply), Outcome::LocalReply, "{body}");
    }
}

#[test]
fn a_response_is_complete_when_each_answer_has_ended() {
    let two =
        r#"data: {"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}]}"#;
    let ends = |index: u8, reason: &str| {
        format!(
            "\n\ndata: {{\"choices\":[{{\"index\":{index},\"delta\":{{}},\"finish_reason\":\"{reason}\"}}]}}\n\n"
        )
    };
    let one = format!("{two}{}", ends(0, "stop"));
    assert_eq!(observe("text/event-stream", &one).outcome, Outcome::Truncated);
    let seen = observe("text/event-stream", format!("{one}{}", ends(1, "length")));
    assert_eq!((seen.outcome, seen.finish, seen.text_chars), (Outcome::Complete, Finish::Length, Some(2)));
}

#[test]
fn the_first_token_is_the_first_delta_with_content() {
    let head = Head { status: 200, content_type: b"text/event-stream", ..Head::default() };
    let mut observer = Observer::new(head, 1_000, 1_500);
    let mut events = CHAT.split_inclusive("\n\n");
    let moments = [2_000, 5_000, 9_000, 9_500, 9_600];
    for (at, event) in moments.into_iter().zip(events.by_ref()) {
        observer.push(at, event.as_bytes());
    }
    let seen = observer.finish(End::Complete, 10_000);
    let expected = Timing {
        first_byte_us: Some(500),
        first_token_us: Some(4_000),
        last_token_us: Some(8_000),
        longest_gap_us: Some(4_000),
        duration_us: 9_000,
    };
    assert_eq!(seen.timing, expected);
    assert_eq!(seen.time_per_output_token_us(), Some(1_000));
    assert_eq!(seen.output_tokens_per_second(), Some(555));
    // A response that is not streamed has no first token.
    assert_eq!(observe("application/json", WHOLE).timing.first_token_us, None);
}

#[test]
fn no_figure_divides_by_zero() {
    let mut seen = observe("text/event-stream", CHAT);
    assert_eq!((seen.timing.duration_us, seen.output_tokens_per_second()), (0, None));
    for output in [0, 1] {
        seen.usage.output = Some(output);
        assert_eq!(seen.time_per_output_token_us(), None);
    }
}

#[test]
fn a_long_first_document_is_skipped_and_the_stream_is_read_on() {
    let long = format!("data: {{\"x\":\"{}\"}}\n\n{CHAT}", "y".repeat(50_000));
    let seen = observe("text/event-stream", &long);
    assert_eq!((seen.dialect, seen.text_chars, seen.usage.output), (Some("openai-chat"), Some(6), Some(5)));
    // A dialect is detected by its usage too, even if its choices come late.
    let late =
        format!("{{\"usage\":{{\"prompt_tokens\":1}},\"x\":\"{}\",{}", "y".repeat(100_000), &WHOLE[1..]);
    assert_eq!(observe("application/json", &late).text_chars, Some(6));
}

proptest! {
    #[test]
    fn a_prefix_never_has_more_facts_than_the_whole(cut in 0..CHAT.len()) {
        let prefix = observe("text/event-stream", &CHAT.as_bytes()[..cut]);
        prop_assert!(prefix.text_chars <= Some(6) && prefix.tool_calls == 0 && prefix.events <= Some(5));
    }

    #[test]
    fn any_bytes_are_read_the_same_in_any_chunking(
        content_type in prop::sample::select(vec!["text/event-stream", "application/json", ""]),
        pieces in prop::collection::vec(prop::sample::select(vec![
            "data: ", "data:", "\n", "\n\n", "\r\n", "{\"choices\":[", "{\"index\":1,", "\"delta\":{", "\"content\":\"é\\n", "\"",
            "}", "]", ",", "[DONE]", "error:", "\"error\":", "{}", "null", "\"finish_reason\":\"stop\"", ": ping", "\u{feff}", "{", "[",
        ]), 0..24),
        cut: prop::sample::Index,
    ) {
        let body = pieces.concat().into_bytes();
        let (a, b) = body.split_at(cut.index(body.len() + 1));
        let head = Head { status: 200, content_type: content_type.as_bytes(), ..Head::default() };
        let observe = |chunks: &[&[u8]]| {
            let mut observer = Observer::new(head, 0, 0);
            chunks.iter().for_each(|chunk| observer.push(0, chunk));
            Observation { timing: Timing::default(), ..observer.finish(End::Complete, 0) }
        };
        let whole = observe(&[&body]);
        prop_assert_eq!(&observe(&[a, b]), &whole);
        prop_assert_eq!(&observe(&body.chunks(1).collect::<Vec<_>>()), &whole);
    }
}

#[test]
fn a_tool_calls_arguments_are_not_searched_for_refusals() {
    let words = "I'm sorry, but I can't help with that.";
    let refuses = |kind: &str| {
        let body = format!(
            "data: {{\"type\":\"response.output_item.added\",\"item\":{{\"type\":\"function_call\",\"id\":\"c\"}}}}\n\n\
             data: {{\"type\":\"{kind}\",\"delta\":\"{words}\"}}\n\n"
        );
        let mut observer = Observer::new(Head { status: 200, ..Head::default() }, 0, 0);
        observer.detect_refusal_phrases();
        observer.push(0, body.as_bytes());
        observer.finish(End::Complete, 0).refusal
    };
    assert_eq!(refuses("response.output_text.delta"), Some(Refusal::Phrase));
    assert_eq!(refuses("response.function_call_arguments.delta"), None);
    assert_eq!(refuses("response.custom_tool_call_input.delta"), None);
}

#[test]
fn json_of_an_unknown_dialect_has_no_length() {
    let long = format!(r#"{{"pages":["{}"]}}"#, "x".repeat(40_000));
    let lines = "{\"a\":1}\n{\"a\":2}\n";
    for (content_type, body) in [
        ("application/json", r#"{"text":"hello"}"#),
        ("application/json", r#" [1, 2]"#),
        ("text/plain", r#"{"text":"hello"}"#),
        ("application/x-ndjson", lines),
        ("text/event-stream", "data: {\"a\":1}\n\ndata: {\"a\":2}\n\ndata: [DONE]\n\n"),
        // Text beside JSON is no answer's length either.
        ("text/event-stream", "data: one\n\ndata: {\"a\":2}\n\n"),
        ("application/json", long.as_str()),
        ("application/json", "\"session-1\""),
        ("application/json", " null "),
        ("application/json; charset=utf-8", "12345"),
        ("application/x-ndjson", "\"aaa\"\n\"bbb\"\n"),
        ("application/json-seq", "\u{1e}{\"pages\":1}\n"),
    ] {
        let seen = observe(content_type, body);
        let facts = (seen.dialect, seen.text_chars, seen.unparsed, seen.is_answer, seen.outcome);
        let unread = (None, None, Some(Unparsed::Dialect), true, Outcome::Complete);
        assert_eq!(facts, unread, "{content_type} {:.50}", body);
    }
    // Text is counted, and the mark of a stream's end is no text.
    let seen = observe("text/event-stream", "data: one\n\ndata: [DONE]\n\n");
    assert_eq!((seen.text_chars, seen.unparsed), (Some(3), None));
}

#[test]
fn an_error_report_is_not_unread() {
    let seen = observe("application/json", r#"{"error":{"message":"overloaded"}}"#);
    assert_eq!((seen.outcome, seen.text_chars, seen.unparsed), (Outcome::StreamError, Some(0), None));
    for (content_type, content_encoding) in
        [("application/json", ""), ("image/png", ""), ("text/html", "gzip")]
    {
        let head = Head {
            status: 418,
            content_type: content_type.as_bytes(),
            content_encoding: content_encoding.as_bytes(),
            ..Head::default()
        };
        let mut observer = Observer::new(head, 0, 0);
        observer.push(0, br#"{"detail":"no"}"#);
        let seen = observer.finish(End::Complete, 0);
        assert_eq!((seen.outcome, seen.unparsed), (Outcome::HttpError, None), "{content_type}");
        assert_eq!(seen.http_error, Some(HttpError::Status4xx));
    }
}

#[test]
fn each_error_status_has_a_value() {
    for status in 400..=599 {
        let exact = status.to_string();
        let class = format!("{}xx", status / 100);
        let is_listed = HttpError::NAMES.contains(&exact.as_str());
        assert_eq!(HttpError::of(status).as_str(), if is_listed { exact } else { class });
    }
}

#[test]
fn what_is_no_answer_has_only_an_outcome_and_times() {
    let observe_other = |content_type: &str, body: &str| {
        let head = Head { status: 200, content_type: content_type.as_bytes(), ..Head::default() };
        let mut observer = Observer::new(head, 0, 0);
        observer.expect_no_answer();
        observer.push(0, body.as_bytes());
        observer.finish(End::Complete, 0)
    };
    for (content_type, body) in [
        ("application/json", r#"{"status":"ok"}"#),
        ("text/plain", "vllm:num_requests_running 1"),
        ("text/html", "<html></html>"),
        ("image/png", "..."),
        ("", ""),
    ] {
        let seen = observe_other(content_type, body);
        assert_eq!((seen.is_answer, seen.text_chars, seen.unparsed), (false, None, None), "{body}");
    }
    // A stored answer that is read again is an answer.
    let stored = observe_other("application/json", WHOLE);
    assert_eq!((stored.is_answer, stored.text_chars), (true, Some(6)));
    // Numbers are no text, and an empty text is one.
    for (data, is_answer, text_chars) in
        [("0.1,0.2", false, None), (r#""","a""#, true, Some(1)), (r#""""#, true, Some(0))]
    {
        let body =
            format!(r#"{{"model_name":"m","outputs":[{{"name":"o","datatype":"X","data":[{data}]}}]}}"#);
        let seen = observe("application/json", body);
        let facts = (seen.dialect, seen.is_answer, seen.text_chars);
        assert_eq!(facts, (Some("triton"), is_answer, text_chars), "{data}");
    }
    let failed = observe("application/json", r#"{"model_version":"1","error":"failed"}"#);
    assert_eq!((failed.is_answer, failed.outcome), (true, Outcome::StreamError));
    // And a body may show that it is none.
    let seen = observe(
        "application/json",
        r#"{"object":"list","data":[{"embedding":[0.1]}],"usage":{"prompt_tokens":8}}"#,
    );
    assert_eq!((seen.is_answer, seen.text_chars, seen.unparsed), (false, None, None));
}

#[test]
fn a_response_without_content_has_no_length() {
    for status in [101, 204, 205, 304] {
        let observer = Observer::new(Head { status, ..Head::default() }, 0, 0);
        let seen = observer.finish(End::Complete, 0);
        assert_eq!(
            (seen.text_chars, seen.unparsed, seen.outcome),
            (None, None, Outcome::Complete),
            "{status}"
        );
    }
}

#[test]
fn the_end_of_a_grpc_response_is_its_status() {
    const MESSAGE: &[u8] = b"\0\0\0\0\x01a";
    let grpc = |in_head: Option<&str>, message: &[u8], in_trailers: Option<&str>, end: End| {
        let head = Head {
            status: 200,
            content_type: b"application/grpc+proto",
            grpc_status: in_head.map(str::as_bytes),
            ..Head::default()
        };
        let mut observer = Observer::new(head, 0, 0);
        observer.push(0, message);
        observer.trailers(in_trailers.map(str::as_bytes));
        let lacks_status = observer.lacks_status();
        let seen = observer.finish(end, 0);
        assert_eq!(seen.http_error.is_some(), seen.outcome == Outcome::HttpError);
        assert_eq!(lacks_status, in_head.or(in_trailers).is_none());
        assert_eq!(seen.error, matches!(seen.outcome, Outcome::HttpError | Outcome::StreamError));
        seen.outcome
    };
    for status in 1..=16 {
        let status = status.to_string();
        let status = Some(status.as_str());
        assert_eq!(grpc(status, b"", None, End::Complete), Outcome::HttpError);
        assert_eq!(grpc(None, b"", status, End::Complete), Outcome::HttpError);
        assert_eq!(grpc(None, MESSAGE, status, End::Complete), Outcome::StreamError);
        assert_eq!(grpc(status, b"", None, End::LocalReply), Outcome::LocalReply);
    }
    for malformed in ["", "00", "x", "-1", "17"] {
        assert_eq!(grpc(None, MESSAGE, Some(malformed), End::Complete), Outcome::StreamError, "{malformed}");
    }
    assert_eq!(grpc(None, MESSAGE, Some("0"), End::Complete), Outcome::Complete);
    assert_eq!(grpc(Some("0"), b"", None, End::Complete), Outcome::Complete);
    assert_eq!(grpc(None, MESSAGE, None, End::Complete), Outcome::UpstreamReset);
    assert_eq!(grpc(None, MESSAGE, None, End::UpstreamReset), Outcome::UpstreamReset);
    assert_eq!(grpc(None, MESSAGE, None, End::ClientAbort), Outcome::ClientAbort);
    // Its status has come, so the client that went then had all of it.
    assert_eq!(grpc(None, MESSAGE, Some("0"), End::ClientAbort), Outcome::Complete);
}

#[test]
fn only_grpc_is_grpc() {
    let is_grpc = |content_type: &str, status| {
        let head = Head { status, content_type: content_type.as_bytes(), ..Head::default() };
        Observer::new(head, 0, 0).is_grpc()
    };
    for content_type in [
        "application/grpc",
        "Application/gRPC+proto",
        "application/grpc;charset=utf-8",
        "application/grpc-web",
        "application/grpc-web+proto",
    ] {
        assert!(is_grpc(content_type, 200), "{content_type}");
        assert!(!is_grpc(content_type, 503), "its HTTP status says how it ended");
    }
    for content_type in
        ["application/grpc-web-text", "application/grpc-web-text+proto", "application/json", ""]
    {
        assert!(!is_grpc(content_type, 200), "{content_type}");
    }
}
