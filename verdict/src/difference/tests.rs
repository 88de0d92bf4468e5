use std::collections::BTreeMap;

use super::{Comparison, Conclusion};
use crate::policy::{Goal, Policy};
use crate::signal::{Direction, Signal};
use crate::steps::Step;
use crate::window::{Count, Flow, Pair, Rate, Window};

/// An hour of minutes with so many events of 100 requests on each side.
fn compare(version: u64, baseline: u64, better: Direction) -> Comparison {
    let steps = vec![Step { at_ms: -3_600_000, share: 0.5, baseline: 0.5 }];
    let goal = Goal { signal: Signal::FeedbackUp, better };
    let mut comparison = Comparison::new(goal, Policy::default(), Some(steps));
    for minute in 0..60 {
        let count = |d| Count { n: 100, d };
        let counts = Pair { version: count(version), baseline: count(baseline) };
        let flow = Flow { requests: 100, decisions: 100, ..Flow::default() };
        comparison.push(&Window {
            start_ms: minute * 60_000,
            end_ms: (minute + 1) * 60_000,
            flow: Pair { version: flow, baseline: flow },
            rates: BTreeMap::from([(Signal::FeedbackUp, Rate { counts, ..Rate::default() })]),
            ..Window::default()
        });
    }
    comparison
}

#[test]
fn which_is_better() {
    use Direction::{Down, Up};
    for (version, baseline, better, conclusion) in [
        (30, 20, Up, Conclusion::VersionBetter),
        (20, 30, Up, Conclusion::BaselineBetter),
        (30, 20, Down, Conclusion::BaselineBetter),
        (20, 30, Down, Conclusion::VersionBetter),
        (20, 20, Up, Conclusion::NoDifference),
    ] {
        let difference = compare(version, baseline, better).difference();
        assert_eq!(difference.conclusion, conclusion, "{version} {baseline} {better:?}");
        assert!(difference.at_ms.is_some());
        assert_eq!(difference.conclusion.exit_code(), 0);
    }
}

/// The versions swapped: the same evidence, the other way.
#[test]
fn symmetric() {
    let (one, other) =
        (compare(27, 23, Direction::Up).difference(), compare(23, 27, Direction::Up).difference());
    assert!((one.ln_e_up - other.ln_e_down).abs() < 1e-9);
    assert!((one.ln_e_down - other.ln_e_up).abs() < 1e-9);
    assert!((one.ln_threshold - 40.0_f64.ln()).abs() < 1e-12);
}

#[test]
fn nothing_known() {
    let goal = Goal { signal: Signal::OutputTokens, better: Direction::Down };
    let comparison = Comparison::new(goal, Policy::default(), None);
    let difference = comparison.difference();
    assert_eq!((difference.conclusion, difference.at_ms), (Conclusion::NotEnoughData, None));
    assert_eq!(difference.conclusion.exit_code(), 3);
}
