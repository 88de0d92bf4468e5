//! Numbers and times as lines of metrics have them, and what is behind them.

use llm_canary::timestamp::UnixMs;

/// A time from here on is in milliseconds, as in `promtool tsdb dump`: in seconds it would be the year 5138.
const MILLISECONDS_MIN: f64 = 1e11;
/// More digits may be more than 2^53, up to which all whole numbers are exact as `f64`.
const DIGITS_MAX: usize = 15;
/// The powers of ten that are exact as `f64`.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// The value and the time if there is one, of what follows the labels. An exemplar may follow.
///
/// # Errors
/// A sentence without its subject.
pub(super) fn value_and_time(text: &[u8]) -> Result<(f64, Option<UnixMs>), String> {
    let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let value = words.next().ok_or("has no value; write NAME{LABELS} VALUE TIME")?;
    let value = number(value)
        .ok_or_else(|| format!("has a value that is no number: {}", String::from_utf8_lossy(value)))?;
    let mut words = words.take_while(|word| !word.starts_with(b"#"));
    let at_ms = words.next().map(time).transpose()?;
    match words.next() {
        Some(more) => Err(format!("has more than a value and a time: {}", String::from_utf8_lossy(more))),
        None => Ok((value, at_ms)),
    }
}

/// The same of a line as most are, and what is behind the line: a number and a time, each behind one blank, in few digits.
/// `None` for any other, and where the text breaks off.
pub(super) fn usual_value_and_time(text: &[u8]) -> Option<(f64, UnixMs, &[u8])> {
    let (value, rest) = decimal(text.strip_prefix(b" ")?)?;
    let (time, rest) = decimal(rest.strip_prefix(b" ")?)?;
    Some((value, millis(time), rest.strip_prefix(b"\n")?))
}

/// A number of few digits, such as `81.95` or `1.77e+09`, and what is behind it.
///
/// Its digits as a whole number are exact, and so is the power of ten: then the product or the quotient of the two is rounded
/// once, and is the nearest number that there is (Clinger, "How to read floating point numbers accurately", 1990).
fn decimal(text: &[u8]) -> Option<(f64, &[u8])> {
    let (whole, count, mut rest) = digits(0, text);
    let (mut number, mut places) = (whole, 0);
    if let Some(behind) = rest.strip_prefix(b".") {
        (number, places, rest) = digits(whole, behind);
    }
    let mut power = 0;
    if let [b'e' | b'E', behind @ ..] = rest {
        let (is_negative, behind) = match behind {
            [b'-', behind @ ..] => (true, behind),
            [b'+', behind @ ..] => (false, behind),
            _ => (false, behind),
        };
        let count;
        (power, count, rest) = digits(0, behind);
        // It is too great for any power that is exact, in any number of places.
        if !(1..=3).contains(&count) {
            return None;
        }
        power = if is_negative { -power } else { power };
    }
    if !(1..=DIGITS_MAX).contains(&(count + places)) {
        return None;
    }
    power -= places as i64;
    let exact = *POWERS.get(usize::try_from(power.unsigned_abs()).ok()?)?;
    Some((if power < 0 { number as f64 / exact } else { number as f64 * exact }, rest))
}

/// The digits at the beginning, behind those of a number; how many they are; and what is behind them.
fn digits(mut number: i64, text: &[u8]) -> (i64, usize, &[u8]) {
    let mut rest = text;
    while let [digit @ b'0'..=b'9', behind @ ..] = rest {
        // Too many are told by their count.
        number = number.wrapping_mul(10).wrapping_add(i64::from(digit & 0xf));
        rest = behind;
    }
    (number, text.len() - rest.len(), rest)
}

fn number(word: &[u8]) -> Option<f64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// A time in seconds, or in milliseconds if it is too great for seconds.
fn time(word: &[u8]) -> Result<UnixMs, String> {
    let is_time = |time: &f64| time.is_finite() && *time >= 0.0;
    let time = number(word).filter(is_time);
    time.map(millis).ok_or_else(|| {
        format!("has a time that is no number of seconds since 1970: {}", String::from_utf8_lossy(word))
    })
}

fn millis(time: f64) -> UnixMs {
    (if time < MILLISECONDS_MIN { time * 1_000.0 } else { time }).round() as UnixMs
}

#[cfg(test)]
mod tests {
    use super::{usual_value_and_time, value_and_time};
    use proptest::prelude::*;

    #[test]
    fn most_numbers_are_usual() {
        for (text, value, at_ms) in [
            (" 0 0\n", 0.0, 0),
            (" 123 1770000000\nx", 123.0, 1_770_000_000_000),
            // As promtool writes them.
            (" 1.8477963e+07 1770009585.417\n", 18_477_963.0, 1_770_009_585_417),
            (" 81.95 1770000000000\n", 81.95, 1_770_000_000_000),
            (" 5e-3 1.7e9\n", 0.005, 1_700_000_000_000),
        ] {
            let found = usual_value_and_time(text.as_bytes()).map(|(value, at_ms, _)| (value, at_ms));
            assert_eq!(found, Some((value, at_ms)), "{text}");
        }
        for text in [
            " 1 2", " 1\n", "1 2\n", " 1  2\n", " -1 2\n", " 1 2 \n", " NaN 2\n", " . 2\n", " 1e 2\n",
            " e5 2\n", "",
        ] {
            assert_eq!(usual_value_and_time(text.as_bytes()), None, "{text}");
        }
    }

    /// Numbers in all forms, and what is nearly one.
    fn word() -> impl Strategy<Value = String> {
        prop_oneof![
            "[0-9]{1,18}",
            "[0-9]{0,12}\\.[0-9]{0,8}",
            "[0-9]{0,9}\\.?[0-9]{0,9}[eE][+-]?[0-9]{0,4}",
            any::<f64>().prop_map(|number| number.to_string()),
            any::<f64>().prop_map(|number| format!("{number:e}")),
            "[0-9.eE+-]{0,12}",
        ]
    }

    proptest! {
        #[test]
        fn what_is_usual_is_read_alike(value in word(), time in word(), behind in "[ 0-9\n]{0,3}") {
            let text = format!(" {value} {time}\n{behind}");
            if let Some((found, at_ms, rest)) = usual_value_and_time(text.as_bytes()) {
                prop_assert_eq!(rest, behind.as_bytes());
                let line = text.split('\n').next().unwrap();
                prop_assert_eq!(Ok((found, Some(at_ms))), value_and_time(line.as_bytes()), "{}", text);
            }
        }
    }
}
