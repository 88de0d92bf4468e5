//! The tests of a configuration: objects, files, patterns for files.

use super::{cell, is_code, is_remote};
use crate::import::{Source, files, lines};
use crate::limits::CASES_MAX;
use crate::set::Set;
use crate::table;
use crate::tree;
use crate::yaml::{self, Duplicates};
use serde_json::{Map, Value};

/// A test as it is written, and the folder of the file it is from.
pub(super) struct Test {
    pub(super) fields: Map<String, Value>,
    pub(super) folder: String,
}

/// # Errors
/// A sentence without its subject.
pub(super) fn read(value: &Value, source: &Source<'_, '_>, set: &mut Set) -> Result<Vec<Test>, String> {
    let mut found = Vec::new();
    match value {
        Value::Null => {}
        Value::Array(items) => {
            for item in items {
                one(item, source, set, &mut found)?;
            }
        }
        item => one(item, source, set, &mut found)?,
    }
    Ok(found)
}

fn one(item: &Value, source: &Source<'_, '_>, set: &mut Set, found: &mut Vec<Test>) -> Result<(), String> {
    match item {
        Value::String(path) => file(path, source, set, found),
        Value::Object(fields) => match fields.get("path").and_then(Value::as_str) {
            Some(path) => file(path, source, set, found),
            None => push(fields.clone(), "", found),
        },
        _ => {
            set.warn("tests: an item is neither a test nor a path, so it is no test");
            Ok(())
        }
    }
}

fn push(fields: Map<String, Value>, folder: &str, found: &mut Vec<Test>) -> Result<(), String> {
    if found.len() >= CASES_MAX {
        return Err(format!("has more than {CASES_MAX} tests"));
    }
    found.push(Test { fields, folder: folder.to_owned() });
    Ok(())
}

fn file(
    reference: &str,
    source: &Source<'_, '_>,
    set: &mut Set,
    found: &mut Vec<Test>,
) -> Result<(), String> {
    let path = reference.strip_prefix("file://").unwrap_or(reference);
    if is_remote(path) {
        set.leave_out("network", 1);
        set.warn(format!("tests {reference} are in the network, which is not read; export them to a CSV or JSONL file, and name that file"));
        return Ok(());
    }
    if is_code(path) {
        set.leave_out("tests.code", 1);
        set.warn(format!("tests {reference} are code, which is never run; write its tests into a file"));
        return Ok(());
    }
    let names = match source.tree.matching("", path) {
        Ok(names) => names,
        Err(words) => {
            set.warn(format!("tests {reference} {words}"));
            return Ok(());
        }
    };
    if names.is_empty() {
        set.warn(format!("tests {reference} does not exist"));
    }
    for name in names {
        let (folder, _) = tree::split(&name);
        for test in
            from_file(&name, source, set).map_err(|words| format!("names tests {name}, which {words}"))?
        {
            match test {
                Value::Object(fields) => push(fields, folder, found)?,
                _ => set.warn(format!("tests {name}: an item is no object, so it is no test")),
            }
        }
    }
    Ok(())
}

fn from_file(name: &str, source: &Source<'_, '_>, set: &mut Set) -> Result<Vec<Value>, String> {
    let extension = files::extension(name);
    if matches!(extension, "xlsx" | "xls") {
        set.leave_out("tests.spreadsheet", 1);
        set.warn(format!("tests {name} are a spreadsheet, which is not read; save it as CSV"));
        return Ok(Vec::new());
    }
    let text = source.tree.text("", name)?;
    let list = |value: Option<Value>| match value {
        Some(Value::Array(items)) => items,
        Some(Value::Null) | None => Vec::new(),
        Some(value) => vec![value],
    };
    match extension {
        "csv" => {
            let mut warnings = Vec::new();
            let rows = table::rows(&text)?;
            let tests = rows.iter().enumerate().map(|(at, row)| {
                let mut test = cell::test(row, &mut warnings)?;
                if let Some(fields) = test.as_object_mut() {
                    fields.entry("description").or_insert_with(|| Value::from(format!("Row #{}", at + 1)));
                }
                Ok::<_, String>(test)
            });
            let tests = tests.collect::<Result<_, _>>()?;
            warnings.into_iter().for_each(|words| set.warn(words));
            Ok(tests)
        }
        "jsonl" => lines::values(&text),
        // YAML reads JSON as well, and some files named .json have comments.
        "json" | "yaml" | "yml" => yaml::parse(&text, Duplicates::Refused).map(list),
        _ => {
            set.warn(format!("tests {name} are of a kind that is not known; give CSV, JSON, JSONL or YAML"));
            Ok(Vec::new())
        }
    }
}
