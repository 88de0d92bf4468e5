//! RESULTS: a line of JSON for each answer, each vote of a judge and each round. The names are an interface.
//!
//! Lines hold answers, so the file is for its owner alone. No line holds a key. Fields that are not there are null, and
//! fields that this version does not know are left out.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The longest line that is read: an answer and its prompt, escaped.
pub(crate) const LINE_BYTES_MAX: usize = 256 << 20;

/// The round in which the baseline is asked twice, and a judge compares these two answers.
pub(crate) const ROUND_OF_BASELINE: u32 = 0;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "lowercase")]
pub(crate) enum Line {
    /// An answer of one side.
    Answer(Box<Answer>),
    /// What a judge said of a pair in one order.
    Vote(Vote),
    /// What is known after a round.
    Round(Box<Round>),
}

/// Whose answer it is. In round 0 both answers are the baseline's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    /// The version's.
    Version,
    /// The baseline's.
    Baseline,
}

/// What became of one prompt on one side in one round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// The time of the request, in RFC 3339.
    pub(crate) at: String,
    /// The round, from 1; 0 is [`ROUND_OF_BASELINE`].
    pub(crate) round: u32,
    /// The set, as it was given.
    pub(crate) set: String,
    /// The name of the case.
    pub(crate) case: String,
    /// The prompt's number among all prompts of all sets, from 0. Names of cases need not differ; this does.
    pub(crate) prompt: usize,
    /// Whose answer it is.
    pub(crate) side: Side,
    /// The name of the version that was asked.
    pub(crate) name: String,
    /// The API that was spoken.
    pub(crate) api: String,
    /// Whether a stream was asked for.
    pub(crate) streamed: bool,
    /// The messages of the last request. Of several turns they hold the answers before.
    pub(crate) messages: Vec<Value>,
    /// The status of HTTP; null without a response.
    pub(crate) status: Option<u16>,
    /// How the response ended, in the filter's words; null without a response.
    pub(crate) outcome: Option<String>,
    /// Why the answer ended, in the filter's words.
    pub(crate) finish: Option<String>,
    /// Milliseconds to the first token, of streams.
    pub(crate) ttft_ms: Option<u64>,
    /// Milliseconds to the end; of several turns, their sum.
    pub(crate) latency_ms: Option<u64>,
    /// Tokens of the prompt, as the server reports them; of several turns, those of the first.
    pub(crate) prompt_tokens: Option<u64>,
    /// Tokens of the answer, as the server reports them; of several turns, their sum.
    pub(crate) completion_tokens: Option<u64>,
    /// The filter's names of the defects that were found.
    pub(crate) defects: Vec<String>,
    /// The text; where there is none, the tool calls, as chat completions list them; null without an answer.
    pub(crate) output: Value,
    /// The tool calls, as chat completions list them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tool_calls: Vec<Value>,
    /// Whether the case has a check that says something of an answer.
    pub(crate) checked: bool,
    /// Whether the answer passes; null if that is unknown, and if no check says so.
    pub(crate) pass: Option<bool>,
    /// The weighted mean of the checks' scores, from 0 to 1.
    pub(crate) score: Option<f64>,
    /// Each check.
    pub(crate) checks: Vec<CheckResult>,
    /// Why nothing is known of this answer; null if something is.
    pub(crate) unknown: Option<String>,
}

/// What one check says of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CheckResult {
    /// Its type and the beginning of its value: `contains: Paris`.
    pub(crate) check: String,
    /// Whether the answer passes.
    pub(crate) pass: bool,
    /// Why, where the check says more than its name.
    pub(crate) why: Option<String>,
}

/// What a judge said of one pair in one order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Vote {
    /// The time of the request, in RFC 3339.
    pub(crate) at: String,
    /// The round; 0 compares two answers of the baseline, one of which is called the version's.
    pub(crate) round: u32,
    /// The set, as it was given.
    pub(crate) set: String,
    /// The name of the case.
    pub(crate) case: String,
    /// The prompt's number, as in [`Answer::prompt`].
    pub(crate) prompt: usize,
    /// The baseline's answer was compared with the same written twice, which is called the version's: this tells about the judge. Only
    /// in round 0.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) doubled: bool,
    /// Whose answer the judge saw first.
    pub(crate) first: Side,
    /// Whose answer is better; null if nothing could be read.
    pub(crate) vote: Option<Choice>,
    /// What the judge wrote; null if nothing came.
    pub(crate) reply: Option<String>,
    /// Why there is no vote: `judge 429`.
    pub(crate) unknown: Option<String>,
}

/// Which answer is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Choice {
    /// The version's.
    Version,
    /// The baseline's.
    Baseline,
    /// Neither.
    Tie,
}

/// What is known after a round, of all rounds up to it. This is also the object of `--json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Round {
    /// `regression`, `fine` or `not_enough_data`.
    pub(crate) verdict: String,
    /// The round, from 1; 0 before the first has ended.
    pub(crate) round: u32,
    /// How many prompts there are of each kind.
    pub(crate) prompts: Prompts,
    /// The mean over the prompts that have checks; null where none is known on both sides.
    pub(crate) pass_share: Sides<Option<f64>>,
    /// The evidence that the version is worse.
    pub(crate) log_e: f64,
    /// What it must reach at this look, or the next.
    pub(crate) threshold: f64,
    /// What the judge says; null without one.
    pub(crate) judge: Option<Judge>,
    /// Prompts whose tokens both sides report, and those of them whose numbers differ.
    pub(crate) prompt_tokens: PromptTokens,
    /// Answers with each defect.
    pub(crate) defects: Sides<BTreeMap<String, u64>>,
    /// Prompts that changed beyond their own noise.
    pub(crate) changed: Vec<Changed>,
    /// Why answers and votes are unknown, and how many are.
    pub(crate) unknown_because: BTreeMap<String, u64>,
}

/// The same of the version and of its baseline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sides<T> {
    /// The version's.
    pub(crate) version: T,
    /// The baseline's.
    pub(crate) baseline: T,
}

/// How many prompts there are of each kind. `total` is the sum of `better`, `worse`, `same` and `unknown`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Prompts {
    /// All.
    pub(crate) total: u64,
    /// The version passes more often.
    pub(crate) better: u64,
    /// The baseline passes more often.
    pub(crate) worse: u64,
    /// Neither.
    pub(crate) same: u64,
    /// Those of all whose two answers of the baseline, in round 0, differed.
    pub(crate) quarantined: u64,
    /// Without any round in which both sides are known.
    pub(crate) unknown: u64,
}

/// Prompts by their tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PromptTokens {
    /// Both sides report them.
    pub(crate) compared: u64,
    /// Their numbers differ: the template or the tokenizer changed.
    pub(crate) differ: u64,
}

/// What a judge says. Shares are parts of 1, and null without a pair that has a verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Judge {
    /// What the version wins, ties as half.
    pub(crate) win_rate: Option<f64>,
    /// Its interval over prompts, of 95 %.
    pub(crate) interval: Option<(f64, f64)>,
    /// The share of pairs in which both orders agree.
    pub(crate) consistency: Option<f64>,
    /// The win rate at equal lengths.
    pub(crate) length_controlled: Option<f64>,
    /// Calls of the judge.
    pub(crate) calls: u64,
    /// Of all votes for one answer, the share that went to the one seen first: a half, without a position bias.
    #[serde(default)]
    pub(crate) first_share: Option<f64>,
    /// What it decides among equals: the share of pairs of the baseline's own answers that it did not call a tie, halved.
    #[serde(default)]
    pub(crate) noise_floor: Option<f64>,
    /// Why it decides nothing; null where it does.
    #[serde(default)]
    pub(crate) because: Option<String>,
}

/// A prompt that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Changed {
    /// The set, as it was given.
    pub(crate) set: String,
    /// The name of the case.
    pub(crate) case: String,
    /// The version's passes of its answers: `0/3`.
    pub(crate) version: String,
    /// The baseline's.
    pub(crate) baseline: String,
    /// A check that failed.
    pub(crate) check: String,
}

impl Line {
    /// As a line of the file, with its end.
    pub(crate) fn to_text(&self) -> String {
        // Nothing in these types cannot be written: keys are texts, and no number is infinite.
        let mut text = serde_json::to_string(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads a line.
    ///
    /// # Errors
    /// It is none of these, as a sentence without its subject.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| format!("is no line of results: {error}"))
    }
}

impl<T> Sides<T> {
    /// One of both.
    pub(crate) fn of(&self, side: Side) -> &T {
        match side {
            Side::Version => &self.version,
            Side::Baseline => &self.baseline,
        }
    }

    /// One of both, to change it.
    pub(crate) fn of_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Version => &mut self.version,
            Side::Baseline => &mut self.baseline,
        }
    }
}

#[cfg(test)]
mod tests;
