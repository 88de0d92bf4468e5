//! Cloudflare's Workers AI, streamed and whole.
//!
//! API reference: `/accounts/{id}/ai/run/{model}`; cloudflare/workers-types, AiTextGenerationOutput. Its REST API puts a whole
//! answer into `result`; newer models answer there like OpenAI's chat. Events have padding (`p`), and the last one the usage.

use super::definition::Dialect;
use super::meaning::Meaning;
use crate::json::PathTable;

pub(super) static DIALECT: Dialect = Dialect {
    name: |_| "workers-ai",
    signatures: &["result.response", "result.choices"],
    table: PathTable::new(&[PATHS]),
    finish_reasons: &[],
    types: &[],
    is_finished: |facts| Some(facts.is_done()),
    is_answer: |_| true,
};

const PATHS: &[(&str, Meaning)] = &[
    ("response", Meaning::TextOrJson),
    ("tool_calls[]", Meaning::Call),
    ("tool_calls[].index", Meaning::CallIndex),
    ("tool_calls[].id", Meaning::CallId),
    ("tool_calls[].name", Meaning::CallName),
    ("tool_calls[].arguments", Meaning::CallArguments),
    ("tool_calls[].function.name", Meaning::CallName),
    ("tool_calls[].function.arguments", Meaning::CallArguments),
    ("finish_reason", Meaning::Finish),
    ("usage.prompt_tokens", Meaning::InputTokens),
    ("usage.completion_tokens", Meaning::OutputTokens),
    ("usage.prompt_tokens_details.cached_tokens", Meaning::CachedInputTokens),
    ("result.response", Meaning::TextOrJson),
    ("result.tool_calls[]", Meaning::Call),
    ("result.tool_calls[].id", Meaning::CallId),
    ("result.tool_calls[].name", Meaning::CallName),
    ("result.tool_calls[].arguments", Meaning::CallArguments),
    ("result.tool_calls[].function.name", Meaning::CallName),
    ("result.tool_calls[].function.arguments", Meaning::CallArguments),
    ("result.finish_reason", Meaning::Finish),
    ("result.choices[]", Meaning::Choice),
    ("result.choices[].index", Meaning::ChoiceIndex),
    ("result.choices[].finish_reason", Meaning::Finish),
    ("result.choices[].text", Meaning::Text(0)),
    ("result.choices[].message", Meaning::Text(0)),
    ("result.choices[].message.content", Meaning::Text(0)),
    ("result.choices[].message.reasoning_content", Meaning::Reasoning),
    ("result.choices[].message.reasoning", Meaning::Reasoning),
    ("result.choices[].message.refusal", Meaning::Refusal),
    ("result.choices[].message.tool_calls[]", Meaning::Call),
    ("result.choices[].message.tool_calls[].id", Meaning::CallId),
    ("result.choices[].message.tool_calls[].function.name", Meaning::CallName),
    ("result.choices[].message.tool_calls[].function.arguments", Meaning::CallArguments),
    ("result.model", Meaning::Model),
    ("result.usage.prompt_tokens", Meaning::InputTokens),
    ("result.usage.completion_tokens", Meaning::OutputTokens),
    ("result.usage.prompt_tokens_details.cached_tokens", Meaning::CachedInputTokens),
    ("result.usage.completion_tokens_details.reasoning_tokens", Meaning::ReasoningTokens),
    ("errors[]", Meaning::Error),
    ("error", Meaning::Error),
];
