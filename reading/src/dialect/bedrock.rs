//! Amazon Bedrock: converse, and invoke of models that have no dialect of their own.
//!
//! The payloads of an invoke stream are documents in the model's own format. Those of Anthropic's models are read
//! as Anthropic's. Those of Nova are like converse, with one level more.

use super::definition::{Dialect, when_done_or_each_finished};
use super::meaning::Meaning;
use crate::json::PathTable;

/// converse, converse-stream, and Nova.
pub(super) static CONVERSE: Dialect = Dialect {
    name: |_| "bedrock-converse",
    signatures: &[
        "contentBlockIndex",
        "stopReason",
        "messageStart",
        "contentBlockDelta",
        "messageStop",
        "output.message",
    ],
    table: PathTable::new(&[CONVERSE_PATHS, EXCEPTION_PATHS]),
    finish_reasons: &[],
    types: &[],
    is_finished: when_done_or_each_finished,
    is_answer: |_| true,
};

/// invoke of Llama, Titan, and older models of Mistral, Cohere and AI21.
pub(super) static INVOKE: Dialect = Dialect {
    name: |_| "bedrock-invoke",
    signatures: &[
        "generation",
        "outputText",
        "results[].outputText",
        "completions[].data",
        "outputs[].stop_reason",
        "is_finished",
    ],
    table: PathTable::new(&[INVOKE_PATHS, EXCEPTION_PATHS]),
    finish_reasons: &[],
    types: &[],
    is_finished: when_done_or_each_finished,
    is_answer: |_| true,
};

const CONVERSE_PATHS: &[(&str, Meaning)] = &[
    ("delta.text", Meaning::Text(0)),
    ("delta.reasoningContent.text", Meaning::Reasoning),
    ("delta.reasoningContent.redactedContent", Meaning::HiddenReasoning),
    ("delta.citation", Meaning::OtherContent),
    ("delta.image", Meaning::OtherContent),
    ("delta.toolResult", Meaning::OtherContent),
    ("start.image", Meaning::OtherContent),
    ("start.toolResult", Meaning::OtherContent),
    ("contentBlockIndex", Meaning::CallIndex),
    ("delta.toolUse", Meaning::Call),
    ("delta.toolUse.input", Meaning::CallArguments),
    ("start.toolUse", Meaning::Call),
    ("start.toolUse.name", Meaning::CallStart),
    ("start.toolUse.type", Meaning::CallRunner),
    ("stopReason", Meaning::Finish),
    ("usage.inputTokens", Meaning::InputTokens),
    ("usage.outputTokens", Meaning::OutputTokens),
    ("usage.cacheReadInputTokens", Meaning::CachedInputTokens),
    ("usage.cacheReadInputTokenCount", Meaning::CachedInputTokens),
    ("output.message.content[]", Meaning::Block),
    ("output.message.content[].text", Meaning::Text(0)),
    // Text with its sources, in place of `text` (API_runtime_CitationsContentBlock). Streams send it as `delta.text`.
    ("output.message.content[].citationsContent.content[].text", Meaning::Text(0)),
    ("output.message.content[].reasoningContent.reasoningText.text", Meaning::Reasoning),
    ("output.message.content[].reasoningContent.redactedContent", Meaning::HiddenReasoning),
    ("output.message.content[].image", Meaning::OtherContent),
    ("output.message.content[].video", Meaning::OtherContent),
    ("output.message.content[].audio", Meaning::OtherContent),
    ("output.message.content[].document", Meaning::OtherContent),
    ("output.message.content[].toolResult", Meaning::OtherContent),
    ("output.message.content[].searchResult", Meaning::OtherContent),
    ("output.message.content[].toolUse", Meaning::Call),
    ("output.message.content[].toolUse.name", Meaning::CallStart),
    ("output.message.content[].toolUse.type", Meaning::CallRunner),
    ("output.message.content[].toolUse.input", Meaning::CallArguments),
    ("contentBlockDelta.delta.text", Meaning::Text(0)),
    ("contentBlockDelta.delta.reasoningContent.text", Meaning::Reasoning),
    ("contentBlockDelta.contentBlockIndex", Meaning::CallIndex),
    ("contentBlockDelta.delta.toolUse", Meaning::Call),
    ("contentBlockDelta.delta.toolUse.input", Meaning::CallArguments),
    ("contentBlockStart.start.toolUse", Meaning::Call),
    ("contentBlockStart.contentBlockIndex", Meaning::CallIndex),
    ("contentBlockStart.start.toolUse.name", Meaning::CallStart),
    ("contentBlockStart.start.toolUse.type", Meaning::CallRunner),
    ("messageStop.stopReason", Meaning::Finish),
    ("metadata.usage.inputTokens", Meaning::InputTokens),
    ("metadata.usage.outputTokens", Meaning::OutputTokens),
    ("metadata.usage.cacheReadInputTokens", Meaning::CachedInputTokens),
    ("metadata.usage.cacheReadInputTokenCount", Meaning::CachedInputTokens),
    ("amazon-bedrock-invocationMetrics.inputTokenCount", Meaning::OtherInputTokens),
    ("amazon-bedrock-invocationMetrics.outputTokenCount", Meaning::OtherOutputTokens),
    ("amazon-bedrock-invocationMetrics.cacheReadInputTokenCount", Meaning::OtherCachedInputTokens),
    ("error", Meaning::Error),
];

const INVOKE_PATHS: &[(&str, Meaning)] = &[
    ("generation", Meaning::Text(0)),
    ("stop_reason", Meaning::Finish),
    ("prompt_token_count", Meaning::InputTokens),
    ("generation_token_count", Meaning::OutputTokens),
    ("outputText", Meaning::Text(0)),
    ("completionReason", Meaning::Finish),
    ("inputTextTokenCount", Meaning::InputTokens),
    ("totalOutputTextTokenCount", Meaning::OutputTokens),
    ("results[]", Meaning::Choice),
    ("results[].outputText", Meaning::Text(0)),
    ("results[].completionReason", Meaning::Finish),
    ("results[].tokenCount", Meaning::OutputTokens),
    ("completions[]", Meaning::Choice),
    ("completions[].data.text", Meaning::Text(0)),
    ("completions[].finishReason.reason", Meaning::Finish),
    ("outputs[]", Meaning::Choice),
    ("outputs[].text", Meaning::Text(0)),
    ("outputs[].stop_reason", Meaning::Finish),
    ("text", Meaning::Text(0)),
    ("finish_reason", Meaning::Finish),
    // The last event of Cohere's older models.
    ("response.meta.billed_units.input_tokens", Meaning::OtherInputTokens),
    ("response.meta.billed_units.output_tokens", Meaning::OtherOutputTokens),
    ("response.meta.cached_tokens", Meaning::CachedInputTokens),
    ("response.meta.tokens.input_tokens", Meaning::InputTokens),
    ("response.meta.tokens.output_tokens", Meaning::OutputTokens),
    ("amazon-bedrock-invocationMetrics.inputTokenCount", Meaning::OtherInputTokens),
    ("amazon-bedrock-invocationMetrics.outputTokenCount", Meaning::OtherOutputTokens),
    ("amazon-bedrock-invocationMetrics.cacheReadInputTokenCount", Meaning::OtherCachedInputTokens),
    ("error", Meaning::Error),
];

/// Exceptions of ConverseStreamOutput and ResponseStream, where a gateway passes on events as JSON.
pub(super) const EXCEPTION_PATHS: &[(&str, Meaning)] = &[
    ("internalServerException", Meaning::Error),
    ("modelStreamErrorException", Meaning::Error),
    ("modelTimeoutException", Meaning::Error),
    ("serviceUnavailableException", Meaning::Error),
    ("throttlingException", Meaning::Error),
    ("validationException", Meaning::Error),
];
