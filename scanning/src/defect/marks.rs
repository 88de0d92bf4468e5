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
        let not_before =
            |at: usize| u64::MAX.checked_shl(u32::try_from(at).unwrap_or(u32::MAX)).unwrap_or_default();
        let low = self.low & not_before(from);
        if low != 0 {
            return low.trailing_zeros() as usize;
        }
        let high = self.high & not_before(from.saturating_sub(HALF_BYTES));
        HALF_BYTES.saturating_add(high.trailing_zeros() as usize)
    }
}

/// What there is in a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) line_ends: Bits,
    pub(super) backticks: Bits,
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
            backticks: bits(low.backticks, high.backticks),
            non_ascii: bits(low.non_ascii, high.non_ascii),
            has_bracket: low.brackets | high.brackets != 0,
        }
    }
}

/// As [`Marks`], of the bytes for which one word has the bits.
#[derive(Default)]
struct Half {
    line_ends: u64,
    backticks: u64,
    non_ascii: u64,
    /// The bits of several bytes may be in one.
    brackets: u16,
}

impl Half {
    #[inline(always)]
    fn of(bytes: &[u8; HALF_BYTES]) -> Half {
        let mut half = Half::default();
        for (chunk, shift) in bytes.as_chunks::<LANES>().0.iter().zip((0..u64::BITS).step_by(LANES)) {
            let lanes = Lanes::of(chunk);
            half.line_ends |= u64::from(lanes.equal(b'\n').bits()) << shift;
            half.backticks |= u64::from(lanes.equal(b'`').bits()) << shift;
            half.non_ascii |= u64::from(lanes.bits()) << shift;
            half.brackets |= (lanes.equal(b'<') | lanes.equal(b'[')).bits();
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
            check(marks.backticks, &|byte| byte == b'`');
            check(marks.non_ascii, &|byte| byte >= 0x80);
            prop_assert_eq!(marks.has_bracket, bytes.iter().any(|byte| b"<[".contains(byte)));
        }
    }
}
