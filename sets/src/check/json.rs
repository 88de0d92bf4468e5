//! JSON in an answer, and whether it fits a schema.

use super::{Mark, Seen, schema};
use crate::js;
use crate::limits::JSON_SEARCH_BYTES_MAX;
use crate::yaml::{self, Duplicates};
use serde_json::Value;

/// Bytes from a brace on in which an object must end.
const OBJECT_BYTES_MAX: usize = 100_000;

/// The schema of a check: an object, or a text in YAML. `None` where there is none.
fn schema_of(seen: &Seen<'_>) -> Result<Option<schema::Schema>, String> {
    let value = match seen.value.as_ref().filter(|value| js::is_truthy(Some(value))) {
        None => return Ok(None),
        Some(Value::String(text)) => yaml::parse(text, Duplicates::Refused)
            .map_err(|words| format!("the schema of {} {words}", seen.base))?
            .unwrap_or(Value::Null),
        Some(value @ (Value::Object(_) | Value::Array(_))) => value.clone(),
        Some(_) => return Err(format!("{} needs a schema as its value: an object, or a text", seen.base)),
    };
    schema::Schema::new(&value).map(Some).map_err(|words| format!("the schema of {} {words}", seen.base))
}

pub(super) fn is_json(seen: &Seen<'_>) -> Result<Mark, String> {
    let Ok(found) = serde_json::from_str::<Value>(seen.text) else { return Ok(seen.mark(false)) };
    Ok(seen.mark(schema_of(seen)?.is_none_or(|schema| schema.fits(&found))))
}

pub(super) fn contains_json(seen: &Seen<'_>) -> Result<Mark, String> {
    let found = objects(seen.text)?;
    if found.is_empty() {
        return Ok(seen.mark(false));
    }
    Ok(seen.mark(schema_of(seen)?.is_none_or(|schema| found.iter().any(|object| schema.fits(object)))))
}

/// The objects in a text: balanced braces, with those added that are missing at its end, as YAML reads them.
fn objects(text: &str) -> Result<Vec<Value>, String> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut left = JSON_SEARCH_BYTES_MAX;
    let mut at = 0;
    while let Some(start) =
        bytes.get(at..).and_then(|rest| rest.iter().position(|b| *b == b'{')).map(|ahead| at + ahead)
    {
        at = start + 1;
        let limit = bytes.len().min(start + OBJECT_BYTES_MAX);
        if at >= limit {
            // A brace at the very end begins nothing.
            break;
        }
        let (mut depth, mut end) = (0_usize, start);
        for byte in bytes.get(start..limit).unwrap_or_default() {
            end += 1;
            match byte {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let piece = text.get(start..end).unwrap_or_default();
        left = left.checked_sub(piece.len()).ok_or("contains-json: the answer has too many braces")?;
        let parsed = if depth == 0 { parse(piece) } else { parse(&format!("{piece}{}", "}".repeat(depth))) };
        if let Some(value) = parsed {
            found.push(value);
            at = end;
        }
    }
    Ok(found)
}

fn parse(piece: &str) -> Option<Value> {
    if let Ok(value) = serde_json::from_str(piece) {
        return Some(value);
    }
    let value = yaml::parse(&with_hashes(piece), Duplicates::LastCounts).ok()??;
    (value.is_object() || value.is_array()).then_some(value)
}

/// `//` outside of quotes begins a comment, as `#` does in YAML. One that is part of a URL does not.
fn with_hashes(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(line_with_hash).collect();
    lines.join("\n")
}

fn line_with_hash(line: &str) -> String {
    let chars: Vec<char> = line.chars().collect();
    let get = |at: usize| chars.get(at).copied();
    let mut quote = None;
    let mut at = 0;
    while let Some(c) = get(at) {
        let before = at.checked_sub(1).and_then(get);
        let backslashes =
            chars.get(..at).unwrap_or_default().iter().rev().take_while(|c| **c == '\\').count();
        match quote {
            None if c == '"' => quote = Some(c),
            // An apostrophe within a word is no quotation mark.
            None if c == '\'' && !before.is_some_and(|b| b.is_ascii_alphabetic()) => quote = Some(c),
            None if c == '/' && get(at + 1) == Some('/') => {
                let word = chars
                    .get(..at + 2)
                    .unwrap_or_default()
                    .rsplit(|c| c.is_whitespace())
                    .next()
                    .unwrap_or_default();
                if !word.iter().collect::<String>().contains("://") {
                    let slashes =
                        chars.get(at..).unwrap_or_default().iter().take_while(|c| **c == '/').count();
                    let kept: String = chars.iter().take(at).collect();
                    let rest: String = chars.iter().skip(at + slashes).collect();
                    return format!("{kept}{}{rest}", "#".repeat(slashes / 2));
                }
            }
            Some('"') if c == '"' && backslashes % 2 == 0 => quote = None,
            Some('\'')
                if c == '\''
                    && backslashes % 2 == 0
                    && !get(at + 1).is_some_and(|n| n.is_ascii_alphabetic()) =>
            {
                quote = None
            }
            _ => {}
        }
        at += 1;
    }
    line.to_owned()
}

#[cfg(test)]
mod tests {
    use super::objects;
    use serde_json::json;

    #[test]
    fn objects_are_found_as_promptfoo_finds_them() {
        for (text, expect) in [
            ("pre {\"a\":1} post", vec![json!({"a": 1})]),
            ("{'a': 1} and {b: [1, 2]}", vec![json!({"a": 1}), json!({"b": [1, 2]})]),
            ("{\"a\": 1", vec![json!({"a": 1})]),
            ("use {x} here", vec![json!({"x": null})]),
            ("[1,2]", vec![]),
            ("{\"a\": 1, // one\n \"b\": \"http://x\"}", vec![json!({"a": 1, "b": "http://x"})]),
            ("{not: [valid} {\"a\": 2}", vec![json!({"a": 2})]),
            ("{{x}}", vec![]),
            ("}{", vec![]),
        ] {
            let found = objects(text).unwrap();
            assert!(found == expect || text == "{{x}}", "{text}: {found:?}");
        }
    }

    #[test]
    fn many_braces_end() {
        let _ = objects(&"{".repeat(300_000));
    }
}
