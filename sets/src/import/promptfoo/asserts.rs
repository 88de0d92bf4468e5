//! Checks as a test lists them; files that their values name are read.

use super::{is_code, transform};
use crate::import::{Source, files};
use crate::js;
use crate::kind::{self, Place};
use crate::set::{Assertion, Check, Set};
use serde_json::Value;
use std::sync::Arc;

/// The checks of a list.
pub(super) fn read(
    list: Option<&Value>,
    place: &str,
    source: &Source<'_, '_>,
    set: &mut Set,
) -> Vec<Arc<Check>> {
    let items = match list {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => {
            set.warn(format!("{place}: assert is no list, so it checks nothing"));
            return Vec::new();
        }
    };
    items.iter().filter_map(|item| check(item, place, source, set)).map(Arc::new).collect()
}

fn check(item: &Value, place: &str, source: &Source<'_, '_>, set: &mut Set) -> Option<Check> {
    let Some(kind) = item.get("type").and_then(Value::as_str) else {
        set.warn(format!("{place}: a check has no type, so it checks nothing"));
        set.leave_out("assert without type", 1);
        return None;
    };
    if kind != "assert-set" {
        return Some(Check::One(assertion(kind, item, place, source, set)));
    }
    let items = item.get("assert").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let checks = items.iter().filter_map(|item| {
        let kind = item.get("type").and_then(Value::as_str)?;
        Some(assertion(kind, item, place, source, set))
    });
    Some(Check::Group {
        checks: checks.collect(),
        threshold: number(item, "threshold"),
        weight: number(item, "weight").unwrap_or(1.0),
    })
}

/// A check as it is written, with no file read.
pub(crate) fn one(kind: &str, item: &Value) -> Assertion {
    Assertion {
        kind: kind.to_owned(),
        value: item.get("value").cloned(),
        is_from_file: false,
        threshold: number(item, "threshold"),
        weight: number(item, "weight"),
        transform: transform::of(item.get("transform")),
        broken: None,
    }
}

fn number(item: &Value, name: &str) -> Option<f64> {
    item.get(name).and_then(Value::as_f64)
}

fn assertion(kind: &str, item: &Value, place: &str, source: &Source<'_, '_>, set: &mut Set) -> Assertion {
    let mut assertion = one(kind, item);
    if kind::place(kind) == Place::LeftOut("unknown type") {
        set.warn(format!("{place}: there is no check of type {kind:?}"));
    }
    if kind::place(kind) == Place::LeftOut("code is never run") {
        return assertion;
    }
    let mut load = |text: &str| -> Result<Value, String> {
        if is_code(text) {
            set.leave_out("assert.value.code", 1);
            return Err(format!("{text} is code, which is never run"));
        }
        let value = files::value("", text, source.tree).map_err(|words| format!("{text} {words}"));
        let value = value.and_then(|value| match files::extension(text) {
            "txt" => Ok(Value::from(js::trim(value.as_str().unwrap_or_default()))),
            "json" | "yaml" | "yml" => Ok(value),
            _ => Err(format!("{text} is no file of JSON, YAML or text")),
        });
        value.inspect_err(|words| set.warn(format!("{place}: the value of {kind}: {words}")))
    };
    match &assertion.value {
        Some(Value::String(text)) if text.starts_with("file://") => match load(text) {
            Ok(value) => {
                assertion.value = Some(value);
                assertion.is_from_file = true;
            }
            Err(words) => assertion.broken = Some(words),
        },
        Some(Value::Array(items))
            if items.iter().any(|item| item.as_str().is_some_and(|text| text.starts_with("file://"))) =>
        {
            let loaded =
                items.iter().map(|item| match item.as_str().filter(|text| text.starts_with("file://")) {
                    Some(text) => load(text),
                    None => Ok(item.clone()),
                });
            match loaded.collect::<Result<_, _>>() {
                Ok(items) => assertion.value = Some(Value::Array(items)),
                Err(words) => assertion.broken = Some(words),
            }
        }
        _ => {}
    }
    assertion
}
