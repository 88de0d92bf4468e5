//! Anthropic messages, streamed and whole, also as Bedrock carries them; and the completions before them.
//!
//! Usage in `message_delta` is cumulative and overrides that of `message_start`; input tokens leave out what
//! came from a cache. A content block may begin with text.

use super::{Dialect, Field, Finish, Kind, LazyTable, Table, Words, when_done_or_each_finished};

/// Messages.
pub(super) static MESSAGES: Dialect = Dialect {
    name: |_| "anthropic-messages",
    marks: &[
        "message.usage",
        "content_block",
        "delta.text",
        "delta.stop_reason",
        "content[].type",
        "stop_sequence",
    ],
    table: LazyTable::new(|| Table::compile(PATHS)),
    finishes: FINISHES,
    kinds: KINDS,
    is_finished: when_done_or_each_finished,
};

/// The legacy completions.
pub(super) static COMPLETE: Dialect = Dialect {
    name: |_| "anthropic-complete",
    marks: &["completion"],
    table: LazyTable::new(|| {
        Table::compile(&[
            ("completion", Field::Text(0)),
            ("stop_reason", Field::Finish),
            ("model", Field::Model),
            ("message.model", Field::Model),
            ("error", Field::Error),
        ])
    }),
    finishes: FINISHES,
    kinds: &[],
    is_finished: when_done_or_each_finished,
};

const FINISHES: Words<Finish> = &[("model_context_window_exceeded", Finish::Length)];

const KINDS: Words<Kind> = &[
    ("content_block_*", Kind::Plain),
    ("text", Kind::Plain),
    ("message_stop", Kind::Done),
    ("message_*", Kind::Plain),
    ("message", Kind::Plain),
    ("completion", Kind::Plain),
    ("error", Kind::Error),
    ("tool_use", Kind::Call),
    ("thinking", Kind::Reasoning),
    ("redacted_thinking", Kind::Reasoning),
    // Results of the server's own tools are no text of the model.
    ("*", Kind::Ignored),
];

const PATHS: &[(&str, Field)] = &[
    ("type", Field::Kind),
    ("delta.text", Field::Text(0)),
    ("delta.thinking", Field::Reasoning),
    ("delta.partial_json", Field::CallArguments),
    ("delta.stop_reason", Field::Finish),
    ("content_block", Field::Block),
    ("content_block.type", Field::Kind),
    ("content_block.text", Field::Text(0)),
    ("content_block.id", Field::CallId),
    ("message.content[]", Field::Block),
    ("message.content[].type", Field::Kind),
    ("message.content[].text", Field::Text(0)),
    ("message.content[].id", Field::CallId),
    ("message.stop_reason", Field::Finish),
    ("message.usage.input_tokens", Field::InputTokens),
    ("message.usage.output_tokens", Field::OutputTokens),
    ("message.usage.cache_read_input_tokens", Field::CachedInputTokens),
    ("content[]", Field::Block),
    ("content[].type", Field::Kind),
    ("content[].text", Field::Text(0)),
    ("content[].id", Field::CallId),
    ("content[].input", Field::CallArguments),
    ("stop_reason", Field::Finish),
    ("usage.input_tokens", Field::InputTokens),
    ("usage.output_tokens", Field::OutputTokens),
    ("usage.cache_read_input_tokens", Field::CachedInputTokens),
    ("usage.output_tokens_details.thinking_tokens", Field::ReasoningTokens),
    ("amazon-bedrock-invocationMetrics.inputTokenCount", Field::InputTokens),
    ("amazon-bedrock-invocationMetrics.outputTokenCount", Field::OutputTokens),
    ("amazon-bedrock-invocationMetrics.cacheReadInputTokenCount", Field::CachedInputTokens),
    ("error", Field::Error),
];
