use super::{Longer, tables};
use crate::hypergeometric::Likelihood;
use crate::signal::Direction::{Down, Up};
use crate::window::{Count, Histogram, Pair};
use proptest::prelude::*;

fn histograms(version: &[u64], baseline: &[u64]) -> Pair<Histogram> {
    let histogram = |counts: &[u64]| Histogram { counts: counts.to_vec(), sum: 0.0, squares: None };
    Pair { version: histogram(version), baseline: histogram(baseline) }
}

#[test]
fn each_bucket_is_a_table() {
    let count = |n, d| Count { n, d };
    let found: Vec<_> = tables(&histograms(&[1, 0, 2], &[4, 3, 1])).collect();
    let wanted = [(count(3, 1), count(8, 4)), (count(2, 0), count(4, 3)), (count(2, 2), count(1, 1))];
    assert_eq!(found, wanted.map(|(version, baseline)| Pair { version, baseline }));
}

/// Remissions of leukaemia under 6-MP against placebo (Freireich and others, Blood 21, 1963; Gehan 1965): every textbook's
/// example of the logrank test, with 9 relapses observed, 19.25 expected and a chi-squared of 16.79.
#[test]
fn the_logrank_test_of_textbooks() {
    let treated = [6, 6, 6, 7, 10, 13, 16, 22, 23];
    let treated_left = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35];
    let control = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23];
    let (mut expected, mut variance) = (0.0, 0.0);
    for week in 1..=35 {
        let at = |weeks: &[i32]| weeks.iter().filter(|w| **w == week).count() as u64;
        let from = |weeks: &[i32]| weeks.iter().filter(|w| **w >= week).count() as u64;
        let version = Count { n: from(&treated) + from(&treated_left), d: at(&treated) };
        let table = Pair { version, baseline: Count { n: from(&control), d: at(&control) } };
        if let Some(mut likelihood) = Likelihood::new(&table) {
            let (mean, spread) = likelihood.moments(0.0);
            expected += mean;
            variance += spread;
        } else {
            expected += version.d as f64;
        }
    }
    assert!((expected - 19.25).abs() < 0.005, "{expected}");
    assert!(((9.0 - expected).powi(2) / variance - 16.79).abs() < 0.005, "{variance}");
}

/// The mean of `E` over every way in which seven of twelve responses, some alike, may have been the version's: 1 with a
/// tolerance of 1.
#[test]
fn it_is_an_e_value() {
    const LENGTHS: [usize; 12] = [0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 4, 4];
    let (mut up, mut down, mut ways) = (0.0, 0.0, 0.0);
    for chosen in (0_u32..1 << 12).filter(|chosen| chosen.count_ones() == 7) {
        let mut counts = [[0; 5]; 2];
        for (response, length) in LENGTHS.iter().enumerate() {
            counts[usize::from(chosen & (1 << response) != 0)][*length] += 1;
        }
        let mut longer = Longer::new(1.0);
        longer.push(&histograms(&counts[1], &counts[0]));
        up += longer.ln_e(Up, 1.0).exp();
        down += longer.ln_e(Down, 1.0).exp();
        ways += 1.0;
    }
    assert!((up / ways - 1.0_f64).abs() < 1e-12, "{}", up / ways);
    assert!((down / ways - 1.0_f64).abs() < 1e-12, "{}", down / ways);
}

#[test]
fn longer_responses_are_found() {
    let mut longer = Longer::new(1.1);
    longer.push(&histograms(&[5, 10, 30, 55], &[250, 250, 250, 250]));
    assert!(longer.ln_e(Up, 1.0) > 5.0, "{}", longer.ln_e(Up, 1.0));
    assert!(longer.ln_e(Down, 1.0) < 0.0);
    assert!(longer.information() > 0.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn symmetric(version in prop::collection::vec(0_u64..50, 6), baseline in prop::collection::vec(0_u64..50, 6)) {
        let (mut one, mut other) = (Longer::new(1.1), Longer::new(1.1));
        one.push(&histograms(&version, &baseline));
        other.push(&histograms(&baseline, &version));
        prop_assert!((one.ln_e(Up, 1.0) - other.ln_e(Down, 1.0)).abs() < 1e-9);
    }

    #[test]
    fn any_counts(version in prop::collection::vec(0_u64..1_000_000, 0..8), baseline in prop::collection::vec(0_u64..100, 0..8)) {
        let mut longer = Longer::new(1.1);
        longer.push(&histograms(&version, &baseline));
        prop_assert!(longer.ln_e(Up, 1.0).is_finite() && longer.ln_e(Down, 1.0).is_finite());
    }
}
