//! Bodies of every API, as their documentation shows them, whole and cut.

use super::*;
use crate::request_facts::{BODY_BYTES_READ_MAX, RequestReader};
use proptest::prelude::*;

#[derive(Clone)]
struct Request {
    asked: Asked,
    has_tools: bool,
}

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Option<Request> {
    let mut reader = RequestReader::new(true);
    pieces.into_iter().for_each(|piece| reader.push(piece));
    let (facts, asked) = (reader.facts(), reader.asked());
    assert_eq!(facts.asks_for_json, asked.as_ref().map(|asked| asked.json));
    asked.zip(facts.offers_tools).map(|(asked, has_tools)| Request { asked, has_tools })
}

/// The names that are offered, whether there are tools at all, and whether JSON is asked for.
struct Expected(&'static [&'static str], bool, bool);

const NOTHING: Expected = Expected(&[], false, false);
const JSON: Expected = Expected(&[], false, true);

#[track_caller]
fn check(api: &str, body: &str, expected: &Expected) {
    let Expected(names, has_tools, json) = *expected;
    for request in [read([body.as_bytes()]), read(body.as_bytes().chunks(1)), read(body.as_bytes().chunks(7))]
    {
        let request = request.unwrap_or_else(|| panic!("{api}: not read"));
        assert_eq!((request.has_tools, request.asked.json), (has_tools, json), "{api}: {body}");
        for name in names {
            assert!(!request.asked.names.is_unknown(name.as_bytes()), "{api}: {name} is unknown");
        }
        assert_eq!(request.asked.names.is_unknown(b"not_offered"), !names.is_empty(), "{api}: {body}");
    }
}

#[test]
fn tools_are_known_by_their_names() {
    let weather = &Expected(&["get_weather", "search"], true, false);
    for (api, body) in [
        (
            "OpenAI chat completions",
            r#"{"messages":[],"tools":[{"type":"function","function":{"name":"get_weather","parameters":{"type":"object","properties":{"name":{"type":"string"}}}}},{"type":"custom","custom":{"name":"search"}}],"tool_choice":"auto"}"#,
        ),
        (
            "OpenAI chat completions before there were tools",
            r#"{"messages":[],"functions":[{"name":"get_weather"},{"name":"search","parameters":{}}]}"#,
        ),
        (
            "OpenAI Responses",
            r#"{"input":"x","tools":[{"type":"web_search"},{"type":"function","name":"get_weather","strict":true},{"type":"custom","name":"search"}]}"#,
        ),
        (
            "OpenAI Responses, a namespace",
            r#"{"input":"x","tools":[{"type":"namespace","name":"crm","tools":[{"type":"function","name":"get_weather"},{"type":"function","name":"search"}]},{"type":"tool_search"}]}"#,
        ),
        (
            "OpenAI Responses, loaded by the client",
            r#"{"input":[{"type":"tool_search_output","tools":[{"type":"function","name":"search"}]}],"tools":[{"type":"tool_search","execution":"client"},{"type":"function","name":"get_weather"}]}"#,
        ),
        (
            "Anthropic",
            r#"{"messages":[{"role":"user","content":[{"type":"tool_use","name":"old"}]}],"tools":[{"name":"get_weather","input_schema":{"type":"object"}},{"type":"web_search_20250305","name":"search"}]}"#,
        ),
        (
            "Gemini",
            r#"{"contents":[],"tools":[{"functionDeclarations":[{"name":"get_weather"},{"name":"search","parameters":{"type":"OBJECT"}}]},{"googleSearch":{}}]}"#,
        ),
        (
            "Gemini, with underscores",
            r#"{"contents":[],"tools":{"function_declarations":[{"name":"get_weather"},{"name":"search"}]}}"#,
        ),
        (
            "Gemini's Code Assist",
            r#"{"model":"m","request":{"contents":[],"tools":[{"functionDeclarations":[{"name":"get_weather"},{"name":"search"}]}]}}"#,
        ),
        (
            "Gemini's interactions",
            r#"{"input":"x","tools":[{"type":"function","name":"get_weather","parameters":{}},{"type":"function","name":"search"}]}"#,
        ),
        (
            "Bedrock converse",
            r#"{"messages":[],"toolConfig":{"tools":[{"toolSpec":{"name":"get_weather","inputSchema":{"json":{}}}},{"toolSpec":{"name":"search"}},{"cachePoint":{"type":"default"}}],"toolChoice":{"auto":{}}}}"#,
        ),
        (
            "Ollama",
            r#"{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"get_weather","description":"\"name\":\"not_offered\""}},{"type":"function","function":{"name":"search"}}],"stream":true}"#,
        ),
        (
            "Cohere v2",
            r#"{"messages":[],"tools":[{"type":"function","function":{"name":"get_weather"}},{"type":"function","function":{"name":"search"}}],"strict_tools":true}"#,
        ),
        ("Cohere v1", r#"{"message":"x","tools":[{"name":"get_weather"},{"name":"s\u0065arch"}]}"#),
    ] {
        check(api, body, weather);
    }
    let nameless = &Expected(&[], true, false);
    check("without a name", r#"{"input":"x","tools":[{"type":"web_search"}]}"#, nameless);
    check(
        "a stored prompt",
        r#"{"prompt":{"id":"pmpt_1"},"tools":[{"type":"function","name":"f"}]}"#,
        nameless,
    );
    let no_name_of_a_kept_prompt =
        r#"{"prompt":"hi","tools":[{"type":"function","function":{"name":"get_weather"}}]}"#;
    check("completions", no_name_of_a_kept_prompt, &Expected(&["get_weather"], true, false));
}

#[test]
fn nothing_is_asked_for() {
    for body in [
        r#"{"messages":[{"role":"user","content":"Answer in JSON, with \"response_format\":{\"type\":\"json_object\"}"}]}"#,
        r#"{"messages":[],"tools":[],"functions":null,"response_format":null}"#,
        r#"{"messages":[],"tools":null,"response_format":{"type":"text"}}"#,
        r#"{"input":"x","text":{"format":{"type":"text"},"verbosity":"low"},"output_config":{"effort":"high"}}"#,
        r#"{"contents":[],"generationConfig":{"responseMimeType":"text/plain"}}"#,
        r#"{"contents":[],"generationConfig":{"responseMimeType":"text/x.enum"}}"#,
        r#"{"messages":[],"format":"","json_schema":null,"guided_json":null,"structured_outputs":{"regex":"a"}}"#,
        r#"{"messages":[],"response_format":{"type":"grammar","grammar":"root ::= \"a\""}}"#,
        r#"{"messages":[],"toolConfig":{"tools":[{"cachePoint":{"type":"default"}}]}}"#,
        r#"{"inputs":"x","parameters":{"grammar":{"type":"regex","value":"a"}}}"#,
        r#"{"tool":[{"name":"f"}],"metadata":{"tools":[{"name":"f"}]}}"#,
        "{}",
    ] {
        check("any", body, &NOTHING);
    }
}

#[test]
fn json_is_asked_for_in_every_way() {
    for (api, body) in [
        ("OpenAI chat completions", r#"{"messages":[],"response_format":{"type":"json_object"}}"#),
        (
            "OpenAI chat completions",
            r#"{"response_format":{"json_schema":{"name":"x","schema":{"type":"object"}},"type":"json_schema"}}"#,
        ),
        (
            "OpenAI Responses",
            r#"{"input":"x","text":{"format":{"type":"json_schema","name":"x","schema":{}}}}"#,
        ),
        ("OpenAI Responses", r#"{"input":"x","text":{"format":{"type":"json_object"}}}"#),
        (
            "Anthropic",
            r#"{"messages":[],"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}}"#,
        ),
        ("Anthropic's beta", r#"{"messages":[],"output_format":{"type":"json_schema","schema":{}}}"#),
        (
            "Gemini",
            r#"{"contents":[],"generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"OBJECT"}}}"#,
        ),
        ("Gemini", r#"{"contents":[],"generation_config":{"response_mime_type":"application/json"}}"#),
        (
            "Gemini's interactions",
            r#"{"input":"x","response_format":{"type":"text","mime_type":"application/json","schema":{}}}"#,
        ),
        (
            "Gemini's interactions",
            r#"{"input":"x","response_format":[{"type":"text","mime_type":"application/json"}]}"#,
        ),
        ("Gemini's interactions", r#"{"input":"x","response_mime_type":"application/json"}"#),
        (
            "Bedrock converse",
            r#"{"messages":[],"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{}"}}}}}"#,
        ),
        ("Bedrock invoke", r#"{"messages":[],"response_format":{"type":"json_schema","json_schema":{}}}"#),
        ("Ollama", r#"{"model":"m","prompt":"x","format":"json"}"#),
        ("Ollama", r#"{"model":"m","messages":[],"format":{"type":"object","properties":{}}}"#),
        ("Cohere", r#"{"messages":[],"response_format":{"type":"json_object","schema":{"type":"object"}}}"#),
        ("vLLM", r#"{"messages":[],"guided_json":{"type":"object"}}"#),
        ("vLLM", r#"{"messages":[],"guided_json":"{\"type\":\"object\"}"}"#),
        ("vLLM", r#"{"messages":[],"structured_outputs":{"json":{"type":"object"}}}"#),
        ("vLLM", r#"{"messages":[],"structured_outputs":{"json_object":true}}"#),
        ("SGLang", r#"{"text":"x","sampling_params":{"json_schema":"{\"type\":\"object\"}"}}"#),
        ("llama.cpp", r#"{"prompt":"x","json_schema":{"type":"object"}}"#),
        ("TGI", r#"{"inputs":"x","parameters":{"grammar":{"type":"json","value":{}}}}"#),
        ("TGI", r#"{"messages":[],"response_format":{"type":"json","value":{}}}"#),
    ] {
        check(api, body, &JSON);
    }
}

#[test]
fn only_a_whole_object_is_known() {
    for body in [
        "",
        " ",
        "[]",
        "null",
        "\"tools\"",
        "{",
        r#"{"tools":[{"name":"f"}"#,
        "--boundary\r\n\r\n{}",
        "\x1f\x08{}",
    ] {
        assert!(read([body.as_bytes()]).is_none(), "{body}");
    }
    let two = r#"{"tools":[]} {"tools":[{"name":"f"}],"format":"json"}"#;
    let request = read([two.as_bytes()]).unwrap();
    assert!(!request.has_tools && !request.asked.json, "what follows the document does not count");
    let long = [b"{\"a\":\"".to_vec(), vec![b'x'; BODY_BYTES_READ_MAX as usize], b"\"}".to_vec()].concat();
    assert!(read(long.chunks(65536)).is_none(), "too long");
}

#[test]
fn more_names_than_are_kept_are_all_known() {
    let tools: Vec<String> = (0..200).map(|number| format!(r#"{{"name":"f{number}"}}"#)).collect();
    let request = read([format!(r#"{{"tools":[{}]}}"#, tools.join(",")).as_bytes()]).unwrap();
    assert!(request.has_tools && !request.asked.names.is_unknown(b"not_offered"));
}

#[test]
fn a_known_body_needs_no_more() {
    let mut reader = RequestReader::new(true);
    reader.push(br#"{"tools":["#);
    assert!(reader.wants_more() && reader.asked().is_none());
    reader.push(br#"{"name":"f"}]}"#);
    assert!(!reader.wants_more() && reader.asked().is_some());
}

proptest! {
    #[test]
    fn pieces_do_not_matter(name in "[a-z\"\\\\\u{e9}]{1,12}", cut: prop::sample::Index) {
        let body = serde_json::json!({"format": {"a": 1}, "tools": [{"function": {"name": name}}]}).to_string();
        let (a, b) = body.as_bytes().split_at(cut.index(body.len()));
        let request = read([a, b]).unwrap();
        prop_assert!(request.has_tools && request.asked.json);
        prop_assert!(!request.asked.names.is_unknown(name.as_bytes()));
        prop_assert!(request.asked.names.is_unknown(b"not_offered"));
    }
}
