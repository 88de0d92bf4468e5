//! Traffic of two versions: conversations of several turns, answers that take time, a ramp, drift, bursts, several
//! Envoys of which one restarts, samples that are missing. Out: the windows that a source would make of it.

use std::sync::Arc;

use llm_canary_verdict::signal::Signal;
use llm_canary_verdict::steps::Step;
use llm_canary_verdict::window::{Count, Distribution, Histogram, Pair, Rate, SHARDS, Total, Window};

use crate::random::Random;

/// The buckets of the shipped bootstrap.
const CHARS: &[f64] = &[
    0.5, 10.0, 25.0, 50.0, 100.0, 200.0, 400.0, 600.0, 800.0, 1e3, 1.5e3, 2e3, 3e3, 4e3, 6e3, 8e3, 12e3,
    16e3, 32e3, 64e3, 128e3, 512e3,
];
const FIRST_MS: &[f64] = &[
    5.0, 10.0, 25.0, 50.0, 100.0, 150.0, 200.0, 300.0, 400.0, 500.0, 750.0, 1e3, 1.5e3, 2e3, 3e3, 5e3, 7.5e3,
    10e3, 15e3, 30e3, 60e3, 120e3,
];
const TOKEN_US: &[f64] = &[
    500.0, 1e3, 2e3, 3e3, 5e3, 7.5e3, 10e3, 12.5e3, 15e3, 20e3, 25e3, 30e3, 40e3, 50e3, 75e3, 100e3, 150e3,
    250e3, 500e3, 1e6, 5e6,
];
const DURATION_MS: &[f64] = &[
    50.0, 100.0, 250.0, 500.0, 1e3, 2e3, 3e3, 5e3, 7.5e3, 10e3, 15e3, 20e3, 30e3, 45e3, 60e3, 80e3, 120e3,
    180e3, 300e3, 600e3, 900e3, 1.2e6, 1.8e6,
];

const RATES: usize = 4;
const SIZES: usize = 4;

/// What requests are like at a time.
#[derive(Clone, Copy)]
pub(crate) struct Usual {
    /// Errors, refusals, defects, length stops.
    pub(crate) rates: [f64; RATES],
    /// Means of characters, of milliseconds to the first token, of microseconds a token.
    pub(crate) chars: f64,
    pub(crate) first_ms: f64,
    pub(crate) token_us: f64,
}

impl Usual {
    pub(crate) fn new() -> Self {
        Self { rates: [0.005, 0.01, 0.005, 0.02], chars: 1200.0, first_ms: 400.0, token_us: 20_000.0 }
    }

    pub(crate) fn rates(self, rates: [f64; RATES]) -> Self {
        Self { rates, ..self }
    }

    pub(crate) fn errors(mut self, rate: f64) -> Self {
        self.rates[0] = rate;
        self
    }

    pub(crate) fn refusals(mut self, rate: f64) -> Self {
        self.rates[1] = rate;
        self
    }

    pub(crate) fn longer(self, times: f64) -> Self {
        Self { chars: self.chars * times, ..self }
    }

    pub(crate) fn slower(self, times: f64) -> Self {
        Self { first_ms: self.first_ms * times, ..self }
    }
}

pub(crate) struct Traffic {
    pub(crate) minutes: usize,
    pub(crate) window_s: f64,
    /// Requests a second, of all versions.
    pub(crate) rate: f64,
    pub(crate) turns: usize,
    /// Between turns, on average.
    pub(crate) pause_s: f64,
    /// Between turns of a conversation: of events, and of the logarithms of sizes.
    pub(crate) correlation: f64,
    /// Whether the body shows which turns are first.
    pub(crate) knows_first_turns: bool,
    /// Whether requests are counted by shard.
    pub(crate) knows_shards: bool,
    /// Coefficients of variation of characters and of times to the first token.
    pub(crate) spread: [f64; 2],
    /// Histograms show what the last flush had, counters everything; 0 for no difference.
    pub(crate) flush_s: f64,
    /// From a minute on, the version's share.
    pub(crate) steps: Vec<(f64, f64)>,
    /// Whether the steps are known to the judge.
    pub(crate) knows_steps: bool,
    /// How long an answer takes, on average; its coefficient of variation is 1, and it grows with the answer.
    pub(crate) answer_s: f64,
    pub(crate) envoys: usize,
    /// The minute at which the first Envoy restarts.
    pub(crate) restart: Option<f64>,
    /// The chance that an Envoy's sample is missing.
    pub(crate) missing: f64,
    /// The baseline at a minute.
    pub(crate) usual: fn(f64) -> Usual,
    /// The version at a minute.
    pub(crate) version: fn(f64) -> Usual,
}

impl Traffic {
    /// 10 % of ten requests a second, independent of each other, for two hours; the versions are the same.
    pub(crate) fn steady() -> Self {
        Self {
            minutes: 120,
            window_s: 60.0,
            rate: 10.0,
            turns: 1,
            pause_s: 60.0,
            correlation: 0.0,
            knows_first_turns: true,
            knows_shards: true,
            spread: [1.0, 0.6],
            flush_s: 0.0,
            steps: vec![(-600.0, 0.1)],
            knows_steps: true,
            answer_s: 0.0,
            envoys: 1,
            restart: None,
            missing: 0.0,
            usual: |_| Usual::new(),
            version: |_| Usual::new(),
        }
    }

    pub(crate) fn known_steps(&self) -> Option<Vec<Step>> {
        let step = |&(minute, share): &(f64, f64)| Step {
            at_ms: (minute * 60e3) as i64,
            share,
            baseline: 1.0 - share,
        };
        self.knows_steps.then(|| self.steps.iter().map(step).collect())
    }

    fn step(&self, minute: f64) -> Option<usize> {
        self.steps.iter().rposition(|(at, _)| *at <= minute)
    }

    /// All windows of a run.
    pub(crate) fn windows(&self, random: &mut Random) -> Vec<Window> {
        let count = (self.minutes as f64 * 60.0 / self.window_s) as usize;
        let mut windows: Vec<Window> = (0..count).map(|i| empty(i, self.window_s)).collect();
        let targets = self.targets(random, count);
        let end_s = self.minutes as f64 * 60.0;
        // Conversations that began before are under way.
        let before = self.pause_s * self.turns as f64 * 3.0 + self.answer_s * 10.0;
        let mut start = if self.turns > 1 || self.answer_s > 0.0 { -before } else { 0.0 };
        loop {
            start += random.exponential(self.turns as f64 / self.rate);
            if start > end_s {
                if !self.knows_shards {
                    windows.iter_mut().for_each(without_shards);
                }
                return windows;
            }
            self.conversation(random, start, &targets, &mut windows);
        }
    }

    /// For each Envoy and window, the window whose sample tells of it; `None` if none does.
    fn targets(&self, random: &mut Random, count: usize) -> Vec<Vec<Option<usize>>> {
        let of_one = |_| {
            let mut next = None;
            let mut targets: Vec<_> = (0..count)
                .rev()
                .map(|window| {
                    if !random.chance(self.missing) {
                        next = Some(window);
                    }
                    next
                })
                .collect();
            targets.reverse();
            targets
        };
        (0..self.envoys).map(of_one).collect()
    }

    fn conversation(
        &self,
        random: &mut Random,
        start_s: f64,
        targets: &[Vec<Option<usize>>],
        windows: &mut [Window],
    ) {
        let step = self.step(start_s / 60.0);
        let share = step.map_or(0.0, |step| self.steps[step].1);
        let is_version = random.chance(share);
        let shard = random.below(SHARDS as u64);
        let first = if is_version { (self.version)(start_s / 60.0) } else { (self.usual)(start_s / 60.0) };
        // A conversation's own chances, relative to the usual ones, and its own sizes.
        let chances = first.rates.map(|rate| random.beta(rate, self.correlation) / rate);
        let own = [random.normal(), random.normal()];
        let mut at_s = start_s;
        for turn in 0..self.turns {
            if turn > 0 {
                at_s += random.exponential(self.pause_s);
            }
            let minute = at_s / 60.0;
            let usual = if is_version { (self.version)(minute) } else { (self.usual)(minute) };
            let mut size = |mean: f64, spread: f64, own: f64| {
                let variance = (1.0 + spread * spread).ln();
                let (shared, single) =
                    ((variance * self.correlation).sqrt(), (variance * (1.0 - self.correlation)).sqrt());
                mean * (shared * own + single * random.normal() - variance / 2.0).exp()
            };
            let chars = size(usual.chars, self.spread[0], own[0]).round();
            let first_ms = size(usual.first_ms, self.spread[1], own[1]).round();
            let token_us = size(usual.token_us, 0.3, own[1]).round();
            let answer_s = self.answer_s * chars / usual.chars;
            let events: [bool; RATES] =
                std::array::from_fn(|i| random.chance((usual.rates[i] * chances[i]).min(1.0)));
            let envoy = random.below(self.envoys as u64);
            // A conversation from an earlier step is held, and not compared.
            if self.step(minute) != step {
                continue;
            }
            if let Some(head) = self.window_of(envoy, at_s, targets, windows.len()) {
                let flow = side(&mut windows[head].flow, is_version);
                flow.decisions += 1;
                flow.split_decisions += 1;
            }
            let ended_s = at_s + answer_s;
            let lost = self.restart.is_some_and(|restart| {
                let restart = restart * 60.0;
                let sample = (restart / self.window_s).floor() * self.window_s;
                // What runs at a restart breaks off uncounted; what ended since the last sample is forgotten.
                envoy == 0 && at_s < restart && ended_s >= sample
            });
            let Some(end) = self.window_of(envoy, ended_s, targets, windows.len()).filter(|_| !lost) else {
                continue;
            };
            let is_first = turn == 0 && self.knows_first_turns;
            let window = &mut windows[end];
            let flow = side(&mut window.flow, is_version);
            flow.requests += 1;
            flow.first_turns += u64::from(is_first);
            record(window, is_version, shard, is_first, events);
            // Failed requests have no answer.
            let [is_error, ..] = events;
            if is_error {
                continue;
            }
            let sizes = [chars, first_ms, token_us, answer_s * 1e3];
            record_sums(window, is_version, shard, sizes);
            let flush = |at_s: f64| ((at_s / self.flush_s + 0.5).ceil() - 0.5) * self.flush_s;
            let shown_s = if self.flush_s > 0.0 { flush(ended_s) } else { ended_s };
            if let Some(shown) = self.window_of(envoy, shown_s, targets, windows.len()) {
                record_buckets(&mut windows[shown], is_version, sizes);
            }
        }
    }

    fn window_of(
        &self,
        envoy: usize,
        at_s: f64,
        targets: &[Vec<Option<usize>>],
        count: usize,
    ) -> Option<usize> {
        let window = (at_s / self.window_s).floor();
        if window < 0.0 || window >= count as f64 { None } else { targets[envoy][window as usize] }
    }
}

fn side<T>(pair: &mut Pair<T>, is_version: bool) -> &mut T {
    if is_version { &mut pair.version } else { &mut pair.baseline }
}

const RATE_SIGNALS: [Signal; RATES] =
    [Signal::Errors, Signal::Refusals, Signal::Defects, Signal::LengthStops];
const SIZE_SIGNALS: [Signal; SIZES] =
    [Signal::ResponseChars, Signal::TimeToFirstToken, Signal::TimePerOutputToken, Signal::RequestDuration];

/// A window without traffic.
pub(crate) fn empty(index: usize, window_s: f64) -> Window {
    let edges = [CHARS, FIRST_MS, TOKEN_US, DURATION_MS];
    let distribution = |(signal, edges): (Signal, &[f64])| {
        let histogram = || Histogram { counts: vec![0; edges.len() + 1], sum: 0.0, squares: Some(0.0) };
        let totals = || Box::new([Total::default(); SHARDS]);
        let has_shards = matches!(signal, Signal::ResponseChars | Signal::TimeToFirstToken);
        let distribution = Distribution {
            edges: Arc::from(edges),
            histograms: Pair { version: histogram(), baseline: histogram() },
            shards: has_shards.then(|| Pair { version: totals(), baseline: totals() }),
        };
        (signal, distribution)
    };
    let rate = |signal: Signal| {
        let counts = || Box::new([Count::default(); SHARDS]);
        let has_first = matches!(signal, Signal::Errors | Signal::Refusals);
        let rate = Rate {
            counts: Pair::default(),
            first_turns: has_first.then(Pair::default),
            shards: Some(Pair { version: counts(), baseline: counts() }),
        };
        (signal, rate)
    };
    Window {
        start_ms: (index as f64 * window_s * 1e3) as i64,
        end_ms: ((index + 1) as f64 * window_s * 1e3) as i64,
        rates: RATE_SIGNALS.map(rate).into(),
        distributions: SIZE_SIGNALS.into_iter().zip(edges).map(distribution).collect(),
        ..Window::default()
    }
}

fn without_shards(window: &mut Window) {
    window.rates.values_mut().for_each(|rate| rate.shards = None);
    window.distributions.values_mut().for_each(|distribution| distribution.shards = None);
}

fn record(window: &mut Window, is_version: bool, shard: usize, is_first: bool, events: [bool; RATES]) {
    let add = |count: &mut Count, event: bool| {
        count.n += 1;
        count.d += u64::from(event);
    };
    for (rate, event) in window.rates.values_mut().zip(events) {
        add(side(&mut rate.counts, is_version), event);
        if let Some(first) = rate.first_turns.as_mut().filter(|_| is_first) {
            add(side(first, is_version), event);
        }
        if let Some(shards) = &mut rate.shards {
            add(&mut side(shards, is_version)[shard], event);
        }
    }
    // Requests without an answer count 0 in the sums by shard.
    for shards in window.distributions.values_mut().filter_map(|distribution| distribution.shards.as_mut()) {
        side(shards, is_version)[shard].n += 1;
    }
}

fn record_sums(window: &mut Window, is_version: bool, shard: usize, sizes: [f64; SIZES]) {
    for (distribution, size) in window.distributions.values_mut().zip(sizes) {
        if let Some(shards) = &mut distribution.shards {
            side(shards, is_version)[shard].sum += size;
        }
        let histogram = side(&mut distribution.histograms, is_version);
        histogram.sum += size;
        *histogram.squares.as_mut().unwrap() += size * size;
    }
}

fn record_buckets(window: &mut Window, is_version: bool, sizes: [f64; SIZES]) {
    for (distribution, size) in window.distributions.values_mut().zip(sizes) {
        let bucket = distribution.edges.partition_point(|edge| *edge < size);
        side(&mut distribution.histograms, is_version).counts[bucket] += 1;
    }
}
