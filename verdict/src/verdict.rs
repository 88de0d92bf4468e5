//! The verdict: what the evidence of all signals amounts to.

mod reasons;

pub use reasons::{NO_SHARE, because};

use crate::evidence::Figures;
use crate::health::{Health, State};
use crate::limits::Passed;
use crate::policy::Margin;
use crate::signal::{Direction, Harm, Kind, Mode, Signal};
use crate::window::Pair;

/// What is to be done with a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Harm beyond each guard's margin is excluded, and nothing holds.
    Fine,
    /// Neither.
    NotEnoughData,
    /// The version is worse, or not in order.
    Regression,
}

impl Verdict {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::NotEnoughData => "not_enough_data",
            Self::Regression => "regression",
        }
    }

    /// The exit code of a command that ends with it.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Regression => 1,
            Self::NotEnoughData => 3,
        }
    }
}

/// What is known of one signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Worse by more than is tolerated.
    Worse,
    /// Harm beyond the margin is excluded.
    NoWorse,
    /// Neither.
    Unclear,
    /// It has no series, or no observation on both sides.
    Absent,
}

impl Finding {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::NoWorse => "no_worse",
            Self::Unclear => "unclear",
            Self::Absent => "absent",
        }
    }
}

/// How much more it takes to know.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Missing {
    /// Requests of the version.
    pub requests: u64,
    /// Minutes at the present rate; `None` without traffic.
    pub minutes: Option<f64>,
}

/// A guard has found harm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alarm {
    /// The end of the window after which it was found, in Unix milliseconds.
    pub at_ms: i64,
    /// `ln E` then.
    pub ln_e: f64,
    /// Which way the version differed.
    pub direction: Direction,
}

/// What is said of a signal that is judged elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The finding in words.
    pub words: String,
    /// Whether it keeps the version from being fine while it is unclear.
    pub holds: bool,
}

/// One signal at a look.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalJudgement {
    /// Which.
    pub signal: Signal,
    /// What follows from harm.
    pub mode: Mode,
    /// What its observations are.
    pub kind: Kind,
    /// Which change is harm.
    pub harm: Harm,
    /// What is known of it.
    pub finding: Finding,
    /// The direction in which it is worse.
    pub direction: Option<Direction>,
    /// Rates or means, their ratio, its interval.
    pub figures: Figures,
    /// The margin at the share in force.
    pub margin: Margin,
    /// The design effect that evidence was divided by.
    pub design_effect: f64,
    /// `ln E` of harm now, and what is needed.
    pub ln_e: f64,
    /// See there.
    pub ln_threshold: f64,
    /// `ln E` that harm beyond the margin is excluded, and what is needed.
    pub ln_no_worse: f64,
    /// See there.
    pub ln_threshold_no_worse: f64,
    /// A guard's first alarm. It stays, whatever comes after.
    pub alarm: Option<Alarm>,
    /// The first look at which harm beyond the margin was excluded.
    pub no_worse_at_ms: Option<i64>,
    /// What is missing until it is excluded; `None` if nothing, or if that cannot be said.
    pub missing: Option<Missing>,
    /// The smallest harm that would have been found by now, nine times in ten, as a ratio.
    pub detectable_ratio: Option<f64>,
    /// Of a signal that is judged elsewhere.
    pub told: Option<Told>,
}

/// A hard limit that was passed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LimitPassed {
    /// At the first look at which it was, in Unix milliseconds.
    pub at_ms: i64,
    /// Which, and how.
    pub passed: Passed,
}

/// The shares of a version.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shares {
    /// Of all requests, if that is known.
    pub configured: Option<f64>,
    /// Of its own and the baseline's decisions since the last step.
    pub observed: Option<f64>,
    /// `ln E` that they differ.
    pub ln_e: Option<f64>,
}

/// The verdict of a version at a look.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// What is to be done.
    pub verdict: Verdict,
    /// The beginning of the first window and the end of the last, in Unix milliseconds.
    pub since_ms: i64,
    /// See there.
    pub until_ms: i64,
    /// How many windows there are, and in how many samples are missing.
    pub windows: u64,
    /// See there.
    pub missing_windows: u64,
    /// How many of them are left out of the comparison.
    pub left_out_windows: u64,
    /// Requests that ended.
    pub requests: Pair<u64>,
    /// The version's share.
    pub shares: Shares,
    /// All signals, the absent ones too.
    pub signals: Vec<SignalJudgement>,
    /// All rows about health.
    pub health: Vec<Health>,
    /// The limit that was passed.
    pub limit: Option<LimitPassed>,
    /// What is missing until `fine`, at the signal that needs the most.
    pub missing: Option<Missing>,
    /// Why, the most important first; with a `regression`, what is worse, else what holds.
    pub because: Vec<String>,
}

/// Decides. A stop is a stop, whatever else is missing; `fine` needs everything.
#[must_use]
pub fn verdict_of(signals: &[SignalJudgement], health: &[Health], limit: Option<LimitPassed>) -> Verdict {
    let is_stopped = signals.iter().any(stops) || health.iter().any(|row| row.state == State::Stop);
    let is_held = signals.iter().any(holds) || health.iter().any(|row| row.state == State::Hold);
    if is_stopped || limit.is_some() {
        Verdict::Regression
    } else if is_held {
        Verdict::NotEnoughData
    } else {
        Verdict::Fine
    }
}

/// Whether a signal stops the version.
fn stops(signal: &SignalJudgement) -> bool {
    signal.mode == Mode::Guard && signal.finding == Finding::Worse
}

/// Whether a signal keeps the version from being fine. An absent guard does not; without errors nothing is known.
fn holds(signal: &SignalJudgement) -> bool {
    match signal.mode {
        Mode::Guard => match signal.finding {
            Finding::NoWorse => false,
            Finding::Absent => signal.signal == Signal::Errors,
            Finding::Unclear => signal.told.as_ref().is_none_or(|told| told.holds),
            Finding::Worse => true,
        },
        Mode::Hold => signal.finding == Finding::Worse,
        Mode::Watch => signal.signal == Signal::Errors && signal.finding == Finding::Absent,
    }
}

#[cfg(test)]
mod tests;
