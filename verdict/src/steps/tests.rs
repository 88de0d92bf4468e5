use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Step, Steps, Use, quantile};
use crate::policy::Policy;
use crate::signal::Signal;
use crate::window::{Distribution, Flow, Histogram, Pair, Window};

const MINUTE_MS: i64 = 60_000;

/// A minute of so many decisions, in which the baseline's answers took at most so long.
fn window(minute: i64, version: u64, baseline: u64, answer_ms: f64) -> Window {
    let flow = |decisions| Flow { decisions, requests: decisions, ..Flow::default() };
    let histogram = Histogram { counts: vec![baseline, 0], sum: 0.0, squares: None };
    let durations = Distribution {
        edges: Arc::from([answer_ms]),
        histograms: Pair {
            version: Histogram { counts: vec![0, 0], ..histogram.clone() },
            baseline: histogram,
        },
        shards: None,
    };
    Window {
        start_ms: minute * MINUTE_MS,
        end_ms: (minute + 1) * MINUTE_MS,
        flow: Pair { version: flow(version), baseline: flow(baseline) },
        distributions: BTreeMap::from([(Signal::RequestDuration, durations)]),
        ..Window::default()
    }
}

fn step(minute: i64, share: f64) -> Step {
    Step { at_ms: minute * MINUTE_MS, share, baseline: 1.0 - share }
}

fn policy(warmup_ms: i64, settle_ms: i64) -> Policy {
    Policy { warmup_ms, settle_ms, ..Policy::default() }
}

/// L: left out, w: times are left out, c: compared; a dash before it: a step.
fn check(steps: Option<Vec<Step>>, windows: &[Window], expect: &str) {
    let mut steps = Steps::new(steps, &policy(2 * MINUTE_MS, MINUTE_MS));
    let mut found = String::new();
    for window in windows {
        let place = steps.push(window, 1.0);
        found += if place.is_step { "-" } else { "" };
        found += match place.good_for {
            Use::LeftOut => "L",
            Use::WarmUp => "w",
            Use::Compared => "c",
        };
    }
    assert_eq!(found, expect);
}

fn minutes(shares: &[(u64, u64)], answer_ms: f64) -> Vec<Window> {
    shares
        .iter()
        .zip(0..)
        .map(|((version, baseline), minute)| window(minute, *version, *baseline, answer_ms))
        .collect()
}

#[test]
fn after_a_step_answers_must_end() {
    let shares = [(100, 900); 10];
    // A step in the middle of minute 4, and answers of up to a second: a minute at least.
    let half = Step { at_ms: 4 * MINUTE_MS + 30_000, ..step(0, 0.5) };
    let known = || Some(vec![step(-100, 0.1), half]);
    check(known(), &minutes(&shares, 1000.0), "-cccc-LLcccc");
    // Of up to three minutes.
    check(known(), &minutes(&shares, 180_000.0), "-cccc-LLLLcc");
}

/// Where answers are short, a policy may say that less than a minute is left out, or more; and never less than answers take.
#[test]
fn a_policy_says_what_is_left_out() {
    let left_out = |settle_ms, answer_ms| {
        let mut steps = Steps::new(Some(vec![step(-100, 0.1), step(2, 0.5)]), &policy(0, settle_ms));
        let windows = minutes(&[(100, 900); 8], answer_ms);
        let places = windows.iter().map(|window| steps.push(window, 1.0).good_for);
        places.filter(|good_for| *good_for == Use::LeftOut).count()
    };
    assert_eq!(left_out(0, 0.0), 0);
    assert_eq!(left_out(MINUTE_MS, 1000.0), 1);
    assert_eq!(left_out(3 * MINUTE_MS, 1000.0), 3);
    assert_eq!(left_out(1, 120_000.0), 2, "answers take longer");
}

#[test]
fn a_version_begins() {
    let shares = [(0, 900), (0, 900), (90, 900), (90, 900), (90, 900), (90, 900), (90, 900)];
    // The step at minute 2 is known, or seen. Caches are cold for two minutes.
    check(Some(vec![step(2, 0.1)]), &minutes(&shares, 1000.0), "LL-Lwccc");
    check(None, &minutes(&shares, 1000.0), "LL-Lwccc");
    // Envoy took its time to load it.
    let late = [(0, 900), (0, 900), (0, 900), (90, 900), (90, 900), (90, 900), (90, 900)];
    check(Some(vec![step(2, 0.1)]), &minutes(&late, 1000.0), "LL-LLwcc");
}

/// Evidence that begins in the middle of a release: with known steps nothing is left out.
#[test]
fn evidence_begins_late() {
    let shares = [(100, 900); 4];
    check(Some(vec![step(-600, 0.1)]), &minutes(&shares, 1000.0), "-cccc");
    check(None, &minutes(&shares, 1000.0), "Lwcc");
}

/// A version that was taken back and has come again has cold caches again.
#[test]
fn a_version_that_came_again() {
    let shares = [(100, 900); 4];
    let half_a_minute_ago = Step { at_ms: -30_000, ..step(0, 0.1) };
    let steps = vec![step(-600, 0.1), step(-300, 0.0), half_a_minute_ago];
    check(Some(steps), &minutes(&shares, 1000.0), "-Lwcc");
    let raised = vec![step(-600, 0.1), Step { share: 0.2, ..half_a_minute_ago }];
    check(Some(raised), &minutes(&shares, 1000.0), "-Lccc");
}

#[test]
fn steps_are_seen_in_the_traffic() {
    let mut shares = vec![(100, 900); 5];
    shares.extend([(210, 800); 4]);
    check(None, &minutes(&shares, 1000.0), "Lwccc-Lccc");
    // The small fluctuations of chance are none.
    check(None, &minutes(&[(100, 900), (120, 880), (85, 910), (100, 900)], 1000.0), "Lwcc");
    // Nor those of long conversations.
    let mut steps = Steps::new(None, &policy(0, MINUTE_MS));
    for window in minutes(&[(100, 900), (140, 860), (100, 900)], 1000.0) {
        assert!(!steps.push(&window, 6.0).is_step);
    }
}

#[test]
fn shares() {
    let mut steps = Steps::new(Some(vec![step(5, 0.25), step(-10, 0.1)]), &policy(0, MINUTE_MS));
    assert_eq!(steps.in_force(4 * MINUTE_MS).map(|step| step.share), Some(0.1));
    assert_eq!(steps.in_force(6 * MINUTE_MS).map(|step| step.share), Some(0.25));
    assert_eq!(steps.in_force(-11 * MINUTE_MS).map(|step| step.share), Some(0.0));
    steps.push(&window(0, 30, 70, 1.0), 1.0);
    assert_eq!(steps.observed(), Some(0.3));
    let of_both = Step { at_ms: 0, share: 0.1, baseline: 0.7 }.share_of_both();
    assert!((of_both - 0.125).abs() < 1e-12);
    assert_eq!(Steps::new(None, &policy(0, MINUTE_MS)).in_force(0), None);
}

#[test]
fn quantiles_are_buckets() {
    let (counts, edges) = ([5, 4, 1], [10.0, 20.0]);
    assert_eq!(quantile(&counts, &edges, 0.5), Some((0.0, 10.0)));
    assert_eq!(quantile(&counts, &edges, 0.51), Some((10.0, 20.0)));
    assert_eq!(quantile(&counts, &edges, 0.95), Some((20.0, f64::INFINITY)));
    assert_eq!(quantile(&[0, 0], &edges, 0.5), None);
    assert_eq!(quantile(&[], &[], 0.5), None);
}

#[test]
fn steps_that_are_taken_meanwhile_are_as_if_known_before() {
    let all = vec![step(0, 0.1), step(4, 0.3), step(9, 0.5)];
    let windows = minutes(&[(100, 900); 14], 1000.0);
    let mut before = Steps::new(Some(all.clone()), &Policy::default());
    let mut meanwhile = Steps::new(Some(vec![step(0, 0.1)]), &Policy::default());
    for window in &windows {
        // Written just before it is taken, and in no order.
        let mut known: Vec<Step> = all.iter().filter(|step| step.at_ms < window.end_ms).copied().collect();
        known.reverse();
        meanwhile.set_known(known);
        assert_eq!(meanwhile.push(window, 1.0), before.push(window, 1.0));
        assert_eq!(meanwhile.in_force(window.end_ms), before.in_force(window.end_ms));
    }
}
