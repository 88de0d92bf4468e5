//! Every metric: its name, its kind, its label, and where it exists.

use super::MetricKind;
use crate::bucket::SHARDS;
use crate::config::Rollout;
use crate::defect::Defect;
use crate::feedback::Rating;
use crate::observe::{Finish, HttpError, Outcome, Refusal, Unparsed};
use crate::route::Reason;

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
    /// Defects, and what requests ask for: if the rollout looks for defects. Without them no body is read for what it asks for.
    Defects,
    /// Defects by shard: where both exist.
    ShardDefects,
}

/// How many groups there are.
pub(super) const GROUPS: usize = Group::ALL.len();

impl Group {
    /// In their order within a block.
    pub(super) const ALL: [Group; 4] = [Group::Always, Group::Shards, Group::Defects, Group::ShardDefects];

    /// How many series it has in a block.
    pub(super) fn series(self) -> usize {
        LAYOUT.1.get(self as usize).copied().unwrap_or_default()
    }

    /// Whether its metrics exist for a rollout, in the block of requests that may be compared or in the other.
    pub(super) fn exists(self, rollout: &Rollout, compare: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Shards => rollout.shards && compare,
            Self::Defects => rollout.defects,
            Self::ShardDefects => Self::Shards.exists(rollout, compare) && rollout.defects,
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
    ToolsOffered: Counter in Defects "llm_tools_offered_total", "Answers to requests that offer at least one tool, if the whole body of the request was read. Those of llm_tool_responses_total called one.";
    JsonAsked: Counter in Defects "llm_json_asked_total", "Answers to requests that ask for JSON, if the whole body of the request was read.";
    Defects: Counter in Defects "llm_defects_total" ["llm_defect" = DEFECTS], "Answers with a defect, by defect: docs/defects.md. An answer counts once for each.";
    DefectiveResponses: Counter in Defects "llm_defective_responses_total", "Answers with at least one defect.";
    ReasoningChars: Counter "llm_reasoning_chars_total", "Exact sum of the lengths of answers' reasoning, in Unicode scalar values.";
    Tokens: Counter "llm_tokens_total" ["llm_token" = TOKENS], "Tokens as reported by the server; never estimated.";
    UsageMissing: Counter "llm_usage_missing_total", "Complete responses of a known dialect that reported no output tokens.";
    Unread: Counter "llm_unread_total" ["llm_unread" = UNREADS], "Responses whose body could not be parsed, by reason.";
    HttpErrors: Counter "llm_http_errors_total" ["llm_status" = HTTP_ERRORS], "Requests with the outcome http_error, by status; grpc: the HTTP status was 200, and gRPC's was an error.";
    VersionMismatches: Counter "llm_version_mismatch_total", "Responses whose reported model is the name of another version of the rollout.";
    ShardRequests: Counter in Shards "llm_shard_requests_total" ["llm_shard" = SHARD_NAMES], "Requests that ended, by the shard of their key.";
    ShardErrors: Counter in Shards "llm_shard_errors_total" ["llm_shard" = SHARD_NAMES], "Failures among llm_shard_requests_total.";
    ShardRefusals: Counter in Shards "llm_shard_refusals_total" ["llm_shard" = SHARD_NAMES], "Refusals among llm_shard_requests_total.";
    ShardDefects: Counter in ShardDefects "llm_shard_defects_total" ["llm_shard" = SHARD_NAMES], "Answers with at least one defect among llm_shard_requests_total.";
    ShardLengthStops: Counter in Shards "llm_shard_length_stops_total" ["llm_shard" = SHARD_NAMES], "Answers among llm_shard_requests_total that ended at a limit of length: llm_finish is length.";
    ShardToolResponses: Counter in Shards "llm_shard_tool_responses_total" ["llm_shard" = SHARD_NAMES], "Responses with a tool call among llm_shard_requests_total.";
    ShardClientAborts: Counter in Shards "llm_shard_client_aborts_total" ["llm_shard" = SHARD_NAMES], "Requests with the outcome client_abort among llm_shard_requests_total.";
    ShardResponseChars: Counter in Shards "llm_shard_response_chars_total" ["llm_shard" = SHARD_NAMES], "Exact sum of llm_response_chars by shard.";
    ShardTimeToFirstToken: Counter in Shards "llm_shard_time_to_first_token_ms_total" ["llm_shard" = SHARD_NAMES], "Exact sum of llm_time_to_first_token_ms by shard.";
    FirstTurnRequests: Counter "llm_first_turn_requests_total", "Requests that ended and whose body opens a conversation.";
    FirstTurnRefusals: Counter "llm_first_turn_refusals_total", "Refusals among llm_first_turn_requests_total.";
    FirstTurnErrors: Counter "llm_first_turn_errors_total", "Failures among llm_first_turn_requests_total.";
    BodyLimit: Counter "llm_body_limit_total", "Requests that waited for their body to learn their version, and went on at a limit with what had come.";
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
const DEFECTS: &[&str] = Defect::NAMES;
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
pub(super) const LAYOUT: ([usize; CATALOGUE.len()], [usize; GROUPS]) = layout();

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
