//! OpenAI's Responses API, streamed and whole.
//!
//! Each event has its name in `type`. Text is in the deltas, and again in the events that end a text, a part, an item or
//! the response: hence ranks. Some servers and gateways send only some of these.

use super::definition::Dialect;
use super::meaning::{BlockKind, Meaning};
use super::vocabulary::{End, FAILED, LENGTH, NONE, Vocabulary};
use crate::json::PathTable;

pub(super) static DIALECT: Dialect = Dialect {
    name: |_| "openai-responses",
    signatures: &[
        "type=response.*",
        "sequence_number",
        "item_id",
        "response.output",
        "response.usage",
        "incomplete_details",
        "output[].type",
        "object=response",
        "response.object=response",
        "response.incomplete_details",
    ],
    table: PathTable::new(&[PATHS]),
    finish_reasons: FINISH_REASONS,
    types: TYPES,
    is_finished: |facts| Some(facts.is_done()),
    // A background response is fetched when it is done.
    is_answer: |facts| !facts.is_unanswered(),
};

// OpenAI: API reference, the Response object, `status` and `incomplete_details.reason`.
const FINISH_REASONS: Vocabulary<End> = &[
    ("queued", NONE),
    ("in_progress", NONE),
    ("incomplete", LENGTH),
    ("max_output_tokens", LENGTH),
    ("failed", FAILED),
];

const TYPES: Vocabulary<BlockKind> = &[
    ("response.output_text.delta", BlockKind::Text),
    ("response.refusal.delta", BlockKind::Refusal),
    ("response.reasoning_text.delta", BlockKind::Reasoning),
    ("response.reasoning_summary_text.delta", BlockKind::Reasoning),
    ("response.function_call_arguments.delta", BlockKind::Arguments),
    ("response.custom_tool_call_input.delta", BlockKind::Arguments),
    ("response.function_call_arguments.done", BlockKind::AllArguments),
    ("response.custom_tool_call_input.done", BlockKind::AllArguments),
    ("response.output_item.added", BlockKind::Announced),
    ("response.content_part.added", BlockKind::Announced),
    ("response.queued", BlockKind::Announced),
    ("response.created", BlockKind::Announced),
    ("response.in_progress", BlockKind::Announced),
    ("response.output_text.done", BlockKind::Plain),
    ("response.content_part.done", BlockKind::Repeated),
    ("response.output_item.done", BlockKind::Repeated),
    ("response.completed", BlockKind::Done),
    ("response.incomplete", BlockKind::Done),
    ("response.failed", BlockKind::Done),
    ("response.cancelled", BlockKind::Done),
    ("error", BlockKind::Error),
    // Items.
    ("function_call", BlockKind::Call),
    ("custom_tool_call", BlockKind::CustomCall),
    // Tools of OpenAI that the client runs. All others are the server's: web and file search, code interpreter, image
    // generation, MCP.
    ("local_shell_call", BlockKind::Call),
    ("shell_call", BlockKind::Call),
    ("apply_patch_call", BlockKind::Call),
    ("computer_call", BlockKind::Call),
    ("tool_search_call", BlockKind::Call),
    ("reasoning", BlockKind::Reasoning),
    ("reasoning_text", BlockKind::Reasoning),
    ("message", BlockKind::Plain),
    ("output_text", BlockKind::Plain),
    ("response.*", BlockKind::Announced),
    ("*", BlockKind::Ignored),
];

const PATHS: &[(&str, Meaning)] = &[
    ("type", Meaning::Type),
    ("delta", Meaning::TypedText),
    ("item", Meaning::Item),
    ("item.type", Meaning::Type),
    // Not `id`: Copilot changes it with each event (vercel/ai#18548).
    ("output_index", Meaning::CallIndex),
    ("item.call_id", Meaning::CallId),
    ("item.name", Meaning::CustomToolName),
    ("item.execution", Meaning::CallRunner),
    ("item.environment.type", Meaning::CallRunner),
    ("arguments", Meaning::WholeArguments),
    ("item.arguments", Meaning::WholeArguments),
    ("item.summary[].text", Meaning::Reasoning),
    ("text", Meaning::Text(1)),
    ("part", Meaning::Item),
    ("part.type", Meaning::Type),
    ("part.text", Meaning::Text(2)),
    ("item.content[].text", Meaning::Text(3)),
    ("response.output[]", Meaning::Item),
    ("response.output[].type", Meaning::Type),
    ("response.output[].call_id", Meaning::CallId),
    ("response.output[].name", Meaning::CustomToolName),
    ("response.output[].execution", Meaning::CallRunner),
    ("response.output[].environment.type", Meaning::CallRunner),
    ("response.output[].arguments", Meaning::WholeArguments),
    ("response.output[].summary[].text", Meaning::Reasoning),
    ("response.output[].content[].text", Meaning::Text(4)),
    ("output[]", Meaning::Item),
    ("output[].type", Meaning::Type),
    ("output[].call_id", Meaning::CallId),
    ("output[].name", Meaning::CustomToolName),
    ("output[].execution", Meaning::CallRunner),
    ("output[].environment.type", Meaning::CallRunner),
    ("output[].arguments", Meaning::WholeArguments),
    ("output[].summary[].text", Meaning::Reasoning),
    ("output[].content[].text", Meaning::Text(0)),
    ("output[].content[].refusal", Meaning::Refusal),
    ("status", Meaning::Status),
    ("incomplete_details.reason", Meaning::Finish),
    ("model", Meaning::Model),
    ("response.model", Meaning::Model),
    ("error", Meaning::Error),
    ("usage.input_tokens", Meaning::InputTokens),
    ("usage.output_tokens", Meaning::OutputTokens),
    ("usage.input_tokens_details.cached_tokens", Meaning::CachedInputTokens),
    ("usage.output_tokens_details.reasoning_tokens", Meaning::ReasoningTokens),
    ("response.status", Meaning::Finish),
    ("response.incomplete_details.reason", Meaning::Finish),
    ("response.error", Meaning::Error),
    ("response.usage.input_tokens", Meaning::InputTokens),
    ("response.usage.output_tokens", Meaning::OutputTokens),
    ("response.usage.input_tokens_details.cached_tokens", Meaning::CachedInputTokens),
    ("response.usage.output_tokens_details.reasoning_tokens", Meaning::ReasoningTokens),
    // Servers that give a chat's usage.
    ("usage.prompt_tokens", Meaning::OtherInputTokens),
    ("usage.completion_tokens", Meaning::OtherOutputTokens),
    ("usage.prompt_tokens_details.cached_tokens", Meaning::OtherCachedInputTokens),
    ("usage.completion_tokens_details.reasoning_tokens", Meaning::ReasoningTokens),
    ("response.usage.prompt_tokens", Meaning::OtherInputTokens),
    ("response.usage.completion_tokens", Meaning::OtherOutputTokens),
    ("response.usage.prompt_tokens_details.cached_tokens", Meaning::OtherCachedInputTokens),
    ("response.usage.completion_tokens_details.reasoning_tokens", Meaning::ReasoningTokens),
];
