//! A value of dynamic metadata: an id, or a text.
//!
//! In: what Envoy's VM hands over, which is a string as it is, a number as the eight bytes of a double, little-endian, and a truth
//! value as one byte. Other hosts hand over the same.
//!
//! Nothing tells a number from a string of eight bytes. A string of an id has no control characters and is UTF-8. Of the
//! integers up to 2^51, and of times in seconds, none looks like that.

use crate::key;
use alloc::format;
use alloc::vec::Vec;

/// 2^53: a double holds each integer below it exactly.
const DOUBLE_INTEGERS_MAX: f64 = 9_007_199_254_740_992.0;

/// The id that a value is: of a number its eight bytes, else the text, unless that stands for no id.
pub(super) fn id(value: Vec<u8>) -> Option<Vec<u8>> {
    if number(&value).is_some() {
        return Some(value);
    }
    key::id(&text(value)).map(<[u8]>::to_vec)
}

/// A value as text. A number is written in decimal, as a client writes it in a header: an integer, or up to five digits behind
/// the point. A number that is neither 0 nor from 1 to 2^53 is no time; it stays as it is.
#[expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the number is below 2^53, and its fraction below 1"
)]
pub(super) fn text(value: Vec<u8>) -> Vec<u8> {
    match value.as_slice() {
        [0] => return b"false".to_vec(),
        [1] => return b"true".to_vec(),
        _ => {}
    }
    let is_decimal = |size: f64| size == 0.0 || (1.0..DOUBLE_INTEGERS_MAX).contains(&size);
    let Some(number) = number(&value).filter(|number| is_decimal(number.abs())) else { return value };
    let (sign, number) = (if number < 0.0 { "-" } else { "" }, number.abs());
    let fraction = (number - number as u64 as f64) * 1e5 + 0.5;
    let fraction = fraction as u64;
    let (whole, fraction) = (number as u64 + fraction / 100_000, fraction % 100_000);
    if fraction == 0 {
        return format!("{sign}{whole}").into_bytes();
    }
    let text = format!("{sign}{whole}.{fraction:05}");
    text.trim_end_matches('0').as_bytes().to_vec()
}

/// The number that a value is.
fn number(value: &[u8]) -> Option<f64> {
    let number = value.try_into().map(f64::from_le_bytes).ok()?;
    let is_text = str::from_utf8(value).is_ok_and(|text| !text.chars().any(char::is_control));
    (!is_text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::{id, text};
    use proptest::prelude::*;

    const STRINGS: [&str; 8] =
        ["", "c", "c-42", "conv-123", "ABCDEFG2", "abcdefgC", "ids with 17 bytes", "gr\u{fc}n-12"];

    fn number(number: f64) -> String {
        String::from_utf8(text(number.to_le_bytes().into())).unwrap()
    }

    #[test]
    fn a_value_is_text() {
        for string in STRINGS {
            assert_eq!(text(string.into()), string.as_bytes(), "{string}");
        }
        assert_eq!(text(vec![1]), b"true");
        assert_eq!(text(vec![0]), b"false");
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "0"),
            (42.0, "42"),
            (-42.0, "-42"),
            (1_795_424_400.0, "1795424400"),
            (1_795_424_400.123, "1795424400.123"),
            (1_795_424_400_000.0, "1795424400000"),
            (1_795_424_400_000_123.0, "1795424400000123"),
            (1.999_999_9, "2"),
            (1.5, "1.5"),
        ] {
            assert_eq!(number(value), expected);
        }
        // What is no number of this size stays as it is.
        for value in [f64::NAN, f64::INFINITY, 1e300, -9_007_199_254_740_992.0, 0.5, f64::MIN_POSITIVE] {
            assert_eq!(text(value.to_le_bytes().into()), value.to_le_bytes());
        }
        assert_eq!(text(vec![0xff; 9]), [0xff; 9]);
    }

    #[test]
    fn a_number_is_the_id_of_its_eight_bytes() {
        // The first byte of the one number, and the last of the other, are white space.
        let spaces = [f64::from_le_bytes(*b" \x80abcdeA"), f64::from_le_bytes(*b"\x80abcdef ")];
        for number in
            [0.0, 7.0, -42.0, 0.5, 1e300, 1_795_424_400.0, f64::NAN, f64::INFINITY].iter().chain(&spaces)
        {
            let bytes = number.to_le_bytes();
            assert_eq!(id(bytes.into()).unwrap(), bytes, "{number}");
        }
        for string in STRINGS {
            assert_eq!(id(string.into()).unwrap_or_default(), string.as_bytes(), "{string}");
            assert_eq!(id(format!(" {string} ").into()), id(string.into()), "{string}");
        }
        assert_eq!(id(vec![1]).unwrap(), b"true");
        assert_eq!(id(b"null".into()), None);
        assert_eq!(id(vec![]), None);
    }

    proptest! {
        #[test]
        fn an_integer_is_written_in_decimal(integer in 0..1_u64 << 51) {
            prop_assert_eq!(number(integer as f64), integer.to_string());
        }

        #[test]
        fn a_time_in_seconds_is_written_to_the_millisecond(ms in 1_000_000_000_000..10_000_000_000_000_u64) {
            let time = crate::timestamp::parse(number(ms as f64 / 1000.0).as_bytes());
            prop_assert_eq!(time, Some(ms));
        }

        #[test]
        fn text_stays(text in "[ -~]{0,12}") {
            prop_assert_eq!(super::text(text.clone().into()), text.as_bytes());
        }

        #[test]
        fn any_bytes_are_written(bytes in prop::collection::vec(any::<u8>(), 0..10), number in any::<f64>()) {
            let _ = (text(bytes.clone()), id(bytes), text(number.to_le_bytes().into()));
        }
    }
}
