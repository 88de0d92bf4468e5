//! All checks of one answer → whether it passes, and its score.

use crate::check::{self, Answer, Mark};
use crate::import::promptfoo::asserts;
use crate::js;
use crate::kind::{self, Place};
use crate::report;
use crate::set::{Assertion, Case, Check, Transform};
use crate::template::Templates;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a case's checks say of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grade {
    /// Whether it passes.
    pub is_passed: bool,
    /// The weighted mean of the checks' scores.
    pub score: f64,
    /// Why there is no verdict: a check that is written wrongly, or that needs what is not there.
    pub error: Option<String>,
}

/// Checks as they are written in a list.
///
/// # Errors
/// A sentence: the list is no list of checks.
pub fn checks_of(list: &[Value]) -> Result<Vec<Arc<Check>>, String> {
    let kind_of = |item: &Value| {
        item.get("type").and_then(Value::as_str).map(str::to_owned).ok_or("a check has no type")
    };
    let checks = list.iter().map(|item| {
        let kind = kind_of(item)?;
        if kind != "assert-set" {
            return Ok(Arc::new(Check::One(asserts::one(&kind, item))));
        }
        let within =
            item.get("assert").and_then(Value::as_array).ok_or("an assert-set has no list assert")?;
        let checks = within
            .iter()
            .map(|item| Ok::<_, String>(asserts::one(&kind_of(item)?, item)))
            .collect::<Result<_, _>>()?;
        let number = |name: &str| item.get(name).and_then(Value::as_f64);
        Ok(Arc::new(Check::Group {
            checks,
            threshold: number("threshold"),
            weight: number("weight").unwrap_or(1.0),
        }))
    });
    checks.collect()
}

/// Sums of scores and weights, and whether anything failed.
#[derive(Default)]
struct Sum {
    score: f64,
    weight: f64,
    has_failed: bool,
}

impl Sum {
    fn add(&mut self, mark: Mark, weight: f64) {
        self.score += mark.score * weight;
        self.weight += weight;
        self.has_failed |= !mark.is_passed;
    }

    fn mark(&self, threshold: Option<f64>) -> Mark {
        let score = if self.weight > 0.0 { self.score / self.weight } else { 0.0 };
        Mark { is_passed: threshold.map_or(!self.has_failed, |threshold| score >= threshold), score }
    }
}

/// What a check says of an answer; `None` if it does not count.
type Evaluate<'a> = dyn Fn(usize, &Assertion) -> Result<Option<Mark>, String> + 'a;

/// Grades an answer by checks that need no judge. A check that needs one is an error.
pub fn grade(
    checks: &[Arc<Check>],
    threshold: Option<f64>,
    answer: &Answer,
    variables: &Map<String, Value>,
    templates: &Templates,
) -> Grade {
    if checks.is_empty() {
        return Grade { is_passed: true, score: 1.0, error: None };
    }
    let evaluate = |_: usize, one: &Assertion| check::evaluate(one, answer, variables, templates).map(Some);
    // Checks that say nothing of one answer fail nothing.
    let marked = marked(checks, threshold, &evaluate);
    Grade::of(marked.map(|mark| mark.unwrap_or_else(|| Sum::default().mark(threshold))))
}

impl Grade {
    fn of(marked: Result<Mark, String>) -> Self {
        match marked {
            Ok(mark) => Self { is_passed: mark.is_passed, score: mark.score, error: None },
            Err(words) => Self { error: Some(words), ..Self::default() },
        }
    }
}

/// `None` if no check counts. Checks have numbers, those in groups one by one.
fn marked(
    checks: &[Arc<Check>],
    threshold: Option<f64>,
    evaluate: &Evaluate<'_>,
) -> Result<Option<Mark>, String> {
    let (mut sum, mut number, mut counts) = (Sum::default(), 0_usize, false);
    for check in checks {
        let first = number;
        number = number.saturating_add(check.assertions().len());
        match &**check {
            // They compare the answers of several prompts, and say nothing of one.
            Check::One(one) if one.kind.starts_with("select-") || one.kind == "max-score" => {}
            Check::One(one) => {
                if let Some(mark) = evaluate(first, one)? {
                    sum.add(mark, one.weight.unwrap_or(1.0));
                    counts = true;
                }
            }
            Check::Group { checks, threshold, weight } => {
                let (mut within, mut has_any) = (Sum::default(), false);
                for (number, one) in (first..).zip(checks) {
                    if let Some(mark) = evaluate(number, one)? {
                        within.add(mark, one.weight.unwrap_or(1.0));
                        has_any = true;
                    }
                }
                if has_any {
                    sum.add(within.mark(*threshold), *weight);
                    counts = true;
                }
            }
        }
    }
    Ok(counts.then(|| sum.mark(threshold)))
}

/// What one check says of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// Its type and the beginning of its value: `contains: Paris`.
    pub name: String,
    /// Its mark, or why there is none.
    pub mark: Result<Mark, String>,
}

/// Characters of a value in a check's name.
const NAME_CHARS_MAX: usize = 60;

/// The name of a check in a report: its type, and the beginning of its value in one line.
#[must_use]
pub fn name(check: &Assertion) -> String {
    let value = match &check.value {
        None | Some(Value::Null) => return check.kind.clone(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => js::stringify(value),
    };
    let words = value.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut chars = words.chars();
    let shown: String = chars.by_ref().take(NAME_CHARS_MAX).collect();
    let rest = if chars.next().is_some() { "…" } else { "" };
    format!("{}: {shown}{rest}", check.kind)
}

/// Each check of a case that [`grade_offline`] counts, by itself.
pub fn each_offline(
    case: &Case,
    answer: &Answer,
    variables: &Map<String, Value>,
    templates: &Templates,
) -> Vec<Checked> {
    let answer = match check::transform(&case.transform, &answer.output) {
        Ok(output) => Answer { output, ..answer.clone() },
        Err(words) => return vec![Checked { name: "transform".to_owned(), mark: Err(words) }],
    };
    let assertions = case.checks.iter().flat_map(|check| check.assertions());
    let checked = assertions
        .filter(|one| is_offline(case, one))
        .map(|one| Checked { name: name(one), mark: check::evaluate(one, &answer, variables, templates) });
    checked.collect()
}

/// Whether some check of a case is evaluated without a judge.
#[must_use]
pub fn has_offline(case: &Case) -> bool {
    case.checks.iter().flat_map(|check| check.assertions()).any(|one| is_offline(case, one))
}

fn is_offline(case: &Case, one: &Assertion) -> bool {
    kind::place(&one.kind) == Place::Offline && report::is_evaluated(case, one)
}

/// Grades an answer by what can be evaluated of a case: checks that are left out, or need a judge, do not count.
///
/// `None` if no check is left.
pub fn grade_offline(
    case: &Case,
    answer: &Answer,
    variables: &Map<String, Value>,
    templates: &Templates,
) -> Option<Grade> {
    grade_judged(case, answer, variables, templates, &BTreeMap::new())
}

/// The same with the marks of a judge, by the number of the check ([`crate::judged::Criterion::index`]).
///
/// `None` if no check is left.
pub fn grade_judged(
    case: &Case,
    answer: &Answer,
    variables: &Map<String, Value>,
    templates: &Templates,
    marks: &BTreeMap<usize, Mark>,
) -> Option<Grade> {
    if marks.is_empty() && !has_offline(case) {
        return None;
    }
    let output = match case.transform {
        Transform::None => answer.output.clone(),
        _ => match check::transform(&case.transform, &answer.output) {
            Ok(output) => output,
            Err(words) => return Some(Grade { error: Some(words), ..Grade::default() }),
        },
    };
    let answer = Answer { output, ..answer.clone() };
    let evaluate = |number: usize, one: &Assertion| match marks.get(&number) {
        // A weight of 0 only reports.
        Some(mark) if one.weight == Some(0.0) => Ok(Some(Mark { is_passed: true, ..*mark })),
        Some(mark) => Ok(Some(*mark)),
        None if is_offline(case, one) => check::evaluate(one, &answer, variables, templates).map(Some),
        None => Ok(None),
    };
    marked(&case.checks, case.threshold, &evaluate).transpose().map(Grade::of)
}

#[cfg(test)]
mod tests;
