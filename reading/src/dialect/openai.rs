//! OpenAI chat completions and completions, streamed and whole, and the servers that speak like them.
//!
//! API reference: `/v1/chat/completions`, `/v1/completions`. Seen beside the reference:
//! * reasoning as `reasoning_content` (DeepSeek, llama.cpp, older vLLM) or `reasoning` (OpenRouter, Groq, vLLM);
//! * content as an array of typed parts (Mistral);
//! * the same text twice, as `text` and `delta.content` (Together), or the whole message so far in each
//!   chunk (Perplexity): hence the ranks;
//! * usage in the chunk itself, in `x_groq`, or in a choice (Moonshot), repeated, or followed by nulls:
//!   the last number wins;
//! * an error object instead of, or beside, choices in a 200;
//! * no `[DONE]` (Perplexity, Writer): a stream is finished when each choice that began has a finish reason.

use super::{Dialect, Field, LazyTable, Seen, Table, when_done_or_each_finished};

/// Chat completions and completions: one shape, told apart by where the text stands.
pub(super) static DIALECT: Dialect = Dialect {
    name,
    marks: &["choices", "usage.prompt_tokens"],
    table: LazyTable::new(|| Table::compile(PATHS)),
    finishes: &[],
    kinds: &[],
    is_finished: when_done_or_each_finished,
};

const DELTA: u8 = 0;
const MESSAGE: u8 = 1;
const TEXT: u8 = 2;

fn name(seen: &Seen) -> &'static str {
    // Completions mocks end with a chat's empty delta, so it is where text came that tells.
    if seen.voice(TEXT) > seen.voice(DELTA).max(seen.voice(MESSAGE)) {
        "openai-completions"
    } else {
        "openai-chat"
    }
}

const PATHS: &[(&str, Field)] = &[
    ("choices[]", Field::Part),
    ("choices[].index", Field::PartIndex),
    ("choices[].finish_reason", Field::Finish),
    ("choices[].text", Field::Text(TEXT)),
    ("choices[].delta", Field::Text(DELTA)),
    ("choices[].delta.content", Field::Text(DELTA)),
    ("choices[].delta.content[].text", Field::Text(DELTA)),
    ("choices[].delta.content[].thinking", Field::Reasoning),
    ("choices[].delta.content[].thinking[].text", Field::Reasoning),
    ("choices[].delta.reasoning_content", Field::Reasoning),
    ("choices[].delta.reasoning", Field::Reasoning),
    ("choices[].delta.refusal", Field::Refusal),
    ("choices[].delta.tool_calls[]", Field::Call),
    ("choices[].delta.tool_calls[].index", Field::CallIndex),
    ("choices[].delta.tool_calls[].id", Field::CallId),
    ("choices[].delta.tool_calls[].function.arguments", Field::CallArguments),
    ("choices[].delta.function_call", Field::LegacyCall),
    ("choices[].delta.function_call.arguments", Field::CallArguments),
    ("choices[].message", Field::Text(MESSAGE)),
    ("choices[].message.content", Field::Text(MESSAGE)),
    ("choices[].message.content[].text", Field::Text(MESSAGE)),
    ("choices[].message.content[].thinking", Field::Reasoning),
    ("choices[].message.content[].thinking[].text", Field::Reasoning),
    ("choices[].message.reasoning_content", Field::Reasoning),
    ("choices[].message.reasoning", Field::Reasoning),
    ("choices[].message.refusal", Field::Refusal),
    ("choices[].message.tool_calls[]", Field::Call),
    ("choices[].message.tool_calls[].index", Field::CallIndex),
    ("choices[].message.tool_calls[].id", Field::CallId),
    ("choices[].message.tool_calls[].function.arguments", Field::CallArguments),
    ("choices[].message.function_call", Field::LegacyCall),
    ("choices[].message.function_call.arguments", Field::CallArguments),
    ("usage.prompt_tokens", Field::InputTokens),
    ("usage.completion_tokens", Field::OutputTokens),
    ("usage.prompt_tokens_details.cached_tokens", Field::CachedInputTokens),
    ("usage.prompt_cache_hit_tokens", Field::CachedInputTokens),
    ("usage.cached_tokens", Field::CachedInputTokens),
    ("usage.completion_tokens_details.reasoning_tokens", Field::ReasoningTokens),
    ("usage.reasoning_tokens", Field::ReasoningTokens),
    ("x_groq.usage.prompt_tokens", Field::InputTokens),
    ("x_groq.usage.completion_tokens", Field::OutputTokens),
    ("choices[].usage.prompt_tokens", Field::InputTokens),
    ("choices[].usage.completion_tokens", Field::OutputTokens),
    ("choices[].usage.cached_tokens", Field::CachedInputTokens),
    ("choices[].usage.prompt_tokens_details.cached_tokens", Field::CachedInputTokens),
    ("choices[].usage.completion_tokens_details.reasoning_tokens", Field::ReasoningTokens),
    ("model", Field::Model),
    ("error", Field::Error),
    ("choices[].error", Field::Error),
];
