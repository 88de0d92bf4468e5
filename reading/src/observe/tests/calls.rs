//! Which tool calls a response has.

use super::super::*;

/// Events with these documents.
fn stream(documents: &[&str]) -> String {
    documents.iter().map(|document| format!("data: {document}\n\n")).collect()
}

/// The number of calls in a body, which is the same in every chunking.
fn calls(content_type: &str, body: &str) -> u64 {
    let head = Head { status: 200, content_type: content_type.as_bytes(), ..Head::default() };
    let count = |size: usize| {
        let mut observer = Observer::new(head, 0, 0);
        body.as_bytes().chunks(size).for_each(|piece| observer.push(0, piece));
        observer.finish(End::Complete, 0).tool_calls
    };
    let whole = count(body.len());
    assert!((1..=40).chain([100, 300]).all(|size| count(size) == whole), "{body}");
    whole
}

#[test]
fn a_call_of_a_chat_is_told_by_its_place_and_begins_with_a_name() {
    for (expected, why, fragments) in [
        (
            1,
            "an id once",
            &[r#"0,"id":"a","function":{"name":"f","arguments":""}"#, r#"0,"function":{"arguments":"{}"}"#][..],
        ),
        (
            1,
            "an empty id later",
            &[
                r#"0,"id":"a","function":{"name":"f","arguments":""}"#,
                r#"0,"id":"","function":{"name":"","arguments":"{}"}"#,
            ],
        ),
        // InternLM/lmdeploy#3412
        (
            1,
            "a new id for each fragment",
            &[
                r#"0,"id":"a","function":{"name":"f","arguments":""}"#,
                r#"0,"id":"b","function":{"name":null,"arguments":"{\"x\":"}"#,
                r#"0,"id":"c","function":{"arguments":"1}"}"#,
            ],
        ),
        (
            1,
            "a new id and the name in each fragment",
            &[
                r#"0,"id":"a","function":{"name":"f","arguments":"{\"x\":"}"#,
                r#"0,"id":"b","function":{"name":"f","arguments":"1"}"#,
                r#"0,"id":"c","function":{"name":"f","arguments":"}"}"#,
            ],
        ),
        (
            1,
            "the name in each fragment, no id",
            &[
                r#"0,"function":{"name":"f","arguments":"{\"x\":"}"#,
                r#"0,"function":{"name":"f","arguments":"1}"}"#,
            ],
        ),
        (
            1,
            "the name in pieces",
            &[r#"0,"id":"a","function":{"name":"get"}"#, r#"0,"function":{"name":"_time","arguments":"{}"}"#],
        ),
        (
            1,
            "a late id",
            &[r#"0,"function":{"name":"f","arguments":""}"#, r#"0,"id":"a","function":{"arguments":"{}"}"#],
        ),
        (
            1,
            "a late name",
            &[
                r#"0,"id":"a","function":{"arguments":""}"#,
                r#"0,"id":"a","function":{"name":"f","arguments":"{}"}"#,
            ],
        ),
        // BerriAI/litellm#20480
        (
            1,
            "all of it again",
            &[
                r#"0,"id":"a","function":{"name":"f","arguments":"{\"x\":"}"#,
                r#"0,"id":"a","function":{"name":null,"arguments":"1}"}"#,
                r#"0,"id":"a","function":{"name":"f","arguments":"\"{}\""}"#,
            ],
        ),
        // ggml-org/llama.cpp#27966
        (
            2,
            "one id at two places",
            &[
                r#"0,"id":"a","function":{"name":"f","arguments":"{}"}"#,
                r#"1,"id":"a","function":{"name":"g","arguments":"{}"}"#,
            ],
        ),
        (
            2,
            "no ids",
            &[
                r#"0,"function":{"name":"f","arguments":"{}"}"#,
                r#"1,"function":{"name":"f","arguments":"{}"}"#,
            ],
        ),
        // Gemini's API in OpenAI's format
        (
            2,
            "two ids at one place",
            &[
                r#"0,"id":"a","function":{"name":"f","arguments":""}"#,
                r#"0,"id":"b","function":{"name":"f","arguments":"{}"}"#,
            ],
        ),
        (
            2,
            "no ids, one place",
            &[
                r#"0,"id":"","function":{"name":"f","arguments":"{}"}"#,
                r#"0,"id":"","function":{"name":"g","arguments":"{}"}"#,
            ],
        ),
        (
            2,
            "fragments that alternate",
            &[
                r#"0,"id":"a","function":{"name":"f","arguments":"{"}"#,
                r#"1,"id":"b","function":{"name":"g","arguments":"{"}"#,
                r#"0,"id":"c","function":{"arguments":"}"}"#,
                r#"1,"id":"d","function":{"arguments":"}"}"#,
            ],
        ),
        (
            0,
            "no name",
            &[r#"0,"id":"a","function":{"name":"","arguments":""}"#, r#"1,"function":{"arguments":""}"#],
        ),
        // OpenAI's custom tools
        (
            1,
            "a custom tool",
            &[
                r#"0,"id":"a","type":"custom","custom":{"name":"f","input":""}"#,
                r#"0,"custom":{"input":"x"}"#,
            ],
        ),
    ] {
        let delta = |fragment: &&str| {
            format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{{"index":{fragment}}}]}}}}]}}"#)
        };
        let documents: Vec<_> = fragments.iter().map(delta).collect();
        let documents: Vec<_> = documents.iter().map(String::as_str).collect();
        assert_eq!(calls("text/event-stream", &stream(&documents)), expected, "{why}");
    }
    let both = stream(&[
        r#"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":"{}"}},{"function":{"name":"f","arguments":"{}"}}]}}]}"#,
    ]);
    assert_eq!(calls("text/event-stream", &both), 2, "two in one event, without indexes");
    let legacy = stream(&[
        r#"{"choices":[{"delta":{"function_call":{"name":"f","arguments":""}}}]}"#,
        r#"{"choices":[{"delta":{"function_call":{"arguments":"{}"}}}]}"#,
    ]);
    assert_eq!(calls("text/event-stream", &legacy), 1);
    let whole = r#"{"choices":[{"message":{"function_call":{"name":"","arguments":""},"tool_calls":[{"id":"a","function":{"name":"f"}},{"id":"a","function":{"name":"f"}}]}}]}"#;
    assert_eq!(calls("application/json", whole), 2);
}

#[test]
fn a_call_of_the_other_dialects_is_told_by_its_place_too() {
    let item = |event: &str, index: u8, ids: &str| {
        format!(
            r#"{{"type":"response.output_item.{event}","output_index":{index},"item":{{{ids}"type":"function_call"}}}}"#
        )
    };
    let done = |index: u8| {
        format!(
            r#"{{"type":"response.function_call_arguments.done","output_index":{index},"arguments":"{{}}"}}"#
        )
    };
    let id = |item: &str, call: &str| format!(r#""id":"{item}","call_id":"{call}","#);
    for (expected, why, documents) in [
        // vercel/ai#18548, BerriAI/litellm#30072
        (
            1,
            "another item id in each event",
            vec![item("added", 0, &id("x", "a")), done(0), item("done", 0, &id("y", "a"))],
        ),
        (1, "no ids", vec![item("added", 3, ""), done(3), item("done", 3, "")]),
        (1, "another call id", vec![item("added", 0, &id("x", "a")), item("done", 0, &id("x", "b"))]),
        (1, "only the end of the item", vec![item("done", 0, &id("x", "a"))]),
        (
            2,
            "one id at two places",
            vec![
                item("added", 0, &id("x", "a")),
                item("added", 1, &id("x", "a")),
                item("done", 0, &id("x", "a")),
                item("done", 1, &id("x", "a")),
            ],
        ),
        (
            2,
            "no ids, two places",
            vec![item("added", 0, ""), item("done", 0, ""), item("added", 1, ""), item("done", 1, "")],
        ),
        (
            2,
            "one place",
            vec![
                item("added", 0, &id("x", "a")),
                item("done", 0, &id("x", "a")),
                item("added", 0, &id("y", "b")),
                item("done", 0, &id("y", "b")),
            ],
        ),
        (
            2,
            "no place",
            ["a", "b"]
                .iter()
                .flat_map(|call| {
                    ["added", "done"]
                        .map(|event| item(event, 0, &id("x", call)).replace(r#""output_index":0,"#, ""))
                })
                .collect(),
        ),
    ] {
        let documents: Vec<_> = documents.iter().map(String::as_str).collect();
        assert_eq!(calls("text/event-stream", &stream(&documents)), expected, "{why}");
    }
    let block = |index: u8, id: &str| {
        format!(
            r#"{{"type":"content_block_start","index":{index},"content_block":{{"type":"tool_use","id":"{id}","name":"f","input":{{}}}}}}"#
        )
    };
    for (expected, why, blocks) in [
        (2, "two ids", [block(0, "a"), block(1, "b")]),
        (2, "one id at two places", [block(0, "a"), block(1, "a")]),
        (2, "no ids", [block(0, ""), block(1, "")]),
        (2, "one place", [block(0, "a"), block(0, "b")]),
        (1, "the same block twice", [block(0, "a"), block(0, "a")]),
    ] {
        assert_eq!(calls("text/event-stream", &stream(&[&blocks[0], &blocks[1]])), expected, "{why}");
    }
    for (why, document) in [
        (
            "anthropic",
            r#"{"type":"message","content":[{"type":"tool_use","id":"a"},{"type":"tool_use","id":"a"}],"stop_sequence":null}"#,
        ),
        (
            "converse",
            r#"{"output":{"message":{"content":[{"toolUse":{"name":"f","input":{}}},{"toolUse":{"name":"f","input":{}}}]}},"stopReason":"tool_use"}"#,
        ),
        (
            "cohere",
            r#"{"message":{"tool_plan":"x","tool_calls":[{"id":"","function":{"name":"f"}},{"id":"","function":{"name":"f"}}]}}"#,
        ),
        (
            "gemini",
            r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{}}},{"functionCall":{"name":"f","args":{}}}]}}]}"#,
        ),
        (
            "interactions",
            r#"{"object":"interaction","steps":[{"type":"function_call","id":"a"},{"type":"function_call","id":"a"}]}"#,
        ),
    ] {
        assert_eq!(calls("application/json", document), 2, "{why}");
    }
}

#[test]
fn a_call_is_one_that_the_client_runs() {
    for (expected, item) in [
        (1, r#""type":"function_call","name":"x_keyword_search""#),
        (1, r#""type":"custom_tool_call","name":"f""#),
        (1, r#""type":"local_shell_call","action":{"type":"exec"}"#),
        (1, r#""type":"shell_call","action":{},"environment":{"type":"local"}"#),
        (1, r#""type":"shell_call","action":{},"environment":null"#),
        (1, r#""type":"apply_patch_call","operation":{"type":"create_file"}"#),
        (1, r#""type":"computer_call","action":{"type":"click"}"#),
        (1, r#""type":"tool_search_call","execution":"client""#),
        (0, r#""type":"tool_search_call","execution":"server","call_id":null"#),
        (0, r#""execution":"server","type":"tool_search_call""#),
        (0, r#""type":"shell_call","environment":{"type":"container_reference","container_id":"c"}"#),
        (0, r#""type":"shell_call_output","call_id":"c""#),
        (0, r#""type":"openrouter:shell""#),
        (0, r#""type":"web_search_call""#),
        (0, r#""type":"x_search_call""#),
        (0, r#""type":"file_search_call""#),
        (0, r#""type":"code_interpreter_call""#),
        (0, r#""type":"image_generation_call""#),
        (0, r#""type":"mcp_call","name":"f""#),
        (0, r#""type":"mcp_list_tools""#),
        (0, r#""type":"mcp_approval_request","name":"f""#),
        (0, r#""type":"custom_tool_call","name":"x_keyword_search""#),
        (0, r#""name":"x_thread_fetch","type":"custom_tool_call""#),
        (0, r#""type":"custom_tool_call","name":"view_x_video""#),
    ] {
        let whole = format!(r#"{{"object":"response","output":[{{{item}}}]}}"#);
        assert_eq!(calls("application/json", &whole), expected, "{item}");
        let event = |name: &str| {
            format!(r#"{{"type":"response.output_item.{name}","output_index":0,"item":{{{item}}}}}"#)
        };
        assert_eq!(
            calls("text/event-stream", &stream(&[&event("added"), &event("done")])),
            expected,
            "{item}"
        );
    }
    for (expected, block) in [
        (1, r#""type":"tool_use","name":"bash""#),
        (0, r#""type":"server_tool_use","name":"web_search""#),
        (0, r#""type":"server_tool_use","name":"bash_code_execution""#),
        (0, r#""type":"server_tool_use","name":"tool_search_tool_regex""#),
        (0, r#""type":"mcp_tool_use","name":"f""#),
        (0, r#""type":"mcp_tool_result""#),
    ] {
        let event =
            format!(r#"{{"type":"content_block_start","index":0,"content_block":{{{block},"id":"a"}}}}"#);
        let arguments = r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#;
        assert_eq!(calls("text/event-stream", &stream(&[&event, arguments])), expected, "{block}");
    }
    for (expected, whole) in [
        (1, r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{}}}]}}]}"#),
        (
            0,
            r#"{"candidates":[{"content":{"parts":[{"executableCode":{"code":"1"}},{"codeExecutionResult":{}},{"toolCall":{"toolType":"GOOGLE_SEARCH_WEB"}}]}}]}"#,
        ),
        (1, r#"{"object":"interaction","steps":[{"type":"function_call","name":"f"}]}"#),
        (
            0,
            r#"{"object":"interaction","steps":[{"type":"code_execution_call"},{"type":"google_search_call"},{"type":"mcp_server_tool_call"}]}"#,
        ),
        // Groq's compound models
        (
            0,
            r#"{"choices":[{"message":{"content":"a","executed_tools":[{"index":0,"type":"search","arguments":"{}"}]}}]}"#,
        ),
        // LiteLLM, from Anthropic's server_tool_use
        (
            0,
            r#"{"choices":[{"message":{"tool_calls":[{"id":"srvtoolu_1","type":"function","function":{"name":"web_search","arguments":"{}"}}]}}]}"#,
        ),
        // Moonshot's $web_search: the client has to send its arguments back.
        (
            1,
            r#"{"choices":[{"message":{"tool_calls":[{"index":0,"id":"a","type":"builtin_function","function":{"name":"$web_search","arguments":"{}"}}]}}]}"#,
        ),
    ] {
        assert_eq!(calls("application/json", whole), expected, "{whole}");
    }
    for (expected, kind) in [(1, ""), (0, r#","type":"server_tool_use""#)] {
        let whole = format!(
            r#"{{"output":{{"message":{{"content":[{{"toolUse":{{"name":"nova_code_interpreter","input":{{}}{kind}}}}}]}}}},"stopReason":"end_turn"}}"#
        );
        assert_eq!(calls("application/json", &whole), expected, "{kind}");
        let start = format!(
            r#"{{"contentBlockIndex":0,"start":{{"toolUse":{{"toolUseId":"a","name":"nova_grounding"{kind}}}}}}}"#
        );
        let delta = r#"{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{}"}}}"#;
        assert_eq!(calls("text/event-stream", &stream(&[&start, delta])), expected, "{kind}");
        let wrap = |name: &str, document: &str| format!(r#"{{"{name}":{document}}}"#);
        let nova = stream(&[
            r#"{"messageStart":{"role":"assistant"}}"#,
            &wrap("contentBlockStart", &start),
            &wrap("contentBlockDelta", delta),
        ]);
        assert_eq!(calls("text/event-stream", &nova), expected, "Nova {kind}");
    }
}
