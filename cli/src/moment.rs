//! Moments and lengths of time, as an operator writes them.
//!
//! In: RFC 3339, `now`, `+10m`; `30s`, `1h30m`. Out: milliseconds since 1970. The present is an argument.

use llm_canary::timestamp::{UnixMs, parse_rfc3339};
use std::time::Duration;

/// Units of a length of time, in milliseconds; the longer names first, because `m` begins `ms`.
const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// The longest length of time that is read: ten years.
const DAYS_MAX: u64 = 3_660;

/// The first full second from a moment on: steps are easier to read without fractions.
pub(crate) fn full_second(at: UnixMs) -> UnixMs {
    at.div_ceil(1_000).saturating_mul(1_000)
}

/// When something shall hold from: `now`, `+10m` or RFC 3339.
pub(crate) fn parse_from(text: &str, now: UnixMs) -> Result<UnixMs, String> {
    if text == "now" {
        return Ok(full_second(now));
    }
    if let Some(later) = text.strip_prefix('+') {
        let later = parse_duration(later)?;
        return Ok(full_second(now.saturating_add(ms(later))));
    }
    parse_rfc3339(text).ok_or_else(|| {
        format!("{text:?} is no moment; write now, +10m, or RFC 3339 such as 2026-11-23T09:00:00Z")
    })
}

/// A length of time: `30s`, `1h30m`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let bad = || {
        format!("{text:?} is no length of time; write a number and ms, s, m, h or d, such as 30s or 1h30m")
    };
    let (mut rest, mut sum) = (text, 0_u64);
    if rest.is_empty() {
        return Err(bad());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at_checked(digits).ok_or_else(bad)?;
        let number: u64 = number.parse().map_err(|_| bad())?;
        let (unit, ms) = UNITS.iter().find(|(unit, _)| tail.starts_with(unit)).ok_or_else(bad)?;
        sum = number.checked_mul(*ms).and_then(|ms| sum.checked_add(ms)).ok_or_else(bad)?;
        rest = tail.get(unit.len()..).unwrap_or_default();
    }
    let longest = Duration::from_secs(DAYS_MAX * 86_400);
    Some(Duration::from_millis(sum)).filter(|time| *time <= longest).ok_or_else(bad)
}

/// A length of time in milliseconds.
pub(crate) fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A length of time, rounded to what matters: `850 ms`, `2 s`, `10 min`, `2 h 5 min`, `3 d 4 h`.
pub(crate) fn words(ms: u64) -> String {
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    };
    let (seconds, minutes, hours) = (ms / 1_000, ms / 60_000, ms / 3_600_000);
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{seconds} s"),
        60_000..3_600_000 => two(minutes, "min", seconds % 60, "s"),
        3_600_000..86_400_000 => two(hours, "h", minutes % 60, "min"),
        _ => two(hours / 24, "d", hours % 24, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::{full_second, parse_duration, parse_from, words};

    #[test]
    fn moments_from_now() {
        assert_eq!((full_second(0), full_second(1), full_second(1_000)), (0, 1_000, 1_000));
        assert_eq!(parse_from("now", 1_234), Ok(2_000));
        assert_eq!(parse_from("+2s", 1_234), Ok(4_000));
        assert_eq!(parse_from("1970-01-01T00:00:01.5Z", 9), Ok(1_500), "what is given is not rounded");
        assert!(parse_from("soon", 0).is_err_and(|words| words.contains("write now, +10m")));
        assert!(parse_from("+", 0).is_err());
    }

    #[test]
    fn durations() {
        let ms = |text| parse_duration(text).map(|time| time.as_millis()).ok();
        for (text, expect) in
            [("250ms", 250), ("30s", 30_000), ("10m", 600_000), ("1h30m", 5_400_000), ("2d", 172_800_000)]
        {
            assert_eq!(ms(text), Some(expect), "{text}");
        }
        for text in ["", "5", "s", "1x", "-1s", "1.5h", "1h 30m", "99999999999999999999s", "9999d"] {
            assert_eq!(ms(text), None, "{text}");
        }
    }

    #[test]
    fn lengths_in_words() {
        for (ms, text) in [
            (12, "12 ms"),
            (2_999, "2 s"),
            (60_000, "1 min"),
            (150_000, "2 min 30 s"),
            (7_500_000, "2 h 5 min"),
            (86_400_000, "1 d"),
            (100_000_000, "1 d 3 h"),
        ] {
            assert_eq!(words(ms), text);
        }
    }
}
