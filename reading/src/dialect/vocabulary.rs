//! The words of servers: their finish reasons and types, and what each means.

use super::facts::Finish;
use crate::word::is_same;

/// Words and what each means, frequent words first. The first entry that matches counts. An entry that ends in `*`
/// matches every word that begins with the rest of it.
pub(super) type Vocabulary<T> = &'static [(&'static str, T)];

/// Finish reasons that mean the same in all dialects.
pub(super) const FINISH_REASONS: Vocabulary<Finish> = &[
    ("", Finish::None),
    ("stop", Finish::Stop),
    ("eos", Finish::Stop),
    ("eos_token", Finish::Stop),
    ("stop_sequence", Finish::Stop),
    ("end_turn", Finish::Stop),
    ("complete", Finish::Stop),
    ("finish", Finish::Stop),
    ("endoftext", Finish::Stop),
    ("completed", Finish::Stop),
    ("length", Finish::Length),
    ("max_tokens", Finish::Length),
    ("tool_calls", Finish::ToolCalls),
    ("tool_call", Finish::ToolCalls),
    ("function_call", Finish::ToolCalls),
    ("tool_use", Finish::ToolCalls),
    ("content_filter", Finish::ContentFilter),
    ("content_filtered", Finish::ContentFilter),
    ("safety", Finish::ContentFilter),
    ("refusal", Finish::ContentFilter),
    ("guardrail_intervened", Finish::ContentFilter),
    ("error", Finish::Error),
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
