//! Gemini's generateContent, as an event stream, as a streamed array, and whole; and its Interactions.
//!
//! Usage is cumulative on every document. The end is a finish reason, without a terminal event. Cloud Code
//! wraps each document in `response`.

use super::{Dialect, Field, Finish, Kind, LazyTable, Table, Words};

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
    table: LazyTable::new(|| Table::compile(PATHS)),
    finishes: FINISHES,
    kinds: &[],
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
    table: LazyTable::new(|| Table::compile(INTERACTIONS_PATHS)),
    finishes: &[
        ("in_progress", Finish::None),
        ("incomplete", Finish::Length),
        ("requires_action", Finish::ToolCalls),
        ("failed", Finish::Error),
    ],
    kinds: &[
        ("thought", Kind::Reasoning),
        ("thought_summary", Kind::Reasoning),
        ("function_call", Kind::Call),
        ("text", Kind::Plain),
        ("model_output", Kind::Plain),
        ("interaction.completed", Kind::Done),
        ("error", Kind::Error),
        ("interaction.*", Kind::Plain),
        ("step.*", Kind::Plain),
        ("*", Kind::Ignored),
    ],
    is_finished: |seen| Some(seen.is_done()),
};

const FINISHES: Words<Finish> = &[
    // Some send the number of the enum.
    ("1", Finish::Stop),
    ("2", Finish::Length),
    ("recitation", Finish::ContentFilter),
    ("blocklist", Finish::ContentFilter),
    ("prohibited_content", Finish::ContentFilter),
    ("spii", Finish::ContentFilter),
    ("3", Finish::ContentFilter),
    ("4", Finish::ContentFilter),
    ("image_safety", Finish::ContentFilter),
    ("malformed_function_call", Finish::Error),
    ("unexpected_tool_call", Finish::Error),
    ("finish_reason_unspecified", Finish::None),
    ("0", Finish::None),
];

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
