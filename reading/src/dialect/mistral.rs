//! Mistral's Conversations, streamed and whole. Its chat completions are those of OpenAI.
//!
//! API reference: `/v1/conversations`, ConversationEvents and ConversationResponse (mistralai/client-python, models). An
//! event has its name in `type`. Each fragment of a call repeats the call's name and id. Handoffs between agents and the tools
//! of connectors are the server's.

use super::definition::Dialect;
use super::meaning::{BlockKind, Meaning};
use super::vocabulary::Vocabulary;
use crate::json::PathTable;

pub(super) static CONVERSATIONS: Dialect = Dialect {
    name: |_| "mistral-conversations",
    signatures: &[
        "object=conversation.response",
        "type=conversation.response.*",
        "type=message.output.*",
        "type=function.call.*",
        "type=tool.execution.*",
        "type=agent.handoff.*",
        "outputs[].type=message.output",
        "outputs[].type=function.call",
        "outputs[].type=tool.execution",
        "outputs[].type=agent.handoff",
    ],
    table: PathTable::new(&[PATHS]),
    finish_reasons: &[],
    types: TYPES,
    is_finished: |facts| Some(facts.is_done()),
    is_answer: |_| true,
};

const TYPES: Vocabulary<BlockKind> = &[
    ("message.output.delta", BlockKind::Plain),
    ("function.call.delta", BlockKind::Call),
    ("conversation.response.done", BlockKind::Done),
    ("conversation.response.error", BlockKind::Error),
    ("conversation.response.started", BlockKind::Plain),
    // Items of a whole response.
    ("message.output", BlockKind::Plain),
    ("function.call", BlockKind::Call),
    ("*", BlockKind::Ignored),
];

const PATHS: &[(&str, Meaning)] = &[
    ("type", Meaning::Type),
    ("output_index", Meaning::CallIndex),
    ("content", Meaning::Text(0)),
    ("content.text", Meaning::Text(0)),
    ("content.thinking[].text", Meaning::Reasoning),
    ("tool_call_id", Meaning::CallId),
    ("arguments", Meaning::CallArguments),
    ("name", Meaning::ToolName),
    ("content.file_id", Meaning::OtherContent),
    ("content.image_url", Meaning::OtherContent),
    ("outputs[]", Meaning::Item),
    ("outputs[].type", Meaning::Type),
    ("outputs[].name", Meaning::ToolName),
    ("outputs[].content[].file_id", Meaning::OtherContent),
    ("outputs[].content[].image_url", Meaning::OtherContent),
    ("outputs[].content", Meaning::Text(0)),
    ("outputs[].content[].text", Meaning::Text(0)),
    ("outputs[].content[].thinking[].text", Meaning::Reasoning),
    ("outputs[].tool_call_id", Meaning::CallId),
    ("outputs[].arguments", Meaning::CallArguments),
    ("model", Meaning::Model),
    ("outputs[].model", Meaning::Model),
    ("usage.prompt_tokens", Meaning::InputTokens),
    ("usage.completion_tokens", Meaning::OutputTokens),
    ("error", Meaning::Error),
];
