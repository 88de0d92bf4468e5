use super::{Dispersion, of_mean, of_rate};
use crate::window::{Count, SHARDS, Total};
use proptest::prelude::*;

/// 32 shards of 100 requests each, with these numbers of events in turn.
fn shards(events: &[u64]) -> [Count; SHARDS] {
    std::array::from_fn(|shard| Count { n: 100, d: events[shard % events.len()] })
}

/// By hand: a rate of 10 %, deviations of ±3 requests, so Σ 9 / (100 · 0.1 · 0.9) = 32 over 31 degrees of freedom.
#[test]
fn as_by_hand() {
    let dispersion = of_rate(&shards(&[7, 13]));
    assert!((dispersion.estimate() - 32.0 / 31.0).abs() < 1e-12);
    // The 20 % quantile at 31 degrees of freedom is 24.26.
    assert!((dispersion.phi() - 32.0 / 24.26).abs() < 2e-3, "{}", dispersion.phi());
}

/// Kish's design effect: if each request stands for six alike, it is six times as large.
#[test]
fn six_turns_alike() {
    let single = of_rate(&shards(&[7, 13, 9, 11]));
    let alike = of_rate(&shards(&[7, 13, 9, 11]).map(|shard| Count { n: shard.n * 6, d: shard.d * 6 }));
    assert!((alike.estimate() / single.estimate() - 6.0).abs() < 1e-12);
}

#[test]
fn never_below_one_and_one_if_unknown() {
    assert_eq!(of_rate(&shards(&[10])).phi(), 1.0);
    assert_eq!(of_rate(&shards(&[0])).phi(), 1.0);
    assert_eq!(of_rate(&shards(&[100])).phi(), 1.0);
    assert_eq!(Dispersion::default().phi(), 1.0);
    assert_eq!(Dispersion::default().estimate(), 1.0);
    assert_eq!(of_mean(&[Total::default(); SHARDS], 0.0).phi(), 1.0);
}

/// Two sides have twice the degrees of freedom, and a bound that is closer.
#[test]
fn both_sides_are_pooled() {
    let one = of_rate(&shards(&[4, 16]));
    let two = one.and(one);
    assert!((two.estimate() - one.estimate()).abs() < 1e-12);
    assert!(two.phi() < one.phi());
}

/// By hand: means of 10 ± 1 over 25 requests, a variance of 25: Σ 25² / (25 · 25) = 32.
#[test]
fn of_means_by_hand() {
    let shards: [Total; SHARDS] =
        std::array::from_fn(|shard| Total { n: 25, sum: if shard % 2 == 0 { 225.0 } else { 275.0 } });
    let squares = 32.0 * 25.0 * (100.0 + 25.0);
    assert!((of_mean(&shards, squares).estimate() - 32.0 / 31.0).abs() < 1e-12);
}

proptest! {
    #[test]
    fn any_counts(counts in prop::collection::vec((any::<u64>(), any::<u64>(), any::<f64>()), SHARDS), squares: f64) {
        let rate = std::array::from_fn(|shard| Count { n: counts[shard].0, d: counts[shard].1 });
        let mean = std::array::from_fn(|shard| Total { n: counts[shard].0, sum: counts[shard].2 });
        for phi in [of_rate(&rate).phi(), of_mean(&mean, squares).phi()] {
            prop_assert!(phi >= 1.0 && phi.is_finite());
        }
    }
}
