//! OpenAI's Responses API, streamed and whole.
//!
//! Each event names itself in `type`. Text comes in deltas and again in the events that end an item and the
//! response, so only deltas count in a stream, and only `output` in a whole response.

use std::sync::LazyLock;

use super::{Dialect, Field, Finish, Kind, Table, seen::common_finish};

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
    table: LazyLock::new(|| Table::compile(PATHS.iter().copied())),
    finish,
    kind,
    is_finished: |seen| Some(seen.is_done()),
};

fn finish(word: &[u8]) -> Finish {
    match word {
        b"in_progress" => Finish::None,
        b"incomplete" | b"max_output_tokens" => Finish::Length,
        b"failed" => Finish::Error,
        _ => common_finish(word),
    }
}

fn kind(word: &[u8]) -> Kind {
    match word {
        b"response.output_text.delta" => Kind::Text,
        b"response.refusal.delta" => Kind::Refusal,
        b"response.reasoning_text.delta" | b"response.reasoning_summary_text.delta" => Kind::Reasoning,
        b"response.function_call_arguments.delta" | b"response.custom_tool_call_input.delta" => {
            Kind::Arguments
        }
        b"response.function_call_arguments.done" | b"response.custom_tool_call_input.done" => {
            Kind::AllArguments
        }
        b"response.completed" | b"response.incomplete" | b"response.failed" | b"response.cancelled" => {
            Kind::Done
        }
        b"error" => Kind::Error,
        // Items.
        b"function_call" | b"custom_tool_call" => Kind::Call,
        b"reasoning" => Kind::Reasoning,
        b"message" | b"output_text" | b"response.output_item.added" | b"response.output_item.done" => {
            Kind::Plain
        }
        _ if word.starts_with(b"response.") => Kind::Plain,
        _ => Kind::Ignored,
    }
}

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
