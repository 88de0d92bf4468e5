//! Compares sixteen bytes at a time.
//!
//! The module is linked for size, and then the compiler makes no vectors of loops. So the instructions are named here. Only in
//! WebAssembly they are safe to call; for other machines a library does it.

use crate::word;

/// Bytes in [`Lanes`].
pub const LANES: usize = 16;

/// Sixteen bytes, or for each of them all bits or none.
#[derive(Clone, Copy)]
pub struct Lanes(machine::Vector);

impl Default for Lanes {
    fn default() -> Lanes {
        Lanes::of(&[0; LANES])
    }
}

impl Lanes {
    /// These bytes.
    #[inline(always)]
    #[must_use]
    pub fn of(bytes: &[u8; LANES]) -> Lanes {
        Lanes(machine::vector(*bytes))
    }

    /// Which bytes are this one.
    #[inline(always)]
    #[must_use]
    pub fn equal(self, byte: u8) -> Lanes {
        Lanes(machine::equal(self.0, byte))
    }

    /// Which bytes are the same as in the other.
    #[inline(always)]
    fn same(self, other: Lanes) -> Lanes {
        Lanes(machine::same(self.0, other.0))
    }

    /// A bit for each byte whose highest bit is set, the first byte's the lowest.
    #[inline(always)]
    #[must_use]
    pub fn bits(self) -> u16 {
        machine::bits(self.0)
    }
}

impl core::ops::BitAnd for Lanes {
    type Output = Lanes;
    #[inline(always)]
    fn bitand(self, other: Lanes) -> Lanes {
        Lanes(machine::and(self.0, other.0))
    }
}

impl core::ops::BitOr for Lanes {
    type Output = Lanes;
    #[inline(always)]
    fn bitor(self, other: Lanes) -> Lanes {
        Lanes(machine::or(self.0, other.0))
    }
}

/// Whether there is a place at which each of these windows has its byte. `PLACES` is a multiple of [`LANES`].
#[inline]
#[must_use]
pub fn has_all<const PLACES: usize>(windows: [(&[u8; PLACES], u8); 3]) -> bool {
    // Natively the compiler makes vectors of a loop over bytes.
    if cfg!(target_family = "wasm") { has_all_by_lanes(windows) } else { has_all_by_bytes(windows) }
}

#[inline(always)]
fn has_all_by_lanes<const PLACES: usize>(windows: [(&[u8; PLACES], u8); 3]) -> bool {
    let [(a, x), (b, y), (c, z)] = windows.map(|(window, byte)| (window.as_chunks().0, byte));
    let mut found = Lanes::default();
    for ((a, b), c) in a.iter().zip(b).zip(c) {
        found = found | Lanes::of(a).equal(x) & Lanes::of(b).equal(y) & Lanes::of(c).equal(z);
    }
    found.bits() != 0
}

#[inline(always)]
fn has_all_by_bytes<const PLACES: usize>(windows: [(&[u8; PLACES], u8); 3]) -> bool {
    let [(a, x), (b, y), (c, z)] = windows;
    let places = a.iter().zip(b).zip(c);
    places.fold(0, |any, ((a, b), c)| any | u8::from((*a == x) & (*b == y) & (*c == z))) != 0
}

/// A call, so that what is above it stays small.
#[inline(never)]
fn are_few_same(a: &[u8], b: &[u8]) -> bool {
    word::is_same(a, b)
}

/// Whether both are equal; for more than a few words.
#[inline(always)]
#[must_use]
pub fn are_same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    // The last chunk may overlap the one before it.
    match (a.last_chunk(), b.last_chunk()) {
        (Some(last_a), Some(last_b)) => {
            let chunks = a.as_chunks().0.iter().zip(b.as_chunks().0);
            let same = |a: &[u8; LANES], b: &[u8; LANES]| Lanes::of(a).same(Lanes::of(b));
            chunks.fold(same(last_a, last_b), |all, (a, b)| all & same(a, b)).bits() == u16::MAX
        }
        _ => are_few_same(a, b),
    }
}

#[cfg(target_family = "wasm")]
mod machine {
    use super::LANES;
    use core::arch::wasm32::{i8x16_bitmask, i8x16_eq, i8x16_splat, i64x2, v128, v128_and, v128_or};

    pub(super) type Vector = v128;

    #[inline(always)]
    pub(super) fn vector(bytes: [u8; LANES]) -> Vector {
        let bits = u128::from_le_bytes(bytes);
        i64x2(bits as i64, (bits >> 64) as i64)
    }

    #[inline(always)]
    pub(super) fn equal(vector: Vector, byte: u8) -> Vector {
        i8x16_eq(vector, i8x16_splat(byte as i8))
    }

    #[inline(always)]
    pub(super) fn same(a: Vector, b: Vector) -> Vector {
        i8x16_eq(a, b)
    }

    #[inline(always)]
    pub(super) fn and(a: Vector, b: Vector) -> Vector {
        v128_and(a, b)
    }

    #[inline(always)]
    pub(super) fn or(a: Vector, b: Vector) -> Vector {
        v128_or(a, b)
    }

    #[inline(always)]
    pub(super) fn bits(vector: Vector) -> u16 {
        i8x16_bitmask(vector)
    }
}

#[cfg(not(target_family = "wasm"))]
mod machine {
    use super::LANES;
    use wide::u8x16;

    pub(super) type Vector = u8x16;

    #[inline(always)]
    pub(super) fn vector(bytes: [u8; LANES]) -> Vector {
        u8x16::new(bytes)
    }

    #[inline(always)]
    pub(super) fn equal(vector: Vector, byte: u8) -> Vector {
        vector.simd_eq(u8x16::splat(byte))
    }

    #[inline(always)]
    pub(super) fn same(a: Vector, b: Vector) -> Vector {
        a.simd_eq(b)
    }

    #[inline(always)]
    pub(super) fn and(a: Vector, b: Vector) -> Vector {
        a & b
    }

    #[inline(always)]
    pub(super) fn or(a: Vector, b: Vector) -> Vector {
        a | b
    }

    #[inline(always)]
    pub(super) fn bits(vector: Vector) -> u16 {
        vector.to_bitmask() as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_same_is_the_same(a in prop::collection::vec(any::<u8>(), 0..100), at: prop::sample::Index, byte: u8) {
            let mut b = a.clone();
            prop_assert!(are_same(&a, &b));
            if !b.is_empty() {
                let at = at.index(b.len());
                b[at] = byte;
                prop_assert_eq!(are_same(&a, &b), a == b);
                prop_assert!(!are_same(&a, &a[1..]));
            }
        }

        #[test]
        fn each_byte_is_compared(bytes: [u8; LANES], at in 0..LANES, byte: u8, other: u8) {
            let mut bytes = bytes;
            bytes[at] = byte;
            let mask = |is_set: &dyn Fn(u8) -> bool| {
                bytes.iter().enumerate().fold(0, |mask, (at, &byte)| mask | u16::from(is_set(byte)) << at)
            };
            let lanes = Lanes::of(&bytes);
            prop_assert_eq!(lanes.bits(), mask(&|byte| byte >= 0x80));
            prop_assert_eq!(lanes.equal(byte).bits(), mask(&|found| found == byte));
            let (a, b) = (lanes.equal(byte), lanes.equal(other));
            prop_assert_eq!((a | b).bits(), mask(&|found| found == byte || found == other));
            prop_assert_eq!((a & (a | b)).bits(), a.bits());
        }

        #[test]
        fn all_windows_have_their_bytes(text in prop::collection::vec(b'a'..b'f', 68..=68), bytes in [b'a'..b'g', b'a'..b'g', b'a'..b'g']) {
            let [a, b, c] = bytes;
            let window = |at: usize| text[at..].first_chunk::<48>().unwrap();
            let windows = [(window(0), a), (window(9), b), (window(20), c)];
            let expected = (0..48).any(|at| windows.iter().all(|(window, byte)| window[at] == *byte));
            prop_assert_eq!(has_all_by_lanes(windows), expected);
            prop_assert_eq!(has_all_by_bytes(windows), expected);
        }
    }
}
