//! The reasons for a verdict, in words.

use super::{Finding, LimitPassed, Missing, SignalJudgement, Verdict, holds, stops};
use crate::health::{Health, State};
use crate::limits::Passed;
use crate::policy::Margin;
use crate::signal::{Harm, Kind, Mode};
use crate::words::{count, percent, short};

/// What is true of a version that was stopped or drained before it was decided.
pub const NO_SHARE: &str = "the version has no share now, so that no more of its requests come";

/// The reasons for a verdict, the most important first: what is worse, or what holds, or what is excluded.
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
            let worse =
                signals.iter().filter(|signal| stops(signal)).map(|signal| (signal, comparison(signal)));
            limit.into_iter().chain(row(State::Stop)).chain(by_words(worse)).collect()
        }
        Verdict::NotEnoughData => {
            let held =
                signals.iter().filter(|signal| holds(signal)).map(|signal| (signal, hold_words(signal)));
            row(State::Hold).chain(by_words(held)).collect()
        }
        Verdict::Fine => {
            let guards = signals.iter().filter(|signal| signal.mode == Mode::Guard);
            let excluded = guards.filter(|signal| signal.finding == Finding::NoWorse);
            by_words(excluded.map(|signal| (signal, exclusion(signal)))).collect()
        }
    }
}

/// `errors, refusals: …`: signals of which the same is said share a sentence, where the first of them stands.
fn by_words<'a>(said: impl Iterator<Item = (&'a SignalJudgement, String)>) -> impl Iterator<Item = String> {
    let mut groups: Vec<(Vec<String>, String)> = Vec::new();
    for (signal, words) in said {
        match groups.iter_mut().find(|(_, known)| *known == words) {
            Some((names, _)) => names.push(signal.signal.to_string()),
            None => groups.push((vec![signal.signal.to_string()], words)),
        }
    }
    groups.into_iter().map(|(names, words)| format!("{}: {words}", names.join(", ")))
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

/// `3.1 % of 1,204 against 0.98 % of 10,871; 3.2 times (1.6 to 5.9)`
fn comparison(signal: &SignalJudgement) -> String {
    if let Some(told) = &signal.told {
        return told.words.clone();
    }
    let figures = &signal.figures;
    let value = |value: Option<f64>| match signal.kind {
        Kind::Rate => value.map_or("nothing".to_owned(), percent),
        Kind::Distribution => {
            value.map_or("nothing".to_owned(), |mean| format!("{} on average", short(mean)))
        }
    };
    let sides = format!(
        "{} of {} against {} of {}",
        value(figures.values.version),
        count(figures.observations.version),
        value(figures.values.baseline),
        count(figures.observations.baseline)
    );
    let interval = match figures.interval {
        // Too little was seen to leave any ratio out.
        (low, high) if low <= 0.0 && high.is_infinite() => String::new(),
        (low, high) => format!(" ({} to {})", short(low), short(high)),
    };
    match figures.ratio {
        Some(ratio) => format!("{sides}; {} times{interval}", short(ratio)),
        None => sides,
    }
}

fn exclusion(signal: &SignalJudgement) -> String {
    if let Some(told) = &signal.told {
        return told.words.clone();
    }
    let Margin { ratio, points } = signal.margin;
    let what = match (signal.kind, signal.harm) {
        (Kind::Distribution, Harm::Both) => format!("means {} times as large or as small", short(ratio)),
        (Kind::Distribution, Harm::Up) => format!("means {} times as large", short(ratio)),
        (Kind::Distribution, Harm::Down) => format!("means {} times as small", short(ratio)),
        (Kind::Rate, _) => format!(
            "a rate {} times as high, or {} above, whichever is more,",
            short(ratio),
            counted(points * 100.0, "point")
        ),
    };
    let verb = if signal.kind == Kind::Rate { "is" } else { "are" };
    format!("{what} {verb} excluded")
}

fn hold_words(signal: &SignalJudgement) -> String {
    if let Some(told) = &signal.told {
        return told.words.clone();
    }
    if signal.finding == Finding::Worse {
        return comparison(signal);
    }
    if signal.finding == Finding::Absent {
        return "not measured".to_owned();
    }
    match signal.missing {
        Some(Missing { requests, minutes: Some(minutes) }) => {
            let time = counted(minutes.ceil(), "minute");
            format!("about {} more requests, {time}", count(requests))
        }
        Some(Missing { requests, minutes: None }) => {
            format!("about {} more requests", count(requests))
        }
        None => "too little seen to say how much is missing".to_owned(),
    }
}

/// `1 minute`, `41 minutes`
fn counted(number: f64, unit: &str) -> String {
    format!("{} {unit}{}", short(number), if number == 1.0 { "" } else { "s" })
}
