//! Which texts and calls reach the detectors of defects, wherever the keys stand that place them.

use super::super::*;
use crate::defect::{Defect, OfferedNames};

const LOOP: &str = "to be or not to be that is to be or not to be that is to be or not to be that is to be or not to be that is to be or not to be that is to be or not to be that is to be or not to be that is to be or not to be that is to be or not to be that is to be or not to be that is ";

fn stream(documents: &[&str]) -> String {
    documents.iter().map(|document| format!("data: {document}\n\n")).collect()
}

/// The defects of a body, which are the same in every chunking. `@` in it stands for a text that repeats itself.
fn found(asked: &Option<Asked>, content_type: &str, body: &str) -> String {
    let body = body.replace('@', LOOP);
    let head = Head { status: 200, content_type: content_type.as_bytes(), ..Head::default() };
    let names = |size: usize| {
        let mut observer = Observer::new(head, 0, 0);
        observer.detect_defects(asked.clone());
        body.as_bytes().chunks(size).for_each(|piece| observer.push(0, piece));
        let seen = observer.finish(End::Complete, 0);
        seen.defects.iter().map(Defect::as_str).collect::<Vec<_>>().join(" ")
    };
    let whole = names(body.len());
    for size in (1..=40).chain([100, 300]) {
        assert_eq!(names(size), whole, "in pieces of {size}: {body}");
    }
    whole
}

fn json(body: &str) -> String {
    found(&None, "application/json", body)
}

fn events(documents: &[&str]) -> String {
    found(&None, "text/event-stream", &stream(documents))
}

/// A request that offers these tools.
fn offering(tools: &[&str]) -> Option<Asked> {
    let mut names = OfferedNames::default();
    tools.iter().for_each(|tool| names.add(tool.as_bytes()));
    Some(Asked { names, json: false })
}

#[test]
fn a_text_is_read_wherever_the_keys_stand_that_place_it() {
    for (expected, body) in [
        ("repetition", r#"{"choices":[{"index":0,"message":{"content":"@"},"finish_reason":"stop"}]}"#),
        ("repetition", r#"{"choices":[{"message":{"content":"@"},"finish_reason":"stop","index":0}]}"#),
        (
            "",
            r#"{"choices":[{"message":{"content":"@"},"finish_reason":"stop","index":1},{"message":{"content":"a"},"finish_reason":"stop","index":0}]}"#,
        ),
        (
            "",
            r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"},{"message":{"content":"@"},"finish_reason":"stop"}]}"#,
        ),
        // Reasoning and text, told apart by what comes after them.
        (
            "reasoning_only repetition",
            r#"{"candidates":[{"content":{"parts":[{"text":"@","thought":true}]},"finishReason":"STOP"}]}"#,
        ),
        (
            "repetition",
            r#"{"candidates":[{"content":{"parts":[{"text":"@","thought":true},{"text":"a"}]},"finishReason":"STOP"}]}"#,
        ),
        (
            "repetition",
            r#"{"output":[{"content":[{"text":"@","type":"output_text"}],"role":"assistant","type":"message"}],"object":"response","status":"completed"}"#,
        ),
        (
            "reasoning_only repetition",
            r#"{"output":[{"content":[{"text":"@","type":"reasoning_text"}],"summary":[],"type":"reasoning"}],"object":"response","status":"completed"}"#,
        ),
        (
            "reasoning_only repetition",
            r#"{"output":[{"summary":[{"text":"@","type":"summary_text"}],"type":"reasoning"}],"object":"response","status":"completed"}"#,
        ),
        (
            "reasoning_only repetition",
            r#"{"type":"message","content":[{"thinking":"@","type":"thinking"}],"stop_reason":"end_turn"}"#,
        ),
        // What a tool of the server's has found is not the model's.
        (
            "",
            r#"{"type":"message","content":[{"text":"@","type":"web_search_tool_result"},{"type":"text","text":"a"}],"stop_reason":"end_turn"}"#,
        ),
        // The same text at two paths counts once, and what has a better path only there.
        ("", r#"{"choices":[{"text":"@","delta":{"content":"a"},"finish_reason":"stop","index":0}]}"#),
        ("", r#"{"choices":[{"delta":{"content":"a"},"text":"@","finish_reason":"stop","index":0}]}"#),
    ] {
        assert_eq!(json(body), expected, "{body}");
    }
}

#[test]
fn a_stream_is_read_wherever_the_keys_stand() {
    let split: Vec<&str> = LOOP.split_inclusive(' ').collect();
    let chat = |form: &str| split.iter().map(|word| form.replace('@', word)).collect::<Vec<_>>();
    for (expected, first, form, last) in [
        (
            "repetition",
            "",
            r#"{"choices":[{"index":0,"delta":{"content":"@"}}]}"#,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        ),
        (
            "repetition",
            "",
            r#"{"choices":[{"delta":{"content":"@"},"index":0}]}"#,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        ),
        (
            "",
            r#"{"choices":[{"delta":{"content":"a"},"index":0}]}"#,
            r#"{"choices":[{"delta":{"content":"@"},"index":1}]}"#,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"},{"index":1,"delta":{},"finish_reason":"stop"}]}"#,
        ),
        (
            "repetition",
            r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"reasoning_content":"@"}}]}"#,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        ),
        (
            "repetition",
            "",
            r#"{"type":"response.output_text.delta","delta":"@"}"#,
            r#"{"type":"response.completed","response":{"status":"completed"}}"#,
        ),
        (
            "repetition",
            "",
            r#"{"content_index":0,"delta":"@","item_id":"a","output_index":0,"type":"response.output_text.delta"}"#,
            r#"{"type":"response.completed","response":{"status":"completed"}}"#,
        ),
        (
            "reasoning_only repetition",
            "",
            r#"{"delta":"@","item_id":"a","output_index":0,"type":"response.reasoning_text.delta"}"#,
            r#"{"type":"response.completed","response":{"status":"completed"}}"#,
        ),
        // The end repeats what the deltas had, which is no repetition.
        (
            "",
            r#"{"type":"response.created","response":{"status":"in_progress"}}"#,
            r#"{"type":"response.in_progress","response":{"output":[{"type":"message","content":[{"text":"@"}]}]}}"#,
            r#"{"type":"response.completed","response":{"status":"completed","output":[{"type":"message","content":[{"text":"a","type":"output_text"}]}]}}"#,
        ),
        (
            "repetition",
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"@"}}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#,
        ),
        (
            "repetition",
            r#"{"content_block":{"text":"","type":"text"},"index":0,"type":"content_block_start"}"#,
            r#"{"delta":{"text":"@","type":"text_delta"},"index":0,"type":"content_block_delta"}"#,
            r#"{"delta":{"stop_reason":"end_turn"},"type":"message_delta"}"#,
        ),
        (
            "reasoning_only repetition",
            "",
            r#"{"candidates":[{"content":{"parts":[{"text":"@","thought":true}]},"index":0}]}"#,
            r#"{"candidates":[{"content":{"parts":[]},"finishReason":"STOP","index":0}]}"#,
        ),
    ] {
        let documents = chat(form);
        let all: Vec<&str> = [first]
            .into_iter()
            .filter(|first| !first.is_empty())
            .chain(documents.iter().map(String::as_str))
            .chain([last])
            .collect();
        assert_eq!(events(&all), expected, "{form}");
    }
}

#[test]
fn a_text_that_repeats_the_answer_up_to_now_is_read_once() {
    let words = LOOP.replace(' ', "_ ");
    let text = |end: usize| format!(r#"{{"text":"{}","meta_info":{{"finish_reason":null}}}}"#, &words[..end]);
    let end =
        |text: &str| format!(r#"{{"text":"{text}","meta_info":{{"finish_reason":{{"type":"stop"}}}}}}"#);
    let sentence =
        "Each event has all of the text that came before it, so it repeats itself for the reader alone.";
    let cumulative: Vec<String> =
        (1..sentence.len()).step_by(7).map(|at| text(at).replace(&words[..at], &sentence[..at])).collect();
    let check = |documents: Vec<String>| events(&documents.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(check([cumulative, vec![end(sentence)]].concat()), "");
    let looping: Vec<String> = (1..words.len()).step_by(5).map(text).collect();
    assert_eq!(check([looping, vec![end(&words)]].concat()), "repetition");
    // With an option, an event has only what is new.
    let new = |part: &str| format!(r#"{{"text":"{part}","meta_info":{{"finish_reason":null}}}}"#);
    let incremental: Vec<String> = words.split_inclusive(' ').map(new).collect();
    assert_eq!(check([incremental, vec![end("")]].concat()), "repetition");
    // Pieces that begin alike are told from the whole text by their lengths, or by the tokens that are added.
    let tokens = |part: &str, count: usize| {
        format!(r#"{{"text":"{part}","meta_info":{{"finish_reason":null,"completion_tokens":{count}}}}}"#)
    };
    let shorter = [vec![new("!!"), new("!")], vec![new("!!!!"); 20], vec![end("")]].concat();
    assert_eq!(check(shorter), "repetition");
    let alike = (1..90).map(|count| tokens("!", count)).chain([end("")]).collect();
    assert_eq!(check(alike), "repetition");
    // A word that stops the answer is cut off, and a token may show nothing.
    let ends = vec![tokens("One.", 1), tokens("One. Two", 2), tokens("One. Two", 3), end("One. ")];
    assert_eq!(check(ends), "");
    // Of several answers, the first.
    let of = |index: u64, part: &str| {
        format!(r#"{{"text":"{part}","meta_info":{{"finish_reason":{{"type":"stop"}}}},"index":{index}}}"#)
    };
    assert_eq!(check(vec![of(1, &words), of(0, "a")]), "");
    assert_eq!(check(vec![of(1, "a"), of(0, &words)]), "repetition");
}

#[test]
fn arguments_are_checked_of_each_call() {
    let call = |index: u64, more: &str| {
        format!(r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{{"index":{index},{more}}}]}}}}]}}"#)
    };
    let begin = |index| call(index, r#""id":"c","function":{"name":"f","arguments":""}"#);
    let text = |index, text: &str| call(index, &format!(r#""function":{{"arguments":"{text}"}}"#));
    let late = |index: u64, text: &str| {
        format!(
            r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{{"function":{{"arguments":"{text}"}},"index":{index}}}]}}}}]}}"#
        )
    };
    let end = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#.to_string();
    for (expected, documents) in [
        ("", vec![begin(0), text(0, "{"), text(0, r#"\"a\":1}"#)]),
        ("tool_args_invalid", vec![begin(0), text(0, "{"), text(0, r#"\"a\":1"#)]),
        ("tool_args_invalid", vec![begin(0), text(0, "{"), text(0, "'a':1}")]),
        ("tool_args_invalid", vec![begin(0), text(0, "{}{}")]),
        ("", vec![begin(0)]),
        // Two calls whose fragments alternate.
        ("", vec![begin(0), begin(1), text(0, "{"), text(1, "{"), text(0, "}"), text(1, "}")]),
        (
            "tool_args_invalid",
            vec![begin(0), begin(1), text(0, "{"), text(1, "{"), text(0, "]"), text(1, "}")],
        ),
        // The index comes last: what belongs to another call than expected is not known.
        ("", vec![begin(0), late(0, "{"), late(0, "}")]),
        ("tool_args_invalid", vec![begin(0), late(0, "{"), late(0, "]")]),
        ("", vec![begin(0), begin(1), late(0, "{"), late(1, "{"), late(0, "}"), late(1, "}")]),
    ] {
        let all: Vec<&str> = documents.iter().map(String::as_str).chain([end.as_str()]).collect();
        assert_eq!(events(&all), expected, "{documents:?}");
    }
    let item = r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","call_id":"c","name":"f","arguments":""}}"#;
    let custom = r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"custom_tool_call","call_id":"c","name":"f","input":""}}"#;
    let completed = r#"{"type":"response.completed","response":{"status":"completed"}}"#;
    let delta = |kind: &str, text: &str| {
        format!(r#"{{"delta":"{text}","item_id":"a","output_index":0,"type":"response.{kind}.delta"}}"#)
    };
    let function = |text| delta("function_call_arguments", text);
    for (expected, documents) in [
        ("", vec![item.into(), function("{"), function("}")]),
        ("tool_args_invalid", vec![item.into(), function("{"), function("]")]),
        ("", vec![custom.into(), delta("custom_tool_call_input", "{"), delta("custom_tool_call_input", "]")]),
        // Servers that send no deltas.
        ("tool_args_invalid", vec![item.into(), r#"{"type":"response.function_call_arguments.done","output_index":0,"arguments":"{]"}"#.into()]),
        ("tool_args_invalid", vec![r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","call_id":"c","name":"f","arguments":"{]"}}"#.into()]),
        ("", vec![item.into(), function("{"), function("}"), r#"{"type":"response.function_call_arguments.done","output_index":0,"arguments":"{}"}"#.into()]),
    ] {
        let all: Vec<&str> = documents.iter().map(String::as_str).chain([completed]).collect();
        assert_eq!(events(&all), expected, "{documents:?}");
    }
    for (expected, body) in [
        (
            "tool_args_invalid",
            r#"{"choices":[{"message":{"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{]"}}]},"finish_reason":"tool_calls"}]}"#,
        ),
        (
            "",
            r#"{"choices":[{"message":{"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{]"}}]},"finish_reason":"length"}]}"#,
        ),
        (
            "tool_args_invalid",
            r#"{"output":[{"type":"function_call","call_id":"c","name":"f","arguments":"{]"}],"object":"response","status":"completed"}"#,
        ),
        (
            "",
            r#"{"type":"message","content":[{"type":"tool_use","id":"a","name":"f","input":{"x":"{"}}],"stop_reason":"tool_use"}"#,
        ),
        (
            "tool_args_invalid",
            r#"{"choices":[{"message":{"function_call":{"name":"f","arguments":"{]"}},"finish_reason":"function_call"}]}"#,
        ),
    ] {
        assert_eq!(json(body), expected, "{body}");
    }
}

#[test]
fn a_tool_is_known_by_its_name() {
    let chat = |name: &str| {
        format!(
            r#"{{"choices":[{{"message":{{"tool_calls":[{{"id":"a","type":"function","function":{{"name":"{name}","arguments":"{{}}"}}}}]}},"finish_reason":"tool_calls"}}]}}"#
        )
    };
    for form in [
        chat("@"),
        r#"{"choices":[{"message":{"tool_calls":[{"id":"a","type":"custom","custom":{"name":"@","input":"x"}}]},"finish_reason":"tool_calls"}]}"#.into(),
        r#"{"output":[{"type":"function_call","call_id":"c","name":"@","arguments":"{}"}],"object":"response","status":"completed"}"#.into(),
        r#"{"output":[{"name":"@","call_id":"c","input":"x","type":"custom_tool_call"}],"object":"response","status":"completed"}"#.into(),
        r#"{"type":"message","content":[{"name":"@","id":"a","input":{},"type":"tool_use"}],"stop_reason":"tool_use"}"#.into(),
        r#"{"candidates":[{"content":{"parts":[{"functionCall":{"args":{},"name":"@"}}]},"finishReason":"STOP"}]}"#.into(),
        r#"{"output":{"message":{"content":[{"toolUse":{"input":{},"name":"@","toolUseId":"a"}}]}},"stopReason":"tool_use"}"#.into(),
        r#"{"message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"@","arguments":{}}}]},"done":true,"done_reason":"stop"}"#.into(),
        r#"{"message":{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"@","arguments":"{}"}}]},"finish_reason":"TOOL_CALL","usage":{"tokens":{"output_tokens":1}}}"#.into(),
        r#"{"text":"","generation_id":"a","tool_calls":[{"name":"@","parameters":{}}],"finish_reason":"COMPLETE"}"#.into(),
        r#"{"object":"conversation.response","outputs":[{"type":"function.call","tool_call_id":"a","name":"@","arguments":"{}"}],"usage":{"prompt_tokens":1}}"#.into(),
        r#"{"result":{"response":"","tool_calls":[{"name":"@","arguments":{}}]},"success":true}"#.into(),
    ] {
        let is = |name: &str| found(&offering(&["get_weather", "search"]), "application/json", &form.replace('@', name));
        assert_eq!(is("search"), "", "{form}");
        assert_eq!(is("lookup"), "tool_name_unknown", "{form}");
        assert_eq!(is("get_weather<|channel|>commentary"), "control_token tool_name_unknown", "{form}");
        assert_eq!(json(&form.replace('@', "lookup")), "", "the request was not seen");
    }
    // Tools that the server runs are its own matter.
    let own = r#"{"type":"message","content":[{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}},{"type":"text","text":"a"}],"stop_reason":"end_turn"}"#;
    assert_eq!(found(&offering(&["search"]), "application/json", own), "");
}

#[test]
fn what_an_answer_has_is_not_empty() {
    for (expected, body) in [
        ("empty", r#"{"choices":[{"message":{"role":"assistant","content":""},"finish_reason":"stop"}]}"#),
        (
            "empty",
            r#"{"choices":[{"message":{"role":"assistant","content":null,"annotations":[],"audio":null},"finish_reason":"stop"}]}"#,
        ),
        (
            "reasoning_only",
            r#"{"choices":[{"message":{"role":"assistant","content":"","reasoning":"a"},"finish_reason":"stop"}]}"#,
        ),
        (
            "",
            r#"{"choices":[{"message":{"role":"assistant","content":null,"refusal":"No."},"finish_reason":"stop"}]}"#,
        ),
        (
            "",
            r#"{"choices":[{"message":{"role":"assistant","content":""},"finish_reason":"content_filter"}]}"#,
        ),
        (
            "",
            r#"{"choices":[{"message":{"role":"assistant","content":null,"audio":{"id":"a","data":"AAAA"}},"finish_reason":"stop"}]}"#,
        ),
        (
            "",
            r#"{"choices":[{"message":{"role":"assistant","content":"","images":[{"type":"image_url"}]},"finish_reason":"stop"}]}"#,
        ),
        ("empty", r#"{"output":[],"object":"response","status":"completed"}"#),
        (
            "empty",
            r#"{"output":[{"type":"message","content":[{"type":"output_text","text":""}]}],"object":"response","status":"completed"}"#,
        ),
        (
            "reasoning_only",
            r#"{"output":[{"type":"reasoning","summary":[]}],"object":"response","status":"completed"}"#,
        ),
        (
            "",
            r#"{"output":[{"type":"image_generation_call","result":"AAAA"}],"object":"response","status":"completed"}"#,
        ),
        (
            "",
            r#"{"output":[{"type":"message","content":[{"type":"refusal","refusal":"No."}]}],"object":"response","status":"completed"}"#,
        ),
        (
            "",
            r#"{"output":[{"type":"custom_tool_call","call_id":"a","name":"x_keyword_search","input":"a"}],"object":"response","status":"completed"}"#,
        ),
        ("", r#"{"output":[],"object":"response","status":"queued"}"#),
        ("empty", r#"{"type":"message","content":[],"stop_reason":"end_turn","stop_sequence":null}"#),
        (
            "reasoning_only",
            r#"{"type":"message","content":[{"type":"redacted_thinking","data":"AAAA"}],"stop_reason":"end_turn"}"#,
        ),
        (
            "",
            r#"{"type":"message","content":[{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}],"stop_reason":"end_turn"}"#,
        ),
        ("empty", r#"{"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}]}"#),
        (
            "",
            r#"{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]},"finishReason":"STOP"}]}"#,
        ),
        (
            "",
            r#"{"candidates":[{"content":{"parts":[{"executableCode":{"code":"1"}}]},"finishReason":"STOP"}]}"#,
        ),
        ("", r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#),
        ("empty", r#"{"output":{"message":{"content":[]}},"stopReason":"end_turn"}"#),
        ("", r#"{"output":{"message":{"content":[{"image":{"format":"png"}}]}},"stopReason":"end_turn"}"#),
        (
            "reasoning_only",
            r#"{"output":{"message":{"content":[{"reasoningContent":{"redactedContent":"AAAA"}}]}},"stopReason":"end_turn"}"#,
        ),
        ("empty", r#"{"message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"}"#),
        ("", r#"{"model":"m","response":"","done":true,"done_reason":"load"}"#),
        ("empty", r#"{"generated_text":"","details":{"finish_reason":"eos_token"}}"#),
        ("empty", r#"{"text_output":"","model_version":"1","finish_reason":"stop"}"#),
        (
            "",
            r#"{"text":"","generation_id":"a","search_queries":[{"text":"q"}],"is_search_required":true,"finish_reason":"COMPLETE"}"#,
        ),
    ] {
        assert_eq!(json(body), expected, "{body}");
    }
}

#[test]
fn thoughts_and_values_are_told_from_texts() {
    let json_asked = Some(Asked { json: true, ..Asked::default() });
    let value = r#"{"result":{"response":{"city":"Bonn"},"usage":{"prompt_tokens":9}},"success":true}"#;
    assert_eq!(found(&json_asked, "application/json", value), "");
    let text = r#"{"result":{"response":"Bonn","usage":{"prompt_tokens":9}},"success":true}"#;
    assert_eq!(found(&json_asked, "application/json", text), "json_missing");
    let end = r#"{"type":"response.completed","response":{"status":"completed"}}"#;
    let part = r#"{"type":"response.content_part.added","part":{"type":"reasoning_text","text":""}}"#;
    let delta = r#"{"type":"response.reasoning_text.delta","delta":"a"}"#;
    let done = r#"{"type":"response.content_part.done","part":{"type":"reasoning_text","text":"a"}}"#;
    assert_eq!(events(&[part, delta, done, end]), "reasoning_only");
    let step = |of: &str| format!(r#"{{"index":0,"step":{of},"event_type":"step.start"}}"#);
    let delta = |of: &str| format!(r#"{{"index":0,"delta":{of},"event_type":"step.delta"}}"#);
    let end = r#"{"interaction":{"status":"completed"},"event_type":"interaction.completed"}"#.to_string();
    for (expected, documents) in [
        (
            "reasoning_only repetition",
            vec![
                step(r#"{"type":"thought"}"#),
                delta(r#"{"type":"thought_summary","content":{"type":"text","text":"@"}}"#),
            ],
        ),
        (
            "tool_args_invalid",
            vec![
                step(r#"{"type":"function_call","id":"a","name":"f","arguments":{}}"#),
                delta(r#"{"type":"arguments_delta","arguments":"{"}"#),
                delta(r#"{"type":"arguments_delta","arguments":"]"}"#),
            ],
        ),
        (
            "",
            vec![
                step(r#"{"type":"function_call","id":"a","name":"f","arguments":{}}"#),
                delta(r#"{"type":"arguments_delta","arguments":"{"}"#),
                delta(r#"{"type":"arguments_delta","arguments":"}"}"#),
            ],
        ),
    ] {
        let all: Vec<&str> = documents.iter().chain([&end]).map(String::as_str).collect();
        assert_eq!(events(&all), expected, "{documents:?}");
    }
}

#[test]
fn of_a_list_of_answers_the_first_counts() {
    for (expected, body) in [
        ("", r#"{"predictions":["Good.","\ufffd"]}"#),
        ("replacement_char", r#"{"predictions":["Bad.\ufffd","Good."]}"#),
        ("empty", r#"{"predictions":["","Good."]}"#),
        ("", r#"{"predictions":[{"generated_text":"Good."},{"generated_text":"@"}]}"#),
        ("repetition", r#"{"predictions":[{"generated_text":"@"},{"generated_text":"Good."}]}"#),
        (
            "",
            r#"{"model_version":"1","outputs":[{"name":"text_output","datatype":"BYTES","data":["Good.","@"]}]}"#,
        ),
        (
            "repetition",
            r#"{"model_version":"1","outputs":[{"name":"text_output","datatype":"BYTES","data":["@","Good."]}]}"#,
        ),
    ] {
        assert_eq!(json(body), expected, "{body}");
    }
}

#[test]
fn what_broke_off_is_not_empty_and_has_no_lack() {
    let json_asked = Some(Asked { json: true, ..Asked::default() });
    let chat = |finish: &str| {
        stream(&[r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#, finish])
    };
    let text = |finish: &str| stream(&[r#"{"choices":[{"index":0,"delta":{"content":"{\"a\""}}]}"#, finish]);
    let (stop, length) = (
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}"#,
    );
    let found = |body: &str| found(&json_asked, "text/event-stream", body);
    assert_eq!(found(&chat(stop)), "json_missing empty");
    assert_eq!(found(&chat(r#"{"choices":[]}"#)), "");
    assert_eq!(found(&text(stop)), "json_missing");
    assert_eq!(found(&text(length)), "");
    assert_eq!(found(&text(r#"{"choices":[]}"#)), "");
}
