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
    for (status, finish) in [("queued", Finish::Other), ("in_progress", Finish::None)] {
        let body = format!(
            r#"{{"id":"resp_1","object":"response","status":"{status}","background":true,"error":null,"incomplete_details":null,"model":"m","output":[],"usage":null}}"#
        );
        let seen = read("application/json", &body);
        assert_eq!((seen.is_answer, seen.finish), (false, finish), "{body}");
        assert_eq!((seen.text_chars, seen.unparsed), (Some(0), None), "{body}");
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

#[test]
fn llama_cpps_own_completion() {
    // llama.cpp: tools/server/README.md, POST /completion; server-task.cpp, to_json_non_oaicompat.
    let partial = |index: u8, text: &str, tokens: u8| {
        format!(
            r#"{{"index":{index},"content":"{text}","tokens":[1],"stop":false,"id_slot":-1,"tokens_predicted":{tokens},"tokens_evaluated":5}}"#
        )
    };
    let last = |index: u8, text: &str, end: &str| {
        format!(
            r#"{{"index":{index},"content":"{text}","tokens":[],"id_slot":0,"stop":true,"model":"m","tokens_predicted":3,"tokens_evaluated":5,"generation_settings":{{"n_predict":-1,"stop":["x"],"stream":true}},"prompt":"A long prompt","has_new_line":false,"truncated":false,{end},"tokens_cached":9,"timings":{{"cache_n":4,"prompt_n":1,"predicted_n":3}}}}"#
        )
    };
    let tokens = [Some(5), Some(4), Some(3), None];
    let name = Some("llama-cpp");
    for (end, finish) in [
        (r#""stop_type":"eos","stopping_word":"""#, Finish::Stop),
        (r#""stop_type":"word","stopping_word":"x""#, Finish::Stop),
        (r#""stop_type":"limit","stopping_word":"""#, Finish::Length),
        // Before ggml-org/llama.cpp#10643.
        (r#""stopped_eos":true,"stopped_word":false,"stopped_limit":false,"stopping_word":"""#, Finish::Stop),
        (
            r#""stopped_eos":false,"stopped_word":false,"stopped_limit":true,"stopping_word":"""#,
            Finish::Length,
        ),
        (r#""x":1"#, Finish::Stop),
    ] {
        let expected = (name, Outcome::Complete, finish, Some(11), tokens, 0);
        assert_eq!(whole(&last(0, "a dark eye ", end)), expected, "{end}");
        let events = [partial(0, "a dark", 1), partial(0, " eye ", 2), last(0, "", end)];
        assert_eq!(stream(&events.each_ref().map(String::as_str)), expected, "{end}");
        let cut = stream(&events[..2].iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((cut.1, cut.3), (Outcome::Truncated, Some(11)));
    }
    // Several prompts: an array, and events with an index.
    let eos = r#""stop_type":"eos""#;
    let array = format!("[{},{}]", last(0, "one", eos), last(1, "three", eos));
    assert_eq!(
        whole(&array),
        (name, Outcome::Complete, Finish::Stop, Some(8), [Some(10), Some(8), Some(6), None], 0)
    );
    let events = [partial(0, "one", 1), partial(1, "three", 1), last(0, "", eos)];
    assert_eq!(stream(&events.each_ref().map(String::as_str)).1, Outcome::Truncated);
    let error =
        [partial(0, "one", 1), r#"{"error":{"code":500,"message":"x","type":"server_error"}}"#.into()];
    assert_eq!(stream(&error.each_ref().map(String::as_str)).1, Outcome::StreamError);
}

#[test]
fn mistrals_conversations() {
    // mistralai/client-python: models, ConversationEventsData, ConversationResponse.
    let name = Some("mistral-conversations");
    let started = r#"{"type":"conversation.response.started","conversation_id":"conv_1"}"#;
    let text = r#"{"type":"message.output.delta","output_index":0,"id":"msg_1","content_index":0,"model":"m","role":"assistant","content":"Bon"}"#;
    let chunk = r#"{"type":"message.output.delta","output_index":0,"id":"msg_1","content_index":1,"role":"assistant","content":{"type":"text","text":"jour"}}"#;
    let source = r#"{"type":"message.output.delta","output_index":0,"id":"msg_1","content_index":2,"content":{"type":"tool_reference","tool":"web_search","title":"A title"}}"#;
    let thought = r#"{"type":"message.output.delta","output_index":0,"id":"msg_1","content":{"type":"thinking","thinking":[{"type":"text","text":"Hm"}]}}"#;
    let call = |index: u8, id: &str, arguments: &str| {
        format!(
            r#"{{"type":"function.call.delta","output_index":{index},"id":"fc_1","name":"f","tool_call_id":"{id}","arguments":"{arguments}"}}"#
        )
    };
    let tool = r#"{"type":"tool.execution.started","output_index":1,"id":"tool_1","name":"web_search","arguments":"{}"}"#;
    let handoff = r#"{"type":"agent.handoff.started","output_index":2,"id":"h","previous_agent_id":"a","previous_agent_name":"b"}"#;
    let done = r#"{"type":"conversation.response.done","usage":{"prompt_tokens":6,"completion_tokens":3,"total_tokens":9,"connector_tokens":null}}"#;
    let tokens = [Some(6), None, Some(3), None];
    let events = [started, tool, thought, text, chunk, source, handoff, done];
    assert_eq!(stream(&events), (name, Outcome::Complete, Finish::None, Some(7), tokens, 0));
    assert_eq!(stream(&events[..5]), (name, Outcome::Truncated, Finish::None, Some(7), [None; 4], 0));
    let calls = [call(0, "a", r#"{\"x\":"#), call(0, "a", "1}"), call(1, "b", "{}")];
    let events = [started, &calls[0], &calls[1], &calls[2], done];
    assert_eq!(stream(&events), (name, Outcome::Complete, Finish::None, Some(0), tokens, 2));
    let failed = r#"{"type":"conversation.response.error","message":"x","code":500}"#;
    assert_eq!(stream(&[started, text, failed]).1, Outcome::StreamError);
    let body = r#"{"object":"conversation.response","conversation_id":"conv_1","outputs":[{"object":"entry","type":"tool.execution","name":"web_search","arguments":"{}","info":{"text":"not the answer"}},{"object":"entry","type":"message.output","role":"assistant","model":"m","content":"Bon"},{"object":"entry","type":"message.output","content":[{"type":"text","text":"jour"},{"type":"tool_reference","title":"A title"}]},{"object":"entry","type":"function.call","tool_call_id":"a","name":"f","arguments":"{}"}],"usage":{"prompt_tokens":6,"completion_tokens":3,"total_tokens":9}}"#;
    assert_eq!(whole(body), (name, Outcome::Complete, Finish::None, Some(7), tokens, 1));
}

#[test]
fn cloudflares_workers_ai() {
    // Cloudflare: Workers AI, API reference; workers-types, AiTextGenerationOutput.
    let name = Some("workers-ai");
    let tokens = [Some(6), None, Some(3), None];
    let usage = r#""usage":{"prompt_tokens":6,"completion_tokens":3,"total_tokens":9}"#;
    let body =
        format!(r#"{{"result":{{"response":"Hello",{usage}}},"success":true,"errors":[],"messages":[]}}"#);
    assert_eq!(whole(&body), (name, Outcome::Complete, Finish::None, Some(5), tokens, 0));
    let body = format!(
        r#"{{"result":{{"response":null,"tool_calls":[{{"name":"f","arguments":{{"x":1}}}},{{"name":"f","arguments":{{}}}}],{usage}}},"success":true}}"#
    );
    assert_eq!(whole(&body), (name, Outcome::Complete, Finish::None, Some(0), tokens, 2));
    let body = format!(
        r#"{{"success":true,"errors":[],"result":{{"object":"chat.completion","choices":[{{"index":0,"message":{{"role":"assistant","content":"Hello"}},"finish_reason":"stop"}}],{usage}}}}}"#
    );
    assert_eq!(whole(&body), (name, Outcome::Complete, Finish::Stop, Some(5), tokens, 0));
    let body = r#"{"result":null,"success":false,"errors":[{"code":5007,"message":"No such model"}]}"#;
    assert_eq!(whole(body).0, None);
    let last = format!(r#"{{"response":"","p":"abcd",{usage}}}"#);
    let events = [r#"{"response":"Hel","p":"abcdefgh"}"#, r#"{"response":"lo","p":"ab"}"#, &last, "[DONE]"];
    assert_eq!(stream(&events), (name, Outcome::Complete, Finish::None, Some(5), tokens, 0));
    assert_eq!(stream(&events[..2]), (name, Outcome::Truncated, Finish::None, Some(5), [None; 4], 0));
    // In either order of keys, and where the first event has the usage.
    assert_eq!(stream(&[&last, "[DONE]"]).0, name);
    // Ollama's are not taken, nor is a response that is no string.
    assert_eq!(whole(r#"{"response":"Hi","done":true}"#).0, Some("ollama"));
    assert_eq!(whole(r#"{"response":{"x":1}}"#).0, None);
}

#[test]
fn kserves_first_protocol() {
    // KServe: V1 protocol, Predict; Vertex: model garden's vLLM; MLflow: pyfunc of a text generation pipeline.
    let name = Some("kserve-v1");
    for (body, chars) in [
        (r#"{"predictions":["one","three"]}"#, 8),
        (r#"{"predictions":[{"text":"one"}],"model_name":"m"}"#, 3),
        (r#"{"predictions":[{"generated_text":"one"},{"generated_text":"three"}]}"#, 8),
        (r#"{"predictions":[[{"generated_text":"one"}]]}"#, 3),
        (r#"{"predictions":[{"output_text":"one","finish_reason":"stop"}]}"#, 3),
        (r#"{"predictions":[{"content":"one","safetyAttributes":{"blocked":false}}],"metadata":{"x":1}}"#, 3),
        (r#"{"predictions":[{"candidates":[{"author":"1","content":"one"}]}]}"#, 3),
        (r#"{"predictions":[""]}"#, 0),
    ] {
        assert_eq!(whole(body), (name, Outcome::Complete, Finish::None, Some(chars), [None; 4], 0), "{body}");
    }
    for body in [
        r#"{"predictions":[0,1,2]}"#,
        r#"{"predictions":[[0.1,0.9]]}"#,
        r#"{"predictions":[{"embeddings":{"values":[0.1]}}]}"#,
        r#"{"predictions":[{"bytesBase64Encoded":"AAAA","mimeType":"image/png"}]}"#,
        r#"{"predictions":[{"label":"a","score":0.9}]}"#,
    ] {
        assert_eq!(read("application/json", body).text_chars, None, "{body}");
    }
}

#[test]
fn responses_whose_text_is_not_in_deltas() {
    // OpenAI: API reference, streaming events of Responses. Each of these has the whole text.
    let created =
        r#"{"type":"response.created","response":{"id":"resp_1","status":"in_progress","output":[]}}"#;
    let added =
        r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"message","content":[]}}"#;
    let deltas = [
        r#"{"type":"response.output_text.delta","output_index":0,"delta":"Hel"}"#,
        r#"{"type":"response.output_text.delta","output_index":0,"delta":"lo"}"#,
    ];
    let ends = [
        r#"{"type":"response.output_text.done","output_index":0,"text":"Hello"}"#,
        r#"{"type":"response.content_part.done","output_index":0,"part":{"type":"output_text","text":"Hello"}}"#,
        r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":[{"type":"output_text","text":"Hello"}]}}"#,
        r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}}"#,
    ];
    let done = r#"{"type":"response.completed","response":{"status":"completed","text":{"format":{"type":"text"}},"output":[{"type":"reasoning","summary":[{"text":"Hm"}]},{"type":"message","content":[{"type":"output_text","text":"Hello"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"web_search_call","id":"w"}],"usage":{"input_tokens":4,"output_tokens":2}}}"#;
    let expected = (
        Some("openai-responses"),
        Outcome::Complete,
        Finish::Stop,
        Some(5),
        [Some(4), None, Some(2), None],
        1,
    );
    // Any set of these.
    for set in 0..1 << ends.len() {
        let chosen = ends.iter().enumerate().filter(|(at, _)| set & (1 << at) != 0).map(|(_, event)| *event);
        let chosen: Vec<&str> = chosen.collect();
        for start in [&[created, added][..], &[created, added, deltas[0], deltas[1]], &[]] {
            let events = [start, &chosen[..], &[done]].concat();
            assert_eq!(stream(&events), expected, "{events:?}");
        }
    }
    // What an item says at its beginning comes again at its end.
    let added = r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"message","content":[{"type":"output_text","text":"Hello"}]}}"#;
    assert_eq!(stream(&[created, added, ends[2], done]), expected);
    // Calls without ids, which the last event repeats.
    let call = r#"{"type":"response.output_item.added","output_index":3,"item":{"type":"function_call","name":"f"}}"#;
    let done = done.replace(r#""call_id":"c","#, "");
    assert_eq!(stream(&[created, call, &done]), expected);
    // Reasoning is none of the text.
    let reasoning = r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","content":[{"type":"reasoning_text","text":"Hm"}],"summary":[]}}"#;
    let part = r#"{"type":"response.content_part.done","output_index":0,"part":{"type":"reasoning_text","text":"Hm"}}"#;
    assert_eq!(stream(&[created, part, reasoning, deltas[0], deltas[1], &done]), expected);
}

#[test]
fn events_of_bare_json_values_have_no_length() {
    let seen = |events: &[&str]| {
        let events: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        let seen = read("text/event-stream", &events);
        (seen.text_chars, seen.unparsed)
    };
    let unread = (None, Some(Unparsed::Dialect));
    for events in
        [&[r#""Hel""#, r#""lo""#][..], &["1", "2.5"], &["null"], &["true", "[DONE]"], &[r#""a \" b""#]]
    {
        assert_eq!(seen(events), unread, "{events:?}");
    }
    // Text may have words that are JSON as well, and begin like it.
    assert_eq!(seen(&["The answer is", "42"]), (Some(15), None));
    assert_eq!(seen(&["42", "is it"]), (Some(7), None));
    assert_eq!(seen(&[r#""Hello" he said"#]), (Some(15), None));
    assert_eq!(seen(&[r#""Hello"#]), (Some(6), None));
    // Where a dialect is known, they are nothing.
    let chat = r#"{"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}"#;
    assert_eq!(seen(&["null", chat, r#""x""#]), (Some(2), None));
}

#[test]
fn the_first_line_tells_the_dialect_at_once() {
    // So that the first token is timed when it comes, not when the body is long enough or has ended.
    let lines = [
        r#"{"model":"m","message":{"role":"assistant","content":"Hi"},"done":false}"#,
        r#"{"model":"m","message":{"role":"assistant","content":"!"},"done":false}"#,
        r#"{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"}"#,
    ];
    let gemini =
        |text: &str| format!(r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{text}"}}]}}}}]}}"#);
    let array = [format!("[{},", gemini("Hi")), format!("{},", gemini("!")), format!("{}]", gemini(""))];
    let lines = lines.map(|line| format!("{line}\n"));
    for (content_type, pieces) in [("application/x-ndjson", &lines), ("application/json", &array)] {
        let head = Head { status: 200, content_type: content_type.as_bytes(), ..Head::default() };
        let mut observer = Observer::new(head, 0, 0);
        for (now, piece) in (10..).step_by(10).zip(pieces) {
            observer.push(now, piece.as_bytes());
        }
        let timing = observer.finish(End::Complete, 90).timing;
        assert_eq!((timing.first_token_us, timing.last_token_us), (Some(10), Some(20)), "{content_type}");
    }
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
