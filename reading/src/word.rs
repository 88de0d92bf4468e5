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

/// Words that have all of these bytes. The last one may overlap the one before it, or end with zeros.
#[inline(always)]
pub fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let last = bytes.last_chunk().copied().unwrap_or_else(|| {
        let mut last = [0; WORD_BYTES];
        last.iter_mut().zip(bytes).for_each(|(slot, &byte)| *slot = byte);
        last
    });
    let words = bytes.as_chunks().0.iter().copied();
    words.chain(core::iter::once(last)).map(u64::from_le_bytes)
}

/// Copies all of `from` to the beginning of `to`, or nothing if that is shorter. A few bytes, as a model's token has, are
/// copied in two words that overlap: a call of `memcpy` takes longer, and far longer in WebAssembly.
#[inline(always)]
pub fn copy(from: &[u8], to: &mut [u8]) {
    fn both_ends<const N: usize>(from: &[u8], to: &mut [u8]) -> Option<()> {
        *to.first_chunk_mut::<N>()? = *from.first_chunk()?;
        *to.get_mut(..from.len())?.last_chunk_mut::<N>()? = *from.last_chunk()?;
        Some(())
    }
    let _ = match from.len() {
        1 => both_ends::<1>(from, to),
        2..4 => both_ends::<2>(from, to),
        4..8 => both_ends::<4>(from, to),
        8..=16 => both_ends::<8>(from, to),
        _ => to.get_mut(..from.len()).map(|to| to.copy_from_slice(from)),
    };
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
