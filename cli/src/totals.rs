//! What was counted of a version and its baseline since the evidence began: for people, not for the verdict.
//!
//! In: windows. Out: sums, and the rate of the last windows. Windows that the verdict leaves out count here.

use llm_canary_verdict::policy::Price;
use llm_canary_verdict::signal::Signal;
use llm_canary_verdict::steps::quantile;
use llm_canary_verdict::window::{Count, Distribution, Pair, Window};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// The present rate is that of so many windows.
const RECENT_WINDOWS: usize = 10;
/// Prices are of so many tokens, and costs of so many requests.
const PRICED_TOKENS: f64 = 1e6;
const COSTED_REQUESTS: f64 = 1e3;

/// Sums over windows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    requests: Pair<u64>,
    rates: BTreeMap<Signal, Pair<Count>>,
    sizes: BTreeMap<Signal, Sizes>,
    input: Pair<InputTokens>,
    /// The length of each of the last windows, and the requests in it.
    recent: VecDeque<(i64, Pair<u64>)>,
}

#[derive(Clone, Debug)]
struct Sizes {
    edges: Arc<[f64]>,
    counts: Pair<Vec<u64>>,
    sums: Pair<f64>,
}

/// Input tokens as reported.
#[derive(Clone, Copy, Debug, Default)]
struct InputTokens {
    all: f64,
    /// Those that a cache held.
    cached: f64,
}

impl InputTokens {
    /// What those cost that come with one token of input.
    ///
    /// Most servers count what is cached as part of the input. Where more is cached than there is input, they do not.
    fn price(self, price: &Price) -> f64 {
        let cached_price = price.cached_input.unwrap_or(price.input);
        let cached = if self.all > 0.0 { self.cached / self.all } else { 0.0 };
        let uncached = if cached <= 1.0 { 1.0 - cached } else { 1.0 };
        uncached * price.input + cached * cached_price
    }
}

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Version,
    Baseline,
}

impl Side {
    fn of<T>(self, pair: Pair<T>) -> T {
        match self {
            Self::Version => pair.version,
            Self::Baseline => pair.baseline,
        }
    }
}

impl Totals {
    pub(crate) fn push(&mut self, window: &Window) {
        let requests = window.flow.map(|flow| flow.requests);
        self.requests.version = self.requests.version.saturating_add(requests.version);
        self.requests.baseline = self.requests.baseline.saturating_add(requests.baseline);
        self.recent.push_back((window.end_ms.saturating_sub(window.start_ms), requests));
        while self.recent.len() > RECENT_WINDOWS {
            self.recent.pop_front();
        }
        self.push_input(window);
        for (signal, rate) in &window.rates {
            let sum = self.rates.entry(signal.clone()).or_default();
            sum.version.add(rate.counts.version);
            sum.baseline.add(rate.counts.baseline);
        }
        for (signal, distribution) in &window.distributions {
            match self.sizes.get_mut(signal).filter(|sizes| sizes.edges == distribution.edges) {
                Some(sizes) => sizes.add(distribution),
                // The first window, or other buckets from here on.
                None => {
                    self.sizes.insert(signal.clone(), Sizes::new(distribution));
                }
            }
        }
    }

    fn push_input(&mut self, window: &Window) {
        let Some(all) = window.distributions.get(&Signal::InputTokens) else { return };
        let add = |tokens: &mut InputTokens, all: f64, cached: u64| {
            tokens.all += all;
            tokens.cached += cached as f64;
        };
        let cached = window.flow.map(|flow| flow.cached_input_tokens);
        add(&mut self.input.version, all.histograms.version.sum, cached.version);
        add(&mut self.input.baseline, all.histograms.baseline.sum, cached.baseline);
    }

    pub(crate) fn requests(&self, side: Side) -> u64 {
        side.of(self.requests)
    }

    /// Requests a second, in the last windows.
    pub(crate) fn per_second(&self, side: Side) -> Option<f64> {
        let ms: i64 = self.recent.iter().map(|(ms, _)| *ms).sum();
        let requests: u64 = self.recent.iter().map(|(_, requests)| side.of(*requests)).sum();
        (ms > 0).then(|| requests as f64 * 1e3 / ms as f64)
    }

    /// The rate of a signal.
    pub(crate) fn rate(&self, signal: &Signal, side: Side) -> Option<f64> {
        let count = side.of(*self.rates.get(signal)?);
        (count.n > 0).then(|| count.rate())
    }

    /// The mean of a quantity.
    pub(crate) fn mean(&self, signal: &Signal, side: Side) -> Option<f64> {
        let sizes = self.sizes.get(signal)?;
        let responses = side.of(sizes.counts.each()).iter().sum::<u64>();
        (responses > 0).then(|| side.of(sizes.sums) / responses as f64)
    }

    /// The bucket in which a quantile lies, as its edges.
    pub(crate) fn quantile(&self, signal: &Signal, part: f64, side: Side) -> Option<(f64, f64)> {
        let sizes = self.sizes.get(signal)?;
        quantile(side.of(sizes.counts.each()).as_slice(), &sizes.edges, part)
    }

    /// The responses of a quantity by bucket, with the buckets' upper edges; one more bucket for what is above the last.
    pub(crate) fn buckets(&self, signal: &Signal) -> Option<(&[f64], Pair<&[u64]>)> {
        let sizes = self.sizes.get(signal)?;
        Some((&sizes.edges, sizes.counts.each().map(Vec::as_slice)))
    }

    /// The events of all rates that were seen.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&Signal, Pair<Count>)> {
        self.rates.iter().map(|(signal, counts)| (signal, *counts))
    }

    /// Tokens a second within an answer, by the mean time of a token.
    pub(crate) fn tokens_per_second(&self, side: Side) -> Option<f64> {
        let us = self.mean(&Signal::TimePerOutputToken, side)?;
        (us > 0.0).then(|| 1e6 / us)
    }

    /// What 1,000 requests cost whose tokens are known.
    pub(crate) fn cost(&self, price: &Price, side: Side) -> Option<f64> {
        let input = self.mean(&Signal::InputTokens, side)? * side.of(self.input).price(price);
        let output = self.mean(&Signal::OutputTokens, side)? * price.output;
        Some((input + output) * COSTED_REQUESTS / PRICED_TOKENS)
    }
}

impl Sizes {
    fn new(distribution: &Distribution) -> Self {
        Self {
            edges: Arc::clone(&distribution.edges),
            counts: distribution.histograms.each().map(|histogram| histogram.counts.clone()),
            sums: distribution.histograms.each().map(|histogram| histogram.sum),
        }
    }

    fn add(&mut self, distribution: &Distribution) {
        let add = |counts: &mut Vec<u64>, more: &[u64]| {
            for (count, more) in counts.iter_mut().zip(more) {
                *count = count.saturating_add(*more);
            }
        };
        let histograms = &distribution.histograms;
        add(&mut self.counts.version, &histograms.version.counts);
        add(&mut self.counts.baseline, &histograms.baseline.counts);
        self.sums.version += histograms.version.sum;
        self.sums.baseline += histograms.baseline.sum;
    }
}

#[cfg(test)]
mod tests {
    use super::{Side, Totals};
    use crate::tests::traffic::{Traffic, windows};
    use llm_canary_verdict::policy::Price;
    use llm_canary_verdict::signal::Signal;
    use llm_canary_verdict::window::Pair;

    #[test]
    fn windows_add_up() {
        let traffic =
            Pair { version: Traffic { chars: 1800.0, ..Traffic::new(100) }, baseline: Traffic::new(900) };
        let mut totals = Totals::default();
        assert_eq!(totals.per_second(Side::Version), None);
        windows(30, traffic).iter().for_each(|window| totals.push(window));
        assert_eq!((totals.requests(Side::Version), totals.requests(Side::Baseline)), (3_000, 27_000));
        assert_eq!(
            (totals.per_second(Side::Version), totals.per_second(Side::Baseline)),
            (Some(100.0 / 60.0), Some(15.0))
        );
        assert_eq!(totals.rate(&Signal::Refusals, Side::Baseline), Some(0.01));
        assert_eq!(totals.rate(&Signal::Retries, Side::Baseline), None);
        let near = |found: Option<f64>, expect: f64| {
            assert!(found.is_some_and(|found| (found - expect).abs() < 1e-6), "{found:?}")
        };
        near(totals.mean(&Signal::ResponseChars, Side::Version), 1800.0);
        near(totals.tokens_per_second(Side::Version), 50.0);
        assert_eq!(totals.quantile(&Signal::TimeToFirstToken, 0.5, Side::Version), Some((200.0, 300.0)));
        let price = Price { input: 0.1, cached_input: None, output: 0.4 };
        // 500 tokens in and 450 out, of each of 1,000 requests.
        near(totals.cost(&price, Side::Version), 0.05 + 0.18);
        near(totals.cost(&price, Side::Baseline), 0.05 + 0.09);
    }

    #[test]
    fn what_a_cache_holds_is_cheaper() {
        let traffic = Pair { version: Traffic::new(10), baseline: Traffic::new(90) };
        let cost = |cached_input, tokens: u64| {
            let mut totals = Totals::default();
            for mut window in windows(20, traffic) {
                window.flow.version.cached_input_tokens = tokens;
                totals.push(&window);
            }
            // 500 tokens in and 225 out, of each of 1,000 requests.
            assert!(
                totals
                    .cost(&Price { input: 0.1, cached_input, output: 0.0 }, Side::Baseline)
                    .is_some_and(|cost| (cost - 0.05).abs() < 1e-9)
            );
            totals.cost(&Price { input: 0.1, cached_input, output: 0.0 }, Side::Version).unwrap()
        };
        // Of 5,000 tokens a window.
        for (cached_input, tokens, expect) in [
            (Some(0.02), 0, 0.05),
            (Some(0.02), 2_500, 0.025 + 0.005),
            (Some(0.02), 5_000, 0.01),
            (None, 2_500, 0.05),
            // As Anthropic reports them, apart: 1,000 of each request.
            (Some(0.02), 10_000, 0.05 + 0.02),
            (None, 10_000, 0.05 + 0.1),
        ] {
            let found = cost(cached_input, tokens);
            assert!((found - expect).abs() < 1e-9, "{cached_input:?} {tokens}: {found}");
        }
    }

    #[test]
    fn other_buckets_begin_anew() {
        let traffic = Pair { version: Traffic::new(10), baseline: Traffic::new(10) };
        let mut some = windows(2, traffic);
        some[1].distributions.get_mut(&Signal::ResponseChars).unwrap().edges = [1.0].into();
        for histogram in [Side::Version, Side::Baseline] {
            let histograms = &mut some[1].distributions.get_mut(&Signal::ResponseChars).unwrap().histograms;
            let histogram =
                if histogram == Side::Version { &mut histograms.version } else { &mut histograms.baseline };
            (histogram.counts, histogram.sum) = (vec![0, 10], 20.0);
        }
        let mut totals = Totals::default();
        some.iter().for_each(|window| totals.push(window));
        assert_eq!(totals.mean(&Signal::ResponseChars, Side::Version), Some(2.0));
    }
}
