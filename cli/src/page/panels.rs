//! The charts of the page: which lines they have, and what they say to those who do not see them.

use super::chart::Chart;
use super::chart::path::{area, bars, line, steps};
use super::chart::scale::{Scale, TimeScale, UNITS};
use super::data::{Buckets, Column, SignalShards, Trend, Version};
use super::text::Text;
use crate::table::NONE;
use crate::verdict_table::ratio as ratio_words;
use llm_canary_verdict::policy::Margin;
use llm_canary_verdict::signal::{Harm, Kind};
use llm_canary_verdict::verdict::{Finding, SignalJudgement};
use llm_canary_verdict::words::{percent, short};

/// How high the lines are, of a small chart and of the one on top.
const SMALL_PX: u32 = 120;
const LARGE_PX: u32 = 170;

/// Ratios beyond these are shown at the edge.
const RATIO_MIN: f64 = 0.1;
const RATIO_MAX: f64 = 10.0;
/// Evidence beyond so many times the threshold is shown at the edge.
const EVIDENCE_TIMES: f64 = 2.2;
/// So many labels stand below the bars.
const BAR_LABELS: usize = 5;
/// Marks that are closer than this part of the width are one.
const MARK_PART: f64 = 0.06;
/// An event before or after the evidence widens the chart by this part of its length at most.
const WIDENED: i64 = 4;

/// Where the points of a version are.
pub(super) struct Places<'a> {
    version: &'a Version,
    pub(super) times: TimeScale,
    /// The middle of each point, for what was counted in it.
    middles: Vec<i32>,
    /// Its end, for what was known then.
    ends: Vec<i32>,
}

/// A chart's name within the page: of a version, and of a signal.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) version: usize,
    pub(super) trend: usize,
}

impl Place {
    fn id(self, kind: &str) -> String {
        format!("v{}-s{}-{kind}", self.version, self.trend)
    }
}

impl<'a> Places<'a> {
    pub(super) fn new(version: &'a Version) -> Self {
        let until_ms = version.times_ms.last().copied().unwrap_or(version.since_ms);
        let times = TimeScale::new(version.since_ms, until_ms);
        let starts = std::iter::once(version.since_ms).chain(version.times_ms.iter().copied());
        let middle = |(start, end): (i64, i64)| times.at(start.midpoint(end));
        Self {
            middles: starts.zip(version.times_ms.iter().copied()).map(middle).collect(),
            ends: version.times_ms.iter().map(|end| times.at(*end)).collect(),
            version,
            times,
        }
    }

    fn of_span<'c>(
        &'c self,
        column: &'c Column,
        scale: &'c Scale,
    ) -> impl Iterator<Item = Option<(i32, i32)>> {
        along(&self.middles, column, scale)
    }

    fn of_look<'c>(
        &'c self,
        column: &'c Column,
        scale: &'c Scale,
    ) -> impl Iterator<Item = Option<(i32, i32)>> {
        along(&self.ends, column, scale)
    }

    /// Both versions over time.
    pub(super) fn values(&self, trend: &Trend, place: Place, words: fn(&Trend, f64) -> String) -> Chart {
        let max = known(&trend.version).chain(known(&trend.baseline)).fold(0.0, f64::max);
        let scale = Scale::linear(0.0, if max > 0.0 { max * 1.08 } else { 1.0 });
        let side = |name: &Text, column: &Column| {
            let (least, most) = known(column).fold((f64::MAX, 0.0), |(least, most): (f64, f64), value| {
                (least.min(value), most.max(value))
            });
            match known(column).last() {
                Some(last) => format!(
                    "{name} {} at the end, between {} and {}",
                    words(trend, last),
                    words(trend, least),
                    words(trend, most)
                ),
                None => format!("{name} was not seen"),
            }
        };
        let desc = format!(
            "{}; {}.",
            side(&self.version.version, &trend.version),
            side(&self.version.baseline, &trend.baseline)
        );
        let title = format!("{} of both versions over time", trend.signal);
        let mut chart = Chart::new(place.id("values"), Text::new(&title), Text::new(&desc), SMALL_PX);
        chart.grid(&scale, |value| words(trend, value));
        chart.times(&self.times);
        chart.shape("line baseline", line(self.of_span(&trend.baseline, &scale)));
        chart.shape("line version", line(self.of_span(&trend.version, &scale)));
        chart
    }

    /// The ratio and its interval over time, and the margin.
    pub(super) fn ratio(&self, trend: &Trend, signal: &SignalJudgement, place: Place) -> Chart {
        let margin = margin_ratio(signal);
        let last = |column: &Column| known(column).last();
        let of_line = known(&trend.ratio).map(|ratio| ratio.clamp(RATIO_MIN, RATIO_MAX));
        let ends = [last(&trend.low), last(&trend.high), margin, margin.map(f64::recip)];
        let all = of_line.chain(ends.into_iter().flatten());
        let (min, max) =
            all.fold((0.6, 1.6), |(min, max): (f64, f64), ratio| (min.min(ratio), max.max(ratio)));
        let scale = Scale::log((min * 0.9).max(RATIO_MIN), (max * 1.1).min(RATIO_MAX));
        let desc = match (last(&trend.ratio), last(&trend.low), last(&trend.high)) {
            (Some(ratio), low, high) => format!(
                "At the end {} times, interval {} to {}.",
                ratio_words(ratio),
                low.map_or("0".to_owned(), ratio_words),
                high.map_or("any".to_owned(), ratio_words)
            ),
            (None, ..) => "Nothing is known of it.".to_owned(),
        };
        let title =
            format!("{}: {} as a multiple of {}", trend.signal, self.version.version, self.version.baseline);
        let mut chart = Chart::new(place.id("ratio"), Text::new(&title), Text::new(&desc), SMALL_PX);
        chart.grid(&scale, |value| format!("{value}×"));
        chart.times(&self.times);
        chart.shape("band", area(self.band(trend, &scale)));
        chart.shape("line version", line(self.of_look(&trend.ratio, &scale)));
        let directions = match signal.harm {
            Harm::Up => [margin, None],
            Harm::Down => [None, margin.map(f64::recip)],
            Harm::Both => [margin, margin.map(f64::recip)],
        };
        for margin in directions.into_iter().flatten().filter(|margin| *margin < RATIO_MAX) {
            chart.rule(&scale, margin, "limit", &format!("margin {}", ratio_words(margin)));
        }
        chart.rule(&scale, 1.0, "equal", "");
        chart
    }

    /// The interval. Where it has no bound it goes beyond the chart.
    fn band(&self, trend: &Trend, scale: &Scale) -> Vec<Option<(i32, i32, i32)>> {
        let sides = trend.low.0.iter().zip(&trend.high.0).zip(&self.ends);
        let place = |((low, high), x): ((&Option<f64>, &Option<f64>), &i32)| {
            Some((*x, scale.at((*high)?), scale.at((*low)?)))
        };
        sides.map(place).collect()
    }

    /// The evidence of harm, and that harm is excluded, each against what it needs.
    pub(super) fn evidence(&self, trend: &Trend, signal: &SignalJudgement, place: Place) -> Chart {
        let needed = signal.ln_threshold.max(signal.ln_threshold_no_worse);
        let all = || known(&trend.log_e).chain(known(&trend.log_e_no_worse));
        let max = all().fold(needed * 1.2, f64::max).min(needed * EVIDENCE_TIMES);
        let min = all().fold(0.0, f64::min).max(-needed);
        let scale = Scale::linear(min, max);
        let last = |column: &Column| known(column).last().map_or(NONE.to_owned(), evidence_words);
        let desc = format!(
            "Evidence of harm is {} of the {} that are needed; evidence that there is no harm beyond the margin is {} of {}.{}",
            last(&trend.log_e),
            evidence_words(signal.ln_threshold),
            last(&trend.log_e_no_worse),
            evidence_words(signal.ln_threshold_no_worse),
            signal.alarm.map_or(String::new(), |alarm| format!(" It alarmed at {}.", time(alarm.at_ms)))
        );
        let title = format!("{}: evidence, ln E, over time", trend.signal);
        let mut chart = Chart::new(place.id("evidence"), Text::new(&title), Text::new(&desc), SMALL_PX);
        chart.grid(&scale, evidence_words);
        chart.times(&self.times);
        chart.shape("line no-worse", line(self.of_look(&trend.log_e_no_worse, &scale)));
        chart.shape("line harm", line(self.of_look(&trend.log_e, &scale)));
        let harm = format!("worse from {}", evidence_words(signal.ln_threshold));
        chart.rule(&scale, signal.ln_threshold, "harm", &harm);
        if signal.mode != llm_canary_verdict::signal::Mode::Watch {
            let no_worse = format!("no worse from {}", evidence_words(signal.ln_threshold_no_worse));
            chart.rule(&scale, signal.ln_threshold_no_worse, "no-worse", &no_worse);
        }
        if let Some(alarm) = signal.alarm {
            let title = format!("alarm at {}, ln E {}", time(alarm.at_ms), evidence_words(alarm.ln_e));
            chart.mark(self.times.part(alarm.at_ms), "bad", "!", &Text::new(&title));
        }
        chart
    }

    /// The version's share over time, with what happened.
    pub(super) fn share(&self, version: usize) -> Chart {
        let own = self.version;
        let length = self.times.until_ms.saturating_sub(self.times.from_ms);
        let (from, until) =
            own.events.iter().fold((self.times.from_ms, self.times.until_ms), |span, event| {
                (span.0.min(event.at_ms), span.1.max(event.at_ms))
            });
        let times = TimeScale::new(
            from.max(self.times.from_ms.saturating_sub(length / WIDENED)),
            until.min(self.times.until_ms.saturating_add(length / WIDENED)),
        );
        let configured = own.steps.iter().map(|step| step.share);
        let max = known(&own.share).chain(configured).fold(0.02, f64::max);
        let scale = Scale::linear(0.0, (max * 1.12).min(1.0).max(max));
        let last = known(&own.share).last();
        let desc = format!(
            "Seen at the end: {}. Configured at the end: {}. {} events are marked; they are listed below.",
            last.map_or(NONE.to_owned(), percent),
            own.steps.last().map_or(NONE.to_owned(), |step| percent(step.share)),
            own.events.len()
        );
        let title = format!("Share of {} over time", own.version);
        let id = format!("v{version}-share");
        let mut chart = Chart::new(id, Text::new(&title), Text::new(&desc), LARGE_PX);
        chart.grid(&scale, percent);
        chart.times(&times);
        let ends: Vec<(i32, i32)> =
            own.steps.iter().map(|step| (times.at(step.at_ms), scale.at(step.share))).collect();
        chart.shape("line configured", steps(&ends, times.at(self.times.until_ms)));
        let starts = std::iter::once(own.since_ms).chain(own.times_ms.iter().copied());
        let middles: Vec<i32> =
            starts.zip(&own.times_ms).map(|(start, end)| times.at(start.midpoint(*end))).collect();
        chart.shape("line version", line(along(&middles, &own.share, &scale)));
        let parts: Vec<f64> = own.events.iter().map(|event| times.part(event.at_ms)).collect();
        for (first, last) in crowds(&parts) {
            let events = own.events.get(first..=last).unwrap_or_default();
            let title: Vec<String> = events
                .iter()
                .map(|event| format!("{}: {}", event.at, event.text.as_ref().unwrap_or(&event.event)))
                .collect();
            let class = match events {
                _ if events.iter().any(|event| event.is_stop) => "bad",
                _ if events.iter().all(|event| event.is_look) => "look",
                _ => "event",
            };
            let numbers = match last.saturating_sub(first) {
                0 => format!("{}", last.saturating_add(1)),
                _ => format!("{}–{}", first.saturating_add(1), last.saturating_add(1)),
            };
            let part = parts.get(last).copied().unwrap_or(0.0);
            chart.mark(part, class, &numbers, &Text::new(&title.join("; ")));
        }
        let alarms = own.analysis.judgement.signals.iter().filter_map(|one| Some((one, one.alarm?)));
        let first = alarms.min_by_key(|(_, alarm)| alarm.at_ms);
        if let (Some((signal, alarm)), true) = (first, own.events.is_empty()) {
            let title = format!("{}: first alarm, of {}", time(alarm.at_ms), signal.signal);
            chart.mark(times.part(alarm.at_ms), "bad", "!", &Text::new(&title));
        }
        chart
    }

    /// The responses of both versions by size.
    pub(super) fn buckets(&self, buckets: &Buckets, place: Place) -> Chart {
        let (first, last) = filled(buckets);
        let edge = |index: usize| match index.checked_sub(1) {
            None => Some(0.0),
            Some(index) => buckets.edges.get(index).copied(),
        };
        let count = last.saturating_sub(first).saturating_add(1);
        let parts = |counts: &[u64]| parts(counts).into_iter().skip(first).take(count).collect::<Vec<f64>>();
        let (version, baseline) = (parts(&buckets.version), parts(&buckets.baseline));
        let title = format!("{}: how the responses of both versions are distributed", buckets.signal);
        let most = |parts: &[f64]| {
            let most = parts.iter().enumerate().max_by(|(_, one), (_, other)| one.total_cmp(other));
            most.map_or(NONE.to_owned(), |(index, part)| {
                let (low, high) =
                    (edge(first.saturating_add(index)), edge(first.saturating_add(index).saturating_add(1)));
                let high = high.map_or("above".to_owned(), |high| format!("to {}", short(high)));
                format!("{} from {} {high}", percent(*part), low.map_or(NONE.to_owned(), short))
            })
        };
        let desc = format!(
            "Most responses: {} {}; {} {}.",
            self.version.version,
            most(&version),
            self.version.baseline,
            most(&baseline)
        );
        let id = place.id("buckets");
        let mut chart =
            side_by_side(Chart::new(id, Text::new(&title), Text::new(&desc), SMALL_PX), &version, &baseline);
        let every = count.div_ceil(BAR_LABELS).max(1);
        for index in (0..=count).step_by(every) {
            let label = edge(first.saturating_add(index)).map(compact);
            chart.tick(index as f64 / count.max(1) as f64, &label.unwrap_or_default(), true);
        }
        chart
    }

    /// The part of the events in each shard.
    pub(super) fn shards(&self, shards: &SignalShards, place: Place) -> Chart {
        let (version, baseline) = (parts(&shards.events.version), parts(&shards.events.baseline));
        let most = |parts: &[f64]| {
            let most = parts.iter().enumerate().max_by(|(_, one), (_, other)| one.total_cmp(other));
            most.map_or(NONE.to_owned(), |(shard, part)| format!("{} in shard {shard}", percent(*part)))
        };
        let title = format!("{}: events by shard, as a part of all events of the version", shards.signal);
        let desc = format!(
            "At most {} of {}, and {} of {}.",
            most(&version),
            self.version.version,
            most(&baseline),
            self.version.baseline
        );
        let id = place.id("shards");
        let mut chart =
            side_by_side(Chart::new(id, Text::new(&title), Text::new(&desc), SMALL_PX), &version, &baseline);
        let count = version.len().max(1);
        for shard in (0..count).step_by(8) {
            chart.tick((shard as f64 + 0.5) / count as f64, &shard.to_string(), false);
        }
        chart
    }
}

/// The first and the last of those that are too close to be marked apart.
fn crowds(parts: &[f64]) -> Vec<(usize, usize)> {
    let mut crowds: Vec<(usize, usize)> = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| parts.get(index));
        match crowds.last_mut().filter(|_| before.is_some_and(|before| part - before < MARK_PART)) {
            Some((_, last)) => *last = index,
            None => crowds.push((index, index)),
        }
    }
    crowds
}

/// Two bars for each place, the version's on the left.
fn side_by_side(mut chart: Chart, version: &[f64], baseline: &[f64]) -> Chart {
    let max = version.iter().chain(baseline).copied().fold(0.0, f64::max);
    let scale = Scale::linear(0.0, if max > 0.0 { max * 1.08 } else { 1.0 });
    chart.grid(&scale, percent);
    let count = version.len().max(baseline.len()).max(1) as f64;
    let place = |index: usize, part: f64| ((index as f64 + part) / count * f64::from(UNITS)).round() as i32;
    let of = |parts: &[f64], from: f64, until: f64| {
        let each = parts.iter().enumerate();
        let bar = |(index, part): (usize, &f64)| (place(index, from), place(index, until), scale.at(*part));
        bars(each.map(bar).collect::<Vec<_>>(), UNITS)
    };
    chart.shape("bar version", of(version, 0.1, 0.5));
    chart.shape("bar baseline", of(baseline, 0.5, 0.9));
    chart
}

/// The first and the last bucket with a response.
fn filled(buckets: &Buckets) -> (usize, usize) {
    let both = buckets.version.iter().zip(&buckets.baseline).map(|(version, baseline)| version.max(baseline));
    let filled: Vec<usize> =
        both.enumerate().filter(|(_, count)| **count > 0).map(|(index, _)| index).collect();
    (filled.first().copied().unwrap_or(0), filled.last().copied().unwrap_or(0))
}

fn parts(counts: &[u64]) -> Vec<f64> {
    let all = counts.iter().fold(0_u64, |sum, count| sum.saturating_add(*count)).max(1);
    counts.iter().map(|count| *count as f64 / all as f64).collect()
}

fn along<'c>(
    places: &'c [i32],
    column: &'c Column,
    scale: &'c Scale,
) -> impl Iterator<Item = Option<(i32, i32)>> + 'c {
    places.iter().zip(&column.0).map(|(x, value)| {
        let value = value.filter(|value| value.is_finite())?;
        // What is beyond the scale runs along its edge.
        Some((*x, scale.at(value).clamp(0, UNITS)))
    })
}

fn known(column: &Column) -> impl Iterator<Item = f64> + '_ {
    column.0.iter().flatten().copied().filter(|value| value.is_finite())
}

/// The margin as a ratio: of a rate the larger of the two that it has.
pub(super) fn margin_ratio(signal: &SignalJudgement) -> Option<f64> {
    let Margin { ratio, points } = signal.margin;
    if signal.finding == Finding::Absent {
        return None;
    }
    match signal.kind {
        Kind::Distribution => Some(ratio),
        Kind::Rate => {
            let base = signal.figures.values.baseline.filter(|base| *base > 0.0)?;
            Some(ratio.max(1.0 + points / base))
        }
    }
    .filter(|ratio| ratio.is_finite())
}

/// `ln E`, with a digit behind the point.
pub(super) fn evidence_words(ln_e: f64) -> String {
    if ln_e.is_finite() {
        format!("{:.1}", if ln_e.abs() < 0.05 { 0.0 } else { ln_e })
    } else {
        NONE.to_owned()
    }
}

/// `1.5k`
fn compact(number: f64) -> String {
    match number {
        number if number >= 1e6 => format!("{}M", short(number / 1e6)),
        number if number >= 1e3 => format!("{}k", short(number / 1e3)),
        number => short(number),
    }
}

/// RFC 3339.
pub(super) fn time(ms: i64) -> String {
    llm_canary::timestamp::rfc3339(u64::try_from(ms).unwrap_or(0))
}
