//! Recognises events that are like an earlier one, by comparing bytes instead of parsing them.
//!
//! In: an earlier event, where its text is, and where values are that the caller does not use. Out: whether other bytes
//! begin with an event that differs only there, and its text. The text, and unused values that were seen to change, are
//! wildcards; every other byte must be equal. So a caller that does the same for every content of the wildcards need
//! not parse such an event. A wildcard matches so little that it ends at the same byte for every parser of JSON and of
//! lines: no control bytes, and escapes in the text only, where each stands for one character.
//!
//! Nearly every byte of a stream is read here and nowhere else, so this compares eight bytes at a time.

#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::ops::Range;

use crate::json::{Escape, escape};
use crate::lanes::are_same;
use crate::word::{HIGHS, WORD_BYTES, equal, first_byte};

/// The longest event that becomes a template.
pub const TEMPLATE_BYTES_MAX: usize = 2048;
/// Values of an event that may become wildcards. Any after them must be equal.
pub const CANDIDATES_MAX: usize = 32;

/// What a wildcard matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WildcardKind {
    /// The text: a string that is wanted. Its content is given to the caller. Each template has one.
    Text,
    /// An unused string without escapes.
    String,
    /// An unused unsigned integer.
    Number,
    /// Any number of spaces between two tokens. Some servers pad events so, to hide the length of the text.
    Spaces,
}

/// A place in the event where other bytes match too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wildcard {
    /// What matches.
    pub kind: WildcardKind,
    /// Where it is in the event. Of a string, without the quotes.
    pub range: Range<usize>,
}

/// An event with wildcards.
pub struct EventTemplate {
    event: Vec<u8>,
    /// In order of their ranges. The bytes between them must be equal.
    wildcards: Vec<Wildcard>,
    /// Values that become wildcards when one of them is seen to differ.
    candidates: Vec<Wildcard>,
}

/// How some bytes compare with a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison<'a> {
    /// They begin with an event that matches.
    Match(TemplateMatch<'a>),
    /// They are too short to tell, and match up to this place in the template's event.
    Incomplete(usize),
    /// They differ from the template's event, at this place in it.
    Mismatch(usize),
}

/// An event that matches a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemplateMatch<'a> {
    /// Its text as written, with escapes.
    text: &'a [u8],
    has_escapes: bool,
    /// Characters (Unicode scalar values) of its text.
    pub chars: u64,
    /// The bytes after the event.
    pub rest: &'a [u8],
}

impl TemplateMatch<'_> {
    /// Its text, if that is written without escapes.
    pub fn plain_text(&self) -> Option<&[u8]> {
        (!self.has_escapes).then_some(self.text)
    }

    /// Gives the decoded text to `take`, piece by piece. Each piece ends between two characters.
    pub fn pieces(&self, mut take: impl FnMut(&[u8])) {
        if !self.has_escapes {
            return take(self.text);
        }
        let mut rest = self.text;
        while let Some(at) = rest.iter().position(|&byte| byte == b'\\') {
            let (plain, stop) = rest.split_at(at);
            take(plain);
            // Half of a pair, with which the text ends: all others are whole, or the event would not have matched.
            let Escape::Character(character) = escape(stop) else { return take("\u{fffd}".as_bytes()) };
            take(character.as_bytes());
            rest = stop.get(character.escape_len..).unwrap_or_default();
        }
        take(rest);
    }
}

impl EventTemplate {
    /// Makes a template of an event, whose text is at `text`. The candidates must be in order, and must not overlap
    /// each other or the text. `None` if the event is longer than [`TEMPLATE_BYTES_MAX`].
    pub fn new(event: &[u8], text: Range<usize>, mut candidates: Vec<Wildcard>) -> Option<EventTemplate> {
        candidates.truncate(CANDIDATES_MAX);
        let text = Wildcard { kind: WildcardKind::Text, range: text };
        (event.len() <= TEMPLATE_BYTES_MAX).then(|| EventTemplate {
            event: event.to_vec(),
            wildcards: vec![text],
            candidates,
        })
    }

    /// Length of the event, in bytes.
    pub fn length(&self) -> usize {
        self.event.len()
    }

    /// Compares the beginning of `bytes`.
    #[inline(always)]
    #[expect(clippy::arithmetic_side_effects, reason = "places in the event, at most TEMPLATE_BYTES_MAX")]
    pub fn compare<'a>(&self, bytes: &'a [u8]) -> Comparison<'a> {
        let (mut at, mut rest) = (0_usize, bytes);
        let mut text: &[u8] = &[];
        let (mut chars, mut has_escapes) = (0, false);
        for wildcard in &self.wildcards {
            let literal = self.event.get(at..wildcard.range.start).unwrap_or_default();
            match after_literal(literal, rest) {
                Ok(after) => rest = after,
                Err(equal) => return no_match(at + equal, equal == rest.len()),
            }
            let length = match wildcard.kind {
                WildcardKind::Text => {
                    let run = text_run(rest);
                    (chars, has_escapes) = (run.chars, run.has_escapes);
                    run.length
                }
                WildcardKind::String => plain_run(rest).0,
                WildcardKind::Spaces => rest.iter().take_while(|byte| **byte == b' ').count(),
                WildcardKind::Number => rest.iter().take_while(|byte| byte.is_ascii_digit()).count(),
            };
            let Some((value, after)) = rest.split_at_checked(length) else {
                return Comparison::Mismatch(at);
            };
            if after.is_empty() {
                return Comparison::Incomplete(wildcard.range.start);
            }
            if length == 0 && wildcard.kind == WildcardKind::Number {
                return Comparison::Mismatch(wildcard.range.start);
            }
            if wildcard.kind == WildcardKind::Text {
                text = value;
            }
            (at, rest) = (wildcard.range.end, after);
        }
        let literal = self.event.get(at..).unwrap_or_default();
        match after_literal(literal, rest) {
            Ok(rest) => Comparison::Match(TemplateMatch { text, has_escapes, chars, rest }),
            Err(equal) => no_match(at + equal, equal == rest.len()),
        }
    }

    /// Makes a wildcard of the candidate at this place in the event. False if there is none.
    pub fn relax(&mut self, at: usize) -> bool {
        let is_here = |candidate: &Wildcard| candidate.range.start <= at && at <= candidate.range.end;
        let Some(index) = self.candidates.iter().position(is_here) else { return false };
        let wildcard = self.candidates.remove(index);
        let index =
            self.wildcards.iter().take_while(|other| other.range.start < wildcard.range.start).count();
        self.wildcards.insert(index, wildcard);
        true
    }
}

#[cold]
fn no_match<'a>(at: usize, is_end: bool) -> Comparison<'a> {
    if is_end { Comparison::Incomplete(at) } else { Comparison::Mismatch(at) }
}

/// The bytes after `literal`, if `bytes` begin with that. Otherwise how many bytes are equal.
#[inline(always)]
fn after_literal<'a>(literal: &[u8], bytes: &'a [u8]) -> Result<&'a [u8], usize> {
    match bytes.split_at_checked(literal.len()) {
        Some((start, after)) if are_same(literal, start) => Ok(after),
        _ => Err(common_length(literal, bytes)),
    }
}

/// Length of the prefix that both have in common.
#[cold]
#[inline(never)]
#[expect(clippy::arithmetic_side_effects, reason = "at most the length of each slice")]
fn common_length(a: &[u8], b: &[u8]) -> usize {
    let is_same = |(a, b): &(&[u8; WORD_BYTES], &[u8; WORD_BYTES])| a == b;
    let words = a.as_chunks().0.iter().zip(b.as_chunks().0).take_while(is_same).count();
    let at = words * WORD_BYTES;
    let rest = a.iter().zip(b).skip(at);
    at + rest.take_while(|(a, b)| a == b).count()
}

/// The beginning of some bytes, as the content of a string.
struct TextRun {
    /// In bytes.
    length: usize,
    chars: u64,
    has_escapes: bool,
}

/// The content of a string up to its quote, or up to a byte that a text wildcard does not match.
#[inline(always)]
#[expect(clippy::arithmetic_side_effects, reason = "the lengths add up to at most that of `bytes`")]
fn text_run(bytes: &[u8]) -> TextRun {
    let (length, chars) = plain_run(bytes);
    let mut run = TextRun { length, chars, has_escapes: false };
    while let Some(stop @ [b'\\', ..]) = bytes.get(run.length..) {
        run.has_escapes = true;
        match escape(stop) {
            Escape::Character(character) => {
                let (length, chars) = plain_run(stop.get(character.escape_len..).unwrap_or_default());
                run.length += character.escape_len + length;
                run.chars += 1 + chars;
            }
            Escape::Cut => run.length = bytes.len(),
            Escape::Broken => break, // the template has a quote here, so this backslash is a mismatch
        }
    }
    run
}

/// Bytes up to the first quote, backslash or control byte; and the characters that begin in them.
#[inline(always)]
#[expect(clippy::arithmetic_side_effects, reason = "each is at most the length of `bytes`")]
fn plain_run(bytes: &[u8]) -> (usize, u64) {
    let (mut length, mut inner) = (0_usize, 0_u64);
    let (words, rest) = bytes.as_chunks();
    for word in words {
        let word = u64::from_le_bytes(*word);
        let stops = equal(word, b'"') | equal(word, b'\\') | control(word);
        // The inner bytes of a character are 0b10xxxxxx: their highest bit is set, and the next one is not.
        let inside = word & !(word << 1) & HIGHS;
        if stops != 0 {
            let before = (stops & stops.wrapping_neg()) - 1;
            inner += count(inside & before);
            length += first_byte(stops);
            return (length, length as u64 - inner);
        }
        inner += count(inside);
        length += WORD_BYTES;
    }
    for &byte in rest {
        if byte < 0x20 || byte == b'"' || byte == b'\\' {
            break;
        }
        inner += u64::from(byte & 0xC0 == 0x80);
        length += 1;
    }
    (length, length as u64 - inner)
}

/// The number of bits that are set. Mostly there are none, and not every machine has an instruction that counts them.
#[inline(always)]
fn count(bits: u64) -> u64 {
    if bits == 0 { 0 } else { u64::from(bits.count_ones()) }
}

/// Sets the highest bit of the first byte of `word` that is below 0x20. The bits of later bytes may be wrong.
#[inline(always)]
fn control(word: u64) -> u64 {
    word.wrapping_sub(u64::from_le_bytes([0x20; 8])) & !word & HIGHS
}
