//! What the server shows: a release, or versions that are watched, after a look.

use super::shown::Shown;
use crate::analysis::Analysis;
use crate::verdict_json;
use crate::watchdog::summary::Summary;
use llm_canary_verdict::health::State;
use llm_canary_verdict::verdict::Verdict;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Everything that is shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// The rollout, once it is known.
    pub(crate) rollout: Option<String>,
    /// The versions that there are, if the configuration says them.
    pub(crate) versions: Option<Vec<String>>,
    /// The versions that are judged.
    pub(crate) found: Vec<Found>,
    /// What is missing of the evidence, in words; `None` while the source speaks.
    pub(crate) trouble: Option<String>,
    /// Why nothing is judged, though the source speaks.
    pub(crate) idle: Option<String>,
    /// The state of the release, where one is run.
    pub(crate) state: Option<String>,
    /// The page about it all.
    pub(crate) page: Option<Arc<Shown>>,
    /// What a reference set showed last.
    pub(crate) watchdog: Option<Watchdog>,
    /// What happened, the newest last.
    pub(crate) records: Vec<Value>,
    pub(crate) stops: Stops,
    /// Whether there was a look, with or without an answer of the source.
    pub(crate) has_looked: bool,
    /// A look counts for so long.
    pub(crate) good_for: Duration,
}

/// What is found about a version.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) analysis: Analysis,
    /// The version's share in percent, if it is known.
    pub(crate) percent: Option<f64>,
}

/// The figures of a reference set after its last round.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Watchdog {
    /// The names of the version and the baseline, with their pass shares.
    pub(crate) pass_share: [(String, Option<f64>); 2],
    /// The evidence that the version is worse.
    pub(crate) log_e: f64,
    /// Answers and votes of which nothing is known.
    pub(crate) unknown: u64,
}

impl Watchdog {
    pub(crate) fn new(summary: &Summary) -> Self {
        let Summary { names, round, .. } = summary;
        Self {
            pass_share: [
                (names.version.clone(), round.pass_share.version),
                (names.baseline.clone(), round.pass_share.baseline),
            ],
            log_e: round.log_e,
            unknown: round.unknown_because.values().fold(0, |sum, count| sum.saturating_add(*count)),
        }
    }
}

/// The times that matter to an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Since the last look.
    pub(crate) age: Duration,
    /// Since the loop went round last.
    pub(crate) quiet: Duration,
}

impl View {
    /// Why nothing may go on by this view.
    pub(super) fn trouble(&self, moment: Moment) -> Option<String> {
        let is_old = self.has_looked && moment.age > self.good_for;
        let old = || format!("the last look at the source was {} seconds ago", moment.age.as_secs());
        self.trouble.clone().or_else(|| is_old.then(old))
    }
}

impl Found {
    /// The verdict. Nothing is fine while evidence is missing; a regression stays one.
    pub(crate) fn verdict(&self, trouble: Option<&str>) -> Verdict {
        match (self.analysis.judgement.verdict, trouble) {
            (Verdict::Fine, Some(_)) => Verdict::NotEnoughData,
            (verdict, _) => verdict,
        }
    }

    /// Why.
    pub(crate) fn because(&self, trouble: Option<&str>) -> Vec<String> {
        let because = self.analysis.judgement.because.iter().cloned();
        match (self.analysis.judgement.verdict, trouble) {
            (Verdict::Regression, _) | (_, None) => because.collect(),
            (_, Some(words)) => std::iter::once(words.to_owned()).chain(because).collect(),
        }
    }

    /// As `analyze --json` has it.
    pub(super) fn value(&self, trouble: Option<&str>) -> Value {
        let mut value = verdict_json::object(&self.analysis);
        if let Some(members) = value.as_object_mut() {
            members.insert("verdict".to_owned(), self.verdict(trouble).name().into());
            members.insert("because".to_owned(), self.because(trouble).into());
        }
        value
    }
}

/// How often each signal, limit or row about health has led to a regression, by rollout, version and its name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stops {
    counts: BTreeMap<(String, String, String), u64>,
    /// Those that speak for a regression now.
    now: Vec<(String, String, String)>,
}

impl Stops {
    /// Counts what is new since the last look.
    pub(crate) fn count(&mut self, found: &[Found]) {
        let now: Vec<_> = found.iter().flat_map(|found| reasons(&found.analysis)).collect();
        for reason in now.iter().filter(|reason| !self.now.contains(reason)) {
            let count = self.counts.entry(reason.clone()).or_default();
            *count = count.saturating_add(1);
        }
        self.now = now;
    }

    pub(super) fn counts(&self) -> impl Iterator<Item = (&(String, String, String), &u64)> {
        self.counts.iter()
    }
}

/// What speaks for a regression: names of signals, and of limits and rows about health.
fn reasons(analysis: &Analysis) -> Vec<(String, String, String)> {
    let judgement = &analysis.judgement;
    if judgement.verdict != Verdict::Regression {
        return Vec::new();
    }
    let guards = judgement.signals.iter().filter(|signal| signal.alarm.is_some());
    let guards = guards.map(|signal| signal.signal.to_string());
    let limit = judgement.limit.iter().map(|_| "limit".to_owned());
    let rows = judgement.health.iter().filter(|row| row.state == State::Stop);
    let rows = rows.map(|row| row.row.name().to_owned());
    let name = |signal| (analysis.rollout.clone(), analysis.version.clone(), signal);
    guards.chain(limit).chain(rows).map(name).collect()
}
