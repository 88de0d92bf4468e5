//! The catalogue of metrics, and what each decision and observation adds to them.
//!
//! In: a configuration, decisions, observations. Out: the series to define, and updates of them. The host
//! encodes the name of a series for its proxy. All series are defined when a configuration is loaded, one block for
//! each (rollout, version, compare), so nothing that a client sends can become part of a name or a label.

mod catalogue;
mod layout;
#[cfg(test)]
mod tests;

use crate::config::Config;
use crate::defect::DefectSet;
use crate::feedback::Rating;
use crate::observe::{Finish, Observation, Outcome};
use crate::refusal;
use crate::request_facts::RequestFacts;
use crate::route::Decision;
use alloc::string::{String, ToString};
pub use catalogue::{CATALOGUE, Group, HELP, Metric, Spec};
pub use layout::{BLOCK_LABELS, Block, SeriesLayout, for_each_series};

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

impl Series<'_> {
    /// The name of a series where metrics have no labels: `metric.label=.=value;.;label=.=value;.;`. The stats tags in
    /// `envoy/envoy.yaml` turn it back into labels.
    #[must_use]
    pub fn encoded_name(&self) -> String {
        let mut name = String::from(self.name);
        name.push_str(if self.labels.is_empty() { "" } else { "." });
        for part in self.labels.iter().flat_map(|(label, value)| [*label, "=.=", *value, ";.;"]) {
            name.push_str(part);
        }
        name
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

/// The update for a request that did not wait for the end of its body, because of a limit.
pub fn body_limit_reached() -> Update {
    update(Metric::BodyLimit, 0, 1)
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

/// Emits the updates for a response, except for counters that would not change. `request`: what the request's body shows.
pub fn observed(
    config: &Config,
    decision: &Decision,
    request: RequestFacts,
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
    let defects = if is_answer { observation.defects } else { DefectSet::default() };
    let is_defective = u64::from(!defects.is_empty());
    let first_token_ms = timing.first_token_us.map(ms);
    if let Some(shard) = shard {
        put(Metric::ShardRefusals, shard, u64::from(observation.refusal.is_some()));
        put(Metric::ShardDefects, shard, is_defective);
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
    put(Metric::ToolsOffered, 0, u64::from(is_answer && request.offers_tools == Some(true)));
    put(Metric::JsonAsked, 0, u64::from(is_answer && request.asks_for_json == Some(true)));
    for defect in defects.iter() {
        put(Metric::Defects, defect as usize, 1);
    }
    put(Metric::DefectiveResponses, 0, is_defective);
    put(Metric::ReasoningChars, 0, observation.reasoning_chars);
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
    let offset = catalogue::LAYOUT.0.get(index).copied().unwrap_or_default() + label_value;
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
pub(crate) fn ms(us: u64) -> u64 {
    us.saturating_add(500) / 1000
}

fn squared(value: u64) -> u64 {
    value.saturating_mul(value)
}
