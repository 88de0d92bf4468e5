//! What messages and requests consist of in the words of chat completions, and of their neighbours.

use serde_json::{Value, json};

/// The role of a message.
pub(super) fn role(message: &Value) -> &str {
    message.get("role").and_then(Value::as_str).unwrap_or("user")
}

/// The text of a message; of several parts, their texts, a line each.
pub(super) fn text_of(message: &Value) -> String {
    match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let texts = parts.iter().filter_map(|part| part.get("text")?.as_str());
            texts.collect::<Vec<_>>().join("\n")
        }
        Some(Value::Null) | None => String::new(),
        Some(value) => value.to_string(),
    }
}

/// The addresses of a message's images.
pub(super) fn images(message: &Value) -> impl Iterator<Item = &str> {
    let parts = message.get("content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    parts.iter().filter_map(image)
}

/// The address of a part that is an image, as chat completions and Responses write it.
fn image(part: &Value) -> Option<&str> {
    let url = part.get("image_url")?;
    url.get("url").unwrap_or(url).as_str()
}

/// A part of a message's content, in its order.
pub(super) enum Part<'a> {
    /// A text.
    Text(&'a str),
    /// The address of an image.
    Image(&'a str),
    /// Something else, as it is.
    Other(&'a Value),
}

/// The parts of a message; a text alone is one part.
pub(super) fn content(message: &Value) -> Vec<Part<'_>> {
    let of_part = |part| match (image(part), part.get("text").and_then(Value::as_str)) {
        (Some(url), _) => Part::Image(url),
        (None, Some(text)) => Part::Text(text),
        (None, None) => Part::Other(part),
    };
    match message.get("content") {
        Some(Value::String(text)) => vec![Part::Text(text)],
        Some(Value::Array(parts)) => parts.iter().map(of_part).collect(),
        _ => Vec::new(),
    }
}

/// A call of a tool, in a message of the assistant.
pub(super) struct Call<'a> {
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) arguments: &'a str,
}

impl Call<'_> {
    /// The arguments as a value; an empty object if they are no JSON.
    pub(super) fn arguments_value(&self) -> Value {
        serde_json::from_str(self.arguments).unwrap_or_else(|_| json!({}))
    }
}

/// The calls of a message.
pub(super) fn calls(message: &Value) -> impl Iterator<Item = Call<'_>> {
    let calls = message.get("tool_calls").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    calls.iter().filter_map(|call| {
        let function = call.get("function")?;
        let text = |name: &str| function.get(name).and_then(Value::as_str);
        Some(Call {
            id: call.get("id").and_then(Value::as_str).unwrap_or_default(),
            name: text("name")?,
            arguments: text("arguments").unwrap_or_default(),
        })
    })
}

/// A tool that is offered.
#[derive(Clone, Copy)]
pub(super) struct Tool<'a> {
    name: &'a str,
    description: Option<&'a Value>,
    parameters: Option<&'a Value>,
    strict: Option<&'a Value>,
}

impl<'a> Tool<'a> {
    /// A function, as chat completions, Responses and Anthropic's messages write it; `None` of any other tool.
    pub(super) fn of(tool: &'a Value) -> Option<Self> {
        let function = tool.get("function").unwrap_or(tool);
        let kind = tool.get("type").and_then(Value::as_str).unwrap_or("function");
        let is_function = matches!(kind, "function" | "custom") && function.get("name").is_some();
        is_function.then(|| Self {
            name: function.get("name").and_then(Value::as_str).unwrap_or_default(),
            description: function.get("description"),
            parameters: function.get("parameters").or(function.get("input_schema")),
            strict: function.get("strict"),
        })
    }

    fn fields(self, parameters: &str) -> Value {
        let mut written = json!({"name": self.name});
        let fields =
            [("description", self.description), (parameters, self.parameters), ("strict", self.strict)];
        if let Value::Object(written) = &mut written {
            for (name, value) in fields {
                written.extend(value.map(|value| (name.to_owned(), value.clone())));
            }
        }
        written
    }

    /// As chat completions write it.
    pub(super) fn in_chat(self) -> Value {
        json!({"type": "function", "function": self.fields("parameters")})
    }

    /// As Responses write it.
    pub(super) fn in_responses(self) -> Value {
        let mut written = self.fields("parameters");
        if let Value::Object(written) = &mut written {
            written.insert("type".to_owned(), "function".into());
        }
        written
    }

    /// As Anthropic's messages write it, where a schema must be there.
    pub(super) fn in_messages(self) -> Value {
        let mut written = self.fields("input_schema");
        if let Value::Object(written) = &mut written {
            written.remove("strict");
            written.entry("input_schema").or_insert_with(|| json!({"type": "object"}));
        }
        written
    }
}

/// Each item of a list through a function; items for which it gives nothing stay as they are.
pub(super) fn map<'a>(list: &'a Value, map: impl Fn(&'a Value) -> Option<Value>) -> Value {
    match list {
        Value::Array(items) => items.iter().map(|item| map(item).unwrap_or_else(|| item.clone())).collect(),
        other => other.clone(),
    }
}

/// A list, or a list of the value.
pub(super) fn as_list(value: &Value) -> Value {
    match value {
        Value::Array(_) => value.clone(),
        one => json!([one]),
    }
}

/// What an answer must be.
pub(super) enum Format<'a> {
    /// Any text.
    Text,
    /// An object of JSON.
    Object,
    /// JSON that fits a schema.
    Schema { name: &'a str, schema: &'a Value, strict: Option<&'a Value> },
}

/// `response_format`, as chat completions and Responses write it.
pub(super) fn format_of(value: &Value) -> Format<'_> {
    let within = value.get("json_schema").unwrap_or(value);
    match value.get("type").and_then(Value::as_str) {
        Some("json_object") => Format::Object,
        Some("json_schema") if let Some(schema) = within.get("schema") => Format::Schema {
            name: within.get("name").and_then(Value::as_str).unwrap_or("answer"),
            schema,
            strict: within.get("strict"),
        },
        _ => Format::Text,
    }
}

/// As chat completions write it; what is not understood stays as it is.
pub(super) fn format_in_chat(value: &Value) -> Value {
    match format_of(value) {
        Format::Schema { name, schema, strict } => {
            let mut within = json!({"name": name, "schema": schema});
            if let (Value::Object(within), Some(strict)) = (&mut within, strict) {
                within.insert("strict".to_owned(), strict.clone());
            }
            json!({"type": "json_schema", "json_schema": within})
        }
        Format::Object | Format::Text => value.clone(),
    }
}
