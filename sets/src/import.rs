//! The bytes of a file → a set, whatever its format.
//!
//! A format is known by what the file holds, not by its name. A file that is like no known format is refused, because a guess
//! would check something that nobody wrote.

mod bfcl;
mod chat_lines;
mod deepeval;
pub(crate) mod files;
mod inspect;
pub(crate) mod lines;
mod lm_eval;
mod mt_bench;
mod openai_evals;
pub(crate) mod promptfoo;

use crate::limits::{DEPTH_MAX, FILE_BYTES_MAX};
use crate::set::Set;
use crate::table;
use crate::template::Variables;
use crate::tree::Tree;
use crate::yaml::{self, Duplicates};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Where a set comes from.
pub struct Source<'a, 't> {
    /// The file's path as it was given; only its parts are looked at.
    pub path: &'a str,
    /// Files beside it.
    pub tree: &'a Tree<'t>,
    /// The environment, for `{{env.NAME}}`.
    pub process: &'a Arc<dyn Variables>,
}

/// Why a file is no set: a sentence without its subject.
const UNKNOWN: &str = "is of an unknown format: it is like none of promptfoo's configurations and tests, OpenAI evals, DeepEval goldens, Inspect \
                       data sets, lm-eval tasks, MT-Bench questions, BFCL, and lines of chats, requests or batches";

/// Reads a set.
///
/// # Errors
/// Why it is refused: a sentence without its subject.
pub fn read(bytes: &[u8], source: &Source<'_, '_>) -> Result<Set, String> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(format!("is larger than {} MiB; take a part of it", FILE_BYTES_MAX >> 20));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "is not text in UTF-8")?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.starts_with("version https://git-lfs") {
        return Err("is a pointer of Git LFS, and not the data; fetch it with git lfs pull".to_owned());
    }
    match files::extension(source.path).to_ascii_lowercase().as_str() {
        "csv" => of_rows(&table::rows(text)?, source),
        "jsonl" | "ndjson" => of_lines(lines::values(text)?, source),
        "json" => match serde_json::from_str::<Value>(text) {
            Ok(value) => of_value(value, source),
            // BFCL has lines in files that are named .json; promptfoo reads its JSON as YAML, which may have comments.
            Err(_) => match lines::values(text) {
                Ok(lines) if lines.len() > 1 => of_lines(lines, source),
                _ => of_yaml(text, source),
            },
        },
        "yaml" | "yml" => of_yaml(text, source),
        "js" | "cjs" | "mjs" | "ts" | "cts" | "mts" | "py" => {
            Err("is code, which is never run; write the set as YAML, JSON or CSV".to_owned())
        }
        _ => match lines::values(text) {
            Ok(lines) if lines.len() > 1 || lines.first().is_some_and(Value::is_object) => {
                of_lines(lines, source)
            }
            _ => of_yaml(text, source),
        },
    }
}

fn of_yaml(text: &str, source: &Source<'_, '_>) -> Result<Set, String> {
    // Python's readers let the last of two equal names count; promptfoo refuses them.
    let value = yaml::parse(text, Duplicates::LastCounts)?.ok_or("is empty")?;
    if value.as_object().is_some_and(promptfoo::is_config) {
        yaml::parse(text, Duplicates::Refused)?;
    }
    of_value(value, source)
}

fn of_value(value: Value, source: &Source<'_, '_>) -> Result<Set, String> {
    if is_too_deep(&value, DEPTH_MAX) {
        return Err(format!("is nested deeper than {DEPTH_MAX}"));
    }
    match value {
        Value::Object(document) if lm_eval::is_task(&document) => lm_eval::read(document, source),
        Value::Object(document) if openai_evals::is_registry(&document) => {
            openai_evals::registry(&document, source)
        }
        Value::Object(document) if promptfoo::is_config(&document) => promptfoo::config(document, source),
        Value::Object(document) if promptfoo::is_test(&document) => {
            promptfoo::tests_alone(vec![Value::Object(document)], source)
        }
        Value::Object(document) => of_lines(vec![Value::Object(document)], source),
        Value::Array(items) => match items.first() {
            Some(Value::Object(first)) if promptfoo::is_assertion(first) => {
                promptfoo::assertions_alone(items, source)
            }
            Some(_) => of_lines(items, source),
            None => Err("is an empty list".to_owned()),
        },
        _ => Err(UNKNOWN.to_owned()),
    }
}

fn is_too_deep(value: &Value, left: usize) -> bool {
    let Some(left) = left.checked_sub(1) else { return true };
    match value {
        Value::Array(items) => items.iter().any(|item| is_too_deep(item, left)),
        Value::Object(fields) => fields.values().any(|item| is_too_deep(item, left)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Rows of a table: their columns say whose they are.
fn of_rows(rows: &[Map<String, Value>], source: &Source<'_, '_>) -> Result<Set, String> {
    let first = rows.first().ok_or("has no rows")?;
    let has = |name: &str| first.contains_key(name);
    if first.keys().any(|name| name.starts_with("__")) {
        return promptfoo::rows_alone(rows, source);
    }
    if deepeval::is_golden(first) {
        return deepeval::rows(rows);
    }
    if has("input") {
        return inspect::read(rows.iter().cloned().map(Value::Object).collect());
    }
    if has("prompt") { promptfoo::rows_alone(rows, source) } else { Err(UNKNOWN.to_owned()) }
}

/// Objects, a line or an item each: the names of the first say whose they are.
fn of_lines(lines: Vec<Value>, source: &Source<'_, '_>) -> Result<Set, String> {
    if lines.iter().any(|line| is_too_deep(line, DEPTH_MAX)) {
        return Err(format!("is nested deeper than {DEPTH_MAX}"));
    }
    let first = lines.first().ok_or("has no lines")?.as_object().ok_or(UNKNOWN)?;
    let has = |name: &str| first.contains_key(name);
    if promptfoo::is_test(first) {
        promptfoo::tests_alone(lines, source)
    } else if has("question_id") && has("choices") {
        Ok(mt_bench::answers(&lines))
    } else if has("question_id") && has("turns") {
        Ok(mt_bench::questions(&lines))
    } else if has("body") && (has("custom_id") || has("url")) {
        chat_lines::batch(&lines)
    } else if has("ground_truth") && has("id") && !has("question") {
        Ok(bfcl::answers())
    } else if bfcl::is_line(first) {
        Ok(bfcl::read(&lines, source))
    } else if has("messages") {
        chat_lines::chats(&lines)
    } else if deepeval::is_golden(first) {
        deepeval::objects(lines)
    } else if openai_evals::is_sample(first) || openai_evals::is_in_registry(source) {
        openai_evals::samples(&lines, source)
    } else if has("input") {
        inspect::read(lines)
    } else {
        Err(UNKNOWN.to_owned())
    }
}

#[cfg(test)]
mod tests;
