use super::{Api, Form, Wanted, form};
use serde_json::{Map, Value, json};

fn written(api: Api, messages: Value, carried: Value, streamed: bool) -> Form {
    let (Value::Array(messages), Value::Object(carried)) = (messages, carried) else { unreachable!() };
    form(api, &Wanted { messages: &messages, carried: &carried, model: Some("m"), streamed })
}

fn body(api: Api, messages: Value, carried: Value) -> Value {
    Value::Object(written(api, messages, carried, false).body)
}

fn hello() -> Value {
    json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}])
}

fn weather() -> Value {
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    json!({"name": "weather", "description": "Tells it", "parameters": parameters})
}

#[test]
fn the_same_words_in_each_api() {
    let carried = || json!({"temperature": 0, "max_tokens": 9, "top_p": 1, "stop": "END", "seed": 7});
    let chat = body(Api::Chat, hello(), carried());
    assert_eq!(chat["messages"], hello());
    assert_eq!((&chat["model"], &chat["max_tokens"], &chat["seed"]), (&json!("m"), &json!(9), &json!(7)));

    let responses = written(Api::Responses, hello(), carried(), false);
    assert_eq!(responses.left_out, ["stop", "seed"]);
    let responses = responses.body;
    assert_eq!((&responses["max_output_tokens"], &responses["store"]), (&json!(9), &json!(false)));
    assert_eq!(responses["input"][1]["content"], json!([{"type": "input_text", "text": "Hello"}]));

    let messages = written(Api::Messages, hello(), carried(), false);
    assert_eq!(messages.left_out, ["seed"]);
    let messages = messages.body;
    assert_eq!((&messages["system"], &messages["max_tokens"]), (&json!("Be brief."), &json!(9)));
    assert_eq!(messages["stop_sequences"], json!(["END"]));
    assert_eq!(messages["messages"], json!([{"role": "user", "content": "Hello"}]));

    let completions = body(Api::Completions, hello(), carried());
    assert_eq!(completions["prompt"], "System: Be brief.\n\nUser: Hello\n\nAssistant:");
    assert_eq!(completions["max_tokens"], 9);

    let ollama = body(Api::Ollama, hello(), carried());
    assert_eq!(
        ollama["options"],
        json!({"temperature": 0, "num_predict": 9, "top_p": 1, "stop": ["END"], "seed": 7})
    );
    assert_eq!(ollama["stream"], json!(false));
}

#[test]
fn a_limit_is_given_where_the_api_wants_one() {
    let one = || json!([{"role": "user", "content": "Hello"}]);
    assert_eq!(body(Api::Messages, one(), json!({}))["max_tokens"], 1_024);
    assert_eq!(body(Api::Completions, one(), json!({}))["max_tokens"], 256);
    assert_eq!(body(Api::Completions, one(), json!({}))["prompt"], "Hello");
    assert_eq!(body(Api::Chat, one(), json!({})).get("max_tokens"), None);
    assert_eq!(body(Api::Chat, one(), json!({"max_completion_tokens": 5}))["max_completion_tokens"], 5);
    assert_eq!(body(Api::Responses, one(), json!({"max_completion_tokens": 5}))["max_output_tokens"], 5);
}

#[test]
fn streams_are_asked_for_their_usage() {
    for (api, has_options) in [
        (Api::Chat, true),
        (Api::Completions, true),
        // They always end with it.
        (Api::Responses, false),
        (Api::Messages, false),
        (Api::Ollama, false),
    ] {
        let streamed = written(api, hello(), json!({}), true).body;
        assert_eq!(streamed["stream"], json!(true), "{api:?}");
        assert_eq!(streamed.get("stream_options").is_some(), has_options, "{api:?}");
        let whole = written(api, hello(), json!({}), false).body;
        assert!(
            whole.get("stream_options").is_none(),
            "{api:?}: servers refuse the options without a stream"
        );
    }
}

#[test]
fn tools_are_written_in_each_apis_words_whatever_the_set_has() {
    let (name, schema) = (json!("weather"), weather()["parameters"].clone());
    let of_chat = json!({"type": "function", "function": weather()});
    let mut of_responses = weather();
    of_responses["type"] = json!("function");
    let of_messages = json!({"name": "weather", "description": "Tells it", "input_schema": schema});
    for tool in [&of_chat, &of_responses, &of_messages] {
        let carried =
            || json!({"tools": [tool], "tool_choice": {"type": "function", "function": {"name": "weather"}}});
        assert_eq!(body(Api::Chat, hello(), carried())["tools"], json!([of_chat]));
        assert_eq!(body(Api::Ollama, hello(), carried())["tools"], json!([of_chat]));
        let responses = body(Api::Responses, hello(), carried());
        assert_eq!(responses["tools"], json!([of_responses]));
        assert_eq!(responses["tool_choice"], json!({"type": "function", "name": "weather"}));
        let messages = body(Api::Messages, hello(), carried());
        assert_eq!(messages["tools"], json!([of_messages]));
        assert_eq!(messages["tool_choice"], json!({"type": "tool", "name": name}));
        assert_eq!(written(Api::Completions, hello(), carried(), false).left_out, ["tools", "tool_choice"]);
    }
    let builtin = json!({"tools": [{"type": "web_search"}]});
    assert_eq!(body(Api::Responses, hello(), builtin.clone())["tools"], builtin["tools"]);
}

#[test]
fn a_format_is_written_in_each_apis_words() {
    let schema = json!({"type": "object"});
    let of_chat =
        json!({"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": true}});
    let flat = json!({"type": "json_schema", "name": "a", "schema": schema, "strict": true});
    for format in [&of_chat, &flat] {
        let carried = || json!({"response_format": format});
        assert_eq!(body(Api::Chat, hello(), carried())["response_format"], of_chat);
        assert_eq!(body(Api::Responses, hello(), carried())["text"]["format"], flat);
        assert_eq!(body(Api::Ollama, hello(), carried())["format"], schema);
        assert_eq!(written(Api::Messages, hello(), carried(), false).left_out, ["response_format"]);
    }
    let object = || json!({"response_format": {"type": "json_object"}});
    assert_eq!(body(Api::Ollama, hello(), object())["format"], "json");
    assert_eq!(body(Api::Responses, hello(), object())["text"]["format"]["type"], "json_object");
}

#[test]
fn calls_and_their_results_go_along() {
    let conversation = || {
        let call = json!({"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Paris\"}"}});
        json!([
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": null, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
        ])
    };
    assert_eq!(body(Api::Chat, conversation(), json!({}))["messages"], conversation());
    let input = body(Api::Responses, conversation(), json!({}))["input"].clone();
    assert_eq!(input[1]["type"], "function_call");
    assert_eq!(input[2], json!({"type": "function_call_output", "call_id": "c1", "output": "sunny"}));
    let messages = body(Api::Messages, conversation(), json!({}))["messages"].clone();
    assert_eq!(messages[1]["content"][0]["input"], json!({"city": "Paris"}));
    assert_eq!(messages[2]["content"][0]["tool_use_id"], "c1");
    assert_eq!(messages[2]["role"], "user");
    let messages = body(Api::Ollama, conversation(), json!({}))["messages"].clone();
    assert_eq!(messages[1]["tool_calls"][0]["function"]["arguments"], json!({"city": "Paris"}));
}

#[test]
fn images_go_along() {
    let conversation = || {
        json!([{"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        ]}])
    };
    let content = |api: Api, name: &str| body(api, conversation(), json!({}))[name][0].clone();
    assert_eq!(content(Api::Responses, "input")["content"][1]["image_url"], "data:image/png;base64,AAAA");
    assert_eq!(
        content(Api::Messages, "messages")["content"][1]["source"],
        json!({"type": "base64", "media_type": "image/png", "data": "AAAA"})
    );
    assert_eq!(content(Api::Ollama, "messages")["images"], json!(["AAAA"]));
    assert_eq!(body(Api::Completions, conversation(), json!({}))["prompt"], "What is this?");
}

#[test]
fn no_message_makes_it_fail() {
    let odd = || json!([{}, {"role": 1, "content": 2}, 3, {"role": "tool"}, {"role": "assistant", "tool_calls": [{}, 1]}]);
    for api in Api::ALL {
        let carried = json!({"tools": 1, "response_format": [], "tool_choice": null, "stop": null, "x": 1});
        assert!(written(api, odd(), carried, true).body.contains_key("model"), "{api:?}");
    }
    let nothing =
        form(Api::Chat, &Wanted { messages: &[], carried: &Map::new(), model: None, streamed: false });
    assert_eq!(nothing.body.get("model"), None);
}
