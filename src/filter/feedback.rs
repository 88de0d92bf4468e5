//! One request that is feedback: read, counted for the version that serves its conversation, and answered
//! here or passed on.
//!
//! To be answered by what its body says, it has to wait after its head, and the body of a request that waits comes
//! only where Envoy was told `allow_on_headers_stop_iteration` (the plugin's own setting, since Envoy 1.35), which
//! a filter cannot see. So it waits for a while; if nothing comes, it is passed on, as if that were configured.

use super::host::{self, Action, Buffer, Level};
use super::root::Root;
use crate::config::{Feedback, Rollout};
use crate::feedback::{Body, Problem};
use crate::observe::Micros;
use crate::route::{self, Decision};

/// How often requests that wait are looked at.
pub(super) const TICK_MS: u32 = 500;
/// How long a request waits for its body where no body of one that waits has been seen yet.
const WAIT_US_MAX: Micros = 2_000_000;
/// What the access log shows as the response's details.
const DETAILS: &str = "llm_feedback";
const NO_CONVERSATION: &str = "the feedback names no conversation\n";
const NO_BODY: &str =
    "feedback is passed on rather than answered: no body comes without allow_on_headers_stop_iteration";

pub(super) struct Rating {
    pub(super) about: route::Feedback,
    body: Body,
    state: State,
}

enum State {
    /// It waits, since then, for the first of its body.
    Waiting(Micros),
    /// It waits for the rest; so many bytes have been read.
    Held(usize),
    /// It goes on, and its body is read as it passes.
    Passing,
    /// It has been counted and, if it waited, answered.
    Over,
}

impl Rating {
    /// Its head has come.
    pub(super) fn new(
        root: &Root,
        about: route::Feedback,
        now: Micros,
        is_end: bool,
    ) -> Option<(Rating, Action)> {
        let config = config(root, &about)?;
        let mut rating = Rating { about, body: Body::new(config), state: State::Passing };
        let action = match about {
            _ if !config.respond => Action::Continue,
            route::Feedback::OnNone { .. } => rating.answer(400, NO_CONVERSATION),
            route::Feedback::On(_) if is_end => rating.answer(400, Problem::NotJson.as_str()),
            route::Feedback::On(_) => {
                rating.state = State::Waiting(now);
                Action::Pause
            }
        };
        Some((rating, action))
    }

    /// Of its body, `size` bytes are there: since the head while it waits, since the last call while it passes.
    pub(super) fn push(&mut self, root: &Root, size: usize, is_end: bool) -> Action {
        let Some(config) = config(root, &self.about) else { return Action::Continue };
        let (start, waits) = match self.state {
            State::Waiting(_) => (0, true),
            State::Held(read) => (read, true),
            State::Passing => (0, false),
            State::Over => return Action::Continue,
        };
        if waits {
            root.can_wait.set(true);
            self.state = State::Held(size);
        }
        let length = size.saturating_sub(start);
        if length > 0 {
            host::buffer_from(Buffer::RequestBody, start, length, |bytes| self.body.push(config, bytes));
        }
        if !is_end && !self.body.is_too_long() {
            return if waits { Action::Pause } else { Action::Continue };
        }
        let found = self.body.finish(config);
        if let (Ok(rating), route::Feedback::On(decision)) = (found, &self.about) {
            root.count_rating(decision, rating);
        }
        self.state = State::Over;
        match found {
            _ if !waits => Action::Continue,
            Ok(_) => self.answer(204, ""),
            Err(problem @ Problem::TooLong) => self.answer(413, problem.as_str()),
            Err(problem) => self.answer(400, problem.as_str()),
        }
    }

    /// Whether it has waited too long for its body, and goes on.
    pub(super) fn gives_up_waiting(&mut self, root: &Root, now: Micros) -> bool {
        let State::Waiting(since) = self.state else { return false };
        let is_late = !root.can_wait.get() && now.saturating_sub(since) >= WAIT_US_MAX;
        if is_late {
            host::log(Level::Warn, NO_BODY);
            self.state = State::Passing;
        }
        is_late
    }

    /// The version that serves the conversation.
    pub(super) fn decision(&self) -> Option<Decision> {
        match self.about {
            route::Feedback::On(decision) => Some(decision),
            route::Feedback::OnNone { .. } => None,
        }
    }

    fn answer(&mut self, status: u32, text: &str) -> Action {
        self.state = State::Over;
        // If the host refuses to answer, the version's own answer is better than none.
        if host::send_response(status, DETAILS, text) { Action::Pause } else { Action::Continue }
    }
}

/// The rollout whose feedback it is.
pub(super) fn rollout<'r>(root: &'r Root, about: &route::Feedback) -> Option<&'r Rollout> {
    let index = match about {
        route::Feedback::On(decision) => decision.rollout,
        route::Feedback::OnNone { rollout } => *rollout,
    };
    root.config.rollouts.get(index)
}

fn config<'r>(root: &'r Root, about: &route::Feedback) -> Option<&'r Feedback> {
    rollout(root, about)?.feedback.as_ref()
}
