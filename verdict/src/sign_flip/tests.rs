use super::{DIFFERENCES_MAX, SIZE_MAX, ln_bound, ln_p, within_limits};
use proptest::prelude::*;

/// `p` by trying all signs.
fn by_enumeration(differences: &[i64]) -> f64 {
    let observed: i64 = differences.iter().sum();
    let n = differences.len();
    let reached = (0_u64..1 << n).filter(|signs| {
        let sum: i64 = differences
            .iter()
            .enumerate()
            .map(|(i, d)| if signs >> i & 1 == 1 { -d.abs() } else { d.abs() })
            .sum();
        sum >= observed
    });
    reached.count() as f64 / (1_u64 << n) as f64
}

fn near(found: f64, wanted: f64) {
    assert!((found - wanted).abs() <= 1e-9 * wanted.abs().max(1e-3), "{found} is not {wanted}");
}

#[test]
fn by_hand() {
    near(ln_p(&[]), 0.0);
    near(ln_p(&[0, 0, 0]), 0.0);
    near(ln_p(&[-1]), 0.0);
    near(ln_p(&[1]).exp(), 0.5);
    near(ln_p(&[1; 7]).exp(), 1.0 / 128.0);
    // 8 worse and 1 better of 9: one subset of no and nine of one.
    near(ln_p(&[1, 1, 1, 1, 1, 1, 1, 1, -1]).exp(), 10.0 / 512.0);
    near(ln_p(&[1, -1]).exp(), 0.75);
    near(ln_p(&[3, -1]).exp(), 0.5);
    near(ln_p(&[3, 3, -1]).exp(), 0.25);
}

#[test]
fn far_tails_have_all_their_digits() {
    near(ln_p(&[1; 10_000]), -10_000.0 * 2.0_f64.ln());
    // One better of 3,000: 3,001 subsets.
    let mut differences = vec![7; 3_000];
    differences[5] = -7;
    near(ln_p(&differences), 3_001.0_f64.ln() - 3_000.0 * 2.0_f64.ln());
    // 30 of 3,000: the terms C(3000, k) up to 30.
    differences.iter_mut().take(30).for_each(|difference| *difference = -7);
    let choose = |k: u32| (0..k).map(|j| (f64::from(3_000 - j) / f64::from(j + 1)).ln()).sum::<f64>();
    let wanted = (0..=30).map(|k| (choose(k) - choose(30)).exp()).sum::<f64>().ln() + choose(30);
    near(ln_p(&differences), wanted - 3_000.0 * 2.0_f64.ln());
}

#[test]
fn limits() {
    assert!(ln_p(&[i64::MIN, i64::MAX, i64::MIN, 5]).is_finite());
    near(ln_p(&[i64::MAX; 7]).exp(), 1.0 / 128.0);
    // Rounding changes signs with the differences.
    let large: Vec<i64> =
        (1..=2_000).map(|i| i * (SIZE_MAX / 4_001) * if i % 3 == 0 { -1 } else { 1 }).collect();
    let mirrored: Vec<i64> = within_limits(large.clone()).iter().map(|d| -d).collect();
    assert_eq!(within_limits(large.iter().map(|d| -d).collect()), mirrored);
    assert!(ln_p(&large) < -50.0);
    let many = vec![1; DIFFERENCES_MAX + 1];
    near(ln_p(&many), -(DIFFERENCES_MAX as f64 + 1.0) * 2.0_f64.ln());
    let halves: Vec<i64> = (0..DIFFERENCES_MAX as i64 + 2).map(|i| if i % 2 == 0 { 1 } else { -1 }).collect();
    near(ln_p(&halves), 0.0);
}

/// 10,000 prompts, each asked a hundred times, all noisy: near the normal approximation, and quick.
#[test]
fn ten_thousand_prompts_of_a_hundred_rounds() {
    let differences: Vec<i64> = (0..10_000_i64).map(|i| (i * 7919) % 29 - 13).collect();
    let (sum, squares) = differences.iter().fold((0, 0), |(sum, squares), d| (sum + d, squares + d * d));
    let z = (sum as f64 - 0.5) / (squares as f64).sqrt();
    let normal = crate::math::ln_normal(-z);
    assert!((ln_p(&differences) - normal).abs() < 0.05 * normal.abs(), "{} {normal}", ln_p(&differences));
}

proptest! {
    #[test]
    fn equals_enumeration(differences in prop::collection::vec(-30_i64..=30, 0..14)) {
        near(ln_p(&differences).exp(), by_enumeration(&differences));
    }

    /// Sizes that have nothing in common, of very different orders.
    #[test]
    fn equals_enumeration_of_any_sizes(
        differences in prop::collection::vec((0..40_000_i64, 0..4_u32, any::<bool>()), 0..12)
    ) {
        let differences: Vec<i64> = differences
            .iter()
            .map(|(size, scale, sign)| size / 10_i64.pow(*scale) * if *sign { 1 } else { -1 })
            .collect();
        near(ln_p(&differences).exp(), by_enumeration(&differences));
    }

    #[test]
    fn the_bound_is_never_below(differences in prop::collection::vec(-30_i64..=30, 1..14)) {
        prop_assert!(ln_bound(&differences) >= ln_p(&differences) - 1e-9);
    }

    #[test]
    fn order_and_units_do_not_matter(mut differences in prop::collection::vec(-9_i64..=9, 0..60), unit in 1_i64..50) {
        let before = ln_p(&differences);
        differences.reverse();
        differences.iter_mut().for_each(|difference| *difference *= unit);
        near(ln_p(&differences), before);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn any_numbers(differences in prop::collection::vec(any::<i64>(), 0..40)) {
        let p = ln_p(&differences);
        prop_assert!((-40.0..=0.0).contains(&p));
    }
}
