//! How long a test must run: what the operator expects → requests and hours.
//!
//! In: numbers as they were written. Out: the plan, its words and its JSON. The arithmetic is `verdict`'s.

use crate::number_args::parse_percent;
use crate::time_args::format_duration;
use llm_canary::bucket::PARTS;
use llm_canary_verdict::outlook::{self, Plan, Question};
use llm_canary_verdict::policy::Policy;
use llm_canary_verdict::signal::{Direction, Signal};
use llm_canary_verdict::words::{count, percent, short};
use serde_json::{Value, json};

/// The units of a rate, with their seconds.
const UNITS: [(&str, f64); 7] = [
    ("s", 1.0),
    ("sec", 1.0),
    ("m", 60.0),
    ("min", 60.0),
    ("h", 3_600.0),
    ("hour", 3_600.0),
    ("d", 86_400.0),
];
/// The largest rate, in requests a second.
const RATE_MAX: f64 = 1e6;
/// The farthest ratio, either way.
const RATIO_MAX: f64 = 1_000.0;
/// The largest design effect.
const DESIGN_EFFECT_MAX: f64 = 100.0;
/// A year, in hours: a test that takes longer will not be run.
const HOURS_MAX: f64 = 8_766.0;

/// What a test is expected to meet.
pub(crate) struct Expected {
    pub(crate) signal: Signal,
    /// The baseline's rate.
    pub(crate) base: f64,
    /// The ratio of rates that must be found.
    pub(crate) ratio: f64,
    /// The version's share of what the two have together.
    pub(crate) share: f64,
    /// Of both versions.
    pub(crate) requests_per_second: f64,
    pub(crate) design_effect: f64,
    /// Whether the signal stops a release, and is not the goal of an A/B test.
    pub(crate) is_release: bool,
}

/// How long it takes.
pub(crate) struct TestPlan<'a> {
    expected: &'a Expected,
    alpha: f64,
    question: Question,
    plan: Plan,
}

impl Expected {
    /// # Errors
    /// A sentence that says what cannot be found, and what to change.
    pub(crate) fn plan(&self, policy: &Policy) -> Result<TestPlan<'_>, String> {
        let direction = if self.ratio > 1.0 { Direction::Up } else { Direction::Down };
        let (tolerance, ln_threshold) = if self.is_release {
            (policy.tolerance, policy.ln_threshold(&self.signal))
        } else {
            (1.0, (2.0 / policy.alpha).ln())
        };
        // Of two directions, each has half of alpha.
        let directions = policy.harm(&self.signal).directions();
        let halves = if self.is_release { (directions.len() as f64).ln() } else { 0.0 };
        let ln_threshold = ln_threshold + halves;
        if self.is_release && !directions.contains(&direction) {
            let harm = if direction == Direction::Up { "less" } else { "more" };
            return Err(format!(
                "--detect {}: harm of {} is {harm}, not that; turn the ratio round, or plan an A/B test without --release",
                self.ratio, self.signal
            ));
        }
        if self.ratio <= tolerance && self.ratio >= 1.0 / tolerance {
            return Err(format!(
                "--detect {}: a ratio up to {tolerance} is tolerated, so nothing finds it; ask for more, or lower the policy's \
                 tolerance",
                self.ratio
            ));
        }
        let question = Question { direction, tolerance, ln_threshold, phi: self.design_effect };
        let plan = outlook::plan(&question, self.base, self.ratio, self.share)
            .filter(|plan| self.hours(plan.nine_in_ten) <= HOURS_MAX);
        let plan = plan.ok_or_else(|| {
            format!(
                "this takes more than a year: {} at {} times {}; ask for a larger difference with --detect, or give the version a \
                 larger share",
                self.signal,
                self.ratio,
                percent(self.base)
            )
        })?;
        let alpha = (-ln_threshold).exp();
        Ok(TestPlan { expected: self, alpha, question, plan })
    }

    fn hours(&self, requests: u64) -> f64 {
        requests as f64 / self.requests_per_second / 3_600.0
    }
}

impl TestPlan<'_> {
    /// What a person reads.
    pub(crate) fn text(&self) -> String {
        let expected = self.expected;
        let line = |what: &str, requests: u64| {
            let time = format_duration((expected.hours(requests) * 3.6e6).ceil() as u64);
            let version = count((requests as f64 * expected.share).round() as u64);
            format!("  {what:<24}{:>15} requests, {version} of them the version's: {time}", count(requests))
        };
        let (test, each) =
            if expected.is_release { ("a guard of a release", "") } else { ("an A/B test", " each way") };
        [
            format!(
                "{} from {} to {} ({} times), {} of {} requests a second for the version",
                expected.signal,
                percent(expected.base),
                percent(expected.base * expected.ratio),
                expected.ratio,
                percent(expected.share),
                short(expected.requests_per_second)
            ),
            line("half of all tests take", self.plan.median),
            line("nine in ten take at most", self.plan.nine_in_ten),
            format!(
                "for {test}: alpha {}{each}, tolerance {}, design effect {}",
                short(self.alpha),
                self.question.tolerance,
                expected.design_effect
            ),
        ]
        .join("\n")
    }

    pub(crate) fn json(&self) -> Value {
        let expected = self.expected;
        let needed = |requests: u64| {
            let version = (requests as f64 * expected.share).round() as u64;
            json!({"requests": requests, "version_requests": version, "hours": expected.hours(requests)})
        };
        json!({
            "signal": expected.signal.to_string(),
            "base": expected.base,
            "detect": expected.ratio,
            "share": expected.share,
            "requests_per_second": expected.requests_per_second,
            "test": if expected.is_release { "release" } else { "ab" },
            "alpha": self.alpha,
            "tolerance": self.question.tolerance,
            "design_effect": expected.design_effect,
            "median": needed(self.plan.median),
            "nine_in_ten": needed(self.plan.nine_in_ten),
        })
    }
}

/// Reads `20/s`, `1200/min` or `5000/h` as requests a second.
pub(crate) fn parse_rate(text: &str) -> Result<f64, String> {
    let bad = || {
        format!(
            "{text:?} is not a rate; write a number of requests and a unit, such as 20/s, 1200/min or 5000/h"
        )
    };
    let (number, unit) = text.split_once('/').ok_or_else(bad)?;
    let seconds = UNITS.iter().find(|(name, _)| *name == unit.trim()).map(|(_, seconds)| *seconds);
    let rate = decimal(number.trim()).ok_or_else(bad)? / seconds.ok_or_else(bad)?;
    if rate <= 0.0 {
        return Err(format!("{text:?} is no traffic; write a rate above 0, such as 20/s"));
    }
    if rate > RATE_MAX {
        return Err(format!(
            "{text:?} is more than {} requests a second; write less",
            count(RATE_MAX as u64)
        ));
    }
    Ok(rate)
}

/// Reads a percentage above 0 and below 100 as a part of 1.
pub(crate) fn parse_part(text: &str) -> Result<f64, String> {
    match parse_percent(text)? {
        0 => Err(format!("{text:?} leaves nothing to compare; write a percentage above 0")),
        PARTS => Err(format!("{text:?} leaves nothing to compare with; write a percentage below 100")),
        parts => Ok(f64::from(parts) / f64::from(PARTS)),
    }
}

/// Reads a ratio other than 1: `1.5`, `0.8` or `2x`.
pub(crate) fn parse_ratio(text: &str) -> Result<f64, String> {
    let bad =
        || format!("{text:?} is not a ratio; write 1.5 for half as many again, or 0.8 for a fifth less");
    let ratio = decimal(text.strip_suffix('x').unwrap_or(text)).ok_or_else(bad)?;
    if ratio == 1.0 {
        return Err(format!("{text:?} is no difference; write a ratio other than 1, such as 1.5 or 0.8"));
    }
    if !(1.0 / RATIO_MAX..=RATIO_MAX).contains(&ratio) {
        return Err(format!(
            "{text:?} is out of range; write a ratio from {} to {RATIO_MAX}",
            1.0 / RATIO_MAX
        ));
    }
    Ok(ratio)
}

/// Reads a design effect: at least 1.
pub(crate) fn parse_design_effect(text: &str) -> Result<f64, String> {
    let found = decimal(text).filter(|effect| (1.0..=DESIGN_EFFECT_MAX).contains(effect));
    found.ok_or_else(|| {
        format!("{text:?} is not a design effect; write a number from 1 (independent requests) to {DESIGN_EFFECT_MAX}")
    })
}

/// Digits with or without a point: no sign, no exponent, no names of numbers.
fn decimal(text: &str) -> Option<f64> {
    let is_plain = text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    text.parse().ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests;
