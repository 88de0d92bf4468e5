//! Steps → the split that is in force at a time.
//!
//! In: for each step, the time at which it takes effect and the shares from then on. Out: the split at a time, and
//! whether a bucket changed its version lately. Splits depend on the steps and on nothing else, so every Envoy with the
//! same steps and a correct clock answers the same. It knows nothing of names or keys, and reads no clock.

use crate::split::{Share, Split};
use crate::timestamp::UnixMs;
use alloc::vec::Vec;

/// A sequence of splits: one before the first step, and one from each step on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    /// The split before the first step.
    first: Split,
    /// Ordered by time.
    steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it takes effect.
    pub at: UnixMs,
    /// The split from then on.
    pub split: Split,
}

impl Steps {
    /// One split for all time, without steps.
    #[must_use]
    pub fn always(split: Split) -> Self {
        Self { first: split, steps: Vec::new() }
    }

    /// Computes the split of each step, starting from a line that belongs to the baseline as a whole. The times must not
    /// decrease.
    #[must_use]
    pub fn replay<'s>(baseline: usize, steps: impl IntoIterator<Item = (UnixMs, &'s [Share])>) -> Self {
        let mut all = Self::always(Split::baseline(baseline));
        for (at, shares) in steps {
            let split = all.split(all.count()).then(shares);
            all.steps.push(Step { at, split });
        }
        all
    }

    /// How many steps have taken effect at a time.
    #[must_use]
    pub fn taken_by(&self, time: UnixMs) -> usize {
        self.steps.partition_point(|step| step.at <= time)
    }

    /// The split after so many steps.
    #[must_use]
    pub fn split(&self, steps_taken: usize) -> &Split {
        let step = steps_taken.checked_sub(1).and_then(|last| self.steps.get(last));
        step.map_or(&self.first, |step| &step.split)
    }

    /// The split at a time.
    #[must_use]
    pub fn at(&self, time: UnixMs) -> &Split {
        self.split(self.taken_by(time))
    }

    /// Whether the version of a bucket changed after `since` and not later than `now`.
    #[must_use]
    pub fn has_moved(&self, bucket: u32, since: UnixMs, now: UnixMs) -> bool {
        let (first, last) = (self.taken_by(since), self.taken_by(now));
        let mut versions = (first..=last).map(|steps_taken| self.split(steps_taken).version(bucket));
        let before = versions.next();
        versions.any(|version| Some(version) != before)
    }

    /// How many steps there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.steps.len()
    }

    /// The steps, ordered by time; none where one split holds for all time.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}
