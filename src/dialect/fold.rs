//! What a response has shown so far: values at their paths in, running facts out.
//!
//! A part (one choice, or one delta of it) is gathered while it is open and counted when it closes, so
//! that the order of the keys inside it does not matter.

use super::arguments::{Arguments, Piece};
use super::{Dialect, Field};
use crate::json::{self, Value, chars};
use crate::label::label_values;

/// Answers of one response whose ends are told apart; those beyond are counted but not awaited.
const PARTS_MAX: usize = 64;
/// Tool calls of one response that are told apart.
const CALLS_MAX: usize = 256;
/// The place of the one call that the API before tools could make.
const LEGACY_CALL_INDEX: u64 = u64::MAX;
/// Ranks of [`Field::Text`].
const RANKS: usize = 3;

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
        /// A filter cut it off.
        ContentFilter = "content_filter",
        /// The server failed.
        Error = "error",
    }
}

/// The words for an end that servers share, whichever dialect they speak.
pub(super) fn common_finish(word: &[u8]) -> Finish {
    match word {
        b"" => Finish::None,
        b"stop" | b"eos" | b"eos_token" | b"stop_sequence" | b"end_turn" | b"STOP" => Finish::Stop,
        b"length" | b"max_tokens" | b"MAX_TOKENS" => Finish::Length,
        b"tool_calls" | b"function_call" | b"tool_use" => Finish::ToolCalls,
        b"content_filter" | b"SAFETY" => Finish::ContentFilter,
        b"error" => Finish::Error,
        _ => Finish::Other,
    }
}

/// Tokens as the server last reported them; never estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of the prompt.
    pub input: Option<u64>,
    /// Of the prompt, read from a cache.
    pub cached_input: Option<u64>,
    /// Of the answer.
    pub output: Option<u64>,
    /// Spent on reasoning.
    pub reasoning: Option<u64>,
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
    /// The last delta ended a tool call: its arguments are complete.
    pub is_call_finished: bool,
    done: bool,
    voices: [Voice; RANKS],
    parts_begun: u64,
    finishes: Finishes,
    calls: Vec<Call>,
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

struct Finishes([Finish; PARTS_MAX]);

impl Default for Finishes {
    fn default() -> Finishes {
        Finishes([Finish::None; PARTS_MAX])
    }
}

/// A tool call, known by its place and id.
struct Call {
    part: u64,
    index: u64,
    id_hash: Option<u64>,
    arguments: Arguments,
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

    /// Counts a call unless it is a further piece of one that is known.
    fn call(&mut self, part: u64, index: u64, piece: &CallPiece) {
        let id_hash = piece.id_hash;
        let here = |call: &&mut Call| call.part == part && call.index == index;
        let known = match id_hash {
            None => self.calls.iter_mut().rev().find(here),
            Some(_) => {
                self.calls.iter_mut().rev().filter(here).find(|c| c.id_hash.is_none() || c.id_hash == id_hash)
            }
        };
        if let Some(call) = known {
            call.id_hash = call.id_hash.or(id_hash);
            call.arguments.extend(&piece.arguments);
            self.is_call_finished = call.arguments.is_complete();
            return;
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

/// One part while it is open.
#[derive(Default)]
struct Part {
    index: Option<u64>,
    text_chars: [u64; RANKS],
    has_text: [bool; RANKS],
    refusal_chars: u64,
    reasoning: bool,
    finish: Finish,
    /// Tool calls seen in it, at most [`CALLS_MAX`].
    calls: Vec<CallPiece>,
}

/// One tool call, or a piece of one, in one part.
#[derive(Default)]
struct CallPiece {
    index: Option<u64>,
    id_hash: Option<u64>,
    arguments: Piece,
}

/// Folds values into [`Seen`].
#[derive(Default)]
pub struct Fold {
    /// What has been seen.
    pub seen: Seen,
    dialect: Option<&'static Dialect>,
    part: Part,
    call: CallPiece,
    /// Parts of this document closed so far: the index of one that does not say it.
    position: u64,
}

impl Fold {
    /// From now on the values are of this dialect.
    pub fn speak(&mut self, dialect: &'static Dialect) {
        self.dialect = Some(dialect);
    }

    /// The dialect, once it is known.
    pub fn dialect(&self) -> Option<&'static Dialect> {
        self.dialect
    }

    /// The stream's end was announced.
    pub fn done(&mut self) {
        self.seen.done = true;
    }

    /// The document ends here, complete or not: what is open counts as far as it came.
    pub fn end_document(&mut self) {
        self.fold_part();
        self.position = 0;
    }

    fn fold_part(&mut self) {
        let part = std::mem::take(&mut self.part);
        let seen = &mut self.seen;
        let heard = part.has_text.iter().zip(part.text_chars);
        for (voice, (&has_text, chars)) in seen.voices.iter_mut().zip(heard) {
            let now = if chars > 0 {
                Voice::Speaking
            } else if has_text {
                Voice::Silent
            } else {
                Voice::Absent
            };
            *voice = now.max(*voice);
        }
        let speaker = seen.voices.iter().position(|&voice| voice == Voice::Speaking);
        let text_chars = speaker.and_then(|rank| part.text_chars.get(rank)).copied().unwrap_or(0);
        seen.text_chars = seen.text_chars.saturating_add(text_chars);
        seen.refusal_chars = seen.refusal_chars.saturating_add(part.refusal_chars);
        if text_chars > 0 || part.reasoning || part.refusal_chars > 0 || !part.calls.is_empty() {
            seen.deltas = seen.deltas.saturating_add(1);
            seen.is_call_finished = false;
        }
        let index = part.index.unwrap_or(self.position);
        for (position, call) in (0..).zip(&part.calls) {
            seen.call(index, call.index.unwrap_or(position), call);
        }
        if part.has_text.contains(&true) || part.finish != Finish::None {
            seen.parts_begun |= bit(index);
        }
        let slot = usize::try_from(index).ok().and_then(|index| seen.finishes.0.get_mut(index));
        if let (Some(slot), true) = (slot, part.finish != Finish::None) {
            *slot = part.finish;
        }
    }

    fn has_text(&mut self, rank: u8) {
        if let Some(has) = self.part.has_text.get_mut(usize::from(rank)) {
            *has = true;
        }
    }

    fn text(&mut self, field: Field, piece: &[u8]) {
        if let Field::Text(rank) = field {
            self.has_text(rank);
            if let Some(count) = self.part.text_chars.get_mut(usize::from(rank)) {
                *count = count.saturating_add(chars(piece));
            }
        } else if field == Field::CallArguments {
            self.call.arguments.push(piece);
        } else if field == Field::Refusal {
            self.part.refusal_chars = self.part.refusal_chars.saturating_add(chars(piece));
        } else {
            self.part.reasoning |= !piece.is_empty();
        }
    }

    fn end_call(&mut self) {
        let call = std::mem::take(&mut self.call);
        if self.part.calls.len() < CALLS_MAX {
            self.part.calls.push(call);
        }
    }

    fn scalar(&mut self, field: Field, word: &[u8]) {
        if field == Field::Error {
            self.seen.error |= !matches!(word, b"null" | b"false");
            return;
        }
        let Some(number) = number(word) else { return };
        let usage = &mut self.seen.usage;
        match field {
            Field::PartIndex => self.part.index = Some(number),
            Field::CallIndex => self.call.index = Some(number),
            Field::InputTokens => usage.input = Some(number),
            Field::CachedInputTokens => usage.cached_input = Some(number),
            Field::OutputTokens => usage.output = Some(number),
            Field::ReasoningTokens => usage.reasoning = Some(number),
            Field::Part | Field::Text(_) | Field::Reasoning | Field::Refusal | Field::Finish => {}
            Field::Call | Field::CallId | Field::CallArguments | Field::LegacyCall | Field::Error => {}
        }
    }
}

impl json::Sink<Field> for Fold {
    fn value(&mut self, field: Field, value: Value<'_>) {
        match (field, value) {
            (_, Value::Text(piece)) => self.text(field, piece),
            (_, Value::Scalar(word)) => self.scalar(field, word),
            (Field::Text(rank), Value::Open) => self.has_text(rank),
            (Field::Part, Value::Open) => self.part = Part::default(),
            (Field::Part, Value::Close) => {
                self.fold_part();
                self.position = self.position.saturating_add(1);
            }
            (Field::Finish, Value::Short(word)) => {
                let finish = self.dialect.map_or(Finish::None, |dialect| (dialect.finish)(word));
                if finish != Finish::None {
                    self.part.finish = finish;
                }
            }
            (Field::Call | Field::LegacyCall, Value::Open) => self.call = CallPiece::default(),
            (Field::Call, Value::Close) => self.end_call(),
            (Field::LegacyCall, Value::Close) => {
                self.call.index = Some(LEGACY_CALL_INDEX);
                self.end_call();
            }
            (Field::CallArguments, Value::Open) => self.call.arguments = Piece::WHOLE,
            (Field::CallId, Value::Short(id)) if !id.is_empty() => self.call.id_hash = Some(hash(id)),
            (Field::Error, Value::Open) => self.seen.error = true,
            (Field::Error, Value::Short(word)) => self.seen.error |= !word.is_empty(),
            (_, Value::Open | Value::Close | Value::Short(_)) => {}
        }
    }

    fn document(&mut self) {
        self.end_document();
    }
}

/// A number as JSON writes it, without its fraction; `None` for anything else.
fn number(word: &[u8]) -> Option<u64> {
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = word.split_at_checked(digits)?;
    let is_fraction = rest.first().is_none_or(|&byte| byte == b'.');
    let digits = std::str::from_utf8(digits).ok()?;
    if is_fraction { digits.parse().ok() } else { None }
}

/// FNV-1a, 64 bits: ids of one response need telling apart, not guarding against anybody.
fn hash(bytes: &[u8]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    bytes.iter().fold(OFFSET, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}
