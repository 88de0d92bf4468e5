//! What a document did that only brought a piece of text, so that one which differs in that piece alone need not be read.
//!
//! A document's meaning depends on its own values and on what was seen before it. If reading it changed nothing but
//! counts, then one with the same values meets the same state, and does the same; and the characters of a text that is
//! not empty only ever add to counts, and to the opening.

use super::Seen;

/// What such a document does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delta {
    /// Its text is the answer's, and no reasoning.
    is_answer: bool,
    /// Its text is kept of the opening; `None` where none could be, because that was full.
    is_opening: Option<bool>,
}

impl Seen {
    /// What one document did that brought `text` and turned `before` into this; `None` if it did anything else.
    pub fn delta_since(&self, before: &Seen, text: &[u8], chars: u64) -> Option<Delta> {
        let is_one = self.deltas.checked_sub(before.deltas) == Some(1) && chars > 0;
        if !is_one || !self.is_like(before) || self.refusal_chars != before.refusal_chars {
            return None;
        }
        let is_answer = match self.text_chars.checked_sub(before.text_chars) {
            Some(0) => false,
            Some(counted) if counted == chars => true,
            _ => return None,
        };
        let is_opening = match self.opening.as_bytes().strip_prefix(before.opening.as_bytes()) {
            Some(b"") => before.opening.is_open().then_some(false),
            Some(more) if more == text => Some(true),
            _ => return None,
        };
        Some(Delta { is_answer, is_opening })
    }

    /// Does what the like of that document does, with text of so many characters; `text` is `None` if it would have to be
    /// decoded. False if that cannot be done without reading it.
    #[inline]
    pub fn repeat(&mut self, delta: Delta, text: Option<&[u8]>, chars: u64) -> bool {
        if chars == 0 {
            return false; // an empty text is no delta
        }
        if self.opening.is_open() && delta.is_opening != Some(false) {
            match (delta.is_opening, text) {
                (Some(true), Some(text)) => self.opening.extend(text),
                _ => return false,
            }
        }
        if delta.is_answer {
            self.text_chars = self.text_chars.saturating_add(chars);
        }
        self.deltas = self.deltas.saturating_add(1);
        true
    }

    /// Whether all is the same but what a delta of text adds to.
    pub fn is_like(&self, other: &Seen) -> bool {
        // Taken apart, so that a new field has to be thought of here.
        let Seen {
            text_chars: _,
            refusal_chars: _,
            deltas: _,
            opening: _,
            tool_calls,
            usage,
            error,
            blocked,
            model,
            is_call_finished,
            done,
            voices,
            so_far_chars,
            parts_begun,
            finishes,
            calls,
        } = self;
        let flags = [*error, *blocked, *is_call_finished, *done];
        flags == [other.error, other.blocked, other.is_call_finished, other.done]
            && (tool_calls, so_far_chars, parts_begun)
                == (&other.tool_calls, &other.so_far_chars, &other.parts_begun)
            && (usage, voices, finishes) == (&other.usage, &other.voices, &other.finishes)
            && (model, calls) == (&other.model, &other.calls)
    }
}
