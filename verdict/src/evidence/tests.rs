use super::{Answers, DistributionEvidence, Evidence, RateEvidence};
use crate::policy::Margin;
use crate::signal::Direction::{Down, Up};
use crate::signal::Harm;
use crate::window::{Count, Distribution, Histogram, Pair, Rate};

const MARGINS: [Margin; 1] = [Margin { ratio: 2.0, points: 0.01 }];

fn pair(version: (u64, u64), baseline: (u64, u64)) -> Pair<Count> {
    let count = |(d, n)| Count { n, d };
    Pair { version: count(version), baseline: count(baseline) }
}

fn rate(windows: &[Rate]) -> RateEvidence {
    let mut evidence = RateEvidence::new(1.1, &MARGINS, Harm::Both);
    windows.iter().for_each(|window| evidence.push(window));
    evidence
}

/// The baseline's rate is weighted by the version's requests: 1 % and 4 %, with most of the version's at 4 %.
#[test]
fn a_baseline_is_weighted() {
    let window = |counts| Rate { counts, ..Rate::default() };
    let evidence = rate(&[window(pair((1, 100), (9, 900))), window(pair((20, 500), (20, 500)))]);
    let rates = evidence.rates().unwrap();
    assert!((rates.baseline - (100.0 * 0.01 + 500.0 * 0.04) / 600.0).abs() < 1e-12);
    assert!((rates.version - 21.0 / 600.0).abs() < 1e-12);
    let figures = evidence.figures(1.0, 3.0);
    assert!((figures.ratio.unwrap() - 1.0).abs() < 1e-9);
    assert_eq!(figures.events, Pair { version: 21, baseline: 29 });
}

/// Where first turns are known, half of the evidence is theirs, and no design effect weakens it.
#[test]
fn first_turns_count_half() {
    let counts = pair((30, 200), (30, 1800));
    let first_turns = pair((10, 50), (10, 450));
    let all = rate(&[Rate { counts, ..Rate::default() }]);
    let first = rate(&[Rate { counts: first_turns, ..Rate::default() }]);
    let both = rate(&[Rate { counts, first_turns: Some(first_turns), shards: None }]);
    let wanted = ((all.ln_e(Up, 5.0).exp() + first.ln_e(Up, 1.0).exp()) / 2.0).ln();
    assert!((both.ln_e(Up, 5.0) - wanted).abs() < 1e-12);
    // None so far is not the same as none known.
    let silent = rate(&[Rate { counts, first_turns: Some(Pair::default()), shards: None }]);
    assert_eq!(silent.ln_e(Up, 5.0), all.ln_e(Up, 5.0));
}

#[test]
fn what_is_missing() {
    let window = Rate { counts: pair((1, 100), (9, 900)), ..Rate::default() };
    let evidence = Evidence::Rate(Box::new(rate(&[window.clone(), window.clone()])));
    let missing = evidence.missing(Harm::Up, 0, 1.0, 3.0).unwrap();
    let sooner = Evidence::Rate(Box::new(rate(&[window.clone(), window.clone(), window.clone()])));
    let less = sooner.missing(Harm::Up, 0, 1.0, 3.0).unwrap();
    // A hundred more as expected are a hundred fewer that are missing.
    assert!((missing - less - 100.0).abs() < 25.0, "{missing} {less}");
    assert!(evidence.missing(Harm::Both, 0, 1.0, 3.0).unwrap() >= missing);
    assert_eq!(evidence.missing(Harm::Up, 7, 1.0, 3.0), None);
    assert_eq!(Evidence::Rate(Box::new(rate(&[]))).missing(Harm::Up, 0, 1.0, 3.0), None);
}

fn lengths(version: &[u64], baseline: &[u64], sums: (f64, f64)) -> Distribution {
    let histogram = |counts: &[u64], sum| Histogram { counts: counts.to_vec(), sum, squares: None };
    Distribution {
        edges: [10.0, 20.0, 40.0].into(),
        histograms: Pair { version: histogram(version, sums.0), baseline: histogram(baseline, sums.1) },
        shards: None,
    }
}

/// Longer by rank, yet not by the mean: that is not worse.
#[test]
fn a_mean_must_point_the_same_way() {
    let of = |sums| {
        let mut evidence = DistributionEvidence::new(1.1, &MARGINS);
        evidence.push(&lengths(&[10, 20, 70, 0], &[400, 300, 200, 100], sums));
        Evidence::Distribution(Box::new(evidence)).harm(Harm::Both, 1.0)
    };
    let found = of((2600.0, 20_000.0));
    assert!(found.agrees && found.direction == Up && found.ln_e > 3.0, "{found:?}");
    let found = of((2600.0, 40_000.0));
    assert!(found.direction == Down && found.ln_e < 0.0, "{found:?}");
}

#[test]
fn both_directions_have_half_each() {
    let window = Rate { counts: pair((30, 200), (30, 1800)), ..Rate::default() };
    let evidence = Evidence::Rate(Box::new(rate(&[window])));
    let (one, both) = (evidence.harm(Harm::Up, 1.0), evidence.harm(Harm::Both, 1.0));
    assert!((one.ln_e - both.ln_e - 2.0_f64.ln()).abs() < 1e-12);
    assert_eq!(both.direction, Up);
}

#[test]
fn quantiles_are_shown_as_buckets() {
    let mut evidence = DistributionEvidence::new(1.1, &MARGINS);
    evidence.push(&lengths(&[10, 20, 70, 0], &[400, 300, 200, 100], (2600.0, 20_000.0)));
    let quantiles = evidence.figures(1.0, 3.0).quantiles.unwrap();
    assert_eq!(quantiles.version.p50, Some((20.0, 40.0)));
    assert_eq!(quantiles.baseline.p50, Some((10.0, 20.0)));
    assert_eq!(quantiles.baseline.p95, Some((40.0, f64::INFINITY)));
}
