//! Why a release is in a state, in words. Each is a clause without the release's name.

use super::{Cause, End, Evidence, Hold, REQUESTS_MIN, Running, Signal, State};
use crate::time_args::format_duration;

pub(super) const FIRST: &str = "the source answers, and the version has no share yet";
pub(super) const FIRST_LATER: &str = "the first step comes later, as the plan says";
pub(super) const FIRST_WAITS: &str = "the plan begins with a wait: somebody must approve the first step";
pub(super) const APPROVED: &str = "approved; the next step follows the next look, if that is still in order";
pub(super) const STOP_WRITTEN: &str = "the stop is written; Envoys follow it at once";
pub(super) const LAG_UNKNOWN: &str =
    "the stop is written and stays; the source did not tell in time which Envoys run it";

pub(super) fn signal(signal: Signal) -> &'static str {
    match signal {
        Signal::Interrupt => "interrupted (SIGINT); the share stays as it is",
        Signal::Terminate => "asked to end (SIGTERM); the share stays as it is",
    }
}

/// What the look says, and that the step has lasted too long.
pub(super) fn too_long(timeout_ms: i64, evidence: &Evidence) -> Vec<String> {
    let timeout = format_duration(timeout_ms.max(0).unsigned_abs());
    let first = format!("the step has lasted longer than {timeout} (--timeout)");
    [first].into_iter().chain(evidence.because.iter().cloned()).collect()
}

/// What is not known yet.
pub(super) fn open(evidence: &Evidence) -> Vec<String> {
    let few = (evidence.requests < REQUESTS_MIN).then(|| {
        format!(
            "{} requests of the version have ended in this step; at least {REQUESTS_MIN} are needed",
            evidence.requests
        )
    });
    few.into_iter().chain(evidence.because.iter().cloned()).collect()
}

pub(super) fn waiting(evidence: &Evidence, is_proven: bool) -> Vec<String> {
    let first = "the plan waits here: somebody must approve what comes next".to_owned();
    [first].into_iter().chain(goes_on(evidence, is_proven, false)).collect()
}

/// What leads to the next step.
pub(super) fn goes_on(evidence: &Evidence, is_proven: bool, is_approved: bool) -> Vec<String> {
    let by = if is_proven {
        format!("fine, with {} requests of the version in this step", evidence.requests)
    } else {
        format!(
            "by time alone: nothing is worse among {} requests of the version in this step, and it is not proven fine",
            evidence.requests
        )
    };
    let approved = is_approved.then(|| "approved".to_owned());
    [by].into_iter().chain(approved).chain(evidence.because.iter().cloned()).collect()
}

pub(super) fn everywhere(evidence: &Evidence) -> Vec<String> {
    let envoys = evidence.running.as_ref().map_or(0, |running| running.envoys);
    vec![if envoys == 1 { "the Envoy runs it".to_owned() } else { format!("all {envoys} Envoys run it") }]
}

pub(super) fn not_everywhere(evidence: &Evidence) -> Vec<String> {
    vec![match &evidence.running {
        Some(Running { envoys, behind }) if *envoys > 0 => {
            format!("{} of {envoys} Envoys do not run it yet: {}", behind.len(), behind.join(", "))
        }
        _ => "the source does not tell which Envoys run it".to_owned(),
    }]
}

pub(super) fn stop_unwritten(words: &str) -> Vec<String> {
    vec![
        format!("THE STOP IS NOT WRITTEN: {words}"),
        "it is tried again every second until it is written; the version is served meanwhile".to_owned(),
    ]
}

pub(super) fn stop_lost(words: &str) -> Vec<String> {
    vec![format!("THE STOP IS NOT WRITTEN, and the command ends as it was asked: {words}")]
}

pub(super) fn nothing_to_approve(state: &State) -> String {
    match state {
        State::Waiting(_) => "what comes next is approved already".to_owned(),
        State::Held(_, hold) => {
            format!("nothing waits for an approval; the release is held ({})", hold.name())
        }
        _ => format!("nothing waits for an approval; the release is in the state {}", state.name()),
    }
}

impl State {
    /// What this state means, in a clause whose subject is the version; `None` for a state that people need not know.
    pub(crate) fn describe(&self, percent: &str) -> String {
        match self {
            Self::Starting(_) => "has no share yet".to_owned(),
            Self::Stepping { .. } => "is about to get its next share".to_owned(),
            Self::Ramping(_) => format!("gets {percent} %"),
            Self::Held(_, Hold::Unwritten(_)) => {
                format!("is held at {percent} %, because the next step cannot be written")
            }
            Self::Held(..) => format!("is held at {percent} %"),
            Self::Waiting(_) => format!("waits for an approval at {percent} %"),
            Self::Full(_) => "gets 100 %".to_owned(),
            Self::Finishing(..) => {
                "gets 100 % on all Envoys; the plan is finished in 2 minutes if nothing is found".to_owned()
            }
            Self::Stopping { cause: Cause::Regression, .. } => "is worse and is being stopped".to_owned(),
            Self::Stopping { cause: Cause::Timeout, .. } => {
                "is being stopped, because a step lasted too long".to_owned()
            }
            Self::Stopped(..) | Self::Ended(End::Stopped) => "is stopped".to_owned(),
            Self::Ended(End::Finished) => format!("has {percent} %; the plan is finished"),
            Self::Ended(End::OtherHand) => "was changed by somebody else; nothing more is done".to_owned(),
            Self::Ended(End::Interrupted(_)) => format!("stays at {percent} %; nothing more is done"),
        }
    }
}
