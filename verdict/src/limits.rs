//! What stops a version without any statistics: many errors within a minute, or no end of any request.
//!
//! Both compare with the baseline in the same minute, so that an outage of what the versions share stops nothing. All
//! windows count here, also those that are left out of the comparison.

use std::collections::VecDeque;

use crate::policy::Limits;
use crate::signal::Signal;
use crate::window::{Count, Pair, Window};

/// Errors are counted over so long.
const ERRORS_MS: i64 = 60_000;

/// A stall needs so many decisions that have waited.
const WAITING_MIN: u64 = 20;

/// More windows than this are not remembered: a minute of windows of 50 ms.
const WINDOWS_MAX: usize = 1_200;

/// A limit that was passed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Passed {
    /// Too many errors, and what the baseline had.
    Errors(Pair<Count>),
    /// So many decisions have waited for so long, in milliseconds, and no request ended.
    Stall {
        /// Decisions.
        waiting: u64,
        /// Since the last end, in milliseconds.
        for_ms: i64,
    },
}

#[derive(Clone, Copy, Debug)]
struct Recent {
    start_ms: i64,
    end_ms: i64,
    errors: Pair<Count>,
    /// The version's decisions that no end has followed.
    waiting: u64,
    /// What ended of the baseline.
    baseline: u64,
}

/// The last windows.
#[derive(Clone, Debug)]
pub struct Watch {
    limits: Limits,
    recent: VecDeque<Recent>,
}

impl Watch {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, recent: VecDeque::new() }
    }

    /// Takes in a window, and says whether a limit is passed. No answer is expected before `patience_ms` have passed:
    /// the time within which the baseline answers.
    pub fn push(&mut self, window: &Window, patience_ms: i64) -> Option<Passed> {
        let flow = window.flow;
        if flow.version.requests > 0 {
            self.recent.iter_mut().for_each(|recent| recent.waiting = 0);
        }
        self.recent.push_back(Recent {
            start_ms: window.start_ms,
            end_ms: window.end_ms,
            errors: window.rates.get(&Signal::Errors).map(|rate| rate.counts).unwrap_or_default(),
            waiting: if flow.version.requests > 0 { 0 } else { flow.version.decisions },
            baseline: flow.baseline.requests,
        });
        let kept_ms = patience_ms.max(ERRORS_MS).saturating_mul(2);
        let is_old = |recent: &Recent| window.end_ms.saturating_sub(recent.end_ms) > kept_ms;
        while self.recent.len() > WINDOWS_MAX || self.recent.front().is_some_and(is_old) {
            let oldest = self.recent.pop_front().map_or(0, |recent| recent.waiting);
            if let Some(next) = self.recent.front_mut() {
                next.waiting = next.waiting.saturating_add(oldest);
            }
        }
        self.errors(window.end_ms).or_else(|| self.stall(window.end_ms, patience_ms))
    }

    fn errors(&self, now_ms: i64) -> Option<Passed> {
        let limit = self.limits.errors?;
        let mut counts = Pair::<Count>::default();
        // The last window always counts, however long it is.
        let is_recent = |recent: &&Recent| now_ms.saturating_sub(recent.start_ms) <= ERRORS_MS;
        let older = self.recent.iter().rev().skip(1).take_while(is_recent);
        for recent in self.recent.back().into_iter().chain(older) {
            counts.version.add(recent.errors.version);
            counts.baseline.add(recent.errors.baseline);
        }
        let (rate, usual) = (counts.version.rate(), counts.baseline.rate());
        let is_passed =
            counts.version.n >= limit.of && rate >= limit.above && rate >= limit.times * usual && rate > 0.0;
        is_passed.then_some(Passed::Errors(counts))
    }

    fn stall(&self, now_ms: i64, patience_ms: i64) -> Option<Passed> {
        let stall_ms = self.limits.stall_ms?.max(patience_ms);
        let age = |recent: &&Recent| now_ms.saturating_sub(recent.end_ms);
        let has_waited = self.recent.iter().filter(|recent| age(recent) >= stall_ms);
        let waiting = has_waited.fold(0_u64, |sum, recent| sum.saturating_add(recent.waiting));
        let for_ms = self.recent.iter().filter(|recent| recent.waiting > 0).map(|recent| age(&recent)).max();
        let baseline_ends =
            self.recent.iter().filter(|recent| age(recent) < stall_ms).any(|recent| recent.baseline > 0);
        (waiting >= WAITING_MIN && baseline_ends)
            .then_some(Passed::Stall { waiting, for_ms: for_ms.unwrap_or(stall_ms) })
    }
}

#[cfg(test)]
mod tests;
