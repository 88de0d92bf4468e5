//! What was found about a version, as JSON: `analyze --json`.
//!
//! The names are an interface. Rates, shares and chances are parts of 1; points are percentage points; times are RFC 3339; what is not
//! known, or has no bound, is null.

use crate::analysis::{Ab, Analysis};
use llm_canary::timestamp::rfc3339;
use llm_canary_verdict::evidence::Quantiles;
use llm_canary_verdict::health::{Health, State};
use llm_canary_verdict::signal::{Direction, Harm, Kind, Mode};
use llm_canary_verdict::verdict::SignalJudgement;
use llm_canary_verdict::window::Pair;
use serde_json::{Value, json};

/// One version: its object. Several: a list of them.
pub(crate) fn value(analyses: &[Analysis]) -> Value {
    match analyses {
        [only] => object(only),
        several => several.iter().map(object).collect(),
    }
}

/// What was found about one version.
pub(crate) fn object(analysis: &Analysis) -> Value {
    let judgement = &analysis.judgement;
    let at = |ms: i64| if judgement.windows > 0 { time(ms) } else { Value::Null };
    let object = json!({
        "rollout": analysis.rollout,
        "version": analysis.version,
        "baseline": analysis.baseline,
        "verdict": analysis.verdict_name(),
        "since": at(judgement.since_ms),
        "until": at(judgement.until_ms),
        "windows": judgement.windows,
        "missing_windows": judgement.missing_windows,
        "requests": pair(judgement.requests),
        "share": {
            "configured": judgement.shares.configured,
            "observed": judgement.shares.observed,
            "log_e": judgement.shares.ln_e,
        },
        "signals": judgement.signals.iter().map(signal).collect::<Vec<Value>>(),
        "health": judgement.health.iter().map(health).collect::<Vec<Value>>(),
        "because": judgement.because,
    });
    with(object, "goal", analysis.ab.as_ref().map(goal))
}

/// The object with one more member, if there is one.
fn with(mut object: Value, name: &str, member: Option<Value>) -> Value {
    if let (Some(members), Some(member)) = (object.as_object_mut(), member) {
        members.insert(name.to_owned(), member);
    }
    object
}

fn signal(signal: &SignalJudgement) -> Value {
    let figures = &signal.figures;
    let (low, high) = figures.interval;
    let is_rate = signal.kind == Kind::Rate;
    let object = json!({
        "name": signal.signal.to_string(),
        "mode": mode_name(signal.mode),
        "kind": if is_rate { "rate" } else { "distribution" },
        "harm": harm_name(signal.harm),
        "version": figures.values.version,
        "baseline": figures.values.baseline,
        "events": if is_rate { pair(figures.events) } else { Value::Null },
        "ratio": figures.ratio,
        "interval": [low, high],
        "margin": {"ratio": signal.margin.ratio, "points": signal.margin.points * 100.0},
        "design_effect": signal.design_effect,
        "log_e": signal.ln_e,
        "threshold": signal.ln_threshold,
        "log_e_no_worse": signal.ln_no_worse,
        "threshold_no_worse": signal.ln_threshold_no_worse,
        "verdict": signal.finding.name(),
        "alarmed_at": signal.alarm.map(|alarm| time(alarm.at_ms)),
        "no_worse_at": signal.no_worse_at_ms.map(time),
        "missing": signal.missing.map(|missing| json!({"requests": missing.requests, "minutes": missing.minutes})),
        "detectable_ratio": signal.detectable_ratio,
    });
    let quantiles = figures.quantiles.as_ref();
    let quantiles =
        quantiles.map(|both| json!({"version": buckets(&both.version), "baseline": buckets(&both.baseline)}));
    with(object, "quantiles", quantiles)
}

/// The buckets in which quantiles lie.
fn buckets(quantiles: &Quantiles) -> Value {
    json!({"p50": quantiles.p50, "p95": quantiles.p95})
}

fn health(row: &Health) -> Value {
    json!({"name": row.row.name(), "state": state_name(row.state), "detail": row.detail})
}

fn goal(ab: &Ab) -> Value {
    let difference = &ab.difference;
    json!({
        "signal": ab.goal.signal.to_string(),
        "better": if ab.goal.better == Direction::Up { "up" } else { "down" },
        "log_e_up": difference.ln_e_up,
        "log_e_down": difference.ln_e_down,
        "threshold": difference.ln_threshold,
        "log_e_no_difference": difference.ln_no_difference,
        "threshold_no_difference": difference.ln_threshold_no_difference,
        "found_at": difference.at_ms.map(time),
    })
}

fn pair(pair: Pair<u64>) -> Value {
    json!({"version": pair.version, "baseline": pair.baseline})
}

fn time(ms: i64) -> Value {
    rfc3339(u64::try_from(ms).unwrap_or(0)).into()
}

pub(crate) fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Guard => "guard",
        Mode::Hold => "hold",
        Mode::Watch => "watch",
    }
}

pub(crate) fn harm_name(harm: Harm) -> &'static str {
    match harm {
        Harm::Up => "up",
        Harm::Down => "down",
        Harm::Both => "both",
    }
}

pub(crate) fn state_name(state: State) -> &'static str {
    match state {
        State::Ok => "ok",
        State::Warn => "warn",
        State::Hold => "hold",
        State::Stop => "stop",
        State::Absent => "absent",
    }
}

#[cfg(test)]
mod tests;
