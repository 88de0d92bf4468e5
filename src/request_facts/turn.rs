//! Whether a request is the first turn of its conversation.
//!
//! Chat APIs send the whole history with each request, so a body with a history, but without an answer of the model in
//! it, is a first turn. A body without a history (a completion's prompt, Ollama's context, an upload) is not. These paths
//! are read:
//!
//! * OpenAI chat completions, Anthropic, Bedrock, Cohere v2, Ollama: `messages[].role`;
//! * OpenAI Responses: `input`, a text or items; `previous_response_id` and `conversation` continue one;
//! * Gemini: `contents[].role`; its interactions: `input` and `previous_interaction_id`;
//! * Cohere v1: `message` with `chat_history[].role`; `conversation_id` continues one.

#[cfg(test)]
mod tests;

use super::Field;
use crate::json::Value;

#[derive(Clone, Copy)]
pub(super) enum TurnField {
    /// The history, or a message in it.
    History,
    /// The role of a message.
    Role,
    /// The type of an item of the Responses API.
    Type,
    /// The id of what the request continues; null if it continues nothing.
    Continues,
}

pub(super) const PATHS: &[(&str, Field)] = &[
    ("messages[]", Field::Turn(TurnField::History)),
    ("messages[].role", Field::Turn(TurnField::Role)),
    ("input", Field::Turn(TurnField::History)),
    ("input[].role", Field::Turn(TurnField::Role)),
    ("input[].type", Field::Turn(TurnField::Type)),
    ("previous_response_id", Field::Turn(TurnField::Continues)),
    ("conversation", Field::Turn(TurnField::Continues)),
    ("previous_interaction_id", Field::Turn(TurnField::Continues)),
    ("contents", Field::Turn(TurnField::History)),
    ("contents[].role", Field::Turn(TurnField::Role)),
    ("message", Field::Turn(TurnField::History)),
    ("chat_history[].role", Field::Turn(TurnField::Role)),
    ("conversation_id", Field::Turn(TurnField::Continues)),
];

/// Roles that are not the model's.
const OTHER_ROLES: [&[u8]; 5] = [b"user", b"system", b"developer", b"", b"human"];
/// Items of the Responses API that occur before any answer of the model.
const FIRST_TURN_ITEMS: [&[u8]; 4] = [b"message", b"input_text", b"input_image", b"input_file"];

#[derive(Default)]
pub(super) struct TurnFacts {
    has_history: bool,
    pub(super) has_answer: bool,
}

impl TurnFacts {
    /// Whether the body is a first turn: it is whole, and has a history without an answer. `None`: the body does not show
    /// it, because it is not whole.
    pub(super) fn is_first(&self, is_whole: bool) -> Option<bool> {
        if self.has_answer { Some(false) } else { is_whole.then_some(self.has_history) }
    }

    pub(super) fn value(&mut self, field: TurnField, value: Value<'_>) {
        match (field, value) {
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
}
