//! A request that carries feedback. The filter reads the rating, counts it for the version that serves the
//! conversation, and answers the request or passes it on.
//!
//! The answer depends on the body, so the request has to wait for it. Where the host does not deliver the bodies of
//! waiting requests (see `delivery.rs`), the filter passes the request on, as under `"respond": false`.

use super::host::{Action, Body, Host};
use super::loaded::LoadedConfig;
use super::response::version_header;
use super::worker::Worker;
use crate::config::{Feedback, Rollout};
use crate::feedback::{self, Problem};
use crate::observe::Micros;
use crate::route::{self, Decision};

/// The response code details in the access log.
const DETAILS: &str = "llm_feedback";
const NO_CONVERSATION: &str = "the feedback does not identify a conversation\n";

/// One feedback request.
pub(super) struct FeedbackRequest {
    about: route::Feedback,
    body: feedback::Body,
    state: State,
}

enum State {
    /// The request has waited for the first piece of its body since this time.
    Waiting(Micros),
    /// The request waits for the rest of its body; this many bytes have been read.
    Held(usize),
    /// The request is passed on, and its body is read as it passes.
    Passing,
    /// The request is passed on, and the rest of its body is not read.
    Passed,
    /// The filter has answered the request.
    Answered,
}

impl FeedbackRequest {
    /// The request's head has arrived. `None`: its rollout takes no feedback.
    pub(super) fn new<H: Host>(
        host: H,
        worker: &Worker<H>,
        about: route::Feedback,
        now: Micros,
        is_end: bool,
    ) -> Option<(FeedbackRequest, Action)> {
        let config = config(&worker.loaded, &about)?;
        let mut request = FeedbackRequest { about, body: feedback::Body::new(config), state: State::Passing };
        let action = match about {
            _ if !config.respond => Action::Continue,
            route::Feedback::OnNone { .. } => request.answer(host, worker, 400, NO_CONVERSATION),
            route::Feedback::On(_) if is_end => request.answer(host, worker, 400, Problem::NotJson.as_str()),
            route::Feedback::On(_) if !worker.delivery.may_wait() => Action::Continue,
            route::Feedback::On(_) => {
                request.state = State::Waiting(now);
                Action::Pause
            }
        };
        Some((request, action))
    }

    /// A request that has been counted, and passes the filter again. `None`: its rollout takes no feedback.
    pub(super) fn counted<H: Host>(worker: &Worker<H>, decision: Decision) -> Option<FeedbackRequest> {
        let about = route::Feedback::On(decision);
        let config = config(&worker.loaded, &about)?;
        Some(FeedbackRequest { about, body: feedback::Body::new(config), state: State::Passed })
    }

    /// A piece of the body has arrived. `size` bytes are readable: all of the body so far while the request waits, else
    /// the latest piece.
    pub(super) fn push<H: Host>(&mut self, host: H, worker: &Worker<H>, size: usize, is_end: bool) -> Action {
        let Some(config) = config(&worker.loaded, &self.about) else { return Action::Continue };
        let (start, waits) = match self.state {
            State::Waiting(_) => (0, true),
            State::Held(read_bytes) => (read_bytes, true),
            State::Passing => (0, false),
            State::Passed | State::Answered => return Action::Continue,
        };
        if waits {
            self.state = State::Held(size);
        }
        host.read_body(Body::Request, start, size, |bytes| {
            self.body.push(config, bytes);
            true
        });
        if !is_end && !self.body.is_too_long() {
            return if waits { Action::Pause } else { Action::Continue };
        }
        let found = self.body.finish(config);
        if let (Ok(rating), route::Feedback::On(decision)) = (found, &self.about) {
            worker.loaded.count_rating(host, decision, rating);
        }
        self.state = State::Passed;
        match found {
            _ if !waits => Action::Continue,
            Ok(_) => self.answer(host, worker, 204, ""),
            Err(problem @ Problem::TooLong) => self.answer(host, worker, 413, problem.as_str()),
            Err(problem) => self.answer(host, worker, 400, problem.as_str()),
        }
    }

    /// When the request began to wait for the first piece of its body; `None` if it does not.
    pub(super) fn waits_since(&self) -> Option<Micros> {
        if let State::Waiting(since) = self.state { Some(since) } else { None }
    }

    /// How many bytes of the body have been read; 0 unless the request waits.
    pub(super) fn held_bytes(&self) -> usize {
        if let State::Held(read_bytes) = self.state { read_bytes } else { 0 }
    }

    /// Passes the request on without waiting; its body is read as it passes.
    pub(super) fn give_up_waiting(&mut self) {
        self.state = State::Passing;
    }

    /// Whether the filter has answered the request.
    pub(super) fn is_answered(&self) -> bool {
        matches!(self.state, State::Answered)
    }

    /// The version that serves the conversation.
    pub(super) fn decision(&self) -> Option<Decision> {
        match self.about {
            route::Feedback::On(decision) => Some(decision),
            route::Feedback::OnNone { .. } => None,
        }
    }

    fn answer<H: Host>(&mut self, host: H, worker: &Worker<H>, status: u32, text: &str) -> Action {
        let config = &worker.loaded.config;
        let header = self.decision().and_then(|decision| version_header(config, &decision));
        // If the host refuses the local reply, the request goes to the version: its answer is better than none.
        let is_answered = host.send_local_reply(status, DETAILS, text, header);
        self.state = if is_answered { State::Answered } else { State::Passed };
        if is_answered { Action::Pause } else { Action::Continue }
    }
}

/// The rollout that the feedback is about.
pub(super) fn rollout<'r, H: Host>(
    loaded: &'r LoadedConfig<H>,
    about: &route::Feedback,
) -> Option<&'r Rollout> {
    let index = match about {
        route::Feedback::On(decision) => decision.rollout,
        route::Feedback::OnNone { rollout } => *rollout,
    };
    loaded.config.rollouts.get(index)
}

fn config<'r, H: Host>(loaded: &'r LoadedConfig<H>, about: &route::Feedback) -> Option<&'r Feedback> {
    rollout(loaded, about)?.feedback.as_ref()
}
