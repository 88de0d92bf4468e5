//! A reply and the checks of its case → whether the answer passes.

use super::judge::reply::Met;
use super::prompts::Prompt;
use super::reply::{Reply, Standing};
use super::results::{self, CheckResult};
use llm_canary_sets::check::Answer;
use llm_canary_sets::grade;
use llm_canary_sets::judged::{self, Criterion};
use llm_canary_sets::template::{Dialect, NoVariables, Templates};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The check that every answer has: it is one.
pub(crate) const ANSWERS: &str = "answers";
/// The check of a case that has no other.
const NO_DEFECT: &str = "no defect";
/// So many checks of an answer are named.
const CHECKS_MAX: usize = 100;

/// What an answer is worth.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Marks {
    /// Whether the case has a check that says something of an answer.
    pub(crate) checked: bool,
    /// Whether the answer passes; `None` if that is unknown, and if no check says so.
    pub(crate) pass: Option<bool>,
    /// The weighted mean of the checks' scores.
    pub(crate) score: Option<f64>,
    /// Each check.
    pub(crate) checks: Vec<CheckResult>,
    /// Why nothing is known.
    pub(crate) unknown: Option<String>,
}

/// Grades answers. It has templates for sets without any.
pub(crate) struct Grader {
    plain: Templates,
}

impl Grader {
    pub(crate) fn new() -> Self {
        Self { plain: Templates::new(Dialect::Nunjucks, Map::new(), Arc::new(NoVariables)) }
    }

    /// Grades a reply to a prompt.
    pub(crate) fn grade(&self, prompt: &Prompt<'_>, reply: &Reply) -> Marks {
        let checked = grade::has_offline(prompt.case);
        match &reply.standing {
            Standing::Unknown(why) => Marks { checked, unknown: Some(why.clone()), ..Marks::default() },
            Standing::Failed(why) => failed(checked, ANSWERS, why),
            Standing::Answered if checked => self.check(prompt, reply),
            Standing::Answered => match reply.defects.first() {
                Some(_) => failed(checked, NO_DEFECT, &reply.defects.join(", ")),
                None => Marks::default(),
            },
        }
    }

    /// What a judge is to be asked about an answer: nothing of one that is not known, or is none.
    ///
    /// # Errors
    /// A check is written wrongly: a sentence without its subject.
    pub(crate) fn criteria(
        &self,
        prompt: &Prompt<'_>,
        answer: &results::Answer,
    ) -> Result<Vec<Criterion>, String> {
        let is_none = answer.checks.iter().any(|check| check.check == ANSWERS && !check.pass);
        if answer.unknown.is_some() || is_none {
            return Ok(Vec::new());
        }
        let templates = prompt.of.templates().unwrap_or(&self.plain);
        judged::criteria(prompt.case, &prompt.request.variables, templates)
    }

    /// Grades an answer anew, by its checks and by what a judge says of its criteria. What the judge left open leaves it unknown.
    pub(crate) fn grade_judged(
        &self,
        prompt: &Prompt<'_>,
        answer: &mut results::Answer,
        judged: &[(Criterion, Result<Met, String>)],
    ) {
        let (mut marks, mut unknown) = (BTreeMap::new(), None);
        let assertions: Vec<_> = prompt.case.checks.iter().flat_map(|check| check.assertions()).collect();
        for (criterion, met) in judged {
            match met {
                Ok(met) => {
                    let mark = criterion.mark(met.is_met, met.score);
                    let check =
                        assertions.get(criterion.index).map(|one| grade::name(one)).unwrap_or_default();
                    if answer.checks.len() < CHECKS_MAX {
                        let why = met.reason.clone();
                        answer.checks.push(CheckResult { check, pass: mark.is_passed, why });
                    }
                    marks.insert(criterion.index, mark);
                }
                Err(why) => unknown = Some(why.clone()),
            }
        }
        let templates = prompt.of.templates().unwrap_or(&self.plain);
        let seen = seen(prompt, answer);
        let grade = grade::grade_judged(prompt.case, &seen, &prompt.request.variables, templates, &marks);
        let grade = grade.filter(|_| unknown.is_none());
        let error = grade.as_ref().and_then(|grade| grade.error.clone());
        let grade = grade.filter(|grade| grade.error.is_none());
        answer.checked = true;
        answer.pass = grade.as_ref().map(|grade| grade.is_passed);
        answer.score = grade.map(|grade| grade.score).filter(|score| score.is_finite());
        answer.unknown = unknown.or_else(|| error.map(|why| format!("check: {why}")));
    }

    fn check(&self, prompt: &Prompt<'_>, reply: &Reply) -> Marks {
        let answer = answer(prompt, reply);
        let templates = prompt.of.templates().unwrap_or(&self.plain);
        let variables = &prompt.request.variables;
        let Some(grade) = grade::grade_offline(prompt.case, &answer, variables, templates) else {
            return Marks::default();
        };
        let each = grade::each_offline(prompt.case, &answer, variables, templates);
        let checks = each.into_iter().take(CHECKS_MAX).map(|one| match one.mark {
            Ok(mark) => CheckResult { check: one.name, pass: mark.is_passed, why: None },
            Err(why) => CheckResult { check: one.name, pass: false, why: Some(why) },
        });
        let checks = checks.collect();
        match grade.error {
            // It is written wrongly, which says nothing of the answer.
            Some(why) => {
                Marks { checked: true, checks, unknown: Some(format!("check: {why}")), ..Marks::default() }
            }
            None => Marks {
                checked: true,
                pass: Some(grade.is_passed),
                score: grade.score.is_finite().then_some(grade.score),
                checks,
                unknown: None,
            },
        }
    }
}

fn failed(checked: bool, check: &str, why: &str) -> Marks {
    let check = CheckResult { check: check.to_owned(), pass: false, why: Some(why.to_owned()) };
    Marks { checked, pass: Some(false), score: Some(0.0), checks: vec![check], unknown: None }
}

/// What is checked, and what is written down of an answer: its text; without one, its calls.
pub(crate) fn output(reply: &Reply) -> Value {
    match (&reply.standing, reply.text.is_empty(), reply.calls.is_empty()) {
        (_, true, false) => Value::Array(reply.calls.clone()),
        (Standing::Answered, ..) | (_, false, _) => Value::from(reply.text.as_str()),
        (Standing::Failed(_) | Standing::Unknown(_), true, true) => Value::Null,
    }
}

#[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 milliseconds")]
fn answer(prompt: &Prompt<'_>, reply: &Reply) -> Answer {
    Answer {
        output: output(reply),
        tool_calls: reply.calls.clone(),
        tools: prompt.tools().to_vec(),
        finish_reason: reply.finish.map(str::to_owned),
        latency_ms: reply.latency_ms.map(|ms| ms as f64),
        // No API says it.
        cost: None,
        log_probs: Vec::new(),
    }
}

/// What is checked of an answer that is written down.
#[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 milliseconds")]
fn seen(prompt: &Prompt<'_>, answer: &results::Answer) -> Answer {
    Answer {
        output: answer.output.clone(),
        tool_calls: answer.tool_calls.clone(),
        tools: prompt.tools().to_vec(),
        finish_reason: answer.finish.clone(),
        latency_ms: answer.latency_ms.map(|ms| ms as f64),
        cost: None,
        log_probs: Vec::new(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
