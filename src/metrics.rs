//! The catalogue of metrics, and what each decision and observation adds to them.
//!
//! In: a configuration, decisions, observations. Out: the series to define, and updates of them. The host
//! encodes the name of a series for its proxy. All series are defined when a configuration is loaded, one block for
//! each (rollout, version, compare), so nothing that a client sends can become part of a name or a label.

#[cfg(test)]
mod tests;

use crate::bucket::SHARDS;
use crate::config::Config;
use crate::feedback::Rating;
use crate::observe::{Finish, HttpError, Observation, Outcome, Refusal, Unparsed};
use crate::refusal;
use crate::route::{Decision, Reason};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// What a metric does with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Adds it up.
    Counter,
    /// Keeps the last one.
    Gauge,
    /// Sorts it into buckets.
    Histogram,
}

/// One time series: a metric with a value for each of its labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series<'a> {
    /// What it does with a value.
    pub kind: MetricKind,
    /// The metric's name in Prometheus.
    pub name: &'a str,
    /// Names and values of its labels.
    pub labels: &'a [(&'a str, &'a str)],
}

/// One metric of the catalogue, before its labels.
pub struct Spec {
    /// Its name in Prometheus.
    pub name: &'static str,
    /// What it does with a value.
    pub kind: MetricKind,
    /// The label in addition to rollout, version and compare, and its values.
    pub label: Option<(&'static str, &'static [&'static str])>,
}

/// Declares the metrics: their enum, specs and descriptions.
macro_rules! catalogue {
    ($($metric:ident: $kind:ident $name:literal $([$label:literal = $values:expr])?, $help:literal;)*) => {
        /// A metric of the catalogue.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Metric { $(#[doc = $help] $metric),* }

        /// All metrics, in the order of [`Metric`].
        pub const CATALOGUE: &[Spec] = &[$(Spec {
            name: $name,
            kind: MetricKind::$kind,
            label: catalogue!(@label $($label, $values)?),
        }),*];

        /// The description of each metric; the unit is in its name. Not part of [`Spec`], to keep it out of the module.
        pub const HELP: &[&str] = &[$($help),*];
    };
    (@label) => { None };
    (@label $label:literal, $values:expr) => { Some(($label, $values)) };
}

catalogue! {
    Decisions: Counter "llm_decisions_total" ["llm_reason" = REASONS], "Requests routed to a version, by reason.";
    Unheld: Counter "llm_unheld_total", "Decisions that may have moved a running conversation: the bucket of its key went to another version in the last 24 hours, and the conversation's start time is unknown.";
    StartedAtInvalid: Counter "llm_started_at_invalid_total", "Decisions for a request whose start time cannot be read; it counts as absent.";
    Requests: Counter "llm_requests_total" ["llm_outcome" = OUTCOMES], "Requests that ended, by outcome.";
    Finishes: Counter "llm_finish_total" ["llm_finish" = FINISHES], "Requests that ended, by the model's finish reason.";
    Refusals: Counter "llm_refusals_total" ["llm_refusal" = REFUSALS], "Responses in which the model refused, by how the refusal was detected.";
    ToolCalls: Counter "llm_tool_calls_total", "Tool calls in responses.";
    ToolResponses: Counter "llm_tool_responses_total", "Responses with at least one tool call.";
    Tokens: Counter "llm_tokens_total" ["llm_token" = TOKENS], "Tokens as reported by the server; never estimated.";
    UsageMissing: Counter "llm_usage_missing_total", "Complete responses of a known dialect that reported no output tokens.";
    Unread: Counter "llm_unread_total" ["llm_unread" = UNREADS], "Responses whose body could not be parsed, by reason.";
    HttpErrors: Counter "llm_http_errors_total" ["llm_status" = HTTP_ERRORS], "Requests with the outcome http_error, by status; grpc: the HTTP status was 200, and gRPC's was an error.";
    VersionMismatches: Counter "llm_version_mismatch_total", "Responses whose reported model is the name of another version of the rollout.";
    ShardRequests: Counter "llm_shard_requests_total" ["llm_shard" = SHARD_NAMES], "Requests that ended, by the shard of their key.";
    ShardRefusals: Counter "llm_shard_refusals_total" ["llm_shard" = SHARD_NAMES], "Refusals among llm_shard_requests_total.";
    ShardErrors: Counter "llm_shard_errors_total" ["llm_shard" = SHARD_NAMES], "Failures among llm_shard_requests_total.";
    FirstTurnRequests: Counter "llm_first_turn_requests_total", "Requests that ended and whose body opens a conversation.";
    FirstTurnRefusals: Counter "llm_first_turn_refusals_total", "Refusals among llm_first_turn_requests_total.";
    FirstTurnErrors: Counter "llm_first_turn_errors_total", "Failures among llm_first_turn_requests_total.";
    Retries: Counter "llm_retries_total", "Requests that the client marked as retries.";
    Feedback: Counter "llm_feedback_total" ["llm_feedback" = RATINGS], "Feedback on conversations that this version serves, by rating.";
    TimeToFirstByte: Histogram "llm_time_to_first_byte_ms", "Time from the request's head to the response's head.";
    TimeToFirstToken: Histogram "llm_time_to_first_token_ms", "Time from the request's head to the first text, reasoning or tool delta of a stream.";
    RequestDuration: Histogram "llm_request_duration_ms", "Time from the request's head to the end of the response.";
    TimePerOutputToken: Histogram "llm_time_per_output_token_us", "Mean time between a stream's output tokens, if the server reports their number.";
    LongestGap: Histogram "llm_longest_gap_ms", "Longest time between two deltas of a stream.";
    OutputTokensPerSecond: Histogram "llm_output_tokens_per_second", "Output tokens divided by the request's duration, if the server reports their number.";
    ResponseChars: Histogram "llm_response_chars", "Length of the assistant's text, in Unicode scalar values.";
    OutputTokens: Histogram "llm_output_tokens", "Output tokens of a response, as reported by the server.";
    InputTokens: Histogram "llm_input_tokens", "Input tokens of a request, as reported by the server.";
    ResponseCharsTotal: Counter "llm_response_chars_total", "Exact sum of llm_response_chars.";
    ResponseCharsSquared: Counter "llm_response_chars_squared_total", "Exact sum of the squares of llm_response_chars.";
    OutputTokensSquared: Counter "llm_output_tokens_squared_total", "Exact sum of the squares of llm_output_tokens.";
    TimeToFirstTokenTotal: Counter "llm_time_to_first_token_ms_total", "Exact sum of llm_time_to_first_token_ms.";
    TimeToFirstTokenSquared: Counter "llm_time_to_first_token_ms_squared_total", "Exact sum of the squares of llm_time_to_first_token_ms.";
}

const REASONS: &[&str] = Reason::NAMES;
const OUTCOMES: &[&str] = Outcome::NAMES;
const FINISHES: &[&str] = Finish::NAMES;
const REFUSALS: &[&str] = Refusal::NAMES;
const TOKENS: &[&str] = &["input", "cached_input", "output", "reasoning"];
const RATINGS: &[&str] = Rating::NAMES;
const UNREADS: &[&str] = Unparsed::NAMES;
const HTTP_ERRORS: &[&str] = HttpError::NAMES;
const SHARD_NAMES: &[&str] =
    &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15"];
const _: () = assert!(SHARD_NAMES.len() == SHARDS as usize);

/// How many series a block has.
pub const BLOCK_SERIES: usize = offset(CATALOGUE.len());

/// How many series of a block precede those of the metric at `index` of the catalogue.
#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "evaluated at compile time")]
const fn offset(index: usize) -> usize {
    let (mut at, mut series) = (0, 0);
    while at < index {
        series += match CATALOGUE[at].label {
            Some((_, values)) => values.len(),
            None => 1,
        };
        at += 1;
    }
    series
}

/// [`offset`] of each metric, computed at compile time.
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
const OFFSETS: [usize; CATALOGUE.len()] = {
    let mut offsets = [0; CATALOGUE.len()];
    let mut at = 0;
    while at < CATALOGUE.len() {
        offsets[at] = offset(at);
        at += 1;
    }
    offsets
};

/// The labels that every metric of the catalogue has, before its own.
pub const BLOCK_LABELS: [&str; 3] = ["llm_rollout", "llm_version", "llm_compare"];

/// Calls `define` with all series of a configuration, block by block: for each rollout and each of its versions, first
/// the block of responses that may not be compared, then the block of those that may.
pub fn for_each_series(config: &Config, mut define: impl FnMut(&Series<'_>)) {
    let versions = config.rollouts.iter().flat_map(|rollout| {
        rollout.versions.iter().map(|version| (rollout.name.as_str(), version.name.as_str()))
    });
    for (rollout, version) in versions {
        for compare in ["no", "yes"] {
            let [for_rollout, for_version, for_compare] = BLOCK_LABELS;
            let block = [(for_rollout, rollout), (for_version, version), (for_compare, compare)];
            for Spec { name, kind, label } in CATALOGUE {
                match label {
                    None => define(&Series { kind: *kind, name, labels: &block }),
                    Some((label, values)) => values.iter().for_each(|value| {
                        let [rollout, version, compare] = block;
                        let labels = [rollout, version, compare, (label, value)];
                        define(&Series { kind: *kind, name, labels: &labels });
                    }),
                }
            }
        }
    }
}

/// The name and the label of the gauge that identifies the configuration by which a rollout runs. Its value is the
/// [`crate::config::json::Node::hash`] of the whole configuration, because that says which file the filter has read. The
/// label tells apart the filters of one proxy, which share its metrics.
pub fn config_hash(rollout: &str) -> (&'static str, (&'static str, &str)) {
    let [for_rollout, ..] = BLOCK_LABELS;
    ("llm_config_hash", (for_rollout, rollout))
}

/// The name of the gauge that is 1 if requests wait for their bodies, and 0 if a worker let them wait no longer, or if
/// the configuration says that none may wait.
pub const BODY_WAITS: &str = "llm_body_waits";

/// The name and the label of a gauge that is always 1. The label identifies the list of refusal phrases: counts of
/// refusals by phrase are comparable only where it is equal.
pub fn refusal_list() -> (&'static str, (&'static str, String)) {
    ("llm_refusal_list_info", ("llm_refusal_list", refusal::list_hash().to_string()))
}

/// The position of each series in the order of [`for_each_series`].
pub struct SeriesLayout {
    /// How many blocks precede each rollout's first.
    blocks_before: Vec<usize>,
}

impl SeriesLayout {
    /// Lays out the series of a configuration.
    #[expect(clippy::arithmetic_side_effects, reason = "at most ROLLOUTS_MAX * VERSIONS_MAX * 2 blocks")]
    pub fn new(config: &Config) -> SeriesLayout {
        let blocks_before = config.rollouts.iter().scan(0, |blocks, rollout| {
            let before = *blocks;
            *blocks += rollout.versions.len() * 2;
            Some(before)
        });
        SeriesLayout { blocks_before: blocks_before.collect() }
    }

    /// The position of a series of the decision's block.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a decision's indices are those of a configuration, see new"
    )]
    pub fn position(&self, decision: &Decision, offset: usize) -> usize {
        let before = self.blocks_before.get(decision.rollout).copied().unwrap_or(0);
        let block = before + decision.version * 2 + usize::from(decision.compare);
        block * BLOCK_SERIES + offset
    }
}

/// A series to update: its position in its block, its kind, and the value to add or record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update {
    /// Position in the block.
    pub offset: usize,
    /// Whether the value is added or recorded.
    pub kind: MetricKind,
    /// The value.
    pub value: u64,
}

/// Emits the updates for a decision.
pub fn decided(decision: &Decision, mut emit: impl FnMut(Update)) {
    emit(update(Metric::Decisions, decision.reason as usize, 1));
    if decision.is_unheld {
        emit(update(Metric::Unheld, 0, 1));
    }
    if decision.has_invalid_start {
        emit(update(Metric::StartedAtInvalid, 0, 1));
    }
}

/// The update for a request that its client sends again.
pub fn retried() -> Update {
    update(Metric::Retries, 0, 1)
}

/// The update for feedback.
pub fn rated(rating: Rating) -> Update {
    update(Metric::Feedback, rating as usize, 1)
}

/// Emits the updates for the response to a conversation's first request, in addition to those of [`observed`].
pub fn first_turn(observation: &Observation, mut emit: impl FnMut(Update)) {
    emit(update(Metric::FirstTurnRequests, 0, 1));
    if observation.refusal.is_some() {
        emit(update(Metric::FirstTurnRefusals, 0, 1));
    }
    if is_failure(observation.outcome) {
        emit(update(Metric::FirstTurnErrors, 0, 1));
    }
}

/// Emits the updates for a response, except for counters that would not change.
pub fn observed(
    config: &Config,
    decision: &Decision,
    observation: &Observation,
    mut emit: impl FnMut(Update),
) {
    let mut put = |metric, label, value: u64| {
        let update = update(metric, label, value);
        if value > 0 || update.kind == MetricKind::Histogram {
            emit(update);
        }
    };
    let outcome = observation.outcome;
    let timing = &observation.timing;
    put(Metric::Requests, outcome as usize, 1);
    if let Some(http_error) = observation.http_error {
        put(Metric::HttpErrors, http_error as usize, 1);
    }
    if let Some(shard) = decision.shard.and_then(|shard| usize::try_from(shard).ok()) {
        put(Metric::ShardRequests, shard, 1);
        put(Metric::ShardRefusals, shard, u64::from(observation.refusal.is_some()));
        put(Metric::ShardErrors, shard, u64::from(is_failure(outcome)));
    }
    if let Some(first_byte_us) = timing.first_byte_us {
        put(Metric::TimeToFirstByte, 0, ms(first_byte_us));
    }
    put(Metric::RequestDuration, 0, ms(timing.duration_us));
    if !observation.is_answer {
        return;
    }
    put(Metric::Finishes, observation.finish as usize, 1);
    if let Some(refusal) = observation.refusal {
        put(Metric::Refusals, refusal as usize, 1);
    }
    put(Metric::ToolCalls, 0, observation.tool_calls);
    put(Metric::ToolResponses, 0, u64::from(observation.tool_calls > 0));
    let usage = observation.usage;
    for (label, tokens) in
        [usage.input, usage.cached_input, usage.output, usage.reasoning].into_iter().enumerate()
    {
        put(Metric::Tokens, label, tokens.unwrap_or(0));
    }
    let is_usage_missing =
        outcome == Outcome::Complete && observation.dialect.is_some() && usage.output.is_none();
    put(Metric::UsageMissing, 0, u64::from(is_usage_missing));
    if let Some(unparsed) = observation.unparsed {
        put(Metric::Unread, unparsed as usize, 1);
    }
    put(Metric::VersionMismatches, 0, u64::from(names_another(config, decision, observation)));
    if let Some(first_token_us) = timing.first_token_us {
        let first_token_ms = ms(first_token_us);
        put(Metric::TimeToFirstToken, 0, first_token_ms);
        put(Metric::TimeToFirstTokenTotal, 0, first_token_ms);
        put(Metric::TimeToFirstTokenSquared, 0, squared(first_token_ms));
    }
    if let Some(us) = observation.time_per_output_token_us() {
        put(Metric::TimePerOutputToken, 0, us);
    }
    if let Some(longest_gap_us) = timing.longest_gap_us {
        put(Metric::LongestGap, 0, ms(longest_gap_us));
    }
    if let Some(rate) = observation.output_tokens_per_second() {
        put(Metric::OutputTokensPerSecond, 0, rate);
    }
    // A response that is an error from its first byte is not an answer, so its length is not compared.
    let is_answer = !matches!(outcome, Outcome::HttpError | Outcome::LocalReply);
    if let Some(chars) = observation.text_chars.filter(|_| is_answer) {
        put(Metric::ResponseChars, 0, chars);
        put(Metric::ResponseCharsTotal, 0, chars);
        put(Metric::ResponseCharsSquared, 0, squared(chars));
    }
    if let Some(tokens) = usage.output {
        put(Metric::OutputTokens, 0, tokens);
        put(Metric::OutputTokensSquared, 0, squared(tokens));
    }
    if let Some(tokens) = usage.input {
        put(Metric::InputTokens, 0, tokens);
    }
}

/// Whether the response reports the name of another version than the one that the request was routed to.
fn names_another(config: &Config, decision: &Decision, observation: &Observation) -> bool {
    let (Some(model), Some(rollout)) = (&observation.model, config.rollouts.get(decision.rollout)) else {
        return false;
    };
    let named = rollout.versions.iter().position(|version| version.name.as_bytes() == model.as_slice());
    named.is_some_and(|named| named != decision.version)
}

#[expect(
    clippy::arithmetic_side_effects,
    reason = "`label_value` is an index into its metric's values, so the sum is within the block"
)]
fn update(metric: Metric, label_value: usize, value: u64) -> Update {
    let index = metric as usize;
    let kind = CATALOGUE.get(index).map_or(MetricKind::Counter, |spec| spec.kind);
    let offset = OFFSETS.get(index).copied().unwrap_or(0) + label_value;
    Update { offset, kind, value }
}

/// Whether an outcome counts against a version. A client's abort does not. `docs/metrics.md` lists the outcomes that
/// do, and the tests compare rules, alerts, dashboard and demo with that list.
#[must_use]
pub fn is_failure(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Complete | Outcome::ClientAbort | Outcome::ClientAbortAfterToolCall => false,
        Outcome::HttpError | Outcome::StreamError | Outcome::Truncated => true,
        Outcome::UpstreamReset | Outcome::LocalReply => true,
    }
}

/// To the nearest millisecond.
fn ms(us: u64) -> u64 {
    us.saturating_add(500) / 1000
}

fn squared(value: u64) -> u64 {
    value.saturating_mul(value)
}
