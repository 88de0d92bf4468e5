//! Percentages and whole numbers on the command line.
//!
//! In: what the operator wrote. Out: a number, or a sentence that says what is wrong with it.

use llm_canary::bucket::PARTS;
use std::ops::RangeInclusive;

/// Decimal places of the finest percentage.
const PERCENT_PLACES: usize = 4;
const PARTS_PER_PERCENT: u32 = PARTS / 100;

/// Reads a percentage such as `5`, `0.5%` or `12.5 %` as parts per million.
pub(crate) fn parse_percent(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim_end();
    let (is_negative, digits) = number.strip_prefix('-').map_or((false, number), |digits| (true, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return Err(format!("{text:?} is not a percentage; write a number from 0 to 100, as fine as 0.0001"));
    }
    if is_negative {
        return Err(format!("{text:?} is negative; write a percentage from 0 to 100"));
    }
    // What does not fit is certainly more than 100.
    let whole = whole.parse().unwrap_or(u32::MAX);
    if whole > 100 || whole == 100 && fraction.bytes().any(|digit| digit != b'0') {
        return Err(format!("{text:?} is more than 100; write a percentage from 0 to 100"));
    }
    if fraction.len() > PERCENT_PLACES {
        return Err(format!("{text:?} is finer than 0.0001, the finest percentage; round it to 4 places"));
    }
    let fraction = format!("{fraction:0<PERCENT_PLACES$}").parse().unwrap_or(0);
    Ok(whole * PARTS_PER_PERCENT + fraction)
}

/// Reads a whole number within a range.
pub(crate) fn parse_whole(text: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    let (least, most) = range.into_inner();
    let bad = || format!("{text:?} is not a whole number; write one from {least} to {most}");
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad());
    }
    // What does not fit is too large.
    let number = text.parse::<u64>().unwrap_or(u64::MAX);
    if text.starts_with('-') || number < least {
        return Err(format!("{text:?} is less than {least}; write a whole number from {least} to {most}"));
    }
    if number > most || number.to_string() != digits.trim_start_matches('0') && number != 0 {
        return Err(format!("{text:?} is more than {most}; write a whole number from {least} to {most}"));
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::{parse_percent, parse_whole};

    #[test]
    fn each_wrong_percentage_has_words_of_its_own() {
        for (text, parts) in [
            ("5", 50_000),
            ("5%", 50_000),
            ("0.5 %", 5_000),
            ("12.5", 125_000),
            ("0.0001", 1),
            ("100", 1_000_000),
            ("0", 0),
        ] {
            assert_eq!(parse_percent(text), Ok(parts), "{text}");
        }
        for (text, words) in [
            ("-5", "is negative"),
            ("-0.5%", "is negative"),
            ("-101", "is negative"),
            ("0.00001", "is finer than 0.0001"),
            ("99.99999 %", "is finer than 0.0001"),
            ("100.0001", "is more than 100"),
            ("100.00001", "is more than 100"),
            ("101%", "is more than 100"),
            ("99999999999999999999", "is more than 100"),
            ("five", "is not a percentage"),
            ("5,5", "is not a percentage"),
            ("1e1", "is not a percentage"),
            ("+5", "is not a percentage"),
            ("--5", "is not a percentage"),
            ("-", "is not a percentage"),
            ("", "is not a percentage"),
            ("5%%", "is not a percentage"),
            ("%", "is not a percentage"),
            (".5", "is not a percentage"),
            ("1.2.3", "is not a percentage"),
            ("٥", "is not a percentage"),
        ] {
            let found = parse_percent(text).err().unwrap_or_default();
            assert!(found.starts_with(&format!("{text:?} {words}")), "{text}: {found}");
        }
    }

    #[test]
    fn each_wrong_whole_number_has_words_of_its_own() {
        assert_eq!(parse_whole("007", 1..=10), Ok(7));
        assert_eq!(parse_whole("0", 0..=u64::MAX), Ok(0));
        assert_eq!(parse_whole(&u64::MAX.to_string(), 0..=u64::MAX), Ok(u64::MAX));
        for (text, words) in [
            ("0", "is less than 1"),
            ("-3", "is less than 1"),
            ("11", "is more than 10"),
            ("99999999999999999999", "is more than 10"),
            ("1.5", "is not a whole number"),
            ("ten", "is not a whole number"),
            ("", "is not a whole number"),
            ("+3", "is not a whole number"),
        ] {
            let found = parse_whole(text, 1..=10).err().unwrap_or_default();
            assert!(found.starts_with(&format!("{text:?} {words}")), "{text}: {found}");
        }
        assert!(
            parse_whole("99999999999999999999", 0..=u64::MAX)
                .is_err_and(|words| words.contains("is more than"))
        );
    }
}
