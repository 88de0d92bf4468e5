//! Observes one response: its headers, body and times in, an [`Observation`] out.
//!
//! The framing is detected from the content type and the first bytes, the dialect from the first documents. Whatever is
//! sent, little of a body is kept: a document until its dialect is detected, up to [`DETECT_BYTES_MAX`]; a binary
//! message, or the beginning of an event; two events as templates; the first characters of the answer; and short
//! values. This has no clock and does not know the request.

mod body;
mod documents;
mod events;
mod observation;
mod summary;
#[cfg(test)]
mod tests;

use body::ResponseBody;
pub use documents::DETECT_BYTES_MAX;
pub use observation::{End, Head, Micros, Observation, Outcome, Refusal, Timing, Unparsed};

pub use crate::dialect::{Finish, Usage};
use crate::refusal;

// What is kept of an answer is what is searched for a refusal.
const _: () = assert!(crate::dialect::ANSWER_PREFIX_CHARS_MAX == refusal::PREFIX_CHARS_MAX as u64);

/// Observes one response while it passes.
pub struct Observer {
    body: ResponseBody,
    is_http_error: bool,
    requested: Micros,
    timing: Timing,
}

impl Observer {
    /// The headers of the response have come. `requested` is the time of the request.
    pub fn new(head: Head<'_>, requested: Micros, now: Micros) -> Observer {
        Observer {
            body: ResponseBody::new(head),
            is_http_error: head.status >= 400,
            requested,
            timing: Timing { first_byte_us: Some(now.saturating_sub(requested)), ..Timing::default() },
        }
    }

    /// Also looks for refusals in the first words of the answer. To be called before the first byte of the body.
    pub fn detect_refusal_phrases(&mut self) {
        self.body.keep_answer_prefix();
    }

    /// For a request to which no response came.
    pub fn without_response(requested: Micros) -> Observer {
        Observer { body: ResponseBody::Absent, is_http_error: false, requested, timing: Timing::default() }
    }

    /// The next piece of the body has come. It may begin and end anywhere.
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
        let body = self.body.finish();
        let facts = body.facts;
        let outcome = match end {
            End::LocalReply => Outcome::LocalReply,
            _ if self.is_http_error => Outcome::HttpError,
            _ if facts.error => Outcome::StreamError,
            _ if body.is_finished == Some(true) => Outcome::Complete,
            End::ClientAbort if facts.is_call_finished => Outcome::ClientAbortAfterToolCall,
            End::ClientAbort => Outcome::ClientAbort,
            End::UpstreamReset => Outcome::UpstreamReset,
            End::Complete if body.is_finished == Some(false) => Outcome::Truncated,
            End::Complete => Outcome::Complete,
        };
        let finish = facts.finish();
        let is_error = self.is_http_error || facts.error;
        let is_structured = facts.refusal_chars > 0 || facts.blocked || finish == Finish::ContentFilter;
        let refusal = if is_structured {
            Some(Refusal::Structured)
        } else {
            let prefix = facts.answer_prefix.as_bytes(); // empty unless it is kept
            (!prefix.is_empty() && refusal::is_refusal(prefix)).then_some(Refusal::Phrase)
        };
        Observation {
            dialect: body.dialect,
            outcome,
            finish,
            // The text of an error report is not assistant text.
            text_chars: if is_error && body.dialect.is_none() {
                body.text_chars.map(|_| 0)
            } else {
                body.text_chars
            },
            usage: facts.usage,
            tool_calls: facts.tool_calls,
            refusal,
            error: is_error,
            events: body.events,
            unparsed: body.unparsed,
            model: Some(facts.model).filter(|model| !model.is_empty()),
            timing: self.timing,
        }
    }

    /// A delta has come. Times are subtracted with saturation, because the host's clock is not ours.
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
