//! A set in figures: what it asks, what is checked, and what is left out.

use crate::kind::{self, Place};
use crate::limits::REQUESTS_MAX;
use crate::set::{Ask, Assertion, Case, Counts, Set, Transform};

/// What a set amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The format's name.
    pub format: &'static str,
    /// Cases.
    pub cases: usize,
    /// Prompts, those that are left out included.
    pub prompts: usize,
    /// Requests to one version, those of prompts that are left out included.
    pub requests: usize,
    /// Requests to one version that can be sent.
    pub requests_sent: usize,
    /// Checks that need the answer alone, by type.
    pub checks: Counts,
    /// Checks that need a judge, by type.
    pub judge: Counts,
    /// What is left out, by type.
    pub left_out: Counts,
    /// Cases of which no check is evaluated offline.
    pub cases_without_check: usize,
    /// What a reader should know.
    pub warnings: Vec<String>,
}

/// # Errors
/// The set is too large: a sentence without its subject.
pub fn report(set: &Set) -> Result<Report, String> {
    let mut report = Report {
        format: set.format,
        cases: set.cases.len(),
        prompts: set.prompts.len(),
        requests: 0,
        requests_sent: 0,
        checks: set.declared.clone(),
        judge: Counts::new(),
        left_out: set.left_out.clone(),
        cases_without_check: 0,
        warnings: set.warnings.clone(),
    };
    let mut behind_code = 0_usize;
    for case in &set.cases {
        report.requests = report.requests.saturating_add(asked(case, set.prompts.len()));
        report.requests_sent = report.requests_sent.saturating_add(sent(case, set));
        let mut is_checked = false;
        for assertion in case.checks.iter().flat_map(|check| check.assertions()) {
            let counts = match kind::place(&assertion.kind) {
                Place::Offline => {
                    let is_evaluated = is_evaluated(case, assertion);
                    behind_code += usize::from(!is_evaluated);
                    is_checked |= is_evaluated;
                    &mut report.checks
                }
                Place::Judge => &mut report.judge,
                Place::LeftOut(_) => &mut report.left_out,
            };
            *counts.entry(assertion.kind.clone()).or_default() += 1;
        }
        report.cases_without_check += usize::from(!is_checked);
    }
    if report.requests > REQUESTS_MAX {
        return Err(format!(
            "asks for {} requests; a set may have {REQUESTS_MAX}. Take fewer prompts or cases",
            report.requests
        ));
    }
    if behind_code > 0 {
        let words = format!(
            "{behind_code} checks see the answer only through code that is left out, so they are not evaluated"
        );
        report.warnings.push(words);
    }
    Ok(report)
}

/// Whether a check of a case gives a verdict.
#[must_use]
pub fn is_evaluated(case: &Case, assertion: &Assertion) -> bool {
    let is_seen = case.transform != Transform::LeftOut && assertion.transform != Transform::LeftOut;
    is_seen && !case.is_scored_by_code && assertion.broken.is_none()
}

fn asked(case: &Case, prompts: usize) -> usize {
    match &case.ask {
        Ask::Prompts { only, .. } => only.as_ref().map_or(prompts, Vec::len),
        Ask::Messages(lists) => lists.len(),
        Ask::Turns(turns) => turns.len(),
        Ask::Nothing => 0,
    }
}

fn sent(case: &Case, set: &Set) -> usize {
    let is_sent = |at: &usize| set.prompts.get(*at).is_some_and(|prompt| !prompt.is_left_out);
    match &case.ask {
        Ask::Prompts { only: Some(only), .. } => only.iter().filter(|at| is_sent(at)).count(),
        Ask::Prompts { only: None, .. } => (0..set.prompts.len()).filter(is_sent).count(),
        Ask::Messages(_) | Ask::Turns(_) | Ask::Nothing => asked(case, set.prompts.len()),
    }
}
