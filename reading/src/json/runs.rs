//! How far bytes are of one kind: a word at a time.

use memchr::memchr2;

use crate::word::{WORD_BYTES, equal, first_byte};

/// So far a string's end is looked for in words; a call of `memchr` costs more than most strings are long.
const NEAR_WORDS: usize = 4;

/// Bytes up to the next quote or backslash, or all of them.
#[inline(always)]
pub(crate) fn text_length(bytes: &[u8]) -> usize {
    let mut at = 0_usize;
    for chunk in bytes.chunks_exact(WORD_BYTES).take(NEAR_WORDS) {
        let word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
        let found = equal(word, b'"') | equal(word, b'\\');
        if found != 0 {
            return at.saturating_add(first_byte(found));
        }
        at = at.saturating_add(WORD_BYTES);
    }
    at.saturating_add(far_text_length(bytes.get(at..).unwrap_or_default()))
}

#[inline(never)]
fn far_text_length(bytes: &[u8]) -> usize {
    memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len())
}
