//! Values as JavaScript has them: texts of values, spaces, lengths, equality.
//!
//! promptfoo runs on JavaScript, so its checks and templates follow these rules. A value is JSON; what JavaScript calls
//! `undefined` is an absent value.

use serde_json::{Number, Value};
use std::fmt::Write;

/// The text of a number: the shortest digits that read back as the same number.
pub fn number(n: &Number) -> String {
    if n.is_i64() || n.is_u64() {
        let text = n.to_string();
        // Beyond 2^53 a number of JavaScript is the nearest one that it can hold.
        if text.len() <= 15 {
            return text;
        }
    }
    float(n.as_f64().unwrap_or(f64::NAN))
}

/// The text of a number.
pub fn float(x: f64) -> String {
    if x.is_nan() {
        return "NaN".to_owned();
    }
    if x.is_infinite() {
        return if x > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if x == 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{x:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-6..21).contains(&exponent) {
        return format!("{x}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{}", exponent.unsigned_abs())
}

/// `String(value)`.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(is_true) => is_true.to_string(),
        Value::Number(n) => number(n),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let texts = items.iter().map(|item| if item.is_null() { String::new() } else { text(item) });
            texts.collect::<Vec<_>>().join(",")
        }
        Value::Object(_) => "[object Object]".to_owned(),
    }
}

/// `JSON.stringify(value)`.
pub fn stringify(value: &Value) -> String {
    let mut out = String::new();
    write_json(value, &mut out);
    out
}

fn write_json(value: &Value, out: &mut String) {
    match value {
        Value::Number(n) => out.push_str(&number(n)),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_json(item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (at, (name, item)) in fields.iter().enumerate() {
                let comma = if at > 0 { "," } else { "" };
                let _ = write!(out, "{comma}{}:", Value::from(name.as_str()));
                write_json(item, out);
            }
            out.push('}');
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {
            let _ = write!(out, "{value}");
        }
    }
}

/// A number as JSON holds it; whole ones without a fraction.
pub fn to_number(x: f64) -> Value {
    // Exact below 2^53.
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
    if x.fract() == 0.0 && x.abs() < 9.0e15 {
        return Value::from(x as i64);
    }
    Number::from_f64(x).map_or(Value::Null, Value::Number)
}

/// `Number(text)` of a text that is a number; `None` for `NaN`.
pub fn parse_number(text: &str) -> Option<f64> {
    let text = trim(text);
    if text.is_empty() {
        return Some(0.0);
    }
    for (prefix, radix) in [("0x", 16), ("0X", 16), ("0o", 8), ("0O", 8), ("0b", 2), ("0B", 2)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            #[expect(clippy::cast_precision_loss, reason = "so does JavaScript")]
            return u64::from_str_radix(digits, radix).ok().map(|n| n as f64);
        }
    }
    match text {
        "Infinity" | "+Infinity" => return Some(f64::INFINITY),
        "-Infinity" => return Some(f64::NEG_INFINITY),
        _ => {}
    }
    let is_plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    text.parse().ok().filter(|_| is_plain)
}

/// Whether a character is a space or a line end for `trim` and `\s`.
pub fn is_space(c: char) -> bool {
    (c.is_whitespace() && c != '\u{85}') || c == '\u{feff}'
}

/// `text.trim()`.
pub fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// `text.length`: UTF-16 units.
pub fn length(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Whether a value counts as true.
pub fn is_truthy(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Bool(is_true)) => *is_true,
        Some(Value::Number(n)) => n.as_f64().is_some_and(|x| x != 0.0 && !x.is_nan()),
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(_) | Value::Object(_)) => true,
    }
}

/// Deep equality: types are strict, the order of fields does not matter, 1 equals 1.0.
pub fn is_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let has =
                |(name, value): (&String, &Value)| b.get(name).is_some_and(|other| is_equal(value, other));
            a.len() == b.len() && a.iter().all(has)
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::{float, is_equal, length, parse_number, stringify, text, trim};
    use serde_json::json;

    #[test]
    fn numbers_print_as_in_javascript() {
        for (x, expect) in [
            (3.0, "3"),
            (0.1, "0.1"),
            (-0.0, "0"),
            (1e21, "1e+21"),
            (1e20, "100000000000000000000"),
            (1e-7, "1e-7"),
            (1.5e-7, "1.5e-7"),
            (0.000_001, "0.000001"),
            (123_456.789, "123456.789"),
            (1.5e300, "1.5e+300"),
        ] {
            assert_eq!(float(x), expect);
        }
    }

    #[test]
    fn values_print_as_in_javascript() {
        assert_eq!(text(&json!([1, null, "a", [2, {}]])), "1,,a,2,[object Object]");
        assert_eq!(
            stringify(&json!({"a": 1.0, "b": [true, null, "x\"\n"]})),
            "{\"a\":1,\"b\":[true,null,\"x\\\"\\n\"]}"
        );
    }

    #[test]
    fn equality_is_deep_and_strict_in_types() {
        assert!(is_equal(&json!({"a": 1.0, "b": 2}), &json!({"b": 2, "a": 1})));
        assert!(!is_equal(&json!("1"), &json!(1)));
    }

    #[test]
    fn texts_are_measured_and_trimmed_as_in_javascript() {
        assert_eq!(length("a👍"), 3);
        assert_eq!(trim("\u{feff} a\u{85}\n"), "a\u{85}");
        assert_eq!(parse_number(" 2 "), Some(2.0));
        assert_eq!(parse_number("two"), None);
        assert_eq!(parse_number("inf"), None);
    }
}
