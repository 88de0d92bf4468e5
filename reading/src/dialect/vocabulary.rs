//! The words of servers: their finish reasons and types, and what each means.

use super::finish::Finish;
use crate::word::is_same;

/// Words and what each means, frequent words first. The first entry that matches counts. An entry that ends in `*`
/// matches every word that begins with the rest of it.
pub(super) type Vocabulary<T> = &'static [(&'static str, T)];

/// How a choice ended, as a server's word for it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// As this says, and the answer is all that the server has.
    With(Finish),
    /// The server or its engine gave up, so the answer is not complete.
    Failed,
}

impl End {
    pub(super) fn finish(self) -> Finish {
        match self {
            End::With(finish) => finish,
            End::Failed => Finish::Error,
        }
    }
}

pub(super) const NONE: End = End::With(Finish::None);
pub(super) const STOP: End = End::With(Finish::Stop);
pub(super) const TOOL_CALLS: End = End::With(Finish::ToolCalls);
pub(super) const OTHER: End = End::With(Finish::Other);
pub(super) const LENGTH: End = End::With(Finish::Length);
pub(super) const FILTERED: End = End::With(Finish::ContentFilter);
/// The model's output could not be used. The response is complete.
pub(super) const MALFORMED: End = End::With(Finish::Error);
pub(super) const FAILED: End = End::Failed;

/// Finish reasons that mean the same in all dialects. Gateways pass on words of other vendors, so a word that only one
/// vendor has is here as well if it can mean nothing else. A dialect's own table has the others.
pub(super) const FINISH_REASONS: Vocabulary<End> = &[
    ("", NONE),
    // OpenAI: API reference, chat completions, `finish_reason`.
    ("stop", STOP),
    ("length", LENGTH),
    ("tool_calls", TOOL_CALLS),
    ("function_call", TOOL_CALLS),
    ("content_filter", FILTERED),
    // Anthropic: API reference, `stop_reason`.
    ("end_turn", STOP),
    ("stop_sequence", STOP),
    ("max_tokens", LENGTH),
    ("model_context_window_exceeded", LENGTH), // and Bedrock's StopReason, and Zhipu
    ("tool_use", TOOL_CALLS),
    ("refusal", FILTERED),
    // Hugging Face: TGI's FinishReason. Together: `finish_reason`.
    ("eos_token", STOP),
    ("eos", STOP),
    // OpenAI's Responses and Gemini's Interactions: `status`. Cohere: FinishReason.
    ("completed", STOP),
    ("complete", STOP),
    ("tool_call", TOOL_CALLS),
    ("error_limit", LENGTH),
    ("error_toxic", FILTERED),
    ("user_cancel", OTHER),
    // Cohere: the generation took longer than allowed. TensorRT-LLM: CompletionOutput's `finish_reason`.
    ("timeout", FAILED),
    // vLLM: v1/engine, FinishReason. SGLang: `finish_reason.type`. OpenRouter, Mistral, watsonx: `error`.
    ("error", FAILED),
    ("abort", FAILED),
    ("aborted", FAILED),
    ("repetition", LENGTH),
    // Xiaomi MiMo: `finish_reason`.
    ("repetition_truncation", LENGTH),
    // Mistral: ChatCompletionChoice's `finish_reason`.
    ("model_length", LENGTH),
    // Zhipu: `finish_reason`.
    ("sensitive", FILTERED),
    ("network_error", FAILED),
    // DeepSeek: API reference, `finish_reason`.
    ("insufficient_system_resource", FAILED),
    // Bedrock: StopReason; Titan: `completionReason`; AI21: `finishReason.reason`.
    ("guardrail_intervened", FILTERED),
    ("content_filtered", FILTERED),
    ("malformed_model_output", MALFORMED),
    ("malformed_tool_use", MALFORMED),
    ("finish", STOP),
    ("finished", STOP),
    ("stop_criteria_met", STOP),
    ("endoftext", STOP),
    // Gemini: FinishReason, as gateways pass it on.
    ("safety", FILTERED),
    ("recitation", FILTERED),
    ("malformed_function_call", MALFORMED),
];

/// Words at [`super::Meaning::Status`] that say that the model has not answered yet, and the reason that this gives for the
/// end of a whole response. OpenAI: guides/background. Ollama: docs/api.md, "load a model".
pub(super) const UNANSWERED: Vocabulary<Finish> = &[
    ("queued", Finish::Other),
    ("in_progress", Finish::None),
    ("load", Finish::Other),
    ("unload", Finish::Other),
];

/// Words at [`super::Meaning::CallRunner`] that say that the server runs the tool.
pub(super) const SERVER_RUN: Vocabulary<()> = &[
    // Bedrock's `toolUse.type`: nova_grounding, nova_code_interpreter (API_runtime_ToolUseBlock).
    ("server_tool_use", ()),
    // OpenAI's `execution` of a tool search: `server` or `client` (response_tool_search_call.py).
    ("server", ()),
    // OpenAI's `environment.type` of a shell: one of these, or `local` (guides/tools-shell).
    ("container_*", ()),
];

/// How the ids begin that Anthropic gives to calls of its own tools. Gateways keep them where they translate such calls
/// to other dialects (AnswerDotAI/lisette#66).
pub(super) const SERVER_RUN_ID: &[u8] = b"srvtoolu_";

/// xAI's own tools, which it reports as custom tools (vercel/ai: packages/xai/src/responses).
pub(super) const SERVER_RUN_CUSTOM_TOOLS: Vocabulary<()> = &[
    ("x_user_search", ()),
    ("x_keyword_search", ()),
    ("x_semantic_search", ()),
    ("x_thread_fetch", ()),
    ("view_x_video", ()),
    ("view_image", ()),
    ("web_search", ()),
    ("web_search_with_snippets", ()),
    ("browse_page", ()),
    ("code_execution", ()),
];

/// Words at [`super::Meaning::Blocked`] that say that nothing was blocked. Gemini: BlockReason. Vertex: BlockedReason.
const NOT_BLOCKED: Vocabulary<()> =
    &[("block_reason_unspecified", ()), ("blocked_reason_unspecified", ()), ("0", ())];

/// Whether a word for the reason of a block says that there was none.
pub(super) fn is_not_blocked(word: &[u8]) -> bool {
    lookup(NOT_BLOCKED, word).is_some()
}

/// What a word means. Upper and lower case are the same, but not in entries that end in `*`.
pub(super) fn lookup<T: Copy>(vocabulary: Vocabulary<T>, word: &[u8]) -> Option<T> {
    let matches = |entry: &str| match entry.as_bytes() {
        [start @ .., b'*'] => word.get(..start.len()).is_some_and(|begin| is_same(begin, start)),
        entry => word.eq_ignore_ascii_case(entry),
    };
    for (entry, meaning) in vocabulary {
        if matches(entry) {
            return Some(*meaning);
        }
    }
    None
}
