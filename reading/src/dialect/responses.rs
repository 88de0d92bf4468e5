//! OpenAI's Responses API, streamed and whole.
//!
//! Each event names itself in `type`. Text comes in deltas and again in the events that end an item and the
//! response, so only deltas count in a stream, and only `output` in a whole response.

use super::{Dialect, Field, Finish, Kind, LazyTable, Table, Words};

pub(super) static DIALECT: Dialect = Dialect {
    name: |_| "openai-responses",
    marks: &[
        "type=response.",
        "sequence_number",
        "output_index",
        "item_id",
        "response.output",
        "response.usage",
        "incomplete_details",
        "output[].type",
    ],
    table: LazyTable::new(|| Table::compile(PATHS)),
    finishes: FINISHES,
    kinds: KINDS,
    is_finished: |seen| Some(seen.is_done()),
};

const FINISHES: Words<Finish> = &[
    ("in_progress", Finish::None),
    ("incomplete", Finish::Length),
    ("max_output_tokens", Finish::Length),
    ("failed", Finish::Error),
];

const KINDS: Words<Kind> = &[
    ("response.output_text.delta", Kind::Text),
    ("response.refusal.delta", Kind::Refusal),
    ("response.reasoning_text.delta", Kind::Reasoning),
    ("response.reasoning_summary_text.delta", Kind::Reasoning),
    ("response.function_call_arguments.delta", Kind::Arguments),
    ("response.custom_tool_call_input.delta", Kind::Arguments),
    ("response.function_call_arguments.done", Kind::AllArguments),
    ("response.custom_tool_call_input.done", Kind::AllArguments),
    ("response.completed", Kind::Done),
    ("response.incomplete", Kind::Done),
    ("response.failed", Kind::Done),
    ("response.cancelled", Kind::Done),
    ("error", Kind::Error),
    // Items.
    ("function_call", Kind::Call),
    ("custom_tool_call", Kind::Call),
    ("reasoning", Kind::Reasoning),
    ("message", Kind::Plain),
    ("output_text", Kind::Plain),
    ("response.*", Kind::Plain),
    ("*", Kind::Ignored),
];

const PATHS: &[(&str, Field)] = &[
    ("type", Field::Kind),
    ("delta", Field::KindText),
    ("item", Field::Block),
    ("item.type", Field::Kind),
    ("item.id", Field::CallId),
    ("output[]", Field::Block),
    ("output[].type", Field::Kind),
    ("output[].id", Field::CallId),
    ("output[].content[].text", Field::Text(0)),
    ("output[].content[].refusal", Field::Refusal),
    ("status", Field::Finish),
    ("incomplete_details.reason", Field::Finish),
    ("model", Field::Model),
    ("response.model", Field::Model),
    ("error", Field::Error),
    ("usage.input_tokens", Field::InputTokens),
    ("usage.output_tokens", Field::OutputTokens),
    ("usage.input_tokens_details.cached_tokens", Field::CachedInputTokens),
    ("usage.output_tokens_details.reasoning_tokens", Field::ReasoningTokens),
    ("response.status", Field::Finish),
    ("response.incomplete_details.reason", Field::Finish),
    ("response.error", Field::Error),
    ("response.usage.input_tokens", Field::InputTokens),
    ("response.usage.output_tokens", Field::OutputTokens),
    ("response.usage.input_tokens_details.cached_tokens", Field::CachedInputTokens),
    ("response.usage.output_tokens_details.reasoning_tokens", Field::ReasoningTokens),
];
