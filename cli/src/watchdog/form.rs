//! Messages and what a request carries beside them → the body of a request, in the words of an API.
//!
//! Sets say what they want in the words of chat completions. What an API has no word for is left out, and named.

mod messages;
mod parts;
mod responses;

use super::api::Api;
use parts::{Tool, role, text_of};
use serde_json::{Map, Value, json};

/// Tokens of an answer where the API wants a limit and the set has none.
const TOKENS_MAX: u64 = 1_024;
/// The same of a completion, which may go on until its limit.
const COMPLETION_TOKENS_MAX: u64 = 256;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// The conversation so far, as chat completions have it.
    pub(crate) messages: &'a [Value],
    /// What the set wants beside: `temperature`, `max_tokens`, `tools`, `response_format`, …
    pub(crate) carried: &'a Map<String, Value>,
    /// The model's name, if one is given.
    pub(crate) model: Option<&'a str>,
    /// Whether the answer is to be streamed.
    pub(crate) streamed: bool,
}

/// A body, and what the API has no word for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Form {
    /// The body.
    pub(crate) body: Map<String, Value>,
    /// Names of what is left out.
    pub(crate) left_out: Vec<String>,
}

/// Writes a request.
pub(crate) fn form(api: Api, wanted: &Wanted<'_>) -> Form {
    let mut form = Form::default();
    if let Some(model) = wanted.model {
        form.put("model", model);
    }
    match api {
        Api::Chat => chat(wanted, &mut form),
        Api::Responses => responses::write(wanted, &mut form),
        Api::Messages => messages::write(wanted, &mut form),
        Api::Completions => completions(wanted, &mut form),
        Api::Ollama => ollama(wanted, &mut form),
    }
    form
}

impl Form {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.body.insert(name.to_owned(), value.into());
    }

    fn leave_out(&mut self, name: &str) {
        self.left_out.push(name.to_owned());
    }
}

/// The limit of an answer's tokens, by either of its names.
fn tokens_max(name: &str) -> bool {
    matches!(name, "max_tokens" | "max_completion_tokens")
}

fn chat(wanted: &Wanted<'_>, form: &mut Form) {
    form.put("messages", wanted.messages);
    for (name, value) in wanted.carried {
        let value = if name == "tools" {
            parts::map(value, |tool| Tool::of(tool).map(Tool::in_chat))
        } else {
            value.clone()
        };
        let value = if name == "response_format" { parts::format_in_chat(&value) } else { value };
        form.put(name, value);
    }
    stream_with_usage(wanted, form);
}

/// OpenAI's streams end with their usage if that is asked for.
fn stream_with_usage(wanted: &Wanted<'_>, form: &mut Form) {
    form.put("stream", wanted.streamed);
    if wanted.streamed {
        form.put("stream_options", json!({"include_usage": true}));
    }
}

fn completions(wanted: &Wanted<'_>, form: &mut Form) {
    form.put("prompt", as_prompt(wanted.messages));
    form.put("max_tokens", COMPLETION_TOKENS_MAX);
    for (name, value) in wanted.carried {
        match name.as_str() {
            "tools" | "tool_choice" | "response_format" => form.leave_out(name),
            name if tokens_max(name) => form.put("max_tokens", value.clone()),
            _ => form.put(name, value.clone()),
        }
    }
    stream_with_usage(wanted, form);
}

/// The text of one message, as it is; several with the names of who speaks, and the next speaker at the end.
fn as_prompt(messages: &[Value]) -> String {
    if let [only] = messages {
        return text_of(only);
    }
    let name = |message: &Value| match role(message) {
        "assistant" => "Assistant",
        "system" | "developer" => "System",
        "tool" => "Tool",
        _ => "User",
    };
    let spoken = messages.iter().map(|message| format!("{}: {}\n\n", name(message), text_of(message)));
    spoken.chain(["Assistant:".to_owned()]).collect()
}

fn ollama(wanted: &Wanted<'_>, form: &mut Form) {
    let messages: Vec<Value> = wanted.messages.iter().map(ollama_message).collect();
    form.put("messages", messages);
    form.put("stream", wanted.streamed);
    let mut options = Map::new();
    for (name, value) in wanted.carried {
        match name.as_str() {
            "tools" => form.put(name, parts::map(value, |tool| Tool::of(tool).map(Tool::in_chat))),
            "response_format" => match parts::format_of(value) {
                parts::Format::Schema { schema, .. } => form.put("format", schema.clone()),
                parts::Format::Object => form.put("format", "json"),
                parts::Format::Text => {}
            },
            "temperature" | "top_p" | "top_k" | "seed" => {
                options.insert(name.clone(), value.clone());
            }
            "stop" => {
                options.insert(name.clone(), parts::as_list(value));
            }
            name if tokens_max(name) => {
                options.insert("num_predict".to_owned(), value.clone());
            }
            name => form.leave_out(name),
        }
    }
    if !options.is_empty() {
        form.put("options", options);
    }
}

/// Texts, images and calls stand apart, and arguments are objects.
fn ollama_message(message: &Value) -> Value {
    let mut written = Map::new();
    written.insert("role".to_owned(), role(message).into());
    written.insert("content".to_owned(), text_of(message).into());
    let images: Vec<Value> =
        parts::images(message).filter_map(|url| Some(url.split_once(";base64,")?.1.into())).collect();
    if !images.is_empty() {
        written.insert("images".to_owned(), images.into());
    }
    let calls: Vec<Value> = parts::calls(message)
        .map(|call| json!({"function": {"name": call.name, "arguments": call.arguments_value()}}))
        .collect();
    if !calls.is_empty() {
        written.insert("tool_calls".to_owned(), calls.into());
    }
    if let Some(name) = message.get("name") {
        written.insert("tool_name".to_owned(), name.clone());
    }
    Value::Object(written)
}

#[cfg(test)]
mod tests;
