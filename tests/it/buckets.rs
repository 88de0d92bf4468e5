//! The mapping from key to bucket is frozen: an independent murmur3 has written `tests/data/buckets.csv`. The hash is also
//! compared with the crate `murmur3`, which the module does without.

#![expect(clippy::unwrap_used, reason = "a failure fails the test")]

use llm_canary::bucket::{Murmur3, bucket, shard};
use proptest::prelude::*;

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn every_key_has_the_bucket_of_an_independent_murmur3() {
    let csv = include_str!("../data/buckets.csv");
    let mut lengths_mod_4 = [0; 4];
    for line in csv.lines().skip(1) {
        let [salt, key, bucket_column, shard_column] = line.split(',').collect::<Vec<_>>()[..] else {
            panic!("four columns: {line}");
        };
        let (salt, key) = (bytes(salt), bytes(key));
        assert_eq!(bucket(&salt, &key).to_string(), bucket_column, "{line}");
        assert_eq!(shard(&key).to_string(), shard_column, "{line}");
        lengths_mod_4[(salt.len() + 1 + key.len()) % 4] += 1;
    }
    assert!(
        lengths_mod_4.iter().all(|&n| n > 100),
        "every length of a last block is covered: {lengths_mod_4:?}"
    );
}

proptest! {
    #[test]
    fn the_hash_is_that_of_the_crate_murmur3(bytes: Vec<u8>, seed: u32, size in 1..9_usize) {
        let mut hash = Murmur3::new(seed);
        bytes.chunks(size).for_each(|chunk| hash.push(chunk));
        prop_assert_eq!(hash.finish(), murmur3::murmur3_32(&mut bytes.as_slice(), seed).unwrap());
    }
}
