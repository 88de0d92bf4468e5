//! What a change makes of a rollout's steps, stops and baseline.
//!
//! In: the rollout's tree, the change, the moment. Out: the same as a [`Plan`], changed. Knows nothing of text. A
//! share that is changed from a moment on replaces what was planned for that version after it; the plans of
//! other versions stay. What held before the moment is never touched, because conversations are held by it.

use llm_canary::bucket::PARTS;
use llm_canary::config::json::Node;
use llm_canary::split::percent;
use llm_canary::timestamp::{UnixMs, parse_rfc3339};

/// Shares in parts per million, in the order they are written.
pub(crate) type Shares = Vec<(String, u32)>;

/// A moment, and the shares of conversations begun from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) at: UnixMs,
    pub(crate) shares: Shares,
}

/// Where the steps came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// Neither field is there.
    Nothing,
    /// As `split`, which becomes one step that has always held: no conversation can have begun before it, so
    /// each stays where it is.
    Split,
    /// As `steps`.
    Steps,
}

/// The part of a rollout that an operator changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) baseline: String,
    /// Each version and whether it is stopped.
    pub(crate) versions: Vec<(String, bool)>,
    pub(crate) steps: Vec<Step>,
    pub(crate) written: Written,
}

impl Plan {
    /// Reads a rollout that [`llm_canary::config::Config`] has accepted.
    pub(crate) fn read(rollout: &Node) -> Self {
        let text = |node: &Node, name| node.get(name).and_then(Node::as_str).unwrap_or_default().to_owned();
        let versions = rollout.get("versions").map(Node::items).unwrap_or_default();
        let (steps, written) = if let Some(steps) = rollout.get("steps") {
            let step = |step: &Node| Step {
                at: parse_rfc3339(&text(step, "at")).unwrap_or_default(),
                shares: shares(step.get("percent")),
            };
            (steps.items().iter().map(step).collect(), Written::Steps)
        } else if let Some(split) = rollout.get("split") {
            let step = Step { at: 0, shares: shares(Some(split)) };
            let is_something = step.shares.iter().any(|(_, parts)| *parts > 0);
            (is_something.then_some(step).into_iter().collect(), Written::Split)
        } else {
            (Vec::new(), Written::Nothing)
        };
        Self {
            baseline: text(rollout, "baseline"),
            versions: versions
                .iter()
                .map(|version| (text(version, "name"), version.get("stopped") == Some(&Node::Bool(true))))
                .collect(),
            steps,
            written,
        }
    }

    /// A version's share of conversations begun at a moment; the baseline's is what is left.
    pub(crate) fn parts_at(&self, version: &str, at: UnixMs) -> u32 {
        let shares = in_force(&self.steps, at);
        if version == self.baseline {
            return PARTS.saturating_sub(shares.iter().map(|(_, parts)| parts).sum());
        }
        parts_of(shares, version)
    }

    pub(crate) fn is_stopped(&self, version: &str) -> bool {
        self.versions.iter().any(|(name, stopped)| name == version && *stopped)
    }

    /// The plan where a version has these shares from these moments on, in order.
    pub(crate) fn with_share(&self, version: &str, shares: &[(UnixMs, u32)]) -> Self {
        let Some((first, _)) = shares.first() else { return self.clone() };
        let mut moments: Vec<UnixMs> = shares.iter().map(|(at, _)| *at).collect();
        moments.extend(self.steps.iter().map(|step| step.at).filter(|at| at > first));
        moments.sort_unstable();
        moments.dedup();
        let mut steps: Vec<Step> = self.steps.iter().filter(|step| step.at < *first).cloned().collect();
        for at in moments {
            let parts = shares.iter().rev().find(|(from, _)| *from <= at).map_or(0, |(_, parts)| *parts);
            let wanted = with_parts(in_force(&self.steps, at), version, parts);
            let before = steps.last().map(|step| step.shares.clone()).unwrap_or_default();
            let is_news = !same(&wanted, &before);
            // A step that says this already stays as it was written, also one that never said anything new.
            let written = self.steps.iter().find(|step| step.at == at);
            let was_news = !same(in_force(&self.steps, at), in_force(&self.steps, at.saturating_sub(1)));
            let stays = written.filter(|step| same(&step.shares, &wanted) && (is_news || !was_news));
            if let Some(step) = stays {
                steps.push(step.clone());
            } else if is_news {
                steps.push(Step { at, shares: self.spelled(&wanted, &before, version) });
            }
        }
        self.with_steps(self.never_empty(steps, *first, version))
    }

    /// The plan where a version has everything from a moment on, whatever was planned.
    pub(crate) fn promoted(&self, version: &str, at: UnixMs) -> Self {
        let mut steps: Vec<Step> = self.steps.iter().filter(|step| step.at < at).cloned().collect();
        let before = steps.last().map(|step| step.shares.clone()).unwrap_or_default();
        let wanted = if version == self.baseline { Vec::new() } else { vec![(version.to_owned(), PARTS)] };
        if !same(&wanted, &before) {
            steps.push(Step { at, shares: self.spelled(&wanted, &before, version) });
        }
        self.with_steps(self.never_empty(steps, at, version))
    }

    /// The plan where a version is the baseline, and nothing else has a share from a moment on.
    pub(crate) fn finished(&self, version: &str, at: UnixMs) -> Self {
        // Says since when, and that the old baseline has nothing.
        let step = Step { at, shares: vec![(self.baseline.clone(), 0)] };
        Self { baseline: version.to_owned(), ..self.with_steps(vec![step]) }
    }

    /// The plan where a version is stopped, or no longer.
    pub(crate) fn with_stopped(&self, version: &str, stopped: bool) -> Self {
        let mut plan = self.clone();
        for (_, flag) in plan.versions.iter_mut().filter(|(name, _)| name == version) {
            *flag = stopped;
        }
        plan
    }

    /// Where all that was planned is dropped before it began, one step says so: who looks later sees when.
    fn never_empty(&self, mut steps: Vec<Step>, at: UnixMs, changed: &str) -> Vec<Step> {
        if let (true, Some(dropped)) = (steps.is_empty(), self.steps.first()) {
            steps.push(Step { at, shares: self.spelled(&Vec::new(), &dropped.shares, changed) });
        }
        steps
    }

    fn with_steps(&self, steps: Vec<Step>) -> Self {
        let written = if steps == self.steps { self.written } else { Written::Steps };
        Self { steps, written, ..self.clone() }
    }

    /// Since when a version has had everything without a break, if it has it at a moment.
    pub(crate) fn whole_since(&self, version: &str, now: UnixMs) -> Option<UnixMs> {
        let held = self.steps.iter().rev().filter(|step| step.at <= now);
        held.take_while(|step| parts_of(&step.shares, version) == PARTS).last().map(|step| step.at)
    }

    /// Steps of this plan after a moment that another does not have.
    pub(crate) fn dropped_by<'a>(&'a self, other: &Self, after: UnixMs) -> Vec<&'a Step> {
        self.steps.iter().filter(|step| step.at > after && !other.steps.contains(step)).collect()
    }

    /// Shares in the versions' order: all that have something, and a 0 for what had something before or is
    /// the version that was changed, so that each step can be read alone.
    fn spelled(&self, wanted: &Shares, before: &Shares, changed: &str) -> Shares {
        let others = self.versions.iter().map(|(name, _)| name).filter(|name| **name != self.baseline);
        let named = others.filter_map(|name| {
            let parts = parts_of(wanted, name);
            let is_told = parts > 0 || parts_of(before, name) > 0 || name == changed;
            is_told.then(|| (name.clone(), parts))
        });
        named.collect()
    }
}

/// `v2 5 %, v3 1 %`
pub(crate) fn shares_in_words(shares: &Shares) -> String {
    let words: Vec<String> =
        shares.iter().map(|(name, parts)| format!("{name} {} %", percent(*parts))).collect();
    words.join(", ")
}

/// A percentage as a person writes it: `5`, `0.5`, `5%`.
pub(crate) fn parse_percent(text: &str) -> Result<u32, String> {
    let bad = || format!("{text:?} is no percentage; write a number from 0 to 100, as fine as 0.0001");
    let digits = text.strip_suffix('%').unwrap_or(text).trim_end();
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || fraction.len() > 4 {
        return Err(bad());
    }
    let whole: u32 = whole.parse().map_err(|_| bad())?;
    let fraction: u32 = format!("{fraction:0<4}").parse().map_err(|_| bad())?;
    let parts = whole.checked_mul(10_000).and_then(|parts| parts.checked_add(fraction));
    parts.filter(|parts| *parts <= PARTS).ok_or_else(bad)
}

fn shares(percentages: Option<&Node>) -> Shares {
    let members = percentages.map(Node::members).unwrap_or_default();
    let parts = |node: &Node| if let Node::Number(percent) = node { percent.in_units(4).0 as u32 } else { 0 };
    members.iter().map(|(name, node)| (name.clone(), parts(node))).collect()
}

/// The shares of conversations begun at a moment; none before the first step.
fn in_force(steps: &[Step], at: UnixMs) -> &Shares {
    static NONE: Shares = Vec::new();
    steps.iter().rev().find(|step| step.at <= at).map_or(&NONE, |step| &step.shares)
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

/// Whether two lists say the same; one that is not named has nothing.
fn same(a: &Shares, b: &Shares) -> bool {
    let within = |a: &Shares, b: &Shares| a.iter().all(|(name, parts)| parts_of(b, name) == *parts);
    within(a, b) && within(b, a)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
