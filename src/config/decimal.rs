//! Decimal numbers of any length. Percentages are read exactly with them, without the rounding of binary numbers.

use alloc::string::String;
use core::fmt;

/// Zeros that can be written before or after a number's digits: more than 64 bits need.
const ZEROS: &str = "00000000000000000000";

/// A decimal number. Equal for equal numbers: 10, 10.0 and 1e1 are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decimal {
    is_negative: bool,
    /// ASCII digits without zeros at both ends; empty for zero.
    digits: String,
    /// The power of ten of the last digit.
    exponent: i64,
}

impl Decimal {
    /// Parses a number of JSON's grammar. Exponents are cut to the range of an `i64`.
    #[expect(clippy::arithmetic_side_effects, reason = "a position in the text")]
    pub(super) fn parse(text: &str) -> Self {
        let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (number, power) = match text.bytes().position(|byte| byte | 0x20 == b'e') {
            Some(at) => (text.get(..at), text.get(at + 1..)),
            None => (Some(text), None),
        };
        let mut exponent = power.map_or(0, self::exponent);
        let mut digits = String::new();
        let mut is_fraction = false;
        for digit in number.unwrap_or_default().chars() {
            if digit == '.' {
                is_fraction = true;
                continue;
            }
            exponent = exponent.saturating_sub(i64::from(is_fraction));
            if digit != '0' || !digits.is_empty() {
                digits.push(digit);
            }
        }
        while digits.ends_with('0') {
            digits.pop();
            exponent = exponent.saturating_add(1);
        }
        if digits.is_empty() { Self::default() } else { Self { is_negative, digits, exponent } }
    }

    /// Whether it is below zero.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.is_negative
    }

    /// The absolute value as a number of units with so many decimal places, and whether that is exact. What is finer
    /// than a unit is cut off. A value that is too large becomes `u64::MAX`.
    #[must_use]
    #[expect(clippy::arithmetic_side_effects, reason = "an ASCII digit is at least b'0'")]
    pub fn in_units(&self, places: u32) -> (u64, bool) {
        let shift = self.exponent.saturating_add(i64::from(places));
        let finer = usize::try_from(shift.saturating_neg()).unwrap_or(0);
        let kept = self.digits.len().saturating_sub(finer);
        let digit = |byte: u8| u64::from(byte - b'0');
        let zeros = usize::try_from(shift).unwrap_or(0).min(ZEROS.len());
        let digits = self.digits.bytes().take(kept).map(digit).chain(core::iter::repeat_n(0, zeros));
        let units = digits.fold(0_u64, |units, digit| units.saturating_mul(10).saturating_add(digit));
        (units, finer == 0)
    }
}

/// The exponent of a number: what follows its `e`.
#[expect(clippy::arithmetic_side_effects, reason = "an ASCII digit is at least b'0'")]
fn exponent(text: &str) -> i64 {
    let (is_negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let digits = digits.bytes().filter(u8::is_ascii_digit).map(|byte| i64::from(byte - b'0'));
    let value = digits.fold(0_i64, |value, digit| value.saturating_mul(10).saturating_add(digit));
    if is_negative { value.saturating_neg() } else { value }
}

/// Digits and a point, with an exponent only if the number would need many zeros.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (digits, exponent) = (self.digits.as_str(), self.exponent);
        let zeros = |count: u64| ZEROS.get(..usize::try_from(count).ok()?);
        let count = u64::try_from(digits.len()).unwrap_or(u64::MAX);
        let places = exponent.unsigned_abs();
        f.write_str(if self.is_negative { "-" } else { "" })?;
        if digits.is_empty() {
            return f.write_str("0");
        }
        let whole = usize::try_from(count.saturating_sub(places)).unwrap_or(usize::MAX);
        match digits.split_at_checked(whole) {
            _ if exponent >= 0 => match zeros(places) {
                Some(zeros) => write!(f, "{digits}{zeros}"),
                None => write!(f, "{digits}e{exponent}"),
            },
            Some((whole, fraction)) if !whole.is_empty() => write!(f, "{whole}.{fraction}"),
            _ => match zeros(places.saturating_sub(count)) {
                Some(zeros) => write!(f, "0.{zeros}{digits}"),
                None => write!(f, "{digits}e{exponent}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Decimal;
    use proptest::prelude::*;

    #[test]
    fn equal_numbers_are_equal_however_they_are_written() {
        for (text, shown) in [
            ("10", "10"),
            ("10.0", "10"),
            ("1e1", "10"),
            ("1E+1", "10"),
            ("0.1e2", "10"),
            ("1000e-2", "10"),
            ("-0.0", "0"),
            ("0e99", "0"),
            ("-12.50", "-12.5"),
            ("5e-5", "0.00005"),
            ("0.00012", "0.00012"),
            ("120e-1", "12"),
            ("1e20", "100000000000000000000"),
            ("12e21", "12e21"),
            ("1e-21", "0.000000000000000000001"),
            ("1e-22", "1e-22"),
            ("1e99999999999999999999", "1e9223372036854775807"),
            ("1e-99999999999999999999", "1e-9223372036854775807"),
        ] {
            let number = Decimal::parse(text);
            assert_eq!(number.to_string(), shown, "{text}");
            assert_eq!(Decimal::parse(&number.to_string()), number, "{text}");
        }
    }

    #[test]
    fn units() {
        for (text, places, expect) in [
            ("10", 4, (100_000, true)),
            ("0.0001", 4, (1, true)),
            ("0.00005", 4, (0, false)),
            ("99.99995", 4, (999_999, false)),
            ("0", 4, (0, true)),
            ("-3", 0, (3, true)),
            ("1.5", 0, (1, false)),
            ("86400", 0, (86_400, true)),
            ("1e400", 4, (u64::MAX, true)),
            ("1e-400", 4, (0, false)),
            ("18446744073709551615", 0, (u64::MAX, true)),
            ("18446744073709551616", 0, (u64::MAX, true)),
        ] {
            assert_eq!(Decimal::parse(text).in_units(places), expect, "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_whole_numbers(units: u64, places in 0_u32..8) {
            let text = format!("{units}e-{places}");
            prop_assert_eq!(Decimal::parse(&text).in_units(places), (units, true));
            let text = Decimal::parse(&text).to_string();
            prop_assert_eq!(Decimal::parse(&text).in_units(places), (units, true));
        }

        #[test]
        fn agrees_with_binary_numbers(value: f64) {
            prop_assume!(value.is_finite());
            for text in [format!("{value}"), format!("{value:e}")] {
                prop_assert_eq!(Decimal::parse(&text).to_string().parse::<f64>().unwrap(), value);
                prop_assert_eq!(Decimal::parse(&text), Decimal::parse(&format!("{value:?}")));
            }
        }
    }
}
