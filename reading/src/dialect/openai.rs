//! OpenAI chat completions and completions, streamed and whole, of OpenAI and of servers with the same API.
//!
//! API reference: `/v1/chat/completions`, `/v1/completions`. Servers differ from it:
//! * reasoning is in `reasoning_content` (DeepSeek, llama.cpp, older vLLM) or `reasoning` (OpenRouter, Groq, vLLM);
//! * content may be an array of typed parts (Mistral);
//! * the same text is in `text` and `delta.content` (Together), or repeated in each chunk (Perplexity): hence ranks;
//! * usage is in any chunk, in `x_groq` or in a choice (Moonshot), or nulls follow it: the last number counts;
//! * a call begins with the name of its function. Some give each fragment a new id (LMDeploy#3412), an empty one or
//!   none, repeat the name (LiteLLM#20480), give two calls one id (llama.cpp#27966), or all calls the index 0 (Gemini);
//! * an error object may come instead of choices or beside them, with status 200;
//! * some send no `[DONE]` (Perplexity, Writer): the end is a finish reason of each choice that began.

use super::definition::{Dialect, when_done_or_each_finished};
use super::facts::ResponseFacts;
use super::meaning::Meaning;
use crate::json::PathTable;

/// Chat completions and completions. Both have the same shape, but their text is at different paths.
pub(super) static DIALECT: Dialect = Dialect {
    name,
    signatures: &["choices"],
    table: PathTable::new(&[PATHS]),
    finish_reasons: &[],
    types: &[],
    is_finished: when_done_or_each_finished,
    is_answer: |_| true,
};

const DELTA: u8 = 0;
const MESSAGE: u8 = 1;
const TEXT: u8 = 2;

fn name(facts: &ResponseFacts) -> &'static str {
    // Some mock servers end a completion with an empty delta of a chat, so only paths with text count.
    if facts.text_presence(TEXT) > facts.text_presence(DELTA).max(facts.text_presence(MESSAGE)) {
        "openai-completions"
    } else {
        "openai-chat"
    }
}

const PATHS: &[(&str, Meaning)] = &[
    ("choices[]", Meaning::Choice),
    ("choices[].index", Meaning::ChoiceIndex),
    ("choices[].finish_reason", Meaning::Finish),
    // Mistral's models behind Bedrock's invoke. vLLM gives the text that stopped the answer here, beside its reason.
    ("choices[].stop_reason", Meaning::OtherFinish),
    ("choices[].text", Meaning::Text(TEXT)),
    ("choices[].delta", Meaning::Text(DELTA)),
    ("choices[].delta.content", Meaning::Text(DELTA)),
    ("choices[].delta.content[].text", Meaning::Text(DELTA)),
    ("choices[].delta.content[].thinking", Meaning::Reasoning),
    ("choices[].delta.content[].thinking[].text", Meaning::Reasoning),
    ("choices[].delta.reasoning_content", Meaning::Reasoning),
    ("choices[].delta.reasoning", Meaning::Reasoning),
    ("choices[].delta.refusal", Meaning::Refusal),
    ("choices[].delta.audio", Meaning::OtherContent),
    ("choices[].delta.images[]", Meaning::OtherContent), // OpenRouter
    ("choices[].delta.annotations[]", Meaning::OtherContent),
    ("choices[].delta.tool_calls[]", Meaning::Call),
    ("choices[].delta.tool_calls[].index", Meaning::CallIndex),
    ("choices[].delta.tool_calls[].id", Meaning::CallId),
    ("choices[].delta.tool_calls[].function.name", Meaning::CallName),
    ("choices[].delta.tool_calls[].function.arguments", Meaning::CallArguments),
    ("choices[].delta.tool_calls[].custom.name", Meaning::CallName),
    ("choices[].delta.function_call", Meaning::LegacyCall),
    ("choices[].delta.function_call.name", Meaning::CallName),
    ("choices[].delta.function_call.arguments", Meaning::CallArguments),
    ("choices[].message", Meaning::Text(MESSAGE)),
    ("choices[].message.content", Meaning::Text(MESSAGE)),
    ("choices[].message.content[].text", Meaning::Text(MESSAGE)),
    ("choices[].message.content[].thinking", Meaning::Reasoning),
    ("choices[].message.content[].thinking[].text", Meaning::Reasoning),
    ("choices[].message.reasoning_content", Meaning::Reasoning),
    ("choices[].message.reasoning", Meaning::Reasoning),
    ("choices[].message.refusal", Meaning::Refusal),
    ("choices[].message.audio", Meaning::OtherContent),
    ("choices[].message.images[]", Meaning::OtherContent),
    ("choices[].message.annotations[]", Meaning::OtherContent),
    ("choices[].message.executed_tools[]", Meaning::OtherContent), // Groq's own tools
    ("choices[].message.tool_calls[]", Meaning::Call),
    ("choices[].message.tool_calls[].index", Meaning::CallIndex),
    ("choices[].message.tool_calls[].id", Meaning::CallId),
    // A whole message lists whole calls, each with its type, even if a server leaves the function out.
    ("choices[].message.tool_calls[].type", Meaning::CallType),
    ("choices[].message.tool_calls[].function.name", Meaning::CallName),
    ("choices[].message.tool_calls[].function.arguments", Meaning::CallArguments),
    ("choices[].message.tool_calls[].custom.name", Meaning::CallName),
    ("choices[].message.function_call", Meaning::LegacyCall),
    ("choices[].message.function_call.name", Meaning::CallName),
    ("choices[].message.function_call.arguments", Meaning::CallArguments),
    ("usage.prompt_tokens", Meaning::InputTokens),
    ("usage.completion_tokens", Meaning::OutputTokens),
    ("usage.prompt_tokens_details.cached_tokens", Meaning::CachedInputTokens),
    ("usage.prompt_cache_hit_tokens", Meaning::CachedInputTokens),
    ("usage.cached_tokens", Meaning::CachedInputTokens),
    ("usage.completion_tokens_details.reasoning_tokens", Meaning::ReasoningTokens),
    ("usage.reasoning_tokens", Meaning::ReasoningTokens),
    // Gateways to Anthropic (LiteLLM), and gateways that send both namings (new-api).
    ("usage.cache_read_input_tokens", Meaning::OtherCachedInputTokens),
    ("usage.input_tokens", Meaning::OtherInputTokens),
    ("usage.output_tokens", Meaning::OtherOutputTokens),
    ("usage.input_tokens_details.cached_tokens", Meaning::OtherCachedInputTokens),
    ("usage.output_tokens_details.reasoning_tokens", Meaning::ReasoningTokens),
    ("x_groq.usage.prompt_tokens_details.cached_tokens", Meaning::CachedInputTokens),
    ("x_groq.usage.completion_tokens_details.reasoning_tokens", Meaning::ReasoningTokens),
    // Models of this shape behind Bedrock's invoke.
    ("amazon-bedrock-invocationMetrics.inputTokenCount", Meaning::OtherInputTokens),
    ("amazon-bedrock-invocationMetrics.outputTokenCount", Meaning::OtherOutputTokens),
    ("amazon-bedrock-invocationMetrics.cacheReadInputTokenCount", Meaning::OtherCachedInputTokens),
    ("x_groq.usage.prompt_tokens", Meaning::InputTokens),
    ("x_groq.usage.completion_tokens", Meaning::OutputTokens),
    ("choices[].usage.prompt_tokens", Meaning::InputTokens),
    ("choices[].usage.completion_tokens", Meaning::OutputTokens),
    ("choices[].usage.cached_tokens", Meaning::CachedInputTokens),
    ("choices[].usage.prompt_tokens_details.cached_tokens", Meaning::CachedInputTokens),
    ("choices[].usage.completion_tokens_details.reasoning_tokens", Meaning::ReasoningTokens),
    ("model", Meaning::Model),
    ("error", Meaning::Error),
    ("choices[].error", Meaning::Error),
    // Groq: `x_groq` of the last chunk. vLLM, LMDeploy, FastChat: ErrorResponse. MiniMax: `base_resp`, 0 if all is well.
    // Baidu, FastChat: `error_code`, the same.
    ("x_groq.error", Meaning::Error),
    ("object", Meaning::ErrorType),
    ("base_resp.status_code", Meaning::Error),
    ("error_code", Meaning::Error),
];
