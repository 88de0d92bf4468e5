//! MT-Bench: questions of one or two turns. Nothing is checked of them offline.

use crate::set::{Ask, Case, Set};
use serde_json::{Value, json};

/// The temperature of a category, as FastChat asks it.
fn temperature(category: &str) -> f64 {
    match category {
        "writing" | "roleplay" => 0.7,
        "stem" | "humanities" => 0.1,
        _ => 0.0,
    }
}

pub(super) fn questions(lines: &[Value]) -> Set {
    let mut set = Set::of_messages("mt-bench-question");
    for line in lines {
        let turns: Vec<String> = line
            .get("turns")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let name = line.get("question_id").map(crate::js::text).unwrap_or_default();
        let category = line.get("category").and_then(Value::as_str).unwrap_or_default();
        let mut case = Case { name, reference: line.get("reference").cloned(), ..Case::default() };
        case.body.insert("temperature".to_owned(), json!(temperature(category)));
        case.ask = if turns.is_empty() { Ask::Nothing } else { Ask::Turns(turns) };
        set.cases.push(case);
    }
    set
}

/// Answers to questions: a reference for another file, and nothing to ask.
pub(super) fn answers(lines: &[Value]) -> Set {
    let mut set = Set::of_messages("mt-bench-answer");
    set.warn(format!("holds {} answers to questions of another file; give that file", lines.len()));
    set
}
