//! The length of the part of a string that needs no decoding.

use memchr::memchr2;

use crate::word::{WORD_BYTES, equal, first_byte};

/// Words that are searched before `memchr` is called. Most strings are short, and the call costs more than they do.
const NEAR_WORDS: usize = 4;

/// The number of bytes up to the next quote or backslash, or of all bytes.
#[inline(always)]
#[expect(clippy::arithmetic_side_effects, reason = "at most the length of `bytes`")]
pub fn text_length(bytes: &[u8]) -> usize {
    let mut at = 0_usize;
    for chunk in bytes.chunks_exact(WORD_BYTES).take(NEAR_WORDS) {
        let word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
        let found = equal(word, b'"') | equal(word, b'\\');
        if found != 0 {
            return at + first_byte(found);
        }
        at += WORD_BYTES;
    }
    at + far_text_length(bytes.get(at..).unwrap_or_default())
}

#[inline(never)]
fn far_text_length(bytes: &[u8]) -> usize {
    memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len())
}
