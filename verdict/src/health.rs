//! Whether the release is in order, and whether enough is known of it.
//!
//! None of this is a comparison of versions: no traffic, old samples, instances that differ, a share that is not the one
//! in force.

use std::collections::VecDeque;

use crate::math::{ratio, real};
use crate::policy::{Effect, Policy, Row};
use crate::window::{Count, Flow, Pair, SHARDS, Window};
use crate::words::{count, percent, short};

/// So many windows without a request, or without a sample, are too many.
const WINDOWS: usize = 3;

/// So many requests must have been expected in them.
const EXPECTED_MIN: f64 = 5.0;

/// `ln E` from which a share is not the one in force: 1,000.
const LN_SHARE: f64 = 6.907_755_278_982_137;

/// A shard with more than half of at least so many events is a fault.
const SHARD_EVENTS_MIN: u64 = 10;

/// From this part of all responses on, those that cannot be read are many.
const UNREAD: f64 = 0.05;

/// The state of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// In order.
    Ok,
    /// Not in order, and only shown.
    Warn,
    /// Not in order: the version gets no greater share.
    Hold,
    /// Not in order: the version is stopped.
    Stop,
    /// Nothing is known of it; it holds nothing.
    Absent,
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    /// Which.
    pub row: Row,
    /// Whether it is in order.
    pub state: State,
    /// What is not in order.
    pub detail: Option<String>,
}

/// What only the caller knows, at the time of a look.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    /// Now, in Unix milliseconds; for evidence from a file, the time of its newest sample.
    pub now_ms: i64,
    /// Which instances run another configuration than most, in words; `None` if all run the same.
    pub config: Option<String>,
}

/// What one row has found.
enum Check {
    Unknown,
    InOrder,
    Fault(String),
}

impl Check {
    fn new(is_fault: bool, words: impl FnOnce() -> String) -> Self {
        if is_fault { Self::Fault(words()) } else { Self::InOrder }
    }
}

/// What was seen of each window.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    recent: VecDeque<Recent>,
    /// The last window with a sample: when it ended, and how long it was.
    sampled_ms: Option<(i64, i64)>,
    totals: Pair<Flow>,
}

#[derive(Clone, Copy, Debug)]
struct Recent {
    version: u64,
    expected: f64,
}

/// What else the rows are about.
#[derive(Clone, Debug)]
pub struct Facts<'f> {
    /// The version's share of what the two versions have together, as configured, if that is known.
    pub configured: Option<f64>,
    /// As seen since the last step.
    pub observed: Option<f64>,
    /// `ln E` that the two differ.
    pub share_ln_e: Option<f64>,
    /// The version's events by shard, signal by signal.
    pub shards: Vec<(String, &'f [Count; SHARDS])>,
}

impl Seen {
    /// Takes in a window; `share` is the version's part of what the two versions have together.
    pub fn push(&mut self, window: &Window, share: f64) {
        let flow = window.flow;
        let requests = flow.map(|flow| flow.requests.max(flow.decisions));
        if window.has_samples() {
            self.sampled_ms = Some((window.end_ms, window.end_ms.saturating_sub(window.start_ms).max(1)));
        }
        self.recent.push_back(Recent {
            version: requests.version,
            expected: share * (real(requests.version) + real(requests.baseline)),
        });
        while self.recent.len() > WINDOWS {
            self.recent.pop_front();
        }
        let add = |sum: &mut Flow, more: Flow| {
            sum.requests = sum.requests.saturating_add(more.requests);
            sum.first_turns = sum.first_turns.saturating_add(more.first_turns);
            sum.decisions = sum.decisions.saturating_add(more.decisions);
            sum.split_decisions = sum.split_decisions.saturating_add(more.split_decisions);
            sum.unread = sum.unread.saturating_add(more.unread);
            sum.mismatches = sum.mismatches.saturating_add(more.mismatches);
        };
        add(&mut self.totals.version, flow.version);
        add(&mut self.totals.baseline, flow.baseline);
    }

    /// Everything that passed.
    #[must_use]
    pub fn totals(&self) -> Pair<Flow> {
        self.totals
    }

    /// All rows at a look.
    #[must_use]
    pub fn rows(&self, policy: &Policy, look: &Look, facts: &Facts<'_>) -> Vec<Health> {
        let row = |row: Row| {
            let (state, detail) = match self.check(row, look, facts) {
                Check::Unknown => (State::Absent, None),
                Check::InOrder => (State::Ok, None),
                Check::Fault(words) => (state(policy.effect(row)), Some(words)),
            };
            Health { row, state, detail }
        };
        Row::ALL.map(row).into()
    }

    fn check(&self, row: Row, look: &Look, facts: &Facts<'_>) -> Check {
        match row {
            Row::NoTraffic => self.no_traffic(),
            Row::Stale => self.stale(look),
            Row::Config => look.config.clone().map_or(Check::InOrder, Check::Fault),
            Row::Mismatch => self.mismatch(),
            Row::Share => share(facts),
            Row::Shard => shard(&facts.shards),
            Row::Unread => self.unread(),
        }
    }

    fn no_traffic(&self) -> Check {
        if self.recent.len() < WINDOWS {
            return Check::Unknown;
        }
        let expected: f64 = self.recent.iter().map(|recent| recent.expected).sum();
        let has_none = self.recent.iter().all(|recent| recent.version == 0);
        Check::new(has_none && expected >= EXPECTED_MIN, || {
            format!("no request of the version in {WINDOWS} windows; about {} expected", short(expected))
        })
    }

    fn stale(&self, look: &Look) -> Check {
        let Some((end_ms, length_ms)) = self.sampled_ms else { return Check::Unknown };
        let age_ms = look.now_ms.saturating_sub(end_ms);
        Check::new(age_ms > length_ms.saturating_mul(WINDOWS as i64), || {
            format!("the newest sample is {} s old", count((age_ms / 1000).max(0).unsigned_abs()))
        })
    }

    fn mismatch(&self) -> Check {
        let responses = self.totals.version.mismatches;
        Check::new(responses > 0, || {
            format!("{} responses named another model than the one routed to", count(responses))
        })
    }

    fn unread(&self) -> Check {
        if self.totals.both(|flow| flow.requests == 0) {
            return Check::Unknown;
        }
        let parts = self.totals.map(|flow| ratio(real(flow.unread), real(flow.requests)));
        let most = parts.version.max(parts.baseline);
        Check::new(most > UNREAD, || format!("{} of responses cannot be read", percent(most)))
    }
}

fn share(facts: &Facts<'_>) -> Check {
    let (Some(configured), Some(ln_e)) = (facts.configured, facts.share_ln_e) else { return Check::Unknown };
    Check::new(ln_e >= LN_SHARE, || {
        let observed = percent(facts.observed.unwrap_or(0.0));
        format!("{observed} of requests instead of {}", percent(configured))
    })
}

/// Whether one shard has most events of a signal.
fn shard(signals: &[(String, &[Count; SHARDS])]) -> Check {
    let fault = |(name, shards): &(String, &[Count; SHARDS])| {
        let all = shards.iter().fold(0_u64, |sum, shard| sum.saturating_add(shard.d));
        let (number, most) = shards.iter().map(|shard| shard.d).enumerate().max_by_key(|(_, d)| *d)?;
        let is_most = all >= SHARD_EVENTS_MIN && most > all / 2;
        is_most.then(|| format!("shard {number} has {} of {} {name}", count(most), count(all)))
    };
    match signals.iter().find_map(fault) {
        Some(words) => Check::Fault(words),
        None if signals.is_empty() => Check::Unknown,
        None => Check::InOrder,
    }
}

fn state(effect: Effect) -> State {
    match effect {
        Effect::Warn => State::Warn,
        Effect::Hold => State::Hold,
        Effect::Stop => State::Stop,
    }
}

#[cfg(test)]
mod tests;
