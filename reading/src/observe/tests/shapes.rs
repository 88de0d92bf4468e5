//! The shapes of answers that vendors document, read in any pieces.

use super::super::*;

/// Dialect, outcome, finish, characters, input, cached input, output and reasoning tokens, and tool calls.
type Facts = (Option<&'static str>, Outcome, Finish, Option<u64>, [Option<u64>; 4], u64);

fn observe(content_type: &str, body: &[u8], size: usize) -> Observation {
    let head = Head { status: 200, content_type: content_type.as_bytes(), ..Head::default() };
    let mut observer = Observer::new(head, 0, 0);
    body.chunks(size).for_each(|piece| observer.push(0, piece));
    Observation { timing: Timing::default(), ..observer.finish(End::Complete, 0) }
}

fn read(content_type: &str, body: &str) -> Observation {
    let whole = observe(content_type, body.as_bytes(), body.len());
    for size in (1..=40).chain([100, 300]) {
        assert_eq!(observe(content_type, body.as_bytes(), size), whole, "{size}: {body}");
    }
    whole
}

fn facts(content_type: &str, body: &str) -> Facts {
    let Observation { dialect, outcome, finish, text_chars, usage, tool_calls, .. } =
        read(content_type, body);
    let tokens = [usage.input, usage.cached_input, usage.output, usage.reasoning];
    (dialect, outcome, finish, text_chars, tokens, tool_calls)
}

fn whole(body: &str) -> Facts {
    facts("application/json", body)
}

/// Each item is the data of an event.
fn stream(events: &[&str]) -> Facts {
    let events: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    facts("text/event-stream", &events)
}

#[test]
fn bedrocks_models_with_a_stop_reason_in_their_choices() {
    // Amazon Bedrock user guide: Mistral AI chat completion, response.
    let mistral = |reason: &str| {
        whole(&format!(
            r#"{{"choices":[{{"index":0,"message":{{"role":"assistant","content":"Bonjour"}},"stop_reason":"{reason}"}}]}}"#
        ))
    };
    for (reason, finish) in
        [("stop", Finish::Stop), ("length", Finish::Length), ("tool_calls", Finish::ToolCalls)]
    {
        assert_eq!(mistral(reason), (Some("openai-chat"), Outcome::Complete, finish, Some(7), [None; 4], 0));
    }
    // vLLM: `stop_reason` is the text or the token that stopped the answer, beside `finish_reason`.
    for choice in [
        r#""finish_reason":"length","stop_reason":null"#,
        r#""stop_reason":"stop","finish_reason":"length""#,
        r#""finish_reason":"length","stop_reason":128009"#,
    ] {
        let body = format!(r#"{{"choices":[{{"index":0,"message":{{"content":"Hi"}},{choice}}}]}}"#);
        assert_eq!(whole(&body).2, Finish::Length, "{body}");
    }
}

#[test]
fn text_with_its_sources_is_text_of_the_answer() {
    // Bedrock: API_runtime_ContentBlock, `citationsContent`; API_runtime_CitationsDelta.
    let body = r#"{"output":{"message":{"role":"assistant","content":[{"text":"As "},{"citationsContent":{"content":[{"text":"it says"}],"citations":[{"title":"A title","sourceContent":[{"text":"A long source"}],"location":{"documentChar":{"documentIndex":0,"start":0,"end":9}}}]}},{"text":"."}]}},"stopReason":"end_turn","usage":{"inputTokens":4,"outputTokens":3,"totalTokens":7}}"#;
    let tokens = [Some(4), None, Some(3), None];
    assert_eq!(whole(body), (Some("bedrock-converse"), Outcome::Complete, Finish::Stop, Some(11), tokens, 0));
    let events = [
        r#"{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"text":"it says"}}}"#,
        r#"{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"citation":{"title":"A title","sourceContent":[{"text":"A source"}]}}}}"#,
        r#"{"messageStop":{"stopReason":"end_turn"}}"#,
    ];
    assert_eq!(
        stream(&events),
        (Some("bedrock-converse"), Outcome::Complete, Finish::Stop, Some(7), [None; 4], 0)
    );
}

#[test]
fn a_background_response_that_waits_is_no_answer() {
    // OpenAI: guides/background.
    for status in ["queued", "in_progress"] {
        let body = format!(
            r#"{{"id":"resp_1","object":"response","status":"{status}","background":true,"error":null,"incomplete_details":null,"model":"m","output":[],"usage":null}}"#
        );
        let seen = read("application/json", &body);
        assert_eq!((seen.is_answer, seen.text_chars, seen.unparsed), (false, None, None), "{body}");
    }
    // A stream of one is an answer, complete or not.
    let queued =
        r#"{"type":"response.queued","sequence_number":1,"response":{"id":"resp_1","status":"queued"}}"#;
    let delta = r#"{"type":"response.output_text.delta","output_index":0,"delta":"Hi"}"#;
    let done = r#"{"type":"response.completed","response":{"status":"completed"}}"#;
    assert_eq!(
        stream(&[queued, delta, done]),
        (Some("openai-responses"), Outcome::Complete, Finish::Stop, Some(2), [None; 4], 0)
    );
    assert_eq!(
        stream(&[queued]),
        (Some("openai-responses"), Outcome::Truncated, Finish::None, Some(0), [None; 4], 0)
    );
}

/// Members that many documents of other kinds have.
#[test]
fn members_of_many_apis_mark_none() {
    for body in [
        r#"{"p":"abcdef"}"#,
        r#"{"output_index":0,"x":1}"#,
        r#"{"type":"tick","p":"abc"}"#,
        r#"{"object":"response.compaction.x"}"#,
        r#"{"text":"a transcription"}"#,
        r#"{"index":0,"status":"completed"}"#,
        r#"{"message":{"content":"Hi"}}"#,
        r#"{"usage":{"total_tokens":1},"model":"m"}"#,
    ] {
        assert_eq!(whole(body).0, None, "{body}");
    }
}
