//! Steps of a ramp, and the windows that they spoil.
//!
//! A request is labelled at its head and counted at its end. After a step a version therefore shows its short answers
//! first, and the baseline still shows long ones from before. So the windows after a step, and after the version's first
//! traffic, are left out until the answers that were under way have ended.

use crate::math::{ratio, real, two_sided};
use crate::policy::Policy;
use crate::signal::Signal;
use crate::window::{Count, Distribution, Histogram, Pair, Window};

/// The part of the baseline's answers that must have ended by then.
const ENDED: f64 = 0.99;

/// A share that differs by more than chance would with this probability has been changed.
const CHANCE: f64 = 0.001;

/// From a time on, a version has a share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// The version's share of all requests, as a part of 1.
    pub share: f64,
    /// The baseline's.
    pub baseline: f64,
}

impl Step {
    /// The version's share of what the two have together.
    #[must_use]
    pub fn share_of_both(&self) -> f64 {
        ratio(self.share, self.share + self.baseline)
    }
}

/// What a window is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// There is no traffic of the version yet, or answers from before a step may still be under way.
    LeftOut,
    /// All signals but times are compared: the version's caches may be cold.
    WarmUp,
    /// All signals are compared.
    Compared,
}

/// What is known of a window before it is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// What it is good for.
    pub good_for: Use,
    /// Whether a step lies between it and the window before.
    pub is_step: bool,
}

/// Follows the steps through the windows.
#[derive(Clone, Debug)]
pub struct Steps {
    /// `None`: found in the traffic.
    known: Option<Vec<Step>>,
    warmup_ms: i64,
    /// Windows are left out for at least this time.
    settle_ms: i64,
    /// The baseline's answers by duration, so far.
    durations: Vec<u64>,
    edges: Vec<f64>,
    /// The version's first traffic, and whether it began there, as far as one can tell.
    first_ms: Option<i64>,
    begins: bool,
    /// Whether there was a window before.
    is_under_way: bool,
    /// The last step.
    last_ms: Option<i64>,
    /// The time of the last known step that has been seen.
    seen_ms: i64,
    /// Decisions of both versions since the last step; events are the version's.
    since: Count,
}

impl Steps {
    /// The steps of a version, if they are known. Those at or before the first window are where it begins. A policy says how long
    /// a version's caches are cold, and for how long windows are left out at least.
    #[must_use]
    pub fn new(known: Option<Vec<Step>>, policy: &Policy) -> Self {
        let known = known.map(|mut steps| {
            steps.sort_by_key(|step| step.at_ms);
            steps
        });
        Self {
            known,
            warmup_ms: policy.warmup_ms,
            settle_ms: policy.settle_ms,
            durations: Vec::new(),
            edges: Vec::new(),
            first_ms: None,
            begins: true,
            is_under_way: false,
            last_ms: None,
            seen_ms: i64::MIN,
            since: Count::default(),
        }
    }

    /// Learns all steps anew: those that are taken while windows come. The steps before the last window must be as they were.
    pub fn set_known(&mut self, mut steps: Vec<Step>) {
        steps.sort_by_key(|step| step.at_ms);
        self.known = Some(steps);
    }

    /// Takes in a window, and says what it is good for. `phi` is the design effect of the version's share: conversations
    /// of many turns make it vary without any step.
    pub fn push(&mut self, window: &Window, phi: f64) -> Place {
        self.learn(window);
        let step_ms = match &self.known {
            Some(_) => self.last_known(window.end_ms).map(|step| step.at_ms).filter(|at| *at > self.seen_ms),
            None => self.is_changed(window, phi).then_some(window.start_ms),
        };
        if let Some(at) = step_ms {
            self.seen_ms = at;
            self.last_ms = Some(at);
            self.since = Count::default();
        }
        let traffic = decisions(window);
        self.since.add(Count { n: traffic.version.saturating_add(traffic.baseline), d: traffic.version });
        if self.first_ms.is_none() && (traffic.version > 0 || window.flow.version.requests > 0) {
            // Evidence may begin long after the version's traffic did.
            let earlier = if self.is_under_way { None } else { self.rise_before(window.start_ms) };
            self.begins = earlier.is_none();
            self.first_ms = Some(earlier.unwrap_or(window.start_ms));
        }
        self.is_under_way = true;
        Place { good_for: self.good_for(window), is_step: step_ms.is_some() }
    }

    /// The last known step before a time.
    fn last_known(&self, before_ms: i64) -> Option<Step> {
        self.known.as_ref()?.iter().rev().find(|step| step.at_ms < before_ms).copied()
    }

    /// When the version last rose from nothing, before a time, as far as steps are known.
    fn rise_before(&self, before_ms: i64) -> Option<i64> {
        let steps = self.known.as_ref()?.iter().take_while(|step| step.at_ms < before_ms);
        let rise = |(rise, share): (Option<i64>, f64), step: &Step| match (share > 0.0, step.share > 0.0) {
            (false, true) => (Some(step.at_ms), step.share),
            (true, true) => (rise, step.share),
            (_, false) => (None, step.share),
        };
        steps.fold((None, 0.0), rise).0
    }

    fn good_for(&self, window: &Window) -> Use {
        let Some(first) = self.first_ms else { return Use::LeftOut };
        let age = |since: i64| window.start_ms.saturating_sub(since);
        let traffic = if self.begins { Some(first) } else { None };
        let is_spoilt = self.last_ms.max(traffic).is_some_and(|last| age(last) < self.left_out_ms());
        if is_spoilt {
            Use::LeftOut
        } else if age(first) < self.warmup_ms {
            Use::WarmUp
        } else {
            Use::Compared
        }
    }

    /// How long the windows after a step are left out.
    #[must_use]
    pub fn left_out_ms(&self) -> i64 {
        self.settle_ms.max(self.answers_ms())
    }

    /// Within this time nearly all of the baseline's answers end, as far as buckets tell.
    #[must_use]
    pub fn answers_ms(&self) -> i64 {
        let slow = quantile(&self.durations, &self.edges, ENDED).map_or(0.0, |(_, high)| high);
        let last = self.edges.last().copied().unwrap_or(0.0);
        slow.min(last).max(0.0) as i64
    }

    /// When the version had its first traffic.
    #[must_use]
    pub fn first_ms(&self) -> Option<i64> {
        self.first_ms
    }

    /// The step in force at a time, if it is known.
    #[must_use]
    pub fn in_force(&self, at_ms: i64) -> Option<Step> {
        let none = Step { at_ms: i64::MIN, share: 0.0, baseline: 1.0 };
        self.known.as_ref().map(|_| self.last_known(at_ms).unwrap_or(none))
    }

    /// The version's share of the decisions since the last step.
    #[must_use]
    pub fn observed(&self) -> Option<f64> {
        (self.since.n > 0).then(|| self.since.rate())
    }

    fn learn(&mut self, window: &Window) {
        let Some(durations) = window.distributions.get(&Signal::RequestDuration) else {
            return;
        };
        add(&mut self.durations, &mut self.edges, durations, &durations.histograms.baseline);
    }

    /// Whether the share of a window differs from that since the last step by more than chance.
    fn is_changed(&self, window: &Window, phi: f64) -> bool {
        let traffic = decisions(window);
        let now = Count { n: traffic.version.saturating_add(traffic.baseline), d: traffic.version };
        if now.n == 0 || self.since.n == 0 {
            return false;
        }
        let mut all = self.since;
        all.add(now);
        let variance = all.rate() * (1.0 - all.rate()) * (real(now.n).recip() + real(self.since.n).recip());
        // Half a request for each side: the distribution is discrete.
        let gap =
            (now.rate() - self.since.rate()).abs() - 0.5 * (real(now.n).recip() + real(self.since.n).recip());
        two_sided(ratio(gap.max(0.0), (variance * phi.max(1.0)).sqrt())) < CHANCE
    }
}

/// Requests as they were routed; as they ended, where no decisions are counted.
fn decisions(window: &Window) -> Pair<u64> {
    let flow = window.flow;
    if flow.either(|flow| flow.decisions > 0) {
        flow.map(|flow| flow.decisions)
    } else {
        flow.map(|flow| flow.requests)
    }
}

/// Adds a window's histogram. Where the buckets have changed, it begins anew.
pub(crate) fn add(
    counts: &mut Vec<u64>,
    edges: &mut Vec<f64>,
    distribution: &Distribution,
    histogram: &Histogram,
) {
    if edges[..] != distribution.edges[..] || counts.len() != histogram.counts.len() {
        counts.clear();
        counts.resize(histogram.counts.len(), 0);
        edges.clear();
        edges.extend(distribution.edges.iter());
    }
    for (sum, count) in counts.iter_mut().zip(&histogram.counts) {
        *sum = sum.saturating_add(*count);
    }
}

/// The bucket in which a quantile lies, as its edges; infinite above the last edge. `None` without responses.
#[must_use]
pub fn quantile(counts: &[u64], edges: &[f64], part: f64) -> Option<(f64, f64)> {
    let all: f64 = counts.iter().map(|count| real(*count)).sum();
    if all == 0.0 {
        return None;
    }
    let lower = std::iter::once(0.0).chain(edges.iter().copied());
    let upper = edges.iter().copied().chain(std::iter::repeat(f64::INFINITY));
    let mut below = 0.0;
    let mut buckets = counts.iter().zip(lower.zip(upper));
    let found = buckets.find(|(count, _)| {
        below += real(**count);
        below >= part * all
    });
    found.map(|(_, edges)| edges)
}

#[cfg(test)]
mod tests;
