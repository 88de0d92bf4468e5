//! Gemini's generateContent, as an event stream, as a streamed array, and whole; and its Interactions API.
//!
//! Usage is cumulative, in every document. A finish reason ends the response; there is no terminal event. Cloud
//! Code puts each document into `response`.

use super::definition::Dialect;
use super::meaning::{BlockKind, Meaning};
use super::vocabulary::{End, FAILED, FILTERED, LENGTH, MALFORMED, NONE, STOP, TOOL_CALLS, Vocabulary};
use crate::json::PathTable;

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
    table: PathTable::new(&[PATHS]),
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
        "event_type=interaction.*",
        "event_type=step.*",
        "interaction",
        "steps[].type",
        "usage.total_input_tokens",
    ],
    table: PathTable::new(&[INTERACTIONS_PATHS]),
    finish_reasons: &[
        // Gemini: Interactions API, `status`.
        ("in_progress", NONE),
        ("incomplete", LENGTH),
        ("requires_action", TOOL_CALLS),
        ("failed", FAILED),
    ],
    types: &[
        ("thought", BlockKind::Reasoning),
        ("thought_summary", BlockKind::Reasoning),
        ("thought_signature", BlockKind::Plain),
        ("function_call", BlockKind::Call),
        ("arguments_delta", BlockKind::Arguments),
        ("text", BlockKind::Plain),
        ("model_output", BlockKind::Plain),
        ("interaction.completed", BlockKind::Done),
        ("error", BlockKind::Error),
        ("interaction.*", BlockKind::Plain),
        ("step.*", BlockKind::Plain),
        ("*", BlockKind::Ignored),
    ],
    is_finished: |facts| Some(facts.is_done()),
    // A background interaction is fetched when it is done.
    is_answer: |facts| !facts.is_unanswered(),
};

// Gemini: API reference and google-genai, FinishReason; Vertex: Candidate.FinishReason, with MODEL_ARMOR.
const FINISH_REASONS: Vocabulary<End> = &[
    ("language", FILTERED),
    ("blocklist", FILTERED),
    ("prohibited_content", FILTERED),
    ("spii", FILTERED),
    ("model_armor", FILTERED),
    ("image_safety", FILTERED),
    ("image_prohibited_content", FILTERED),
    ("image_recitation", FILTERED),
    ("malformed_response", MALFORMED),
    ("unexpected_tool_call", MALFORMED),
    ("too_many_tool_calls", MALFORMED),
    ("missing_thought_signature", MALFORMED),
    ("finish_reason_unspecified", NONE),
    // Some servers send the number of the enum's value. The two APIs do not mean the same filter by 6, 7, 8 and 11,
    // but both mean a filter. 9 and 10 are a filter in one API only, so they count as other.
    ("0", NONE),
    ("1", STOP),
    ("2", LENGTH),
    ("3", FILTERED),
    ("4", FILTERED),
    ("6", FILTERED),
    ("7", FILTERED),
    ("8", FILTERED),
    ("11", FILTERED),
];

const PATHS: &[(&str, Meaning)] = &[
    ("candidates[]", Meaning::Choice),
    ("candidates[].index", Meaning::ChoiceIndex),
    ("candidates[].finishReason", Meaning::Finish),
    ("candidates[].content.parts[]", Meaning::Block),
    ("candidates[].content.parts[].text", Meaning::Text(0)),
    ("candidates[].content.parts[].thought", Meaning::IsReasoning),
    ("candidates[].content.parts[].inlineData", Meaning::OtherContent),
    ("candidates[].content.parts[].fileData", Meaning::OtherContent),
    ("candidates[].content.parts[].executableCode", Meaning::OtherContent),
    ("candidates[].content.parts[].codeExecutionResult", Meaning::OtherContent),
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
    ("response.candidates[].content.parts[].inlineData", Meaning::OtherContent),
    ("response.candidates[].content.parts[].fileData", Meaning::OtherContent),
    ("response.candidates[].content.parts[].executableCode", Meaning::OtherContent),
    ("response.candidates[].content.parts[].codeExecutionResult", Meaning::OtherContent),
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
    ("delta.content.text", Meaning::Text(0)), // of thoughts
    ("delta.arguments", Meaning::CallArguments),
    ("step", Meaning::Item),
    ("step.type", Meaning::Type),
    ("step.name", Meaning::ToolName),
    ("step.id", Meaning::CallId),
    ("steps[]", Meaning::Item),
    ("steps[].type", Meaning::Type),
    ("steps[].name", Meaning::ToolName),
    ("steps[].id", Meaning::CallId),
    ("steps[].content[].text", Meaning::Text(0)),
    ("steps[].summary[].text", Meaning::Reasoning),
    ("status", Meaning::Status),
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
