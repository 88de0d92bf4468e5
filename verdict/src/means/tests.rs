use super::{Means, Moments, ln_mixture};
use crate::signal::Direction::{Down, Up};
use crate::window::{Histogram, Pair};
use proptest::prelude::*;

fn near(found: f64, wanted: f64, within: f64) {
    assert!((found - wanted).abs() <= within * wanted.abs().max(1.0), "{found} is not {wanted}");
}

/// Responses of these lengths, with exact sums, in one bucket.
fn exact(lengths: &[f64]) -> Histogram {
    Histogram {
        counts: vec![lengths.len() as u64],
        sum: lengths.iter().sum(),
        squares: Some(lengths.iter().map(|length| length * length).sum()),
    }
}

/// The unit test of confseq (`uniform_boundaries_unittest.cpp`): `normal_log_mixture(10, 100)` for an optimum at the
/// variance 100 and alpha 5 %, one-sided: -0.06502391.
#[test]
fn the_mixture_as_published() {
    let alpha = 2.0 * 0.05_f64;
    let rho = 100.0 / (2.0 * (1.0 / alpha).ln() + (1.0 + 2.0 * (1.0 / alpha).ln()).ln());
    near(ln_mixture(10.0, 100.0, rho), -0.065_023_91, 1e-7);
}

/// The mean of the mixture over a normal sum is 1 if its mean is 0, and less if it is below: by the trapezoidal rule.
#[test]
fn the_mixture_is_an_e_value() {
    for (drift, wanted) in [(0.0, 1.0), (-0.5, 0.0)] {
        let (v, rho, step) = (7.0_f64, 3.0, 1e-3);
        let mean: f64 = (-25_000..25_000)
            .map(|i| {
                let z = f64::from(i) * step;
                let density = (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
                step * density * ln_mixture(drift * v + z * v.sqrt(), v, rho).exp()
            })
            .sum();
        if wanted > 0.0 {
            near(mean, wanted, 1e-6);
        } else {
            assert!(mean < 1.0, "{mean}");
        }
    }
}

#[test]
fn moments_from_sums_and_from_buckets() {
    let moments = Moments::new(&exact(&[1.0, 2.0, 6.0]), &[]).unwrap();
    assert_eq!((moments.n, moments.mean, moments.squares), (3.0, 3.0, 41.0));
    // Two in the bucket up to 2, one above 4: 1, 1 and 4.
    let histogram = Histogram { counts: vec![2, 0, 1], sum: 9.0, squares: None };
    let moments = Moments::new(&histogram, &[2.0, 4.0]).unwrap();
    assert_eq!((moments.mean, moments.squares), (3.0, 27.0 + 6.0));
    assert_eq!(Moments::new(&Histogram::default(), &[]), None);
}

/// GrowthBook's unit test of its sequential test (`test_tests.py`): sums, squares and numbers of two groups, a lift of
/// 0.50336 and an interval from -0.55844 to 1.56516. That interval is another one, symmetric and tuned to twice as many
/// responses. It tells that this one has the right size.
#[test]
fn a_published_example() {
    let group = |sum, squares, n| Histogram { counts: vec![n], sum, squares: Some(squares) };
    let mut means = Means::default();
    let (version, baseline) = (group(2422.7, 134_698.29, 3461), group(1396.87, 52_377.976_7, 3000));
    means.push(&Pair { version, baseline }, &[]);
    near(means.ratio().unwrap() - 1.0, 0.503_36, 1e-5);
    let (low, high) = means.interval(40.0_f64.ln(), 1.0);
    assert!(low < 1.0 && high > 1.0, "{low} {high}");
    near(high - low, 1.565_16 + 0.558_44, 0.25);
}

/// Windows in which the version has the same mean as the baseline, while both drift and the share grows. The means over
/// all windows differ by a third; the ratio is 1 all the same.
#[test]
fn drift_and_ramp_do_not_confound() {
    let mut means = Means::default();
    for (length, version, baseline) in [(100.0, 1, 99), (200.0, 50, 50)] {
        let window =
            Pair { version: exact(&vec![length; version]), baseline: exact(&vec![length; baseline]) };
        means.push(&window, &[]);
    }
    near(means.ratio().unwrap(), 1.0, 1e-12);
}

fn noisy(mean: f64, count: usize) -> Histogram {
    exact(&(0..count).map(|i| mean * if i % 2 == 0 { 0.5 } else { 1.5 }).collect::<Vec<_>>())
}

#[test]
fn limits_and_intervals() {
    let mut means = Means::default();
    for _ in 0..20 {
        means.push(&Pair { version: noisy(110.0, 40), baseline: noisy(100.0, 400) }, &[]);
    }
    near(means.ratio().unwrap(), 1.1, 1e-12);
    assert!(means.ln_e(Up, 1.3, 1.0) > 3.0 && means.ln_e(Down, 0.9, 1.0) > 3.0);
    assert!(means.ln_e(Up, 1.1, 1.0) < 1.0);
    assert!(means.ln_e(Up, 1.3, 4.0) < means.ln_e(Up, 1.3, 1.0));
    let (low, high) = means.interval(40.0_f64.ln(), 1.0);
    assert!(low > 1.0 && low < 1.1 && high > 1.1 && high < 1.2, "{low} {high}");
    near(means.ln_e(Up, high, 1.0), 40.0_f64.ln(), 1e-3);
    near(means.ln_e(Down, low, 1.0), 40.0_f64.ln(), 1e-3);
}

#[test]
fn few_responses_are_no_evidence() {
    let mut means = Means::default();
    means.push(&Pair { version: noisy(100.0, 199), baseline: noisy(100.0, 4000) }, &[]);
    assert_eq!(means.ln_e(Up, 2.0, 1.0), 0.0);
    let missing = means.missing(Up, 2.0, 1.0, 3.0).unwrap();
    assert!(missing > 0.0 && missing < 2.0, "{missing}");
    assert_eq!(Means::default().missing(Up, 2.0, 1.0, 3.0), None);
    assert_eq!(Means::default().interval(3.0, 1.0), (0.0, f64::INFINITY));
}

/// Counters are ahead of histograms by a flush. With few responses a window, sums come before their responses.
#[test]
fn sums_before_their_responses() {
    let histogram = |n: u64, sum: f64| Histogram { counts: vec![n], sum, squares: Some(sum * sum) };
    let mut means = Means::default();
    for _ in 0..300 {
        means.push(&Pair { version: histogram(0, 100.0), baseline: noisy(100.0, 10) }, &[]);
        means.push(&Pair { version: histogram(1, 0.0), baseline: noisy(100.0, 10) }, &[]);
    }
    near(means.ratio().unwrap(), 1.0, 1e-12);
}

/// Answers that are all alike, with a few sums of answers that are not counted yet: what is known must not vanish.
#[test]
fn answers_that_are_alike() {
    let alike = |n: u64, ahead: f64| {
        let n_ahead = n as f64 + ahead;
        Histogram { counts: vec![n], sum: n_ahead * 100.0, squares: Some(n_ahead * 1e4) }
    };
    for ahead in [0.0, 2.0] {
        let mut means = Means::default();
        for _ in 0..5 {
            means.push(&Pair { version: alike(60, ahead), baseline: alike(600, 10.0 * ahead) }, &[]);
        }
        assert!(means.ln_e(Up, 1.2, 1.0) > 20.0, "{}", means.ln_e(Up, 1.2, 1.0));
        let (low, high) = means.interval(3.0, 1.0);
        assert!(low > 0.9 && low < 1.0 && high > 1.0 && high < 1.1, "{low} {high}");
    }
}

/// What is said to be missing is enough.
#[test]
fn missing_responses() {
    let mut means = Means::default();
    let window = Pair { version: noisy(100.0, 50), baseline: noisy(100.0, 450) };
    for _ in 0..6 {
        means.push(&window, &[]);
    }
    let (limit, needed) = (1.1, 20.0_f64.ln());
    let missing = means.missing(Up, limit, 1.5, needed).unwrap();
    let windows = (missing / 50.0).ceil() as usize;
    assert!(windows > 2, "{missing}");
    for _ in 0..windows - 1 {
        means.push(&window, &[]);
        assert!(means.ln_e(Up, limit, 1.5) < needed);
    }
    means.push(&window, &[]);
    assert!(means.ln_e(Up, limit, 1.5) >= needed);
}

/// Windows of single responses tell as much as one of all together.
#[test]
fn windows_of_one_response() {
    let (mut one, mut all) = (Means::default(), Means::default());
    for i in 0..400 {
        let version = exact(&[if i % 2 == 0 { 50.0 } else { 150.0 }]);
        one.push(&Pair { version, baseline: noisy(100.0, 10) }, &[]);
    }
    one.push(&Pair { version: noisy(100.0, 100), baseline: noisy(100.0, 1000) }, &[]);
    all.push(&Pair { version: noisy(100.0, 500), baseline: noisy(100.0, 5000) }, &[]);
    near(one.ln_e(Up, 1.2, 1.0), all.ln_e(Up, 1.2, 1.0), 0.05);
}

proptest! {
    #[test]
    fn any_sums(windows in prop::collection::vec((0_u64..300, any::<f64>(), any::<f64>(), 0_u64..300, any::<f64>()), 0..5), limit in 0.01_f64..100.0) {
        let mut means = Means::default();
        for (n, sum, squares, other, other_sum) in windows {
            let version = Histogram { counts: vec![n], sum, squares: Some(squares) };
            let baseline = Histogram { counts: vec![other, 1], sum: other_sum, squares: None };
            means.push(&Pair { version, baseline }, &[10.0]);
        }
        for direction in [Up, Down] {
            prop_assert!(!means.ln_e(direction, limit, 1.0).is_nan());
            let _ = means.missing(direction, limit, 2.0, 3.0);
        }
        let (low, high) = means.interval(3.7, 1.0);
        prop_assert!(!low.is_nan() && !high.is_nan());
    }
}
