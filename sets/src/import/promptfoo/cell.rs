//! Rows of CSV files → tests, and cells of `__expected` → checks.

use crate::js;
use crate::kind;
use serde_json::{Map, Value, json};

/// A row as a test object.
///
/// # Errors
/// A sentence without its subject, and warnings in `warnings`.
pub(crate) fn test(row: &Map<String, Value>, warnings: &mut Vec<String>) -> Result<Value, String> {
    let (mut vars, mut options, mut metadata, mut test) = (Map::new(), Map::new(), Map::new(), Map::new());
    let mut asserts: Vec<Value> = Vec::new();
    let (mut metric, mut thresholds) = (None, Vec::new());
    for (name, cell) in row {
        let cell = cell.as_str().unwrap_or_default();
        if let Some(misspelled) = single_underscore(name) {
            warnings.push(format!(
                "column {name:?} has one underscore, so it is a variable; two are meant: {misspelled:?}"
            ));
        }
        if name.starts_with("__expected") {
            if !js::trim(cell).is_empty() {
                asserts.push(assertion(js::trim(cell), warnings)?);
            }
        } else if let Some(config) = name.strip_prefix("__config:") {
            thresholds.push((
                config_of(config)?,
                js::parse_number(cell)
                    .filter(|_| !cell.trim().is_empty())
                    .ok_or_else(|| format!("has {name:?} that is no number"))?,
            ));
        } else if let Some(key) = name.strip_prefix("__metadata:") {
            if !cell.trim().is_empty() {
                metadata.insert(key.trim_end_matches("[]").to_owned(), Value::from(cell));
            }
        } else {
            match name.as_str() {
                "__prefix" => drop(options.insert("prefix".to_owned(), Value::from(cell))),
                "__suffix" => drop(options.insert("suffix".to_owned(), Value::from(cell))),
                "__description" if !cell.is_empty() => {
                    drop(test.insert("description".to_owned(), Value::from(cell)))
                }
                "__description" => {}
                "__providerOutput" if !cell.is_empty() => {
                    drop(test.insert("providerOutput".to_owned(), Value::from(cell)))
                }
                "__providerOutput" => {}
                "__metric" => metric = Some(cell.to_owned()),
                "__threshold" => {
                    if let Some(number) = js::parse_number(cell).filter(|_| !cell.trim().is_empty()) {
                        test.insert("threshold".to_owned(), js::to_number(number));
                    }
                }
                "__metadata" => warnings.push(
                    "column \"__metadata\" names no key, so it is ignored; write __metadata:key".to_owned(),
                ),
                _ => drop(vars.insert(name.clone(), Value::from(cell))),
            }
        }
    }
    for (at, number) in thresholds {
        if let Some(Value::Object(assert)) = asserts.get_mut(at) {
            assert.insert("threshold".to_owned(), js::to_number(number));
        }
    }
    if let Some(metric) = metric {
        for assert in asserts.iter_mut().filter_map(Value::as_object_mut) {
            assert.insert("metric".to_owned(), Value::from(metric.as_str()));
        }
    }
    test.insert("vars".to_owned(), Value::Object(vars));
    test.insert("assert".to_owned(), Value::Array(asserts));
    test.insert("options".to_owned(), Value::Object(options));
    if !metadata.is_empty() {
        test.insert("metadata".to_owned(), Value::Object(metadata));
    }
    Ok(Value::Object(test))
}

fn single_underscore(name: &str) -> Option<String> {
    let rest = name.strip_prefix('_').filter(|rest| !rest.starts_with('_'))?;
    let special = [
        "expected",
        "prefix",
        "suffix",
        "description",
        "providerOutput",
        "metric",
        "threshold",
        "metadata",
        "config",
    ];
    special.iter().any(|word| rest.starts_with(word)).then(|| format!("__{rest}"))
}

/// The check that `__config:__expected2:threshold` is about, counted from 0.
fn config_of(config: &str) -> Result<usize, String> {
    let wrong = || format!("has a column __config:{config}; write __config:__expected1:threshold");
    let (target, key) = config.split_once(':').ok_or_else(wrong)?;
    let number = target.strip_prefix("__expected").ok_or_else(wrong)?;
    if key != "threshold" {
        return Err(wrong());
    }
    if number.is_empty() {
        return Ok(0);
    }
    number.parse::<usize>().ok().and_then(|n| n.checked_sub(1)).ok_or_else(wrong)
}

/// A cell as a check.
///
/// # Errors
/// A sentence without its subject.
pub(crate) fn assertion(cell: &str, warnings: &mut Vec<String>) -> Result<Value, String> {
    for prefix in ["javascript:", "fn:", "eval:"] {
        if let Some(code) = cell.strip_prefix(prefix) {
            return Ok(json!({"type": "javascript", "value": js::trim(code)}));
        }
    }
    if cell.starts_with("file://") && super::is_javascript(cell) {
        return Ok(json!({"type": "javascript", "value": cell}));
    }
    for prefix in ["grade:", "llm-rubric:"] {
        if let Some(rubric) = cell.strip_prefix(prefix) {
            return Ok(json!({"type": "llm-rubric", "value": rubric}));
        }
    }
    if let Some(code) = cell.strip_prefix("python:") {
        return Ok(json!({"type": "python", "value": js::trim(code)}));
    }
    if let Some(path) = cell.strip_prefix("file://")
        && (path.ends_with(".py") || path.contains(".py:"))
    {
        return Ok(json!({"type": "python", "value": js::trim(path)}));
    }
    let Some((kind, threshold, value)) = typed(cell) else {
        if let Some(word) = doubtful(cell) {
            warnings.push(format!(
                "cell {:?} is compared as a whole, because {word:?} is no type of check",
                short(cell)
            ));
        }
        return Ok(json!({"type": "equals", "value": cell}));
    };
    let mut assert = Map::new();
    assert.insert("type".to_owned(), Value::from(kind));
    let (base, _) = kind::base(kind);
    let value = match base {
        "contains-all" | "contains-any" | "icontains-all" | "icontains-any" => match value {
            Some(list) if !list.is_empty() => Some(Value::from(comma_list(list)?)),
            value => value.map(Value::from),
        },
        "contains-json" | "is-json" => value.map(Value::from),
        _ => value.map(|value| Value::from(js::trim(value))),
    };
    if let Some(value) = value {
        assert.insert("value".to_owned(), value);
    }
    if let Some(usual) = usual_threshold(base) {
        assert.insert("threshold".to_owned(), js::to_number(threshold.unwrap_or(usual)));
    }
    Ok(Value::Object(assert))
}

/// `[not-]TYPE[(NUMBER)][:VALUE]` of a known type.
fn typed(cell: &str) -> Option<(&str, Option<f64>, Option<&str>)> {
    // Some types have a colon in their names. The shortest name counts: of `similar:cosine` it is `similar`.
    let ends =
        cell.char_indices().filter(|(_, c)| matches!(c, ':' | '(')).map(|(at, _)| at).chain([cell.len()]);
    ends.take(4).find_map(|end| {
        let (kind, rest) = cell.split_at_checked(end)?;
        if !kind::is_of_csv(kind::base(kind).0) {
            return None;
        }
        let (threshold, rest) = match rest.strip_prefix('(') {
            Some(inner) => {
                let (number, rest) = inner.split_once(')')?;
                let digits =
                    number.split_once('.').map_or((number, "0"), |(whole, fraction)| (whole, fraction));
                let is_number = [digits.0, digits.1]
                    .iter()
                    .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
                (Some(number.parse().ok().filter(|_| is_number)?), rest)
            }
            None => (None, rest),
        };
        match rest.strip_prefix(':') {
            Some(value) => Some((kind, threshold, Some(value))),
            None if rest.is_empty() => Some((kind, threshold, None)),
            None => None,
        }
    })
}

fn usual_threshold(base: &str) -> Option<f64> {
    match base {
        "similar" => Some(0.8),
        "answer-relevance"
        | "classifier"
        | "context-faithfulness"
        | "context-recall"
        | "context-relevance"
        | "cost"
        | "latency"
        | "levenshtein"
        | "perplexity-score"
        | "perplexity"
        | "rouge-n"
        | "starts-with" => Some(0.75),
        _ => None,
    }
}

/// The word before a colon, where it looks like a type: `Contains: a`, `unknown: 5`.
fn doubtful(cell: &str) -> Option<&str> {
    let (word, _) = cell.split_once(':')?;
    let word = word.split('(').next().unwrap_or(word);
    let is_like =
        !word.is_empty() && word.len() <= 32 && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    is_like.then_some(word)
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Items between commas; quotes protect commas, and `""` or `\"` is a quote within.
///
/// # Errors
/// A sentence without its subject.
pub(crate) fn comma_list(text: &str) -> Result<Vec<String>, String> {
    let chars: Vec<char> = text.chars().collect();
    let get = |at: usize| chars.get(at).copied();
    let mut items = Vec::new();
    let mut at = 0;
    loop {
        while get(at).is_some_and(|c| js::is_space(c) || c == ',') {
            at += 1;
        }
        let Some(first) = get(at) else { return Ok(items) };
        let mut item = String::new();
        if first != '"' {
            while let Some(c) = get(at).filter(|c| *c != ',') {
                item.push(c);
                at += 1;
            }
            items.push(js::trim(&item).to_owned());
            continue;
        }
        at += 1;
        loop {
            match (get(at), get(at + 1)) {
                (Some('\\'), Some(c @ ('"' | '\\'))) | (Some('"'), Some(c @ '"')) => {
                    item.push(c);
                    at += 2;
                }
                (Some('"'), _) => break,
                (Some(c), _) => {
                    item.push(c);
                    at += 1;
                }
                (None, _) => return Err("has a list with a quotation mark that is not closed".to_owned()),
            }
        }
        at += 1;
        items.push(item);
        while get(at).is_some_and(js::is_space) {
            at += 1;
        }
        if get(at).is_some_and(|c| c != ',') {
            return Err("has a list with text behind a closing quotation mark; write a comma".to_owned());
        }
    }
}
