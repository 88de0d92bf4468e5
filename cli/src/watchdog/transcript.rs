//! The body of a response → the text of the answer, its tool calls, and the error that it reports.
//!
//! The filter's reader counts and keeps no text; this keeps it, and nothing else. It reads what the five APIs send, streamed and
//! whole. The body is there as a whole, so its size is limited already.

mod calls;

use super::api::Api;
use calls::Calls;
use llm_canary::framing::sse::{Framer, Sink};
use serde_json::Value;

/// What an answer says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Transcript {
    /// The assistant's text, or its refusal. Reasoning is left out.
    pub(crate) text: String,
    /// Its calls of tools, as chat completions list them.
    pub(crate) calls: Vec<Value>,
    /// What kind of error the body reports, and what it says.
    pub(crate) error: Option<Fault>,
}

/// An error that a body reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Its type or code, in the server's words.
    pub(crate) kind: String,
    /// What it says.
    pub(crate) message: String,
}

/// Reads a body. Pieces of an event that was cut off are left out.
pub(crate) fn read(api: Api, content_type: &str, body: &[u8]) -> Transcript {
    let mut reader = Reader::new(api);
    let content_type = content_type.to_ascii_lowercase();
    if content_type.contains("event-stream") || is_event_stream(body) {
        let mut events = Events { reader: &mut reader, data: Vec::new() };
        Framer::default().push(body, &mut events);
    } else if let Ok(document) = serde_json::from_slice(body) {
        reader.document(&document);
    } else {
        // A document a line, as Ollama streams them. The last may be cut off.
        for line in body.split(|byte| *byte == b'\n') {
            if let Ok(document) = serde_json::from_slice(line) {
                reader.document(&document);
            }
        }
    }
    reader.finish()
}

/// Whether a body of another content type is one all the same: gateways lose the type.
fn is_event_stream(body: &[u8]) -> bool {
    let body = body.trim_ascii_start();
    body.starts_with(b"data:") || body.starts_with(b"event:")
}

struct Events<'a> {
    reader: &'a mut Reader,
    data: Vec<u8>,
}

impl Sink for Events<'_> {
    fn data(&mut self, piece: &[u8]) {
        self.data.extend_from_slice(piece);
    }

    fn dispatch(&mut self, _: &[u8]) {
        if let Ok(document) = serde_json::from_slice(&self.data) {
            self.reader.document(&document);
        }
        self.data.clear();
    }

    fn error_line(&mut self) {
        self.reader.error.get_or_insert_with(Fault::default);
    }
}

struct Reader {
    api: Api,
    text: String,
    refusal: String,
    calls: Calls,
    error: Option<Fault>,
    /// Items of Responses, which repeat what its deltas said.
    items: Vec<Value>,
}

impl Reader {
    fn new(api: Api) -> Self {
        Self {
            api,
            text: String::new(),
            refusal: String::new(),
            calls: Calls::default(),
            error: None,
            items: Vec::new(),
        }
    }

    fn document(&mut self, document: &Value) {
        if let Some(error) = document.get("error").filter(|error| !error.is_null()) {
            self.error.get_or_insert_with(|| fault(error));
        }
        match self.api {
            Api::Chat => self.chat(document),
            Api::Completions => {
                if let Some(text) = document.pointer("/choices/0/text").and_then(Value::as_str) {
                    self.text.push_str(text);
                }
            }
            Api::Responses => self.responses(document),
            Api::Messages => self.messages(document),
            Api::Ollama => self.ollama(document),
        }
    }

    fn chat(&mut self, document: &Value) {
        let choices =
            document.get("choices").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        // Only the first of several answers is read.
        let is_first = |choice: &&Value| choice.get("index").and_then(Value::as_u64).unwrap_or(0) == 0;
        for choice in choices.iter().filter(is_first) {
            let Some(message) = choice.get("message").or(choice.get("delta")) else { continue };
            push_content(&mut self.text, message.get("content"));
            push_content(&mut self.refusal, message.get("refusal"));
            self.calls.of_chat(message);
        }
    }

    /// Events of Responses say everything twice: in deltas, and in the items that they make.
    fn responses(&mut self, document: &Value) {
        let response = document.get("response").unwrap_or(document);
        if let Some(error) = response.get("error").filter(|error| !error.is_null()) {
            self.error.get_or_insert_with(|| fault(error));
        }
        if let Some(Value::Array(items)) = response.get("output")
            && !items.is_empty()
        {
            self.items.clone_from(items);
        }
        let delta = document.get("delta");
        match document.get("type").and_then(Value::as_str) {
            Some("response.output_text.delta") => push_content(&mut self.text, delta),
            Some("response.refusal.delta") => push_content(&mut self.refusal, delta),
            Some("response.output_item.done") => self.items.extend(document.get("item").cloned()),
            Some("error") => {
                self.error.get_or_insert_with(|| fault(document));
            }
            _ => {}
        }
    }

    fn messages(&mut self, document: &Value) {
        let blocks = document.get("content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for (at, block) in blocks.iter().enumerate() {
            push_content(&mut self.text, block.get("text"));
            self.calls.begin_of_messages(at as u64, block);
        }
        let index = document.get("index").and_then(Value::as_u64).unwrap_or_default();
        if let Some(block) = document.get("content_block") {
            push_content(&mut self.text, block.get("text"));
            self.calls.begin_of_messages(index, block);
        }
        if let Some(delta) = document.get("delta") {
            push_content(&mut self.text, delta.get("text"));
            self.calls.continue_of_messages(index, delta);
        }
    }

    fn ollama(&mut self, document: &Value) {
        let Some(message) = document.get("message") else { return };
        push_content(&mut self.text, message.get("content"));
        self.calls.of_ollama(message);
    }

    fn finish(mut self) -> Transcript {
        let mut text_of_items = String::new();
        for item in &self.items {
            let parts = item.get("content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            for part in parts.iter().filter(|_| item.get("type").is_none_or(|kind| kind == "message")) {
                push_content(&mut text_of_items, part.get("text"));
                push_content(&mut text_of_items, part.get("refusal"));
            }
            self.calls.of_responses(item);
        }
        let texts = [text_of_items, self.text, self.refusal];
        Transcript {
            text: texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default(),
            calls: self.calls.finish(),
            error: self.error,
        }
    }
}

/// A text, or the texts of parts, as Mistral sends them.
fn push_content(text: &mut String, content: Option<&Value>) {
    match content {
        Some(Value::String(piece)) => text.push_str(piece),
        Some(Value::Array(parts)) => {
            for part in parts {
                if let Some(piece) = part.get("text").and_then(Value::as_str) {
                    text.push_str(piece);
                }
            }
        }
        _ => {}
    }
}

/// An error: a text, or an object with a type or a code and a message.
fn fault(error: &Value) -> Fault {
    let word = |name: &str| match error.get(name) {
        Some(Value::String(word)) => Some(word.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let named = ["code", "type"].into_iter().filter_map(word).collect::<Vec<_>>().join(" ");
    let message = error.as_str().map(str::to_owned).or_else(|| word("message")).unwrap_or_default();
    Fault { kind: named, message }
}

#[cfg(test)]
mod tests;
