//! The Responses API: <https://platform.openai.com/docs/api-reference/responses/create>.

use super::parts::{self, Format, Part, Tool, role};
use super::{Form, Wanted, tokens_max};
use serde_json::{Value, json};

pub(super) fn write(wanted: &Wanted<'_>, form: &mut Form) {
    let input: Vec<Value> = wanted.messages.iter().flat_map(items).collect();
    form.put("input", input);
    form.put("stream", wanted.streamed);
    // Nothing continues an answer to a probe.
    form.put("store", false);
    for (name, value) in wanted.carried {
        match name.as_str() {
            "temperature" | "top_p" => form.put(name, value.clone()),
            "tools" => form.put(name, parts::map(value, |tool| Tool::of(tool).map(Tool::in_responses))),
            "tool_choice" => {
                let function = value.pointer("/function/name");
                let named = function.map(|name| json!({"type": "function", "name": name}));
                form.put(name, named.unwrap_or_else(|| value.clone()));
            }
            "response_format" => match parts::format_of(value) {
                Format::Text => {}
                Format::Object => form.put("text", json!({"format": {"type": "json_object"}})),
                Format::Schema { name, schema, strict } => {
                    let strict = strict.cloned().unwrap_or(Value::Bool(false));
                    let format =
                        json!({"type": "json_schema", "name": name, "schema": schema, "strict": strict});
                    form.put("text", json!({"format": format}));
                }
            },
            name if tokens_max(name) => form.put("max_output_tokens", value.clone()),
            name => form.leave_out(name),
        }
    }
}

/// A message, and its calls, which are items of their own.
fn items(message: &Value) -> Vec<Value> {
    let role = role(message);
    if role == "tool" {
        let id = message.get("tool_call_id").cloned().unwrap_or_default();
        return vec![
            json!({"type": "function_call_output", "call_id": id, "output": parts::text_of(message)}),
        ];
    }
    let kind = if role == "assistant" { "output_text" } else { "input_text" };
    let content: Vec<Value> = parts::content(message)
        .into_iter()
        .map(|part| match part {
            Part::Text(text) => json!({"type": kind, "text": text}),
            Part::Image(url) => json!({"type": "input_image", "image_url": url}),
            Part::Other(part) => part.clone(),
        })
        .collect();
    let mut items = Vec::new();
    if !content.is_empty() {
        items.push(json!({"role": role, "content": content}));
    }
    items.extend(parts::calls(message).map(|call| {
        json!({"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments})
    }));
    items
}
