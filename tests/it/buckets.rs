//! The mapping from key to bucket is frozen: `tests/data/buckets.csv` was written by another murmur3.

#![expect(clippy::unwrap_used, reason = "a failure fails the test")]

use llm_canary::bucket::{bucket, shard};

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn every_key_is_where_an_independent_murmur3_puts_it() {
    let csv = include_str!("../data/buckets.csv");
    let mut lengths_mod_4 = [0; 4];
    for line in csv.lines().skip(1) {
        let [salt, key, place, counted_in] = line.split(',').collect::<Vec<_>>()[..] else {
            panic!("four columns: {line}");
        };
        let (salt, key) = (bytes(salt), bytes(key));
        assert_eq!(bucket(&salt, &key).to_string(), place, "{line}");
        assert_eq!(shard(&key).to_string(), counted_in, "{line}");
        lengths_mod_4[(salt.len() + 1 + key.len()) % 4] += 1;
    }
    assert!(lengths_mod_4.iter().all(|&n| n > 100), "every kind of tail is covered: {lengths_mod_4:?}");
}
