//! The matches of OpenAI evals: `Match`, `Includes`, `FuzzyMatch`, `JsonMatch`, `JsonValidator`.

use super::{Mark, Seen};
use serde_json::Value;

pub(super) fn check(seen: &Seen<'_>) -> Result<Mark, String> {
    if seen.base == "JsonValidator" {
        return Ok(Mark::of(serde_json::from_str::<Value>(seen.text).is_ok()));
    }
    let ideal = seen.value.as_ref().and_then(|value| value.get("ideal")).filter(|ideal| !ideal.is_null());
    let ideals: Vec<&Value> = match ideal {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(one) => vec![one],
        None => return Err(format!("{} has no ideal to compare with", seen.base)),
    };
    if seen.base == "JsonMatch" {
        let Ok(sampled) = serde_json::from_str::<Value>(seen.text) else { return Ok(Mark::of(false)) };
        let parsed = ideals.iter().filter_map(|ideal| serde_json::from_str::<Value>(ideal.as_str()?).ok());
        return Ok(Mark::of(parsed.into_iter().any(|ideal| json_matches(&sampled, &ideal))));
    }
    let texts: Vec<&str> = ideals.iter().filter_map(|ideal| ideal.as_str()).collect();
    if texts.len() < ideals.len() {
        return Err(format!("{} has an ideal that is no text", seen.base));
    }
    let ignores_case =
        seen.value.as_ref().and_then(|value| value.get("ignore_case")).and_then(Value::as_bool) == Some(true);
    let is_match = |ideal: &&str| match seen.base {
        "Match" => seen.text.starts_with(ideal),
        "Includes" if ignores_case => seen.text.to_lowercase().contains(&ideal.to_lowercase()),
        "Includes" => seen.text.contains(ideal),
        _ => is_fuzzy(seen.text, ideal),
    };
    Ok(Mark::of(texts.iter().any(is_match)))
}

/// Null never matches, not even null.
fn json_matches(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Null, _) | (_, Value::Null) => false,
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(name, value)| b.get(name).is_some_and(|other| json_matches(value, other)))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| json_matches(a, b))
        }
        // In Python true equals 1.
        (Value::Bool(a), Value::Number(b)) | (Value::Number(b), Value::Bool(a)) => {
            b.as_f64() == Some(f64::from(u8::from(*a)))
        }
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (a, b) => a == b,
    }
}

fn is_fuzzy(a: &str, b: &str) -> bool {
    let (a, b) = (normal(a), normal(b));
    if a.is_empty() || b.is_empty() { a == b } else { a.contains(&b) || b.contains(&a) }
}

/// Lower case, without ASCII punctuation, articles and more than one space.
fn normal(text: &str) -> String {
    let lower: String = text.to_lowercase().chars().filter(|c| !c.is_ascii_punctuation()).collect();
    let mut out: Vec<String> = Vec::new();
    for word in lower.split_whitespace() {
        if !matches!(word, "a" | "an" | "the") {
            out.push(word.to_owned());
        }
    }
    out.join(" ")
}
