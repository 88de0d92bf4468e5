//! Checks of the text, and of what was measured.

use super::pattern;
use super::{Mark, Seen};
use crate::import::promptfoo::cell::comma_list;
use crate::js;
use crate::limits::DISTANCE_CELLS_MAX;
use serde_json::Value;

/// The text of a value that can be looked for.
fn wanted(seen: &Seen<'_>) -> Result<String, String> {
    match &seen.value {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(js::number(number)),
        _ => Err(format!("{} needs a text or a number as its value", seen.base)),
    }
}

pub(super) fn contains(seen: &Seen<'_>) -> Result<Mark, String> {
    let wanted = wanted(seen)?;
    let is_in = match seen.base {
        "icontains" => seen.text.to_lowercase().contains(&wanted.to_lowercase()),
        _ => seen.text.contains(&wanted),
    };
    Ok(seen.mark(is_in))
}

pub(super) fn contains_items(seen: &Seen<'_>) -> Result<Mark, String> {
    let items: Vec<String> = match &seen.value {
        Some(Value::String(list)) if !list.is_empty() => {
            comma_list(list).map_err(|words| format!("{} {words}", seen.base))?
        }
        Some(Value::Array(items)) => items.iter().map(js::text).collect(),
        _ => return Err(format!("{} needs a list as its value", seen.base)),
    };
    let ignores_case = seen.base.starts_with('i');
    let lower = ignores_case.then(|| seen.text.to_lowercase());
    let text = lower.as_deref().unwrap_or(seen.text);
    let is_in =
        |item: &String| if ignores_case { text.contains(&item.to_lowercase()) } else { text.contains(item) };
    Ok(seen.mark(if seen.base.ends_with("-all") { items.iter().all(is_in) } else { items.iter().any(is_in) }))
}

pub(super) fn equals(seen: &Seen<'_>) -> Mark {
    match &seen.value {
        Some(value @ (Value::Object(_) | Value::Array(_) | Value::Null)) => {
            let parsed = serde_json::from_str::<Value>(seen.text);
            seen.mark(parsed.is_ok_and(|parsed| js::is_equal(value, &parsed)))
        }
        Some(value) => seen.mark(js::text(value) == seen.text),
        None => seen.mark(seen.text == "undefined"),
    }
}

pub(super) fn starts_with(seen: &Seen<'_>) -> Result<Mark, String> {
    let wanted = seen.text_value()?;
    if wanted.is_empty() {
        return Err("starts-with needs a text that is not empty".to_owned());
    }
    Ok(seen.mark(seen.text.starts_with(wanted)))
}

pub(super) fn regex(seen: &Seen<'_>) -> Result<Mark, String> {
    let wanted = seen.text_value()?;
    if wanted.is_empty() {
        return Err("regex needs a text that is not empty".to_owned());
    }
    match pattern::of_javascript(wanted) {
        Ok(pattern) => Ok(seen.mark(pattern.is_match(seen.text)?)),
        // JavaScript cannot read it either: a fail, turned round or not.
        Err(pattern::Error::Invalid(_)) => Ok(Mark::of(false)),
        Err(pattern::Error::Unsupported(words)) => Err(format!("regex {words}")),
    }
}

pub(super) fn levenshtein(seen: &Seen<'_>) -> Result<Mark, String> {
    let distance = distance(seen.text, seen.text_value()?)?;
    #[expect(clippy::cast_precision_loss, reason = "texts are shorter than 2^52")]
    Ok(seen.mark(distance as f64 <= seen.threshold.unwrap_or(5.0)))
}

/// Edits of UTF-16 units.
fn distance(a: &str, b: &str) -> Result<usize, String> {
    let (a, b): (Vec<u16>, Vec<u16>) = (a.encode_utf16().collect(), b.encode_utf16().collect());
    if a.len().saturating_mul(b.len()) > DISTANCE_CELLS_MAX {
        return Err(format!(
            "levenshtein compares texts of {} and {} characters, which is too much",
            a.len(),
            b.len()
        ));
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let above = *cell;
            left = (diagonal + usize::from(x != y)).min(above + 1).min(left + 1);
            diagonal = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    Ok(row.last().copied().unwrap_or(a.len()))
}

pub(super) fn word_count(seen: &Seen<'_>) -> Result<Mark, String> {
    #[expect(clippy::cast_precision_loss, reason = "a text has fewer than 2^52 words")]
    let count = seen.text.split(js::is_space).filter(|word| !word.is_empty()).count() as f64;
    let bound = |value: &Value| match value {
        Value::String(text) => js::parse_number(text),
        value => value.as_f64(),
    };
    match &seen.value {
        Some(Value::Object(fields)) => {
            let (min, max) = (fields.get("min").and_then(bound), fields.get("max").and_then(bound));
            if fields.get("min").is_none() && fields.get("max").is_none() {
                return Err("word-count needs min, max or both".to_owned());
            }
            if min.zip(max).is_some_and(|(min, max)| min > max) {
                return Err("word-count has a min above its max".to_owned());
            }
            Ok(seen.mark(min.is_none_or(|min| count >= min) && max.is_none_or(|max| count <= max)))
        }
        Some(value @ (Value::Number(_) | Value::String(_))) => {
            let expected = bound(value).ok_or("word-count needs a number")?;
            #[expect(clippy::float_cmp, reason = "both are counts")]
            Ok(seen.mark(count == expected))
        }
        _ => Err("word-count needs a number, or an object with min and max".to_owned()),
    }
}

pub(super) fn finish_reason(seen: &Seen<'_>) -> Result<Mark, String> {
    let wanted = seen.text_value()?.to_lowercase();
    Ok(seen.mark(seen.answer.finish_reason.as_ref().is_some_and(|reason| reason.to_lowercase() == wanted)))
}

/// A measurement that must not be above the threshold.
pub(super) fn measured(seen: &Seen<'_>, measured: Option<f64>, missing: &str) -> Result<Mark, String> {
    let threshold = seen.threshold.ok_or_else(|| format!("{} needs a threshold", seen.base))?;
    let measured = measured.ok_or_else(|| format!("{}: {missing}", seen.base))?;
    Ok(seen.mark(measured <= threshold))
}

pub(super) fn perplexity(seen: &Seen<'_>) -> Result<Mark, String> {
    let log_probs = &seen.answer.log_probs;
    if log_probs.is_empty() {
        return Err(format!(
            "{} needs the probabilities of tokens (logprobs), which the answer has not",
            seen.base
        ));
    }
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 tokens")]
    let perplexity = (-log_probs.iter().sum::<f64>() / log_probs.len() as f64).exp();
    if seen.base == "perplexity" {
        return Ok(seen.threshold.map_or(Mark::of(true), |threshold| seen.mark(perplexity <= threshold)));
    }
    let score = 1.0 / (1.0 + perplexity);
    let is_passed = seen.threshold.is_none_or(|threshold| (score >= threshold) != seen.is_inverse);
    Ok(Mark { is_passed, score: if seen.is_inverse { 1.0 - score } else { score } })
}
