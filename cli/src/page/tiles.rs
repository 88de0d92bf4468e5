//! A tile for each signal: in words what was found, and its charts. The worst come first.

use super::chart::Chart;
use super::data::{Trend, Version};
use super::panels::{Place, Places, evidence_words, margin_ratio, time};
use super::text::Text;
use super::word::Word;
use crate::table::NONE;
use crate::verdict_json::mode_name;
use crate::verdict_table::{interval, needed, ratio, value};
use llm_canary_verdict::signal::{Kind, Mode, Signal};
use llm_canary_verdict::verdict::{Finding, Missing, SignalJudgement};
use llm_canary_verdict::words::{count, percent, short};

/// The ratios that a small picture of an interval shows.
const PICTURE_MIN: f64 = 0.25;
const PICTURE_MAX: f64 = 4.0;
const PICTURE_UNITS: f64 = 100.0;
/// So that a dot at the edge is seen whole.
const PICTURE_EDGE: f64 = 4.0;

/// A signal at a glance: a row of the table.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) name: Text,
    pub(super) meaning: &'static str,
    /// Where its charts are.
    pub(super) anchor: Option<String>,
    pub(super) mode: &'static str,
    pub(super) version: String,
    pub(super) baseline: String,
    pub(super) ratio: String,
    pub(super) interval: String,
    pub(super) picture: Option<Picture>,
    pub(super) evidence: String,
    pub(super) finding: Word,
    pub(super) needed: String,
}

/// A ratio and its interval in a small picture, in units from the left.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub(super) desc: String,
    pub(super) low: String,
    pub(super) high: String,
    pub(super) ratio: Option<String>,
    pub(super) equal: String,
    pub(super) margin: Option<String>,
}

/// What a signal says about the release, in the order in which signals are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    Worse,
    /// It keeps the version from being fine.
    Open,
    Rest,
    Absent,
}

/// A signal with its charts.
#[derive(Clone, Debug)]
pub(super) struct Tile {
    pub(super) row: Row,
    pub(super) anchor: String,
    pub(super) group: Group,
    /// The index of its trend in the JSON, and how its values are written there.
    pub(super) trend: usize,
    pub(super) format: &'static str,
    pub(super) threshold_no_worse: String,
    pub(super) values: Chart,
    pub(super) ratio: Chart,
    pub(super) evidence: Chart,
    pub(super) evidence_no_worse: String,
    pub(super) last_values: (String, String),
    pub(super) alarm: Option<String>,
    pub(super) buckets: Option<Chart>,
    pub(super) shards: Option<Chart>,
}

pub(super) fn word(signal: &SignalJudgement) -> Word {
    let word = |text, class, shape| Word { text, class, shape };
    match (signal.finding, signal.mode) {
        (Finding::Worse, Mode::Watch) => word("worse", "open", "▲"),
        (Finding::Worse, _) => word("worse", "bad", "■"),
        (Finding::NoWorse, _) => word("no worse", "good", "●"),
        (Finding::Unclear, Mode::Guard) => word("not decided", "open", "▲"),
        (Finding::Unclear, _) => word("not decided", "faint", "△"),
        (Finding::Absent, _) => word("not measured", "faint", "○"),
    }
}

pub(super) fn group(signal: &SignalJudgement) -> Group {
    match (signal.finding, signal.mode) {
        (Finding::Worse, _) => Group::Worse,
        (Finding::Unclear, Mode::Guard) => Group::Open,
        (Finding::Absent, _) if signal.signal == Signal::Errors => Group::Open,
        (Finding::Absent, _) => Group::Absent,
        (Finding::NoWorse | Finding::Unclear, _) => Group::Rest,
    }
}

/// Kinds of defects have a table of their own. Only where one is worse it is among the signals as well.
pub(super) fn is_listed_below(signal: &SignalJudgement) -> bool {
    let is_kind = matches!(signal.signal, Signal::Defect(_)) && signal.mode == Mode::Watch;
    is_kind && signal.finding != Finding::Worse
}

/// The signals in the order in which they are shown.
pub(super) fn ordered(version: &Version) -> Vec<&SignalJudgement> {
    let mut signals: Vec<&SignalJudgement> = version.analysis.judgement.signals.iter().collect();
    let mode = |signal: &SignalJudgement| match signal.mode {
        Mode::Guard => 0,
        Mode::Hold => 1,
        Mode::Watch => 2,
    };
    // Within a group in the usual order, which is that of the reasons as well.
    signals.sort_by_key(|signal| (group(signal), mode(signal)));
    signals
}

impl Row {
    pub(super) fn new(signal: &SignalJudgement, anchor: Option<String>) -> Self {
        let figures = &signal.figures;
        let evidence = match signal.finding {
            Finding::Absent => NONE.to_owned(),
            _ => format!("{} of {}", evidence_words(signal.ln_e), evidence_words(signal.ln_threshold)),
        };
        let is_missing = |missing: &&Missing| signal.mode == Mode::Guard && missing.requests > 0;
        let missing = signal.missing.as_ref().filter(is_missing);
        Self {
            name: Text::name(&signal.signal.to_string()),
            meaning: meaning(&signal.signal),
            anchor,
            mode: mode_name(signal.mode),
            version: value(signal, figures.values.version),
            baseline: value(signal, figures.values.baseline),
            ratio: figures.ratio.map_or(NONE.to_owned(), ratio),
            interval: interval(signal),
            picture: picture(signal),
            evidence,
            finding: word(signal),
            needed: missing.map(needed).unwrap_or_default(),
        }
    }
}

fn picture(signal: &SignalJudgement) -> Option<Picture> {
    let (low, high) = signal.figures.interval;
    let ratio_seen = signal.figures.ratio;
    if signal.finding == Finding::Absent || (low <= 0.0 && high.is_infinite() && ratio_seen.is_none()) {
        return None;
    }
    let margin = margin_ratio(signal);
    Some(Picture {
        desc: format!(
            "ratio {}, interval {}, margin {}",
            ratio_seen.map_or(NONE.to_owned(), ratio),
            interval(signal),
            margin.map_or(NONE.to_owned(), ratio)
        ),
        low: place(low),
        high: place(high),
        ratio: ratio_seen.map(place),
        equal: place(1.0),
        margin: margin.map(place),
    })
}

/// A ratio's place in the small picture.
fn place(ratio: f64) -> String {
    let part = (ratio.clamp(PICTURE_MIN, PICTURE_MAX) / PICTURE_MIN).ln() / (PICTURE_MAX / PICTURE_MIN).ln();
    format!("{:.1}", PICTURE_EDGE + part * (PICTURE_UNITS - 2.0 * PICTURE_EDGE))
}

/// The tiles of a version, in their order.
pub(super) fn tiles(number: usize, version: &Version) -> Vec<Tile> {
    let places = Places::new(version);
    let tile = |signal: &SignalJudgement| {
        let index = version.trends.iter().position(|trend| trend.signal == signal.signal)?;
        let trend = version.trends.get(index)?;
        let place = Place { version: number, trend: index };
        let group = group(signal);
        (group != Group::Absent).then(|| {
            let buckets = version.distributions.iter().find(|buckets| buckets.signal == signal.signal);
            let shards = version.shards.iter().find(|shards| shards.signal == signal.signal);
            let shards = shards.map(|shards| places.shards(shards, place)).filter(|chart| !chart.is_empty());
            let anchor = anchor(number, index);
            Tile {
                row: Row::new(signal, Some(anchor.clone())),
                anchor,
                group,
                trend: index,
                format: if signal.kind == Kind::Rate { "rate" } else { "mean" },
                threshold_no_worse: evidence_words(signal.ln_threshold_no_worse),
                values: places.values(trend, place, words),
                ratio: places.ratio(trend, signal, place),
                evidence: places.evidence(trend, signal, place),
                evidence_no_worse: evidence_words(signal.ln_no_worse),
                last_values: (last(trend, &trend.version.0), last(trend, &trend.baseline.0)),
                alarm: signal.alarm.map(|alarm| time(alarm.at_ms)),
                buckets: buckets.map(|buckets| places.buckets(buckets, place)),
                shards,
            }
        })
    };
    ordered(version).into_iter().filter_map(tile).collect()
}

/// Where the charts of a signal are on the page.
pub(super) fn anchor(version: usize, trend: usize) -> String {
    format!("v{version}-s{trend}")
}

/// The value of the last point.
fn last(trend: &Trend, column: &[Option<f64>]) -> String {
    column.last().copied().flatten().map_or(NONE.to_owned(), |value| words(trend, value))
}

/// A rate, or a mean.
fn words(trend: &Trend, value: f64) -> String {
    match trend.signal.kind() {
        Kind::Rate => percent(value),
        Kind::Distribution => short(value),
    }
}

/// What a signal counts, for those who do not know its name.
pub(super) fn meaning(signal: &Signal) -> &'static str {
    match signal {
        Signal::Errors => "requests that failed",
        Signal::Refusals => "responses that refuse",
        Signal::Defects => "responses with a defect",
        Signal::LengthStops => "responses that ended at the limit of their length",
        Signal::ResponseChars => "characters of a response, on average",
        Signal::TimeToFirstToken => "milliseconds until the first token, on average",
        Signal::TimePerOutputToken => "microseconds from a token to the next, on average",
        Signal::ClientAborts => "requests that the client broke off",
        Signal::ToolResponses => "responses that call a tool",
        Signal::Retries => "requests that repeat another",
        Signal::FeedbackDown => "ratings that are bad",
        Signal::Escalations => "conversations handed to a human",
        Signal::FeedbackUp => "ratings that are good",
        Signal::OutputTokens => "tokens of a response, on average",
        Signal::InputTokens => "tokens of a request, on average",
        Signal::RequestDuration => "milliseconds until the end of the response, on average",
        Signal::LongestGap => "the longest pause within a response in milliseconds, on average",
        Signal::Defect(_) => "responses with this defect",
        Signal::Watchdog => "prompts of the reference set that pass",
    }
}

/// A number with a comma for each thousand, for the table of all numbers.
pub(super) fn events(signal: &SignalJudgement) -> (String, String) {
    let figures = &signal.figures;
    let of = |events: u64, observations: u64| match signal.kind {
        Kind::Rate => format!("{} of {}", count(events), count(observations)),
        Kind::Distribution => count(observations),
    };
    (
        of(figures.events.version, figures.observations.version),
        of(figures.events.baseline, figures.observations.baseline),
    )
}
