//! How far bytes are of one kind: a word at a time.

use memchr::memchr2;

/// So far a string's end is looked for in words; a call of `memchr` costs more than most strings are long.
const NEAR_WORDS: usize = 4;
const WORD_BYTES: usize = size_of::<u64>();

/// Bytes up to the next quote or backslash, or all of them.
pub(super) fn text_length(bytes: &[u8]) -> usize {
    let mut at = 0_usize;
    for chunk in bytes.chunks_exact(WORD_BYTES).take(NEAR_WORDS) {
        let word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
        let found = bytes_equal(word, b'"') | bytes_equal(word, b'\\');
        if found != 0 {
            return at.saturating_add((found.trailing_zeros() / u8::BITS) as usize);
        }
        at = at.saturating_add(WORD_BYTES);
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at.saturating_add(memchr2(b'"', b'\\', rest).unwrap_or(rest.len()))
}

/// Sets the highest bit of the first byte of `word` that is `wanted`; those after it may be wrong.
fn bytes_equal(word: u64, wanted: u8) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
    let differences = word ^ u64::from_le_bytes([wanted; 8]);
    differences.wrapping_sub(ONES) & !differences & HIGHS
}
