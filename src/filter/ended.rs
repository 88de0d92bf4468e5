//! An exchange that has ended. What is left of it is to count it, and to read what came in one piece.

use alloc::boxed::Box;

use super::host::Host;
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
        let response = self.response.as_ref()?.kept()?;
        let request = self.body.as_ref().and_then(|body| body.kept()).unwrap_or_default();
        Some(request.len().saturating_add(response.len()))
    }

    /// Has the processor fetch all but the bodies. An exchange that has waited is not in the processor's caches any more, so to
    /// count it would begin with waiting for it.
    pub fn prefetch<H: Host>(&self) {
        self.body.iter().for_each(|body| H::prefetch(&**body));
        self.response.iter().for_each(|response| H::prefetch(&**response));
    }

    /// Has the processor fetch what is kept of the bodies. Looks into what [`Ended::prefetch`] fetches.
    pub fn prefetch_bodies<H: Host>(&self) {
        self.body.iter().filter_map(|body| body.kept()).for_each(H::prefetch);
        self.response.iter().filter_map(|response| response.kept()).for_each(H::prefetch);
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
