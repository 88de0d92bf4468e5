//! What each series counts: its name and labels → the place where its increments are added up.
//!
//! Names may carry a prefix that an exporter put in front. Of the labels, those that begin with `llm_`, and `le`, say what
//! is counted; all others tell instances apart. Counters of the tool's own (`llm_canary_…`) are no traffic.

/// The groups of conversations that are counted apart.
pub(super) use llm_canary_verdict::window::SHARDS;

/// In front of the names of the tool's own metrics.
const OF_THE_TOOL: &str = "llm_canary_";

/// A sum of one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(super) enum Counter {
    Completed,
    Failed,
    Aborted,
    SplitDecided,
    OtherDecided,
    Refused,
    Defective,
    LengthStopped,
    OtherFinish,
    ToolResponses,
    ToolsOffered,
    Retried,
    RatedUp,
    RatedDown,
    Escalated,
    Unread,
    Mismatched,
    FirstTurns,
    FirstTurnsRefused,
    FirstTurnsFailed,
    CachedInputTokens,
}

const COUNTERS: usize = Counter::CachedInputTokens as usize + 1;

/// A sum of one version by shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(super) enum Sharded {
    Requests,
    Failed,
    Refused,
    Defective,
    LengthStopped,
    ToolResponses,
    Aborted,
    ResponseChars,
    TimeToFirstToken,
}

const SHARDED: usize = Sharded::TimeToFirstToken as usize + 1;

/// What a histogram is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(super) enum Quantity {
    ResponseChars,
    TimeToFirstToken,
    TimePerOutputToken,
    OutputTokens,
    InputTokens,
    RequestDuration,
    LongestGap,
}

impl Quantity {
    /// In their order.
    pub(super) const ALL: [Self; 7] = [
        Self::ResponseChars,
        Self::TimeToFirstToken,
        Self::TimePerOutputToken,
        Self::OutputTokens,
        Self::InputTokens,
        Self::RequestDuration,
        Self::LongestGap,
    ];
}

/// A sum of a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(super) enum Part {
    /// The exact sum, by a counter of its own.
    Exact,
    /// The exact sum of the squares.
    Squares,
    /// The histogram's own sum, which Envoy rounds.
    HistogramSum,
    /// The number of responses.
    Count,
    /// The same by the bucket without an edge.
    Infinity,
}

const PARTS: usize = Part::Infinity as usize + 1;

/// How many sums of quantities counters tell exactly: [`Part::Exact`] and [`Part::Squares`], which are the first parts.
pub(super) const EXACT_SUMS: usize = Quantity::ALL.len() * 2;

/// How many sums a version has, besides its buckets and kinds of defects.
pub(super) const SLOTS: usize = COUNTERS + SHARDED * SHARDS + Quantity::ALL.len() * PARTS;

/// The place of a sum among those of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Slot(u16);

impl Slot {
    pub(super) const fn counter(counter: Counter) -> Self {
        Self(counter as u16)
    }

    /// `shard` is below [`SHARDS`].
    pub(super) const fn sharded(sharded: Sharded, shard: usize) -> Self {
        Self((COUNTERS + sharded as usize * SHARDS + shard % SHARDS) as u16)
    }

    pub(super) const fn part(quantity: Quantity, part: Part) -> Self {
        Self((COUNTERS + SHARDED * SHARDS + quantity as usize * PARTS + part as usize) as u16)
    }

    /// The place among the sums of quantities that counters tell exactly, below [`EXACT_SUMS`]; `None` for another sum.
    pub(super) fn exact(self) -> Option<usize> {
        let index = self.index().checked_sub(COUNTERS + SHARDED * SHARDS)?;
        let (quantity, part) = (index / PARTS, index % PARTS);
        let is_exact = part == Part::Exact as usize || part == Part::Squares as usize;
        is_exact.then_some(quantity * 2 + part)
    }

    /// The sum at this place.
    pub(super) fn of_exact(place: usize) -> Option<Self> {
        let quantity = Quantity::ALL.get(place / 2)?;
        Some(Self::part(*quantity, if place.is_multiple_of(2) { Part::Exact } else { Part::Squares }))
    }

    /// Below [`SLOTS`].
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a series is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Meaning<'a> {
    Sum(Slot),
    /// The responses up to this edge.
    Bucket(Quantity, f64),
    /// Responses with this defect.
    Defect(&'a str),
    /// The hash of the configuration in force.
    ConfigHash,
    /// Nothing that is judged.
    Other,
}

/// The metrics that show what an instance counted, also of what is not compared. By them its restarts are noticed.
pub(super) const TRAFFIC: [&str; 2] = ["llm_requests_total", "llm_decisions_total"];
pub(super) const CONFIG_HASH: &str = "llm_config_hash";

/// All other counters that are read.
pub(super) const COUNTER_NAMES: [&str; 29] = [
    "llm_finish_total",
    "llm_refusals_total",
    "llm_defective_responses_total",
    "llm_defects_total",
    "llm_tool_responses_total",
    "llm_tools_offered_total",
    "llm_retries_total",
    "llm_feedback_total",
    "llm_unread_total",
    "llm_version_mismatch_total",
    "llm_first_turn_requests_total",
    "llm_first_turn_refusals_total",
    "llm_first_turn_errors_total",
    "llm_tokens_total",
    "llm_output_tokens_squared_total",
    "llm_response_chars_total",
    "llm_response_chars_squared_total",
    "llm_time_to_first_token_ms_total",
    "llm_time_to_first_token_ms_squared_total",
    "llm_time_per_output_token_us_total",
    "llm_time_per_output_token_us_squared_total",
    "llm_shard_requests_total",
    "llm_shard_errors_total",
    "llm_shard_refusals_total",
    "llm_shard_defects_total",
    "llm_shard_length_stops_total",
    "llm_shard_tool_responses_total",
    "llm_shard_client_aborts_total",
    "llm_shard_(response_chars|time_to_first_token_ms)_total",
];

/// The histograms that are read.
pub(super) const HISTOGRAM_NAMES: [(&str, Quantity); 7] = [
    ("llm_response_chars", Quantity::ResponseChars),
    ("llm_time_to_first_token_ms", Quantity::TimeToFirstToken),
    ("llm_time_per_output_token_us", Quantity::TimePerOutputToken),
    ("llm_output_tokens", Quantity::OutputTokens),
    ("llm_input_tokens", Quantity::InputTokens),
    ("llm_request_duration_ms", Quantity::RequestDuration),
    ("llm_longest_gap_ms", Quantity::LongestGap),
];

/// The histogram that a series of this name would be, if it is a native one: a classic one has series whose names go on.
pub(super) fn native(name: &str) -> Option<Quantity> {
    HISTOGRAM_NAMES.iter().find(|(base, _)| *base == name).map(|(_, quantity)| *quantity)
}

/// A name without what an exporter put in front of it: the prefix, and the filter's own name. `None` if it is none of the
/// filter's.
pub(super) fn without_prefix(name: &str) -> Option<(&str, &str)> {
    // None of the filter's names has `llm_` in it once more.
    let (prefix, own) = name.split_at_checked(name.rfind("llm_")?)?;
    let is_prefix = prefix.is_empty() || prefix.ends_with(['_', '.', ':']);
    (is_prefix && !own.starts_with(OF_THE_TOOL)).then_some((prefix, own))
}

/// What a series counts, by the filter's own name and the labels.
pub(super) fn meaning<'a>(name: &str, label: impl Fn(&str) -> Option<&'a str>) -> Meaning<'a> {
    use {Counter as C, Sharded as S};
    let value = |name| label(name).unwrap_or_default();
    let counter = |counter| Meaning::Sum(Slot::counter(counter));
    let sharded = |sharded| match value("llm_shard").parse::<usize>() {
        Ok(shard) if shard < SHARDS => Meaning::Sum(Slot::sharded(sharded, shard)),
        _ => Meaning::Other,
    };
    let part = |quantity, part| Meaning::Sum(Slot::part(quantity, part));
    match name {
        CONFIG_HASH => Meaning::ConfigHash,
        "llm_requests_total" => counter(match value("llm_outcome") {
            "http_error" | "stream_error" | "truncated" | "upstream_reset" | "local_reply" => C::Failed,
            "client_abort" => C::Aborted,
            _ => C::Completed,
        }),
        "llm_decisions_total" => {
            counter(if value("llm_reason") == "split" { C::SplitDecided } else { C::OtherDecided })
        }
        "llm_finish_total" => {
            counter(if value("llm_finish") == "length" { C::LengthStopped } else { C::OtherFinish })
        }
        "llm_refusals_total" => counter(C::Refused),
        "llm_defective_responses_total" => counter(C::Defective),
        "llm_defects_total" => label("llm_defect").map_or(Meaning::Other, Meaning::Defect),
        "llm_tool_responses_total" => counter(C::ToolResponses),
        "llm_tools_offered_total" => counter(C::ToolsOffered),
        "llm_retries_total" => counter(C::Retried),
        "llm_feedback_total" => match value("llm_feedback") {
            "up" => counter(C::RatedUp),
            "down" => counter(C::RatedDown),
            "escalation" => counter(C::Escalated),
            _ => Meaning::Other,
        },
        "llm_unread_total" => counter(C::Unread),
        "llm_version_mismatch_total" => counter(C::Mismatched),
        "llm_first_turn_requests_total" => counter(C::FirstTurns),
        "llm_first_turn_refusals_total" => counter(C::FirstTurnsRefused),
        "llm_first_turn_errors_total" => counter(C::FirstTurnsFailed),
        "llm_tokens_total" => match value("llm_token") {
            "output" => part(Quantity::OutputTokens, Part::Exact),
            "input" => part(Quantity::InputTokens, Part::Exact),
            "cached_input" => counter(C::CachedInputTokens),
            _ => Meaning::Other,
        },
        "llm_output_tokens_squared_total" => part(Quantity::OutputTokens, Part::Squares),
        "llm_response_chars_total" => part(Quantity::ResponseChars, Part::Exact),
        "llm_response_chars_squared_total" => part(Quantity::ResponseChars, Part::Squares),
        "llm_time_to_first_token_ms_total" => part(Quantity::TimeToFirstToken, Part::Exact),
        "llm_time_to_first_token_ms_squared_total" => part(Quantity::TimeToFirstToken, Part::Squares),
        "llm_time_per_output_token_us_total" => part(Quantity::TimePerOutputToken, Part::Exact),
        "llm_time_per_output_token_us_squared_total" => part(Quantity::TimePerOutputToken, Part::Squares),
        "llm_shard_requests_total" => sharded(S::Requests),
        "llm_shard_errors_total" => sharded(S::Failed),
        "llm_shard_refusals_total" => sharded(S::Refused),
        "llm_shard_defects_total" => sharded(S::Defective),
        "llm_shard_length_stops_total" => sharded(S::LengthStopped),
        "llm_shard_tool_responses_total" => sharded(S::ToolResponses),
        "llm_shard_client_aborts_total" => sharded(S::Aborted),
        "llm_shard_response_chars_total" => sharded(S::ResponseChars),
        "llm_shard_time_to_first_token_ms_total" => sharded(S::TimeToFirstToken),
        _ => histogram(name, value("le")),
    }
}

/// A series of a classic histogram.
fn histogram<'a>(name: &str, le: &str) -> Meaning<'a> {
    let series = HISTOGRAM_NAMES.iter().find_map(|(base, quantity)| {
        let series = name.strip_prefix(base)?;
        series.starts_with('_').then_some((*quantity, series))
    });
    match series {
        Some((quantity, "_sum")) => Meaning::Sum(Slot::part(quantity, Part::HistogramSum)),
        Some((quantity, "_count")) => Meaning::Sum(Slot::part(quantity, Part::Count)),
        // `1`, `1.0` and `1e0` are one edge: Prometheus writes it differently from one version to the next.
        Some((quantity, "_bucket")) => match le.parse::<f64>() {
            Ok(edge) if edge.is_finite() && edge >= 0.0 => Meaning::Bucket(quantity, edge),
            Ok(edge) if edge == f64::INFINITY => Meaning::Sum(Slot::part(quantity, Part::Infinity)),
            _ => Meaning::Other,
        },
        _ => Meaning::Other,
    }
}

/// A regular expression for Prometheus: these names, with anything in front.
fn names(names: impl Iterator<Item = impl AsRef<str>>) -> String {
    let names: Vec<String> = names.map(|name| name.as_ref().to_owned()).collect();
    format!("(.+[_.:])?({})", names.join("|"))
}

/// A selector for Prometheus.
fn selector(names: &str, compared: &str, extra: &str) -> String {
    let comma = if extra.is_empty() { "" } else { "," };
    format!("{{__name__=~\"{names}\",llm_compare{compared}\"yes\"{comma}{extra}}}")
}

/// Selectors for Prometheus, which together choose everything that is read, and nothing twice. `extra` are further
/// matchers, or nothing. Of the counts that are compared, those of one rollout may be enough: they are nearly all series. The
/// others show which rollouts there are, and restarts.
pub(crate) fn selectors(extra: &str, rollout: Option<&str>) -> [String; 2] {
    let histograms = HISTOGRAM_NAMES.iter().map(|(name, _)| format!("{name}_(bucket|sum|count)"));
    let counters = TRAFFIC.iter().chain(&COUNTER_NAMES).map(|name| (*name).to_owned());
    let compared = names(counters.chain(histograms));
    let others = names(TRAFFIC.iter().chain([&CONFIG_HASH]));
    [selector(&compared, "=", &of_rollout(extra, rollout)), selector(&others, "!=", extra)]
}

/// A selector of native histograms.
pub(crate) fn native_selector(extra: &str, rollout: Option<&str>) -> String {
    selector(&names(HISTOGRAM_NAMES.iter().map(|(name, _)| name)), "=", &of_rollout(extra, rollout))
}

/// A selector of one series of each instance, which shows when it was scraped.
pub(crate) fn newest_selector(extra: &str, rollout: Option<&str>) -> String {
    selector(&names([CONFIG_HASH].iter()), "!=", &of_rollout(extra, rollout))
}

/// Further matchers, and one for a rollout.
fn of_rollout(extra: &str, rollout: Option<&str>) -> String {
    let Some(rollout) = rollout else { return extra.to_owned() };
    let rollout = rollout.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let comma = if extra.is_empty() { "" } else { "," };
    format!("llm_rollout=\"{rollout}\"{comma}{extra}")
}

/// A selector of what shows that there was traffic to be compared.
pub(crate) fn traffic_selector(extra: &str) -> String {
    selector(&names(TRAFFIC.iter().take(1)), "=", extra)
}

#[cfg(test)]
mod tests {
    use super::{
        CONFIG_HASH, COUNTER_NAMES, Counter, HISTOGRAM_NAMES, Meaning, Slot, TRAFFIC, meaning, without_prefix,
    };
    use llm_canary::metrics::{CATALOGUE, MetricKind, is_failure};
    use llm_canary::observe::Outcome;

    #[test]
    fn the_filter_has_what_is_read() {
        let is_counter =
            |name: &str| CATALOGUE.iter().any(|spec| spec.name == name && spec.kind == MetricKind::Counter);
        for name in TRAFFIC.iter().chain(&COUNTER_NAMES) {
            match name.split_once('(') {
                Some((start, rest)) => {
                    let (alternatives, end) = rest.split_once(')').unwrap();
                    assert!(
                        alternatives.split('|').all(|part| is_counter(&format!("{start}{part}{end}"))),
                        "{name}"
                    );
                }
                None => assert!(is_counter(name), "{name}"),
            }
        }
        for (name, _) in HISTOGRAM_NAMES {
            assert!(
                CATALOGUE.iter().any(|spec| spec.name == name && spec.kind == MetricKind::Histogram),
                "{name}"
            );
        }
        // And every counter that is told from others is asked of Prometheus.
        for spec in CATALOGUE {
            let label =
                |wanted: &str| spec.label.filter(|(name, _)| *name == wanted).map(|(_, values)| values[0]);
            let is_read = meaning(spec.name, label) != Meaning::Other;
            let name = spec.name.replace("response_chars", "(response_chars|time_to_first_token_ms)");
            let shards = name.replace("time_to_first_token_ms_", "(response_chars|time_to_first_token_ms)_");
            let is_named =
                TRAFFIC.iter().chain(&COUNTER_NAMES).any(|known| [spec.name, &name, &shards].contains(known));
            assert!(!is_read || is_named, "{}", spec.name);
        }
    }

    #[test]
    fn failures_are_what_the_filter_calls_so() {
        for (outcome, name) in Outcome::ALL.iter().zip(Outcome::NAMES) {
            let found = meaning("llm_requests_total", |label| (label == "llm_outcome").then_some(*name));
            let is_failed = found == Meaning::Sum(Slot::counter(Counter::Failed));
            assert_eq!(is_failed, is_failure(*outcome), "{name}");
        }
    }

    #[test]
    fn names_with_something_in_front() {
        for (name, found) in [
            ("llm_requests_total", Some(("", "llm_requests_total"))),
            ("envoy_wasmcustom_llm_requests_total", Some(("envoy_wasmcustom_", "llm_requests_total"))),
            ("wasmcustom.llm_config_hash", Some(("wasmcustom.", CONFIG_HASH))),
            ("envoy_llm_canary_llm_requests_total", Some(("envoy_llm_canary_", "llm_requests_total"))),
            ("llm_canary_verdict", None),
            ("x_llm_canary_verdict", None),
            ("xllm_requests_total", None),
            ("up", None),
        ] {
            assert_eq!(without_prefix(name), found, "{name}");
        }
    }
}
