//! A request that waits for a piece of its body.

use core::mem;

use super::{Phase, Stream};
use crate::filter::buffered::BufferedRequest;
use crate::filter::headers::Headers;
use crate::filter::host::{Action, Head, Host};
use crate::filter::request::{BodyFacts, Request};
use crate::filter::worker::Worker;
use crate::observe::Micros;
use crate::route::BodyNeeded;

impl<H: Host> Stream<H> {
    /// A piece of the body has arrived that may tell the version. `None`: the request does not wait for that, or no longer, and
    /// all of the body so far is still readable, for what it shows and to edit it.
    pub(super) fn on_waiting_body(&mut self, host: H, size: usize, is_end: bool) -> Option<Action> {
        if !matches!(self.phase, Phase::Waiting(_)) {
            return None;
        }
        let Phase::Waiting(mut buffered) = mem::replace(&mut self.phase, Phase::Idle) else { return None };
        buffered.push(host, &self.worker.loaded, size, is_end);
        let headers = &host.headers(Head::Request);
        if self.route_waiting(host, headers, &buffered).is_err() {
            if !buffered.is_full() {
                let action = buffered.pause();
                self.phase = Phase::Waiting(buffered);
                return Some(action);
            }
            // The decision is made with what was found, which is always possible.
            buffered.finish(&self.worker.loaded);
            let _ = self.route_waiting(host, headers, &buffered);
            if let Phase::Routed(routed) = &self.phase {
                self.worker.loaded.count_body_limit(host, &routed.decision);
            }
        }
        let reader = buffered.reader()?;
        if let Some(body) = &mut self.body {
            body.continue_from(reader, is_end);
        }
        Some(Action::Continue)
    }

    /// Chooses the version with what has been read of the body.
    fn route_waiting(
        &mut self,
        host: H,
        headers: &Headers,
        buffered: &BufferedRequest,
    ) -> Result<Action, BodyNeeded> {
        let request = Request { host, headers, body: BodyFacts::Read(buffered) };
        self.route(request, buffered.requested, buffered.now, false)
    }

    /// When the request began to wait for a piece of its body that may never arrive; `None` if it does not.
    fn waits_since(&self) -> Option<Micros> {
        match &self.phase {
            Phase::Waiting(buffered) => buffered.waits_since(),
            Phase::Feedback(request) => request.waits_since(),
            Phase::Idle | Phase::Routed(_) | Phase::Observed { .. } | Phase::Responding(_) => {
                self.body.as_ref().and_then(|body| body.waits_since())
            }
        }
    }

    /// Whether the request waits for a piece of its body that may never arrive.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.waits_since().is_some()
    }

    /// Time has passed: the host calls this at intervals while the request waits. Returns whether the request has
    /// waited too long. If so, the host resumes it, and its body passes as it comes.
    pub fn on_tick(&mut self, host: H, now: Micros) -> bool {
        let Some(since) = self.waits_since() else { return false };
        let Worker { loaded, delivery } = &*self.worker;
        let holds_back = delivery.seeks_proof() && host.received_body_bytes().is_some_and(|bytes| bytes > 0);
        // An earlier filter may hold a body back for a moment, so one tick is not enough.
        let is_proof = mem::replace(&mut self.is_held_back, holds_back) && holds_back;
        if now.saturating_sub(since) < delivery.wait_us_max() {
            return false;
        }
        if is_proof {
            delivery.turn_off();
            loaded.set_body_waits(host, false);
        }
        self.give_up_waiting(host);
        true
    }

    fn give_up_waiting(&mut self, host: H) {
        if matches!(self.phase, Phase::Waiting(_))
            && let Phase::Waiting(mut buffered) = mem::replace(&mut self.phase, Phase::Idle)
        {
            buffered.finish(&self.worker.loaded);
            let headers = &host.headers(Head::Request);
            // The result may be to wait for edits; the request gives that up as well, below.
            let _ = self.route_waiting(host, headers, &buffered);
            if let (Some(body), Some(reader)) = (&mut self.body, buffered.reader()) {
                body.continue_from(reader, false);
            }
        }
        if let Phase::Feedback(request) = &mut self.phase {
            request.give_up_waiting();
        } else if let Some(body) = &mut self.body {
            body.give_up_waiting(host);
        }
    }
}
