//! promptfoo: a configuration, or its tests alone.
//!
//! [`prompts`] and [`tests`] read what a configuration names; [`cases`] puts defaults, scenarios and variables together;
//! [`render`] makes texts of them. Follows version 0.123.

pub(crate) mod asserts;
mod cases;
pub(crate) mod cell;
mod declared;
mod document;
mod prompts;
pub(crate) mod render;
mod tests;
pub(crate) mod transform;

use super::Source;
use crate::set::{Ask, Prompt, Set};
use crate::template::{Dialect, Templates};
use serde_json::{Map, Value, json};
use std::sync::Arc;

const CONFIG: &str = "promptfoo-config";
const TESTS: &str = "promptfoo-tests";
const ASSERTIONS: &str = "promptfoo-assertion-list";

/// Whether a document is a configuration: it names prompts or providers, or it has tests that are like promptfoo's.
pub(super) fn is_config(document: &Map<String, Value>) -> bool {
    let has = |name: &str| document.contains_key(name);
    if has("stimuli") || has("task") {
        return false;
    }
    let is_like_test = |item: &Value| match item {
        Value::String(path) => path.starts_with("file://") || path.contains('.'),
        Value::Object(test) => {
            ["vars", "assert", "options", "path"].iter().any(|name| test.contains_key(*name))
        }
        _ => false,
    };
    let has_tests = document.get("tests").is_some_and(|tests| match tests {
        Value::Array(items) => items.first().is_some_and(is_like_test),
        item => is_like_test(item),
    });
    let has_scenarios = document.get("scenarios").and_then(Value::as_array).is_some_and(|items| {
        items.first().is_some_and(|item| item.is_string() || item.get("config").is_some())
    });
    has("prompts") || has("providers") || has("targets") || has_tests || has_scenarios
}

/// Whether an object is a test.
pub(super) fn is_test(test: &Map<String, Value>) -> bool {
    (test.contains_key("vars") || test.contains_key("assert"))
        && ["vars", "assert"].iter().all(|name| {
            test.get(*name).is_none_or(|value| value.is_object() || value.is_array() || value.is_string())
        })
}

/// Whether an object is a check.
pub(super) fn is_assertion(item: &Map<String, Value>) -> bool {
    item.get("type").is_some_and(Value::is_string) && !item.contains_key("role")
}

/// Reads a configuration.
///
/// # Errors
/// A sentence without its subject.
pub(super) fn config(document: Map<String, Value>, source: &Source<'_, '_>) -> Result<Set, String> {
    let document = document::with_references(document)?;
    let mut set = Set::new(CONFIG);
    let own = document.get("env").and_then(Value::as_object).cloned().unwrap_or_default();
    let templates = Templates::new(Dialect::Nunjucks, own, Arc::clone(source.process));
    let document: Map<String, Value> = document
        .iter()
        .map(|(name, value)| (name.clone(), render::with_environment(&templates, value)))
        .collect();
    set.templates = Some(templates);
    declared::count(&document, &mut set);
    set.prompts = prompts::read(document.get("prompts"), source, &mut set)?;
    declared::sampling(document.get("providers").or(document.get("targets")), source, &mut set);
    cases::read(&document, source, &mut set)?;
    Ok(set)
}

/// Reads tests without a configuration: their prompt is `{{prompt}}`.
///
/// # Errors
/// A sentence without its subject.
pub(super) fn tests_alone(tests: Vec<Value>, source: &Source<'_, '_>) -> Result<Set, String> {
    let mut document = Map::new();
    document.insert("tests".to_owned(), Value::Array(tests));
    let mut set = config(document, source)?;
    set.format = TESTS;
    Ok(set)
}

/// Rows of a CSV file as tests.
///
/// # Errors
/// A sentence without its subject.
pub(super) fn rows_alone(rows: &[Map<String, Value>], source: &Source<'_, '_>) -> Result<Set, String> {
    let mut warnings = Vec::new();
    let tests = rows.iter().map(|row| cell::test(row, &mut warnings)).collect::<Result<Vec<_>, _>>()?;
    let mut set = tests_alone(tests, source)?;
    warnings.into_iter().for_each(|words| set.warn(words));
    Ok(set)
}

/// Reads a list of checks: each is made of each of the outputs that stand beside it.
///
/// # Errors
/// A sentence without its subject.
pub(super) fn assertions_alone(list: Vec<Value>, source: &Source<'_, '_>) -> Result<Set, String> {
    let mut warning = None;
    let outputs = outputs_beside(source).unwrap_or_else(|words| {
        warning = Some(words);
        Vec::new()
    });
    let assert = Value::Array(list);
    let test = |output: Value| json!({"assert": assert, "vars": {}, "providerOutput": output});
    let tests: Vec<Value> = outputs.into_iter().map(test).collect();
    let mut set = tests_alone(tests, source)?;
    set.format = ASSERTIONS;
    set.prompts =
        vec![Prompt { text: "{{output}}".to_owned(), label: "{{output}}".to_owned(), is_left_out: false }];
    for case in &mut set.cases {
        case.ask = Ask::Nothing;
    }
    if let Some(words) = warning {
        set.cases.clear();
        set.warn(words);
    }
    Ok(set)
}

/// `outputs.json`, or the only file with `output` in its name: a list of texts, or of objects with `output`.
fn outputs_beside(source: &Source<'_, '_>) -> Result<Vec<Value>, String> {
    let names = source.tree.matching("", "*output*.json")?;
    let name = names.iter().find(|name| *name == "outputs.json").or(names.first());
    let name = name
        .ok_or("has checks and no outputs to check; put them beside it as outputs.json: a list of texts")?;
    let text = source.tree.text("", name).map_err(|words| format!("{name} {words}"))?;
    let Ok(Value::Array(items)) = serde_json::from_str(&text) else {
        return Err(format!("{name} is no list in JSON"));
    };
    Ok(items.into_iter().map(|item| item.get("output").cloned().unwrap_or(item)).collect())
}

/// Whether a path is a file of JavaScript or TypeScript, with or without the name of a function.
pub(crate) fn is_javascript(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    ["js", "cjs", "mjs", "ts", "cts", "mts", "jsx", "tsx"]
        .iter()
        .any(|ext| path.strip_suffix(ext).is_some_and(|p| p.ends_with('.')))
}

/// Whether a path is a file of code, with or without the name of a function: `prompts.py:ask`.
pub(crate) fn is_code(path: &str) -> bool {
    let is = |path: &str| {
        is_javascript(path)
            || [".py", ".rb", ".go", ".sh", ".bash", ".exe", ".bat", ".cmd", ".ps1", ".pl"]
                .iter()
                .any(|ext| path.ends_with(ext))
    };
    is(path) || path.rsplit_once(':').is_some_and(|(file, _)| is(file))
}

/// Whether a reference leads into the network.
pub(crate) fn is_remote(path: &str) -> bool {
    let schemes = [
        "http://",
        "https://",
        "huggingface://",
        "hf://",
        "az://",
        "s3://",
        "gs://",
        "langfuse://",
        "helicone://",
        "portkey://",
    ];
    schemes.iter().any(|scheme| path.starts_with(scheme))
}
