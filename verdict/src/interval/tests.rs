use super::{ALTERNATIVES, Profile, STEP, ratio_of_rates};
use crate::rates::Harm;
use crate::signal::Direction::{Down, Up};
use crate::window::{Count, Pair};
use proptest::prelude::*;

const LN_40: f64 = 3.688_879_454_113_936;

fn table(d_version: u64, d_baseline: u64, n_version: u64, n_baseline: u64) -> Pair<Count> {
    Pair { version: Count { n: n_version, d: d_version }, baseline: Count { n: n_baseline, d: d_baseline } }
}

fn interval(table: &Pair<Count>) -> (f64, f64) {
    let mut profile = Profile::default();
    profile.push(table);
    profile.interval(LN_40, 1.0)
}

#[test]
fn alternatives_lie_on_the_points() {
    for beyond in ALTERNATIVES {
        assert!((beyond / STEP - (beyond / STEP).round()).abs() < 1e-9, "{beyond}");
    }
}

/// At its ends the interval has the evidence that its threshold asks for, by the test itself.
#[test]
fn the_test_is_inverted() {
    for table in [table(30, 90, 1000, 9000), table(3, 40, 100, 900), table(500, 400, 1000, 1000)] {
        let (low, high) = interval(&table);
        let evidence = |tolerance: f64, direction| {
            let mut harm = Harm::new(tolerance);
            harm.push(&table);
            // The test keeps a quarter for later starts.
            ((harm.ln_e(direction, 1.0).exp() - 0.25) / 0.75).ln()
        };
        let odds = |count: Count| count.rate() / (1.0 - count.rate());
        let ratio = odds(table.version) / odds(table.baseline);
        assert!(low < ratio && ratio < high, "{low} {ratio} {high}");
        if low > 0.0 {
            assert!((evidence(low, Up) - LN_40).abs() < 0.02, "{low} {}", evidence(low, Up));
        }
        assert!(
            (evidence(high.recip(), Down) - LN_40).abs() < 0.02,
            "{high} {}",
            evidence(high.recip(), Down)
        );
    }
}

#[test]
fn nothing_known() {
    assert_eq!(interval(&table(0, 0, 100, 900)), (0.0, f64::INFINITY));
    let (low, high) = interval(&table(0, 90, 1000, 9000));
    assert!(low == 0.0 && high < 1.0, "{high}");
}

#[test]
fn odds_become_rates() {
    assert_eq!(ratio_of_rates(3.0, 0.0), 3.0);
    assert!((ratio_of_rates(3.0, 0.5) - 1.5).abs() < 1e-12);
    assert_eq!(ratio_of_rates(f64::INFINITY, 0.25), 4.0);
    assert_eq!(ratio_of_rates(f64::INFINITY, 0.0), f64::INFINITY);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn symmetric(n_version in 1_u64..500, n_baseline in 1_u64..500, d_version in 0_u64..500, d_baseline in 0_u64..500) {
        let table = table(d_version.min(n_version), d_baseline.min(n_baseline), n_version, n_baseline);
        let ((low, high), (other_low, other_high)) = (interval(&table), interval(&table.swapped()));
        prop_assert!(low <= high);
        prop_assert!((low - other_high.recip()).abs() < 1e-6 && (other_low - high.recip()).abs() < 1e-6, "{low} {high} {other_low} {other_high}");
    }
}
