use super::{Answer, CheckResult, Choice, Line, Prompts, Round, Side, Sides, Vote};
use serde_json::{Value, json};

fn answer() -> Answer {
    Answer {
        at: "2026-11-29T07:00:00Z".to_owned(),
        round: 1,
        set: "a.yaml".to_owned(),
        case: "capital".to_owned(),
        prompt: 3,
        side: Side::Version,
        name: "v2".to_owned(),
        api: "chat".to_owned(),
        streamed: true,
        messages: vec![json!({"role": "user", "content": "a\nb"})],
        status: Some(200),
        outcome: Some("complete".to_owned()),
        finish: Some("stop".to_owned()),
        ttft_ms: Some(12),
        latency_ms: Some(90),
        prompt_tokens: Some(9),
        completion_tokens: None,
        defects: vec!["repetition".to_owned()],
        output: json!("Paris\u{2028}"),
        tool_calls: Vec::new(),
        checked: true,
        pass: Some(true),
        score: Some(1.0),
        checks: vec![CheckResult { check: "contains: Paris".to_owned(), pass: true, why: None }],
        unknown: None,
    }
}

fn round() -> Round {
    Round {
        verdict: "fine".to_owned(),
        round: 4,
        prompts: Prompts { total: 1, same: 1, ..Prompts::default() },
        pass_share: Sides { version: Some(1.0), baseline: None },
        log_e: 0.0,
        threshold: 3.7,
        judge: None,
        prompt_tokens: super::PromptTokens::default(),
        defects: Sides::default(),
        changed: Vec::new(),
        unknown_because: [("429".to_owned(), 2)].into(),
    }
}

#[test]
fn lines_are_read_as_they_were_written() {
    let vote = Vote {
        at: String::new(),
        round: 0,
        set: String::new(),
        case: String::new(),
        prompt: 0,
        doubled: false,
        first: Side::Baseline,
        vote: Some(Choice::Tie),
        reply: None,
        unknown: None,
    };
    for line in [Line::Answer(Box::new(answer())), Line::Vote(vote), Line::Round(Box::new(round()))] {
        let text = line.to_text();
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert_eq!(Line::parse(&text).unwrap(), line);
    }
}

#[test]
fn names_are_as_documented() {
    let value = |line: Line| serde_json::from_str::<Value>(&line.to_text()).unwrap();
    let written = value(Line::Answer(Box::new(answer())));
    assert_eq!((&written["line"], &written["side"]), (&json!("answer"), &json!("version")));
    assert_eq!(written["checks"][0], json!({"check": "contains: Paris", "pass": true, "why": null}));
    let written = value(Line::Round(Box::new(round())));
    assert_eq!(written["line"], "round");
    assert_eq!(written["judge"], Value::Null);
    assert_eq!(written["pass_share"], json!({"version": 1.0, "baseline": null}));
}

#[test]
fn what_is_no_line_is_refused_and_unknown_fields_are_left_out() {
    for text in ["", "{}", "[]", "{\"line\":\"other\"}", "{\"line\":\"vote\"}"] {
        assert!(Line::parse(text).is_err_and(|words| words.starts_with("is no line of results")), "{text}");
    }
    let mut known = serde_json::from_str::<Value>(&Line::Round(Box::new(round())).to_text()).unwrap();
    known["later"] = json!(1);
    assert!(Line::parse(&known.to_string()).is_ok());
}
