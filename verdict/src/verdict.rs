//! The verdict: what the evidence of all signals amounts to.

use crate::evidence::Figures;
use crate::health::{Health, State};
use crate::limits::Passed;
use crate::policy::Margin;
use crate::signal::{Direction, Harm, Kind, Mode, Signal};
use crate::window::Pair;
use crate::words::{count, percent, short};

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
            Finding::Worse | Finding::Unclear => true,
        },
        Mode::Hold => signal.finding == Finding::Worse,
        Mode::Watch => signal.signal == Signal::Errors && signal.finding == Finding::Absent,
    }
}

/// The reasons for a verdict, in words.
#[must_use]
pub fn because(
    verdict: Verdict,
    signals: &[SignalJudgement],
    health: &[Health],
    limit: Option<LimitPassed>,
) -> Vec<String> {
    let row = |wanted: State| {
        let rows = health.iter().filter(move |row| row.state == wanted);
        rows.map(|row| format!("{}: {}", row.row.name(), row.detail.as_deref().unwrap_or("not in order")))
    };
    match verdict {
        Verdict::Regression => {
            let limit = limit.map(|limit| limit_words(&limit.passed));
            let worse = signals.iter().filter(|signal| stops(signal)).map(comparison);
            limit.into_iter().chain(row(State::Stop)).chain(worse).collect()
        }
        Verdict::NotEnoughData => {
            let held = signals.iter().filter(|signal| holds(signal)).map(hold_words);
            row(State::Hold).chain(held).collect()
        }
        Verdict::Fine => {
            let guards = signals.iter().filter(|signal| signal.mode == Mode::Guard);
            guards.filter(|signal| signal.finding == Finding::NoWorse).map(exclusion).collect()
        }
    }
}

fn limit_words(passed: &Passed) -> String {
    match passed {
        Passed::Errors(counts) => format!(
            "errors: {} of {} in the last minute failed, against {} of the baseline's {}",
            percent(counts.version.rate()),
            count(counts.version.n),
            percent(counts.baseline.rate()),
            count(counts.baseline.n)
        ),
        Passed::Stall { waiting, for_ms } => format!(
            "stall: {} requests were sent to the version, and for {} s none of them ended, while the baseline's did",
            count(*waiting),
            count((for_ms / 1000).max(0).unsigned_abs())
        ),
    }
}

/// `refusals: 3.1 % of 1,204 against 0.98 % of 10,871; 3.2 times as many (1.6 to 5.9)`
fn comparison(signal: &SignalJudgement) -> String {
    let figures = &signal.figures;
    let value = |value: Option<f64>| match signal.kind {
        Kind::Rate => value.map_or("nothing".to_owned(), percent),
        Kind::Distribution => {
            value.map_or("nothing".to_owned(), |mean| format!("{} on average", short(mean)))
        }
    };
    let sides = format!(
        "{}: {} of {} against {} of {}",
        signal.signal,
        value(figures.values.version),
        count(figures.observations.version),
        value(figures.values.baseline),
        count(figures.observations.baseline)
    );
    let (low, high) = figures.interval;
    match figures.ratio {
        Some(ratio) => format!("{sides}; {} times ({} to {})", short(ratio), short(low), short(high)),
        None => sides,
    }
}

fn exclusion(signal: &SignalJudgement) -> String {
    let Margin { ratio, points } = signal.margin;
    let what = match (signal.kind, signal.harm) {
        (Kind::Distribution, Harm::Both) => format!("means {} times as large or as small", short(ratio)),
        (Kind::Distribution, Harm::Up) => format!("means {} times as large", short(ratio)),
        (Kind::Distribution, Harm::Down) => format!("means {} times as small", short(ratio)),
        (Kind::Rate, _) => format!(
            "a rate {} times as high, or {} points above, whichever is more,",
            short(ratio),
            short(points * 100.0)
        ),
    };
    let verb = if signal.kind == Kind::Rate { "is" } else { "are" };
    format!("{}: {what} {verb} excluded", signal.signal)
}

fn hold_words(signal: &SignalJudgement) -> String {
    if signal.finding == Finding::Worse {
        return comparison(signal);
    }
    if signal.finding == Finding::Absent {
        return format!("{}: not measured", signal.signal);
    }
    match signal.missing {
        Some(Missing { requests, minutes: Some(minutes) }) => {
            let time = if minutes.ceil() == 1.0 {
                "1 minute".to_owned()
            } else {
                format!("{} minutes", short(minutes.ceil()))
            };
            format!("{}: about {} more requests, {time}", signal.signal, count(requests))
        }
        Some(Missing { requests, minutes: None }) => {
            format!("{}: about {} more requests", signal.signal, count(requests))
        }
        None => format!("{}: too little seen to say how much is missing", signal.signal),
    }
}

#[cfg(test)]
mod tests;
