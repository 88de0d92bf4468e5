//! Compares eight bytes at a time, as one 64-bit word.

/// Bytes in a word.
pub const WORD_BYTES: usize = size_of::<u64>();
/// The lowest bit of each byte.
pub const ONES: u64 = u64::from_le_bytes([1; WORD_BYTES]);
/// The highest bit of each byte.
pub const HIGHS: u64 = u64::from_le_bytes([0x80; WORD_BYTES]);

/// Sets the highest bit of the first byte of `word` that is `wanted`. The bits of later bytes may be wrong.
#[inline(always)]
#[must_use]
pub fn equal(word: u64, wanted: u8) -> u64 {
    let differences = word ^ u64::from_le_bytes([wanted; WORD_BYTES]);
    differences.wrapping_sub(ONES) & !differences & HIGHS
}

/// The index of the byte with the lowest bit that is set; [`WORD_BYTES`] if none is.
#[inline(always)]
#[must_use]
pub fn first_byte(bits: u64) -> usize {
    (bits.trailing_zeros() / u8::BITS) as usize
}

/// Whether both are equal. In WebAssembly `==` compares byte by byte, which is slower.
#[inline(always)]
#[must_use]
pub fn is_same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    // The last word may overlap the one before it.
    match (a.last_chunk(), b.last_chunk()) {
        (Some(last_a), Some(last_b)) => {
            let words = a.as_chunks().0.iter().zip(b.as_chunks().0);
            u64::from_le_bytes(*last_a) == u64::from_le_bytes(*last_b)
                && words.fold(0, |all, (a, b)| all | (u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b))) == 0
        }
        _ => a.iter().zip(b).all(|(a, b)| a == b),
    }
}

#[cfg(test)]
mod tests {
    use super::{equal, first_byte, is_same};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_same_is_the_same(a: Vec<u8>, at: prop::sample::Index, byte: u8) {
            let mut b = a.clone();
            prop_assert!(is_same(&a, &b));
            if !b.is_empty() {
                let at = at.index(b.len());
                b[at] = byte;
                prop_assert_eq!(is_same(&a, &b), a == b);
                prop_assert!(!is_same(&a, &a[1..]));
            }
        }

        #[test]
        fn the_first_is_found(word: [u8; 8], wanted: u8, at in 0..9_usize) {
            let mut word = word;
            word.iter_mut().skip(at).take(1).for_each(|byte| *byte = wanted);
            let first = word.iter().position(|&byte| byte == wanted).unwrap_or(word.len());
            prop_assert_eq!(first_byte(equal(u64::from_le_bytes(word), wanted)), first);
        }
    }
}
