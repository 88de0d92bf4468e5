//! What has been gathered of an answer, and of a block inside it, while they are open.

use super::arguments::Piece;
use super::seen::{CALLS_MAX, CallPiece, CallPlace, RANKS};
use super::{Field, Finish, Kind, Opening, Seen, Voice};
use crate::json::chars;
use alloc::vec::Vec;

/// A block while it is open.
#[derive(Default)]
pub(super) struct Block {
    pub(super) kind: Kind,
    pub(super) text_chars: [u64; RANKS],
    pub(super) has_text: [bool; RANKS],
    pub(super) kind_chars: u64,
    pub(super) so_far_chars: Option<u64>,
    pub(super) refusal_chars: u64,
    pub(super) has_reasoning: bool,
    /// The first characters of the text of the lowest rank, while they are wanted.
    pub(super) opening: Opening,
    pub(super) opening_rank: u8,
    /// The block as a tool call, if its kind says so.
    pub(super) call: CallPiece,
    /// Its call has been given arguments.
    pub(super) has_arguments: bool,
    /// Tool calls in it, at most [`CALLS_MAX`].
    pub(super) calls: Vec<CallPiece>,
}

impl Block {
    pub(super) fn has_text(&mut self, rank: u8) {
        if let Some(has) = self.has_text.get_mut(usize::from(rank)) {
            *has = true;
        }
    }

    pub(super) fn text(&mut self, field: Field, piece: &[u8]) {
        let mut nowhere = 0;
        let count = match field {
            Field::Text(rank) => {
                self.has_text(rank);
                self.text_chars.get_mut(usize::from(rank)).unwrap_or(&mut nowhere)
            }
            Field::KindText => &mut self.kind_chars,
            Field::TextSoFar => self.so_far_chars.get_or_insert(0),
            Field::Refusal => &mut self.refusal_chars,
            _ => {
                self.has_reasoning |= field == Field::Reasoning && !piece.is_empty();
                return;
            }
        };
        *count = count.saturating_add(chars(piece));
    }

    /// Keeps the beginning of what may be the answer's text.
    pub(super) fn open_with(&mut self, field: Field, piece: &[u8]) {
        let rank = match field {
            Field::Text(rank) => rank,
            Field::KindText | Field::TextSoFar => 0,
            _ => return,
        };
        if rank < self.opening_rank || self.opening.as_bytes().is_empty() {
            self.opening.clear();
            self.opening_rank = rank;
        }
        if rank == self.opening_rank {
            self.opening.extend(piece);
        }
    }

    /// Gives what was gathered the meaning that the kind says.
    pub(super) fn settle(&mut self) {
        let kind_chars = core::mem::take(&mut self.kind_chars);
        match self.kind {
            // No block of its own says what they belong to.
            Kind::Plain if self.has_arguments => self.push_arguments(),
            Kind::Plain | Kind::Done | Kind::Error if kind_chars == 0 => {}
            Kind::Plain | Kind::Done | Kind::Error => self.opening.clear(),
            Kind::Text => {
                let [first, ..] = &mut self.text_chars;
                *first = first.saturating_add(kind_chars);
                self.has_text(0);
            }
            Kind::Reasoning => {
                self.has_reasoning |= kind_chars > 0 || self.text_chars.iter().any(|&chars| chars > 0);
                self.silence();
            }
            Kind::Refusal => {
                self.refusal_chars = self.refusal_chars.saturating_add(kind_chars);
                self.opening.clear();
            }
            Kind::Call => {
                let call = core::mem::take(&mut self.call);
                self.push_call(call);
                self.silence();
            }
            Kind::Arguments => {
                self.push_arguments();
                self.silence();
            }
            Kind::AllArguments => {
                self.call.arguments = Piece::WHOLE;
                self.push_arguments();
                self.silence();
            }
            Kind::Ignored => *self = Block { kind: Kind::Ignored, ..Block::default() },
        }
    }

    pub(super) fn silence(&mut self) {
        self.opening.clear();
        self.text_chars = [0; RANKS];
        self.has_text = [false; RANKS];
    }

    /// Further arguments of the last call.
    fn push_arguments(&mut self) {
        self.call.place = CallPlace::Last;
        let call = core::mem::take(&mut self.call);
        self.push_call(call);
    }

    pub(super) fn push_call(&mut self, call: CallPiece) {
        if self.calls.len() < CALLS_MAX {
            self.calls.push(call);
        }
    }

    /// Takes in a block that has closed inside this one.
    pub(super) fn absorb(&mut self, inner: &mut Block) {
        inner.settle();
        for (count, more) in self.text_chars.iter_mut().zip(inner.text_chars) {
            *count = count.saturating_add(more);
        }
        for (has, more) in self.has_text.iter_mut().zip(inner.has_text) {
            *has |= more;
        }
        self.refusal_chars = self.refusal_chars.saturating_add(inner.refusal_chars);
        self.has_reasoning |= inner.has_reasoning;
        self.opening.extend(inner.opening.as_bytes());
        for call in inner.calls.drain(..) {
            self.push_call(call);
        }
    }
}

/// An answer, or a delta of it, while it is open.
#[derive(Default)]
pub(super) struct Part {
    pub(super) index: Option<u64>,
    pub(super) finish: Finish,
    pub(super) block: Block,
    /// It may hold something. Making it anew for each event would cost.
    pub(super) is_touched: bool,
}

impl Part {
    pub(super) fn clear(&mut self) {
        if self.is_touched {
            *self = Part::default();
        }
    }
}

impl Seen {
    /// Counts a part that has closed.
    pub(super) fn count(&mut self, part: &Part, index: u64) {
        let (block, seen) = (&part.block, self);
        for (voice, (&has_text, chars)) in
            seen.voices.iter_mut().zip(block.has_text.iter().zip(block.text_chars))
        {
            let now = match (chars > 0, has_text) {
                (true, _) => Voice::Speaking,
                (false, true) => Voice::Silent,
                (false, false) => Voice::Absent,
            };
            *voice = now.max(*voice);
        }
        let speaker = seen.voices.iter().position(|&voice| voice == Voice::Speaking);
        let mut text_chars = speaker.and_then(|rank| block.text_chars.get(rank)).copied().unwrap_or(0);
        if let Some(so_far_chars) = block.so_far_chars {
            text_chars = text_chars.saturating_add(so_far_chars.saturating_sub(seen.so_far_chars));
            seen.so_far_chars = so_far_chars.max(seen.so_far_chars);
        }
        seen.text_chars = seen.text_chars.saturating_add(text_chars);
        seen.refusal_chars = seen.refusal_chars.saturating_add(block.refusal_chars);
        if index == 0 {
            if block.so_far_chars.is_some() {
                seen.opening.clear();
            }
            seen.opening.extend(block.opening.as_bytes());
        }
        if text_chars > 0 || block.has_reasoning || block.refusal_chars > 0 || !block.calls.is_empty() {
            seen.deltas = seen.deltas.saturating_add(1);
            seen.is_call_finished = false;
        }
        for (position, call) in (0..).zip(&block.calls) {
            seen.call(index, call.index.unwrap_or(position), call);
        }
        if part.finish != Finish::None {
            seen.end_part(index, part.finish);
        } else if block.has_text.contains(&true) || block.so_far_chars.is_some() || !block.calls.is_empty() {
            seen.begin_part(index);
        }
    }
}
