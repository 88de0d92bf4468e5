//! What vendors send for the same fact: words for ends, counts of tokens, errors. Every body is read in any pieces.

use super::*;

/// The observation of a body, which is the same in any two pieces and byte by byte.
fn read(content_type: &str, body: &str) -> Observation {
    let observe = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let head = Head { status: 200, content_type: content_type.as_bytes(), ..Head::default() };
        let mut observer = Observer::new(head, 0, 0);
        pieces.for_each(|piece| observer.push(0, piece));
        // When deltas came depends on the pieces.
        Observation { timing: Timing::default(), ..observer.finish(End::Complete, 0) }
    };
    let whole = observe(&mut [body.as_bytes()].into_iter());
    assert_eq!(observe(&mut body.as_bytes().chunks(1)), whole, "byte by byte: {body}");
    for cut in 0..=body.len() {
        let (first, second) = body.as_bytes().split_at(cut);
        assert_eq!(observe(&mut [first, second].into_iter()), whole, "cut at {cut}: {body}");
    }
    whole
}

/// A body in which `@` stands for the word at the end.
const CHAT: &str = r#"{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"@"}]}"#;
const MESSAGES: &str = r#"{"type":"message","content":[{"type":"text","text":"Hi"}],"stop_reason":"@"}"#;
const GEMINI: &str = r#"{"candidates":[{"content":{"parts":[{"text":"Hi"}]},"finishReason":"@"}]}"#;
const PROMPT: &str = r#"{"promptFeedback":{"blockReason":"@"},"usageMetadata":{"promptTokenCount":1}}"#;
const CONVERSE: &str = r#"{"output":{"message":{"content":[{"text":"Hi"}]}},"stopReason":"@"}"#;
const TITAN: &str = r#"{"results":[{"outputText":"Hi","completionReason":"@"}]}"#;
const JURASSIC: &str = r#"{"completions":[{"data":{"text":"Hi"},"finishReason":{"reason":"@"}}]}"#;
const COHERE_V2: &str =
    r#"{"message":{"content":[{"type":"text","text":"Hi"}]},"finish_reason":"@","usage":{"tokens":{}}}"#;
const COHERE_V1: &str = r#"{"text":"Hi","generation_id":"g","finish_reason":"@"}"#;
const TGI: &str = r#"{"generated_text":"Hi","details":{"finish_reason":"@"}}"#;
const SGLANG: &str = r#"{"text":"Hi","meta_info":{"finish_reason":{"type":"@"}}}"#;
const OLLAMA: &str = r#"{"response":"Hi","done":true,"done_reason":"@"}"#;
const RESPONSES: &str =
    r#"{"output":[{"type":"message"}],"status":"incomplete","incomplete_details":{"reason":"@"}}"#;
const STATUS: &str = r#"{"output":[{"type":"message"}],"status":"@"}"#;
const INTERACTIONS: &str = r#"{"object":"interaction","status":"@"}"#;

#[test]
fn every_documented_word_for_an_end_is_known() {
    let complete = Outcome::Complete;
    let words: &[(&str, &[&str], Finish, Outcome)] = &[
        (CHAT, &["stop", "eos"], Finish::Stop, complete),
        (CHAT, &["tool_calls", "function_call"], Finish::ToolCalls, complete),
        (CHAT, &["length", "model_length", "model_context_window_exceeded"], Finish::Length, complete),
        (CHAT, &["repetition", "repetition_truncation"], Finish::Length, complete),
        (CHAT, &["content_filter", "sensitive", "SAFETY"], Finish::ContentFilter, complete),
        (CHAT, &["error", "abort", "network_error"], Finish::Error, Outcome::StreamError),
        (CHAT, &["insufficient_system_resource", "timeout"], Finish::Error, Outcome::StreamError),
        (CHAT, &["malformed_function_call"], Finish::Error, complete),
        (CHAT, &["a_word_of_tomorrow", "cancelled"], Finish::Other, complete),
        (MESSAGES, &["end_turn", "stop_sequence"], Finish::Stop, complete),
        (MESSAGES, &["max_tokens", "model_context_window_exceeded"], Finish::Length, complete),
        (MESSAGES, &["refusal"], Finish::ContentFilter, complete),
        (MESSAGES, &["pause_turn"], Finish::Other, complete),
        (GEMINI, &["STOP", "1"], Finish::Stop, complete),
        (GEMINI, &["MAX_TOKENS", "2"], Finish::Length, complete),
        (GEMINI, &["SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST"], Finish::ContentFilter, complete),
        (GEMINI, &["PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"], Finish::ContentFilter, complete),
        (GEMINI, &["IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT"], Finish::ContentFilter, complete),
        (GEMINI, &["IMAGE_RECITATION", "3", "4", "6", "7", "8", "11"], Finish::ContentFilter, complete),
        (GEMINI, &["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"], Finish::Error, complete),
        (GEMINI, &["TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE"], Finish::Error, complete),
        (GEMINI, &["MISSING_THOUGHT_SIGNATURE"], Finish::Error, complete),
        (GEMINI, &["OTHER", "IMAGE_OTHER", "NO_IMAGE", "5", "9", "10"], Finish::Other, complete),
        (GEMINI, &["FINISH_REASON_UNSPECIFIED", "0"], Finish::None, complete),
        (PROMPT, &["SAFETY", "OTHER", "BLOCKLIST", "JAILBREAK"], Finish::ContentFilter, complete),
        (PROMPT, &["BLOCK_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED", ""], Finish::None, complete),
        (CONVERSE, &["end_turn", "stop_sequence"], Finish::Stop, complete),
        (CONVERSE, &["tool_use"], Finish::ToolCalls, complete),
        (CONVERSE, &["max_tokens", "model_context_window_exceeded"], Finish::Length, complete),
        (CONVERSE, &["guardrail_intervened", "content_filtered"], Finish::ContentFilter, complete),
        (CONVERSE, &["malformed_model_output", "malformed_tool_use"], Finish::Error, complete),
        (TITAN, &["FINISH", "FINISHED", "STOP_CRITERIA_MET"], Finish::Stop, complete),
        (TITAN, &["LENGTH"], Finish::Length, complete),
        (TITAN, &["CONTENT_FILTERED"], Finish::ContentFilter, complete),
        (TITAN, &["RAG_QUERY_WHEN_RAG_DISABLED"], Finish::Other, complete),
        (JURASSIC, &["endoftext", "stop"], Finish::Stop, complete),
        (JURASSIC, &["length"], Finish::Length, complete),
        (COHERE_V2, &["COMPLETE", "STOP_SEQUENCE"], Finish::Stop, complete),
        (COHERE_V2, &["MAX_TOKENS"], Finish::Length, complete),
        (COHERE_V2, &["TOOL_CALL"], Finish::ToolCalls, complete),
        (COHERE_V2, &["ERROR", "TIMEOUT"], Finish::Error, Outcome::StreamError),
        (COHERE_V1, &["ERROR_TOXIC"], Finish::ContentFilter, complete),
        (COHERE_V1, &["ERROR_LIMIT"], Finish::Length, complete),
        (COHERE_V1, &["USER_CANCEL"], Finish::Other, complete),
        (TGI, &["eos_token", "stop_sequence"], Finish::Stop, complete),
        (TGI, &["length"], Finish::Length, complete),
        (SGLANG, &["stop"], Finish::Stop, complete),
        (SGLANG, &["abort"], Finish::Error, Outcome::StreamError),
        (OLLAMA, &["stop"], Finish::Stop, complete),
        (OLLAMA, &["load", "unload"], Finish::Other, complete),
        (RESPONSES, &["max_output_tokens", ""], Finish::Length, complete),
        (RESPONSES, &["content_filter"], Finish::ContentFilter, complete),
        (STATUS, &["completed"], Finish::Stop, complete),
        (STATUS, &["cancelled"], Finish::Other, complete),
        (STATUS, &["failed"], Finish::Error, Outcome::StreamError),
        (INTERACTIONS, &["requires_action"], Finish::ToolCalls, complete),
        (INTERACTIONS, &["failed"], Finish::Error, Outcome::StreamError),
    ];
    for &(body, words, finish, outcome) in words {
        for word in words {
            let seen = read("application/json", &body.replace('@', word));
            assert_eq!((seen.finish, seen.outcome), (finish, outcome), "{word} in {body}");
            assert_eq!(seen.error, outcome == Outcome::StreamError, "{word} in {body}");
            let is_refusal = seen.refusal == Some(Refusal::Structured);
            assert_eq!(is_refusal, finish == Finish::ContentFilter, "{word} in {body}");
        }
    }
}

#[test]
fn an_end_by_the_servers_failure_is_no_complete_stream() {
    for word in ["abort", "error", "network_error"] {
        let body = format!(
            "data: {{\"choices\":[{{\"delta\":{{\"content\":\"Hi\"}},\"finish_reason\":\"{word}\"}}]}}\n\ndata: [DONE]\n\n"
        );
        let seen = read("text/event-stream", &body);
        assert_eq!(
            (seen.outcome, seen.finish, seen.text_chars),
            (Outcome::StreamError, Finish::Error, Some(2))
        );
    }
}

#[test]
fn usage_is_found_under_every_name() {
    let usage = |input, cached_input, output, reasoning| Usage { input, cached_input, output, reasoning };
    let chat = |usage: &str| {
        format!(r#"{{"choices":[{{"message":{{"content":"Hi"}},"finish_reason":"stop"}}],{usage}}}"#)
    };
    let metrics = r#""amazon-bedrock-invocationMetrics":{"inputTokenCount":4,"outputTokenCount":2,"cacheReadInputTokenCount":3}"#;
    let own = usage(Some(4), None, Some(2), None);
    let cached = usage(Some(4), Some(3), Some(2), None);
    let all = usage(Some(4), Some(3), Some(2), Some(1));
    let responses =
        |usage: &str| format!(r#"{{"output":[{{"type":"message"}}],"status":"completed",{usage}}}"#);
    let cases = [
        // Numbers as strings.
        (chat(r#""usage":{"prompt_tokens":"4","completion_tokens":"2"}"#), own),
        (r#"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":"4","candidatesTokenCount":"2"}}"#.into(), own),
        (chat(r#""usage":{"prompt_tokens":"many","completion_tokens":"2"}"#), usage(None, None, Some(2), None)),
        // Another dialect's names, alone and beside the own ones, in any order; a 0 stands for nothing.
        (chat(r#""usage":{"prompt_tokens":4,"completion_tokens":2,"cache_read_input_tokens":3}"#), cached),
        (chat(r#""usage":{"input_tokens":4,"output_tokens":2,"input_tokens_details":{"cached_tokens":3},"output_tokens_details":{"reasoning_tokens":1}}"#), all),
        (chat(r#""usage":{"prompt_tokens":4,"completion_tokens":2,"input_tokens":0,"output_tokens":0}"#), own),
        (chat(r#""usage":{"input_tokens":0,"output_tokens":0,"prompt_tokens":4,"completion_tokens":2}"#), own),
        (chat(r#""usage":{"prompt_tokens":0,"completion_tokens":0,"input_tokens":4,"output_tokens":2}"#), own),
        (chat(r#""usage":{"input_tokens":4,"output_tokens":2,"prompt_tokens":0,"completion_tokens":0}"#), own),
        (chat(r#""usage":{"prompt_tokens":4,"completion_tokens":2,"input_tokens":9,"output_tokens":9}"#), own),
        (chat(r#""x_groq":{"usage":{"prompt_tokens":4,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":3}}}"#), cached),
        (responses(r#""usage":{"prompt_tokens":4,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":1}}"#), all),
        (responses(r#""usage":{"input_tokens":4,"output_tokens":2,"prompt_tokens":0,"completion_tokens":0}"#), own),
        (r#"{"type":"response.completed","response":{"status":"completed","usage":{"prompt_tokens":4,"completion_tokens":2}}}"#.into(), own),
        (r#"{"type":"message","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":4,"output_tokens":2,"cache_read_input_tokens":3,"prompt_tokens":7,"completion_tokens":2}}"#.into(), cached),
        (r#"{"type":"message","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"prompt_tokens":4,"completion_tokens":2}}"#.into(), own),
        // Amazon's metrics, behind every model of invoke.
        (chat(metrics), cached),
        (format!(r#"{{"generation":"Hi","stop_reason":"stop",{metrics}}}"#), cached),
        (format!(r#"{{"outputText":"Hi","completionReason":"FINISH",{metrics}}}"#), cached),
        (format!(r#"{{"completion":"Hi","stop_reason":"stop_sequence",{metrics}}}"#), cached),
        (format!(r#"{{"type":"message_stop",{metrics},"stop_sequence":null}}"#), cached),
        (format!(r#"{{"messageStop":{{"stopReason":"end_turn"}},{metrics}}}"#), cached),
        (format!(r#"{{"generations":[{{"text":"Hi","finish_reason":"COMPLETE"}}],{metrics}}}"#), cached),
        (format!(r#"{{"outputs":[{{"text":"Hi","stop_reason":"stop"}}],{metrics}}}"#), cached),
        // Cohere.
        (r#"{"message":{"content":[]},"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":4,"output_tokens":2}}}"#.into(), own),
        (r#"{"message":{"content":[]},"finish_reason":"COMPLETE","usage":{"tokens":{"input_tokens":4,"output_tokens":2},"billed_units":{"input_tokens":1,"output_tokens":9}}}"#.into(), own),
        (r#"{"text":"Hi","generation_id":"g","meta":{"tokens":{"input_tokens":4,"output_tokens":2},"billed_units":{"input_tokens":1,"output_tokens":9}}}"#.into(), own),
        (r#"{"generation_id":"g","event_type":"stream-end","finish_reason":"COMPLETE","response":{"meta":{"billed_units":{"input_tokens":4,"output_tokens":2}}}}"#.into(), own),
        (r#"{"is_finished":true,"event_type":"stream-end","finish_reason":"COMPLETE","response":{"meta":{"tokens":{"input_tokens":4,"output_tokens":2},"cached_tokens":3}}}"#.into(), cached),
        // Converse's stream through a gateway.
        (r#"{"metadata":{"usage":{"inputTokens":4,"outputTokens":2,"cacheReadInputTokens":3}},"stopReason":"end_turn"}"#.into(), cached),
    ];
    for (body, expected) in cases {
        assert_eq!(read("application/json", &body).usage, expected, "{body}");
    }
}

#[test]
fn tokens_of_each_response_of_triton_are_summed() {
    let event = |text: &str, finish: &str, output: u64| {
        format!(
            "data: {{\"finish_reason\":\"{finish}\",\"model_version\":\"1\",\"num_input_tokens\":4,\"num_output_tokens\":{output},\"text_output\":\"{text}\"}}\n\n"
        )
    };
    let body = [event("One", "None", 2), event(" two", "None", 2), event("", "length", 1)].concat();
    let seen = read("text/event-stream", &body);
    assert_eq!((seen.usage.input, seen.usage.output), (Some(4), Some(5)));
    assert_eq!((seen.finish, seen.outcome, seen.text_chars), (Finish::Length, Outcome::Complete, Some(7)));
}

/// Bodies of every dialect, and of none, that go on with what stands for `@`.
const BODIES: &[&str] = &[
    r#"{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]@}"#,
    r#"{"output":[{"type":"message"}],"status":"completed"@}"#,
    r#"{"type":"message","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn"@}"#,
    r#"{"completion":"Hi","stop_reason":"stop_sequence"@}"#,
    r#"{"candidates":[{"finishReason":"STOP"}]@}"#,
    r#"{"object":"interaction","status":"completed"@}"#,
    r#"{"output":{"message":{"content":[{"text":"Hi"}]}},"stopReason":"end_turn"@}"#,
    r#"{"generation":"Hi","stop_reason":"stop"@}"#,
    r#"{"message":{"content":[]},"finish_reason":"COMPLETE","usage":{"tokens":{}}@}"#,
    r#"{"text":"Hi","generation_id":"g","finish_reason":"COMPLETE"@}"#,
    r#"{"response":"Hi","done":true@}"#,
    r#"{"generated_text":"Hi"@}"#,
    r#"{"text":"Hi","meta_info":{"finish_reason":{"type":"stop"}}@}"#,
    r#"{"text_output":"Hi"@}"#,
    r#"{"answer":"Hi"@}"#,
];

#[test]
fn an_error_that_says_nothing_is_none() {
    for body in BODIES {
        let outcome = |error: &str| read("application/json", &body.replace('@', error)).outcome;
        for nothing in ["{}", "[]", " { } ", "[\n]", "0", "0.0", "null", "false", r#""""#] {
            let error = format!(r#","error":{nothing}"#);
            assert_eq!(outcome(&error), Outcome::Complete, "{nothing} in {body}");
            let then = format!(r#","error":"late"{error}"#);
            assert_eq!(outcome(&then), Outcome::StreamError, "an error, then {nothing} in {body}");
        }
        for something in [r#"{"message":""}"#, r#"["x"]"#, "[{}]", "1", "500", "true", r#""down""#] {
            let error = format!(r#","error":{something}"#);
            assert_eq!(outcome(&error), Outcome::StreamError, "{something} in {body}");
        }
    }
}

#[test]
fn errors_are_found_under_other_names() {
    let [chat, .., none] = BODIES else { panic!("there are bodies") };
    let exception = r#","throttlingException":{"message":"slow down"}"#;
    for (body, more, is_error) in [
        (chat, r#","x_groq":{"id":"r","error":"over capacity"}"#, true),
        (chat, r#","x_groq":{"id":"r","error":""}"#, false),
        (chat, r#","base_resp":{"status_code":1002,"status_msg":"rate limit"}"#, true),
        (chat, r#","base_resp":{"status_code":0,"status_msg":""}"#, false),
        (chat, r#","base_resp":{"status_code":"0","status_msg":""}"#, false),
        (chat, r#","error_code":17"#, true),
        (chat, r#","error_code":0"#, false),
        (chat, r#","object":"chat.completion""#, false),
        (none, r#","object":"error","message":"too long","type":"BadRequestError","code":400"#, true),
        (none, r#","object":"model""#, false),
        (none, r#","base_resp":{"status_code":1004,"status_msg":"no such key"}"#, true),
        (none, r#","base_resp":{"status_code":0,"status_msg":"success"}"#, false),
        (none, r#","error_code":17,"error_msg":"limit""#, true),
        (none, exception, true),
        (&CONVERSE.replace("\"@\"}", "\"end_turn\"@}").as_str(), exception, true),
    ] {
        let body = body.replace('@', more);
        assert_eq!(read("application/json", &body).error, is_error, "{body}");
    }
}

#[test]
fn an_error_in_the_middle_of_a_stream_is_found() {
    let delta = r#"data: {"object":"chat.completion.chunk","choices":[{"delta":{"content":"Hi"},"finish_reason":null}]}"#;
    for error in [
        r#"{"object":"error","message":"engine died","code":500}"#,
        r#"{"choices":[],"x_groq":{"error":"over capacity"}}"#,
        r#"{"choices":null,"base_resp":{"status_code":1000}}"#,
        r#"{"error":"engine died"}"#,
        r#"{"error_code":336100,"error_msg":"try again"}"#,
    ] {
        let body = format!("{delta}\n\n{delta}\n\n{delta}\n\ndata: {error}\n\ndata: [DONE]\n\n");
        let seen = read("text/event-stream", &body);
        assert_eq!((seen.outcome, seen.text_chars), (Outcome::StreamError, Some(6)), "{error}");
    }
}

#[test]
fn an_answer_of_nothing_is_truncated() {
    for (content_type, body, outcome) in [
        ("application/json", "", Outcome::Truncated),
        ("application/json; charset=utf-8", "\n\n\n", Outcome::Truncated),
        ("application/x-ndjson", "", Outcome::Truncated),
        ("application/problem+json", "", Outcome::Truncated),
        ("text/event-stream", "\n\n", Outcome::Truncated),
        ("text/plain", " \r\n\t", Outcome::Truncated),
        ("", "\n", Outcome::Truncated),
        // No body was announced.
        ("", "", Outcome::Complete),
        ("text/plain", "", Outcome::Complete),
        ("text/plain", " a ", Outcome::Complete),
    ] {
        let seen = read(content_type, body);
        let chars = if body.trim().is_empty() { 0 } else { 3 };
        assert_eq!((seen.outcome, seen.text_chars), (outcome, Some(chars)), "{content_type} {body:?}");
        assert!(!seen.error, "{content_type} {body:?}");
    }
    let late = format!("\n\n \n{}", CHAT.replace('@', "stop"));
    assert_eq!(read("application/json", &late).outcome, Outcome::Complete);
}

#[test]
fn no_body_is_missed_where_none_is_due() {
    for (status, is_answer_expected, outcome) in [
        (200, true, Outcome::Truncated),
        (200, false, Outcome::Complete), // such as HEAD
        (204, true, Outcome::Complete),
        (307, true, Outcome::Complete),
        (500, true, Outcome::HttpError),
    ] {
        let head = Head { status, content_type: b"application/json", ..Head::default() };
        let mut observer = Observer::new(head, 0, 0);
        if !is_answer_expected {
            observer.expect_no_answer();
        }
        assert_eq!(observer.finish(End::Complete, 0).outcome, outcome, "{status} {is_answer_expected}");
    }
    for (end, outcome) in
        [(End::ClientAbort, Outcome::ClientAbort), (End::UpstreamReset, Outcome::UpstreamReset)]
    {
        let head = Head { status: 200, content_type: b"application/json", ..Head::default() };
        let mut observer = Observer::new(head, 0, 0);
        observer.push(0, b"\n\n");
        assert_eq!(observer.finish(end, 0).outcome, outcome);
    }
}

#[test]
fn an_extra_output_of_triton_is_no_text() {
    let text = r#"{"name":"text_output","datatype":"BYTES","shape":[1],"data":["Hi"]}"#;
    let reason = r#"{"data":["stop"],"name":"finish_reason","datatype":"BYTES","shape":[1]}"#;
    let logprobs = r#"{"name":"logprobs","datatype":"BYTES","shape":[1],"data":["[{\"1\":0.5}]"]}"#;
    for outputs in [format!("{text},{reason},{logprobs}"), format!("{logprobs},{reason},{text}")] {
        let body = format!(r#"{{"model_name":"m","model_version":"1","outputs":[{outputs}]}}"#);
        let seen = read("application/json", &body);
        assert_eq!((seen.text_chars, seen.outcome), (Some(2), Outcome::Complete), "{body}");
    }
}
