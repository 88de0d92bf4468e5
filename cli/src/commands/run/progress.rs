//! What a release waits for, in a line for people, now and then.
//!
//! In: the state, and what the last look found. Out: words, when it is time for them. It decides nothing.

use crate::controller::{FINISHING_MS, Hold, REQUESTS_MIN, Rules, State};
use crate::time_args::format_duration;
use llm_canary::split::percent;
use llm_canary_verdict::signal::Mode;
use llm_canary_verdict::verdict::{Finding, Judgement, Missing, SignalJudgement};
use llm_canary_verdict::words::count;
use std::time::Duration;

/// Where something else is missing than before, lines follow each other this fast at most.
const CHANGE: Duration = Duration::from_secs(10);
/// And where nothing else is, they come this often.
const REST: Duration = Duration::from_secs(60);
/// So many signals are named with what they need.
const NAMED_MAX: usize = 4;

/// What is waited for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Waits {
    /// What is missing, without numbers: a change of it is news.
    key: Vec<String>,
    words: String,
}

/// What was said last, and when.
#[derive(Debug, Default)]
pub(super) struct Progress {
    said: Option<(Duration, Vec<String>)>,
}

impl Progress {
    /// A transition was told of, with its reasons. What it is waited for in the new state needs no line at once.
    pub(super) fn told(&mut self, state: &State, now: Duration) {
        self.said = Some((now, vec![state.name().to_owned()]));
    }

    /// The words, if it is time for them. `now` is on a clock that does not jump.
    pub(super) fn due(&mut self, waits: Waits, now: Duration) -> Option<String> {
        let is_due = self
            .said
            .as_ref()
            .is_none_or(|(at, key)| now.saturating_sub(*at) >= if *key == waits.key { REST } else { CHANGE });
        is_due.then(|| {
            self.said = Some((now, waits.key));
            waits.words
        })
    }
}

/// What the release waits for, as a clause whose subject is the version; `None` where it waits for nothing.
pub(super) fn waits_for(
    rules: &Rules,
    state: &State,
    judgement: &Judgement,
    requests: u64,
    now_ms: i64,
) -> Option<Waits> {
    let left = |since_ms: i64, for_ms: u64| {
        let passed = now_ms.saturating_sub(since_ms).max(0).unsigned_abs();
        for_ms.checked_sub(passed).filter(|left| *left > 0)
    };
    let one = |words: String| Some(Waits { key: vec![state.name().to_owned()], words });
    match state {
        State::Starting(place) => {
            let after_ms = rules.plan.step(0).map_or(0, |step| step.after_ms);
            let left_ms = left(place.since_ms, after_ms)?;
            one(format!("waits for its first step, which comes in {}", duration(left_ms)))
        }
        State::Ramping(place) | State::Held(place, Hold::Timeout) => {
            let step = place.step?;
            let mut waits = evidence(judgement);
            let few = REQUESTS_MIN.saturating_sub(requests);
            if few > 0 {
                let plural = if few == 1 { "" } else { "s" };
                waits.push(("requests".to_owned(), format!("{few} more request{plural} in this step")));
            }
            if let Some(left_ms) = left(place.since_ms, rules.plan.least_ms(step)) {
                waits.push(("time".to_owned(), format!("the step's time, {} more", duration(left_ms))));
            }
            if waits.is_empty() {
                return None;
            }
            let next = rules.plan.step(step.saturating_add(1));
            let next =
                next.map_or("the end of the plan".to_owned(), |next| format!("{} %", percent(next.parts)));
            let (key, words): (Vec<String>, Vec<String>) = waits.into_iter().unzip();
            Some(Waits {
                key,
                words: format!("is not ready for {next}, and waits for {}", words.join("; and for ")),
            })
        }
        State::Held(_, Hold::Missing(why) | Hold::Health(why) | Hold::Unwritten(why)) => {
            one(format!("is held until this is over: {why}"))
        }
        State::Waiting(place) if place.is_approved => None,
        State::Waiting(_) => one("waits for an approval: llm-canary approve".to_owned()),
        State::Full(_) => one("waits until all Envoys are known to run it".to_owned()),
        State::Finishing(_, since_ms) => {
            let left_ms = left(*since_ms, FINISHING_MS.unsigned_abs())?;
            one(format!("is in order so far; the plan is finished in {}", duration(left_ms)))
        }
        State::Stopped(..) => one("is stopped; waits until all Envoys are known to run that".to_owned()),
        State::Stepping { .. } | State::Stopping { .. } | State::Ended(_) => None,
    }
}

/// The evidence that is missing: by name, the names of the signals that miss it; in words, how much.
fn evidence(judgement: &Judgement) -> Vec<(String, String)> {
    let is_open =
        |signal: &&SignalJudgement| signal.mode == Mode::Guard && signal.finding == Finding::Unclear;
    let mut open: Vec<&SignalJudgement> = judgement.signals.iter().filter(is_open).collect();
    if judgement.windows == 0 {
        return vec![("windows".to_owned(), "a first window to judge".to_owned())];
    }
    if judgement.windows == judgement.left_out_windows {
        let words = "the answers that began before this step to end; windows until then are left out";
        return vec![("windows".to_owned(), words.to_owned())];
    }
    if open.is_empty() {
        return Vec::new();
    }
    let requests = |signal: &SignalJudgement| signal.missing.map_or(u64::MAX, |missing| missing.requests);
    let names: Vec<String> = open.iter().map(|signal| signal.signal.to_string()).collect();
    open.sort_by_key(|signal| std::cmp::Reverse(requests(signal)));
    let words: Vec<String> = open
        .iter()
        .take(NAMED_MAX)
        .map(|signal| format!("{} ({})", signal.signal, more(signal.missing)))
        .collect();
    let rest = open.len().saturating_sub(NAMED_MAX);
    let rest = if rest > 0 { format!(" and {rest} more signals") } else { String::new() };
    vec![(names.join(" "), format!("evidence that it is no worse in {}{rest}", words.join(", ")))]
}

/// `about 230 more requests, 2 min 5 s at the present rate`
fn more(missing: Option<Missing>) -> String {
    let Some(Missing { requests, minutes }) = missing else {
        return "too little seen to say how much".to_owned();
    };
    let requests = format!("about {} more requests", count(requests));
    match minutes.filter(|minutes| minutes.is_finite()) {
        Some(minutes) => format!("{requests}, {} at the present rate", duration((minutes * 60e3) as u64)),
        None => requests,
    }
}

/// In full seconds, at least one.
fn duration(ms: u64) -> String {
    format_duration(ms.div_ceil(1_000).max(1).saturating_mul(1_000))
}

#[cfg(test)]
mod tests;
