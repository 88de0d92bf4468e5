//! The mappings of tools for feature flags: what they publish to test their own implementations, and what a ramp moves.
//!
//! `tests/data/flag_tools.json` has the facts of those tests in our own words: what is hashed, the shares of the versions in
//! order, of which the last gets the rest, and which of them each key gets. Left out are flags that
//! are switched off, ids that are missing or drawn, lists of users, and flagd's keys that are no texts: a key of a request
//! always is one.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a failure fails the test"
)]

use llm_canary::bucket::scheme::{FlagdSeed, Fractional, Scheme, UnleashDraw};
use llm_canary::bucket::{Murmur3, PARTS};
use llm_canary::config::{Config, Rollout, VERSIONS_MAX};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::num::NonZeroU32;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    source: String,
    hash: Value,
    percent: Vec<f64>,
    keys: BTreeMap<String, usize>,
}

/// The rollout with this hash and these shares; the baseline is the last version.
fn rollout(hash: &Value, percent: &[f64]) -> Result<Rollout, String> {
    let versions: Vec<Value> = (0..=percent.len())
        .map(|i| json!({"name": format!("v{i}"), "cluster": format!("llm-v{i}")}))
        .collect();
    let split: serde_json::Map<String, Value> =
        percent.iter().enumerate().map(|(i, percent)| (format!("v{i}"), json!(percent))).collect();
    let baseline = format!("v{}", percent.len());
    let rollout =
        json!({"name": "chat", "hash": hash, "baseline": baseline, "versions": versions, "split": split});
    let text = json!({"rollouts": [rollout]}).to_string();
    Config::parse(text.as_bytes()).map(|mut config| config.rollouts.remove(0)).map_err(|e| e.to_string())
}

#[test]
fn every_published_key_gets_the_version_that_the_tool_gives_it() {
    let all: Vec<Vectors> = serde_json::from_str(include_str!("../data/flag_tools.json")).unwrap();
    let mut checked = BTreeMap::<String, usize>::new();
    for Vectors { source, hash, percent, keys } in &all {
        // A flag may have more variants than a rollout has versions. Their cohorts follow each other on the line.
        let ends: Vec<u32> = percent
            .iter()
            .scan(0, |end, percent| {
                *end += (percent * 10_000.0).round() as u32;
                Some(*end)
            })
            .collect();
        let is_small = percent.len() < VERSIONS_MAX;
        let rollout = rollout(hash, if is_small { percent } else { &[] }).unwrap();
        for (key, expected) in keys {
            let bucket = rollout.scheme.bucket(key.as_bytes());
            let what = format!("{source}: {hash} {key}");
            assert_eq!(ends.partition_point(|end| *end <= bucket), *expected, "{what}");
            if is_small {
                assert_eq!(rollout.steps.split(0).version(bucket), *expected, "{what}");
            }
            let [scheme, fractional] = ["scheme", "fractional"].map(|name| hash[name].as_str());
            *checked.entry(format!("{} {}", scheme.unwrap(), fractional.unwrap_or("-"))).or_default() += 1;
        }
    }
    let expected = [("flagd v1", 15), ("flagd v2", 38), ("flagd v3", 35), ("unleash -", 36)];
    assert_eq!(checked.iter().map(|(name, n)| (name.as_str(), *n)).collect::<Vec<_>>(), expected);
}

/// Three variants of a weight of 33, which Unleash publishes as well. Shares in parts per million cannot say that exactly.
#[test]
fn weights_that_do_not_divide_the_line_agree_and_are_refused() {
    let draw = UnleashDraw::Variants(NonZeroU32::new(99).unwrap());
    let scheme = Scheme::Unleash { group_id: b"Feature.Variants.C".to_vec(), draw };
    for (key, variant) in [("232", 0), ("607", 1), ("656", 2)] {
        assert_eq!(scheme.bucket(key.as_bytes()) / (33 * scheme.finest_share()), variant, "{key}");
    }
    let refused = rollout(&json!({"scheme": "unleash", "group_id": "g", "weights": 99}), &[]).unwrap_err();
    assert!(refused.starts_with("rollouts[0].hash.weights: is 99, but must divide 1000000"), "{refused}");
}

fn hashes() -> [Value; 7] {
    [
        json!({"scheme": "unleash", "group_id": "chat-v2"}),
        json!({"scheme": "unleash", "group_id": "chat-v2", "weights": 1000}),
        json!({"scheme": "flagd", "flag_key": "chat-model", "fractional": "v1"}),
        json!({"scheme": "flagd", "flag_key": "chat-model"}),
        json!({"scheme": "flagd", "flag_key": "chat-model", "fractional": "v3"}),
        json!({"scheme": "flagd", "seed": "chat-model", "fractional": "v3"}),
        json!({"scheme": "flagd", "seed": ""}),
    ]
}

#[test]
fn one_percent_of_a_million_keys_is_one_percent() {
    for hash in hashes() {
        let rollout = rollout(&hash, &[1.0]).unwrap();
        let split = rollout.steps.split(0);
        let is_canary = |i: &u32| split.version(rollout.scheme.bucket(format!("user-{i}").as_bytes())) == 0;
        let percent = (0..1_000_000).filter(is_canary).count() as f64 / 10_000.0;
        assert!((percent - 1.0).abs() < 0.05, "{hash}: {percent} %");
    }
}

/// A ramp of whole percentages in both directions: each key that moves is one of those whose share changed, and their number
/// is the change.
#[test]
fn a_step_moves_the_keys_of_the_difference_and_no_others() {
    let keys: Vec<String> = (0..100_000).map(|i| format!("user-{i}")).collect();
    for hash in hashes() {
        for (before, after) in
            [(0.0, 1.0), (1.0, 5.0), (5.0, 25.0), (25.0, 100.0), (100.0, 50.0), (50.0, 0.0)]
        {
            let [old, new] = [before, after].map(|percent| rollout(&hash, &[percent]).unwrap());
            let (mut joined, mut left) = (0, 0);
            for key in &keys {
                let bucket = new.scheme.bucket(key.as_bytes());
                match (old.steps.split(0).version(bucket), new.steps.split(0).version(bucket)) {
                    (1, 0) => joined += 1,
                    (0, 1) => left += 1,
                    _ => {}
                }
            }
            assert!(if after > before { left == 0 } else { joined == 0 }, "{hash}: {before} to {after}");
            let moved = f64::from(joined + left) / keys.len() as f64 * 100.0;
            assert!(
                (moved - (after - before).abs()).abs() < 0.8,
                "{hash}: {before} to {after} moved {moved} %"
            );
        }
    }
}

#[test]
fn shares_that_the_tool_cannot_give_are_refused_with_the_nearest() {
    let refused = |hash: Value, percent: f64| rollout(&hash, &[percent]).err().unwrap_or_default();
    let gradual = || json!({"scheme": "unleash", "group_id": "g"});
    assert_eq!(
        refused(gradual(), 12.5),
        "rollouts[0].split.v0: is 12.5, but \"hash\" gives keys away by 1 percent; write 12 or 13"
    );
    assert_eq!(
        refused(json!({"scheme": "unleash", "group_id": "g", "weights": 1000}), 0.25),
        "rollouts[0].split.v0: is 0.25, but \"hash\" gives keys away by 0.1 percent; write 0.2 or 0.3"
    );
    assert_eq!(refused(gradual(), 12.0), "");
    assert_eq!(refused(json!({"scheme": "flagd", "flag_key": "f"}), 0.0001), "");
}

/// Whether flagd, as it is in Go, gives a hash to the first of two variants.
fn flagd_v1(hash: u32, percent: u32) -> bool {
    f64::from(hash.cast_signed()).abs() / f64::from(i32::MAX) * 100.0 < f64::from(percent)
}

fn flagd_v2(hash: u32, percent: u32) -> bool {
    (u64::from(hash) * 100) >> 32 < u64::from(percent)
}

proptest! {
    /// Any key and any whole percentage, by the tools' own formulas.
    #[test]
    fn a_cohort_is_that_of_the_tool(seed in "\\PC{0,300}", key: Vec<u8>, percent in 0..=100_u32) {
        let mut hash = Murmur3::new(0);
        hash.push(seed.as_bytes());
        let mut with_colon = hash.clone();
        hash.push(&key);
        with_colon.push(b":");
        with_colon.push(&key);
        let (hash, remainder) = (hash.finish(), with_colon.finish() % 100);
        let flagd = |fractional| Scheme::Flagd { seed: FlagdSeed::Text(seed.as_bytes().to_vec()), fractional };
        let unleash = Scheme::Unleash { group_id: seed.as_bytes().to_vec(), draw: UnleashDraw::Rollout };
        let cohort = percent * 10_000;
        prop_assert_eq!(flagd(Fractional::V1).bucket(&key) < cohort, flagd_v1(hash, percent));
        prop_assert_eq!(flagd(Fractional::V2).bucket(&key) < cohort, flagd_v2(hash, percent));
        prop_assert_eq!(unleash.bucket(&key) < cohort, percent > 0 && remainder < percent);
        prop_assert!(flagd(Fractional::V3).bucket(&key) < PARTS);
    }
}
