//! By which mapping a key gets its bucket: this project's own, or the one of a tool for feature flags.
//!
//! In: a key. Out: its bucket. A tool's mapping is laid onto the line so that the lowest buckets are those that the tool
//! gives away first. Then a share of 10 % takes exactly the keys that 10 % take there. `tests/data/flag_tools.json` has
//! what the tools publish to test their own implementations.

use super::{Murmur3, PARTS, bucket, murmur3_x86_32, scale};
use alloc::vec::Vec;
use core::num::NonZeroU32;

/// A mapping from keys to buckets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// That of [`bucket`].
    Own {
        /// Hashed together with the key.
        salt: Vec<u8>,
    },
    /// Unleash's: a remainder of `murmur3_x86_32(group_id ":" key)`.
    Unleash {
        /// The flag's group.
        group_id: Vec<u8>,
        /// What draws there.
        draw: UnleashDraw,
    },
    /// That of flagd's operation `fractional`.
    Flagd {
        /// Hashed together with the key.
        seed: FlagdSeed,
        /// Which of its versions.
        fractional: Fractional,
    },
}

/// What draws in Unleash. Each kind hashes with a seed of its own, so they are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnleashDraw {
    /// A gradual rollout, in whole percent.
    Rollout,
    /// The variants of a flag, whose weights have this sum.
    Variants(NonZeroU32),
}

/// What flagd hashes together with the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlagdSeed {
    /// The key of a flag whose `fractional` has no expression for the bucketing value. The key is the targeting key.
    FlagKey(Vec<u8>),
    /// What such an expression puts before the key; it may be empty.
    Text(Vec<u8>),
}

/// The version of flagd's `fractional`, as its published tests number them. Each gives all keys other buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fractional {
    /// The absolute value of the hash as a signed number, as a share of the largest.
    V1,
    /// The hash as a share of 2^32. All that this project's own mapping differs by is what is hashed.
    V2,
    /// Like the second, of the CBOR encoding of the value.
    V3,
}

/// The values of a gradual rollout.
const PERCENT: NonZeroU32 = NonZeroU32::new(100).unwrap();
/// Unleash's own seeds.
const ROLLOUT_SEED: u32 = 0;
const VARIANTS_SEED: u32 = 86_028_157;
/// flagd's seed.
const FRACTIONAL_SEED: u32 = 0;
/// The head of an array of two items in CBOR.
const CBOR_PAIR: u8 = 0x82;

impl Scheme {
    /// The bucket of a key: `0..PARTS`.
    #[must_use]
    pub fn bucket(&self, key: &[u8]) -> u32 {
        match self {
            Self::Own { salt } => bucket(salt, key),
            Self::Unleash { group_id, draw } => {
                let value = draw.value(murmur3_x86_32(draw.seed(), &[group_id, b":", key]));
                value.saturating_mul(self.finest_share())
            }
            Self::Flagd { seed, fractional } => {
                let hash = match fractional {
                    Fractional::V1 | Fractional::V2 => {
                        let (FlagdSeed::FlagKey(seed) | FlagdSeed::Text(seed)) = seed;
                        murmur3_x86_32(FRACTIONAL_SEED, &[seed, key])
                    }
                    Fractional::V3 => cbor_hash(seed, key),
                };
                if *fractional == Fractional::V1 { scale_absolute(hash) } else { scale(hash) }
            }
        }
    }

    /// The smallest share that can be given away, in parts per million. Every share is a multiple of it.
    #[must_use]
    pub fn finest_share(&self) -> u32 {
        match self {
            Self::Own { .. } | Self::Flagd { .. } => 1,
            Self::Unleash { draw, .. } => PARTS / draw.values(),
        }
    }
}

impl UnleashDraw {
    /// How many values there are.
    #[must_use]
    pub fn values(self) -> NonZeroU32 {
        match self {
            Self::Rollout => PERCENT,
            Self::Variants(weights) => weights,
        }
    }

    fn seed(self) -> u32 {
        match self {
            Self::Rollout => ROLLOUT_SEED,
            Self::Variants(_) => VARIANTS_SEED,
        }
    }

    /// The value of a hash, from 0. Unleash counts from 1, and gives away those up to a percentage.
    fn value(self, hash: u32) -> u32 {
        hash % self.values()
    }
}

/// Maps a hash to `0..PARTS` by its absolute value as a signed number.
#[expect(clippy::arithmetic_side_effects, reason = "2^31 * 1,000,000 is below 2^64")]
fn scale_absolute(hash: u32) -> u32 {
    const LARGEST: u64 = i32::MAX.unsigned_abs() as u64;
    let share = u64::from(hash.cast_signed().unsigned_abs()) * u64::from(PARTS) / LARGEST;
    // One hash is past the largest signed number: flagd gives it to no variant, here it has the last bucket.
    u32::try_from(share).unwrap_or(PARTS).min(PARTS - 1)
}

/// The hash of what flagd encodes: a pair of the flag's key and the targeting key, or one text.
fn cbor_hash(seed: &FlagdSeed, key: &[u8]) -> u32 {
    let mut hash = Murmur3::new(FRACTIONAL_SEED);
    match seed {
        FlagdSeed::FlagKey(flag_key) => {
            hash.push(&[CBOR_PAIR]);
            push_cbor_text(&mut hash, &[flag_key]);
            push_cbor_text(&mut hash, &[key]);
        }
        FlagdSeed::Text(text) => push_cbor_text(&mut hash, &[text, key]),
    }
    hash.finish()
}

/// Hashes the CBOR encoding of a text (RFC 8949, section 3): its length in as few bytes as possible, then its bytes.
fn push_cbor_text(hash: &mut Murmur3, parts: &[&[u8]]) {
    /// The major type of texts, with the short lengths in the same byte; the others follow one of the last three.
    const TEXT: u8 = 0x60;
    let length = parts.iter().fold(0_u32, |sum, part| {
        // Keys come in headers and in parts of bodies that are read, both far below 4 GiB.
        sum.saturating_add(u32::try_from(part.len()).unwrap_or(u32::MAX))
    });
    let [a, b, c, d] = length.to_be_bytes();
    match length {
        0..24 => hash.push(&[TEXT | d]),
        24..0x100 => hash.push(&[TEXT | 24, d]),
        0x100..0x1_0000 => hash.push(&[TEXT | 25, c, d]),
        0x1_0000.. => hash.push(&[TEXT | 26, a, b, c, d]),
    }
    parts.iter().for_each(|part| hash.push(part));
}
