//! Lines of RESULTS.

use crate::watchdog::results::{Answer, Changed, CheckResult, Line, Prompts, Round, Side, Sides};
use serde_json::json;

/// An answer to the prompt of this number.
pub(crate) fn answer(round: u32, prompt: usize, side: Side, pass: Option<bool>, text: &str) -> String {
    let check = |pass| CheckResult { check: "contains: Paris".to_owned(), pass, why: None };
    Line::Answer(Box::new(Answer {
        at: "2026-11-29T07:00:00Z".to_owned(),
        round,
        set: "a.yaml".to_owned(),
        case: format!("case {prompt}"),
        prompt,
        side,
        name: if side == Side::Version { "v2" } else { "v1" }.to_owned(),
        api: "chat".to_owned(),
        streamed: true,
        messages: vec![json!({"role": "user", "content": format!("question {prompt}")})],
        status: Some(200),
        outcome: Some("complete".to_owned()),
        finish: Some("stop".to_owned()),
        ttft_ms: Some(12),
        latency_ms: Some(90),
        prompt_tokens: Some(9),
        completion_tokens: Some(3),
        defects: Vec::new(),
        output: json!(text),
        tool_calls: Vec::new(),
        checked: true,
        pass,
        score: None,
        checks: pass.into_iter().map(check).collect(),
        unknown: None,
    }))
    .to_text()
}

/// A round with these prompts changed: case, and passes of both sides.
pub(crate) fn round(number: u32, changed: &[(&str, &str, &str)]) -> String {
    let changed = changed.iter().map(|(case, version, baseline)| Changed {
        set: "a.yaml".to_owned(),
        case: (*case).to_owned(),
        version: (*version).to_owned(),
        baseline: (*baseline).to_owned(),
        check: "contains: Paris".to_owned(),
    });
    Line::Round(Box::new(Round {
        verdict: "regression".to_owned(),
        round: number,
        prompts: Prompts { total: 50, worse: 12, same: 36, unknown: 2, ..Prompts::default() },
        pass_share: Sides { version: Some(0.6), baseline: Some(0.92) },
        log_e: 9.0,
        threshold: 6.5,
        judge: None,
        prompt_tokens: Default::default(),
        defects: Sides::default(),
        changed: changed.collect(),
        unknown_because: [("429".to_owned(), 4)].into(),
    }))
    .to_text()
}
