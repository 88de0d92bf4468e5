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

/// Where the first `a` or `b` is; the length if there is none.
#[inline(never)]
#[must_use]
pub fn find_either(bytes: &[u8], a: u8, b: u8) -> usize {
    // Natively memchr has vectors of more bytes than the few words here; in WebAssembly it takes longer to begin.
    if cfg!(target_family = "wasm") {
        find(bytes, |word| equal(word, a) | equal(word, b), |byte| byte == a || byte == b)
    } else {
        memchr::memchr2(a, b, bytes).unwrap_or(bytes.len())
    }
}

/// With how many bytes `wanted` these begin.
#[inline]
#[must_use]
pub fn run(bytes: &[u8], wanted: u8) -> usize {
    find(bytes, |word| word ^ u64::from_le_bytes([wanted; WORD_BYTES]), |byte| byte != wanted)
}

/// With how many bytes of ASCII these begin.
#[inline]
#[must_use]
pub fn ascii_run(bytes: &[u8]) -> usize {
    find(bytes, |word| word & HIGHS, |byte| !byte.is_ascii())
}

/// Where the first byte is that is looked for; the length if there is none. `bits` sets bits in the first such byte of a
/// word, and in none before it.
#[inline(always)]
fn find(bytes: &[u8], bits: impl Fn(u64) -> u64, is_wanted: impl Fn(u8) -> bool) -> usize {
    let (lines, _) = bytes.as_chunks::<32>();
    let is_without = |line: &&[u8; 32]| {
        let words = line.as_chunks().0.iter().map(|word| bits(u64::from_le_bytes(*word)));
        words.fold(0, |any, bits| any | bits) == 0
    };
    let mut length = lines.iter().take_while(is_without).count().saturating_mul(32);
    let (words, rest) = bytes.get(length..).unwrap_or_default().as_chunks();
    for word in words {
        let bits = bits(u64::from_le_bytes(*word));
        if bits != 0 {
            return length.saturating_add(first_byte(bits));
        }
        length = length.saturating_add(WORD_BYTES);
    }
    length.saturating_add(rest.iter().take_while(|byte| !is_wanted(**byte)).count())
}

/// How many bytes two texts have in common at their beginnings.
#[must_use]
pub fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let mut length = 0_usize;
    for (x, y) in a.as_chunks().0.iter().zip(b.as_chunks().0) {
        let differences = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if differences != 0 {
            return length.saturating_add(first_byte(differences));
        }
        length = length.saturating_add(WORD_BYTES);
    }
    let [a, b] = [a, b].map(|text| text.get(length..).unwrap_or_default());
    length.saturating_add(a.iter().zip(b).take_while(|(a, b)| a == b).count())
}

/// The same at their ends.
#[must_use]
pub fn common_suffix(a: &[u8], b: &[u8]) -> usize {
    let mut length = 0_usize;
    for (x, y) in a.as_rchunks().1.iter().rev().zip(b.as_rchunks().1.iter().rev()) {
        let differences = u64::from_be_bytes(*x) ^ u64::from_be_bytes(*y);
        if differences != 0 {
            return length.saturating_add(first_byte(differences));
        }
        length = length.saturating_add(WORD_BYTES);
    }
    let [a, b] = [a, b].map(|text| text.iter().rev().skip(length));
    length.saturating_add(a.zip(b).take_while(|(a, b)| a == b).count())
}

/// Copies all of `from` to the beginning of `to`, or nothing if that is shorter. A few bytes, as a model's token has, are
/// copied in parts that overlap: a call of `memcpy` takes longer, and far longer in WebAssembly.
#[inline(always)]
pub fn copy(from: &[u8], to: &mut [u8]) {
    let Some(to) = to.get_mut(..from.len()) else { return };
    let len = from.len();
    match len {
        0 => {}
        1..4 => [0, len / 2, len.saturating_sub(1)].iter().for_each(|&at| copy_part::<1>(from, to, at)),
        4..8 => [0, len.saturating_sub(4)].iter().for_each(|&at| copy_part::<4>(from, to, at)),
        8..=16 => [0, len.saturating_sub(8)].iter().for_each(|&at| copy_part::<8>(from, to, at)),
        17..=32 => [0, len.saturating_sub(16)].iter().for_each(|&at| copy_part::<16>(from, to, at)),
        _ => to.copy_from_slice(from),
    }
}

#[inline(always)]
fn copy_part<const N: usize>(from: &[u8], to: &mut [u8], at: usize) {
    if let Some(from) = from.get(at..).and_then(<[u8]>::first_chunk::<N>)
        && let Some(to) = to.get_mut(at..).and_then(<[u8]>::first_chunk_mut)
    {
        *to = *from;
    }
}

/// The index of the byte with the lowest bit that is set; [`WORD_BYTES`] if none is.
#[inline(always)]
#[must_use]
pub fn first_byte(bits: u64) -> usize {
    (bits.trailing_zeros() / u8::BITS) as usize
}

/// Whether both are equal; for a few words. In WebAssembly `==` compares byte by byte, which is slower.
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
    use super::{
        ascii_run, common_prefix, common_suffix, copy, equal, find_either, first_byte, is_same, run,
    };
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
        fn all_is_copied_and_no_more(from in prop::collection::vec(any::<u8>(), 0..40), room in 0..60_usize) {
            let mut to = vec![7; room];
            copy(&from, &mut to);
            let copied = if from.len() <= room { &from[..] } else { &[] };
            prop_assert_eq!(&to[..copied.len()], copied);
            prop_assert!(to[copied.len()..].iter().all(|&byte| byte == 7));
        }

        #[test]
        fn runs_end_where_they_end(bytes in prop::collection::vec(prop::sample::select(vec![b' ', b'`', b'a', 0x80, 0xA0]), 0..40)) {
            let end = |is_end: fn(u8) -> bool| bytes.iter().position(|&byte| is_end(byte)).unwrap_or(bytes.len());
            prop_assert_eq!(find_either(&bytes, b'`', 0xA0), end(|byte| byte == b'`' || byte == 0xA0));
            prop_assert_eq!(run(&bytes, b' '), end(|byte| byte != b' '));
            prop_assert_eq!(ascii_run(&bytes), end(|byte| byte >= 0x80));
        }

        #[test]
        fn what_is_common(a in "[ab]{0,4}", same in "[ab]{0,40}", b in "[ab]{0,4}") {
            let common = |a: &mut dyn Iterator<Item = u8>, b: &mut dyn Iterator<Item = u8>| a.zip(b).take_while(|(a, b)| a == b).count();
            let (front, back) = ([same.clone() + &a, same.clone() + &b], [a + &same, b + &same]);
            prop_assert_eq!(common_prefix(front[0].as_bytes(), front[1].as_bytes()), common(&mut front[0].bytes(), &mut front[1].bytes()));
            prop_assert_eq!(common_suffix(back[0].as_bytes(), back[1].as_bytes()), common(&mut back[0].bytes().rev(), &mut back[1].bytes().rev()));
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
