//! What a page shows: a value that serde writes, and that stands in the page as JSON.
//!
//! In: what was found about each version, its track, a journal. Out: a [`Page`], thinned out and without any text that is not fit to
//! be shown. `analysis` is what `analyze --json` prints.

use super::journal::{Event, Journal};
use super::now::Now;
use super::text::{Text, clean_value};
use super::track::{Point, Shards, SignalPoint, Track};
use super::undo::{Undo, undo};
use super::watchdog::Watchdog;
use crate::analysis::{Analysis, Judging};
use crate::totals::Side;
use crate::verdict_json;
use crate::watchdog::summary::Summary;
use llm_canary::timestamp::{UnixMs, rfc3339};
use llm_canary_verdict::policy::Policy;
use llm_canary_verdict::signal::{Mode, Signal};
use llm_canary_verdict::steps::Step;
use llm_canary_verdict::verdict::Finding;
use llm_canary_verdict::window::{Count, Pair};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// The shape of the JSON; it grows when a member changes its meaning.
const FORMAT: u32 = 1;
/// So many kinds of defects are shown, the most frequent.
const DEFECTS_MAX: usize = 40;
/// So many versions are shown, the last ones.
const VERSIONS_MAX: usize = 6;
/// With more versions than this, charts are only of signals that are worse, or that keep a version from being fine.
const WHOLE_MAX: usize = 2;
/// All versions of a page together show so many events.
const EVENTS_OF_ALL: usize = 100;
/// Digits that a number of a trend keeps.
const DIGITS: usize = 4;

/// Which signals have charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    All,
    /// Those that are worse, or that keep the version from being fine.
    Open,
}

/// A page about a rollout.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Page {
    format: u32,
    /// The tool that wrote it.
    pub(crate) tool: &'static str,
    pub(crate) written_at: String,
    pub(crate) rollout: Text,
    /// What a page of a file does not have.
    pub(crate) now: Now,
    /// How many versions there are beside those below.
    pub(crate) more_versions: usize,
    pub(crate) versions: Vec<Version>,
    pub(crate) journal: Journal,
}

/// What was found about a version.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) analysis: Analysis,
    pub(crate) points: Vec<Point>,
    pub(crate) shards: BTreeMap<Signal, Shards>,
    /// If the configuration says them.
    pub(crate) steps: Option<Vec<Step>>,
}

/// A version on a page.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Version {
    pub(crate) version: Text,
    pub(crate) baseline: Text,
    #[serde(serialize_with = "as_json")]
    pub(crate) analysis: Analysis,
    /// The ends of the points, in Unix milliseconds, and the beginning of the first.
    pub(crate) since_ms: i64,
    pub(crate) times_ms: Vec<i64>,
    /// The version's share of all requests in each point, and as configured.
    pub(crate) share: Column,
    pub(crate) steps: Vec<ShareStep>,
    pub(crate) events: Vec<Event>,
    pub(crate) trends: Vec<Trend>,
    pub(crate) distributions: Vec<Buckets>,
    pub(crate) shards: Vec<SignalShards>,
    pub(crate) defects: Vec<Defect>,
    /// What 1,000 requests cost, if the policy has prices.
    pub(crate) cost: Both<Option<f64>>,
    pub(crate) undo: Vec<Undo>,
    /// What a reference set showed.
    pub(crate) watchdog: Option<Watchdog>,
    /// Whether there are charts of some signals only.
    #[serde(skip)]
    pub(crate) is_brief: bool,
}

/// The same of the version and of its baseline.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Both<T> {
    pub(crate) version: T,
    pub(crate) baseline: T,
}

/// The version's share from a time on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct ShareStep {
    pub(crate) at_ms: i64,
    pub(crate) share: f64,
}

/// Numbers over time; one that is not known, or is infinite, is null.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Column(pub(crate) Vec<Option<f64>>);

/// A signal over time, a number for each point.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Trend {
    #[serde(rename = "name", serialize_with = "as_name")]
    pub(crate) signal: Signal,
    /// Rates or means within the point alone.
    pub(crate) version: Column,
    pub(crate) baseline: Column,
    /// What was known by then: of all windows up to it.
    pub(crate) ratio: Column,
    pub(crate) low: Column,
    pub(crate) high: Column,
    pub(crate) log_e: Column,
    pub(crate) log_e_no_worse: Column,
}

/// All responses by size.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Buckets {
    #[serde(rename = "name", serialize_with = "as_name")]
    pub(crate) signal: Signal,
    /// Upper edges; one more bucket is above the last.
    pub(crate) edges: Vec<f64>,
    pub(crate) version: Vec<u64>,
    pub(crate) baseline: Vec<u64>,
}

/// The events of a rate by shard.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SignalShards {
    #[serde(rename = "name", serialize_with = "as_name")]
    pub(crate) signal: Signal,
    pub(crate) events: Both<Vec<u64>>,
    pub(crate) requests: Both<Vec<u64>>,
}

/// One kind of defect.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Defect {
    pub(crate) name: Text,
    pub(crate) events: Both<u64>,
    pub(crate) requests: Both<u64>,
}

impl Found {
    /// Of what was judged, and of its track.
    pub(crate) fn new(analysis: Analysis, judging: &Judging, track: &Track) -> Self {
        Self {
            analysis,
            points: track.points(judging.judge()),
            shards: track.shards().clone(),
            steps: judging.steps().map(<[_]>::to_vec),
        }
    }
}

impl Serialize for Column {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|value| value.and_then(rounded)))
    }
}

/// With as many digits as a page needs.
fn rounded(value: f64) -> Option<f64> {
    value.is_finite().then(|| format!("{value:.*e}", DIGITS - 1).parse().ok()).flatten()
}

fn as_json<S: Serializer>(analysis: &Analysis, serializer: S) -> Result<S::Ok, S::Error> {
    clean_value(verdict_json::object(analysis)).serialize(serializer)
}

fn as_name<S: Serializer>(signal: &Signal, serializer: S) -> Result<S::Ok, S::Error> {
    Text::name(&signal.to_string()).serialize(serializer)
}

impl Page {
    /// `target` is what the commands are given that undo what was done: the file with the configuration, as words for a shell.
    pub(crate) fn new(
        rollout: &str,
        mut found: Vec<Found>,
        policy: &Policy,
        journal: Journal,
        target: Option<&str>,
        now: UnixMs,
    ) -> Self {
        // The last ones came last.
        let more_versions = found.len().saturating_sub(VERSIONS_MAX);
        found.drain(..more_versions);
        let of_all = if found.len() > WHOLE_MAX { Shown::Open } else { Shown::All };
        let events_max = EVENTS_OF_ALL / found.len().max(1);
        let version = |found| {
            let mut version = Version::new(found, policy, &journal, of_all, target);
            version.events.drain(..version.events.len().saturating_sub(events_max));
            version
        };
        Self {
            format: FORMAT,
            tool: concat!("llm-canary ", env!("CARGO_PKG_VERSION")),
            written_at: if now == 0 { String::new() } else { rfc3339(now) },
            rollout: Text::name(rollout),
            now: Now::default(),
            more_versions,
            versions: found.into_iter().map(version).collect(),
            journal,
        }
    }

    /// The page of a release that goes on.
    pub(crate) fn with_now(mut self, now: Now) -> Self {
        self.now = now;
        self
    }

    /// With what a reference set showed of one of the versions: of the one that it names, else of the last.
    pub(crate) fn with_watchdog(mut self, summary: Option<&Summary>) -> Self {
        let Some(summary) = summary else { return self };
        let name = Text::name(&summary.names.version);
        let place = self.versions.iter().rposition(|version| version.version == name);
        let place = place.unwrap_or(self.versions.len().saturating_sub(1));
        if let Some(version) = self.versions.get_mut(place) {
            version.watchdog = Some(Watchdog::new(summary));
        }
        self
    }

    /// As JSON that can stand within HTML: nothing in it ends or begins an element.
    pub(crate) fn embedded_json(&self) -> String {
        // Of no type here is it known that it cannot be written.
        let json = serde_json::to_string(self).unwrap_or_default();
        // These only occur within strings.
        json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e")
    }
}

impl Version {
    fn new(found: Found, policy: &Policy, journal: &Journal, of_all: Shown, target: Option<&str>) -> Self {
        let Found { analysis, points, shards, steps } = found;
        let is_shown = |signal: &Signal| of_all == Shown::All || is_open(&analysis, signal);
        let shards = shards.iter().filter(|(signal, _)| is_shown(signal));
        let steps = share_steps(steps.as_deref().unwrap_or_default(), &analysis);
        let cost = |version: &str, side| {
            policy.prices.get(version).and_then(|price| analysis.totals.cost(price, side))
        };
        let events: Vec<Event> = journal.of(&analysis.version).cloned().collect();
        Self {
            version: Text::name(&analysis.version),
            baseline: Text::name(&analysis.baseline),
            since_ms: points.first().map_or(0, |point| point.start_ms),
            times_ms: points.iter().map(|point| point.end_ms).collect(),
            share: shares(&points, &analysis, &steps),
            trends: trends(&points, is_shown),
            distributions: distributions(&analysis, is_shown),
            shards: shards.map(|(signal, shards)| signal_shards(signal, shards)).collect(),
            defects: defects(&analysis),
            cost: Both {
                version: cost(&analysis.version, Side::Version),
                baseline: cost(&analysis.baseline, Side::Baseline),
            },
            undo: undo(&analysis, &events, target),
            watchdog: None,
            is_brief: of_all == Shown::Open,
            steps,
            events,
            analysis,
        }
    }
}

/// The steps within the evidence, and the one in force at its beginning.
fn share_steps(steps: &[Step], analysis: &Analysis) -> Vec<ShareStep> {
    let judgement = &analysis.judgement;
    let is_within = |step: &&Step| step.at_ms <= judgement.until_ms;
    let within: Vec<&Step> = steps.iter().filter(is_within).collect();
    let first = within.iter().rposition(|step| step.at_ms <= judgement.since_ms).unwrap_or(0);
    let within = within.into_iter().skip(first);
    within.map(|step| ShareStep { at_ms: step.at_ms, share: step.share }).collect()
}

/// The version's share of all requests in each point. Where steps are not known, of its own and the baseline's.
fn shares(points: &[Point], analysis: &Analysis, steps: &[ShareStep]) -> Column {
    // The baseline has what the version does not, but for other versions, whose share is that of the last step.
    let others = analysis.step.map_or(0.0, |step| (1.0 - step.share - step.baseline).max(0.0));
    let of_both = if steps.is_empty() { 1.0 } else { 1.0 - others };
    let share = |point: &Point| {
        let Pair { version, baseline } = point.decisions;
        let both = version.saturating_add(baseline);
        (both > 0).then(|| version as f64 / both as f64 * of_both)
    };
    Column(points.iter().map(share).collect())
}

/// Whether a signal speaks against the version, or keeps it from being fine.
fn is_open(analysis: &Analysis, signal: &Signal) -> bool {
    let one = analysis.judgement.signals.iter().find(|one| one.signal == *signal);
    one.is_some_and(|one| match one.finding {
        Finding::Worse => true,
        Finding::Unclear => one.mode == Mode::Guard,
        Finding::NoWorse | Finding::Absent => false,
    })
}

fn trends(points: &[Point], is_shown: impl Fn(&Signal) -> bool) -> Vec<Trend> {
    let names = points.iter().flat_map(|point| point.signals.keys());
    let mut names: Vec<&Signal> = names.filter(|signal| is_shown(signal)).collect();
    names.sort();
    names.dedup();
    let one = |signal: &Signal| {
        let column = |of: &dyn Fn(&SignalPoint) -> Option<f64>| {
            let at = |point: &Point| point.signals.get(signal).and_then(of);
            Column(points.iter().map(at).collect())
        };
        Trend {
            signal: signal.clone(),
            version: column(&|point| point.values().version),
            baseline: column(&|point| point.values().baseline),
            ratio: column(&|point| point.look?.ratio),
            low: column(&|point| Some(point.look?.interval.0)),
            high: column(&|point| Some(point.look?.interval.1)),
            log_e: column(&|point| Some(point.look?.ln_e)),
            log_e_no_worse: column(&|point| Some(point.look?.ln_no_worse)),
        }
    };
    names.into_iter().map(one).collect()
}

fn distributions(analysis: &Analysis, is_shown: impl Fn(&Signal) -> bool) -> Vec<Buckets> {
    let buckets = |signal: Signal| {
        let (edges, counts) = analysis.totals.buckets(&signal)?;
        let is_seen = counts.either(|counts| counts.iter().any(|count| *count > 0));
        is_seen.then(|| Buckets {
            edges: edges.to_vec(),
            version: counts.version.to_vec(),
            baseline: counts.baseline.to_vec(),
            signal,
        })
    };
    Signal::all().filter(is_shown).filter_map(buckets).collect()
}

fn signal_shards(signal: &Signal, shards: &Shards) -> SignalShards {
    let of = |count: fn(&Count) -> u64| Both {
        version: shards.version.iter().map(count).collect(),
        baseline: shards.baseline.iter().map(count).collect(),
    };
    SignalShards { signal: signal.clone(), events: of(|count| count.d), requests: of(|count| count.n) }
}

/// The kinds of defects that were seen, the version's most frequent first.
fn defects(analysis: &Analysis) -> Vec<Defect> {
    let kinds = analysis.totals.counts().filter_map(|(signal, counts)| match signal {
        Signal::Defect(name) if counts.either(|count| count.d > 0) => {
            let both =
                |of: fn(Count) -> u64| Both { version: of(counts.version), baseline: of(counts.baseline) };
            Some(Defect {
                name: Text::name(name),
                events: both(|count| count.d),
                requests: both(|count| count.n),
            })
        }
        _ => None,
    });
    let mut kinds: Vec<Defect> = kinds.collect();
    kinds.sort_by_key(|kind| std::cmp::Reverse((kind.events.version, kind.events.baseline)));
    kinds.truncate(DEFECTS_MAX);
    kinds
}

#[cfg(test)]
mod tests {
    use super::Column;

    #[test]
    fn numbers_of_a_series_are_short() {
        let column = Column(vec![
            Some(0.123_456),
            None,
            Some(f64::INFINITY),
            Some(f64::NAN),
            Some(1_234_567.0),
            Some(0.0),
            Some(-2.5),
        ]);
        assert_eq!(serde_json::to_string(&column).unwrap(), "[0.1235,null,null,null,1235000.0,0.0,-2.5]");
    }
}
