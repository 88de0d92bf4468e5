use super::{Api, Transcript, read};
use serde_json::{Value, json};

fn events(documents: &[Value]) -> Vec<u8> {
    documents.iter().map(|document| format!("data: {document}\n\n")).collect::<String>().into_bytes()
}

fn streamed(api: Api, documents: &[Value]) -> Transcript {
    read(api, "text/event-stream", &events(documents))
}

fn whole(api: Api, document: &Value) -> Transcript {
    read(api, "application/json", document.to_string().as_bytes())
}

fn paris(calls: &[Value]) -> bool {
    let arguments =
        calls.first().and_then(|call| call.pointer("/function/arguments")).and_then(Value::as_str);
    let parsed = arguments.and_then(|text| serde_json::from_str::<Value>(text).ok());
    calls.len() == 1 && calls[0]["function"]["name"] == "weather" && parsed == Some(json!({"city": "Paris"}))
}

#[test]
fn text_of_each_api_streamed_and_whole() {
    let delta = |text: &str| json!({"choices": [{"index": 0, "delta": {"content": text}}]});
    let message = |text: &str| json!({"choices": [{"message": {"role": "assistant", "content": text}}]});
    let item = json!({"type": "message", "content": [{"type": "output_text", "text": "Hello"}]});
    let of_output = |text: &str| json!({"type": "response.output_text.delta", "delta": text});
    let block = |text: &str| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}});
    let cases: [(Api, Vec<Value>, Value); 4] = [
        (Api::Chat, vec![delta("Hel"), delta("lo")], message("Hello")),
        (
            Api::Completions,
            vec![json!({"choices": [{"text": "Hel"}]}), json!({"choices": [{"text": "lo"}]})],
            json!({"choices": [{"text": "Hello"}]}),
        ),
        (
            Api::Responses,
            vec![
                of_output("Hel"),
                of_output("lo"),
                json!({"type": "response.output_item.done", "item": item}),
                json!({"type": "response.completed", "response": {"output": [item], "error": null}}),
            ],
            json!({"object": "response", "output": [item], "error": null}),
        ),
        (
            Api::Messages,
            vec![
                json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
                block("Hel"),
                block("lo"),
            ],
            json!({"type": "message", "content": [{"type": "text", "text": "Hello"}]}),
        ),
    ];
    for (api, documents, document) in cases {
        for transcript in [streamed(api, &documents), whole(api, &document)] {
            assert_eq!((transcript.text.as_str(), &transcript.error), ("Hello", &None), "{api:?}");
            assert!(transcript.calls.is_empty());
        }
    }
    let lines = "{\"message\":{\"content\":\"Hel\"}}\n{\"message\":{\"content\":\"lo\"}}\n{\"mess";
    assert_eq!(read(Api::Ollama, "application/x-ndjson", lines.as_bytes()).text, "Hello");
    assert_eq!(whole(Api::Ollama, &json!({"message": {"content": "Hello"}})).text, "Hello");
}

#[test]
fn a_stream_of_responses_that_breaks_off_keeps_its_text() {
    let documents = [json!({"type": "response.output_text.delta", "delta": "Hel"})];
    assert_eq!(streamed(Api::Responses, &documents).text, "Hel");
}

#[test]
fn calls_of_each_api_streamed_and_whole() {
    let piece = |name: Option<&str>, arguments: &str| json!({"choices": [{"delta": {"tool_calls": [{"index": 0, "id": name.map(|_| "c1"), "function": {"name": name, "arguments": arguments}}]}}]});
    let input = json!({"city": "Paris"});
    let call = json!({"id": "c1", "type": "function", "function": {"name": "weather", "arguments": input.to_string()}});
    let chat = [piece(Some("weather"), ""), piece(None, "{\"city\":"), piece(None, "\"Paris\"}")];
    assert!(paris(&streamed(Api::Chat, &chat).calls));
    assert!(paris(
        &whole(Api::Chat, &json!({"choices": [{"message": {"content": null, "tool_calls": [call]}}]})).calls
    ));

    let item =
        json!({"type": "function_call", "call_id": "c1", "name": "weather", "arguments": input.to_string()});
    let done = [json!({"type": "response.output_item.done", "item": item})];
    assert!(paris(&streamed(Api::Responses, &done).calls));
    assert!(paris(&whole(Api::Responses, &json!({"output": [item]})).calls));

    let begin = json!({"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "c1", "name": "weather", "input": {}}});
    let next = |json: &str| json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": json}});
    let messages = [begin, next("{\"city\":"), next("\"Paris\"}")];
    assert!(paris(&streamed(Api::Messages, &messages).calls));
    let block = json!({"type": "tool_use", "id": "c1", "name": "weather", "input": input});
    assert!(paris(&whole(Api::Messages, &json!({"content": [block]})).calls));

    let line = json!({"message": {"content": "", "tool_calls": [{"function": {"name": "weather", "arguments": input}}]}});
    assert!(paris(&whole(Api::Ollama, &line).calls));
}

#[test]
fn several_calls_stay_apart() {
    let piece = |index: u64, name: &str, arguments: &str| json!({"choices": [{"delta": {"tool_calls": [{"index": index, "function": {"name": name, "arguments": arguments}}]}}]});
    let mixed = [piece(0, "a", ""), piece(1, "b", ""), piece(0, "", "{}"), piece(1, "", "{\"x\":1}")];
    let calls = streamed(Api::Chat, &mixed).calls;
    assert_eq!(calls[0]["function"], json!({"name": "a", "arguments": "{}"}));
    assert_eq!(calls[1]["function"], json!({"name": "b", "arguments": "{\"x\":1}"}));
}

#[test]
fn a_refusal_is_text_where_there_is_no_other() {
    let document = json!({"choices": [{"message": {"content": null, "refusal": "I cannot"}}]});
    assert_eq!(whole(Api::Chat, &document).text, "I cannot");
}

#[test]
fn reasoning_is_no_text() {
    let document = json!({"choices": [{"message": {"content": "4", "reasoning_content": "2 and 2"}}]});
    assert_eq!(whole(Api::Chat, &document).text, "4");
    let thinking =
        json!({"content": [{"type": "thinking", "thinking": "2 and 2"}, {"type": "text", "text": "4"}]});
    assert_eq!(whole(Api::Messages, &thinking).text, "4");
    let reasoning = json!({"type": "reasoning", "content": [{"type": "reasoning_text", "text": "2 and 2"}]});
    let message = json!({"type": "message", "content": [{"type": "output_text", "text": "4"}]});
    assert_eq!(whole(Api::Responses, &json!({"output": [reasoning, message]})).text, "4");
}

#[test]
fn errors_are_named() {
    for (api, document, kind, message) in [
        (
            Api::Chat,
            json!({"error": {"message": "no", "type": "server_error", "code": 500}}),
            "500 server_error",
            "no",
        ),
        (
            Api::Messages,
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}),
            "overloaded_error",
            "busy",
        ),
        (Api::Ollama, json!({"error": "model not found"}), "", "model not found"),
        (
            Api::Responses,
            json!({"type": "error", "code": "rate_limit_exceeded", "message": "slow"}),
            "rate_limit_exceeded error",
            "slow",
        ),
        (
            Api::Responses,
            json!({"type": "response.failed", "response": {"error": {"code": "server_error", "message": "x"}}}),
            "server_error",
            "x",
        ),
    ] {
        let error = streamed(api, &[document]).error.unwrap();
        assert_eq!((error.kind.as_str(), error.message.as_str()), (kind, message));
    }
}

#[test]
fn any_bytes_are_read() {
    for api in Api::ALL {
        for body in [
            &b""[..],
            b"\xff\xfe",
            b"{",
            b"null",
            b"[1]",
            b"data: {\"choices\":[{}]}\n\n",
            b"<html>",
            b"{\"choices\":1}",
        ] {
            for kind in ["", "text/event-stream", "application/json"] {
                assert_eq!(read(api, kind, body).text, "");
            }
        }
    }
}
