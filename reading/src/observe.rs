//! Observes one response: its headers, body and times in, an [`Observation`] out.
//!
//! The framing is detected from the content type and the first bytes, the dialect from the first documents. Whatever is
//! sent, little of a body is kept: a binary message, or the beginning of an event; two events as templates; the first
//! characters of the answer; and short values. This has no clock and does not know the request.

mod body;
mod documents;
mod events;
mod grpc;
mod observation;
mod summary;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vendor_tests;

use body::ResponseBody;
pub use grpc::GrpcMethod;
pub use observation::{End, Head, HttpError, Micros, Observation, Outcome, Refusal, Timing, Unparsed};

use crate::defect::{Asked, DefectSet};
pub use crate::dialect::{Finish, Usage};
use crate::refusal;
use grpc::GrpcEnd;

// What is kept of an answer is what is searched for a refusal.
const _: () = assert!(crate::dialect::ANSWER_PREFIX_CHARS_MAX == refusal::PREFIX_CHARS_MAX as u64);

/// Observes one response while it passes.
pub struct Observer {
    body: ResponseBody,
    status: u16,
    grpc: Option<GrpcEnd>,
    is_answer_expected: bool,
    requested: Micros,
    timing: Timing,
}

impl Observer {
    /// The headers of the response have come. `requested` is the time of the request.
    pub fn new(head: Head<'_>, requested: Micros, now: Micros) -> Observer {
        Observer {
            body: ResponseBody::new(head),
            status: head.status,
            grpc: GrpcEnd::new(head),
            is_answer_expected: true,
            requested,
            timing: Timing { first_byte_us: Some(now.saturating_sub(requested)), ..Timing::default() },
        }
    }

    /// Also looks for refusals in the first words of the answer. To be called before the first byte of the body.
    pub fn detect_refusal_phrases(&mut self) {
        self.body.keep_answer_prefix();
    }

    /// Also looks for defects of the answer. `asked` is what the request asked for, and `None` where its body was not seen.
    /// To be called before the first byte of the body.
    pub fn detect_defects(&mut self, asked: Option<Asked>) {
        self.body.detect_defects(asked);
    }

    /// The request called this method of gRPC. Without that, messages are not read. To be called before the first byte of
    /// the body.
    pub fn expect_messages(&mut self, method: GrpcMethod) {
        self.body.expect_messages(method);
    }

    /// The request did not ask for an answer of a model. So a body of no known dialect is no answer either.
    pub fn expect_no_answer(&mut self) {
        self.is_answer_expected = false;
    }

    /// The response has no body, whatever its head declares: it answers HEAD, for example.
    pub fn expect_no_body(&mut self) {
        self.body = ResponseBody::Absent;
        self.grpc = None;
    }

    /// For a request to which no response came.
    pub fn without_response(requested: Micros) -> Observer {
        Observer {
            body: ResponseBody::Absent,
            status: 0,
            grpc: None,
            is_answer_expected: true,
            requested,
            timing: Timing::default(),
        }
    }

    /// The next piece of the body has come. It may begin and end anywhere.
    pub fn push(&mut self, now: Micros, bytes: &[u8]) {
        if let Some(grpc) = &mut self.grpc {
            grpc.push(bytes);
        }
        let deltas = self.body.streamed_deltas();
        self.body.push(bytes);
        if self.body.streamed_deltas() > deltas {
            self.token(now);
        }
    }

    /// The trailers have come. `grpc_status`: the header `grpc-status` among them.
    pub fn trailers(&mut self, grpc_status: Option<&[u8]>) {
        if let Some(grpc) = &mut self.grpc {
            grpc.trailers(grpc_status);
        }
    }

    /// Whether this is a response of gRPC.
    pub fn is_grpc(&self) -> bool {
        self.grpc.is_some()
    }

    /// Whether the end of the response lacks the status that its protocol requires. Then it was cut off, even if the
    /// host saw a regular end.
    pub fn lacks_status(&self) -> bool {
        self.grpc.as_ref().is_some_and(|grpc| !grpc.has_status())
    }

    /// The response has ended.
    pub fn finish(mut self, end: End, now: Micros) -> Observation {
        self.timing.duration_us = now.saturating_sub(self.requested);
        let is_http_error = self.status >= 400;
        let is_success = (200..300).contains(&self.status);
        let body = self.body.finish(is_success && self.is_answer_expected);
        let mut facts = body.facts;
        let outcome = match end {
            End::LocalReply => Outcome::LocalReply,
            _ if let Some(grpc) = &self.grpc => {
                grpc.outcome(end, facts.error, body.is_finished == Some(false))
            }
            _ if is_http_error => Outcome::HttpError,
            _ if facts.error => Outcome::StreamError,
            _ if body.is_finished == Some(true) => Outcome::Complete,
            End::ClientAbort if facts.is_call_finished => Outcome::ClientAbortAfterToolCall,
            End::ClientAbort => Outcome::ClientAbort,
            End::UpstreamReset => Outcome::UpstreamReset,
            End::Complete if body.is_finished == Some(false) => Outcome::Truncated,
            End::Complete => Outcome::Complete,
        };
        let http_error = (outcome == Outcome::HttpError)
            .then(|| if is_http_error { HttpError::of(self.status) } else { HttpError::Grpc });
        let finish = facts.finish();
        let is_error =
            is_http_error || facts.error || matches!(outcome, Outcome::HttpError | Outcome::StreamError);
        let is_answer = !body.is_other && (self.is_answer_expected || body.dialect.is_some());
        let is_unanswered = facts.is_unanswered();
        let is_structured = facts.refusal_chars > 0 || facts.blocked || finish == Finish::ContentFilter;
        let refusal = if is_structured {
            Some(Refusal::Structured)
        } else {
            let prefix = facts.answer_prefix.as_bytes(); // empty unless it is kept
            (!prefix.is_empty() && refusal::is_refusal(prefix)).then_some(Refusal::Phrase)
        };
        let is_unknown = body.text_chars.is_some() || body.unparsed == Some(Unparsed::Dialect);
        // The text of an error report is not assistant text.
        let is_error_report = is_error && body.dialect.is_none() && is_unknown && self.grpc.is_none();
        let text_chars = if is_error_report { Some(0) } else { body.text_chars };
        let is_failed = matches!(outcome, Outcome::HttpError | Outcome::LocalReply);
        let unparsed = body.unparsed.filter(|_| is_answer && !is_failed && !is_error_report);
        // Nothing is known to be missing of what is not read as a whole.
        let is_whole = outcome == Outcome::Complete && body.unparsed.is_none();
        let has_answer = is_answer && !is_failed && body.dialect.is_some();
        let defects = if has_answer { facts.defects(is_whole) } else { DefectSet::default() };
        let reasoning_chars = if is_answer { facts.reasoning_chars } else { 0 };
        Observation {
            dialect: body.dialect,
            outcome,
            http_error,
            is_answer,
            finish,
            text_chars: text_chars.filter(|_| is_answer || is_unanswered),
            reasoning_chars,
            defects,
            usage: facts.usage,
            tool_calls: facts.tool_calls,
            refusal,
            error: is_error,
            events: body.events,
            unparsed,
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
