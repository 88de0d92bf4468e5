//! Steps → the split in force at any moment.
//!
//! In: the moments of the steps and the shares that hold from each on. Out: the split at a moment, and whether
//! a bucket changed hands lately. Nothing else says anything about shares, so every Envoy with the same
//! steps and a clock answers the same, about the past as about what is planned.

use crate::split::{Share, Split};
use crate::timestamp::UnixMs;
use alloc::vec::Vec;

/// A split for each stretch of time, the first of which has no beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    /// What holds before the first step.
    first: Split,
    /// In the order of their moments.
    steps: Vec<Step>,
}

/// A moment, and the split from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it takes effect.
    pub at: UnixMs,
    /// What holds then.
    pub split: Split,
}

impl Steps {
    /// One split that has always held.
    #[must_use]
    pub fn always(split: Split) -> Self {
        Self { first: split, steps: Vec::new() }
    }

    /// Replays steps, from a line that is all the baseline's. Their moments must not decrease.
    #[must_use]
    pub fn replay<'s>(baseline: usize, steps: impl IntoIterator<Item = (UnixMs, &'s [Share])>) -> Self {
        let mut all = Self::always(Split::baseline(baseline));
        for (at, shares) in steps {
            let split = all.split(all.count()).then(shares);
            all.steps.push(Step { at, split });
        }
        all
    }

    /// The stretch of time a moment lies in: how many steps had been taken by then.
    #[must_use]
    pub fn taken_by(&self, moment: UnixMs) -> usize {
        self.steps.partition_point(|step| step.at <= moment)
    }

    /// The split once so many steps have been taken.
    #[must_use]
    pub fn split(&self, taken: usize) -> &Split {
        let step = taken.checked_sub(1).and_then(|last| self.steps.get(last));
        step.map_or(&self.first, |step| &step.split)
    }

    /// The split at a moment.
    #[must_use]
    pub fn at(&self, moment: UnixMs) -> &Split {
        self.split(self.taken_by(moment))
    }

    /// Whether a bucket got another owner after `since`, up to and with `now`.
    #[must_use]
    pub fn has_moved(&self, bucket: u32, since: UnixMs, now: UnixMs) -> bool {
        let (first, last) = (self.taken_by(since), self.taken_by(now));
        let mut owners = (first..=last).map(|taken| self.split(taken).version(bucket));
        let before = owners.next();
        owners.any(|owner| Some(owner) != before)
    }

    /// How many steps there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.steps.len()
    }

    /// The steps, in order; none where one split has always held.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}
