//! Calls of tools in the words of each API → as chat completions list them.

use serde_json::{Value, json};

/// Calls of one answer are at most so many; what is beyond them is left out.
const CALLS_MAX: usize = 1_000;

/// The calls so far.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Call>);

#[derive(Debug, Default)]
struct Call {
    /// What tells its pieces from those of other calls.
    index: u64,
    id: String,
    name: String,
    arguments: String,
}

impl Calls {
    fn at(&mut self, index: u64) -> Option<&mut Call> {
        let place = self.0.iter().position(|call| call.index == index);
        if place.is_none() && self.0.len() < CALLS_MAX {
            self.0.push(Call { index, ..Call::default() });
        }
        match place {
            Some(place) => self.0.get_mut(place),
            None => self.0.iter_mut().rev().find(|call| call.index == index),
        }
    }

    fn add(&mut self, id: Option<&Value>, name: &str, arguments: String) {
        let id = id.and_then(Value::as_str).unwrap_or_default().to_owned();
        if self.0.len() < CALLS_MAX {
            self.0.push(Call { index: u64::MAX, id, name: name.to_owned(), arguments });
        }
    }

    /// Of a message, or of a delta with the next piece of a call.
    pub(super) fn of_chat(&mut self, message: &Value) {
        let calls =
            message.get("tool_calls").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for (at, piece) in calls.iter().enumerate() {
            let index = piece.get("index").and_then(Value::as_u64).unwrap_or(at as u64);
            let Some(call) = self.at(index) else { continue };
            let text = |path: &str| piece.pointer(path).and_then(Value::as_str).unwrap_or_default();
            if call.id.is_empty() {
                text("/id").clone_into(&mut call.id);
            }
            call.name.push_str(text("/function/name"));
            match piece.pointer("/function/arguments") {
                // Some servers send the value itself.
                Some(arguments @ Value::Object(_)) => call.arguments.push_str(&arguments.to_string()),
                _ => call.arguments.push_str(text("/function/arguments")),
            }
        }
    }

    /// A whole block, or the beginning of one.
    pub(super) fn begin_of_messages(&mut self, index: u64, block: &Value) {
        if block.get("type").is_some_and(|kind| kind == "tool_use")
            && let Some(call) = self.at(index)
        {
            block.get("id").and_then(Value::as_str).unwrap_or_default().clone_into(&mut call.id);
            block.get("name").and_then(Value::as_str).unwrap_or_default().clone_into(&mut call.name);
            // In a stream it is empty here.
            if let Some(Value::Object(input)) = block.get("input")
                && !input.is_empty()
            {
                call.arguments = Value::Object(input.clone()).to_string();
            }
        }
    }

    /// The next piece of a block.
    pub(super) fn continue_of_messages(&mut self, index: u64, delta: &Value) {
        if let Some(piece) = delta.get("partial_json").and_then(Value::as_str)
            && let Some(call) = self.0.iter_mut().find(|call| call.index == index)
        {
            call.arguments.push_str(piece);
        }
    }

    /// An item of a response.
    pub(super) fn of_responses(&mut self, item: &Value) {
        if item.get("type").is_some_and(|kind| kind == "function_call") {
            let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
            self.add(item.get("call_id"), text("name"), text("arguments").to_owned());
        }
    }

    /// Of a line; each call is whole.
    pub(super) fn of_ollama(&mut self, message: &Value) {
        let calls =
            message.get("tool_calls").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for call in calls {
            let name = call.pointer("/function/name").and_then(Value::as_str).unwrap_or_default();
            let arguments = call.pointer("/function/arguments").map(Value::to_string).unwrap_or_default();
            self.add(call.get("id"), name, arguments);
        }
    }

    pub(super) fn finish(self) -> Vec<Value> {
        let written = self.0.into_iter().map(|call| {
            // A call without arguments has an empty object of them.
            let arguments = if call.arguments.is_empty() { "{}".to_owned() } else { call.arguments };
            json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}})
        });
        written.collect()
    }
}
