//! What was found about a version, for a person: the verdict and what holds it in the first line, then a table.

mod headline;

use crate::analysis::{Ab, Analysis};
use crate::table::{Canvas, Cell, Column, NONE, Tone, lines};
use crate::verdict_json::{mode_name, state_name};
use headline::missing_time;
pub(crate) use headline::{headline, interval, ratio, value, verdict};
use llm_canary::timestamp::rfc3339;
use llm_canary_verdict::evidence::Quantiles;
use llm_canary_verdict::health::State;
use llm_canary_verdict::signal::{Kind, Mode, Signal};
use llm_canary_verdict::verdict::{Finding, Missing, SignalJudgement};
use llm_canary_verdict::words::{count, percent, short};

/// What continues a line is indented by so much.
const INDENT: usize = 4;

/// Several versions, one below the other.
pub(crate) fn text(analyses: &[Analysis], canvas: &Canvas) -> String {
    let each: Vec<String> = analyses.iter().map(|analysis| one(analysis, canvas)).collect();
    each.join("\n\n")
}

fn one(analysis: &Analysis, canvas: &Canvas) -> String {
    let judgement = &analysis.judgement;
    let mut all = vec![headline(analysis, canvas)];
    if judgement.windows > 0 {
        all.push(canvas.wrap(&format!("  {}", facts(analysis)), INDENT));
    }
    let mut signals: Vec<&SignalJudgement> =
        judgement.signals.iter().filter(|signal| is_shown(signal)).collect();
    signals.sort_by_key(|signal| signal.finding != Finding::Worse);
    if signals.iter().any(|signal| signal.finding != Finding::Absent) {
        all.push(String::new());
        all.extend(match &analysis.ab {
            None => signal_lines(analysis, &signals, canvas),
            Some(ab) => difference_lines(analysis, ab, &signals, canvas),
        });
        all.extend(quantile_lines(analysis, &signals, canvas));
    }
    let notes: Vec<String> = notes(analysis).iter().map(|note| canvas.wrap(note, INDENT)).collect();
    if !notes.is_empty() {
        all.push(String::new());
        all.extend(notes);
    }
    all.join("\n")
}

/// How much was seen, and when.
pub(crate) fn facts(analysis: &Analysis) -> String {
    let judgement = &analysis.judgement;
    let time = |ms: i64| rfc3339(u64::try_from(ms).unwrap_or(0));
    let shares = &judgement.shares;
    let share = match (shares.observed, shares.configured) {
        (Some(seen), Some(configured)) => {
            format!("{} of requests ({} configured); ", percent(seen), percent(configured))
        }
        (Some(seen), None) => format!("{} of requests; ", percent(seen)),
        (None, Some(configured)) => format!("{} of requests configured; ", percent(configured)),
        (None, None) => String::new(),
    };
    let missing = match judgement.missing_windows {
        0 => String::new(),
        missing => format!(", {} with samples missing", count(missing)),
    };
    let left_out = match judgement.left_out_windows {
        0 => String::new(),
        left_out => format!(", {} left out after steps", count(left_out)),
    };
    format!(
        "{} requests against {}; {share}{} window{}{left_out}{missing}, from {} to {}",
        count(judgement.requests.version),
        count(judgement.requests.baseline),
        count(judgement.windows),
        if judgement.windows == 1 { "" } else { "s" },
        time(judgement.since_ms),
        time(judgement.until_ms)
    )
}

/// What is absent, or has no events and stops nothing, is named below the table. But errors must be known.
fn is_shown(signal: &SignalJudgement) -> bool {
    let is_known = signal.finding != Finding::Absent && (signal.mode == Mode::Guard || !is_quiet(signal));
    is_known || signal.signal == Signal::Errors
}

/// Whether nothing of the kind has happened.
fn is_quiet(signal: &SignalJudgement) -> bool {
    signal.kind == Kind::Rate && signal.figures.events.both(|events| *events == 0)
}

fn signal_lines(analysis: &Analysis, signals: &[&SignalJudgement], canvas: &Canvas) -> Vec<String> {
    let column = |heading, is_right, rank| Column { heading, is_right, rank };
    let columns = [
        column("signal", false, 0),
        column("mode", false, 5),
        column(analysis.version.as_str(), true, 0),
        column(analysis.baseline.as_str(), true, 0),
        column("ratio", true, 3),
        column("95 % interval", false, 2),
        column("ln E", true, 6),
        column("verdict", false, 0),
        column("still needs", false, 1),
    ];
    let rows: Vec<Vec<Cell>> = signals.iter().map(|signal| signal_row(signal)).collect();
    lines(&columns, &rows, canvas)
}

fn signal_row(signal: &SignalJudgement) -> Vec<Cell> {
    let figures = &signal.figures;
    let is_beside = signal.mode == Mode::Watch && signal.finding != Finding::Worse;
    let cell = |text: String| Cell::of(text, if is_beside { Tone::Faint } else { Tone::Plain });
    let (word, tone) = finding(signal);
    let evidence = match signal.finding {
        Finding::Absent => NONE.to_owned(),
        _ if signal.ln_e.is_finite() => format!("{:.1} of {:.1}", signal.ln_e, signal.ln_threshold),
        _ => format!("{NONE} of {:.1}", signal.ln_threshold),
    };
    vec![
        cell(signal.signal.to_string()),
        cell(mode_name(signal.mode).to_owned()),
        cell(value(signal, figures.values.version)),
        cell(value(signal, figures.values.baseline)),
        cell(figures.ratio.map_or(NONE.to_owned(), ratio)),
        cell(interval(signal)),
        cell(evidence),
        Cell::of(word, tone),
        cell(signal.missing.as_ref().filter(|_| signal.mode == Mode::Guard).map(needed).unwrap_or_default()),
    ]
}

/// For an A/B test: what differs, the goal first. Whether that is good is not the question.
fn difference_lines(
    analysis: &Analysis,
    ab: &Ab,
    signals: &[&SignalJudgement],
    canvas: &Canvas,
) -> Vec<String> {
    let column = |heading, is_right, rank| Column { heading, is_right, rank };
    let columns = [
        column("signal", false, 0),
        column(analysis.version.as_str(), true, 0),
        column(analysis.baseline.as_str(), true, 0),
        column("ratio", true, 2),
        column("95 % interval", false, 0),
        column("difference", false, 1),
    ];
    let mut ordered = signals.to_vec();
    ordered.sort_by_key(|signal| signal.signal != ab.goal.signal);
    let row = |signal: &&SignalJudgement| {
        let figures = &signal.figures;
        let (low, high) = figures.interval;
        let (word, tone) = match signal.finding {
            Finding::Absent => ("not measured", Tone::Open),
            _ if low > 1.0 => ("more", Tone::Plain),
            _ if high < 1.0 => ("less", Tone::Plain),
            _ => ("open", Tone::Faint),
        };
        let is_goal = if signal.signal == ab.goal.signal { " (goal)" } else { "" };
        vec![
            Cell::new(format!("{}{is_goal}", signal.signal)),
            Cell::new(value(signal, figures.values.version)),
            Cell::new(value(signal, figures.values.baseline)),
            Cell::new(figures.ratio.map_or(NONE.to_owned(), ratio)),
            Cell::new(interval(signal)),
            Cell::of(word, tone),
        ]
    };
    let rows: Vec<Vec<Cell>> = ordered.iter().map(row).collect();
    lines(&columns, &rows, canvas)
}

fn finding(signal: &SignalJudgement) -> (&'static str, Tone) {
    match (signal.finding, signal.mode) {
        (Finding::Worse, Mode::Watch) => ("worse", Tone::Open),
        (Finding::Worse, _) => ("worse", Tone::Bad),
        (Finding::NoWorse, _) => ("no worse", Tone::Good),
        (Finding::Unclear, Mode::Guard) => ("unclear", Tone::Open),
        (Finding::Unclear, _) => ("unclear", Tone::Faint),
        (Finding::Absent, _) => ("not measured", Tone::Open),
    }
}

/// `2,300 requests, 41 min`
pub(crate) fn needed(missing: &Missing) -> String {
    let time = missing_time(missing).map(|time| format!(", {time}")).unwrap_or_default();
    format!("{} requests{time}", count(missing.requests))
}

/// A bucket, as `300 to 400`.
pub(crate) fn bucket(bucket: Option<(f64, f64)>) -> String {
    match bucket {
        None => NONE.to_owned(),
        Some((low, high)) if high.is_finite() => format!("{} to {}", short(low), short(high)),
        Some((low, _)) => format!("above {}", short(low)),
    }
}

fn quantile_lines(analysis: &Analysis, signals: &[&SignalJudgement], canvas: &Canvas) -> Vec<String> {
    let of = |part: &str, version: &str| format!("{part} {version}");
    let headings = [
        of("half of", &analysis.version),
        of("half of", &analysis.baseline),
        of("95 % of", &analysis.version),
        of("95 % of", &analysis.baseline),
    ];
    let mut columns = vec![Column { heading: "are below", is_right: false, rank: 0 }];
    let ranks = [1, 1, 0, 0];
    let named = headings.iter().zip(ranks);
    columns.extend(named.map(|(heading, rank)| Column { heading, is_right: true, rank }));
    let mut rows = Vec::new();
    for signal in signals {
        let Some(quantiles) = &signal.figures.quantiles else { continue };
        let both = |part: fn(&Quantiles) -> Option<(f64, f64)>| {
            [part(&quantiles.version), part(&quantiles.baseline)]
        };
        let values = both(|quantiles| quantiles.p50).into_iter().chain(both(|quantiles| quantiles.p95));
        let mut row = vec![Cell::new(signal.signal.to_string())];
        row.extend(values.map(|value| Cell::new(bucket(value))));
        rows.push(row);
    }
    if rows.is_empty() {
        return Vec::new();
    }
    std::iter::once(String::new()).chain(lines(&columns, &rows, canvas)).collect()
}

/// Health that is not in order, and what is not in the table.
fn notes(analysis: &Analysis) -> Vec<String> {
    let judgement = &analysis.judgement;
    let mut notes = Vec::new();
    for row in &judgement.health {
        if !matches!(row.state, State::Ok | State::Absent) {
            let detail = row.detail.as_deref().unwrap_or("not in order");
            notes.push(format!("{} ({}): {detail}", row.row.name(), state_name(row.state)));
        }
    }
    let hidden = |is_absent: bool| -> Vec<String> {
        let signals = judgement.signals.iter().filter(|signal| !is_shown(signal));
        let signals = signals.filter(|signal| (signal.finding == Finding::Absent) == is_absent);
        signals.map(|signal| signal.signal.to_string()).collect()
    };
    let (absent, quiet) = (hidden(true), hidden(false));
    if !quiet.is_empty() {
        notes.push(format!("no events: {}", quiet.join(", ")));
    }
    // Where nothing is measured, the first line says why.
    if !absent.is_empty() && absent.len() + 1 < judgement.signals.len() {
        notes.push(format!("not measured: {}", absent.join(", ")));
    }
    notes
}

#[cfg(test)]
mod tests;
