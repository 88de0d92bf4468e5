//! What a document did that only brought a piece of text, so that one which differs in that piece alone need not be read.
//!
//! A document's meaning depends on its own values and on what was seen before it. If reading it changed nothing but
//! counts, then one with the same values meets the same state, and does the same; and the characters of a text that is
//! not empty only ever add to counts, and to the opening. A piece of a tool call's arguments is text, too; it goes to
//! the call that one in its place went to.

use super::arguments::Piece;
use super::seen::RANKS;
use super::{Seen, Usage, Voice};

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
    /// The bytes that it stands for, piece by piece, no character in two of them.
    fn pieces(&self, take: impl FnMut(&[u8]));
}

/// What had been seen at a moment, as far as it tells whether the next document only brings text.
#[derive(Clone, Copy)]
pub struct Checkpoint {
    text_chars: u64,
    refusal_chars: u64,
    deltas: u64,
    call_pieces: u64,
    opening_bytes: usize,
    is_opening_open: bool,
    steady: Steady,
}

/// What a delta of text leaves as it is.
#[derive(Clone, Copy, PartialEq)]
struct Steady {
    tool_calls: u64,
    usage: Usage,
    flags: [bool; 3],
    /// Once told, a model's name stays.
    model_bytes: usize,
    voices: [Voice; RANKS],
    so_far_chars: u64,
    parts_begun: u64,
    ends: u64,
    /// What is told of a call stays, too, but for its arguments.
    calls: usize,
    late_ids: u64,
}

impl Seen {
    /// What has been seen up to now.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            text_chars: self.text_chars,
            refusal_chars: self.refusal_chars,
            deltas: self.deltas,
            call_pieces: self.call_pieces,
            opening_bytes: self.opening.as_bytes().len(),
            is_opening_open: self.opening.is_open(),
            steady: self.steady(),
        }
    }

    /// Whether one delta has come since, and nothing else.
    pub fn is_delta_since(&self, before: &Checkpoint) -> bool {
        self.deltas.checked_sub(before.deltas) == Some(1) && self.is_like(before)
    }

    /// What one document did that brought `text` since `before`; `None` if it did anything else.
    pub fn delta_since(&self, before: &Checkpoint, text: &[u8], chars: u64) -> Option<Delta> {
        if chars == 0 || !self.is_delta_since(before) || self.refusal_chars != before.refusal_chars {
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
        let is_opening = match self.opening.as_bytes().get(before.opening_bytes..)? {
            b"" => before.is_opening_open.then_some(false),
            more if more == text => Some(true),
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
            if delta.is_opening.is_none() {
                return false;
            }
            text.pieces(|piece| self.opening.extend(piece));
        }
        self.is_call_finished = match delta.kind {
            Kind::Answer => {
                self.text_chars = self.text_chars.saturating_add(chars);
                false
            }
            Kind::Aside => false,
            Kind::Arguments(call) => {
                let Some(call) = self.calls.get_mut(call) else { return false };
                text.pieces(|piece| piece.iter().for_each(|&byte| call.arguments.push(byte)));
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
    pub fn is_like(&self, before: &Checkpoint) -> bool {
        self.steady() == before.steady
    }

    fn steady(&self) -> Steady {
        // Taken apart, so that a new field has to be thought of here.
        let Seen {
            text_chars: _,
            refusal_chars: _,
            deltas: _,
            opening: _,
            is_call_finished: _,
            call_pieces: _,
            latest_piece: _,
            error,
            blocked,
            done,
            tool_calls,
            usage,
            model,
            voices,
            so_far_chars,
            parts_begun,
            ends,
            finishes: _,
            calls,
            late_ids,
        } = self;
        Steady {
            tool_calls: *tool_calls,
            usage: *usage,
            flags: [*error, *blocked, *done],
            model_bytes: model.len(),
            voices: *voices,
            so_far_chars: *so_far_chars,
            parts_begun: *parts_begun,
            ends: *ends,
            calls: calls.len(),
            late_ids: *late_ids,
        }
    }
}
