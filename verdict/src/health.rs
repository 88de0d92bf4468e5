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

/// What was seen of each window.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    recent: VecDeque<Recent>,
    totals: Pair<Flow>,
}

#[derive(Clone, Copy, Debug)]
struct Recent {
    start_ms: i64,
    end_ms: i64,
    version: u64,
    expected: f64,
}

/// What else the rows are about.
#[derive(Clone, Debug)]
pub struct Facts<'f> {
    /// `ln E` against the share in force.
    pub share_ln_e: Option<f64>,
    /// The shares, configured and observed.
    pub shares: (Option<f64>, Option<f64>),
    /// The version's events by shard, signal by signal.
    pub shards: Vec<(String, &'f [Count; SHARDS])>,
}

impl Seen {
    /// Takes in a window; `share` is the version's part of what the two versions have together.
    pub fn push(&mut self, window: &Window, share: f64) {
        let flow = window.flow;
        let requests = flow.map(|flow| flow.requests.max(flow.decisions));
        self.recent.push_back(Recent {
            start_ms: window.start_ms,
            end_ms: window.end_ms,
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
            let (state, detail) = match self.row(row, look, facts) {
                None => (State::Absent, None),
                Some(None) => (State::Ok, None),
                Some(detail) => (state(policy.effect(row)), detail),
            };
            Health { row, state, detail }
        };
        Row::ALL.map(row).into()
    }

    /// `None`: nothing is known. `Some(None)`: in order. Else what is not in order.
    fn row(&self, row: Row, look: &Look, facts: &Facts<'_>) -> Option<Option<String>> {
        match row {
            Row::NoTraffic => self.no_traffic(),
            Row::Stale => self.stale(look),
            Row::Config => Some(look.config.clone()),
            Row::Mismatch => {
                let count_of = self.totals.version.mismatches;
                let detail =
                    || format!("{} responses named another model than the one routed to", count(count_of));
                Some((count_of > 0).then(detail))
            }
            Row::Share => {
                let (configured, observed) = (facts.shares.0?, facts.shares.1.unwrap_or(0.0));
                let detail =
                    || format!("{} of requests instead of {}", percent(observed), percent(configured));
                Some((facts.share_ln_e? >= LN_SHARE).then(detail))
            }
            Row::Shard => shard(&facts.shards),
            Row::Unread => {
                let part = |flow: Flow| ratio(real(flow.unread), real(flow.requests));
                let parts = self.totals.map(part);
                let most = parts.version.max(parts.baseline);
                let detail = || format!("{} of responses cannot be read", percent(most));
                self.totals.either(|flow| flow.requests > 0).then(|| (most > UNREAD).then(detail))
            }
        }
    }

    fn no_traffic(&self) -> Option<Option<String>> {
        if self.recent.len() < WINDOWS {
            return None;
        }
        let expected: f64 = self.recent.iter().map(|recent| recent.expected).sum();
        let has_none = self.recent.iter().all(|recent| recent.version == 0);
        let detail =
            || format!("no request of the version in {WINDOWS} windows; about {} expected", short(expected));
        Some((has_none && expected >= EXPECTED_MIN).then(detail))
    }

    fn stale(&self, look: &Look) -> Option<Option<String>> {
        let last = self.recent.back()?;
        let length = last.end_ms.saturating_sub(last.start_ms).max(1);
        let age = look.now_ms.saturating_sub(last.end_ms);
        let detail = || format!("the newest sample is {} s old", count((age / 1000).max(0).unsigned_abs()));
        Some((age > length.saturating_mul(WINDOWS as i64)).then(detail))
    }
}

fn state(effect: Effect) -> State {
    match effect {
        Effect::Warn => State::Warn,
        Effect::Hold => State::Hold,
        Effect::Stop => State::Stop,
    }
}

/// Whether one shard has most events of a signal.
fn shard(signals: &[(String, &[Count; SHARDS])]) -> Option<Option<String>> {
    let most = |(name, shards): &(String, &[Count; SHARDS])| {
        let all = shards.iter().fold(0_u64, |sum, shard| sum.saturating_add(shard.d));
        let (number, largest) = shards.iter().enumerate().max_by_key(|(_, shard)| shard.d)?;
        let is_most = all >= SHARD_EVENTS_MIN && largest.d > all / 2;
        is_most.then(|| format!("shard {number} has {} of {} {name}", count(largest.d), count(all)))
    };
    (!signals.is_empty()).then(|| signals.iter().find_map(most))
}

#[cfg(test)]
mod tests;
