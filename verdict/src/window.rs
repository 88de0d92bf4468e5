//! What was counted in one window of time: the input of everything here.
//!
//! All numbers are increments within the window, added up over all instances, and only of requests whose version was
//! drawn at random (`llm_compare="yes"`). A signal whose series do not exist is left out of the maps: that is not the
//! same as a count of zero.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::math::{ratio, real};
use crate::signal::Signal;

/// Groups of conversations that are counted apart.
pub const SHARDS: usize = 32;

/// The same of the version and of its baseline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pair<T> {
    /// The version's.
    pub version: T,
    /// The baseline's.
    pub baseline: T,
}

impl<T> Pair<T> {
    /// Each side through a function.
    pub fn map<U>(self, mut map: impl FnMut(T) -> U) -> Pair<U> {
        Pair { version: map(self.version), baseline: map(self.baseline) }
    }

    /// Each side by reference.
    #[must_use]
    pub fn each(&self) -> Pair<&T> {
        Pair { version: &self.version, baseline: &self.baseline }
    }

    /// The version in the baseline's place, and the other way round.
    #[must_use]
    pub fn swapped(self) -> Self {
        Self { version: self.baseline, baseline: self.version }
    }

    /// Whether something is true of both sides.
    pub fn both(&self, is: impl Fn(&T) -> bool) -> bool {
        is(&self.version) && is(&self.baseline)
    }

    /// Whether something is true of one side at least.
    pub fn either(&self, is: impl Fn(&T) -> bool) -> bool {
        is(&self.version) || is(&self.baseline)
    }
}

/// Events of so many requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Requests, or whatever the events are a rate of.
    pub n: u64,
    /// Events; what exceeds `n` does not count.
    pub d: u64,
}

impl Count {
    /// The rate; 0 of no requests.
    #[must_use]
    pub fn rate(self) -> f64 {
        ratio(real(self.d.min(self.n)), real(self.n))
    }

    /// Adds another count.
    pub fn add(&mut self, other: Self) {
        self.n = self.n.saturating_add(other.n);
        self.d = self.d.saturating_add(other.d.min(other.n));
    }
}

/// The counts of [`Signal::ToolResponses`]: of the responses that were offered tools, where that is counted on both sides,
/// and else of all requests.
#[must_use]
pub fn tool_responses(responses: Pair<u64>, offered: Pair<u64>, requests: Pair<u64>) -> Pair<Count> {
    let is_counted = offered.version >= responses.version
        && offered.baseline >= responses.baseline
        && offered.either(|n| *n > 0);
    let n = if is_counted { offered } else { requests };
    Pair {
        version: Count { n: n.version, d: responses.version },
        baseline: Count { n: n.baseline, d: responses.baseline },
    }
}

/// The exact sum of a quantity over the requests of a shard. Requests without the quantity count 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Total {
    /// Requests.
    pub n: u64,
    /// Their sum.
    pub sum: f64,
}

/// Responses by size.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// Responses in each bucket: up to each edge of [`Distribution::edges`], and one more for what is above the last.
    pub counts: Vec<u64>,
    /// The sum over the responses.
    pub sum: f64,
    /// The sum of their squares; `None` if it is not known, and the middles of the buckets must do.
    pub squares: Option<f64>,
}

impl Histogram {
    /// How many responses there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

/// One rate of a window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rate {
    /// Of all requests.
    pub counts: Pair<Count>,
    /// Of the first turns of conversations alone, where they are known.
    pub first_turns: Option<Pair<Count>>,
    /// By shard, where that is known.
    pub shards: Option<Pair<Box<[Count; SHARDS]>>>,
}

/// One distribution of a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// The buckets' upper edges, ascending.
    pub edges: Arc<[f64]>,
    /// The responses of each side.
    pub histograms: Pair<Histogram>,
    /// Sums by shard, where they are known.
    pub shards: Option<Pair<Box<[Total; SHARDS]>>>,
}

/// What passed, on one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Requests that ended, however they did.
    pub requests: u64,
    /// Of these, those that opened their conversation; 0 where that is not known.
    pub first_turns: u64,
    /// Requests that a version was chosen for.
    pub decisions: u64,
    /// Of these, those chosen by the split in force (reason `split`).
    pub split_decisions: u64,
    /// Responses whose body could not be read.
    pub unread: u64,
    /// Responses that named another version than the request was routed to.
    pub mismatches: u64,
    /// Input tokens that a model's cache held, as reported. Nothing is judged by them: they are cheaper.
    pub cached_input_tokens: u64,
}

/// Everything counted in one window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Window {
    /// When it began, in Unix milliseconds.
    pub start_ms: i64,
    /// When it ended: the time of its latest sample.
    pub end_ms: i64,
    /// Whether samples are missing in it. Its counts are judged all the same.
    pub is_missing: bool,
    /// What passed.
    pub flow: Pair<Flow>,
    /// The rates whose series exist.
    pub rates: BTreeMap<Signal, Rate>,
    /// The distributions whose series exist.
    pub distributions: BTreeMap<Signal, Distribution>,
}

impl Window {
    /// Whether there is any sample in it. Without one nothing is known of it, not even that nothing happened.
    #[must_use]
    pub fn has_samples(&self) -> bool {
        !self.is_missing || !self.rates.is_empty() || !self.distributions.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{Count, Pair, tool_responses};

    #[test]
    fn tools_that_were_offered() {
        let pair = |version, baseline| Pair { version, baseline };
        let n =
            |offered: Pair<u64>| tool_responses(pair(5, 50), offered, pair(100, 900)).map(|count| count.n);
        assert_eq!(n(pair(20, 200)), pair(20, 200));
        assert_eq!(n(pair(4, 200)), pair(100, 900));
        assert_eq!(n(pair(0, 0)), pair(100, 900));
    }

    #[test]
    fn counts() {
        let mut count = Count { n: u64::MAX, d: 1 };
        count.add(Count { n: 3, d: 9 });
        assert_eq!(count, Count { n: u64::MAX, d: 4 });
        assert_eq!(Count { n: 3, d: 9 }.rate(), 1.0);
        assert_eq!(Count::default().rate(), 0.0);
    }
}
