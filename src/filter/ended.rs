//! An exchange that has ended. What is left of it is to count it, and to read what came in one piece.

use alloc::boxed::Box;

use super::request_body::RequestBody;
use super::response::{Response, Routed};
use crate::defect::Asked;
use crate::observe::{End, Micros, Observation};
use crate::request_facts::RequestFacts;

/// An exchange that has ended. It can be counted on another thread, by [`super::LoadedConfig::count`] of the
/// configuration that it began under.
pub struct Ended {
    /// What is known of the request's head.
    pub(super) routed: Routed,
    /// The request's body, if it has one.
    pub(super) body: Option<Box<RequestBody>>,
    /// `None` if the response's head did not arrive.
    pub(super) response: Option<Box<Response>>,
    /// How it ended.
    pub(super) end: End,
    /// When it ended.
    pub(super) at: Micros,
}

impl Ended {
    /// How many bytes of its bodies are kept until it is counted; `None` if its answer has been read already. What has been read
    /// of an answer takes more room than a short answer.
    #[must_use]
    pub fn kept_bytes(&self) -> Option<usize> {
        let response = self.response.as_ref()?.kept_bytes()?;
        Some(self.body.as_ref().map_or(0, |body| body.kept_bytes()).saturating_add(response))
    }

    /// The response's status, if its head arrived.
    pub(super) fn status(&self) -> Option<u16> {
        self.response.as_ref().map(|response| response.status())
    }

    /// What the exchange was. Reads what is unread of its bodies.
    pub(super) fn observe(mut self) -> (RequestFacts, Observation) {
        let request = self.body.as_mut().map_or(self.routed.request, |body| body.facts());
        let observation = match self.response {
            Some(response) => response.finish(self.end, self.at, || asked(&mut self.body, self.routed)),
            None => self.routed.finish(self.end, self.at),
        };
        (request, observation)
    }
}

/// What a request asked for. `None` if its answer began before that was known.
pub(super) fn asked(body: &mut Option<Box<RequestBody>>, routed: Routed) -> Option<Asked> {
    match body {
        Some(body) => body.asked(),
        None => routed.request.asked_without_names(),
    }
}
