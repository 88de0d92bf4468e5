//! Which tools an answer calls: F1 over the sets of names.

use super::{Mark, Seen};
use crate::js;
use crate::limits::JSON_SEARCH_BYTES_MAX;
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) fn f1(seen: &Seen<'_>) -> Result<Mark, String> {
    let names: Vec<String> = match &seen.value {
        Some(Value::Array(items)) => items.iter().map(js::text).collect(),
        Some(Value::String(list)) => list.split(',').map(str::to_owned).collect(),
        _ => return Err("tool-call-f1 needs names of tools: a list, or a text with commas".to_owned()),
    };
    let expected: BTreeSet<String> =
        names.iter().map(|name| js::trim(name).to_owned()).filter(|name| !name.is_empty()).collect();
    if expected.is_empty() {
        return Err("tool-call-f1 needs at least one name of a tool".to_owned());
    }
    let mut called = BTreeSet::new();
    collect(seen.output, &mut called);
    seen.answer.tool_calls.iter().for_each(|call| collect(&Value::Array(vec![call.clone()]), &mut called));
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 names")]
    let share =
        |all: usize| if all == 0 { 0.0 } else { expected.intersection(&called).count() as f64 / all as f64 };
    let (precision, recall) = (share(called.len()), share(expected.len()));
    let score = if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 };
    let is_passed = (score >= seen.threshold.unwrap_or(1.0)) != seen.is_inverse;
    // The score is not turned round.
    Ok(Mark { is_passed, score })
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

/// Names of the tools that a value calls, in the shapes of several APIs.
fn collect(output: &Value, names: &mut BTreeSet<String>) {
    let mut add = |name: Option<&str>| {
        if let Some(name) = name {
            names.insert(name.to_owned());
        }
    };
    match output {
        Value::String(output) => match serde_json::from_str::<Value>(output) {
            Ok(Value::String(_)) | Err(_) => blocks(output).iter().for_each(|block| collect(block, names)),
            Ok(parsed) => collect(&parsed, names),
        },
        Value::Object(_) => {
            let calls = output.get("tool_calls").and_then(Value::as_array);
            let live = output.pointer("/toolCall/functionCalls").and_then(Value::as_array);
            if let Some(calls) = calls {
                for call in calls {
                    add(call.pointer("/function/name").and_then(Value::as_str));
                    add(text(call, "name"));
                }
            } else if matches!(text(output, "type"), Some("tool_use" | "function_call")) {
                add(text(output, "name"));
            } else if output.get("functionCall").is_some() {
                add(output.pointer("/functionCall/name").and_then(Value::as_str));
            } else if let Some(calls) = live {
                calls.iter().for_each(|call| add(text(call, "name")));
            }
        }
        Value::Array(items) => {
            for item in items {
                let named =
                    item.get("functionCall").or(item.get("function").filter(|function| function.is_object()));
                add(named.map_or_else(|| text(item, "name"), |named| text(named, "name")));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// JSON in a text that has lines of its own, outside of fences.
fn blocks(text: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut left = JSON_SEARCH_BYTES_MAX;
    let mut at = 0;
    let mut is_fenced = false;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let trimmed = line.trim_start();
        if trimmed.starts_with("```") || trimmed.starts_with("~~~") {
            is_fenced = !is_fenced;
            continue;
        }
        if is_fenced || !trimmed.starts_with(['{', '[']) {
            continue;
        }
        let from = start + (line.len() - trimmed.len());
        let rest = text.get(from..).unwrap_or_default();
        let Some(fewer) = left.checked_sub(rest.len()) else { return found };
        left = fewer;
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        if let Some(Ok(value)) = stream.next() {
            let end = stream.byte_offset();
            let ends_line = rest
                .get(end..)
                .is_some_and(|after| after.lines().next().is_none_or(|after| after.trim().is_empty()));
            if ends_line {
                found.push(value);
            }
        }
    }
    found
}
