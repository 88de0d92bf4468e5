//! Ollama's `/api/chat` and `/api/generate`, streamed as JSON lines, and whole.

use super::definition::Dialect;
use super::meaning::Meaning;
use crate::json::PathTable;

pub(super) static DIALECT: Dialect = Dialect {
    name: |_| "ollama",
    signatures: &["done", "eval_count"],
    table: PathTable::new(&[PATHS]),
    finish_reasons: &[],
    types: &[],
    is_finished: |facts| Some(facts.is_done()),
    // An empty prompt loads or unloads the model.
    is_answer: |facts| !facts.is_unanswered(),
};

const PATHS: &[(&str, Meaning)] = &[
    ("message.content", Meaning::Text(0)),
    ("message.thinking", Meaning::Reasoning),
    ("message.images[]", Meaning::OtherContent),
    ("image", Meaning::OtherContent),
    ("message.tool_calls[]", Meaning::Call),
    ("message.tool_calls[].function.name", Meaning::CallStart),
    ("message.tool_calls[].function.arguments", Meaning::CallArguments),
    ("response", Meaning::Text(0)),
    ("thinking", Meaning::Reasoning),
    ("done", Meaning::Done),
    ("done_reason", Meaning::Status),
    ("prompt_eval_count", Meaning::InputTokens),
    ("eval_count", Meaning::OutputTokens),
    ("model", Meaning::Model),
    ("error", Meaning::Error),
];
