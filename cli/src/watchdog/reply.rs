//! What came over the wire → an answer, a failure of the version, or nothing that is known of it.
//!
//! The filter's own reader says how a response ended, its times, tokens and defects; [`super::transcript`] has its text.
//!
//! **A failure of the version** is an answer that it owes: a status of an error, a stream that broke off or reports an error, a
//! body of another form, no text and no call. **Unknown** is what says nothing of the version: nobody is connected, the caller sends too
//! much or has no right to ask.

use super::api::Api;
use super::transcript::{self, Fault};
use crate::time_args::format_duration;
use llm_canary::observation_json::defect_names;
use llm_canary::observe::{self, Finish, Head, Micros, Observation, Observer, Outcome};
use llm_canary::request_facts::RequestReader;
use serde_json::Value;
use std::time::Duration;

/// So long an answer may take, from the request to its end.
pub(crate) const ANSWER_TIME_MAX: Duration = Duration::from_secs(120);
/// The longest body of a response.
pub(crate) const ANSWER_BYTES_MAX: usize = 16 << 20;
/// So many characters of a server's message are kept.
const MESSAGE_CHARS_MAX: usize = 200;

/// A response, with the times of its parts since the request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Received {
    /// The status.
    pub(crate) status: u16,
    /// The header `content-type`, empty if absent.
    pub(crate) content_type: String,
    /// The header `content-encoding`, empty if absent.
    pub(crate) content_encoding: String,
    /// Whether the header `retry-after` asks to come back.
    pub(crate) asks_for_patience: bool,
    /// When the head came.
    pub(crate) head_us: Micros,
    /// The pieces of the body.
    pub(crate) pieces: Vec<(Micros, Vec<u8>)>,
    /// How it ended.
    pub(crate) end: End,
    /// When it ended.
    pub(crate) ended_us: Micros,
}

/// How a response ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum End {
    /// With its last byte.
    #[default]
    Whole,
    /// The connection ended.
    BrokenOff,
    /// It took longer than [`ANSWER_TIME_MAX`].
    TooLate,
    /// It is longer than [`ANSWER_BYTES_MAX`].
    TooLong,
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoResponse {
    /// There is no connection: words whose subject is the server.
    NotConnected(String),
    /// The connection ended before the response.
    BrokenOff,
    /// It took longer than [`ANSWER_TIME_MAX`].
    TooLate,
}

/// What an answer is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It can be checked.
    Answered,
    /// The version failed: words for why.
    Failed(String),
    /// Nothing is known of the version: a reason of few words, by which answers are counted.
    Unknown(String),
}

/// A response that was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reply {
    /// What it is worth.
    pub(crate) standing: Standing,
    /// The status; `None` without a response.
    pub(crate) status: Option<u16>,
    /// How it ended, in the filter's words.
    pub(crate) outcome: Option<&'static str>,
    /// Why the answer ended.
    pub(crate) finish: Option<&'static str>,
    /// Milliseconds to the first token, of a stream.
    pub(crate) ttft_ms: Option<u64>,
    /// Milliseconds to the end.
    pub(crate) latency_ms: Option<u64>,
    /// Tokens of the prompt.
    pub(crate) prompt_tokens: Option<u64>,
    /// Tokens of the answer.
    pub(crate) completion_tokens: Option<u64>,
    /// Names of defects.
    pub(crate) defects: Vec<&'static str>,
    /// The text.
    pub(crate) text: String,
    /// The tool calls.
    pub(crate) calls: Vec<Value>,
}

/// Reads a response to a request with this body.
pub(crate) fn read(api: Api, request: &[u8], received: &Result<Received, NoResponse>) -> Reply {
    let received = match received {
        Ok(received) => received,
        Err(error) => return without_response(error),
    };
    let observation = observe(request, received);
    let body: Vec<u8> = received.pieces.iter().flat_map(|(_, bytes)| bytes).copied().collect();
    let transcript = transcript::read(api, &received.content_type, &body);
    let is_empty = transcript.text.is_empty() && transcript.calls.is_empty();
    let fault = transcript.error.as_ref();
    let standing = unknown(received, fault)
        .map(Standing::Unknown)
        .or_else(|| failed(api, received, &observation, fault, is_empty).map(Standing::Failed))
        .unwrap_or(Standing::Answered);
    let finish = observation.finish;
    Reply {
        standing,
        status: Some(received.status),
        outcome: Some(observation.outcome.as_str()),
        finish: (finish != Finish::None).then(|| finish.as_str()),
        ttft_ms: observation.timing.first_token_us.map(ms),
        latency_ms: Some(ms(observation.timing.duration_us)),
        prompt_tokens: prompt_tokens(api, &observation),
        completion_tokens: observation.usage.output,
        defects: defect_names(observation.defects).collect(),
        text: transcript.text,
        calls: transcript.calls,
    }
}

/// Tokens of the whole prompt. Anthropic's messages count those that were read from a cache apart, and servers cache what they
/// have been asked before.
fn prompt_tokens(api: Api, observation: &Observation) -> Option<u64> {
    let usage = observation.usage;
    let cached = if api == Api::Messages { usage.cached_input.unwrap_or(0) } else { 0 };
    usage.input.map(|input| input.saturating_add(cached))
}

fn ms(us: Micros) -> u64 {
    us.div_ceil(1_000)
}

fn without_response(error: &NoResponse) -> Reply {
    let standing = match error {
        NoResponse::NotConnected(words) => Standing::Unknown(format!("no connection: {words}")),
        NoResponse::BrokenOff => Standing::Failed("the connection ended before an answer".to_owned()),
        NoResponse::TooLate => Standing::Failed(format!("no answer within {}", time_max())),
    };
    Reply {
        standing,
        status: None,
        outcome: None,
        finish: None,
        ttft_ms: None,
        latency_ms: None,
        prompt_tokens: None,
        completion_tokens: None,
        defects: Vec::new(),
        text: String::new(),
        calls: Vec::new(),
    }
}

fn time_max() -> String {
    format_duration(u64::try_from(ANSWER_TIME_MAX.as_millis()).unwrap_or(u64::MAX))
}

fn observe(request: &[u8], received: &Received) -> Observation {
    let mut reader = RequestReader::new(true);
    reader.push(request);
    let head = Head {
        status: received.status,
        content_type: received.content_type.as_bytes(),
        content_encoding: received.content_encoding.as_bytes(),
        grpc_status: None,
    };
    let mut observer = Observer::new(head, 0, received.head_us);
    observer.detect_defects(reader.asked());
    for (at, bytes) in &received.pieces {
        observer.push(*at, bytes);
    }
    let end = match received.end {
        End::Whole => observe::End::Complete,
        End::BrokenOff => observe::End::UpstreamReset,
        End::TooLate | End::TooLong => observe::End::ClientAbort,
    };
    observer.finish(end, received.ended_us)
}

/// Why a response says nothing of the version.
fn unknown(received: &Received, fault: Option<&Fault>) -> Option<String> {
    match received.status {
        // The caller must prove who it is, or pay, or was too slow, or sends too much; 529 is Anthropic's word for overload.
        status @ (401 | 402 | 403 | 407 | 408 | 429 | 529) => Some(status.to_string()),
        503 if received.asks_for_patience => Some("503".to_owned()),
        _ => fault.filter(|fault| is_overload(fault)).map(|fault| fault.kind.clone()),
    }
}

/// Whether an error, in a stream or with any status, says that the caller sends too much.
fn is_overload(fault: &Fault) -> bool {
    let kinds = ["rate_limit", "overloaded", "insufficient_quota", "too_many_requests", "429"];
    let kind = fault.kind.to_ascii_lowercase();
    kinds.iter().any(|word| kind.contains(word))
}

/// Why the version failed.
fn failed(
    api: Api,
    received: &Received,
    observation: &Observation,
    fault: Option<&Fault>,
    is_empty: bool,
) -> Option<String> {
    let said = fault.map(said).unwrap_or_default();
    if !(200..300).contains(&received.status) {
        return Some(format!("status {}{said}", received.status));
    }
    match received.end {
        End::Whole => {}
        End::BrokenOff => return Some("the answer broke off".to_owned()),
        End::TooLate => return Some(format!("the answer did not end within {}", time_max())),
        End::TooLong => {
            return Some(format!("the answer is longer than {} MiB", ANSWER_BYTES_MAX >> 20));
        }
    }
    match observation.outcome {
        Outcome::Complete => {}
        Outcome::StreamError => return Some(format!("the answer reports an error{said}")),
        Outcome::Truncated => return Some("the stream ended without its last event".to_owned()),
        outcome => return Some(format!("the answer is not complete: {}", outcome.as_str())),
    }
    if fault.is_some() {
        return Some(format!("the answer reports an error{said}"));
    }
    let is_other = observation.dialect.is_none() || observation.text_chars.is_some_and(|chars| chars > 0);
    match (is_empty, is_other) {
        (false, _) => None,
        (true, true) => Some(format!("the body is no answer of the API {}", api.name())),
        (true, false) => Some("the answer is empty".to_owned()),
    }
}

/// The server's message, in one line that is not too long.
fn said(fault: &Fault) -> String {
    let words: Vec<&str> = fault.message.split_whitespace().collect();
    let words: String = words.join(" ").chars().take(MESSAGE_CHARS_MAX).collect();
    if words.is_empty() { String::new() } else { format!(": {words}") }
}

#[cfg(test)]
mod tests;
