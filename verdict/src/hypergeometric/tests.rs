use super::Likelihood;
use crate::window::{Count, Pair};
use proptest::prelude::*;

fn table(d_version: u64, d_baseline: u64, n_version: u64, n_baseline: u64) -> Pair<Count> {
    Pair { version: Count { n: n_version, d: d_version }, baseline: Count { n: n_baseline, d: d_baseline } }
}

/// `ln (w^d G(1) / G(w))`.
fn ln_factor(table: &Pair<Count>, ln_odds: f64) -> f64 {
    let mut likelihood = Likelihood::new(table).unwrap();
    likelihood.ln(ln_odds) - likelihood.ln(0.0)
}

fn near(found: f64, wanted: f64, within: f64) {
    assert!((found - wanted).abs() <= within * wanted.abs().max(1.0), "{found} is not {wanted}");
}

fn choose(n: u64, k: u64) -> u128 {
    (0..k.min(n)).fold(1, |product, i| product * u128::from(n - i) / u128::from(i + 1))
}

#[test]
fn the_check_value_of_the_method() {
    near(ln_factor(&table(30, 90, 1000, 9000), 1.0), 11.109416, 1e-7);
}

/// Fisher's tea: 4 of 4 cups told apart. G(w) = 1 + 16w + 36w² + 16w³ + w⁴.
#[test]
fn the_lady_tasting_tea() {
    for odds in [0.25_f64, 1.0, 3.0, 1e6] {
        let sum = 1.0 + 16.0 * odds + 36.0 * odds.powi(2) + 16.0 * odds.powi(3) + odds.powi(4);
        near(ln_factor(&table(4, 0, 4, 4), odds.ln()), (odds.powi(4) * 70.0 / sum).ln(), 1e-14);
    }
}

/// Every table up to 12 requests against sums in whole numbers, at odds of 3, 1/2 and the like.
#[test]
fn small_tables_are_exact() {
    for (n_version, n_baseline) in [(1_u64, 1_u64), (1, 9), (3, 8), (6, 6), (12, 2)] {
        for events in 0..=n_version + n_baseline {
            let (low, high) = (events.saturating_sub(n_baseline), events.min(n_version));
            for d in low..=high {
                let table = table(d, events - d, n_version, n_baseline);
                let Some(mut likelihood) = Likelihood::new(&table) else {
                    assert_eq!(low, high);
                    continue;
                };
                for (a, b) in [(3_u128, 1_u128), (1, 2), (7, 5), (1, 1)] {
                    // Σ C C a^d b^(m-d), so that all is whole.
                    let weight = |d: u64| a.pow(d as u32) * b.pow((events - d) as u32);
                    let ways = |d: u64| choose(n_version, d) * choose(n_baseline, events - d);
                    let all: u128 = (low..=high).map(|d| ways(d) * weight(d)).sum();
                    let equal: u128 = (low..=high).map(ways).sum();
                    let wanted = (weight(d) * equal) as f64 / all as f64;
                    let odds = (a as f64 / b as f64).ln();
                    near((likelihood.ln(odds) - likelihood.ln(0.0)).exp(), wanted, 1e-12);
                    let mean = (low..=high).map(|d| d as f64 * (ways(d) * weight(d)) as f64).sum::<f64>()
                        / all as f64;
                    let (found, variance) = likelihood.moments(odds);
                    near(found, mean, 1e-12);
                    let square =
                        (low..=high).map(|d| (d as f64 - mean).powi(2) * (ways(d) * weight(d)) as f64);
                    near(variance, square.sum::<f64>() / all as f64, 1e-10);
                }
            }
        }
    }
}

/// Small tables are summed by Horner's rule, large ones around their largest term. Where both apply, they agree.
#[test]
fn both_ways_to_sum_agree() {
    for (d_version, d_baseline, n_version, n_baseline) in [(3, 17, 60, 540), (20, 20, 40, 40), (30, 2, 31, 5)]
    {
        let mut likelihood = Likelihood::new(&table(d_version, d_baseline, n_version, n_baseline)).unwrap();
        for ln_odds in [-5.2, -1.0, 0.0, 0.1, 2.0, 5.2] {
            let by_horner = likelihood.ln(ln_odds);
            let few = likelihood.few.take();
            assert!(few.is_some());
            near(likelihood.ln(ln_odds), by_horner, 1e-12);
            likelihood.few = few;
        }
    }
}

/// The null expectation of each factor is 1, and under smaller odds it is less: what makes it an e-value for the
/// whole composite hypothesis.
#[test]
fn factors_are_e_values() {
    for (n_version, n_baseline, events) in [(5_u64, 7_u64, 4_u64), (10, 90, 8), (30, 30, 25), (2, 200, 20)] {
        let null = 1.1_f64.ln();
        for (truth, alternative) in
            [(null, null + 1.0), (null, null + 0.25), (0.0, null + 1.0), (-1.0, null + 1.8)]
        {
            let (mut chance, mut expected) = (0.0, 0.0);
            let range = events.saturating_sub(n_baseline)..=events.min(n_version);
            let weight = |d: u64| {
                (choose(n_version, d) * choose(n_baseline, events - d)) as f64 * (truth * d as f64).exp()
            };
            let all: f64 = range.clone().map(weight).sum();
            for d in range {
                let mut likelihood = Likelihood::new(&table(d, events - d, n_version, n_baseline)).unwrap();
                let factor = (likelihood.ln(alternative) - likelihood.ln(null)).exp();
                chance += weight(d) / all;
                expected += factor * weight(d) / all;
            }
            near(chance, 1.0, 1e-12);
            if truth == null {
                near(expected, 1.0, 1e-12);
            } else {
                assert!(expected < 1.0, "{expected}");
            }
        }
    }
}

/// Moments that scipy 1.17 gives (`nchypergeom_fisher(M, n, N, odds)` at 140, 80, 60, 0.5 and at 10,000, 1,000, 120, e).
#[test]
fn moments() {
    for (table, odds, mean, variance) in [
        (table(28, 32, 80, 60), 0.5_f64, 28.446_427_449_361_746, 8.300_922_457_539_905),
        (table(30, 90, 1000, 9000), 1.0_f64.exp(), 27.466_672_204_026_352, 20.684_341_885_150_99),
    ] {
        let found = Likelihood::new(&table).unwrap().moments(odds.ln());
        near(found.0, mean, 1e-11);
        near(found.1, variance, 1e-9);
    }
}

#[test]
fn nothing_to_learn() {
    for empty in [
        table(0, 0, 0, 0),
        table(0, 0, 10, 10),
        table(10, 10, 10, 10),
        table(0, 5, 0, 10),
        table(5, 0, 10, 0),
    ] {
        assert!(Likelihood::new(&empty).is_none(), "{empty:?}");
    }
}

/// Against the normal approximation: the log likelihood near the maximum is a parabola with the hypergeometric variance.
#[test]
fn large_tables() {
    for (n_version, n_baseline, m) in [(1_000_000, 9_000_000, 100_000_u64), (10_000_000, 10_000_000, 100_000)]
    {
        let (n_c, n_b, m_) = (n_version as f64, n_baseline as f64, m as f64);
        let n = n_c + n_b;
        let d = (m_ * n_c / n) as u64;
        let variance = m_ * n_c * n_b / n / n * (n - m_) / (n - 1.0);
        let mut likelihood = Likelihood::new(&table(d, m - d, n_version, n_baseline)).unwrap();
        let (mean, found) = likelihood.moments(0.0);
        near(mean, m_ * n_c / n, 1e-9);
        near(found, variance, 1e-9);
        let factor = likelihood.ln(0.01) - likelihood.ln(0.0);
        near(factor, -variance * 0.01 * 0.01 / 2.0, 2e-2);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// In any order of questions the answers are the same, and finite.
    #[test]
    fn the_order_of_questions_makes_no_difference(
        n_version in 0_u64..3000, n_baseline in 0_u64..30_000, d_version in 0_u64..3000, d_baseline in 0_u64..3000,
        odds in prop::collection::vec(-6.0_f64..6.0, 1..6),
    ) {
        let table = table(d_version.min(n_version), d_baseline.min(n_baseline), n_version, n_baseline);
        if let Some(mut one) = Likelihood::new(&table) {
            for ln_odds in odds {
                let again = Likelihood::new(&table).unwrap().ln(ln_odds);
                let found = one.ln(ln_odds);
                prop_assert!(found.is_finite());
                prop_assert!((found - again).abs() <= 1e-9 * again.abs().max(1.0), "{found} {again}");
            }
        }
    }

    /// Versions swapped, and the odds ratio turned round: the same.
    #[test]
    fn swapped(n_version in 1_u64..300, n_baseline in 1_u64..300, d_version in 0_u64..300, d_baseline in 0_u64..300, ln_odds in -3.0_f64..3.0) {
        let table = table(d_version.min(n_version), d_baseline.min(n_baseline), n_version, n_baseline);
        if Likelihood::new(&table).is_some() {
            let (one, other) = (ln_factor(&table, ln_odds), ln_factor(&table.swapped(), -ln_odds));
            prop_assert!((one - other).abs() < 1e-9, "{one} {other}");
        }
    }

    #[test]
    fn huge(n_version: u64, n_baseline: u64, d_version in 0_u64..1000, ln_odds in -1.0_f64..1.0) {
        if let Some(mut likelihood) = Likelihood::new(&table(d_version, 500, n_version, n_baseline)) {
            prop_assert!(likelihood.ln(ln_odds).is_finite());
        }
    }
}
