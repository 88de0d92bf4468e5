//! Whether a request is the first turn of its conversation. In: the body, in chunks of any size.
//!
//! Chat APIs send the whole history with each request, so a body with a history, but without an answer of the model in
//! it, is a first turn. A body without a history (a completion's prompt, Ollama's context, an upload) is not. These paths
//! are read, and no value is kept:
//!
//! * OpenAI chat completions, Anthropic, Bedrock, Cohere v2, Ollama: `messages[].role`;
//! * OpenAI Responses: `input`, a text or items; `previous_response_id` and `conversation` continue one;
//! * Gemini: `contents[].role`; its interactions: `input` and `previous_interaction_id`;
//! * Cohere v1: `message` with `chat_history[].role`; `conversation_id` continues one.

#[cfg(test)]
mod tests;

use crate::json::{self, LazyTable, Scanner, Sink, Table, Value};

/// A body is read up to this length. Longer bodies contain images or files; they do not count as first turns.
pub const BODY_BYTES_READ_MAX: u64 = 8 * 1024 * 1024;

#[derive(Clone, Copy)]
enum TurnField {
    /// The history, or a message in it.
    History,
    /// The role of a message.
    Role,
    /// The type of an item of the Responses API.
    Type,
    /// The id of what the request continues; null if it continues nothing.
    Continues,
}

impl json::Field for TurnField {
    fn is_text(self) -> bool {
        false
    }
}

const PATHS: &[(&str, TurnField)] = &[
    ("messages[]", TurnField::History),
    ("messages[].role", TurnField::Role),
    ("input", TurnField::History),
    ("input[].role", TurnField::Role),
    ("input[].type", TurnField::Type),
    ("previous_response_id", TurnField::Continues),
    ("conversation", TurnField::Continues),
    ("previous_interaction_id", TurnField::Continues),
    ("contents", TurnField::History),
    ("contents[].role", TurnField::Role),
    ("message", TurnField::History),
    ("chat_history[].role", TurnField::Role),
    ("conversation_id", TurnField::Continues),
];

/// Roles that are not the model's.
const OTHER_ROLES: [&[u8]; 5] = [b"user", b"system", b"developer", b"", b"human"];
/// Items of the Responses API that occur before any answer of the model.
const FIRST_TURN_ITEMS: [&[u8]; 4] = [b"message", b"input_text", b"input_image", b"input_file"];

static TABLE: LazyTable<TurnField> = LazyTable::new(|| Table::compile(PATHS));

/// Reads the body of one request.
#[derive(Default)]
pub struct Turn {
    scanner: Scanner,
    seen: TurnFacts,
    read_bytes: u64,
    /// `None` until the body's first byte.
    is_object: Option<bool>,
}

#[derive(Default)]
struct TurnFacts {
    has_history: bool,
    has_answer: bool,
    is_whole: bool,
}

impl Turn {
    /// Reads the next chunk of the body.
    #[expect(clippy::arithmetic_side_effects, reason = "no body has 2^64 bytes")]
    pub fn push(&mut self, bytes: &[u8]) {
        self.read_bytes += bytes.len() as u64;
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        self.is_object = self.is_object.or(first.map(|&byte| byte == b'{'));
        if self.wants_more() {
            self.scanner.push(&TABLE, bytes, &mut self.seen);
        }
    }

    /// Whether more of the body can change the result.
    #[must_use]
    pub fn wants_more(&self) -> bool {
        let is_other = self.is_object == Some(false);
        let is_decided = self.seen.is_whole || self.seen.has_answer;
        !(is_other || is_decided || self.read_bytes > BODY_BYTES_READ_MAX)
    }

    /// Whether the body is a first turn: it is whole, and has a history without an answer. `None`: the body does not show
    /// it, because it is not whole, too long, or not JSON.
    #[must_use]
    pub fn is_first(&self) -> Option<bool> {
        let TurnFacts { has_history, has_answer, is_whole } = self.seen;
        if has_answer { Some(false) } else { is_whole.then_some(has_history) }
    }
}

impl Sink<TurnField> for TurnFacts {
    fn value(&mut self, field: TurnField, value: Value<'_>) {
        match (field, value) {
            _ if self.is_whole => {} // what follows the document does not count
            (_, Value::Close | Value::Scalar(b"null")) => {}
            (TurnField::History, _) => self.has_history = true,
            (TurnField::Role, Value::Short(role)) => {
                self.has_answer |= !OTHER_ROLES.iter().any(|other| role.eq_ignore_ascii_case(other));
            }
            (TurnField::Type, Value::Short(kind)) => self.has_answer |= !FIRST_TURN_ITEMS.contains(&kind),
            (TurnField::Role | TurnField::Type, _) => {}
            (TurnField::Continues, Value::Short(b"")) => {}
            (TurnField::Continues, _) => self.has_answer = true,
        }
    }

    fn document(&mut self) {
        self.is_whole = true;
    }
}
