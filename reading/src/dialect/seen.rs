//! The facts of a response so far.

use super::arguments::{Arguments, Piece};
use crate::label::label_values;
use alloc::vec::Vec;

/// Answers of one response whose ends are told apart; those beyond are counted but not awaited.
const PARTS_MAX: usize = 64;
/// Tool calls of one response that are told apart.
pub(super) const CALLS_MAX: usize = 256;
/// Characters that are kept of an answer's opening: what is looked at for a refusal.
pub const OPENING_CHARS_MAX: u64 = 240;
/// Ranks of [`super::Field::Text`].
pub(super) const RANKS: usize = 3;

label_values! {
    /// Why an answer ended. In the order in which one stands for several: the last is told.
    #[derive(Default)]
    pub enum Finish {
        /// No reason was given.
        #[default]
        None = "none",
        /// The model was done.
        Stop = "stop",
        /// It wants a tool's result.
        ToolCalls = "tool_calls",
        /// Anything else.
        Other = "other",
        /// It ran into a limit of tokens.
        Length = "length",
        /// A filter cut it off, or the model refused.
        ContentFilter = "content_filter",
        /// The server failed.
        Error = "error",
    }
}

/// Tokens as the server last reported them; never estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of the prompt, as the dialect counts them: some leave out what came from a cache.
    pub input: Option<u64>,
    /// Of the prompt, read from a cache.
    pub cached_input: Option<u64>,
    /// Of the answer, as the dialect counts them: some leave out reasoning.
    pub output: Option<u64>,
    /// Spent on reasoning.
    pub reasoning: Option<u64>,
}

/// What has been seen of one of the names under which text can come.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Voice {
    /// Nothing.
    #[default]
    Absent,
    /// The name, without text.
    Silent,
    /// Text.
    Speaking,
}

/// The facts so far.
#[derive(Default)]
pub struct Seen {
    /// Unicode scalar values of assistant text, over all answers.
    pub text_chars: u64,
    /// Of text with which the model refused.
    pub refusal_chars: u64,
    /// Deltas that carried text, reasoning or a tool call.
    pub deltas: u64,
    /// Tool calls begun.
    pub tool_calls: u64,
    /// As last reported.
    pub usage: Usage,
    /// The server reported an error in the body.
    pub error: bool,
    /// A filter blocked the request or the answer.
    pub blocked: bool,
    /// The name of the model that answered, if it was said.
    pub model: Vec<u8>,
    /// The answer's first characters, at most [`OPENING_CHARS_MAX`], if they are wanted.
    pub opening: Opening,
    /// The last delta ended a tool call: its arguments are complete.
    pub is_call_finished: bool,
    /// Further pieces of calls.
    pub(super) call_pieces: u64,
    /// The last of them, and the place of its call.
    pub(super) latest_piece: Option<(usize, Piece)>,
    pub(super) done: bool,
    pub(super) voices: [Voice; RANKS],
    /// Characters of the answer as it was last sent whole.
    pub(super) so_far_chars: u64,
    pub(super) parts_begun: u64,
    /// Ends of answers.
    pub(super) ends: u64,
    pub(super) finishes: Finishes,
    pub(super) calls: Vec<Call>,
    /// Calls whose ids a further piece told.
    pub(super) late_ids: u64,
}

/// How an answer begins.
#[derive(Default)]
pub struct Opening {
    text: Vec<u8>,
    chars: u64,
}

impl Opening {
    /// Its bytes, perhaps cut inside a character.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    /// Whether there is room for more.
    pub(super) fn is_open(&self) -> bool {
        self.chars < OPENING_CHARS_MAX
    }

    /// Takes what there is room for.
    pub(super) fn extend(&mut self, text: &[u8]) {
        for &byte in text {
            let is_start = byte & 0xC0 != 0x80;
            if is_start && !self.is_open() {
                return;
            }
            self.chars = self.chars.saturating_add(u64::from(is_start));
            self.text.push(byte);
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Opening::default();
    }
}

pub(super) struct Finishes([Finish; PARTS_MAX]);

impl Default for Finishes {
    fn default() -> Finishes {
        Finishes([Finish::None; PARTS_MAX])
    }
}

/// A tool call, known by its place and id.
pub(super) struct Call {
    part: u64,
    index: u64,
    id_hash: Option<u64>,
    pub(super) arguments: Arguments,
}

/// One tool call, or a piece of one, in one part.
#[derive(Default)]
pub(super) struct CallPiece {
    pub(super) index: Option<u64>,
    pub(super) id_hash: Option<u64>,
    pub(super) place: CallPlace,
    pub(super) arguments: Piece,
}

/// How it is told which call a piece belongs to.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum CallPlace {
    /// By answer, place and id.
    #[default]
    Told,
    /// It begins a new one.
    New,
    /// It continues the last one.
    Last,
}

impl Seen {
    /// Whether the end of the stream was announced (`[DONE]`).
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Whether answers have begun and each of them has ended.
    pub fn is_each_part_finished(&self) -> bool {
        let ends = (0..).zip(&self.finishes.0).filter(|(_, finish)| **finish != Finish::None);
        let finished = ends.fold(0, |bits, (part, _)| bits | bit(part));
        self.parts_begun != 0 && self.parts_begun & !finished == 0
    }

    /// Why the response ended; of several answers' reasons the most telling.
    pub fn finish(&self) -> Finish {
        self.finishes.0.iter().copied().max().unwrap_or_default()
    }

    /// What has been seen of the text of this rank.
    pub fn voice(&self, rank: u8) -> Voice {
        self.voices.get(usize::from(rank)).copied().unwrap_or_default()
    }

    /// An answer has begun.
    pub(super) fn begin_part(&mut self, part: u64) {
        self.parts_begun |= bit(part);
    }

    /// An answer has ended, for this reason.
    pub(super) fn end_part(&mut self, part: u64, finish: Finish) {
        self.begin_part(part);
        self.ends = self.ends.saturating_add(1);
        let slot = usize::try_from(part).ok().and_then(|part| self.finishes.0.get_mut(part));
        if let Some(slot) = slot {
            *slot = finish;
        }
    }

    /// Counts a call unless it is a further piece of one that is known.
    pub(super) fn call(&mut self, part: u64, index: u64, piece: &CallPiece) {
        let id_hash = piece.id_hash;
        let here = |(_, call): &(usize, &mut Call)| call.part == part && call.index == index;
        let mut calls = self.calls.iter_mut().enumerate().rev();
        let known = match (piece.place, id_hash) {
            (CallPlace::New, _) => None,
            (CallPlace::Last, _) => calls.next(),
            (CallPlace::Told, None) => calls.find(here),
            (CallPlace::Told, Some(_)) => {
                calls.filter(here).find(|(_, call)| call.id_hash.is_none() || call.id_hash == id_hash)
            }
        };
        if let Some((place, call)) = known {
            self.call_pieces = self.call_pieces.saturating_add(1);
            self.latest_piece = Some((place, piece.arguments));
            if call.id_hash.is_none() && id_hash.is_some() {
                call.id_hash = id_hash;
                self.late_ids = self.late_ids.saturating_add(1);
            }
            call.arguments.extend(&piece.arguments);
            self.is_call_finished = call.arguments.is_complete();
            return;
        }
        if piece.place == CallPlace::Last {
            return; // of a call that is none of the model's to its client, but of a tool of the server's
        }
        let mut arguments = Arguments::default();
        arguments.extend(&piece.arguments);
        self.is_call_finished = arguments.is_complete();
        self.tool_calls = self.tool_calls.saturating_add(1);
        if self.calls.len() < CALLS_MAX {
            self.calls.push(Call { part, index, id_hash, arguments });
        }
    }
}

fn bit(part: u64) -> u64 {
    u32::try_from(part).ok().and_then(|part| 1_u64.checked_shl(part)).unwrap_or(0)
}
