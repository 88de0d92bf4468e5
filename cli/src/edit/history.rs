//! Old steps: which of them may be dropped, and what it costs to forget others.
//!
//! In: schedules. Out: schedules with fewer steps, and the share of conversations that would move. A conversation keeps
//! the split under which it began, and a split depends on every step before it. So an old step may be dropped in silence
//! only if every bucket keeps its owner at every time; that is a step that changes nothing.

use super::schedule::{Schedule, Step};
use llm_canary::bucket::PARTS;
use llm_canary::config::STEPS_MAX;
use llm_canary::split::{Share, Split, percent};
use llm_canary::steps::Steps;
use llm_canary::timestamp::{UnixMs, rfc3339};

/// The conversations that another version serves after a change of the steps, in parts per million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moved {
    /// Of those that began before the first step that is kept, under any of the steps before it: the most.
    pub(crate) begun_before: u32,
    /// Of those that began later, and of those without a start time, at any time: the most.
    pub(crate) others: u32,
}

impl Schedule {
    /// The splits, as the filter computes them.
    fn splits(&self) -> Steps {
        let index = |name: &str| self.versions.iter().position(|(version, _)| version == name);
        let shares = |step: &Step| -> Vec<Share> {
            let share = |(name, parts): &(String, u32)| Some(Share { version: index(name)?, parts: *parts });
            step.shares.iter().filter_map(share).collect()
        };
        let steps: Vec<(UnixMs, Vec<Share>)> =
            self.steps.iter().map(|step| (step.at, shares(step))).collect();
        let baseline = index(&self.baseline).unwrap_or_default();
        Steps::replay(baseline, steps.iter().map(|(at, shares)| (*at, shares.as_slice())))
    }

    /// The schedule with at most so many steps. The oldest that change nothing are dropped, so there may be more.
    fn without_idle_steps(&self, steps_max: usize) -> Self {
        let splits = self.splits();
        let mut excess = self.steps.len().saturating_sub(steps_max);
        let mut schedule = self.clone();
        schedule.steps.clear();
        for (taken, step) in self.steps.iter().enumerate() {
            let is_idle = splits.split(taken) == splits.split(taken + 1);
            if is_idle && excess > 0 {
                excess -= 1;
            } else {
                schedule.steps.push(step.clone());
            }
        }
        schedule
    }

    /// The schedule without the steps before a time. The step in force at that time stays, with its own time.
    pub(crate) fn forgotten_before(&self, time: UnixMs) -> Self {
        let mut schedule = self.clone();
        let taken = self.steps.iter().filter(|step| step.at <= time).count();
        schedule.steps.drain(..taken.saturating_sub(1));
        schedule
    }

    /// What moves if this schedule becomes another, which may lack its first steps.
    pub(crate) fn moved_by(&self, other: &Self) -> Moved {
        let (before, after) = (self.splits(), other.splits());
        let first = other.steps.first().map_or(UnixMs::MAX, |step| step.at);
        let mut moved = Moved::default();
        for step in &self.steps {
            let parts = self.moved_parts(before.at(step.at), after.at(step.at));
            let most = if step.at < first { &mut moved.begun_before } else { &mut moved.others };
            *most = parts.max(*most);
        }
        moved
    }

    /// The parts whose conversations another version serves after a change from one split to another.
    fn moved_parts(&self, before: &Split, after: &Split) -> u32 {
        let baseline = self.versions.iter().position(|(name, _)| *name == self.baseline);
        let serving = |split: &Split, bucket| {
            let version = split.version(bucket);
            let is_stopped = self.versions.get(version).is_some_and(|(_, stopped)| *stopped);
            if is_stopped { baseline } else { Some(version) }
        };
        let ranges = before.ranges().iter().chain(after.ranges());
        let mut cuts: Vec<u32> = ranges.map(|range| range.start).chain([PARTS]).collect();
        cuts.sort_unstable();
        let lengths = cuts.iter().zip(cuts.iter().skip(1)).map(|(start, end)| {
            let has_moved = serving(before, *start) != serving(after, *start);
            if has_moved { end - start } else { 0 }
        });
        lengths.sum()
    }
}

impl Moved {
    /// What forgetting does, as a sentence without its subject.
    pub(crate) fn describe(&self, kept: &Schedule) -> String {
        let first = kept.steps.first().map(|step| rfc3339(step.at)).unwrap_or_default();
        let (old, others) = (percent(self.begun_before), percent(self.others));
        let baseline = &kept.baseline;
        let of_old = match self.begun_before {
            0 => format!("no conversation that began before {first} moves"),
            _ => format!("of the conversations that began before {first}, up to {old} % move to {baseline}"),
        };
        match self.others {
            0 => format!("{of_old}; no other moves"),
            _ => format!(
                "{of_old}; of all others up to {others} % move once, because each version's place on the line depends \
                 on the steps that are dropped"
            ),
        }
    }
}

/// The schedules with at most [`STEPS_MAX`] steps, in the same order. If all have more, the last one without the steps
/// that change nothing.
///
/// # Errors
/// Each of its steps is needed. The words offer a way out; `taken_until` is the time up to which steps may have been
/// taken.
pub(crate) fn within_limit(
    old: &Schedule,
    schedules: Vec<Schedule>,
    taken_until: UnixMs,
) -> Result<Vec<Schedule>, String> {
    let (fitting, mut others): (Vec<_>, Vec<_>) =
        schedules.into_iter().partition(|schedule| schedule.steps.len() <= STEPS_MAX);
    if !fitting.is_empty() {
        return Ok(fitting);
    }
    let Some(last) = others.pop().map(|last| last.without_idle_steps(STEPS_MAX)) else { return Ok(fitting) };
    let excess = last.steps.len().saturating_sub(STEPS_MAX);
    if excess == 0 {
        return Ok(vec![last]);
    }
    let limit = format!(
        "the change needs {}, and the filter takes at most {STEPS_MAX}. None of them can be dropped without moving \
         conversations",
        count(last.steps.len())
    );
    // The change keeps every step that has been taken, and some of these must go.
    let Some(first) = old.steps.get(excess).filter(|step| step.at <= taken_until) else {
        return Err(format!(
            "{limit}, and most are planned: drain a version to drop its planned steps, or plan fewer"
        ));
    };
    let kept = old.forgotten_before(first.at);
    Err(format!(
        "{limit}. Add --forget-before {}, which drops the oldest {}: {}. A later time drops more",
        rfc3339(first.at),
        count(excess),
        old.moved_by(&kept).describe(&kept)
    ))
}

/// `1 step`, `2 steps`
pub(crate) fn count(steps: usize) -> String {
    format!("{steps} step{}", if steps == 1 { "" } else { "s" })
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
