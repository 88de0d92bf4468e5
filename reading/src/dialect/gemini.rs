//! Gemini's generateContent, as an event stream, as a streamed array, and whole; and its Interactions API.
//!
//! Usage is cumulative, in every document. A finish reason ends the response; there is no terminal event. Cloud
//! Code puts each document into `response`.

use super::definition::{BlockKind, Dialect, Meaning};
use super::facts::Finish;
use super::vocabulary::Vocabulary;
use crate::json::{LazyTable, Table};

/// generateContent and streamGenerateContent.
pub(super) static DIALECT: Dialect = Dialect {
    name: |_| "gemini",
    signatures: &[
        "candidates",
        "usageMetadata",
        "promptFeedback",
        "response.candidates",
        "response.usageMetadata",
    ],
    table: LazyTable::new(|| Table::compile(PATHS)),
    finish_reasons: FINISH_REASONS,
    types: &[],
    is_finished: |facts| Some(facts.blocked || facts.is_each_choice_finished()),
    is_answer: |_| true,
};

/// Interactions.
pub(super) static INTERACTIONS: Dialect = Dialect {
    name: |_| "gemini-interactions",
    signatures: &[
        "object=interaction",
        "event_type=interaction.",
        "interaction",
        "steps[].type",
        "usage.total_input_tokens",
    ],
    table: LazyTable::new(|| Table::compile(INTERACTIONS_PATHS)),
    finish_reasons: &[
        ("in_progress", Finish::None),
        ("incomplete", Finish::Length),
        ("requires_action", Finish::ToolCalls),
        ("failed", Finish::Error),
    ],
    types: &[
        ("thought", BlockKind::Reasoning),
        ("thought_summary", BlockKind::Reasoning),
        ("function_call", BlockKind::Call),
        ("text", BlockKind::Plain),
        ("model_output", BlockKind::Plain),
        ("interaction.completed", BlockKind::Done),
        ("error", BlockKind::Error),
        ("interaction.*", BlockKind::Plain),
        ("step.*", BlockKind::Plain),
        ("*", BlockKind::Ignored),
    ],
    is_finished: |facts| Some(facts.is_done()),
    is_answer: |_| true,
};

const FINISH_REASONS: Vocabulary<Finish> = &[
    // Some servers send the number of the enum's value.
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

const PATHS: &[(&str, Meaning)] = &[
    ("candidates[]", Meaning::Choice),
    ("candidates[].index", Meaning::ChoiceIndex),
    ("candidates[].finishReason", Meaning::Finish),
    ("candidates[].content.parts[]", Meaning::Block),
    ("candidates[].content.parts[].text", Meaning::Text(0)),
    ("candidates[].content.parts[].thought", Meaning::IsReasoning),
    ("candidates[].content.parts[].functionCall", Meaning::Call),
    ("candidates[].content.parts[].functionCall.name", Meaning::CallStart),
    ("candidates[].content.parts[].functionCall.args", Meaning::CallArguments),
    ("promptFeedback.blockReason", Meaning::Blocked),
    ("usageMetadata.promptTokenCount", Meaning::InputTokens),
    ("usageMetadata.candidatesTokenCount", Meaning::OutputTokens),
    ("usageMetadata.cachedContentTokenCount", Meaning::CachedInputTokens),
    ("usageMetadata.thoughtsTokenCount", Meaning::ReasoningTokens),
    ("modelVersion", Meaning::Model),
    ("response.modelVersion", Meaning::Model),
    ("error", Meaning::Error),
    ("response.candidates[]", Meaning::Choice),
    ("response.candidates[].index", Meaning::ChoiceIndex),
    ("response.candidates[].finishReason", Meaning::Finish),
    ("response.candidates[].content.parts[]", Meaning::Block),
    ("response.candidates[].content.parts[].text", Meaning::Text(0)),
    ("response.candidates[].content.parts[].thought", Meaning::IsReasoning),
    ("response.candidates[].content.parts[].functionCall", Meaning::Call),
    ("response.candidates[].content.parts[].functionCall.name", Meaning::CallStart),
    ("response.candidates[].content.parts[].functionCall.args", Meaning::CallArguments),
    ("response.promptFeedback.blockReason", Meaning::Blocked),
    ("response.usageMetadata.promptTokenCount", Meaning::InputTokens),
    ("response.usageMetadata.candidatesTokenCount", Meaning::OutputTokens),
    ("response.usageMetadata.cachedContentTokenCount", Meaning::CachedInputTokens),
    ("response.usageMetadata.thoughtsTokenCount", Meaning::ReasoningTokens),
];

const INTERACTIONS_PATHS: &[(&str, Meaning)] = &[
    ("event_type", Meaning::Type),
    ("index", Meaning::CallIndex),
    ("delta", Meaning::Block),
    ("delta.type", Meaning::Type),
    ("delta.text", Meaning::Text(0)),
    ("step", Meaning::Block),
    ("step.type", Meaning::Type),
    ("step.id", Meaning::CallId),
    ("steps[]", Meaning::Block),
    ("steps[].type", Meaning::Type),
    ("steps[].id", Meaning::CallId),
    ("steps[].content[].text", Meaning::Text(0)),
    ("status", Meaning::Finish),
    ("interaction.status", Meaning::Finish),
    ("usage.total_input_tokens", Meaning::InputTokens),
    ("usage.total_output_tokens", Meaning::OutputTokens),
    ("usage.total_cached_tokens", Meaning::CachedInputTokens),
    ("usage.total_thought_tokens", Meaning::ReasoningTokens),
    ("interaction.usage.total_input_tokens", Meaning::InputTokens),
    ("interaction.usage.total_output_tokens", Meaning::OutputTokens),
    ("interaction.usage.total_cached_tokens", Meaning::CachedInputTokens),
    ("interaction.usage.total_thought_tokens", Meaning::ReasoningTokens),
    ("error", Meaning::Error),
];
