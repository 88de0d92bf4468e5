//! A value of dynamic metadata as text, so that an id is the same key whatever type an earlier filter gave it.

use alloc::vec::Vec;

/// 2^53: a double holds each integer below it exactly.
const DOUBLE_INTEGERS_MAX: f64 = 9_007_199_254_740_992.0;

/// A value of metadata as text. Envoy's VM hands over a string as it is, a number as the eight bytes of a double, and a truth
/// value as one byte. A number is written in decimal, as a client writes it in a header: an integer, or up to five digits behind
/// the point.
///
/// Nothing tells a number from a string of eight bytes. A string of an id has no control characters and is UTF-8. Of the
/// integers up to 2^51, and of times in seconds, none looks like that. A number that is neither 0 nor from 1 to 2^53 is no id
/// and no time; it stays as it is.
#[expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the number is below 2^53, and its fraction below 1"
)]
#[must_use]
pub fn metadata_text(value: &[u8]) -> Vec<u8> {
    match value {
        [0] => return b"false".to_vec(),
        [1] => return b"true".to_vec(),
        _ => {}
    }
    let is_text = || str::from_utf8(value).is_ok_and(|text| !text.chars().any(char::is_control));
    let is_decimal = |size: f64| size == 0.0 || (1.0..DOUBLE_INTEGERS_MAX).contains(&size);
    let number = value.try_into().map(f64::from_le_bytes).ok();
    let Some(number) = number.filter(|number| is_decimal(number.abs()) && !is_text()) else {
        return value.to_vec();
    };
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

#[cfg(test)]
mod tests {
    use super::metadata_text;
    use proptest::prelude::*;

    fn number(number: f64) -> String {
        String::from_utf8(metadata_text(&number.to_le_bytes())).unwrap()
    }

    #[test]
    fn metadata_is_text() {
        for text in ["", "c", "c-42", "conv-123", "ABCDEFG2", "abcdefgC", "ids with 17 bytes", "gr\u{fc}n-12"]
        {
            assert_eq!(metadata_text(text.as_bytes()), text.as_bytes(), "{text}");
        }
        assert_eq!(metadata_text(&[1]), b"true");
        assert_eq!(metadata_text(&[0]), b"false");
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
            assert_eq!(metadata_text(&value.to_le_bytes()), value.to_le_bytes());
        }
        assert_eq!(metadata_text(&[0xff; 9]), [0xff; 9]);
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
            prop_assert_eq!(metadata_text(text.as_bytes()), text.as_bytes());
        }

        #[test]
        fn any_bytes_are_written(bytes in prop::collection::vec(any::<u8>(), 0..10), number in any::<f64>()) {
            let _ = (metadata_text(&bytes), metadata_text(&number.to_le_bytes()));
        }
    }
}
