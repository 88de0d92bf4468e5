//! What is done with a release: (state, event, now) → (state, actions).
//!
//! It is pure: it reads no clock, no file and no source. [`crate::commands`] looks at the world, hands in what happened as an
//! [`Event`], and carries the [`Action`]s out. Times are milliseconds of one clock that never jumps.
//!
//! ```text
//! starting ─┐             ┌─ waiting ─┐
//!           ├─ stepping ─ ramping … stepping ─ at_100 ─ finishing ─ ended
//!           └─ held ──────┘
//! from each of them: stopping ─ stopped ─ ended
//! ```
//!
//! Three rules hold in every state. A regression stops the version, whatever else is the case. Nothing goes on where data is
//! missing. And a stop that cannot be written is tried again until it is.

mod decide;
mod words;

use crate::release_plan::Plan;
use llm_canary_verdict::verdict::Verdict;

/// A step lasts until so many requests of the version have ended in it.
pub(crate) const REQUESTS_MIN: u64 = 20;
/// The plan is finished so long after all Envoys run 100 %: 2 minutes.
pub(crate) const FINISHING_MS: i64 = 120_000;

/// What the operator asked for.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) plan: Plan,
    pub(crate) advance: Advance,
    /// A step lasts at most so long, in milliseconds, before [`Rules::on_timeout`].
    pub(crate) timeout_ms: i64,
    pub(crate) on_timeout: OnTimeout,
    /// So long after a stop was written it is waited for Envoys that do not run it yet, in milliseconds.
    pub(crate) lag_ms: i64,
}

/// What leads to the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advance {
    /// The verdict `fine`, the step's time and enough requests.
    Fine,
    /// The step's time and enough requests, if nothing is worse.
    Time,
}

/// What becomes of a step that lasts too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnTimeout {
    /// The share stays, and the release goes on as soon as it may.
    Hold,
    /// The version is stopped.
    Stop,
    /// The next step, if nothing is worse.
    Advance,
}

/// Where a release is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The step of the plan; `None` before the first.
    pub(crate) step: Option<usize>,
    /// When it began.
    pub(crate) since_ms: i64,
    /// Whether somebody has approved what comes next.
    pub(crate) is_approved: bool,
}

/// What keeps a release where it is, though time passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// The source is silent, samples are missing or old, or FILE cannot be read.
    Missing(String),
    /// A row about health holds, or a signal with the mode `hold` is worse.
    Health(String),
    /// The next step cannot be written.
    Unwritten(String),
    /// The step has lasted longer than it may.
    Timeout,
}

/// Why a version is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Regression,
    Timeout,
}

/// A signal of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Interrupt,
    Terminate,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The plan is finished.
    Finished,
    /// The version is stopped.
    Stopped,
    /// Somebody else has changed the release.
    OtherHand,
    /// The share is as it was.
    Interrupted(Signal),
}

/// The state of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The version has no share yet.
    Starting(Place),
    /// The next step is being written. `why` is what led to it; `is_retry`: it could not be written before.
    Stepping {
        from: Place,
        to: usize,
        why: Vec<String>,
        is_retry: bool,
    },
    /// Evidence is gathered on a step.
    Ramping(Place),
    /// Something keeps it where it is.
    Held(Place, Hold),
    /// All is well, and somebody must approve.
    Waiting(Place),
    /// 100 % is written; not all Envoys run it yet, as far as is known.
    Full(Place),
    /// All Envoys have run 100 % since then.
    Finishing(Place, i64),
    /// The stop is being written, and tried again until it is. After a signal one attempt more is made.
    Stopping {
        cause: Cause,
        attempts: u32,
        interrupted: Option<Signal>,
    },
    /// The stop was written then; not all Envoys run it yet, as far as is known.
    Stopped(Cause, i64),
    Ended(End),
}

/// What a look showed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Evidence {
    pub(crate) verdict: Verdict,
    /// Why, or what is missing until `fine`.
    pub(crate) because: Vec<String>,
    /// Requests of the version that ended since the step began.
    pub(crate) requests: u64,
    /// What is missing: a sentence about the source, its samples or FILE.
    pub(crate) missing: Option<String>,
    /// What holds the release though nothing is missing: a sentence.
    pub(crate) hold: Option<String>,
    /// Which Envoys run what is written; `None` if the source does not tell.
    pub(crate) running: Option<Running>,
}

/// Which Envoys run what is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Running {
    /// How many there are.
    pub(crate) envoys: usize,
    /// Those that do not run it.
    pub(crate) behind: Vec<String>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    /// New windows came, or the source did not answer.
    Look(Evidence),
    /// Time has passed.
    Tick,
    /// The write that was asked for is done; what it wrote holds from then on.
    Written { at_ms: i64 },
    /// It is not, and why.
    Unwritten(String),
    /// Somebody approved what comes next.
    Approved,
    /// Somebody else has changed the release, and how.
    OtherHand(String),
    /// The system asks to end.
    Interrupted(Signal),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Write the share of this step.
    Write(usize),
    /// Stop the version.
    Stop,
    /// Say, notify and record that the release is in a new state, and why.
    Announce(Vec<String>),
    /// Answer that nothing is approved, and why.
    Refuse(String),
}

/// A state, and what is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) state: State,
    pub(crate) actions: Vec<Action>,
}

impl Rules {
    /// The state in which a release is found: the version is at this share since then.
    ///
    /// # Errors
    /// The share is no step of the plan.
    pub(crate) fn found(&self, parts: u32, since_ms: i64) -> Result<State, u32> {
        let place = |step| Place { step, since_ms, is_approved: false };
        if parts == 0 {
            return Ok(State::Starting(place(None)));
        }
        let step = self.plan.position(parts).ok_or(parts)?;
        Ok(self.on_step(place(Some(step))))
    }

    /// The state right after a step was written.
    fn on_step(&self, place: Place) -> State {
        let is_full = place.step.is_some_and(|step| self.plan.is_full(step));
        if is_full { State::Full(place) } else { State::Ramping(place) }
    }
}

impl State {
    /// Its name, for machines.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Starting(_) => "starting",
            Self::Stepping { .. } => "stepping",
            Self::Ramping(_) => "ramping",
            Self::Held(..) => "held",
            Self::Waiting(_) => "waiting",
            Self::Full(_) => "at_100",
            Self::Finishing(..) => "finishing",
            Self::Stopping { .. } => "stopping",
            Self::Stopped(..) => "stopped",
            Self::Ended(_) => "ended",
        }
    }

    /// Where the release is, unless it is being stopped or over.
    pub(crate) fn place(&self) -> Option<Place> {
        match self {
            Self::Starting(place)
            | Self::Ramping(place)
            | Self::Held(place, _)
            | Self::Waiting(place)
            | Self::Full(place)
            | Self::Finishing(place, _)
            | Self::Stepping { from: place, .. } => Some(*place),
            Self::Stopping { .. } | Self::Stopped(..) | Self::Ended(_) => None,
        }
    }

    /// The exit code, once it is over.
    pub(crate) fn exit_code(&self) -> Option<u8> {
        let Self::Ended(end) = self else { return None };
        Some(match end {
            End::Finished => 0,
            End::Stopped => 1,
            End::OtherHand => 2,
            End::Interrupted(Signal::Interrupt) => 130,
            End::Interrupted(Signal::Terminate) => 143,
        })
    }
}

impl Hold {
    /// Its name, for machines.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Missing(_) => "missing",
            Self::Health(_) => "health",
            Self::Unwritten(_) => "unwritten",
            Self::Timeout => "timeout",
        }
    }
}

impl Running {
    /// Whether there are Envoys, and all run it.
    pub(crate) fn is_all(&self) -> bool {
        self.envoys > 0 && self.behind.is_empty()
    }
}

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
