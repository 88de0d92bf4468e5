//! Checks of other tools than promptfoo, as their code has them: OpenAI evals 3.0.1, lm-eval 0.4.13, bfcl-eval 2026.3.23.

use super::{Answer, evaluate};
use crate::set::Assertion;
use crate::template::{Dialect, NoVariables, Templates};
use serde_json::{Map, Value, json};
use std::sync::Arc;

fn passes(kind: &str, value: Value, answer: &Answer) -> Option<bool> {
    let templates = Templates::new(Dialect::Nunjucks, Map::new(), Arc::new(NoVariables));
    evaluate(&Assertion::new(kind, Some(value)), answer, &Map::new(), &templates)
        .ok()
        .map(|mark| mark.is_passed)
}

fn said(text: &str) -> Answer {
    Answer { output: json!(text), ..Answer::default() }
}

fn called(calls: &[(&str, Value)]) -> Answer {
    let call = |(name, arguments): &(&str, Value)| json!({"function": {"name": name, "arguments": arguments.to_string()}});
    Answer {
        tool_calls: calls.iter().map(call).collect(),
        finish_reason: Some("tool_calls".to_owned()),
        ..Answer::default()
    }
}

#[test]
fn openai_evals_match() {
    for (kind, ideal, text, expect) in [
        ("Match", json!("Paris"), "Paris, of course", true),
        ("Match", json!("Paris"), " Paris", false),
        ("Match", json!(["x", "Par"]), "Paris", true),
        ("Includes", json!("paris"), "in Paris", false),
        ("Includes", json!("Paris"), "in Paris", true),
        ("FuzzyMatch", json!("The Eiffel Tower"), "eiffel tower!", true),
        ("FuzzyMatch", json!("tower"), "an Eiffel tower.", true),
        ("FuzzyMatch", json!("the"), "x", false),
        ("FuzzyMatch", json!("the"), "!", true),
        ("JsonMatch", json!("{\"a\": [1, 2.0]}"), "{\"a\": [1.0, 2]}", true),
        ("JsonMatch", json!("{\"a\": null}"), "{\"a\": null}", false),
        ("JsonMatch", json!("[1, 2]"), "[2, 1]", false),
        ("JsonMatch", json!("{\"a\": 1}"), "{\"a\": 1, \"b\": 2}", false),
        ("JsonMatch", json!("{}"), "no json", false),
        ("JsonValidator", json!(null), "[1]", true),
        ("JsonValidator", json!(null), "[1", false),
    ] {
        let found = passes(kind, json!({"ideal": ideal}), &said(text));
        assert_eq!(found, Some(expect), "{kind} {ideal} {text}");
    }
    assert_eq!(
        passes("Includes", json!({"ideal": "paris", "ignore_case": true}), &said("in Paris")),
        Some(true)
    );
    assert_eq!(passes("Match", json!({}), &said("x")), None);
}

#[test]
fn lm_eval_matches_what_its_filters_leave() {
    let strict = json!([{"function": "regex", "regex_pattern": "#### (\\-?[0-9\\.\\,]+)"}, {"function": "take_first"}]);
    let last =
        json!([{"function": "regex", "group_select": -1, "regex_pattern": "(-?[$0-9.,]{2,})|(-?[0-9]+)"}]);
    let ignored = json!([",", "\\$", "(?s).*#### ", "\\.$"]);
    for (filters, text, reference, expect) in [
        (&strict, "so\n#### 1,234", "x #### 1234", true),
        (&strict, "so 1234", "#### 1234", false),
        (&last, "from 3 to $18.00 and 18", "18", true),
        (&last, "it is 18.", "18", true),
        (&last, "none", "[invalid]", true),
    ] {
        let value = json!({"filters": filters, "references": [reference], "regexes_to_ignore": ignored, "ignore_case": true});
        assert_eq!(passes("exact_match", value, &said(text)), Some(expect), "{text}");
    }
    let cut = json!({"references": ["the Answer!"], "until": ["\n"], "filters": [{"function": "remove_whitespace"}], "ignore_case": true, "ignore_punctuation": true});
    assert_eq!(passes("exact_match", cut, &said(" The answer\nQ: more")), Some(true));
    assert_eq!(
        passes("exact_match", json!({"references": ["x"], "filters": [{"function": "own"}]}), &said("x")),
        None
    );
}

#[test]
fn bfcl_calls_are_compared_value_by_value() {
    let truth = json!({"ground_truth": [{"a.b": {"x": [1, 2], "name": ["New York", "NY"], "opt": ["", 5]}}], "functions": [{"name": "a.b", "parameters": {"required": ["x"]}}]});
    for (calls, expect) in [
        (vec![("a_b", json!({"x": 1.0, "name": "new-york"}))], true),
        (vec![("a_b", json!({"x": 2, "name": "NY", "opt": 5}))], true),
        (vec![("a_b", json!({"x": 3, "name": "NY"}))], false),
        (vec![("a_b", json!({"name": "NY"}))], false),
        (vec![("a_b", json!({"x": 1, "name": "NY", "more": 1}))], false),
        (vec![("other", json!({"x": 1, "name": "NY"}))], false),
        (vec![], false),
    ] {
        assert_eq!(passes("tool-call-ast", truth.clone(), &called(&calls)), Some(expect), "{calls:?}");
    }
    let two = json!({"ground_truth": [{"f": {"a": [1]}}, {"f": {"a": [2]}}], "functions": []});
    assert_eq!(
        passes("tool-call-ast", two, &called(&[("f", json!({"a": 2})), ("f", json!({"a": 1}))])),
        Some(true)
    );
    assert_eq!(passes("no-tool-call", Value::Null, &called(&[])), Some(true));
    assert_eq!(passes("no-tool-call", Value::Null, &called(&[("f", json!({}))])), Some(false));
}

#[test]
fn calls_fit_the_schemas_of_offered_tools() {
    let tools = vec![
        json!({"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]}}}),
    ];
    for (calls, expect) in [
        (vec![("f", json!({"a": 1}))], true),
        (vec![("f", json!({"a": "1"}))], false),
        (vec![("g", json!({"a": 1}))], false),
        (vec![], false),
    ] {
        let answer = Answer { tools: tools.clone(), ..called(&calls) };
        assert_eq!(passes("tool-call-schema", Value::Null, &answer), Some(expect), "{calls:?}");
        assert_eq!(passes("is-valid-openai-tools-call", Value::Null, &answer), Some(expect), "{calls:?}");
    }
    // Without a call, and without saying that there is one, nothing is wrong.
    assert_eq!(passes("tool-call-schema", Value::Null, &said("hi")), Some(true));
}
