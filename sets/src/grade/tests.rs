use super::{checks_of, grade_judged, grade_offline};
use crate::check::{Answer, Mark};
use crate::judged::{Wants, criteria};
use crate::set::{Case, Transform};
use crate::template::{Dialect, NoVariables, Templates};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

fn templates() -> Templates {
    Templates::new(Dialect::Nunjucks, Map::new(), Arc::new(NoVariables))
}

fn case(checks: Value) -> Case {
    Case { checks: checks_of(checks.as_array().unwrap()).unwrap(), ..Case::default() }
}

fn answer(text: &str) -> Answer {
    Answer { output: json!(text), ..Answer::default() }
}

/// What is said of an answer, if the judge says this of these checks.
fn judged(case: &Case, text: &str, marks: &[(usize, bool)]) -> Option<bool> {
    let mark = |is_passed: bool| Mark { is_passed, score: f64::from(u8::from(is_passed)) };
    let marks: BTreeMap<usize, Mark> = marks.iter().map(|(index, passes)| (*index, mark(*passes))).collect();
    grade_judged(case, &answer(text), &Map::new(), &templates(), &marks).map(|grade| {
        assert_eq!(grade.error, None);
        grade.is_passed
    })
}

#[test]
fn marks_of_a_judge_count_like_any_other() {
    let case = case(json!([
        {"type": "contains", "value": "Paris"},
        {"type": "assert-set", "threshold": 0.5, "assert": [{"type": "llm-rubric", "value": "a"}, {"type": "llm-rubric", "value": "b"}]},
        {"type": "llm-rubric", "value": "c", "weight": 0},
    ]));
    assert_eq!(judged(&case, "Paris", &[]), Some(true), "without a judge only the first check counts");
    assert_eq!(judged(&case, "Rome", &[]), Some(false));
    assert_eq!(judged(&case, "Paris", &[(1, true), (2, false), (3, true)]), Some(true), "half is enough");
    assert_eq!(judged(&case, "Paris", &[(1, false), (2, false), (3, true)]), Some(false));
    assert_eq!(
        judged(&case, "Paris", &[(1, true), (2, true), (3, false)]),
        Some(true),
        "a weight of 0 reports"
    );
}

#[test]
fn a_case_of_judged_checks_alone_needs_the_judge() {
    let case = case(json!([{"type": "llm-rubric", "value": "polite"}, {"type": "javascript", "value": "x"}]));
    assert_eq!(grade_offline(&case, &answer("a"), &Map::new(), &templates()), None);
    assert_eq!(judged(&case, "a", &[(0, true)]), Some(true));
    assert_eq!(judged(&case, "a", &[(0, false)]), Some(false));
}

#[test]
fn criteria_are_rendered_and_numbered() {
    let case = case(json!([
        {"type": "contains", "value": "x"},
        {"type": "assert-set", "assert": [{"type": "not-llm-rubric", "value": "names {{city}}"}, {"type": "equals", "value": "y"}]},
        {"type": "g-eval", "value": ["is short", "is {{tone}}"]},
        {"type": "factuality", "value": "Paris"},
        {"type": "context-recall", "value": "needs a context"},
    ]));
    let variables = json!({"city": "Paris", "tone": "kind"});
    let criteria = criteria(&case, variables.as_object().unwrap(), &templates()).unwrap();
    let seen: Vec<_> =
        criteria.iter().map(|one| (one.index, one.wants, one.text.as_str(), one.threshold)).collect();
    assert_eq!(
        seen,
        [
            (1, Wants::Criterion, "names Paris", None),
            (3, Wants::Criterion, "- is short\n- is kind", Some(0.7)),
            (4, Wants::NoContradiction, "Paris", None),
        ]
    );
    assert!(!criteria[0].mark(true, 1.0).is_passed, "it is turned round");
    assert!(criteria[0].mark(false, 0.0).is_passed);
    assert!(
        criteria[1].mark(false, 0.7).is_passed && !criteria[1].mark(true, 0.6).is_passed,
        "the threshold counts"
    );
}

#[test]
fn wrong_criteria_are_errors_and_code_leaves_them_out() {
    let wrong = case(json!([{"type": "llm-rubric"}]));
    assert!(criteria(&wrong, &Map::new(), &templates()).is_err_and(|words| words.contains("needs a text")));
    let behind_code =
        Case { transform: Transform::LeftOut, ..case(json!([{"type": "llm-rubric", "value": "polite"}])) };
    assert_eq!(criteria(&behind_code, &Map::new(), &templates()), Ok(Vec::new()));
}
