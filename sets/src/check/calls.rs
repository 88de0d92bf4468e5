//! Calls of tools: whether they fit the schemas of the tools that were offered, and whether they are the right ones.

use super::{Mark, Seen, schema::Schema};
use crate::js;
use serde_json::{Map, Value};

/// promptfoo's rule for tool calls of chat completions: known names, and arguments that fit.
pub(super) fn of_openai(seen: &Seen<'_>) -> Mark {
    if seen.text.contains("MCP Tool Error") {
        return Mark::of(false);
    }
    if seen.text.contains("MCP Tool Result") {
        return Mark::of(true);
    }
    let calls = match seen.output.get("tool_calls").unwrap_or(seen.output) {
        Value::Array(calls) => calls.as_slice(),
        _ => seen.answer.tool_calls.as_slice(),
    };
    Mark::of(!calls.is_empty() && calls.iter().all(|call| fits(call, &seen.answer.tools)))
}

/// promptfoo's rule for one function call.
pub(super) fn of_function(seen: &Seen<'_>) -> Mark {
    let call = seen.output.get("function_call").unwrap_or(seen.output);
    let call = serde_json::json!({"function": call});
    Mark::of(fits(&call, &seen.answer.tools))
}

/// The rule of K2's verifier: calls, where there are any, are valid.
pub(super) fn fit_their_schemas(seen: &Seen<'_>) -> Mark {
    let calls = &seen.answer.tool_calls;
    let says_so = seen.answer.finish_reason.as_deref() == Some("tool_calls");
    Mark::of(if calls.is_empty() {
        !says_so
    } else {
        calls.iter().all(|call| fits(call, &seen.answer.tools))
    })
}

fn fits(call: &Value, tools: &[Value]) -> bool {
    let Some(function) = call.get("function") else { return false };
    let name = function.get("name").and_then(Value::as_str);
    let arguments = function.get("arguments").and_then(Value::as_str);
    let (Some(name), Some(arguments)) = (name, arguments) else { return false };
    let functions = tools.iter().map(|tool| tool.get("function").unwrap_or(tool));
    let Some(tool) =
        functions.into_iter().find(|tool| tool.get("name").and_then(Value::as_str) == Some(name))
    else {
        return false;
    };
    let Ok(arguments) = serde_json::from_str::<Value>(arguments) else { return false };
    match tool.get("parameters") {
        Some(parameters) => Schema::new(parameters).is_ok_and(|schema| schema.fits(&arguments)),
        None => true,
    }
}

/// BFCL's rule: each call that is expected is made, once, with accepted values, in any order.
pub(super) fn are_right(seen: &Seen<'_>) -> Result<Mark, String> {
    let value = seen.value.as_ref().ok_or("tool-call-ast has nothing to compare with")?;
    let expected = value
        .get("ground_truth")
        .and_then(Value::as_array)
        .ok_or("tool-call-ast has nothing to compare with")?;
    let functions = value.get("functions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut calls: Vec<(String, Map<String, Value>)> = Vec::new();
    for call in &seen.answer.tool_calls {
        let name = call.pointer("/function/name").and_then(Value::as_str);
        let arguments = call
            .pointer("/function/arguments")
            .and_then(Value::as_str)
            .and_then(|text| serde_json::from_str::<Value>(text).ok());
        let (Some(name), Some(Value::Object(arguments))) = (name, arguments) else {
            return Ok(Mark::of(false));
        };
        calls.push((name.to_owned(), arguments));
    }
    if calls.len() != expected.len() {
        return Ok(Mark::of(false));
    }
    let mut left: Vec<&(String, Map<String, Value>)> = calls.iter().collect();
    for right in expected.iter().filter_map(Value::as_object).flatten() {
        let (name, parameters) = right;
        let Some(at) = left.iter().position(|(called, arguments)| {
            *called == name.replace('.', "_")
                && is_accepted(arguments, parameters, description(functions, name))
        }) else {
            return Ok(Mark::of(false));
        };
        left.remove(at);
    }
    Ok(Mark::of(true))
}

fn description<'a>(functions: &'a [Value], name: &str) -> Option<&'a Value> {
    functions.iter().find(|function| function.get("name").and_then(Value::as_str) == Some(name))
}

fn is_accepted(arguments: &Map<String, Value>, parameters: &Value, function: Option<&Value>) -> bool {
    let Some(parameters) = parameters.as_object() else { return false };
    let required =
        function.and_then(|function| function.pointer("/parameters/required")).and_then(Value::as_array);
    let has_required =
        required.into_iter().flatten().filter_map(Value::as_str).all(|name| arguments.contains_key(name));
    let is_known = arguments.iter().all(|(name, value)| {
        parameters.get(name).and_then(Value::as_array).is_some_and(|accepted| is_one_of(value, accepted))
    });
    // An empty text among the accepted values means that it may be left out.
    let is_whole = parameters.iter().all(|(name, accepted)| {
        arguments.contains_key(name)
            || accepted
                .as_array()
                .is_some_and(|accepted| accepted.iter().any(|value| value.as_str() == Some("")))
    });
    has_required && is_known && is_whole
}

fn is_one_of(value: &Value, accepted: &[Value]) -> bool {
    accepted.iter().any(|accepted| match (value, accepted) {
        // The values of an object are lists of accepted ones again.
        (Value::Object(fields), Value::Object(known)) => {
            let is_known = fields.iter().all(|(name, value)| {
                known.get(name).and_then(Value::as_array).is_some_and(|accepted| is_one_of(value, accepted))
            });
            let is_whole = known.iter().all(|(name, accepted)| {
                fields.contains_key(name)
                    || accepted
                        .as_array()
                        .is_some_and(|accepted| accepted.iter().any(|value| value.as_str() == Some("")))
            });
            is_known && is_whole
        }
        (Value::Array(items), Value::Array(known)) if known.iter().any(Value::is_object) => {
            items.len() == known.len()
                && items.iter().zip(known).all(|(item, known)| is_one_of(item, std::slice::from_ref(known)))
        }
        (value, accepted) => js::is_equal(&standard(value), &standard(accepted)),
    })
}

/// Texts without case, spaces and some marks.
fn standard(value: &Value) -> Value {
    match value {
        Value::String(text) => {
            let kept = text.chars().filter(|c| !" ,./-_*^".contains(*c)).collect::<String>();
            Value::from(kept.to_lowercase().replace('\'', "\""))
        }
        Value::Array(items) => items.iter().map(standard).collect(),
        other => other.clone(),
    }
}
