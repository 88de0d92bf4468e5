//! `replacement_char`: U+FFFD in the answer, which a decoder puts where bytes of a character are missing.
//!
//! Not in code, and not where it is quoted: between quotation marks or brackets, as texts about encodings have it.

use super::markdown::{Place, Segment};
use memchr::memchr;

const REPLACEMENT: &[u8] = b"\xEF\xBF\xBD";

/// The state between two segments.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReplacementChar {
    found: bool,
    /// One has come behind an opening mark: what follows it decides.
    may_be_quoted: bool,
}

impl ReplacementChar {
    pub(super) fn is_found(&self) -> bool {
        self.found
    }

    /// Whether text in ASCII matters.
    pub(super) fn is_waiting(&self) -> bool {
        self.may_be_quoted
    }

    #[inline(never)]
    pub(super) fn push(&mut self, segment: Segment<'_>) {
        if core::mem::take(&mut self.may_be_quoted) {
            self.found |= !segment.bytes().first().is_some_and(|&byte| is_closing(byte));
        }
        if segment.place != Place::Text {
            return;
        }
        let Segment { text, start, .. } = segment;
        let mut end = start;
        // Its last byte is looked for, so its first ones may be in the segment before.
        while !self.found
            && let Some(found) = memchr(0xBD, text.get(end..).unwrap_or_default())
        {
            end = end.saturating_add(found).saturating_add(1);
            let (now, after) = text.split_at_checked(end).unwrap_or_default();
            let Some(before) = now.strip_suffix(REPLACEMENT) else { continue };
            if !before.last().is_some_and(|&byte| is_opening(byte)) {
                self.found = true;
            } else if let Some(&next) = after.first() {
                self.found = !is_closing(next);
            } else {
                self.may_be_quoted = true;
            }
        }
    }

    /// The item has ended.
    pub(super) fn end(&mut self) {
        self.found |= core::mem::take(&mut self.may_be_quoted);
    }
}

/// The last byte of an opening quotation mark or bracket, also of those in U+2018 to U+201C and U+300C.
fn is_opening(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'(' | b'[' | 0x98 | 0x9C | 0xAB | 0x8C)
}

fn is_closing(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b')' | b']' | 0xE2 | 0xE3 | 0xC2)
}
