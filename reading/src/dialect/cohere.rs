//! Cohere's chat: version 2 as an event stream and whole, version 1 as JSON lines and whole.

use super::definition::{Dialect, when_done_or_each_finished};
use super::meaning::{BlockKind, Meaning};
use crate::json::PathTable;

/// Version 2.
pub(super) static V2: Dialect = Dialect {
    name: |_| "cohere-v2",
    signatures: &[
        "delta.message",
        "delta.finish_reason",
        "usage.billed_units",
        "usage.tokens",
        "message.tool_plan",
    ],
    table: PathTable::new(&[V2_PATHS]),
    finish_reasons: &[],
    types: &[("message-end", BlockKind::Done), ("tool_call", BlockKind::Call)],
    is_finished: when_done_or_each_finished,
    is_answer: |_| true,
};

/// Version 1, and the older generate.
pub(super) static V1: Dialect = Dialect {
    name: |_| "cohere-v1",
    signatures: &[
        "generations",
        "generation_id",
        "chat_history",
        "event_type=stream-*",
        "event_type=text-generation",
        "event_type=tool-calls-*",
        "event_type=search-*",
        "event_type=citation-generation",
    ],
    table: PathTable::new(&[V1_PATHS]),
    finish_reasons: &[],
    types: &[],
    is_finished: when_done_or_each_finished,
    is_answer: |_| true,
};

const V2_PATHS: &[(&str, Meaning)] = &[
    ("type", Meaning::Type),
    ("delta.message.content.text", Meaning::Text(0)),
    ("delta.message.content.thinking", Meaning::Reasoning),
    ("delta.message.tool_plan", Meaning::Reasoning),
    ("delta.message.citations", Meaning::OtherContent),
    ("delta.message.tool_calls", Meaning::Call),
    ("index", Meaning::CallIndex),
    ("delta.message.tool_calls.function.name", Meaning::CallStart),
    ("delta.message.tool_calls.function.arguments", Meaning::CallArguments),
    ("delta.finish_reason", Meaning::Finish),
    ("delta.error", Meaning::Error),
    ("delta.usage.tokens.input_tokens", Meaning::InputTokens),
    ("delta.usage.tokens.output_tokens", Meaning::OutputTokens),
    ("delta.usage.cached_tokens", Meaning::CachedInputTokens),
    ("delta.usage.billed_units.input_tokens", Meaning::OtherInputTokens),
    ("delta.usage.billed_units.output_tokens", Meaning::OtherOutputTokens),
    ("message.content[].text", Meaning::Text(0)),
    ("message.content[].thinking", Meaning::Reasoning),
    ("message.tool_plan", Meaning::Reasoning),
    ("message.citations[]", Meaning::OtherContent),
    ("message.tool_calls[]", Meaning::Call),
    ("message.tool_calls[].function.name", Meaning::CallStart),
    ("message.tool_calls[].function.arguments", Meaning::CallArguments),
    ("finish_reason", Meaning::Finish),
    ("usage.tokens.input_tokens", Meaning::InputTokens),
    ("usage.tokens.output_tokens", Meaning::OutputTokens),
    ("usage.cached_tokens", Meaning::CachedInputTokens),
    ("usage.billed_units.input_tokens", Meaning::OtherInputTokens),
    ("usage.billed_units.output_tokens", Meaning::OtherOutputTokens),
    ("amazon-bedrock-invocationMetrics.inputTokenCount", Meaning::OtherInputTokens),
    ("amazon-bedrock-invocationMetrics.outputTokenCount", Meaning::OtherOutputTokens),
    ("amazon-bedrock-invocationMetrics.cacheReadInputTokenCount", Meaning::OtherCachedInputTokens),
    ("error", Meaning::Error),
];

const V1_PATHS: &[(&str, Meaning)] = &[
    ("text", Meaning::Text(0)),
    ("generations[].text", Meaning::Text(0)),
    ("generations[].finish_reason", Meaning::Finish),
    ("citations[]", Meaning::OtherContent),
    ("search_queries[]", Meaning::OtherContent),
    ("tool_calls[]", Meaning::Call),
    ("tool_calls[].name", Meaning::CallStart),
    ("finish_reason", Meaning::Finish),
    ("is_finished", Meaning::Done),
    // Billed units count if there are no numbers of tokens.
    ("meta.billed_units.input_tokens", Meaning::OtherInputTokens),
    ("meta.billed_units.output_tokens", Meaning::OtherOutputTokens),
    ("meta.cached_tokens", Meaning::CachedInputTokens),
    ("meta.tokens.input_tokens", Meaning::InputTokens),
    ("meta.tokens.output_tokens", Meaning::OutputTokens),
    ("response.meta.billed_units.input_tokens", Meaning::OtherInputTokens),
    ("response.meta.billed_units.output_tokens", Meaning::OtherOutputTokens),
    ("response.meta.cached_tokens", Meaning::CachedInputTokens),
    ("response.meta.tokens.input_tokens", Meaning::InputTokens),
    ("response.meta.tokens.output_tokens", Meaning::OutputTokens),
    ("amazon-bedrock-invocationMetrics.inputTokenCount", Meaning::OtherInputTokens),
    ("amazon-bedrock-invocationMetrics.outputTokenCount", Meaning::OtherOutputTokens),
    ("amazon-bedrock-invocationMetrics.cacheReadInputTokenCount", Meaning::OtherCachedInputTokens),
    ("error", Meaning::Error),
];
