//! What all versions counted in one window → the window of a version and its baseline.

use super::ahead::REQUESTS;
use super::catalogue::{Counter, Part, Quantity, Sharded, Slot};
use super::counting::{Counting, Sums};
use super::registry::Registry;
use llm_canary::timestamp::UnixMs;
use llm_canary_verdict::signal::Signal;
use llm_canary_verdict::window::{
    Count, Distribution, Flow, Histogram, Pair, Rate, Total, Window, tool_responses,
};
use std::sync::Arc;

/// A version and the one that it is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Comparison {
    pub(crate) rollout: String,
    pub(crate) version: String,
    pub(crate) baseline: String,
}

/// What all versions counted in one window.
pub(crate) struct Tally<'a> {
    pub(super) registry: &'a Registry,
    pub(super) counting: &'a Counting,
    pub(super) start_ms: UnixMs,
    pub(super) end_ms: UnixMs,
    pub(super) is_missing: bool,
    /// Whether any sample is in it. Without one nothing is known of it, not even that nothing happened.
    pub(super) has_samples: bool,
}

/// The sums of both sides; `None` for a version without any series.
type Sides<'a> = Pair<Option<&'a Sums>>;

impl Tally<'_> {
    /// When the window began, in Unix milliseconds.
    pub(crate) fn start_ms(&self) -> UnixMs {
        self.start_ms
    }

    /// When it ended: the time of its latest sample.
    #[cfg(test)]
    pub(crate) fn end_ms(&self) -> UnixMs {
        self.end_ms
    }

    /// The window of a version and its baseline.
    pub(crate) fn window(&self, of: &Comparison) -> Window {
        let ms = |ms| i64::try_from(ms).unwrap_or(i64::MAX);
        let mut window = Window {
            start_ms: ms(self.start_ms),
            end_ms: ms(self.end_ms),
            is_missing: self.is_missing,
            ..Window::default()
        };
        if !self.has_samples {
            return window;
        }
        let side = |version| self.counting.sums(self.registry.side(&of.rollout, version));
        let sides = Pair { version: side(&of.version), baseline: side(&of.baseline) };
        window.flow = sides.map(|sums| sums.map_or(Flow::default(), flow));
        if exists(&sides, &REQUESTS) {
            for (signal, rate) in rates(&sides) {
                window.rates.insert(signal, rate);
            }
            for (defect, name) in self.registry.defects().iter().enumerate() {
                let events = |sums: Option<&Sums>| sums.and_then(|sums| *sums.defects.get(defect)?);
                let events = sides.map(events);
                if events.either(Option::is_some) {
                    let counts = pair(&sides, requests, |_| 0);
                    let counts = Pair {
                        version: Count { d: whole(events.version.unwrap_or(0.0)), ..counts.version },
                        baseline: Count { d: whole(events.baseline.unwrap_or(0.0)), ..counts.baseline },
                    };
                    let rate = Rate { counts, ..Rate::default() };
                    window.rates.insert(Signal::Defect(Arc::clone(name)), rate);
                }
            }
        }
        for quantity in Quantity::ALL {
            if let Some(distribution) = self.distribution(&sides, quantity) {
                window.distributions.insert(signal(quantity), distribution);
            }
        }
        window
    }

    /// The distribution of a quantity, if its series exist.
    fn distribution(&self, sides: &Sides<'_>, quantity: Quantity) -> Option<Distribution> {
        let numbers = self.counting.edges(quantity);
        let exists = |part| has(sides, Slot::part(quantity, part));
        if numbers.is_empty() || !(exists(Part::Count) || exists(Part::Infinity)) {
            return None;
        }
        let edges = self.registry.edges(quantity);
        let edges = numbers.iter().filter_map(|edge| edges.get(usize::from(*edge)).copied()).collect();
        let histogram = |sums: Option<&Sums>| {
            let empty = || Histogram { counts: vec![0; numbers.len() + 1], sum: 0.0, squares: None };
            let exact = exists(Part::Exact);
            let mut of = sums.map_or_else(empty, |sums| histogram(sums, quantity, numbers, exact));
            if exists(Part::Squares) {
                of.squares.get_or_insert(0.0);
            }
            of
        };
        let shards = match quantity {
            Quantity::ResponseChars => Some(Sharded::ResponseChars),
            Quantity::TimeToFirstToken => Some(Sharded::TimeToFirstToken),
            _ => None,
        };
        let shards = shards.filter(|sum| has_shards(sides, *sum)).map(|sum| {
            sides.map(|sums| {
                let total = |shard| Total {
                    n: shard_sum(sums, Sharded::Requests, shard),
                    sum: shard_value(sums, sum, shard),
                };
                Box::new(std::array::from_fn(total))
            })
        });
        Some(Distribution { edges, histograms: sides.map(histogram), shards })
    }
}

fn signal(quantity: Quantity) -> Signal {
    match quantity {
        Quantity::ResponseChars => Signal::ResponseChars,
        Quantity::TimeToFirstToken => Signal::TimeToFirstToken,
        Quantity::TimePerOutputToken => Signal::TimePerOutputToken,
        Quantity::OutputTokens => Signal::OutputTokens,
        Quantity::InputTokens => Signal::InputTokens,
        Quantity::RequestDuration => Signal::RequestDuration,
        Quantity::LongestGap => Signal::LongestGap,
    }
}

/// An increment as a whole number.
fn whole(increment: f64) -> u64 {
    increment.round() as u64
}

fn count(sums: &Sums, counter: Counter) -> u64 {
    whole(sums.get(Slot::counter(counter)))
}

fn sum(sums: &Sums, counters: &[Counter]) -> u64 {
    counters.iter().map(|counter| count(sums, *counter)).fold(0, u64::saturating_add)
}

fn requests(sums: &Sums) -> u64 {
    sum(sums, &REQUESTS)
}

fn decisions(sums: &Sums) -> u64 {
    sum(sums, &[Counter::SplitDecided, Counter::OtherDecided])
}

fn flow(sums: &Sums) -> Flow {
    Flow {
        requests: requests(sums),
        first_turns: count(sums, Counter::FirstTurns),
        decisions: decisions(sums),
        split_decisions: count(sums, Counter::SplitDecided),
        unread: count(sums, Counter::Unread),
        mismatches: count(sums, Counter::Mismatched),
        cached_input_tokens: count(sums, Counter::CachedInputTokens),
    }
}

/// Whether a series exists, on one side at least. On one side only, the other counts 0, and holds.
fn has(sides: &Sides<'_>, slot: Slot) -> bool {
    sides.either(|sums| sums.is_some_and(|sums| sums.has(slot)))
}

/// Whether a metric exists, by the counters that its series are.
fn exists(sides: &Sides<'_>, counters: &[Counter]) -> bool {
    counters.iter().any(|counter| has(sides, Slot::counter(*counter)))
}

/// The counters of the metric that has a counter. A series without any event may not be written, and is 0 then.
fn metric_of(counter: Counter) -> &'static [Counter] {
    use Counter as C;
    match counter {
        C::Completed | C::Failed | C::Aborted => &REQUESTS,
        C::LengthStopped | C::OtherFinish => &[C::LengthStopped, C::OtherFinish],
        C::RatedUp | C::RatedDown | C::Escalated => &[C::RatedUp, C::RatedDown, C::Escalated],
        C::SplitDecided | C::OtherDecided => &[C::SplitDecided, C::OtherDecided],
        C::Refused => &[C::Refused],
        C::Defective => &[C::Defective],
        C::ToolResponses => &[C::ToolResponses],
        C::ToolsOffered => &[C::ToolsOffered],
        C::Retried => &[C::Retried],
        C::Unread => &[C::Unread],
        C::Mismatched => &[C::Mismatched],
        C::FirstTurns => &[C::FirstTurns],
        C::FirstTurnsRefused => &[C::FirstTurnsRefused],
        C::FirstTurnsFailed => &[C::FirstTurnsFailed],
        C::CachedInputTokens => &[C::CachedInputTokens],
    }
}

fn has_shards(sides: &Sides<'_>, sharded: Sharded) -> bool {
    has(sides, Slot::sharded(Sharded::Requests, 0)) && has(sides, Slot::sharded(sharded, 0))
}

fn shard_value(sums: Option<&Sums>, sharded: Sharded, shard: usize) -> f64 {
    sums.map_or(0.0, |sums| sums.get(Slot::sharded(sharded, shard)))
}

fn shard_sum(sums: Option<&Sums>, sharded: Sharded, shard: usize) -> u64 {
    whole(shard_value(sums, sharded, shard))
}

/// Events of so many, on each side.
fn pair(sides: &Sides<'_>, n: impl Fn(&Sums) -> u64, d: impl Fn(&Sums) -> u64) -> Pair<Count> {
    sides.map(|sums| sums.map_or(Count::default(), |sums| Count { n: n(sums), d: d(sums) }))
}

/// All rates whose series exist, but those of single defects.
fn rates<'a>(sides: &'a Sides<'_>) -> impl Iterator<Item = (Signal, Rate)> + 'a {
    use {Counter as C, Sharded as S};
    // Signal, its events, their shards and their first turns.
    let of_requests = [
        (Signal::Errors, C::Failed, Some(S::Failed), Some(C::FirstTurnsFailed)),
        (Signal::Refusals, C::Refused, Some(S::Refused), Some(C::FirstTurnsRefused)),
        (Signal::Defects, C::Defective, Some(S::Defective), None),
        (Signal::LengthStops, C::LengthStopped, Some(S::LengthStopped), None),
        (Signal::ClientAborts, C::Aborted, Some(S::Aborted), None),
        (Signal::ToolResponses, C::ToolResponses, Some(S::ToolResponses), None),
        (Signal::Escalations, C::Escalated, None, None),
    ];
    let of_requests = of_requests.into_iter().map(move |(signal, events, sharded, first)| {
        let counts = match signal {
            Signal::ToolResponses => offered(sides),
            _ => pair(sides, requests, |sums| count(sums, events)),
        };
        let first_turns = first.filter(|first| exists(sides, &[C::FirstTurns]) && exists(sides, &[*first]));
        let first_turns = first_turns
            .map(|first| pair(sides, |sums| count(sums, C::FirstTurns), |sums| count(sums, first)));
        let shards = sharded.filter(|sharded| has_shards(sides, *sharded)).map(|sharded| {
            sides.map(|sums| {
                let of = |shard| Count {
                    n: shard_sum(sums, S::Requests, shard),
                    d: shard_sum(sums, sharded, shard),
                };
                Box::new(std::array::from_fn(of))
            })
        });
        (signal, events, Rate { counts, first_turns, shards })
    });
    let ratings = |sums: &Sums| sum(sums, &[C::RatedUp, C::RatedDown]);
    let others = [
        (Signal::Retries, C::Retried, pair(sides, decisions, |sums| count(sums, C::Retried))),
        (Signal::FeedbackDown, C::RatedDown, pair(sides, ratings, |sums| count(sums, C::RatedDown))),
        (Signal::FeedbackUp, C::RatedUp, pair(sides, ratings, |sums| count(sums, C::RatedUp))),
    ];
    let others = others.map(|(signal, events, counts)| (signal, events, Rate { counts, ..Rate::default() }));
    let all = of_requests.chain(others);
    all.filter(|(_, events, _)| exists(sides, metric_of(*events))).map(|(signal, _, rate)| (signal, rate))
}

/// The responses with calls of tools, of those that were offered any.
fn offered(sides: &Sides<'_>) -> Pair<Count> {
    let of = |counter| sides.map(|sums| sums.map_or(0, |sums| count(sums, counter)));
    let all = sides.map(|sums| sums.map_or(0, requests));
    tool_responses(of(Counter::ToolResponses), of(Counter::ToolsOffered), all)
}

/// A side's responses by size.
fn histogram(sums: &Sums, quantity: Quantity, edges: &[u16], is_exact: bool) -> Histogram {
    let part = |part| Slot::part(quantity, part);
    let buckets = sums.buckets.get(quantity as usize).map_or(&[][..], Vec::as_slice);
    let up_to = |edge: &u16| buckets.get(usize::from(*edge)).copied().unwrap_or(0.0);
    let all = if sums.has(part(Part::Count)) {
        sums.get(part(Part::Count))
    } else {
        sums.get(part(Part::Infinity))
    };
    let mut below = 0.0_f64;
    let up_to = edges.iter().map(up_to).chain([all]);
    let counts = up_to.map(|up_to| {
        let within = whole((up_to - below).max(0.0));
        below = below.max(up_to);
        within
    });
    Histogram {
        counts: counts.collect(),
        sum: sums.get(part(if is_exact { Part::Exact } else { Part::HistogramSum })),
        squares: sums.has(part(Part::Squares)).then(|| sums.get(part(Part::Squares))),
    }
}
