//! Anthropic messages, streamed and whole, also inside of Bedrock's messages; and the older completions.
//!
//! Usage in `message_delta` is cumulative and overrides that in `message_start`. Input tokens do not include those
//! from a cache. The event that begins a content block may already have text.

use super::definition::{Dialect, when_done_or_each_finished};
use super::meaning::{BlockKind, Meaning};
use super::vocabulary::Vocabulary;
use crate::json::PathTable;

/// Messages.
pub(super) static MESSAGES: Dialect = Dialect {
    name: |_| "anthropic-messages",
    signatures: &[
        "message.usage",
        "content_block",
        "delta.type=text_delta",
        "delta.type=thinking_delta",
        "delta.type=input_json_delta",
        "delta.stop_reason",
        "content[].type",
        "stop_sequence",
    ],
    table: PathTable::new(&[PATHS]),
    finish_reasons: &[],
    types: TYPES,
    is_finished: when_done_or_each_finished,
    is_answer: |_| true,
};

/// The legacy completions.
pub(super) static COMPLETE: Dialect = Dialect {
    name: |_| "anthropic-complete",
    signatures: &["completion"],
    table: PathTable::new(&[&[
        ("completion", Meaning::Text(0)),
        ("stop_reason", Meaning::Finish),
        ("amazon-bedrock-invocationMetrics.inputTokenCount", Meaning::OtherInputTokens),
        ("amazon-bedrock-invocationMetrics.outputTokenCount", Meaning::OtherOutputTokens),
        ("amazon-bedrock-invocationMetrics.cacheReadInputTokenCount", Meaning::OtherCachedInputTokens),
        ("model", Meaning::Model),
        ("message.model", Meaning::Model),
        ("error", Meaning::Error),
    ]]),
    finish_reasons: &[],
    types: &[],
    is_finished: when_done_or_each_finished,
    is_answer: |_| true,
};

const TYPES: Vocabulary<BlockKind> = &[
    ("content_block_*", BlockKind::Plain),
    ("text", BlockKind::Plain),
    ("message_stop", BlockKind::Done),
    ("message_*", BlockKind::Plain),
    ("message", BlockKind::Plain),
    ("completion", BlockKind::Plain),
    ("error", BlockKind::Error),
    ("tool_use", BlockKind::Call),
    ("thinking", BlockKind::Reasoning),
    ("redacted_thinking", BlockKind::Reasoning),
    // Results of the server's own tools are not text of the model.
    ("*", BlockKind::Ignored),
];

const PATHS: &[(&str, Meaning)] = &[
    ("type", Meaning::Type),
    ("index", Meaning::CallIndex),
    ("delta.text", Meaning::Text(0)),
    ("delta.thinking", Meaning::Reasoning),
    ("delta.partial_json", Meaning::CallArguments),
    ("delta.stop_reason", Meaning::Finish),
    ("delta.citation", Meaning::OtherContent),
    ("content_block", Meaning::Item),
    ("content_block.type", Meaning::Type),
    ("content_block.text", Meaning::Text(0)),
    ("content_block.thinking", Meaning::Reasoning),
    ("content_block.id", Meaning::CallId),
    ("content_block.name", Meaning::ToolName),
    ("message.content[]", Meaning::Item),
    ("message.content[].type", Meaning::Type),
    ("message.content[].text", Meaning::Text(0)),
    ("message.content[].thinking", Meaning::Reasoning),
    ("message.content[].id", Meaning::CallId),
    ("message.content[].name", Meaning::ToolName),
    ("message.stop_reason", Meaning::Finish),
    ("message.usage.input_tokens", Meaning::InputTokens),
    ("message.usage.output_tokens", Meaning::OutputTokens),
    ("message.usage.cache_read_input_tokens", Meaning::CachedInputTokens),
    ("content[]", Meaning::Item),
    ("content[].type", Meaning::Type),
    ("content[].text", Meaning::Text(0)),
    ("content[].thinking", Meaning::Reasoning),
    ("content[].id", Meaning::CallId),
    ("content[].name", Meaning::ToolName),
    ("content[].input", Meaning::CallArguments),
    ("stop_reason", Meaning::Finish),
    ("usage.input_tokens", Meaning::InputTokens),
    ("usage.output_tokens", Meaning::OutputTokens),
    ("usage.cache_read_input_tokens", Meaning::CachedInputTokens),
    // Gateways that send both namings.
    ("usage.prompt_tokens", Meaning::OtherInputTokens),
    ("usage.completion_tokens", Meaning::OtherOutputTokens),
    ("usage.prompt_tokens_details.cached_tokens", Meaning::OtherCachedInputTokens),
    ("usage.output_tokens_details.thinking_tokens", Meaning::ReasoningTokens),
    ("amazon-bedrock-invocationMetrics.inputTokenCount", Meaning::InputTokens),
    ("amazon-bedrock-invocationMetrics.outputTokenCount", Meaning::OutputTokens),
    ("amazon-bedrock-invocationMetrics.cacheReadInputTokenCount", Meaning::CachedInputTokens),
    ("error", Meaning::Error),
];
