//! The part of a rollout that an operator changes: its steps, its stopped versions and its baseline.
//!
//! In: the rollout's tree, a change, the time it takes effect. Out: the changed [`Schedule`]. It knows nothing of text.
//! A version's new share replaces what was planned later for that version. The plans of other versions stay. Steps
//! before the change are never touched: running conversations depend on them.

use llm_canary::bucket::PARTS;
use llm_canary::config::json::Node;
use llm_canary::split::percent;
use llm_canary::timestamp::{UnixMs, parse_rfc3339};

/// Each version's share in parts per million, in the order of the text.
pub(crate) type Shares = Vec<(String, u32)>;

/// The shares of conversations that begin at `at` or later, until the next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) at: UnixMs,
    pub(crate) shares: Shares,
}

/// The field that holds the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepsForm {
    /// Neither `split` nor `steps` is there.
    Absent,
    /// `split`. It is read as one step at the epoch: no conversation began before that, so none moves when it is
    /// written as a step.
    Split,
    /// `steps`.
    Steps,
}

/// The part of a rollout that an operator changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) baseline: String,
    /// The name of each version, and whether it is stopped.
    pub(crate) versions: Vec<(String, bool)>,
    pub(crate) steps: Vec<Step>,
    pub(crate) form: StepsForm,
}

impl Schedule {
    /// Reads a rollout that [`llm_canary::config::Config`] has accepted.
    pub(crate) fn read(rollout: &Node) -> Self {
        let text = |node: &Node, name| node.get(name).and_then(Node::as_str).unwrap_or_default().to_owned();
        let versions = rollout.get("versions").map(Node::items).unwrap_or_default();
        let (steps, form) = if let Some(steps) = rollout.get("steps") {
            let step = |step: &Node| Step {
                at: parse_rfc3339(&text(step, "at")).unwrap_or_default(),
                shares: shares(step.get("percent")),
            };
            (steps.items().iter().map(step).collect(), StepsForm::Steps)
        } else if let Some(split) = rollout.get("split") {
            let step = Step { at: 0, shares: shares(Some(split)) };
            let gives_any = step.shares.iter().any(|(_, parts)| *parts > 0);
            (gives_any.then_some(step).into_iter().collect(), StepsForm::Split)
        } else {
            (Vec::new(), StepsForm::Absent)
        };
        Self {
            baseline: text(rollout, "baseline"),
            versions: versions
                .iter()
                .map(|version| (text(version, "name"), version.get("stopped") == Some(&Node::Bool(true))))
                .collect(),
            steps,
            form,
        }
    }

    /// A version's share, in parts per million, of conversations that begin at a time. The baseline gets what the
    /// others leave. The steps must be valid, so that their shares add up to [`PARTS`] at most.
    pub(crate) fn parts_at(&self, version: &str, at: UnixMs) -> u32 {
        self.parts_in(shares_at(&self.steps, at), version)
    }

    /// A version's share just before a time.
    pub(crate) fn parts_before(&self, version: &str, at: UnixMs) -> u32 {
        self.parts_in(shares_before(&self.steps, at), version)
    }

    fn parts_in(&self, shares: &Shares, version: &str) -> u32 {
        if version == self.baseline {
            return PARTS - shares.iter().map(|(_, parts)| parts).sum::<u32>();
        }
        parts_of(shares, version)
    }

    pub(crate) fn is_stopped(&self, version: &str) -> bool {
        self.versions.iter().any(|(name, stopped)| name == version && *stopped)
    }

    /// The schedule in which a version has these shares, each from its time on; the times must ascend.
    pub(crate) fn with_share(&self, version: &str, shares: &[(UnixMs, u32)]) -> Self {
        let Some((first, _)) = shares.first() else { return self.clone() };
        let mut times: Vec<UnixMs> = shares.iter().map(|(at, _)| *at).collect();
        times.extend(self.steps.iter().map(|step| step.at).filter(|at| at > first));
        times.sort_unstable();
        times.dedup();
        let mut steps: Vec<Step> = self.steps.iter().filter(|step| step.at < *first).cloned().collect();
        for at in times {
            let parts = shares.iter().rev().find(|(from, _)| *from <= at).map_or(0, |(_, parts)| *parts);
            let wanted = with_parts(shares_at(&self.steps, at), version, parts);
            let before = steps.last().map(|step| step.shares.clone()).unwrap_or_default();
            let is_change = !same_shares(&wanted, &before);
            // A step that already gives these shares keeps its text, even one that never changed anything.
            let existing = self.steps.iter().find(|step| step.at == at);
            let was_change = !same_shares(shares_at(&self.steps, at), shares_before(&self.steps, at));
            let kept =
                existing.filter(|step| same_shares(&step.shares, &wanted) && (is_change || !was_change));
            if let Some(step) = kept {
                steps.push(step.clone());
            } else if is_change {
                steps.push(Step { at, shares: self.complete(&wanted, &before, version) });
            }
        }
        self.with_steps(self.keep_one_step(steps, *first, version))
    }

    /// The schedule in which a version has 100 % from a time on; all later steps are dropped.
    pub(crate) fn promoted(&self, version: &str, at: UnixMs) -> Self {
        let mut steps: Vec<Step> = self.steps.iter().filter(|step| step.at < at).cloned().collect();
        let before = steps.last().map(|step| step.shares.clone()).unwrap_or_default();
        let wanted = if version == self.baseline { Vec::new() } else { vec![(version.to_owned(), PARTS)] };
        if !same_shares(&wanted, &before) {
            steps.push(Step { at, shares: self.complete(&wanted, &before, version) });
        }
        self.with_steps(self.keep_one_step(steps, at, version))
    }

    /// The schedule in which a version is the baseline, and no other version has a share. All steps are replaced by one.
    pub(crate) fn finished(&self, version: &str, at: UnixMs) -> Self {
        // The one step records the time of the change, and that the old baseline has 0 %.
        let step = Step { at, shares: vec![(self.baseline.clone(), 0)] };
        Self { baseline: version.to_owned(), ..self.with_steps(vec![step]) }
    }

    /// The schedules in which a version is stopped, and has no planned share: the first has 0 % from `at` on, the second
    /// from the first step after `taken_until` on, if there is one. So the second has no more steps than this schedule,
    /// and a stop is possible where nothing can be added. Nobody gets the version in either.
    pub(crate) fn stopping(&self, version: &str, at: UnixMs, taken_until: UnixMs) -> [Self; 2] {
        let stopped = self.with_stopped(version, true);
        let planned = self.steps.iter().map(|step| step.at).find(|at| *at > taken_until);
        let from = planned.map_or(at, |planned| planned.min(at));
        [
            stopped.with_share(version, &[(from, 0)]),
            planned.map_or(stopped.clone(), |planned| stopped.with_share(version, &[(planned, 0)])),
        ]
    }

    /// The schedule in which a version is stopped, or started again.
    pub(crate) fn with_stopped(&self, version: &str, stopped: bool) -> Self {
        let mut schedule = self.clone();
        for (_, flag) in schedule.versions.iter_mut().filter(|(name, _)| name == version) {
            *flag = stopped;
        }
        schedule
    }

    /// If a change drops every step before the first took effect, one step of 0 % stays, to record the time of the
    /// change.
    fn keep_one_step(&self, mut steps: Vec<Step>, at: UnixMs, changed: &str) -> Vec<Step> {
        if let (true, Some(dropped)) = (steps.is_empty(), self.steps.first()) {
            steps.push(Step { at, shares: self.complete(&Vec::new(), &dropped.shares, changed) });
        }
        steps
    }

    fn with_steps(&self, steps: Vec<Step>) -> Self {
        let form = if steps == self.steps { self.form } else { StepsForm::Steps };
        Self { steps, form, ..self.clone() }
    }

    /// Since when a version has had 100 % without a break; `None` if it does not have 100 % now.
    pub(crate) fn full_since(&self, version: &str, now: UnixMs) -> Option<UnixMs> {
        let past = self.steps.iter().rev().filter(|step| step.at <= now);
        past.take_while(|step| parts_of(&step.shares, version) == PARTS).last().map(|step| step.at)
    }

    /// The time of the last step up to a time.
    pub(crate) fn last_taken(&self, until: UnixMs) -> Option<UnixMs> {
        self.steps.iter().map(|step| step.at).take_while(|at| *at <= until).last()
    }

    /// The later steps of this schedule, each with those of its shares that another schedule does not give at that time.
    pub(crate) fn dropped_in(&self, other: &Self, after: UnixMs) -> Vec<Step> {
        let later = self.steps.iter().filter(|step| step.at > after);
        let dropped = later.map(|step| {
            let is_dropped = |(name, parts): &&(String, u32)| other.parts_at(name, step.at) != *parts;
            Step { at: step.at, shares: step.shares.iter().filter(is_dropped).cloned().collect() }
        });
        dropped.filter(|step| !step.shares.is_empty()).collect()
    }

    /// The shares of a new step, in the order of the versions. It names every version with a share, and with 0 the
    /// versions that had one before and the one that was changed. So each step can be read alone.
    fn complete(&self, wanted: &Shares, before: &Shares, changed: &str) -> Shares {
        let others = self.versions.iter().map(|(name, _)| name).filter(|name| **name != self.baseline);
        let named = others.filter_map(|name| {
            let parts = parts_of(wanted, name);
            let is_named = parts > 0 || parts_of(before, name) > 0 || name == changed;
            is_named.then(|| (name.clone(), parts))
        });
        named.collect()
    }
}

/// `v2 5 %, v3 1 %`
pub(crate) fn describe_shares(shares: &Shares) -> String {
    let shares: Vec<String> =
        shares.iter().map(|(name, parts)| format!("{name} {} %", percent(*parts))).collect();
    shares.join(", ")
}

fn shares(percentages: Option<&Node>) -> Shares {
    let members = percentages.map(Node::members).unwrap_or_default();
    let parts = |node: &Node| if let Node::Number(percent) = node { percent.in_units(4).0 as u32 } else { 0 };
    members.iter().map(|(name, node)| (name.clone(), parts(node))).collect()
}

/// The shares of conversations that begin at a time; none before the first step.
fn shares_at(steps: &[Step], at: UnixMs) -> &Shares {
    last_shares(steps, |step| step.at <= at)
}

fn shares_before(steps: &[Step], at: UnixMs) -> &Shares {
    last_shares(steps, |step| step.at < at)
}

fn last_shares(steps: &[Step], is_past: impl Fn(&Step) -> bool) -> &Shares {
    static NONE: Shares = Vec::new();
    steps.iter().rev().find(|step| is_past(step)).map_or(&NONE, |step| &step.shares)
}

fn parts_of(shares: &Shares, version: &str) -> u32 {
    shares.iter().find(|(name, _)| name == version).map_or(0, |(_, parts)| *parts)
}

fn with_parts(shares: &Shares, version: &str, parts: u32) -> Shares {
    let mut shares = shares.clone();
    shares.retain(|(name, _)| name != version);
    shares.push((version.to_owned(), parts));
    shares
}

/// Whether two lists give the same shares; a version that is not named has 0.
fn same_shares(a: &Shares, b: &Shares) -> bool {
    let within = |a: &Shares, b: &Shares| a.iter().all(|(name, parts)| parts_of(b, name) == *parts);
    within(a, b) && within(b, a)
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
