//! Gemini's generateContent, as an event stream, as a streamed array, and whole; and its Interactions.
//!
//! Usage is cumulative on every document. The end is a finish reason, without a terminal event. Cloud Code
//! wraps each document in `response`.

use std::sync::LazyLock;

use super::{Dialect, Field, Finish, Kind, Table, no_kinds, seen::common_finish};

/// generateContent and streamGenerateContent.
pub(super) static DIALECT: Dialect = Dialect {
    name: |_| "gemini",
    marks: &[
        "candidates",
        "usageMetadata",
        "promptFeedback",
        "response.candidates",
        "response.usageMetadata",
    ],
    table: LazyLock::new(|| Table::compile(PATHS.iter().copied())),
    finish,
    kind: no_kinds,
    is_finished: |seen| Some(seen.blocked || seen.is_each_part_finished()),
};

/// Interactions.
pub(super) static INTERACTIONS: Dialect = Dialect {
    name: |_| "gemini-interactions",
    marks: &[
        "object=interaction",
        "event_type=interaction.",
        "interaction",
        "steps[].type",
        "usage.total_input_tokens",
    ],
    table: LazyLock::new(|| Table::compile(INTERACTIONS_PATHS.iter().copied())),
    finish: |word| match word {
        b"in_progress" => Finish::None,
        b"incomplete" => Finish::Length,
        b"requires_action" => Finish::ToolCalls,
        b"failed" => Finish::Error,
        _ => common_finish(word),
    },
    kind: |word| match word {
        b"thought" | b"thought_summary" => Kind::Reasoning,
        b"function_call" => Kind::Call,
        b"text" | b"model_output" => Kind::Plain,
        b"interaction.completed" => Kind::Done,
        b"error" => Kind::Error,
        _ if word.starts_with(b"interaction.") || word.starts_with(b"step.") => Kind::Plain,
        _ => Kind::Ignored,
    },
    is_finished: |seen| Some(seen.is_done()),
};

fn finish(word: &[u8]) -> Finish {
    match word {
        // Some send the number of the enum.
        b"STOP" | b"1" => Finish::Stop,
        b"MAX_TOKENS" | b"2" => Finish::Length,
        b"SAFETY"
        | b"RECITATION"
        | b"BLOCKLIST"
        | b"PROHIBITED_CONTENT"
        | b"SPII"
        | b"3"
        | b"4"
        | b"IMAGE_SAFETY" => Finish::ContentFilter,
        b"MALFORMED_FUNCTION_CALL" | b"UNEXPECTED_TOOL_CALL" => Finish::Error,
        b"FINISH_REASON_UNSPECIFIED" | b"0" | b"" => Finish::None,
        _ => Finish::Other,
    }
}

const PATHS: &[(&str, Field)] = &[
    ("candidates[]", Field::Part),
    ("candidates[].index", Field::PartIndex),
    ("candidates[].finishReason", Field::Finish),
    ("candidates[].content.parts[]", Field::Block),
    ("candidates[].content.parts[].text", Field::Text(0)),
    ("candidates[].content.parts[].thought", Field::IsReasoning),
    ("candidates[].content.parts[].functionCall", Field::Call),
    ("candidates[].content.parts[].functionCall.name", Field::CallStart),
    ("candidates[].content.parts[].functionCall.args", Field::CallArguments),
    ("promptFeedback.blockReason", Field::Blocked),
    ("usageMetadata.promptTokenCount", Field::InputTokens),
    ("usageMetadata.candidatesTokenCount", Field::OutputTokens),
    ("usageMetadata.cachedContentTokenCount", Field::CachedInputTokens),
    ("usageMetadata.thoughtsTokenCount", Field::ReasoningTokens),
    ("modelVersion", Field::Model),
    ("response.modelVersion", Field::Model),
    ("error", Field::Error),
    ("response.candidates[]", Field::Part),
    ("response.candidates[].index", Field::PartIndex),
    ("response.candidates[].finishReason", Field::Finish),
    ("response.candidates[].content.parts[]", Field::Block),
    ("response.candidates[].content.parts[].text", Field::Text(0)),
    ("response.candidates[].content.parts[].thought", Field::IsReasoning),
    ("response.candidates[].content.parts[].functionCall", Field::Call),
    ("response.candidates[].content.parts[].functionCall.name", Field::CallStart),
    ("response.candidates[].content.parts[].functionCall.args", Field::CallArguments),
    ("response.promptFeedback.blockReason", Field::Blocked),
    ("response.usageMetadata.promptTokenCount", Field::InputTokens),
    ("response.usageMetadata.candidatesTokenCount", Field::OutputTokens),
    ("response.usageMetadata.cachedContentTokenCount", Field::CachedInputTokens),
    ("response.usageMetadata.thoughtsTokenCount", Field::ReasoningTokens),
];

const INTERACTIONS_PATHS: &[(&str, Field)] = &[
    ("event_type", Field::Kind),
    ("delta", Field::Block),
    ("delta.type", Field::Kind),
    ("delta.text", Field::Text(0)),
    ("step", Field::Block),
    ("step.type", Field::Kind),
    ("step.id", Field::CallId),
    ("steps[]", Field::Block),
    ("steps[].type", Field::Kind),
    ("steps[].id", Field::CallId),
    ("steps[].content[].text", Field::Text(0)),
    ("status", Field::Finish),
    ("interaction.status", Field::Finish),
    ("usage.total_input_tokens", Field::InputTokens),
    ("usage.total_output_tokens", Field::OutputTokens),
    ("usage.total_cached_tokens", Field::CachedInputTokens),
    ("usage.total_thought_tokens", Field::ReasoningTokens),
    ("interaction.usage.total_input_tokens", Field::InputTokens),
    ("interaction.usage.total_output_tokens", Field::OutputTokens),
    ("interaction.usage.total_cached_tokens", Field::CachedInputTokens),
    ("interaction.usage.total_thought_tokens", Field::ReasoningTokens),
    ("error", Field::Error),
];
