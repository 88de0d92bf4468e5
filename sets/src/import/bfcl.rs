//! BFCL: questions with functions, and in a file of their own the calls that are right.

use super::{Source, lines};
use crate::limits::DEPTH_MAX;
use crate::set::{Ask, Assertion, Case, Check, Set};
use crate::tree;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const FORMAT: &str = "bfcl-jsonl";

/// Whether an object is a question: its turns are lists of messages.
pub(super) fn is_line(line: &Map<String, Value>) -> bool {
    let turns = line.get("question").and_then(Value::as_array);
    let has_turns = turns.is_some_and(|turns| turns.first().is_some_and(Value::is_array));
    has_turns && (line.contains_key("function") || line.contains_key("id"))
}

/// A file of answers: nothing to ask.
pub(super) fn answers() -> Set {
    let mut set = Set::of_messages("bfcl-possible-answer");
    set.warn("holds the answers to questions of another file; give that file");
    set
}

pub(super) fn read(questions: &[Value], source: &Source<'_, '_>) -> Set {
    let mut set = Set::of_messages(FORMAT);
    let (_, name) = tree::split(source.path);
    let irrelevant = questions.first().and_then(id).is_some_and(|id| id.contains("irrelevance"));
    let answers = if irrelevant { BTreeMap::new() } else { answers_beside(name, source, &mut set) };
    let mut of_several_turns = 0;
    for (at, line) in questions.iter().enumerate() {
        let turns: Vec<&Vec<Value>> = line
            .get("question")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_array)
            .collect();
        let case_name = id(line).map_or_else(|| format!("line {}", at + 1), str::to_owned);
        let mut case = Case { name: case_name, ..Case::default() };
        let functions = line.get("function").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let tools: Vec<Value> = functions.iter().map(tool).collect();
        let is_stateful = turns.len() > 1 || line.get("initial_config").is_some();
        if is_stateful {
            // Its functions are programs that keep a state.
            of_several_turns += 1;
        } else if let [messages] = turns.as_slice() {
            case.ask = Ask::Messages(vec![(*messages).clone()]);
            case.body.insert("tools".to_owned(), Value::Array(tools));
            let check = if irrelevant {
                Some(Assertion::new("no-tool-call", None))
            } else {
                let truth = line.get("ground_truth").or_else(|| answers.get(&case.name)).cloned();
                truth.map(|truth| {
                    Assertion::new(
                        "tool-call-ast",
                        Some(json!({"ground_truth": truth, "functions": functions})),
                    )
                })
            };
            case.checks = check.map(Check::One).map(Arc::new).into_iter().collect();
        }
        set.cases.push(case);
    }
    if of_several_turns > 0 {
        set.leave_out("multi_turn", of_several_turns);
        set.warn(format!("{of_several_turns} questions of several turns need programs that keep a state, so they are not asked"));
    }
    set
}

fn id(line: &Value) -> Option<&str> {
    line.get("id").and_then(Value::as_str)
}

/// The right calls by id, from `possible_answer/` beside the file.
fn answers_beside(name: &str, source: &Source<'_, '_>, set: &mut Set) -> BTreeMap<String, Value> {
    let path = format!("possible_answer/{name}");
    let read = source.tree.text("", &path).and_then(|text| lines::values(&text));
    match read {
        Ok(lines) => lines
            .iter()
            .filter_map(|line| Some((id(line)?.to_owned(), line.get("ground_truth")?.clone())))
            .collect(),
        Err(words) => {
            set.warn(format!("{path} {words}; calls are not checked without it"));
            BTreeMap::new()
        }
    }
}

/// A function as a tool of chat completions: names without dots, types of JSON Schema.
fn tool(function: &Value) -> Value {
    let mut function = function.clone();
    if let Some(name) = function.get_mut("name")
        && let Some(text) = name.as_str()
    {
        *name = Value::from(text.replace('.', "_"));
    }
    if let Some(parameters) = function.get_mut("parameters") {
        schema_types(parameters, DEPTH_MAX);
    }
    json!({"type": "function", "function": function})
}

fn schema_types(schema: &mut Value, left: usize) {
    let Some(left) = left.checked_sub(1) else { return };
    match schema {
        Value::Object(fields) => {
            if let Some(kind) = fields.get_mut("type") {
                let replaced = match kind.as_str() {
                    Some("dict") => Some("object"),
                    Some("float" | "double") => Some("number"),
                    Some("tuple" | "list") => Some("array"),
                    Some("any") => Some("string"),
                    Some("String" | "char") => Some("string"),
                    Some("bool" | "Boolean") => Some("boolean"),
                    Some("int" | "long" | "short" | "byte") => Some("integer"),
                    _ => None,
                };
                if let Some(replaced) = replaced {
                    *kind = Value::from(replaced);
                }
            }
            fields.values_mut().for_each(|value| schema_types(value, left));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| schema_types(item, left)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
