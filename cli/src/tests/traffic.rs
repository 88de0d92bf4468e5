//! Windows of two versions, as a source would make them of steady traffic. Nothing is random: what is expected of so many requests
//! happens.

use crate::analysis::{Analysis, Judging};
use crate::subject::{Candidate, Subject};
use llm_canary_verdict::health::Look;
use llm_canary_verdict::policy::{Goal, Policy};
use llm_canary_verdict::signal::Signal;
use llm_canary_verdict::window::{Count, Distribution, Flow, Histogram, Pair, Rate, Window};
use std::collections::BTreeMap;

/// 2026-11-23T09:00:00Z
pub(crate) const START_MS: i64 = 1_795_424_400_000;
const WINDOW_MS: i64 = 60_000;
const CHARS: &[f64] = &[50.0, 100.0, 200.0, 400.0, 600.0, 800.0, 1e3, 1.5e3, 2e3, 3e3, 4e3, 6e3, 8e3];
const FIRST_MS: &[f64] = &[50.0, 100.0, 150.0, 200.0, 300.0, 400.0, 500.0, 750.0, 1e3, 1.5e3, 2e3, 3e3];
const TOKEN_US: &[f64] = &[2e3, 5e3, 10e3, 15e3, 20e3, 25e3, 30e3, 50e3, 100e3];
const TOKENS: &[f64] = &[10.0, 25.0, 50.0, 100.0, 200.0, 400.0, 800.0, 1600.0];
/// Quantiles of a quantity with a mean of 1, each of a tenth of the responses.
const SPREAD: [f64; 10] = [0.2, 0.35, 0.48, 0.6, 0.74, 0.9, 1.1, 1.36, 1.77, 2.5];

/// One side's traffic.
#[derive(Clone, Copy)]
pub(crate) struct Traffic {
    /// In each window.
    pub(crate) requests: u64,
    pub(crate) errors: f64,
    pub(crate) refusals: f64,
    pub(crate) defects: f64,
    pub(crate) chars: f64,
    pub(crate) first_ms: f64,
}

impl Traffic {
    pub(crate) fn new(requests: u64) -> Self {
        Self { requests, errors: 0.004, refusals: 0.01, defects: 0.004, chars: 900.0, first_ms: 350.0 }
    }
}

/// So many windows.
pub(crate) fn windows(count: u64, traffic: Pair<Traffic>) -> Vec<Window> {
    (0..count).map(|index| window(index, traffic)).collect()
}

fn window(index: u64, traffic: Pair<Traffic>) -> Window {
    let rate = |of: fn(Traffic) -> f64| Rate {
        counts: traffic.map(|side| Count { n: side.requests, d: events(of(side), side.requests, index) }),
        first_turns: None,
        shards: None,
    };
    let sizes = |edges: &[f64], of: fn(Traffic) -> f64| Distribution {
        edges: edges.into(),
        histograms: traffic.map(|side| histogram(of(side), side.requests, index, edges)),
        shards: None,
    };
    let start_ms = START_MS + index as i64 * WINDOW_MS;
    Window {
        start_ms,
        end_ms: start_ms + WINDOW_MS,
        is_missing: index == 3,
        flow: traffic.map(|side| Flow {
            requests: side.requests,
            decisions: side.requests,
            split_decisions: side.requests,
            ..Flow::default()
        }),
        rates: BTreeMap::from([
            (Signal::Errors, rate(|side| side.errors)),
            (Signal::Refusals, rate(|side| side.refusals)),
            (Signal::Defects, rate(|side| side.defects)),
            (Signal::ClientAborts, rate(|_| 0.01)),
            (Signal::FeedbackUp, rate(|side| side.refusals * 10.0)),
        ]),
        distributions: BTreeMap::from([
            (Signal::ResponseChars, sizes(CHARS, |side| side.chars)),
            (Signal::TimeToFirstToken, sizes(FIRST_MS, |side| side.first_ms)),
            (Signal::TimePerOutputToken, sizes(TOKEN_US, |_| 20_000.0)),
            (Signal::OutputTokens, sizes(TOKENS, |side| side.chars / 4.0)),
            (Signal::InputTokens, sizes(TOKENS, |_| 500.0)),
        ]),
    }
}

/// The events of a window, so that after any number of windows their sum is what the rate says.
fn events(rate: f64, requests: u64, index: u64) -> u64 {
    let until = |windows: u64| (rate * (requests * windows) as f64).floor() as u64;
    until(index + 1) - until(index)
}

fn histogram(mean: f64, requests: u64, index: u64, edges: &[f64]) -> Histogram {
    let mut histogram = Histogram { counts: vec![0; edges.len() + 1], sum: 0.0, squares: Some(0.0) };
    for request in requests * index..requests * (index + 1) {
        let size = mean * SPREAD[(request % 10) as usize];
        histogram.counts[edges.partition_point(|edge| *edge < size)] += 1;
        histogram.sum += size;
        *histogram.squares.as_mut().unwrap() += size * size;
    }
    histogram
}

/// The version `v2` with these windows against `v1`, at a look right after them.
pub(crate) fn analysis(windows: &[Window], policy: &Policy, goal: Option<&Goal>) -> Analysis {
    let candidate = Candidate { version: "v2".to_owned(), steps: None, since_ms: None };
    let subject = Subject {
        rollout: "chat".to_owned(),
        baseline: "v1".to_owned(),
        is_baseline_guessed: false,
        candidates: vec![candidate.clone()],
    };
    let now_ms = windows.last().map_or(START_MS, |window| window.end_ms);
    let mut judging = Judging::new(&subject, &candidate, policy, goal);
    windows.iter().for_each(|window| judging.push(window));
    judging.analysis(&Look { now_ms, config: None })
}
