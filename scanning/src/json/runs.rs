//! The length of the part of a string that needs no decoding.

use memchr::memchr2;

use crate::lanes::{LANES, Lanes};

/// Bytes that are searched before `memchr` is called. Most strings are short, and the call costs more than they do.
const NEAR_BYTES: usize = 2 * LANES;

/// The number of bytes up to the next quote or backslash, or of all bytes.
#[inline(always)]
#[expect(clippy::arithmetic_side_effects, reason = "at most the length of `bytes`")]
pub fn text_length(bytes: &[u8]) -> usize {
    let mut at = 0_usize;
    for chunk in bytes.as_chunks().0.iter().take(NEAR_BYTES / LANES) {
        let found = stops(chunk);
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
        at += LANES;
    }
    at + far_text_length(bytes.get(at..).unwrap_or_default())
}

/// A bit for each quote and each backslash.
#[inline(always)]
pub(super) fn stops(bytes: &[u8; LANES]) -> u16 {
    let lanes = Lanes::of(bytes);
    (lanes.equal(b'"') | lanes.equal(b'\\')).bits()
}

#[inline(never)]
fn far_text_length(bytes: &[u8]) -> usize {
    memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len())
}

/// Bytes that are looked at together where nothing is kept of a string.
const BLOCK_BYTES: usize = 2 * LANES;

/// The number of bytes of a string, of which nothing is kept, that need not be looked at one by one: text and escapes of one byte, as
/// far as whole blocks go.
pub(super) fn skipped_length(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some(block) = rest.first_chunk::<BLOCK_BYTES>() {
        let halves = block.as_chunks().0.iter().rev();
        let bits = halves.fold(0, |bits: u32, half| bits << LANES | u32::from(stops(half)));
        let (_, stop) = rest.split_at_checked(bits.trailing_zeros() as usize).unwrap_or_default();
        rest = match stop {
            [b'\\', byte, after @ ..] if unescaped(*byte).is_some() => after,
            _ if bits == 0 => stop,
            _ => return bytes.len().saturating_sub(stop.len()),
        };
    }
    bytes.len().saturating_sub(rest.len())
}

/// What the byte after a backslash stands for. `None` for `u` and for bytes that are not an escape.
#[inline]
pub(super) fn unescaped(byte: u8) -> Option<u8> {
    // Each by itself, so that the compiler makes a table of them.
    match byte {
        b'n' => Some(b'\n'),
        b't' => Some(b'\t'),
        b'r' => Some(b'\r'),
        b'b' => Some(b'\x08'),
        b'f' => Some(b'\x0c'),
        b'"' => Some(b'"'),
        b'\\' => Some(b'\\'),
        b'/' => Some(b'/'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What is skipped is text and whole escapes, and little is left of it.
        #[test]
        fn only_text_and_escapes_are_skipped(pieces in prop::collection::vec(prop::sample::select(vec!["abcdefgh", "a", "\\n", "\\\\", "\\\"", "\\u0041", "\"", "\\x"]), 0..60)) {
            let text = pieces.concat();
            let skipped = skipped_length(text.as_bytes());
            let mut at = 0;
            let is_skipped = |piece: &&str| piece.len() != 1 || piece.as_bytes() == b"a";
            for piece in pieces.iter().take_while(|piece| is_skipped(piece) && !matches!(**piece, "\\u0041" | "\\x")) {
                at += piece.len();
            }
            prop_assert!(skipped <= at && (text.len() - skipped < BLOCK_BYTES || skipped == at), "{skipped} of {at} in {text}");
            let is_inside = text.as_bytes()[..skipped].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1;
            prop_assert!(!is_inside);
        }
    }
}
