//! Checks that need a judge: what the judge is asked, and what its answer amounts to.
//!
//! In: a check, the variables of its case. Out: a [`Criterion`], in our own words for each type; and of what a judge says of it, a mark.
//! Who asks the judge is not known here.

use crate::check::{self, Mark};
use crate::kind;
use crate::report;
use crate::set::{Assertion, Case};
use crate::template::Templates;
use serde_json::{Map, Value};

/// `g-eval` passes from this score on, unless the check says otherwise.
const G_EVAL_THRESHOLD: f64 = 0.7;

/// What a judge looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// The answer meets the criterion.
    Criterion,
    /// The answer does not contradict a reference.
    NoContradiction,
}

/// One check for a judge.
#[derive(Clone, Debug, PartialEq)]
pub struct Criterion {
    /// The number of the check among all of its case, those in groups one by one.
    pub index: usize,
    /// What is looked for.
    pub wants: Wants,
    /// The criterion or the reference.
    pub text: String,
    /// The check passes from this score on; without one the judge says whether it does.
    pub threshold: Option<f64>,
    /// The check is turned round.
    pub is_inverse: bool,
}

impl Criterion {
    /// What the check says if the judge says this: whether the answer meets the criterion, and how far, from 0 to 1.
    #[must_use]
    pub fn mark(&self, is_met: bool, score: f64) -> Mark {
        let is_met = match self.threshold {
            Some(threshold) => score >= threshold,
            None => is_met,
        };
        let score = if self.is_inverse { 1.0 - score } else { score };
        Mark { is_passed: is_met != self.is_inverse, score }
    }
}

/// Whether this judge's type of check is asked: others need a context, several answers, or a tool of their own.
#[must_use]
pub fn is_asked(kind: &str) -> bool {
    wants(kind).is_some()
}

fn wants(kind: &str) -> Option<Wants> {
    match kind::base(kind).0 {
        "llm-rubric" | "g-eval" | "model-graded-closedqa" => Some(Wants::Criterion),
        "factuality" | "model-graded-factuality" => Some(Wants::NoContradiction),
        _ => None,
    }
}

/// The criteria of a case.
///
/// # Errors
/// A check is written wrongly: a sentence without its subject.
pub fn criteria(
    case: &Case,
    variables: &Map<String, Value>,
    templates: &Templates,
) -> Result<Vec<Criterion>, String> {
    let assertions = case.checks.iter().flat_map(|check| check.assertions());
    let criterion = |(index, assertion): (usize, &Assertion)| {
        let wants = wants(&assertion.kind).filter(|_| report::is_evaluated(case, assertion))?;
        Some(text(assertion, variables, templates).map(|text| {
            let (base, is_inverse) = kind::base(&assertion.kind);
            let usual = (base == "g-eval").then_some(G_EVAL_THRESHOLD);
            Criterion { index, wants, text, threshold: assertion.threshold.or(usual), is_inverse }
        }))
    };
    assertions.enumerate().filter_map(criterion).collect()
}

/// The criterion of a check; several are listed.
fn text(
    assertion: &Assertion,
    variables: &Map<String, Value>,
    templates: &Templates,
) -> Result<String, String> {
    let value = match &assertion.value {
        Some(value) if !assertion.is_from_file => check::rendered(value, variables, templates)?,
        Some(value) => value.clone(),
        None => Value::Null,
    };
    match value {
        Value::String(text) if !text.trim().is_empty() => Ok(text),
        Value::Array(items) if !items.is_empty() => {
            let item = |item: &Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
            Ok(items.iter().map(|one| format!("- {}", item(one))).collect::<Vec<_>>().join("\n"))
        }
        Value::Object(_) => Ok(value.to_string()),
        _ => Err(format!("{} needs a text as its value", assertion.kind)),
    }
}
