//! What a dry run shows: sets in figures, and requests.

use llm_canary_sets::report::Report;
use llm_canary_sets::request::Request;
use llm_canary_sets::set::{Counts, Set};
use serde_json::{Map, Value, json};

/// Bytes of a text that are about one token.
const BYTES_PER_TOKEN: usize = 4;
/// A round asks this many versions.
const VERSIONS: usize = 2;

/// What all sets ask of one version in a round.
#[derive(Default)]
pub(super) struct Totals {
    requests: usize,
    bytes: usize,
}

impl Totals {
    pub(super) fn add(&mut self, request: &Request) {
        self.requests = self.requests.saturating_add(1 + request.turns.len());
        let turns: usize = request.turns.iter().map(String::len).sum();
        let messages: usize = request.messages.iter().map(|message| text_of(message).len()).sum();
        self.bytes = self.bytes.saturating_add(messages + turns);
    }

    fn per_round(&self) -> usize {
        self.requests.saturating_mul(VERSIONS)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an estimate of what is not negative"
    )]
    fn per_day(count: usize, rounds_per_day: f64) -> u64 {
        (count as f64 * rounds_per_day).round() as u64
    }

    pub(super) fn add_to(&self, json: &mut Map<String, Value>, rounds_per_day: f64) {
        let tokens = self.bytes.saturating_mul(VERSIONS) / BYTES_PER_TOKEN;
        json.insert("requests_per_round".to_owned(), self.per_round().into());
        json.insert("calls_per_day".to_owned(), Self::per_day(self.per_round(), rounds_per_day).into());
        json.insert(
            "estimated_prompt_tokens_per_day".to_owned(),
            Self::per_day(tokens, rounds_per_day).into(),
        );
    }

    pub(super) fn words(&self, rounds_per_day: f64) -> String {
        let tokens = self.bytes.saturating_mul(VERSIONS) / BYTES_PER_TOKEN;
        format!(
            "A round asks both versions {} requests: {} a day, with about {} tokens of prompts",
            self.per_round(),
            Self::per_day(self.per_round(), rounds_per_day),
            Self::per_day(tokens, rounds_per_day)
        )
    }
}

/// The text of a message; the texts of its parts, if it has parts.
fn text_of(message: &Value) -> String {
    match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(content) => content.to_string(),
        None => String::new(),
    }
}

/// A set in JSON.
pub(super) fn entry(name: &str, report: &Report) -> Value {
    json!({
        "file": name, "format": report.format, "cases": report.cases, "prompts": report.prompts, "requests": report.requests,
        "checks": report.checks, "judge": report.judge, "left_out": report.left_out, "cases_without_check": report.cases_without_check,
        "warnings": report.warnings,
    })
}

/// A set in words.
pub(super) fn lines(name: &str, report: &Report) -> Vec<String> {
    let mut lines = vec![format!(
        "{name}: {}, {} cases, {} prompts, {} requests to each version",
        report.format, report.cases, report.prompts, report.requests
    )];
    for (what, counts) in
        [("checks", &report.checks), ("judge", &report.judge), ("left out", &report.left_out)]
    {
        if !counts.is_empty() {
            lines.push(format!("  {what:<9} {}", listed(counts)));
        }
    }
    if report.cases_without_check > 0 {
        lines.push(format!(
            "  {} cases keep no check that can be evaluated without a judge",
            report.cases_without_check
        ));
    }
    lines
}

pub(super) fn listed(counts: &Counts) -> String {
    counts.iter().map(|(kind, count)| format!("{kind} {count}")).collect::<Vec<_>>().join(", ")
}

fn case_name(set: &Set, request: &Request) -> String {
    set.cases.get(request.case).map(|case| case.name.clone()).unwrap_or_default()
}

/// A request as a line of JSON.
pub(super) fn request_line(name: &str, set: &Set, request: &Request) -> Value {
    let variables = set.cases.get(request.case).map(|case| case.variables.clone()).unwrap_or_default();
    let line = json!({
        "set": name, "case": case_name(set, request), "number": request.case, "prompt": request.prompt,
        "messages": request.messages, "vars": variables,
    });
    let Value::Object(mut line) = line else { return Value::Null };
    if !request.turns.is_empty() {
        line.insert("turns".to_owned(), json!(request.turns));
    }
    if !request.body.is_empty() {
        line.insert("body".to_owned(), json!(request.body));
    }
    Value::Object(line)
}

/// A request in words.
pub(super) fn request_text(name: &str, set: &Set, request: &Request) -> String {
    let mut text = format!("--- {name}: {}", case_name(set, request));
    for message in &request.messages {
        let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
        text.push_str(&format!("\n{role}: {}", text_of(message)));
    }
    for turn in &request.turns {
        text.push_str(&format!("\nthen user: {turn}"));
    }
    text
}
