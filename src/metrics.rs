//! The catalogue of metrics, and what each decision and observation adds to them.
//!
//! In: a configuration, decisions, observations. Out: the series to define, and updates of them. The host
//! encodes the name of a series for its proxy. All series are defined when a configuration is loaded, one block for
//! each (rollout, version, compare), so nothing that a client sends can become part of a name or a label.

#[cfg(test)]
mod tests;

use crate::bucket::SHARDS;
use crate::config::{Config, Rollout};
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
    /// Where it exists.
    pub group: Group,
}

/// Metrics that exist together in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// In each block.
    Always,
    /// By shard: for requests that may be compared, if the rollout counts by shard.
    Shards,
}

/// How many groups there are.
const GROUPS: usize = Group::ALL.len();

impl Group {
    /// In their order within a block.
    const ALL: [Group; 2] = [Group::Always, Group::Shards];

    /// How many series it has in a block.
    fn series(self) -> usize {
        LAYOUT.1.get(self as usize).copied().unwrap_or_default()
    }

    /// Whether its metrics exist for a rollout, in the block of requests that may be compared or in the other.
    fn exists(self, rollout: &Rollout, compare: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Shards => rollout.shards && compare,
        }
    }
}

/// Declares the metrics: their enum, specs and descriptions.
macro_rules! catalogue {
    ($($metric:ident: $kind:ident $(in $group:ident)? $name:literal $([$label:literal = $values:expr])?, $help:literal;)*) => {
        /// A metric of the catalogue.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Metric { $(#[doc = $help] $metric),* }

        /// All metrics, in the order of [`Metric`].
        pub const CATALOGUE: &[Spec] = &[$(Spec {
            name: $name,
            kind: MetricKind::$kind,
            label: catalogue!(@label $($label, $values)?),
            group: catalogue!(@group $($group)?),
        }),*];

        /// The description of each metric; the unit is in its name. Not part of [`Spec`], to keep it out of the module.
        pub const HELP: &[&str] = &[$($help),*];
    };
    (@group) => { Group::Always };
    (@group $group:ident) => { Group::$group };
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
    ShardRequests: Counter in Shards "llm_shard_requests_total" ["llm_shard" = SHARD_NAMES], "Requests that ended, by the shard of their key.";
    ShardErrors: Counter in Shards "llm_shard_errors_total" ["llm_shard" = SHARD_NAMES], "Failures among llm_shard_requests_total.";
    ShardRefusals: Counter in Shards "llm_shard_refusals_total" ["llm_shard" = SHARD_NAMES], "Refusals among llm_shard_requests_total.";
    ShardLengthStops: Counter in Shards "llm_shard_length_stops_total" ["llm_shard" = SHARD_NAMES], "Answers among llm_shard_requests_total that ended at a limit of length: llm_finish is length.";
    ShardToolResponses: Counter in Shards "llm_shard_tool_responses_total" ["llm_shard" = SHARD_NAMES], "Responses with a tool call among llm_shard_requests_total.";
    ShardClientAborts: Counter in Shards "llm_shard_client_aborts_total" ["llm_shard" = SHARD_NAMES], "Requests with the outcome client_abort among llm_shard_requests_total.";
    ShardResponseChars: Counter in Shards "llm_shard_response_chars_total" ["llm_shard" = SHARD_NAMES], "Exact sum of llm_response_chars by shard.";
    ShardTimeToFirstToken: Counter in Shards "llm_shard_time_to_first_token_ms_total" ["llm_shard" = SHARD_NAMES], "Exact sum of llm_time_to_first_token_ms by shard.";
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
    TimePerOutputTokenTotal: Counter "llm_time_per_output_token_us_total", "Exact sum of llm_time_per_output_token_us.";
    TimePerOutputTokenSquared: Counter "llm_time_per_output_token_us_squared_total", "Exact sum of the squares of llm_time_per_output_token_us.";
}

const REASONS: &[&str] = Reason::NAMES;
const OUTCOMES: &[&str] = Outcome::NAMES;
const FINISHES: &[&str] = Finish::NAMES;
const REFUSALS: &[&str] = Refusal::NAMES;
const TOKENS: &[&str] = &["input", "cached_input", "output", "reasoning"];
const RATINGS: &[&str] = Rating::NAMES;
const UNREADS: &[&str] = Unparsed::NAMES;
const HTTP_ERRORS: &[&str] = HttpError::NAMES;
const SHARD_NAMES: &[&str] = &[
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18",
    "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31",
];
const _: () = assert!(SHARD_NAMES.len() == SHARDS as usize);

/// The place of each metric among the series of its group, and how many series each group has.
const LAYOUT: ([usize; CATALOGUE.len()], [usize; GROUPS]) = layout();

#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "evaluated at compile time")]
const fn layout() -> ([usize; CATALOGUE.len()], [usize; GROUPS]) {
    let (mut offsets, mut sizes) = ([0; CATALOGUE.len()], [0; GROUPS]);
    let mut at = 0;
    while at < CATALOGUE.len() {
        let size = &mut sizes[CATALOGUE[at].group as usize];
        offsets[at] = *size;
        *size += match CATALOGUE[at].label {
            Some((_, values)) => values.len(),
            None => 1,
        };
        at += 1;
    }
    (offsets, sizes)
}

/// The labels that every metric of the catalogue has, before its own.
pub const BLOCK_LABELS: [&str; 3] = ["llm_rollout", "llm_version", "llm_compare"];

/// Calls `define` with all series of a configuration, block by block: for each rollout and each of its versions, first
/// the block of requests that may not be compared, then the block of those that may.
pub fn for_each_series(config: &Config, mut define: impl FnMut(&Series<'_>)) {
    for_each_block(config, |rollout, version, compare| {
        let [for_rollout, for_version, for_compare] = BLOCK_LABELS;
        let compare_name = if compare { "yes" } else { "no" };
        let block =
            [(for_rollout, rollout.name.as_str()), (for_version, version), (for_compare, compare_name)];
        for group in Group::ALL.into_iter().filter(|group| group.exists(rollout, compare)) {
            for Spec { name, kind, label, .. } in CATALOGUE.iter().filter(|spec| spec.group == group) {
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
    });
}

/// Calls `block` with the rollout, the version's name, and whether the block is of requests that may be compared.
fn for_each_block<'c>(config: &'c Config, mut block: impl FnMut(&'c Rollout, &'c str, bool)) {
    for rollout in &config.rollouts {
        for version in &rollout.versions {
            [false, true].into_iter().for_each(|compare| block(rollout, &version.name, compare));
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
    /// Of each block, the position of each group's first series; `None`: the group does not exist in it.
    groups: Vec<[Option<usize>; GROUPS]>,
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
        let (mut groups, mut series) = (Vec::new(), 0);
        for_each_block(config, |rollout, _, compare| {
            groups.push(Group::ALL.map(|group| {
                let first = group.exists(rollout, compare).then_some(series);
                series += first.map_or(0, |_| group.series());
                first
            }));
        });
        SeriesLayout { blocks_before: blocks_before.collect(), groups }
    }

    /// The position of a series of the decision's block; `None` if the block does not have it.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a decision's indices are those of a configuration, see new"
    )]
    pub fn position(&self, decision: &Decision, update: &Update) -> Option<usize> {
        let before = self.blocks_before.get(decision.rollout)?;
        let block = before + decision.version * 2 + usize::from(decision.compare);
        let first = (*self.groups.get(block)?.get(update.group as usize)?)?;
        Some(first + update.offset)
    }
}

/// A series to update: its place in its block, its kind, and the value to add or record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update {
    /// Its group.
    pub group: Group,
    /// Its position in the group.
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
    let shard = decision.shard.filter(|_| decision.compare).and_then(|shard| usize::try_from(shard).ok());
    put(Metric::Requests, outcome as usize, 1);
    if let Some(http_error) = observation.http_error {
        put(Metric::HttpErrors, http_error as usize, 1);
    }
    if let Some(shard) = shard {
        put(Metric::ShardRequests, shard, 1);
        put(Metric::ShardErrors, shard, u64::from(is_failure(outcome)));
        put(Metric::ShardClientAborts, shard, u64::from(outcome == Outcome::ClientAbort));
    }
    if let Some(first_byte_us) = timing.first_byte_us {
        put(Metric::TimeToFirstByte, 0, ms(first_byte_us));
    }
    put(Metric::RequestDuration, 0, ms(timing.duration_us));
    if !observation.is_answer {
        return;
    }
    let is_answer = !matches!(outcome, Outcome::HttpError | Outcome::LocalReply);
    // A response that is an error from its first byte is not an answer, so its length is not compared.
    let chars = observation.text_chars.filter(|_| is_answer);
    let first_token_ms = timing.first_token_us.map(ms);
    if let Some(shard) = shard {
        put(Metric::ShardRefusals, shard, u64::from(observation.refusal.is_some()));
        put(Metric::ShardLengthStops, shard, u64::from(observation.finish == Finish::Length));
        put(Metric::ShardToolResponses, shard, u64::from(observation.tool_calls > 0));
        put(Metric::ShardResponseChars, shard, chars.unwrap_or(0));
        put(Metric::ShardTimeToFirstToken, shard, first_token_ms.unwrap_or(0));
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
    if let Some(first_token_ms) = first_token_ms {
        put(Metric::TimeToFirstToken, 0, first_token_ms);
        put(Metric::TimeToFirstTokenTotal, 0, first_token_ms);
        put(Metric::TimeToFirstTokenSquared, 0, squared(first_token_ms));
    }
    if let Some(us) = observation.time_per_output_token_us() {
        put(Metric::TimePerOutputToken, 0, us);
        put(Metric::TimePerOutputTokenTotal, 0, us);
        put(Metric::TimePerOutputTokenSquared, 0, squared(us));
    }
    if let Some(longest_gap_us) = timing.longest_gap_us {
        put(Metric::LongestGap, 0, ms(longest_gap_us));
    }
    if let Some(rate) = observation.output_tokens_per_second() {
        put(Metric::OutputTokensPerSecond, 0, rate);
    }
    if let Some(chars) = chars {
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
    let (kind, group) =
        CATALOGUE.get(index).map_or((MetricKind::Counter, Group::Always), |spec| (spec.kind, spec.group));
    let offset = LAYOUT.0.get(index).copied().unwrap_or_default() + label_value;
    Update { group, offset, kind, value }
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
