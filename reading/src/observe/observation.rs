//! The types of an observer: what it gets about a response besides its body, and what it reports in the end.

use alloc::vec::Vec;

use crate::defect::DefectSet;
use crate::dialect::{Finish, Usage};
use crate::label::label_values;

/// Microseconds on a monotonic clock. Its zero may be anywhere.
pub type Micros = u64;

/// What the headers of the response say of its body.
#[derive(Clone, Copy, Debug, Default)]
pub struct Head<'a> {
    /// The status code.
    pub status: u16,
    /// The header `content-type`, empty if absent.
    pub content_type: &'a [u8],
    /// The header `content-encoding`, empty if absent.
    pub content_encoding: &'a [u8],
    /// The header `grpc-status`, which gRPC sends here if the response has no message.
    pub grpc_status: Option<&'a [u8]>,
}

/// How the response ended, as the host saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its last byte came.
    Complete,
    /// The client closed the connection or reset the stream.
    ClientAbort,
    /// The upstream reset the stream, or a timeout ended it.
    UpstreamReset,
    /// The proxy answered instead of the upstream.
    LocalReply,
}

label_values! {
    /// How the response ended, by what the host and the body say together.
    pub enum Outcome {
        /// It is complete.
        Complete = "complete",
        /// The upstream answered with a status of 400 or more, or with an error of gRPC and no message.
        HttpError = "http_error",
        /// The status was good, but the body, or gRPC's status after a message, reported an error.
        StreamError = "stream_error",
        /// The host saw a regular end, but the body is not complete.
        Truncated = "truncated",
        /// The upstream reset the stream, or a timeout ended it.
        UpstreamReset = "upstream_reset",
        /// The client ended the stream before it was complete.
        ClientAbort = "client_abort",
        /// The same, just after a complete tool call. Agents may do so on purpose.
        ClientAbortAfterToolCall = "client_abort_after_tool_call",
        /// The proxy answered instead of the upstream.
        LocalReply = "local_reply",
    }
}

label_values! {
    /// How a refusal was detected.
    pub enum Refusal {
        /// By a field or a finish reason made for it.
        Structured = "structured",
        /// By the first words of the answer.
        Phrase = "phrase",
    }
}

label_values! {
    /// Why a body, or a part of it, was not parsed.
    pub enum Unparsed {
        /// It is compressed.
        Encoding = "encoding",
        /// Its content type has no text.
        Type = "type",
        /// A part of it was longer than is kept, or damaged.
        TooLong = "too_long",
        /// It is JSON of no known dialect.
        Dialect = "dialect",
    }
}

label_values! {
    /// What an [`Outcome::HttpError`] was. The frequent statuses have values of their own.
    pub enum HttpError {
        /// The request is invalid.
        Status400 = "400",
        /// The credential is missing or wrong.
        Status401 = "401",
        /// The caller has no permission.
        Status403 = "403",
        /// The model or the path does not exist.
        Status404 = "404",
        /// The client was too slow.
        Status408 = "408",
        /// The request is too large.
        Status413 = "413",
        /// The request has the right syntax, but invalid values.
        Status422 = "422",
        /// The caller sends too much.
        Status429 = "429",
        /// Another status below 500.
        Status4xx = "4xx",
        /// The server failed.
        Status500 = "500",
        /// A proxy behind this one had no valid answer.
        Status502 = "502",
        /// The server is overloaded, or not ready.
        Status503 = "503",
        /// A proxy behind this one did not wait longer.
        Status504 = "504",
        /// Another status of 500 or more.
        Status5xx = "5xx",
        /// An error of gRPC, whose HTTP status is 200.
        Grpc = "grpc",
    }
}

impl HttpError {
    /// The value for an HTTP status of 400 or more.
    pub(super) fn of(status: u16) -> HttpError {
        match status {
            400 => HttpError::Status400,
            401 => HttpError::Status401,
            403 => HttpError::Status403,
            404 => HttpError::Status404,
            408 => HttpError::Status408,
            413 => HttpError::Status413,
            422 => HttpError::Status422,
            429 => HttpError::Status429,
            ..500 => HttpError::Status4xx,
            500 => HttpError::Status500,
            502 => HttpError::Status502,
            503 => HttpError::Status503,
            504 => HttpError::Status504,
            _ => HttpError::Status5xx,
        }
    }
}

/// The facts of one response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The dialect's name, if it was detected.
    pub dialect: Option<&'static str>,
    /// How it ended.
    pub outcome: Outcome,
    /// What the error was, if the outcome is [`Outcome::HttpError`].
    pub http_error: Option<HttpError>,
    /// Whether this may be a model's answer. False: the request did not ask for one and none was found, or the body is
    /// known to be something else, such as embeddings. Then only the outcome and the times mean something.
    pub is_answer: bool,
    /// Why the model stopped. Of the reasons of several answers, the last in the order of [`Finish`].
    pub finish: Finish,
    /// Unicode scalar values of assistant text, or of the whole body if it is plain text. `None` if it was not
    /// parsed, or is no answer; 0 of an answer that is yet to be fetched.
    pub text_chars: Option<u64>,
    /// Unicode scalar values of reasoning, over all answers. Summaries of reasoning count.
    pub reasoning_chars: u64,
    /// What is wrong with the answer. Empty unless it was asked for, and where the text is not read.
    pub defects: DefectSet,
    /// Numbers of tokens, as the server reported them.
    pub usage: Usage,
    /// Tool calls that began.
    pub tool_calls: u64,
    /// Whether and how the model refused.
    pub refusal: Option<Refusal>,
    /// The status, or the body, reports an error.
    pub error: bool,
    /// Number of events, messages or documents of a stream, with its terminal event. `None` if it was not a stream.
    pub events: Option<u64>,
    /// Why it, or a part of it, was not parsed.
    pub unparsed: Option<Unparsed>,
    /// The name of the model that answered, if the server gave it.
    pub model: Option<Vec<u8>>,
    /// When its parts came.
    pub timing: Timing,
}

/// When the parts of a response came, in microseconds since the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// The headers.
    pub first_byte_us: Option<u64>,
    /// The first delta with text, reasoning or a tool call. Of streams only.
    pub first_token_us: Option<u64>,
    /// The last such delta.
    pub last_token_us: Option<u64>,
    /// The longest time between two such deltas that follow each other.
    pub longest_gap_us: Option<u64>,
    /// The end.
    pub duration_us: u64,
}

impl Observation {
    /// Mean time per output token after the first, in microseconds. `None` if it was not a stream, or if the server
    /// did not report at least two tokens.
    pub fn time_per_output_token_us(&self) -> Option<u64> {
        let took = self.timing.last_token_us?.checked_sub(self.timing.first_token_us?)?;
        took.checked_div(self.usage.output?.checked_sub(1)?)
    }

    /// Output tokens per second, over the whole time of the request. Saturates: the server may report any number of
    /// tokens.
    pub fn output_tokens_per_second(&self) -> Option<u64> {
        self.usage.output?.saturating_mul(1_000_000).checked_div(self.timing.duration_us)
    }
}
