//! The words that servers have for the same few things.

use super::Finish;
use crate::word::is_same;

/// Words and what each means, the frequent first. Of two that fit, the first counts; one that ends in `*` fits whatever begins so.
pub(super) type Words<T> = &'static [(&'static str, T)];

/// The words for an end that servers share, whichever dialect they speak.
pub(super) const FINISHES: Words<Finish> = &[
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

/// What a word means, in whatever case it is written.
pub(super) fn meaning<T: Copy>(words: Words<T>, word: &[u8]) -> Option<T> {
    let fits = |known: &str| match known.as_bytes() {
        [start @ .., b'*'] => word.get(..start.len()).is_some_and(|begin| is_same(begin, start)),
        known => word.eq_ignore_ascii_case(known),
    };
    for (known, meaning) in words {
        if fits(known) {
            return Some(*meaning);
        }
    }
    None
}
