use super::{ANSWERS, Grader, Marks, Met, Prompt, Reply, Standing, results};
use crate::watchdog::results::{Line, Side};
use llm_canary_sets::import::{Source, read};
use llm_canary_sets::request;
use llm_canary_sets::set::Set;
use llm_canary_sets::template::{NoVariables, Variables};
use llm_canary_sets::tree::{Entry, Neighbours, Tree, Unreadable};
use serde_json::{Value, json};
use std::sync::Arc;

/// No files.
#[derive(Debug)]
pub(crate) struct Nothing;

impl Neighbours for Nothing {
    fn read(&self, _: &str, _: Option<&str>) -> Result<Vec<u8>, Unreadable> {
        Err(Unreadable::Missing)
    }

    fn list(&self, _: &str, _: Option<&str>) -> Result<Vec<Entry>, Unreadable> {
        Err(Unreadable::Missing)
    }
}

/// A set of this text.
pub(crate) fn set(text: &str) -> Set {
    let process: Arc<dyn Variables> = Arc::new(NoVariables);
    let tree = Tree::new(&Nothing, false);
    read(text.as_bytes(), &Source { path: "promptfooconfig.yaml", tree: &tree, process: &process }).unwrap()
}

fn reply(text: &str) -> Reply {
    Reply {
        standing: Standing::Answered,
        status: Some(200),
        outcome: Some("complete"),
        finish: Some("stop"),
        ttft_ms: None,
        latency_ms: Some(10),
        prompt_tokens: None,
        completion_tokens: None,
        defects: Vec::new(),
        text: text.to_owned(),
        calls: Vec::new(),
    }
}

/// Grades a reply by checks in promptfoo's words.
fn graded(checks: &Value, reply: &Reply) -> Marks {
    let config = json!({"prompts": ["Capital of {{country}}?"], "providers": ["echo"], "tests": [{"vars": {"country": "France", "city": "Paris"}, "assert": checks}]});
    let set = set(&config.to_string());
    let request = request::of_case(&set, 0, &Tree::new(&Nothing, false)).remove(0).unwrap();
    let prompt = Prompt { set: "a", of: &set, case: &set.cases[0], request };
    Grader::new().grade(&prompt, reply)
}

#[test]
fn each_check_is_named_and_all_together_decide() {
    let checks =
        json!([{"type": "contains", "value": "{{city}}"}, {"type": "not-contains", "value": "London"}]);
    let marks = graded(&checks, &reply("It is Paris."));
    assert_eq!((marks.pass, marks.score, marks.checked), (Some(true), Some(1.0), true));
    let marks = graded(&checks, &reply("London"));
    assert_eq!((marks.pass, marks.score), (Some(false), Some(0.0)));
    let names: Vec<(&str, bool)> = marks.checks.iter().map(|one| (one.check.as_str(), one.pass)).collect();
    assert_eq!(names, [("contains: {{city}}", false), ("not-contains: London", false)]);
}

#[test]
fn what_was_measured_is_checked() {
    let latency = |threshold: u64| json!([{"type": "latency", "threshold": threshold}, {"type": "finish-reason", "value": "stop"}]);
    assert_eq!(graded(&latency(10), &reply("x")).pass, Some(true));
    assert_eq!(graded(&latency(9), &reply("x")).pass, Some(false));
}

#[test]
fn calls_are_checked_without_text() {
    let call = json!({"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}});
    let reply = Reply { text: String::new(), calls: vec![call], ..reply("") };
    assert_eq!(graded(&json!([{"type": "tool-call-f1", "value": ["weather"]}]), &reply).pass, Some(true));
    assert_eq!(graded(&json!([{"type": "tool-call-f1", "value": ["news"]}]), &reply).pass, Some(false));
}

#[test]
fn a_failure_fails_whatever_the_checks_say() {
    let failed = Reply { standing: Standing::Failed("status 500".to_owned()), ..reply("") };
    let marks = graded(&json!([{"type": "not-contains", "value": "London"}]), &failed);
    assert_eq!((marks.pass, marks.checked), (Some(false), true));
    assert_eq!(
        (marks.checks[0].check.as_str(), marks.checks[0].why.as_deref()),
        ("answers", Some("status 500"))
    );
}

#[test]
fn what_is_unknown_neither_passes_nor_fails() {
    let unknown = Reply { standing: Standing::Unknown("429".to_owned()), ..reply("") };
    let marks = graded(&json!([{"type": "contains", "value": "x"}]), &unknown);
    assert_eq!((marks.pass, marks.unknown.as_deref()), (None, Some("429")));
    let wrong = graded(&json!([{"type": "latency"}]), &reply("x"));
    assert_eq!((wrong.pass, wrong.unknown.as_deref()), (None, Some("check: latency needs a threshold")));
}

#[test]
fn a_case_without_a_check_fails_only_by_a_failure_or_a_defect() {
    let none = json!([{"type": "llm-rubric", "value": "is kind"}]);
    let marks = graded(&none, &reply("x"));
    assert_eq!((marks.pass, marks.checked, marks.checks.len()), (None, false, 0));
    let defective = Reply { defects: vec!["repetition"], ..reply("x") };
    let marks = graded(&none, &defective);
    assert_eq!((marks.pass, marks.checks[0].why.as_deref()), (Some(false), Some("repetition")));
    let failed = Reply { standing: Standing::Failed("status 500".to_owned()), ..reply("") };
    assert_eq!(graded(&none, &failed).pass, Some(false));
}

#[test]
fn long_values_are_cut_in_names() {
    let marks = graded(&json!([{"type": "contains", "value": "a\n".repeat(99)}]), &reply("x"));
    assert!(marks.checks[0].check.chars().count() < 80 && marks.checks[0].check.ends_with('…'));
}

/// Grades an answer by checks, and by a judge that says this of each criterion.
fn judged(checks: &Value, text: &str, met: Result<bool, &str>) -> results::Answer {
    let config = json!({"prompts": ["Hi"], "providers": ["echo"], "tests": [{"assert": checks}]});
    let set = set(&config.to_string());
    let request = request::of_case(&set, 0, &Tree::new(&Nothing, false)).remove(0).unwrap();
    let prompt = Prompt { set: "a", of: &set, case: &set.cases[0], request };
    let grader = Grader::new();
    let marks = grader.grade(&prompt, &reply(text));
    let line = crate::tests::results::answer(1, 0, Side::Version, marks.pass, text);
    let Ok(Line::Answer(mut answer)) = Line::parse(&line) else { panic!("{line}") };
    (answer.checks, answer.unknown) = (marks.checks, marks.unknown);
    let met = met.map(|is_met| Met {
        is_met,
        score: f64::from(u8::from(is_met)),
        reason: Some("it is kind".to_owned()),
    });
    let said = |criterion| (criterion, met.clone().map_err(str::to_owned));
    let said: Vec<_> = grader.criteria(&prompt, &answer).unwrap().into_iter().map(said).collect();
    assert_eq!(said.len(), 1);
    grader.grade_judged(&prompt, &mut answer, &said);
    *answer
}

#[test]
fn a_judge_decides_beside_other_checks() {
    let checks = json!([{"type": "contains", "value": "Hello"}, {"type": "llm-rubric", "value": "is kind"}]);
    let pass = |text: &str, met| judged(&checks, text, met).pass;
    assert_eq!(pass("Hello", Ok(true)), Some(true));
    assert_eq!(pass("Hello", Ok(false)), Some(false));
    assert_eq!(pass("Go", Ok(true)), Some(false));
    let answer = judged(&checks, "Hello", Ok(false));
    let said: Vec<_> =
        answer.checks.iter().map(|one| (one.check.as_str(), one.pass, one.why.as_deref())).collect();
    assert_eq!(said, [("contains: Hello", true, None), ("llm-rubric: is kind", false, Some("it is kind"))]);
    // A judge that is down says nothing of the answer.
    let answer = judged(&checks, "Hello", Err("judge 429"));
    assert_eq!((answer.checked, answer.pass, answer.unknown.as_deref()), (true, None, Some("judge 429")));
    let alone = json!([{"type": "llm-rubric", "value": "is kind"}]);
    assert_eq!(judged(&alone, "Hello", Ok(true)).pass, Some(true));
}

#[test]
fn of_no_answer_nothing_is_asked() {
    let config =
        json!({"prompts": ["Hi"], "tests": [{"assert": [{"type": "llm-rubric", "value": "is kind"}]}]});
    let set = set(&config.to_string());
    let request = request::of_case(&set, 0, &Tree::new(&Nothing, false)).remove(0).unwrap();
    let prompt = Prompt { set: "a", of: &set, case: &set.cases[0], request };
    let line = crate::tests::results::answer(1, 0, Side::Version, Some(false), "");
    let Ok(Line::Answer(mut answer)) = Line::parse(&line) else { panic!("{line}") };
    assert_eq!(Grader::new().criteria(&prompt, &answer).unwrap().len(), 1);
    answer.checks[0].check = ANSWERS.to_owned();
    assert_eq!(Grader::new().criteria(&prompt, &answer), Ok(Vec::new()), "a version that failed");
    answer.checks.clear();
    answer.unknown = Some("429".to_owned());
    assert_eq!(Grader::new().criteria(&prompt, &answer), Ok(Vec::new()));
}
