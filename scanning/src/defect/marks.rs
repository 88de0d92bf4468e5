//! Where in a block of text the bytes are that detectors look for. One pass with vectors finds all of them, so that most of the
//! text is not looked at again.

use crate::lanes::{LANES, Lanes};
use crate::word;

/// Bytes of a block, at most.
pub(super) const MARKED_BYTES: usize = 128;
const HALF_BYTES: usize = u64::BITS as usize;

/// A bit for each byte of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bits {
    low: u64,
    high: u64,
}

impl Bits {
    /// The first byte at `from` or behind it that is marked. [`MARKED_BYTES`] or more if none is.
    #[inline]
    pub(super) fn next(self, from: usize) -> usize {
        let shift = from as u32; // taken modulo the bits of a word
        if from >= HALF_BYTES {
            let rest = if from < MARKED_BYTES { self.high.wrapping_shr(shift) } else { 0 };
            return from.saturating_add(rest.trailing_zeros() as usize);
        }
        let rest = self.low.wrapping_shr(shift);
        let (start, rest) = if rest != 0 { (from, rest) } else { (HALF_BYTES, self.high) };
        start.saturating_add(rest.trailing_zeros() as usize)
    }
}

/// What there is in a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) line_ends: Bits,
    /// Line ends and backticks.
    pub(super) stops: Bits,
    pub(super) non_ascii: Bits,
    /// There is `<` or `[`.
    pub(super) has_bracket: bool,
}

impl Marks {
    /// The marks of at most [`MARKED_BYTES`].
    #[inline(never)]
    pub(super) fn of(bytes: &[u8]) -> Marks {
        let (low, high) = bytes.split_at_checked(HALF_BYTES).unwrap_or((bytes, &[]));
        let [low, high] = [low, high].map(|half| match half.first_chunk() {
            Some(half) => Half::of(half),
            None => {
                let mut padded = [0; HALF_BYTES];
                word::copy(half, &mut padded);
                Half::of(&padded)
            }
        });
        let bits = |low, high| Bits { low, high };
        Marks {
            line_ends: bits(low.line_ends, high.line_ends),
            stops: bits(low.stops, high.stops),
            non_ascii: bits(low.non_ascii, high.non_ascii),
            has_bracket: (low.brackets | high.brackets).bits() != 0,
        }
    }
}

/// As [`Marks`], of the bytes for which one word has the bits.
#[derive(Default)]
struct Half {
    line_ends: u64,
    stops: u64,
    non_ascii: u64,
    /// Of all chunks.
    brackets: Lanes,
}

impl Half {
    #[inline(always)]
    fn of(bytes: &[u8; HALF_BYTES]) -> Half {
        let mut half = Half::default();
        for (chunk, shift) in bytes.as_chunks::<LANES>().0.iter().zip((0..u64::BITS).step_by(LANES)) {
            let lanes = Lanes::of(chunk);
            let line_ends = lanes.equal(b'\n');
            half.line_ends |= u64::from(line_ends.bits()) << shift;
            half.stops |= u64::from((line_ends | lanes.equal(b'`')).bits()) << shift;
            half.non_ascii |= u64::from(lanes.bits()) << shift;
            half.brackets = half.brackets | lanes.equal(b'<') | lanes.equal(b'[');
        }
        half
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn all_are_marked(bytes in prop::collection::vec(prop::sample::select(b"ab\n`[<\x80\xFF".to_vec()), 0..=MARKED_BYTES), from in 0..MARKED_BYTES) {
            let marks = Marks::of(&bytes);
            let check = |bits: Bits, is_marked: &dyn Fn(u8) -> bool| {
                let next = (from..bytes.len()).find(|&at| is_marked(bytes[at]));
                match next {
                    Some(at) => assert_eq!(bits.next(from), at),
                    None => assert!(bits.next(from) >= MARKED_BYTES),
                }
            };
            check(marks.line_ends, &|byte| byte == b'\n');
            check(marks.stops, &|byte| byte == b'\n' || byte == b'`');
            check(marks.non_ascii, &|byte| byte >= 0x80);
            prop_assert_eq!(marks.has_bracket, bytes.iter().any(|byte| b"<[".contains(byte)));
        }
    }
}
