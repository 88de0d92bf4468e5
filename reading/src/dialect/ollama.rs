//! Ollama's `/api/chat` and `/api/generate`, as lines and whole.

use super::{Dialect, Field, LazyTable, Table};

pub(super) static DIALECT: Dialect = Dialect {
    name: |_| "ollama",
    marks: &["done", "eval_count"],
    table: LazyTable::new(|| Table::compile(PATHS)),
    finishes: &[],
    kinds: &[],
    is_finished: |seen| Some(seen.is_done()),
};

const PATHS: &[(&str, Field)] = &[
    ("message.content", Field::Text(0)),
    ("message.thinking", Field::Reasoning),
    ("message.tool_calls[]", Field::Call),
    ("message.tool_calls[].function.name", Field::CallStart),
    ("message.tool_calls[].function.arguments", Field::CallArguments),
    ("response", Field::Text(0)),
    ("thinking", Field::Reasoning),
    ("done", Field::Done),
    ("done_reason", Field::Finish),
    ("prompt_eval_count", Field::InputTokens),
    ("eval_count", Field::OutputTokens),
    ("model", Field::Model),
    ("error", Field::Error),
];
