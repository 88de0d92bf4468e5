//! DeepEval's goldens: an input and what is expected of it. Their metrics are Python, so nothing is checked of them offline.

use crate::set::{Ask, Case, Set};
use serde_json::{Map, Value};

const GOLDENS: &str = "deepeval-goldens";
const CONVERSATIONS: &str = "deepeval-conversational-goldens";

/// Columns that only goldens have.
const COLUMNS: &[&str] = &[
    "actual_output",
    "expected_output",
    "retrieval_context",
    "expected_tools",
    "tools_called",
    "expected",
    "additional_metadata",
    "source_file",
];

/// Whether an object or a row is a golden, of one turn or of several.
pub(super) fn is_golden(fields: &Map<String, Value>) -> bool {
    is_conversation(fields)
        || (fields.contains_key("input") && COLUMNS.iter().any(|name| fields.contains_key(*name)))
}

fn is_conversation(fields: &Map<String, Value>) -> bool {
    fields.contains_key("scenario") && !fields.contains_key("assert")
}

/// # Errors
/// A sentence without its subject.
pub(super) fn rows(rows: &[Map<String, Value>]) -> Result<Set, String> {
    // An empty cell is no value.
    let filled = |row: &Map<String, Value>| {
        row.iter()
            .filter(|(_, cell)| cell.as_str() != Some(""))
            .map(|(n, c)| (n.clone(), c.clone()))
            .collect()
    };
    let is_conversational = rows.first().is_some_and(is_conversation);
    read(rows.iter().map(filled).map(Value::Object).collect(), is_conversational)
}

/// # Errors
/// A sentence without its subject.
pub(super) fn objects(goldens: Vec<Value>) -> Result<Set, String> {
    let is_conversational = goldens.first().and_then(Value::as_object).is_some_and(is_conversation);
    read(goldens, is_conversational)
}

fn read(goldens: Vec<Value>, is_conversational: bool) -> Result<Set, String> {
    let mut set = Set::of_messages(if is_conversational { CONVERSATIONS } else { GOLDENS });
    for (at, golden) in goldens.into_iter().enumerate() {
        let Value::Object(golden) = golden else { return Err(format!("has no object as golden {}", at + 1)) };
        let text = |name: &str| golden.get(name).and_then(Value::as_str);
        let name =
            text("name").or(text("scenario")).map_or_else(|| format!("golden {}", at + 1), str::to_owned);
        if golden.contains_key("expected") {
            set.warn("column \"expected\" is taken for DeepEval's expected_output");
        }
        let reference = ["expected_output", "expected", "expected_outcome"]
            .iter()
            .find_map(|name| golden.get(*name))
            .cloned();
        let ask = if is_conversational {
            Ask::Nothing
        } else {
            let Some(input) = text("input") else { return Err(format!("has no input in golden {}", at + 1)) };
            Ask::Messages(vec![crate::chat::of_user(input)])
        };
        set.cases.push(Case { name, ask, reference, ..Case::default() });
    }
    if is_conversational {
        set.warn(format!(
            "{} conversations need a model that plays the user, so they are not asked",
            set.cases.len()
        ));
    } else {
        set.warn("the metrics of goldens are in Python code, so answers are compared with expected_output and not scored");
    }
    Ok(set)
}
