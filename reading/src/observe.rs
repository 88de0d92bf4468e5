//! What one response showed: bytes and moments in, an [`Observation`] out.
//!
//! Chooses the framing from the content type and the first bytes, tells the dialect from the first
//! document that shows it, and is bounded whatever is sent: nothing of a body is kept but the first
//! document, up to [`DETECT_BYTES_MAX`], until its dialect is told.

mod body;
mod events;
mod reader;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use body::Body;
pub use reader::DETECT_BYTES_MAX;

pub use crate::dialect::{Finish, Usage};
use crate::label::label_values;
use crate::refusal;

/// Microseconds on a clock that never goes back. Its zero does not matter.
pub type Micros = u64;

/// What the response's head says of its body.
#[derive(Clone, Copy, Debug, Default)]
pub struct Head<'a> {
    /// The status code.
    pub status: u16,
    /// The `content-type`, empty if absent.
    pub content_type: &'a [u8],
    /// The `content-encoding`, empty if absent.
    pub content_encoding: &'a [u8],
}

/// How the host saw the response end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its last byte came.
    Complete,
    /// The client went away.
    ClientAbort,
    /// The upstream, or a time limit on it, broke it off.
    UpstreamReset,
    /// The proxy answered in the upstream's place.
    LocalReply,
}

label_values! {
    /// How the response ended, all things considered.
    pub enum Outcome {
        /// Everything needed came.
        Complete = "complete",
        /// The upstream answered with a status of 400 or more.
        HttpError = "http_error",
        /// The body of a good status reported an error.
        StreamError = "stream_error",
        /// It ended as if complete, but what it said was not finished.
        Truncated = "truncated",
        /// The upstream, or a time limit on it, broke it off.
        UpstreamReset = "upstream_reset",
        /// The client went away first.
        ClientAbort = "client_abort",
        /// The client went away when it had a whole tool call, which an agent may well do.
        ClientAbortAfterToolCall = "client_abort_after_tool_call",
        /// The proxy answered in the upstream's place.
        LocalReply = "local_reply",
    }
}

label_values! {
    /// How a refusal was told.
    pub enum Refusal {
        /// By a field or reason made for it.
        Structured = "structured",
        /// By how it opens.
        Phrase = "phrase",
    }
}

label_values! {
    /// Why a body's content could not be read.
    pub enum Unread {
        /// It is compressed.
        Encoding = "encoding",
        /// It is of a type that holds no text.
        Type = "type",
        /// Part of it was longer than is kept, or damaged.
        TooLong = "too_long",
    }
}

/// The facts of one response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The dialect's name, if it was told.
    pub dialect: Option<&'static str>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why the model stopped; of several answers' reasons the most telling.
    pub finish: Finish,
    /// Unicode scalar values of assistant text, or of the whole body where its dialect is not known.
    /// `None` if it could not be read.
    pub text_chars: Option<u64>,
    /// As reported by the server.
    pub usage: Usage,
    /// Tool calls begun.
    pub tool_calls: u64,
    /// Whether, and how, the model refused.
    pub refusal: Option<Refusal>,
    /// The response reports an error: by its status, or in its body.
    pub error: bool,
    /// Events, messages or documents of a stream, its end marker included. `None` if it was none.
    pub events: Option<u64>,
    /// Why it, or a part of it, could not be read.
    pub unread: Option<Unread>,
    /// The name of the model that answered, if it was said.
    pub model: Option<Vec<u8>>,
    /// When it came.
    pub timing: Timing,
}

/// When a response came, in microseconds since the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// The response's head.
    pub first_byte_us: Option<u64>,
    /// The first delta with text, reasoning or a tool call. Only for streams.
    pub first_token_us: Option<u64>,
    /// The last such delta.
    pub last_token_us: Option<u64>,
    /// The longest wait between two such deltas.
    pub longest_gap_us: Option<u64>,
    /// The end.
    pub duration_us: u64,
}

impl Observation {
    /// Mean time per output token after the first, in microseconds: the pace at which a reader sees
    /// the answer grow. `None` without a stream or a report of at least two tokens.
    pub fn time_per_output_token_us(&self) -> Option<u64> {
        let took = self.timing.last_token_us?.checked_sub(self.timing.first_token_us?)?;
        took.checked_div(self.usage.output?.checked_sub(1)?)
    }

    /// Output tokens per second of the whole request.
    pub fn output_tokens_per_second(&self) -> Option<u64> {
        self.usage.output?.saturating_mul(1_000_000).checked_div(self.timing.duration_us)
    }
}

/// Reads one response as it passes.
pub struct Observer {
    body: Body,
    is_error: bool,
    requested: Micros,
    timing: Timing,
}

impl Observer {
    /// The response's head has come. `requested` is the moment of the request.
    pub fn new(head: Head<'_>, requested: Micros, now: Micros) -> Observer {
        Observer {
            body: Body::new(head),
            is_error: head.status >= 400,
            requested,
            timing: Timing { first_byte_us: Some(now.saturating_sub(requested)), ..Timing::default() },
        }
    }

    /// Tells refusals by how the answer opens, too.
    pub fn detect_refusal_phrases(&mut self) {
        self.body.want_opening();
    }

    /// No response came.
    pub fn without_response(requested: Micros) -> Observer {
        Observer { body: Body::Absent, is_error: false, requested, timing: Timing::default() }
    }

    /// A piece of the body has come, cut anywhere.
    pub fn push(&mut self, now: Micros, bytes: &[u8]) {
        let deltas = self.body.streamed_deltas();
        self.body.push(bytes);
        if self.body.streamed_deltas() > deltas {
            self.token(now);
        }
    }

    /// The response has ended.
    pub fn finish(mut self, end: End, now: Micros) -> Observation {
        self.timing.duration_us = now.saturating_sub(self.requested);
        let facts = self.body.finish();
        let is_finished = facts.is_finished;
        let outcome = match end {
            End::LocalReply => Outcome::LocalReply,
            _ if self.is_error => Outcome::HttpError,
            _ if facts.seen.error => Outcome::StreamError,
            _ if is_finished == Some(true) => Outcome::Complete,
            End::ClientAbort if facts.seen.is_call_finished => Outcome::ClientAbortAfterToolCall,
            End::ClientAbort => Outcome::ClientAbort,
            End::UpstreamReset => Outcome::UpstreamReset,
            End::Complete if is_finished == Some(false) => Outcome::Truncated,
            End::Complete => Outcome::Complete,
        };
        let seen = facts.seen;
        let finish = seen.finish();
        let is_error = self.is_error || seen.error;
        let is_structured = seen.refusal_chars > 0 || seen.blocked || finish == Finish::ContentFilter;
        let refusal = if is_structured {
            Some(Refusal::Structured)
        } else {
            let opening = seen.opening.as_bytes(); // empty unless it is wanted
            (!opening.is_empty() && refusal::is_refusal(opening)).then_some(Refusal::Phrase)
        };
        Observation {
            dialect: facts.dialect,
            outcome,
            finish,
            // What reports a failure holds no assistant text, whatever else it says.
            text_chars: if is_error && facts.dialect.is_none() {
                facts.text_chars.map(|_| 0)
            } else {
                facts.text_chars
            },
            usage: seen.usage,
            tool_calls: seen.tool_calls,
            refusal,
            error: is_error,
            events: facts.events,
            unread: facts.unread,
            model: Some(seen.model).filter(|model| !model.is_empty()),
            timing: self.timing,
        }
    }

    fn token(&mut self, now: Micros) {
        let since_request = now.saturating_sub(self.requested);
        let timing = &mut self.timing;
        timing.first_token_us.get_or_insert(since_request);
        if let Some(last) = timing.last_token_us.replace(since_request) {
            let gap = since_request.saturating_sub(last);
            timing.longest_gap_us = timing.longest_gap_us.max(Some(gap));
        }
    }
}
