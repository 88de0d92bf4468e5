//! What a document did that only brought a piece of text, so that one which differs in that piece alone need not be read.
//!
//! A document's meaning depends on its own values and on what was seen before it. If reading it changed nothing but
//! counts, then one with the same values meets the same state, and does the same; and the characters of a text that is
//! not empty only ever add to counts, and to the opening. A piece of a tool call's arguments is text, too; it goes to
//! the call that one in its place went to.

use super::Seen;
use super::arguments::Piece;
use super::seen::Call;

/// What such a document does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delta {
    kind: Kind,
    /// Its text is kept of the opening; `None` where none could be, because that was full.
    is_opening: Option<bool>,
}

/// What its text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The answer's.
    Answer,
    /// Reasoning, or what else is no part of the answer.
    Aside,
    /// Arguments of the call at this place, which are read,
    Arguments(usize),
    /// or not, because what ends them says so.
    UnreadArguments(usize),
}

/// Text as JSON writes it.
pub trait Text {
    /// Its bytes, if nothing in it is escaped.
    fn plain(&self) -> Option<&[u8]>;
    /// The bytes that it stands for.
    fn bytes(&self) -> impl Iterator<Item = u8>;
}

impl Seen {
    /// What one document did that brought `text` and turned `before` into this; `None` if it did anything else.
    pub fn delta_since(&self, before: &Seen, text: &[u8], chars: u64) -> Option<Delta> {
        let is_one = self.deltas.checked_sub(before.deltas) == Some(1) && chars > 0;
        if !is_one || !self.is_like(before) || self.refusal_chars != before.refusal_chars {
            return None;
        }
        let counted = self.text_chars.checked_sub(before.text_chars)?;
        let kind = match (self.call_pieces.checked_sub(before.call_pieces)?, self.latest_piece) {
            (0, _) if counted == chars => Kind::Answer,
            (0, _) if counted == 0 => Kind::Aside,
            (1, Some((call, piece))) if counted == 0 && piece == Piece::of(text) && piece != Piece::WHOLE => {
                Kind::Arguments(call)
            }
            (1, Some((call, piece))) if counted == 0 && piece == Piece::default() => {
                Kind::UnreadArguments(call)
            }
            _ => return None,
        };
        let is_opening = match self.opening.as_bytes().strip_prefix(before.opening.as_bytes()) {
            Some(b"") => before.opening.is_open().then_some(false),
            Some(more) if more == text => Some(true),
            _ => return None,
        };
        Some(Delta { kind, is_opening })
    }

    /// Does what the like of that document does, with text of so many characters. False if that cannot be done without
    /// reading it.
    #[inline]
    pub fn repeat(&mut self, delta: Delta, text: &impl Text, chars: u64) -> bool {
        if chars == 0 {
            return false; // an empty text is no delta
        }
        if self.opening.is_open() && delta.is_opening != Some(false) {
            match (delta.is_opening, text.plain()) {
                (Some(true), Some(text)) => self.opening.extend(text),
                _ => return false,
            }
        }
        self.is_call_finished = match delta.kind {
            Kind::Answer => {
                self.text_chars = self.text_chars.saturating_add(chars);
                false
            }
            Kind::Aside => false,
            Kind::Arguments(call) => {
                let Some(call) = self.calls.get_mut(call) else { return false };
                text.bytes().for_each(|byte| call.arguments.push(byte));
                call.arguments.is_complete()
            }
            Kind::UnreadArguments(call) => {
                self.calls.get(call).is_some_and(|call| call.arguments.is_complete())
            }
        };
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
            is_call_finished: _,
            call_pieces: _,
            latest_piece: _,
            done,
            voices,
            so_far_chars,
            parts_begun,
            finishes,
            calls,
        } = self;
        let is_same = |(one, other): (&Call, &Call)| one.is_same(other);
        [*error, *blocked, *done] == [other.error, other.blocked, other.done]
            && (tool_calls, so_far_chars, parts_begun)
                == (&other.tool_calls, &other.so_far_chars, &other.parts_begun)
            && (usage, voices, finishes) == (&other.usage, &other.voices, &other.finishes)
            && (model, calls.len()) == (&other.model, other.calls.len())
            && calls.iter().zip(&other.calls).all(is_same)
    }
}
