//! Amazon Bedrock: converse, and what its invoke carries of models that speak no other dialect.
//!
//! The binary framing is taken off before; the payloads of an invoke stream are the model's own documents,
//! of which Anthropic's are read as such, and Nova's look like converse with one more level.

use super::{Dialect, Field, LazyTable, Table, when_done_or_each_finished};

/// converse, converse-stream, and Nova.
pub(super) static CONVERSE: Dialect = Dialect {
    name: |_| "bedrock-converse",
    marks: &[
        "contentBlockIndex",
        "p", // padding against guessing by size, in each message
        "stopReason",
        "messageStart",
        "contentBlockDelta",
        "messageStop",
        "output.message",
    ],
    table: LazyTable::new(|| Table::compile(CONVERSE_PATHS)),
    finishes: &[],
    kinds: &[],
    is_finished: when_done_or_each_finished,
};

/// Llama, Titan, and Mistral's, Cohere's and AI21's older models.
pub(super) static INVOKE: Dialect = Dialect {
    name: |_| "bedrock-invoke",
    marks: &[
        "generation",
        "outputText",
        "results[].outputText",
        "completions[].data",
        "outputs[].stop_reason",
        "is_finished",
    ],
    table: LazyTable::new(|| Table::compile(INVOKE_PATHS)),
    finishes: &[],
    kinds: &[],
    is_finished: when_done_or_each_finished,
};

const CONVERSE_PATHS: &[(&str, Field)] = &[
    ("delta.text", Field::Text(0)),
    ("delta.reasoningContent.text", Field::Reasoning),
    ("delta.toolUse", Field::Call),
    ("delta.toolUse.input", Field::CallArguments),
    ("start.toolUse", Field::Call),
    ("start.toolUse.toolUseId", Field::CallStart),
    ("stopReason", Field::Finish),
    ("usage.inputTokens", Field::InputTokens),
    ("usage.outputTokens", Field::OutputTokens),
    ("usage.cacheReadInputTokens", Field::CachedInputTokens),
    ("usage.cacheReadInputTokenCount", Field::CachedInputTokens),
    ("output.message.content[]", Field::Block),
    ("output.message.content[].text", Field::Text(0)),
    ("output.message.content[].reasoningContent.reasoningText.text", Field::Reasoning),
    ("output.message.content[].toolUse", Field::Call),
    ("output.message.content[].toolUse.toolUseId", Field::CallStart),
    ("output.message.content[].toolUse.input", Field::CallArguments),
    ("contentBlockDelta.delta.text", Field::Text(0)),
    ("contentBlockDelta.delta.reasoningContent.text", Field::Reasoning),
    ("contentBlockDelta.delta.toolUse", Field::Call),
    ("contentBlockDelta.delta.toolUse.input", Field::CallArguments),
    ("contentBlockStart.start.toolUse", Field::Call),
    ("contentBlockStart.start.toolUse.toolUseId", Field::CallStart),
    ("messageStop.stopReason", Field::Finish),
    ("metadata.usage.inputTokens", Field::InputTokens),
    ("metadata.usage.outputTokens", Field::OutputTokens),
    ("metadata.usage.cacheReadInputTokenCount", Field::CachedInputTokens),
    ("amazon-bedrock-invocationMetrics.inputTokenCount", Field::InputTokens),
    ("amazon-bedrock-invocationMetrics.outputTokenCount", Field::OutputTokens),
    ("error", Field::Error),
];

const INVOKE_PATHS: &[(&str, Field)] = &[
    ("generation", Field::Text(0)),
    ("stop_reason", Field::Finish),
    ("prompt_token_count", Field::InputTokens),
    ("generation_token_count", Field::OutputTokens),
    ("outputText", Field::Text(0)),
    ("completionReason", Field::Finish),
    ("inputTextTokenCount", Field::InputTokens),
    ("totalOutputTextTokenCount", Field::OutputTokens),
    ("results[]", Field::Part),
    ("results[].outputText", Field::Text(0)),
    ("results[].completionReason", Field::Finish),
    ("results[].tokenCount", Field::OutputTokens),
    ("completions[]", Field::Part),
    ("completions[].data.text", Field::Text(0)),
    ("completions[].finishReason.reason", Field::Finish),
    ("outputs[]", Field::Part),
    ("outputs[].text", Field::Text(0)),
    ("outputs[].stop_reason", Field::Finish),
    ("text", Field::Text(0)),
    ("finish_reason", Field::Finish),
    ("amazon-bedrock-invocationMetrics.inputTokenCount", Field::InputTokens),
    ("amazon-bedrock-invocationMetrics.outputTokenCount", Field::OutputTokens),
    ("error", Field::Error),
];
