//! The verdict in a line: the word for it, and what holds it.

use super::INDENT;
use crate::analysis::{Ab, Analysis};
use crate::table::{Canvas, NONE, Tone};
use crate::time_args::format_duration;
use llm_canary_verdict::difference::Conclusion;
use llm_canary_verdict::health::State;
use llm_canary_verdict::policy::Margin;
use llm_canary_verdict::signal::{Kind, Mode, Signal};
use llm_canary_verdict::verdict::{Finding, Judgement, Missing, NO_SHARE, SignalJudgement, Verdict};
use llm_canary_verdict::words::{count, percent, short};

/// The verdict, and what holds it.
pub(crate) fn headline(analysis: &Analysis, canvas: &Canvas) -> String {
    let name = format!("{} {} against {}", analysis.rollout, analysis.version, analysis.baseline);
    let (word, tone, why) = match &analysis.ab {
        Some(ab) => conclusion(analysis, ab),
        None => verdict(&analysis.judgement),
    };
    let line = canvas.wrap(&format!("{word}: {name}: {why}"), INDENT);
    // Painted after it was wrapped: colours have no width.
    line.strip_prefix(word.as_str()).map_or(line.clone(), |rest| canvas.paint(&word, tone) + rest)
}

/// The verdict in words, its tone, and why.
pub(crate) fn verdict(judgement: &Judgement) -> (String, Tone, String) {
    match judgement.verdict {
        Verdict::Regression => ("regression".to_owned(), Tone::Bad, what_stops(judgement)),
        Verdict::NotEnoughData => ("not enough data".to_owned(), Tone::Open, what_holds(judgement)),
        Verdict::Fine => {
            let share = judgement.shares.configured.or(judgement.shares.observed).unwrap_or(0.0);
            (format!("fine at {}", percent(share)), Tone::Good, exclusion(judgement))
        }
    }
}

/// What stops a version, the most important first.
fn what_stops(judgement: &Judgement) -> String {
    let is_stopped = judgement.limit.is_some() || judgement.health.iter().any(|row| row.state == State::Stop);
    let is_worse = |signal: &&SignalJudgement| signal.mode == Mode::Guard && signal.finding == Finding::Worse;
    match judgement.signals.iter().find(is_worse).filter(|_| !is_stopped) {
        Some(signal) => sides(signal),
        None => judgement.because.first().cloned().unwrap_or_default(),
    }
}

/// What keeps a version from being fine, the most important first.
fn what_holds(judgement: &Judgement) -> String {
    if judgement.windows == 0 {
        return "there is no window to judge yet; a window counts when Envoy and the source have had the time to write it".to_owned();
    }
    let held = judgement.health.iter().find(|row| row.state == State::Hold);
    if let Some(row) = held {
        return format!("held by {}: {}", row.row.name(), row.detail.as_deref().unwrap_or("not in order"));
    }
    let is_worse = |signal: &&SignalJudgement| signal.mode == Mode::Hold && signal.finding == Finding::Worse;
    if let Some(signal) = judgement.signals.iter().find(is_worse) {
        return format!("held while it is worse: {}", sides(signal));
    }
    if judgement.windows == judgement.left_out_windows {
        return "its first windows are left out: the answers that began before its share are still under way"
            .to_owned();
    }
    if !is_measured(judgement, &Signal::Errors) {
        return "errors are not measured, and without them nothing is fine".to_owned();
    }
    let guards = judgement.signals.iter().filter(|signal| signal.mode == Mode::Guard);
    let open: Vec<String> = guards
        .filter(|signal| signal.finding == Finding::Unclear)
        .map(|signal| signal.signal.to_string())
        .collect();
    match (&judgement.missing, open.as_slice()) {
        (_, [_, ..]) if judgement.shares.configured == Some(0.0) => {
            format!("{NO_SHARE}; not decided: {}", open.join(", "))
        }
        (_, []) => judgement.because.first().cloned().unwrap_or_default(),
        (Some(missing), open) => format!("needs {} for {}", more_needed(missing), open.join(", ")),
        (None, open) => format!("too little is seen of {}", open.join(", ")),
    }
}

fn is_measured(judgement: &Judgement, signal: &Signal) -> bool {
    judgement.signals.iter().any(|one| one.signal == *signal && one.finding != Finding::Absent)
}

/// `rates above 2 times the baseline's (or 1 point more, if that is higher) and means 1.3 times apart are excluded`
fn exclusion(judgement: &Judgement) -> String {
    let of = |kind: Kind| {
        let guards = judgement.signals.iter().filter(move |signal| {
            signal.mode == Mode::Guard && signal.kind == kind && signal.finding == Finding::NoWorse
        });
        let margins: Vec<Margin> = guards.map(|signal| signal.margin).collect();
        let first = margins.first().copied();
        (first, first.is_some_and(|first| margins.iter().all(|margin| *margin == first)))
    };
    match (of(Kind::Rate), of(Kind::Distribution)) {
        ((Some(rate), true), (None, _)) => format!("{} are excluded", rate_words(rate)),
        ((Some(rate), true), (Some(mean), true)) => {
            format!("{} and means {} times apart are excluded", rate_words(rate), short(mean.ratio))
        }
        _ => "harm beyond each guard's margin is excluded".to_owned(),
    }
}

fn rate_words(margin: Margin) -> String {
    let points = margin.points * 100.0;
    let plural = if points == 1.0 { "" } else { "s" };
    let points = format!("or {} point{plural} more, if that is higher", short(points));
    format!("rates above {} times the baseline's ({points})", short(margin.ratio))
}

fn conclusion(analysis: &Analysis, ab: &Ab) -> (String, Tone, String) {
    let goal = &ab.goal.signal;
    let signal = analysis.judgement.signals.iter().find(|signal| signal.signal == *goal);
    let seen = match signal {
        _ if !is_measured(&analysis.judgement, goal)
            && analysis.judgement.windows == analysis.judgement.left_out_windows =>
        {
            what_holds(&analysis.judgement)
        }
        None => format!("{goal}: not measured"),
        Some(signal) => match &signal.missing {
            Some(missing) if !analysis.is_decided() => {
                format!("{}; needs {}", sides(signal), more_needed(missing))
            }
            _ => sides(signal),
        },
    };
    let (word, tone) = match ab.difference.conclusion {
        Conclusion::VersionBetter => (format!("{} is better", analysis.version), Tone::Good),
        Conclusion::BaselineBetter => (format!("{} is better", analysis.baseline), Tone::Bad),
        Conclusion::NoDifference => ("no difference".to_owned(), Tone::Good),
        Conclusion::NotEnoughData => ("not enough data".to_owned(), Tone::Open),
    };
    (word, tone, seen)
}

/// `refusals: 3.1 % of 1,204 against 0.98 % of 10,871; 3.2 times (1.6 to 5.9)`
fn sides(signal: &SignalJudgement) -> String {
    let figures = &signal.figures;
    if figures.observations.both(|observations| *observations == 0) {
        return format!("{}: not measured", signal.signal);
    }
    let on_average = if signal.kind == Kind::Distribution { " on average" } else { "" };
    let of = |side: Option<f64>, observations: u64| {
        format!("{}{on_average} of {}", value(signal, side), count(observations))
    };
    let interval = Some(interval(signal)).filter(|interval| interval != NONE);
    let interval = interval.map(|interval| format!(" ({interval})")).unwrap_or_default();
    let ratio = figures.ratio.map(|times| format!("; {} times{interval}", ratio(times)));
    format!(
        "{}: {} against {}{}",
        signal.signal,
        of(figures.values.version, figures.observations.version),
        of(figures.values.baseline, figures.observations.baseline),
        ratio.unwrap_or_default()
    )
}

/// A rate, or a mean.
pub(crate) fn value(signal: &SignalJudgement, value: Option<f64>) -> String {
    match (value, signal.kind) {
        (None, _) => NONE.to_owned(),
        (Some(rate), Kind::Rate) => percent(rate),
        (Some(mean), Kind::Distribution) => short(mean),
    }
}

pub(crate) fn interval(signal: &SignalJudgement) -> String {
    let (low, high) = signal.figures.interval;
    if signal.finding == Finding::Absent || (low <= 0.0 && high.is_infinite()) {
        return NONE.to_owned();
    }
    format!("{} to {}", ratio(low), ratio(high))
}

/// A ratio: near 1 the second place behind the point matters.
pub(crate) fn ratio(ratio: f64) -> String {
    if ratio < 9.995 { format!("{ratio:.2}") } else { short(ratio) }
}

/// `about 2,300 more requests (41 min)`
fn more_needed(missing: &Missing) -> String {
    let time = missing_time(missing).map(|time| format!(" ({time})")).unwrap_or_default();
    format!("about {} more requests{time}", count(missing.requests))
}

/// At the present rate.
pub(super) fn missing_time(missing: &Missing) -> Option<String> {
    missing.minutes.map(|minutes| format_duration((minutes.ceil() * 60_000.0) as u64))
}
