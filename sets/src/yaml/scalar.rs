//! What an unquoted word of YAML 1.2 is: null, a truth value, a number, a date, or a text.

use crate::js;
use serde_json::{Map, Value};

/// The value of a scalar. `core` is the name of a standard tag (`str` for `!!str`).
///
/// # Errors
/// A sentence without its subject.
pub(super) fn value(text: &str, is_plain: bool, core: Option<&str>) -> Result<Value, String> {
    match core {
        None if is_plain => Ok(plain(text)),
        None | Some("str" | "binary") => Ok(Value::from(text)),
        Some("null") => Ok(Value::Null),
        Some("bool") => boolean(text).map(Value::from).ok_or_else(|| wrong(text, "bool")),
        Some("int") => integer(text).map(js::to_number).ok_or_else(|| wrong(text, "int")),
        Some("float") => {
            integer(text).or_else(|| decimal(text)).map(js::to_number).ok_or_else(|| wrong(text, "float"))
        }
        Some(_) => Ok(plain(text)),
    }
}

fn wrong(text: &str, tag: &str) -> String {
    let short: String = text.chars().take(40).collect();
    format!("has {short:?} with the tag !!{tag}, which it is not")
}

fn plain(text: &str) -> Value {
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Value::Null;
    }
    if let Some(is_true) = boolean(text) {
        return Value::Bool(is_true);
    }
    if let Some(number) = integer(text).or_else(|| decimal(text)) {
        return js::to_number(number);
    }
    if is_date(text) {
        return Value::Object(Map::new());
    }
    Value::from(text)
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

fn integer(text: &str) -> Option<f64> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let radix = |prefix: &str, radix: u32| {
        let digits = digits.strip_prefix(prefix)?;
        digits
            .bytes()
            .all(|b| b.is_ascii_alphanumeric())
            .then(|| u64::from_str_radix(digits, radix).ok())
            .flatten()
    };
    #[expect(clippy::cast_precision_loss, reason = "so does JavaScript")]
    let found = match radix("0x", 16).or_else(|| radix("0o", 8)).or_else(|| radix("0b", 2)) {
        Some(number) => number as f64,
        None if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok()?,
        None => return None,
    };
    Some(if is_negative { -found } else { found })
}

fn decimal(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
        // JSON has no such number: it becomes null.
        return Some(f64::NAN);
    }
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (unsigned.get(..at)?, unsigned.get(at + 1..)?),
        None => (unsigned, "0"),
    };
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_empty = exponent.is_empty() || (whole.is_empty() && fraction.is_empty());
    (!is_empty && is_digits(whole) && is_digits(fraction) && is_digits(exponent))
        .then(|| text.parse().ok())
        .flatten()
}

/// `2024-01-02`, or a date with a time.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits =
        |from: usize, to: usize| bytes.get(from..to).is_some_and(|b| b.iter().all(u8::is_ascii_digit));
    if bytes.len() == 10 {
        return digits(0, 4)
            && digits(5, 7)
            && digits(8, 10)
            && bytes.get(4) == Some(&b'-')
            && bytes.get(7) == Some(&b'-');
    }
    // The time: T or spaces, hours, minutes and seconds, a fraction, and a zone.
    let Some((date, time)) = text.split_once(['T', 't', ' ', '\t']) else { return false };
    let mut parts = date.split('-');
    let part_is = |part: Option<&str>, lengths: std::ops::RangeInclusive<usize>| {
        part.is_some_and(|p| lengths.contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()))
    };
    if !(part_is(parts.next(), 4..=4) && part_is(parts.next(), 1..=2) && part_is(parts.next(), 1..=2))
        || parts.next().is_some()
    {
        return false;
    }
    let time = time.trim_start_matches([' ', '\t']);
    let clock = time.trim_end_matches(['Z', 'z']).split(['+', '-', ' ']).next().unwrap_or_default();
    let clock = clock.split('.').next().unwrap_or_default();
    let mut parts = clock.split(':');
    part_is(parts.next(), 1..=2)
        && part_is(parts.next(), 2..=2)
        && part_is(parts.next(), 2..=2)
        && parts.next().is_none()
}
