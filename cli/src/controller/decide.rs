//! The transitions.

use super::words;
use super::{
    Action, Advance, Cause, End, Event, Evidence, FINISHING_MS, Hold, OnTimeout, Outcome, Place,
    REQUESTS_MIN, Rules, State,
};
use llm_canary_verdict::verdict::Verdict;

/// What a look leads to, where nothing stops the version.
enum Next {
    Stay(State, Vec<String>),
    Step(usize, Vec<String>),
}

impl Rules {
    /// What follows from an event.
    pub(crate) fn next(&self, state: &State, event: &Event, now_ms: i64) -> Outcome {
        match (state, event) {
            (State::Ended(_), Event::Approved) => refuse(state),
            (State::Ended(_), _) => same(state),
            (State::Stopping { .. }, _) => stopping(state, event),
            (State::Stopped(cause, since_ms), _) => self.stopped(*cause, *since_ms, event, now_ms),
            (_, Event::OtherHand(difference)) => {
                announce(State::Ended(End::OtherHand), vec![difference.clone()])
            }
            (_, Event::Interrupted(signal)) => {
                announce(State::Ended(End::Interrupted(*signal)), vec![words::signal(*signal).to_owned()])
            }
            (_, Event::Look(evidence)) if evidence.verdict == Verdict::Regression => {
                stop(Cause::Regression, evidence.because.clone())
            }
            (State::Stepping { .. }, _) => self.stepping(state, event),
            (State::Waiting(place), Event::Approved) if !place.is_approved => {
                let approved = Place { is_approved: true, ..*place };
                announce(State::Waiting(approved), vec![words::APPROVED.to_owned()])
            }
            (_, Event::Approved) => refuse(state),
            (_, Event::Look(evidence)) => self.look(state, evidence, now_ms),
            // Without a look nothing goes on.
            (_, Event::Tick | Event::Written { .. } | Event::Unwritten(_)) => same(state),
        }
    }

    /// A step is being written. A regression was seen before this.
    fn stepping(&self, state: &State, event: &Event) -> Outcome {
        let State::Stepping { from, to, why, is_retry } = state else { return same(state) };
        match event {
            Event::Written { at_ms } => {
                let place = Place { step: Some(*to), since_ms: *at_ms, is_approved: false };
                announce(self.on_step(place), why.clone())
            }
            Event::Unwritten(words) => {
                let held = State::Held(*from, Hold::Unwritten(words.clone()));
                if *is_retry { same(&held) } else { announce(held, vec![words.clone()]) }
            }
            Event::Approved => refuse(state),
            Event::Look(_) | Event::Tick | Event::OtherHand(_) | Event::Interrupted(_) => same(state),
        }
    }

    /// A look that does not show a regression.
    fn look(&self, state: &State, evidence: &Evidence, now_ms: i64) -> Outcome {
        let Some(place) = state.place() else { return same(state) };
        let is_late = place.step.is_some() && age(place, now_ms) > self.timeout_ms;
        if is_late && self.on_timeout == OnTimeout::Stop {
            return stop(Cause::Timeout, words::too_long(self.timeout_ms, evidence));
        }
        match self.after_look(state, place, evidence, is_late, now_ms) {
            Next::Stay(next, _) if is_same(state, &next) => Outcome { state: next, actions: Vec::new() },
            Next::Stay(next, why) => announce(next, why),
            Next::Step(to, why) => {
                let is_retry = matches!(state, State::Held(_, Hold::Unwritten(_)));
                let state = State::Stepping { from: place, to, why, is_retry };
                Outcome { state, actions: vec![Action::Write(to)] }
            }
        }
    }

    fn after_look(&self, state: &State, at: Place, evidence: &Evidence, is_late: bool, now_ms: i64) -> Next {
        let held = |hold, words: &String| Next::Stay(State::Held(at, hold), vec![words.clone()]);
        if let Some(words) = &evidence.missing {
            return held(Hold::Missing(words.clone()), words);
        }
        if let Some(words) = &evidence.hold {
            return held(Hold::Health(words.clone()), words);
        }
        let Some(step) = at.step else { return self.first(at, now_ms) };
        if self.plan.is_full(step) {
            return self.full(state, at, evidence, is_late, now_ms);
        }
        let is_proven = evidence.verdict == Verdict::Fine;
        let goes_by_time = self.advance == Advance::Time || is_late && self.on_timeout == OnTimeout::Advance;
        let has_lasted = age(at, now_ms) >= millis(self.plan.least_ms(step));
        let has_requests = evidence.requests >= REQUESTS_MIN;
        if !(has_lasted && has_requests && (is_proven || goes_by_time)) {
            return if is_late && self.on_timeout == OnTimeout::Hold {
                Next::Stay(State::Held(at, Hold::Timeout), words::too_long(self.timeout_ms, evidence))
            } else {
                Next::Stay(State::Ramping(at), words::open(evidence))
            };
        }
        if self.plan.waits_after(step) && !at.is_approved {
            return Next::Stay(State::Waiting(at), words::waiting(evidence, is_proven));
        }
        let why = words::goes_on(evidence, is_proven, at.is_approved);
        match self.plan.step(step.saturating_add(1)) {
            Some(_) => Next::Step(step.saturating_add(1), why),
            None => Next::Stay(State::Ended(End::Finished), why),
        }
    }

    /// Before the first step there is nothing to judge, but the source must speak.
    fn first(&self, at: Place, now_ms: i64) -> Next {
        match self.plan.step(0) {
            Some(first) if age(at, now_ms) < millis(first.after_ms) => {
                Next::Stay(State::Starting(at), vec![words::FIRST_LATER.to_owned()])
            }
            Some(first) if first.waits && !at.is_approved => {
                Next::Stay(State::Waiting(at), vec![words::FIRST_WAITS.to_owned()])
            }
            _ => Next::Step(0, vec![words::FIRST.to_owned()]),
        }
    }

    /// At 100 % nobody is left to compare with. Limits and health still speak.
    fn full(&self, state: &State, at: Place, evidence: &Evidence, is_late: bool, now_ms: i64) -> Next {
        let is_all = evidence.running.as_ref().is_some_and(super::Running::is_all);
        let since_ms = match state {
            State::Finishing(_, since_ms) => *since_ms,
            // What has been approved has been all right for long enough.
            State::Waiting(_) => now_ms.saturating_sub(FINISHING_MS),
            _ => now_ms,
        };
        if !is_all {
            return if is_late && self.on_timeout == OnTimeout::Hold {
                Next::Stay(State::Held(at, Hold::Timeout), words::not_everywhere(evidence))
            } else {
                Next::Stay(State::Full(at), words::not_everywhere(evidence))
            };
        }
        if now_ms.saturating_sub(since_ms) < FINISHING_MS {
            return Next::Stay(State::Finishing(at, since_ms), words::everywhere(evidence));
        }
        match at.step.is_some_and(|step| self.plan.waits_after(step)) && !at.is_approved {
            true => Next::Stay(State::Waiting(at), words::everywhere(evidence)),
            false => Next::Stay(State::Ended(End::Finished), words::everywhere(evidence)),
        }
    }

    /// The stop is written. Who lags is said, and does not change that.
    fn stopped(&self, cause: Cause, since_ms: i64, event: &Event, now_ms: i64) -> Outcome {
        let state = State::Stopped(cause, since_ms);
        let passed_ms = now_ms.saturating_sub(since_ms);
        let is_over = passed_ms >= self.lag_ms;
        // Only a look can say who lags, so it is waited for a little longer.
        let is_silent = passed_ms >= self.lag_ms.saturating_add(self.lag_ms / 2);
        let ended = |why| announce(State::Ended(End::Stopped), why);
        match event {
            Event::Look(evidence) => match &evidence.running {
                Some(running) if running.is_all() => ended(words::everywhere(evidence)),
                _ if is_over => ended(words::not_everywhere(evidence)),
                _ => same(&state),
            },
            Event::Tick if is_silent => ended(vec![words::LAG_UNKNOWN.to_owned()]),
            Event::Interrupted(signal) => ended(vec![words::signal(*signal).to_owned()]),
            Event::OtherHand(difference) => ended(vec![difference.clone()]),
            Event::Approved => refuse(&state),
            Event::Tick | Event::Written { .. } | Event::Unwritten(_) => same(&state),
        }
    }
}

/// The stop is not written yet, and nothing else matters.
fn stopping(state: &State, event: &Event) -> Outcome {
    let State::Stopping { cause, attempts, interrupted } = state else { return same(state) };
    match event {
        Event::Written { at_ms } => {
            let stopped = State::Stopped(*cause, *at_ms);
            announce(stopped, vec![words::STOP_WRITTEN.to_owned()])
        }
        Event::Unwritten(words) => match interrupted {
            Some(signal) => announce(State::Ended(End::Interrupted(*signal)), words::stop_lost(words)),
            None => {
                let attempts = attempts.saturating_add(1);
                let next = State::Stopping { cause: *cause, attempts, interrupted: None };
                let is_said = [1, 10, 100].contains(&attempts) || attempts.is_multiple_of(1_000);
                if is_said { announce(next, words::stop_unwritten(words)) } else { same(&next) }
            }
        },
        Event::Interrupted(signal) => {
            let next = State::Stopping { cause: *cause, attempts: *attempts, interrupted: Some(*signal) };
            Outcome { state: next, actions: vec![Action::Stop] }
        }
        Event::Look(_) | Event::Tick | Event::OtherHand(_) => {
            Outcome { state: state.clone(), actions: vec![Action::Stop] }
        }
        Event::Approved => refuse(state),
    }
}

fn stop(cause: Cause, why: Vec<String>) -> Outcome {
    let state = State::Stopping { cause, attempts: 0, interrupted: None };
    // The write comes before the words about it.
    Outcome { state, actions: vec![Action::Stop, Action::Announce(why)] }
}

fn announce(state: State, why: Vec<String>) -> Outcome {
    Outcome { state, actions: vec![Action::Announce(why)] }
}

fn refuse(state: &State) -> Outcome {
    Outcome { state: state.clone(), actions: vec![Action::Refuse(words::nothing_to_approve(state))] }
}

fn same(state: &State) -> Outcome {
    Outcome { state: state.clone(), actions: Vec::new() }
}

/// Whether two states are the same for people: the words of a hold may change with each look.
fn is_same(one: &State, other: &State) -> bool {
    match (one, other) {
        (State::Held(_, one), State::Held(_, other)) => one.name() == other.name(),
        _ => one.name() == other.name(),
    }
}

fn age(place: Place, now_ms: i64) -> i64 {
    now_ms.saturating_sub(place.since_ms)
}

fn millis(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
