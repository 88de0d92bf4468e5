//! Anthropic's messages: <https://docs.anthropic.com/en/api/messages>.

use super::parts::{self, Part, Tool, role, text_of};
use super::{Form, TOKENS_MAX, Wanted, tokens_max};
use serde_json::{Value, json};

pub(super) fn write(wanted: &Wanted<'_>, form: &mut Form) {
    let is_system = |message: &&Value| matches!(role(message), "system" | "developer");
    let system: Vec<String> = wanted.messages.iter().filter(is_system).map(text_of).collect();
    if !system.is_empty() {
        form.put("system", system.join("\n\n"));
    }
    let others = wanted.messages.iter().filter(|message| !is_system(message));
    form.put("messages", others.map(message).collect::<Vec<_>>());
    form.put("max_tokens", TOKENS_MAX);
    form.put("stream", wanted.streamed);
    for (name, value) in wanted.carried {
        match name.as_str() {
            "temperature" | "top_p" | "top_k" => form.put(name, value.clone()),
            "stop" => form.put("stop_sequences", parts::as_list(value)),
            "tools" => form.put(name, parts::map(value, |tool| Tool::of(tool).map(Tool::in_messages))),
            "tool_choice" => form.put(name, choice(value)),
            name if tokens_max(name) => form.put("max_tokens", value.clone()),
            name => form.leave_out(name),
        }
    }
}

fn choice(value: &Value) -> Value {
    match (value.as_str(), value.pointer("/function/name")) {
        (Some("required"), _) => json!({"type": "any"}),
        (Some(kind @ ("auto" | "none")), _) => json!({"type": kind}),
        (_, Some(name)) => json!({"type": "tool", "name": name}),
        _ => value.clone(),
    }
}

fn message(message: &Value) -> Value {
    if role(message) == "tool" {
        let id = message.get("tool_call_id").cloned().unwrap_or_default();
        let result = json!({"type": "tool_result", "tool_use_id": id, "content": text_of(message)});
        return json!({"role": "user", "content": [result]});
    }
    if let Some(text @ Value::String(_)) = message.get("content")
        && parts::calls(message).next().is_none()
    {
        return json!({"role": role(message), "content": text});
    }
    let content = parts::content(message).into_iter().map(|part| match part {
        Part::Text(text) => json!({"type": "text", "text": text}),
        Part::Image(url) => json!({"type": "image", "source": image(url)}),
        Part::Other(part) => part.clone(),
    });
    let calls = parts::calls(message).map(
        |call| json!({"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments_value()}),
    );
    json!({"role": role(message), "content": content.chain(calls).collect::<Vec<_>>()})
}

/// `data:image/png;base64,…`, or an address.
fn image(url: &str) -> Value {
    let within = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    match within {
        Some((kind, data)) => json!({"type": "base64", "media_type": kind, "data": data}),
        None => json!({"type": "url", "url": url}),
    }
}
