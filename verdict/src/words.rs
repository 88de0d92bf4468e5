//! Numbers in words: short, exact enough, and the same everywhere.

use crate::math::real;

/// A count with a comma for each thousand: `12,345`.
#[must_use]
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        let left = digits.len().saturating_sub(position);
        if position > 0 && left.is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A part of 1 as a percentage: `3.1 %`, `0.98 %`, `25 %`.
#[must_use]
pub fn percent(part: f64) -> String {
    format!("{} %", short(part * 100.0))
}

/// A number with two digits at least, and no more behind the point than it takes for that: `0.98`, `3.1`, `25`, `1,204`.
#[must_use]
pub fn short(number: f64) -> String {
    let size = number.abs();
    if !number.is_finite() {
        "∞".to_owned()
    } else if size >= 10.0 {
        let sign = if number < 0.0 { "-" } else { "" };
        sign.to_owned() + &count(size.round().min(real(u64::MAX)) as u64)
    } else if size >= 1.0 {
        trimmed(format!("{number:.1}"))
    } else if size >= 0.1 {
        trimmed(format!("{number:.2}"))
    } else {
        trimmed(format!("{number:.3}"))
    }
}

fn trimmed(text: String) -> String {
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::{count, percent, short};

    #[test]
    fn numbers() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
        for (number, text) in [
            (0.0, "0"),
            (0.0314, "0.031"),
            (0.98, "0.98"),
            (3.12, "3.1"),
            (2.0, "2"),
            (1204.4, "1,204"),
            (-12.0, "-12"),
        ] {
            assert_eq!(short(number), text);
        }
        assert_eq!(percent(0.031), "3.1 %");
        assert_eq!(short(f64::INFINITY), "∞");
        assert_eq!(short(f64::MAX), "18,446,744,073,709,551,615");
    }
}
