//! `replacement_char`: U+FFFD in the answer, which a decoder puts where bytes of a character are missing.
//!
//! Not in code, and not where it is quoted: between quotation marks or brackets, as texts about encodings have it.

use super::markdown::Place;
use memchr::memchr;

const REPLACEMENT: [u8; 3] = *b"\xEF\xBF\xBD";

/// The state between two bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReplacementChar {
    found: bool,
    /// The last bytes, of which the newest is the lowest.
    last: u32,
    /// One has come behind an opening mark: what follows it decides.
    may_be_quoted: bool,
}

impl ReplacementChar {
    pub(super) fn is_found(&self) -> bool {
        self.found
    }

    pub(super) fn push(&mut self, bytes: &[u8], place: Place) {
        if self.found {
            return;
        }
        let mut rest = bytes;
        // Most pieces have none of its bytes, and do not follow on one.
        while !rest.is_empty() {
            if !self.may_be_quoted && !matches!(self.last as u8, 0xEF | 0xBF) {
                let skipped = memchr(0xEF, rest).unwrap_or(rest.len());
                let (before, after) = rest.split_at(skipped);
                match before.last_chunk() {
                    Some(last) => self.last = u32::from_be_bytes(*last),
                    None => before.iter().for_each(|&byte| self.last = self.last << 8 | u32::from(byte)),
                }
                rest = after;
            }
            let Some((&byte, after)) = rest.split_first() else { break };
            rest = after;
            self.step(byte, place);
        }
    }

    fn step(&mut self, byte: u8, place: Place) {
        if core::mem::take(&mut self.may_be_quoted) {
            self.found |= !is_closing(byte);
        }
        let [_, before, ..] = self.last.to_be_bytes();
        self.last = self.last << 8 | u32::from(byte);
        let [_, now @ ..] = self.last.to_be_bytes();
        if now == REPLACEMENT && place == Place::Text {
            if is_opening(before) {
                self.may_be_quoted = true;
            } else {
                self.found = true;
            }
        }
    }

    /// The item has ended.
    pub(super) fn end(&mut self) {
        self.found |= self.may_be_quoted;
        (self.last, self.may_be_quoted) = (0, false);
    }
}

/// The last byte of an opening quotation mark or bracket, also of those in U+2018 to U+201C and U+300C.
fn is_opening(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'(' | b'[' | 0x98 | 0x9C | 0xAB | 0x8C)
}

fn is_closing(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b')' | b']' | 0xE2 | 0xE3 | 0xC2)
}
