use super::{counts, figures, messages};
use serde_json::json;

#[test]
fn prompts_times_tests_times_variables() {
    let text = "
prompts: ['Say {{a}} to {{b}}', 'Shout {{a}}', 'Shout {{a}}']
providers: [openai:x]
defaultTest: {assert: [{type: contains, value: a}]}
tests:
- vars: {a: [hi, bye], b: [Ann, Bob]}
- vars: {a: [1, 2], b: x}
  assert: [{type: not-regex, value: '^b'}, {type: assert-set, assert: [{type: is-json}, {type: llm-rubric, value: kind}]}]
";
    let found = figures("promptfooconfig.yaml", text, &[]);
    assert_eq!((found.format, found.cases, found.prompts, found.requests), ("promptfoo-config", 5, 2, 10));
    assert_eq!(found.checks, counts(&[("contains", 5), ("is-json", 1), ("not-regex", 1)]));
    assert_eq!((found.judge, found.left_out), (counts(&[("llm-rubric", 1)]), counts(&[])));
    let asked = messages("promptfooconfig.yaml", text, &[]);
    assert_eq!(asked[0], json!([{"role": "user", "content": "Say hi to Ann"}]));
    assert_eq!(asked[2], json!([{"role": "user", "content": "Say hi to Bob"}]));
    assert_eq!(asked[8], json!([{"role": "user", "content": "Say 1,2 to x"}]));
}

#[test]
fn files_of_prompts_tests_variables_and_values() {
    let text = "
prompts: [file://p.txt, p/*.json, file://chat.yaml]
providers: [{id: openai:x, config: {temperature: 0.2, max_tokens: 9, tools: file://tools.json}}]
tests: [cases.csv, file://more/*.yaml]
";
    let beside = [
        ("p.txt", "first {{q}}\n---\nsecond {{q}}\n---\n"),
        ("p/a.json", "[{\"role\": \"user\", \"content\": \"{{q}}!\"}]"),
        ("chat.yaml", "- {role: system, content: be short}\n- {role: user, content: '{{q}}'}\n"),
        ("tools.json", "[{\"type\": \"function\", \"function\": {\"name\": \"f\"}}]"),
        (
            "cases.csv",
            "q,__expected,__expected2\n\"a \"\"b\"\"\",contains: x,\"is-json: {\"\"type\"\": \"\"object\"\"}\"\nc,,\n",
        ),
        (
            "more/one.yaml",
            "- vars: {q: file://more/q.txt}\n  assert: [{type: is-json, value: file://schema.json}]\n",
        ),
        ("more/q.txt", " long \n"),
        ("schema.json", "{\"type\": \"object\"}"),
    ];
    let found = figures("promptfooconfig.yaml", text, &beside);
    assert_eq!((found.cases, found.prompts, found.requests), (3, 4, 12));
    assert_eq!(found.checks, counts(&[("contains", 1), ("is-json", 2)]));
    assert_eq!(found.warnings, Vec::<String>::new());
    let asked = messages("promptfooconfig.yaml", text, &beside);
    assert_eq!(asked[2], json!([{"role": "user", "content": "a \"b\"!"}]));
    assert_eq!(
        asked[11],
        json!([{"role": "system", "content": "be short"}, {"role": "user", "content": "long"}])
    );
}

#[test]
fn what_is_left_out_is_named_and_counted() {
    let text = "
prompts: [prompts.py:ask, exec:ask.sh, file://ask.js, 'plain {{q}}', langfuse://x]
providers: [python:mine.py, {id: file://mine.js}, openai:x]
nunjucksFilters: {shout: ./shout.js}
extensions: [file://hook.py:beforeAll]
defaultTest: {options: {transform: 'output.split(1)'}}
tests:
- vars: {q: 1}
  options: {transform: output.trim(), transformVars: x}
  assertScoringFunction: file://score.js
  assert: [{type: javascript, value: 'true'}, {type: similar, value: x}, {type: not-empty}, {type: equals, value: x, transform: output.x()}]
- vars: {q: 2}
  assert: [{type: equals, value: file://v.js}, {value: x}, {type: contains, value: y}]
- gen.py
- huggingface://datasets/x
";
    let found = figures("promptfooconfig.yaml", text, &[]);
    let expected = [
        ("assert without type", 1),
        ("assert.transform", 1),
        ("assert.value.code", 1),
        ("default.options.transform", 1),
        ("javascript", 1),
        ("network", 2),
        ("not-empty", 1),
        ("options.transformVars", 1),
        ("prompt.code", 3),
        ("provider.custom-code", 2),
        ("similar", 1),
        ("test.assertScoringFunction", 1),
        ("tests.code", 1),
        ("top.extensions", 1),
        ("top.nunjucksFilters", 1),
    ];
    assert_eq!(found.left_out, counts(&expected));
    assert_eq!((found.cases, found.prompts, found.requests, found.requests_sent), (2, 5, 10, 2));
    // One is scored by code, the other seen through it.
    assert_eq!(found.cases_without_check, 2);
    assert!(
        found.warnings.iter().any(|words| words.contains("3 checks") || words.contains("only through code")),
        "{:?}",
        found.warnings
    );
}

#[test]
fn mistakes_of_authors_are_named() {
    let text = "
prompts: [file://none.txt, 'Rate a/b: {{q}}']
providers: [openai:x]
tests:
- vars: {q: 1, assert: [{type: contains, value: x}]}
  assert: [{type: Contains, value: x}]
- vars: {q: file://gone.txt}
";
    let found = figures("promptfooconfig.yaml", text, &[]);
    assert_eq!((found.cases, found.prompts, found.requests), (2, 2, 4));
    for part in ["none.txt", "under `vars`", "no check of type \"Contains\"", "is taken as text", "gone.txt"]
    {
        assert!(found.warnings.iter().any(|words| words.contains(part)), "{part}: {:?}", found.warnings);
    }
}

#[test]
fn scenarios_references_and_repeats() {
    let text = "
prompts: ['{{a}} {{b}}']
providers: [openai:x]
t: {c: {type: contains, value: c}}
scenarios:
- config: [{vars: {a: 1}}, {vars: {a: [x, y]}, assert: [{$ref: '#/t/c'}]}]
  tests: [{vars: {b: 1}}, {vars: {b: 2}, options: {repeat: 2}}]
";
    let found = figures("promptfooconfig.yaml", text, &[]);
    assert_eq!((found.cases, found.requests, found.checks), (9, 9, counts(&[("contains", 6)])));
}

#[test]
fn tests_and_checks_stand_alone() {
    let tests = "- vars: {prompt: hi}\n  assert: [{type: equals, value: ho}]\n- vars: {prompt: [a, b]}\n";
    let found = figures("tests.yaml", tests, &[]);
    assert_eq!(
        (found.format, found.cases, found.requests, found.checks),
        ("promptfoo-tests", 3, 3, counts(&[("equals", 1)]))
    );
    assert_eq!(messages("tests.yaml", tests, &[])[0], json!([{"role": "user", "content": "hi"}]));
    let checks = "- type: icontains\n  value: hi\n";
    let found = figures("asserts.yaml", checks, &[("outputs.json", "[\"Hi\", {\"output\": \"Ho\"}]")]);
    assert_eq!(
        (found.format, found.cases, found.requests, found.checks),
        ("promptfoo-assertion-list", 2, 0, counts(&[("icontains", 2)]))
    );
    assert!(figures("asserts.yaml", checks, &[]).warnings[0].contains("outputs.json"));
}
