//! Bytes that come again and again with little of them changed: found by comparing, not by reading.
//!
//! In: one sample of such bytes, where its text stands, and where values stand that nobody wants. Out: whether
//! other bytes begin with the same but for those, and their text. Everything outside the holes must be the same to the
//! byte, so a reader that would do the same for each text and whatever stands in the other holes need not read them.
//! What a hole may hold is so narrow that it ends in the same place for every reader of JSON and of lines: no control
//! bytes, in the text only escapes that are a character each, elsewhere none.
//!
//! This is what runs for nearly every byte of a stream, so it goes in words of eight bytes.

#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::ops::Range;

use crate::word::{HIGHS, WORD_BYTES, equal, first_byte, is_same};

/// A longer sample is refused, and bytes cut off are not worth keeping from here on.
pub const BYTES_MAX: usize = 2048;
/// Values that are known to be unwanted; those behind must be the same.
pub const FREE_MAX: usize = 32;

/// Of a character written as `\uXXXX`.
const HEX_DIGITS: usize = 4;

/// What a hole holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The text: what is between a string's quotes. The one hole whose content is told.
    Text,
    /// The same of a string that nobody wants.
    String,
    /// An unsigned number that nobody wants.
    Number,
    /// Spaces between two tokens, or none. Some servers hide lengths so.
    Spaces,
}

/// A value of the sample that may be another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// What it holds.
    pub kind: Kind,
    /// Where, without quotes.
    pub range: Range<usize>,
}

/// A sample and its holes.
pub struct Stencil {
    sample: Vec<u8>,
    /// In order. What is between them must be the same.
    holes: Vec<Hole>,
    /// Where the next may be.
    free: Vec<Hole>,
}

/// How bytes compare with the sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison<'a> {
    /// They begin with the like of it.
    Like(Like<'a>),
    /// They are the beginning of the like of it, and reach so far in the sample.
    Cut(usize),
    /// They differ, first here in the sample.
    Different(usize),
}

/// The like of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Like<'a> {
    /// Its text as it is written, escapes and all.
    text: &'a [u8],
    is_escaped: bool,
    /// The text's characters.
    pub chars: u64,
    /// What follows it.
    pub rest: &'a [u8],
}

impl Like<'_> {
    /// Its text, if nothing in it is escaped.
    pub fn plain_text(&self) -> Option<&[u8]> {
        (!self.is_escaped).then_some(self.text)
    }

    /// The bytes that its text stands for, piece by piece.
    pub fn pieces(&self, mut take: impl FnMut(&[u8])) {
        let mut rest = self.text;
        while !rest.is_empty() {
            let plain = rest.iter().position(|&byte| byte == b'\\').unwrap_or(rest.len());
            let (plain, behind) = rest.split_at(plain);
            take(plain);
            rest = behind.get(1..).unwrap_or_default();
            if let Escape::Of(char, length) = Escape::read(rest) {
                take(char.encode_utf8(&mut [0; 4]).as_bytes());
                rest = rest.get(length..).unwrap_or_default();
            }
        }
    }
}

impl Stencil {
    /// One whose text may be another, and the values at `free`, once they are seen to be. These must be in order, and
    /// none overlap the text.
    pub fn new(sample: &[u8], text: Range<usize>, mut free: Vec<Hole>) -> Option<Stencil> {
        free.truncate(FREE_MAX);
        let text = Hole { kind: Kind::Text, range: text };
        (sample.len() <= BYTES_MAX).then(|| Stencil { sample: sample.to_vec(), holes: vec![text], free })
    }

    /// Bytes of the sample.
    pub fn length(&self) -> usize {
        self.sample.len()
    }

    /// Compares what `bytes` begin with.
    #[inline(always)]
    pub fn compare<'a>(&self, bytes: &'a [u8]) -> Comparison<'a> {
        let (mut at, mut rest) = (0_usize, bytes);
        let mut text: &[u8] = &[];
        let (mut chars, mut is_escaped) = (0, false);
        for hole in &self.holes {
            let known = self.sample.get(at..hole.range.start).unwrap_or_default();
            match behind(known, rest) {
                Ok(behind) => rest = behind,
                Err(same) => return self.unlike(at.saturating_add(same), same == rest.len()),
            }
            let length = match hole.kind {
                Kind::Text => {
                    let run = text_run(rest);
                    (chars, is_escaped) = (run.chars, run.is_escaped);
                    run.length
                }
                Kind::String => plain_run(rest).0,
                Kind::Spaces => rest.iter().take_while(|byte| **byte == b' ').count(),
                Kind::Number => rest.iter().take_while(|byte| byte.is_ascii_digit()).count(),
            };
            let Some((value, behind)) = rest.split_at_checked(length) else {
                return Comparison::Different(at);
            };
            if behind.is_empty() {
                return Comparison::Cut(hole.range.start);
            }
            if length == 0 && hole.kind == Kind::Number {
                return Comparison::Different(hole.range.start);
            }
            if hole.kind == Kind::Text {
                text = value;
            }
            (at, rest) = (hole.range.end, behind);
        }
        let known = self.sample.get(at..).unwrap_or_default();
        match behind(known, rest) {
            Ok(rest) => Comparison::Like(Like { text, is_escaped, chars, rest }),
            Err(same) => self.unlike(at.saturating_add(same), same == rest.len()),
        }
    }

    #[cold]
    fn unlike<'a>(&self, at: usize, is_end: bool) -> Comparison<'a> {
        if is_end { Comparison::Cut(at) } else { Comparison::Different(at) }
    }

    /// Lets the value differ that stands here in the sample, if that is a free one.
    pub fn widen(&mut self, at: usize) -> bool {
        let is_here = |hole: &Hole| hole.range.start <= at && at <= hole.range.end;
        let Some(free) = self.free.iter().position(is_here) else { return false };
        let hole = self.free.remove(free);
        let place = self.holes.iter().take_while(|other| other.range.start < hole.range.start).count();
        self.holes.insert(place, hole);
        true
    }
}

/// What follows `known` in `bytes`, or how many bytes both begin with.
#[inline(always)]
fn behind<'a>(known: &[u8], bytes: &'a [u8]) -> Result<&'a [u8], usize> {
    match bytes.split_at_checked(known.len()) {
        Some((start, behind)) if is_same(known, start) => Ok(behind),
        _ => Err(common_length(known, bytes)),
    }
}

/// Bytes with which both begin.
#[cold]
#[inline(never)]
fn common_length(a: &[u8], b: &[u8]) -> usize {
    let is_same = |(a, b): &(&[u8; WORD_BYTES], &[u8; WORD_BYTES])| a == b;
    let words = a.as_chunks().0.iter().zip(b.as_chunks().0).take_while(is_same).count();
    let at = words.saturating_mul(WORD_BYTES);
    let rest = a.iter().zip(b).skip(at);
    at.saturating_add(rest.take_while(|(a, b)| a == b).count())
}

struct TextRun {
    length: usize,
    chars: u64,
    is_escaped: bool,
}

/// A string up to its end, or up to what is not allowed in it.
#[inline(always)]
fn text_run(bytes: &[u8]) -> TextRun {
    let (length, chars) = plain_run(bytes);
    let mut run = TextRun { length, chars, is_escaped: false };
    while let Some([b'\\', rest @ ..]) = bytes.get(run.length..) {
        run.is_escaped = true;
        match Escape::read(rest) {
            Escape::Of(_, escape_bytes) => {
                let (length, chars) = plain_run(rest.get(escape_bytes..).unwrap_or_default());
                run.length = run.length.saturating_add(1).saturating_add(escape_bytes).saturating_add(length);
                run.chars = run.chars.saturating_add(1).saturating_add(chars);
            }
            Escape::Cut => run.length = bytes.len(),
            Escape::Other => break, // and the backslash stands where the sample has a quote
        }
    }
    run
}

/// What follows a backslash.
enum Escape {
    /// So many bytes that stand for a character.
    Of(char, usize),
    /// The beginning of such.
    Cut,
    /// None that is a character, as half a surrogate pair is not.
    Other,
}

impl Escape {
    fn read(bytes: &[u8]) -> Escape {
        let char = match bytes {
            [] => return Escape::Cut,
            [b'u', digits @ ..] => return Escape::unicode(digits),
            [b'n', ..] => '\n',
            [b't', ..] => '\t',
            [b'r', ..] => '\r',
            [b'b', ..] => '\u{8}',
            [b'f', ..] => '\u{c}',
            [char @ (b'"' | b'\\' | b'/'), ..] => char::from(*char),
            _ => return Escape::Other,
        };
        Escape::Of(char, 1)
    }

    fn unicode(bytes: &[u8]) -> Escape {
        let digits = bytes.get(..HEX_DIGITS).unwrap_or(bytes);
        let digit = |code: u32, digit: &u8| Some(code.wrapping_shl(4) | char::from(*digit).to_digit(16)?);
        match digits.iter().try_fold(0, digit).and_then(char::from_u32) {
            Some(_) if digits.len() < HEX_DIGITS => Escape::Cut,
            Some(char) => Escape::Of(char, 1_usize.saturating_add(HEX_DIGITS)),
            None => Escape::Other,
        }
    }
}

/// Bytes up to the first quote, backslash or control byte; and the characters that begin in them.
#[inline(always)]
fn plain_run(bytes: &[u8]) -> (usize, u64) {
    let (mut length, mut inner) = (0_usize, 0_u32);
    let (words, rest) = bytes.as_chunks();
    for word in words {
        let word = u64::from_le_bytes(*word);
        let stops = equal(word, b'"') | equal(word, b'\\') | control(word);
        // 0b10xxxxxx begins no character.
        let inside = word & !word.wrapping_shl(1) & HIGHS;
        if stops != 0 {
            let before = (stops & stops.wrapping_neg()).wrapping_sub(1);
            inner = inner.saturating_add((inside & before).count_ones());
            length = length.saturating_add(first_byte(stops));
            return (length, (length as u64).saturating_sub(u64::from(inner)));
        }
        inner = inner.saturating_add(inside.count_ones());
        length = length.saturating_add(WORD_BYTES);
    }
    for &byte in rest {
        if byte < 0x20 || byte == b'"' || byte == b'\\' {
            break;
        }
        inner = inner.saturating_add(u32::from(byte & 0xC0 == 0x80));
        length = length.saturating_add(1);
    }
    (length, (length as u64).saturating_sub(u64::from(inner)))
}

/// Sets the highest bit of the first byte of `word` below 0x20; those after it may be wrong.
#[inline(always)]
fn control(word: u64) -> u64 {
    word.wrapping_sub(u64::from_le_bytes([0x20; 8])) & !word & HIGHS
}
