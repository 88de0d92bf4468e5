//! One request that is feedback: read, counted for the version that serves its conversation, and answered
//! here or passed on.
//!
//! To be answered by what its body says, it has to wait after its head. Where the bodies of requests that wait do not
//! come (see `intake.rs`), it is passed on, as if that were configured.

use super::host::{self, Action, Buffer};
use super::root::Root;
use crate::config::{Feedback, Rollout};
use crate::feedback::{Body, Problem};
use crate::observe::Micros;
use crate::route::{self, Decision};

/// What the access log shows as the response's details.
const DETAILS: &str = "llm_feedback";
const NO_CONVERSATION: &str = "the feedback names no conversation\n";

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
    /// It goes on, and its body has been read as far as any is.
    Passed,
    /// It has been answered.
    Answered,
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
            route::Feedback::On(_) if !root.waits.may_wait() => Action::Continue,
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
            State::Passed | State::Answered => return Action::Continue,
        };
        if waits {
            root.waits.has_come();
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
        self.state = State::Passed;
        match found {
            _ if !waits => Action::Continue,
            Ok(_) => self.answer(204, ""),
            Err(problem @ Problem::TooLong) => self.answer(413, problem.as_str()),
            Err(problem) => self.answer(400, problem.as_str()),
        }
    }

    /// Since when it waits for the first of its body.
    pub(super) fn waits_since(&self) -> Option<Micros> {
        if let State::Waiting(since) = self.state { Some(since) } else { None }
    }

    /// How much of its body has been read while it waits; 0 where it does not.
    pub(super) fn held_bytes(&self) -> usize {
        if let State::Held(read) = self.state { read } else { 0 }
    }

    /// It goes on, and its body is read as it passes.
    pub(super) fn give_up_waiting(&mut self) {
        self.state = State::Passing;
    }

    /// Whether it has been answered.
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

    fn answer(&mut self, status: u32, text: &str) -> Action {
        // If the host refuses to answer, the version's own answer is better than none.
        let is_answered = host::send_response(status, DETAILS, text);
        self.state = if is_answered { State::Answered } else { State::Passed };
        if is_answered { Action::Pause } else { Action::Continue }
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
