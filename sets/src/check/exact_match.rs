//! lm-evaluation-harness: filters take the answer out of a text, which must then equal a reference.

use super::pattern::{self, Pattern};
use super::{Mark, Seen};
use serde_json::Value;

/// What a filter says where it finds nothing.
const FALLBACK: &str = "[invalid]";

pub(super) fn check(seen: &Seen<'_>) -> Result<Mark, String> {
    let way = seen.value.as_ref().ok_or("exact_match has nothing to compare with")?;
    let list = |name: &str| way.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut answer = seen.text;
    for mark in list("until").iter().filter_map(Value::as_str).filter(|mark| !mark.is_empty()) {
        answer = answer.split(mark).next().unwrap_or(answer);
    }
    let mut answer = answer.to_owned();
    for filter in list("filters") {
        answer = filtered(&answer, filter)?;
    }
    let answer = reduced(&answer, way)?;
    for reference in list("references").iter().filter_map(Value::as_str) {
        if reduced(reference, way)? == answer {
            return Ok(Mark::of(true));
        }
    }
    Ok(Mark::of(false))
}

fn compiled(pattern: &str) -> Result<Pattern, String> {
    pattern::of_python(pattern).map_err(|error| match error {
        pattern::Error::Invalid(words) | pattern::Error::Unsupported(words) => format!("exact_match {words}"),
    })
}

fn filtered(text: &str, filter: &Value) -> Result<String, String> {
    let name = filter.get("function").and_then(Value::as_str).unwrap_or_default();
    match name {
        "regex" => {
            let pattern =
                filter.get("regex_pattern").and_then(Value::as_str).unwrap_or(r"#### (\-?[0-9\.\,]+)");
            let fallback = filter.get("fallback").and_then(Value::as_str).unwrap_or(FALLBACK);
            let found = compiled(pattern)?.find_all(text)?;
            let wanted = filter.get("group_select").and_then(Value::as_i64).unwrap_or(0);
            let place = usize::try_from(wanted.unsigned_abs()).unwrap_or(usize::MAX);
            let at = if wanted < 0 { found.len().checked_sub(place) } else { Some(place) };
            if found.is_empty() {
                return Ok(fallback.to_owned());
            }
            let groups = at
                .and_then(|at| found.get(at))
                .ok_or("exact_match selects a group (group_select) that is not there")?;
            // Of several groups the first that is not empty; a group alone may be empty.
            let chosen = if groups.len() > 1 {
                groups.iter().find(|group| !group.is_empty()).map_or(fallback, String::as_str)
            } else {
                groups.first().map_or("", String::as_str)
            };
            Ok(chosen.trim().to_owned())
        }
        "remove_whitespace" => Ok(text.trim().to_owned()),
        "lowercase" => Ok(text.to_lowercase()),
        "uppercase" => Ok(text.to_uppercase()),
        "map" => {
            let default = filter.get("default_value").and_then(Value::as_str);
            let mapped = filter.get("mapping_dict").and_then(|map| map.get(text)).map(crate::js::text);
            Ok(mapped.or(default.map(str::to_owned)).unwrap_or_else(|| text.to_owned()))
        }
        // Of one answer, the first, the first few and the majority are that one.
        "take_first" | "take_first_k" | "majority_vote" => Ok(text.to_owned()),
        other => Err(format!("exact_match uses the filter {other:?}, which is not known")),
    }
}

/// A text without what does not count.
fn reduced(text: &str, way: &Value) -> Result<String, String> {
    let mut text = text.to_owned();
    for pattern in
        way.get("regexes_to_ignore").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    {
        text = compiled(pattern)?.remove_all(&text)?;
    }
    let is = |name: &str| way.get(name).and_then(Value::as_bool) == Some(true);
    if is("ignore_case") {
        text = text.to_lowercase();
    }
    if is("ignore_punctuation") {
        text.retain(|c| !c.is_ascii_punctuation());
    }
    if is("ignore_numbers") {
        text.retain(|c| !c.is_ascii_digit());
    }
    Ok(text)
}
