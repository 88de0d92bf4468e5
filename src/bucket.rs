//! A key's bucket: its place on the line `0..1_000_000`.
//!
//! In: bytes. Out: a bucket, a shard, or a hash. It knows nothing of versions.
//!
//! ```text
//! h      = murmur3_x86_32(salt ":" key, seed 0)
//! bucket = (h as u64 * 1_000_000) >> 32
//! ```
//!
//! Conversations keep their versions only as long as this mapping stays. `tests/data/buckets.csv`, computed by an
//! independent murmur3, freezes it. Other mappings have names of their own: [`scheme`].

pub mod scheme;

/// Length of the line: buckets are parts per million.
pub const PARTS: u32 = 1_000_000;
/// Groups of keys whose requests are counted apart, so that the variance of a sum can be estimated.
pub const SHARDS: u32 = 32;

/// Each use has a seed of its own, because the results must be independent: if shards depended on buckets, each
/// shard of a 10 % canary would hold another share of it.
const BUCKET_SEED: u32 = 0;
const SHARD_SEED: u32 = 2;
const TOKEN_SEED: u32 = 3;
const CREDENTIAL_SEED: u32 = 4;
const HASH_SEED: u32 = 5;

/// The bucket of a key: `0..PARTS`.
#[must_use]
pub fn bucket(salt: &[u8], key: &[u8]) -> u32 {
    scale(murmur3_x86_32(BUCKET_SEED, &[salt, b":", key]))
}

/// Maps 32 random bits evenly to `0..PARTS`.
#[must_use]
pub fn scale(hash: u32) -> u32 {
    scale_to(PARTS, hash)
}

/// Maps 32 random bits evenly to `0..parts`, without the bias of a remainder.
#[expect(clippy::arithmetic_side_effects, reason = "2^32 * 2^32 - 1 is below 2^64")]
fn scale_to(parts: u32, hash: u32) -> u32 {
    // Below `parts`, so the cast loses nothing.
    ((u64::from(hash) * u64::from(parts)) >> 32) as u32
}

/// The shard in which a key's requests are counted: `0..SHARDS`. It does not depend on the salt, so a key stays in
/// its shard when a rollout gets another salt.
#[must_use]
pub fn shard(key: &[u8]) -> u32 {
    scale_to(SHARDS, murmur3_x86_32(SHARD_SEED, &[key]))
}

/// The token that stands for a version of a rollout in pins. Names contain no NUL byte, so it separates the two.
#[must_use]
pub fn token(rollout: &[u8], version: &[u8]) -> u32 {
    murmur3_x86_32(TOKEN_SEED, &[rollout, b"\0", version])
}

/// A hash of any bytes.
#[must_use]
pub fn hash(bytes: &[u8]) -> u32 {
    murmur3_x86_32(HASH_SEED, &[bytes])
}

/// The hash that stands for a caller's credential in a key, so that no key contains the credential.
#[must_use]
pub fn credential(credential: &[u8]) -> u32 {
    murmur3_x86_32(CREDENTIAL_SEED, &[credential])
}

/// MurmurHash3_x86_32 of the concatenated parts.
fn murmur3_x86_32(seed: u32, parts: &[&[u8]]) -> u32 {
    let mut hash = Murmur3::new(seed);
    parts.iter().for_each(|part| hash.push(part));
    hash.finish()
}

/// MurmurHash3_x86_32 (Austin Appleby, public domain) of bytes that arrive in chunks.
#[derive(Clone)]
pub struct Murmur3 {
    hash: u32,
    /// Up to three bytes that do not fill a block yet, little endian.
    block: u32,
    length: u32,
}

impl Murmur3 {
    /// The state before the first byte.
    #[must_use]
    pub fn new(seed: u32) -> Murmur3 {
        Murmur3 { hash: seed, block: 0, length: 0 }
    }

    /// Hashes the next chunk. How bytes are divided into chunks does not change the result.
    pub fn push(&mut self, bytes: &[u8]) {
        let missing = self.length.wrapping_neg() % 4;
        let (head, rest) = bytes.split_at(bytes.len().min(missing as usize));
        let (blocks, tail) = rest.as_chunks::<4>();
        self.push_bytes(head);
        for &block in blocks {
            self.block = u32::from_le_bytes(block);
            self.length = self.length.wrapping_add(4);
            self.mix();
        }
        self.push_bytes(tail);
    }

    #[expect(clippy::arithmetic_side_effects, reason = "8 * (n % 4) is at most 24")]
    fn push_bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.block |= u32::from(byte) << (8 * (self.length % 4));
            self.length = self.length.wrapping_add(1);
            if self.length.is_multiple_of(4) {
                self.mix();
            }
        }
    }

    /// Mixes a full block into the hash.
    fn mix(&mut self) {
        let mixed = (self.hash ^ scramble(self.block)).rotate_left(13);
        self.hash = mixed.wrapping_mul(5).wrapping_add(0xe654_6b64);
        self.block = 0;
    }

    /// The hash of all bytes so far.
    #[must_use]
    pub fn finish(&self) -> u32 {
        // An empty block scrambles to 0, so it needs no case of its own.
        let mut hash = self.hash ^ scramble(self.block);
        hash ^= self.length;
        hash ^= hash >> 16;
        hash = hash.wrapping_mul(0x85eb_ca6b);
        hash ^= hash >> 13;
        hash = hash.wrapping_mul(0xc2b2_ae35);
        hash ^ (hash >> 16)
    }
}

fn scramble(block: u32) -> u32 {
    block.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593)
}

#[cfg(test)]
mod tests {
    use super::{PARTS, SHARDS, bucket, murmur3_x86_32, scale, shard, token};
    use proptest::prelude::*;

    /// From the reference implementation's own verification; `buckets.csv` has many more.
    #[test]
    fn known_hashes() {
        assert_eq!(murmur3_x86_32(0, &[]), 0);
        assert_eq!(murmur3_x86_32(1, &[]), 0x514e_28b7);
        assert_eq!(murmur3_x86_32(0, &[b"test"]), 0xba6b_d213);
        assert_eq!(murmur3_x86_32(0x9747_b28c, &[b"Hello, world!"]), 0x2488_4cba);
    }

    /// Computed by an independent murmur3: clients keep their pins over releases.
    #[test]
    fn known_tokens() {
        assert_eq!(token(b"chat", b"v1"), 0xd7bb_a268);
        assert_eq!(token(b"chat", b"v2"), 0x99a9_f206);
        assert_eq!(token(b"", b""), 0x30f4_c306);
    }

    #[test]
    fn the_ends_of_the_line() {
        assert_eq!(scale(0), 0);
        assert_eq!(scale(u32::MAX), PARTS - 1);
        assert_eq!(scale(1 << 31), PARTS / 2);
    }

    /// A tenth of the line holds a tenth of the keys, and each shard a thirty-second of that tenth.
    #[test]
    fn buckets_and_shards_are_even_and_independent() {
        let keys: Vec<String> = (0..320_000).map(|i| format!("conversation-{i}")).collect();
        let mut counts = [0_u32; SHARDS as usize];
        for key in keys.iter().filter(|key| bucket(b"chat", key.as_bytes()) < PARTS / 10) {
            counts[shard(key.as_bytes()) as usize] += 1;
        }
        // 1000 expected in each, standard deviation 31.5.
        assert!(counts.iter().all(|&n| (850..1150).contains(&n)), "{counts:?}");
    }

    proptest! {
        #[test]
        fn chunks_do_not_change_the_hash(bytes in prop::collection::vec(any::<u8>(), 0..70), cut in 0..70_usize) {
            let (a, b) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(murmur3_x86_32(7, &[a, b]), murmur3_x86_32(7, &[&bytes]));
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(murmur3_x86_32(7, &single), murmur3_x86_32(7, &[&bytes]));
        }

        #[test]
        fn every_bucket_is_on_the_line(salt in any::<Vec<u8>>(), key in any::<Vec<u8>>(), hash in any::<u32>()) {
            prop_assert!(bucket(&salt, &key) < PARTS);
            prop_assert!(shard(&key) < SHARDS);
            prop_assert_eq!(u64::from(scale(hash)), u64::from(hash) * 1_000_000 / (1 << 32));
        }
    }
}
