//! Anthropic messages, streamed and whole, also as Bedrock carries them; and the completions before them.
//!
//! Usage in `message_delta` is cumulative and overrides that of `message_start`; input tokens leave out what
//! came from a cache. A content block may begin with text.

use std::sync::LazyLock;

use super::{Dialect, Field, Finish, Kind, Table, no_kinds, seen::common_finish, when_done_or_each_finished};

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
    table: LazyLock::new(|| Table::compile(PATHS.iter().copied())),
    finish,
    kind,
    is_finished: when_done_or_each_finished,
};

/// The legacy completions.
pub(super) static COMPLETE: Dialect = Dialect {
    name: |_| "anthropic-complete",
    marks: &["completion"],
    table: LazyLock::new(|| {
        Table::compile([
            ("completion", Field::Text(0)),
            ("stop_reason", Field::Finish),
            ("model", Field::Model),
            ("message.model", Field::Model),
            ("error", Field::Error),
        ])
    }),
    finish,
    kind: no_kinds,
    is_finished: when_done_or_each_finished,
};

fn finish(word: &[u8]) -> Finish {
    match word {
        b"model_context_window_exceeded" => Finish::Length,
        _ => common_finish(word),
    }
}

fn kind(word: &[u8]) -> Kind {
    match word {
        b"message_stop" => Kind::Done,
        b"error" => Kind::Error,
        b"tool_use" => Kind::Call,
        b"thinking" | b"redacted_thinking" => Kind::Reasoning,
        b"text" | b"message" | b"completion" => Kind::Plain,
        _ if word.starts_with(b"message_") || word.starts_with(b"content_block_") => Kind::Plain,
        // Results of the server's own tools are no text of the model.
        _ => Kind::Ignored,
    }
}

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
