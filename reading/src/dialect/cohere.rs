//! Cohere's chat: version 2 as an event stream and whole, version 1 as lines and whole.

use super::{Dialect, Field, Kind, LazyTable, Table, when_done_or_each_finished};

/// Version 2.
pub(super) static V2: Dialect = Dialect {
    name: |_| "cohere-v2",
    marks: &[
        "delta.message",
        "delta.finish_reason",
        "usage.billed_units",
        "usage.tokens",
        "message.tool_plan",
    ],
    table: LazyTable::new(|| Table::compile(V2_PATHS)),
    finishes: &[],
    kinds: &[("message-end", Kind::Done), ("tool_call", Kind::Call)],
    is_finished: when_done_or_each_finished,
};

/// Version 1, and the generate before it.
pub(super) static V1: Dialect = Dialect {
    name: |_| "cohere-v1",
    marks: &["generations", "meta.api_version", "generation_id", "chat_history"],
    table: LazyTable::new(|| Table::compile(V1_PATHS)),
    finishes: &[],
    kinds: &[],
    is_finished: when_done_or_each_finished,
};

const V2_PATHS: &[(&str, Field)] = &[
    ("type", Field::Kind),
    ("delta.message.content.text", Field::Text(0)),
    ("delta.message.content.thinking", Field::Reasoning),
    ("delta.message.tool_plan", Field::Reasoning),
    ("delta.message.tool_calls", Field::Call),
    ("delta.message.tool_calls.id", Field::CallStart),
    ("delta.message.tool_calls.function.arguments", Field::CallArguments),
    ("delta.finish_reason", Field::Finish),
    ("delta.error", Field::Error),
    ("delta.usage.tokens.input_tokens", Field::InputTokens),
    ("delta.usage.tokens.output_tokens", Field::OutputTokens),
    ("delta.usage.cached_tokens", Field::CachedInputTokens),
    ("message.content[].text", Field::Text(0)),
    ("message.content[].thinking", Field::Reasoning),
    ("message.tool_calls[]", Field::Call),
    ("message.tool_calls[].id", Field::CallStart),
    ("message.tool_calls[].function.arguments", Field::CallArguments),
    ("finish_reason", Field::Finish),
    ("usage.tokens.input_tokens", Field::InputTokens),
    ("usage.tokens.output_tokens", Field::OutputTokens),
    ("usage.cached_tokens", Field::CachedInputTokens),
    ("error", Field::Error),
];

const V1_PATHS: &[(&str, Field)] = &[
    ("text", Field::Text(0)),
    ("generations[].text", Field::Text(0)),
    ("generations[].finish_reason", Field::Finish),
    ("tool_calls[]", Field::Call),
    ("tool_calls[].name", Field::CallStart),
    ("finish_reason", Field::Finish),
    ("is_finished", Field::Done),
    // Tokens come after what is billed, and stand for it where they are.
    ("meta.billed_units.input_tokens", Field::InputTokens),
    ("meta.billed_units.output_tokens", Field::OutputTokens),
    ("meta.cached_tokens", Field::CachedInputTokens),
    ("meta.tokens.input_tokens", Field::InputTokens),
    ("meta.tokens.output_tokens", Field::OutputTokens),
    ("response.meta.tokens.input_tokens", Field::InputTokens),
    ("response.meta.tokens.output_tokens", Field::OutputTokens),
    ("error", Field::Error),
];
