//! Times and durations on the command line.
//!
//! In: `now`, `+10m`, RFC 3339; `30s`, `1h30m`. Out: Unix milliseconds and durations. The present is an argument. The clock
//! and RFC 3339 end with the year 9999, and durations with ten years, so that no sum here overflows.

use llm_canary::timestamp::{UnixMs, parse_rfc3339};
use std::time::Duration;

/// The longest duration that is accepted: ten years.
const DURATION_MAX: Duration = Duration::from_secs(3_660 * 86_400);

/// The first full second at or after a time. Steps are easier to read without fractions.
pub(crate) fn next_full_second(at: UnixMs) -> UnixMs {
    at.div_ceil(1_000) * 1_000
}

/// Reads a time: `now` and `+10m` are rounded up to a full second, RFC 3339 is not rounded.
pub(crate) fn parse_time(text: &str, now: UnixMs) -> Result<UnixMs, String> {
    if text == "now" {
        return Ok(next_full_second(now));
    }
    if let Some(later) = text.strip_prefix('+') {
        let bad = |message| format!("{text:?} is not a time: {message}");
        return Ok(next_full_second(now + millis(parse_duration(later).map_err(bad)?)));
    }
    parse_rfc3339(text).ok_or_else(|| {
        format!("{text:?} is not a time; write now, +10m, or RFC 3339 such as 2026-11-23T09:00:00Z")
    })
}

/// Reads a duration such as `250ms`, `30s` or `1h30m`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).ok().filter(|duration| *duration <= DURATION_MAX).ok_or_else(|| {
        format!("{text:?} is not a duration up to ten years; write numbers with ms, s, m, h or d, such as 30s or 1h30m")
    })
}

/// A duration in milliseconds, cut to a whole number.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A duration with its one or two largest units: `850 ms`, `2 s`, `2 h 5 min`, `3 d 4 h`.
pub(crate) fn format_duration(ms: u64) -> String {
    let two_units = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    };
    let (seconds, minutes, hours) = (ms / 1_000, ms / 60_000, ms / 3_600_000);
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{seconds} s"),
        60_000..3_600_000 => two_units(minutes, "min", seconds % 60, "s"),
        3_600_000..86_400_000 => two_units(hours, "h", minutes % 60, "min"),
        _ => two_units(hours / 24, "d", hours % 24, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::{format_duration, next_full_second, parse_duration, parse_time};

    #[test]
    fn times_are_read() {
        assert_eq!((next_full_second(0), next_full_second(1), next_full_second(1_000)), (0, 1_000, 1_000));
        assert_eq!(parse_time("now", 1_234), Ok(2_000));
        assert_eq!(parse_time("+2s", 1_234), Ok(4_000));
        assert_eq!(parse_time("1970-01-01T00:00:01.5Z", 9), Ok(1_500), "RFC 3339 is not rounded");
        assert!(parse_time("soon", 0).is_err_and(|message| message.contains("write now, +10m")));
        assert!(parse_time("+", 0).is_err());
    }

    #[test]
    fn durations_are_read() {
        let ms = |text| parse_duration(text).map(|duration| duration.as_millis()).ok();
        for (text, expect) in [
            ("250ms", 250),
            ("0s", 0),
            ("30s", 30_000),
            ("10m", 600_000),
            ("1h30m", 5_400_000),
            ("1h 30min", 5_400_000),
            ("2d", 172_800_000),
        ] {
            assert_eq!(ms(text), Some(expect), "{text}");
        }
        for text in ["", "5", "s", "1x", "-1s", "99999999999999999999s", "9999d"] {
            assert_eq!(ms(text), None, "{text}");
        }
    }

    #[test]
    fn durations_are_shown() {
        for (ms, text) in [
            (12, "12 ms"),
            (2_999, "2 s"),
            (60_000, "1 min"),
            (150_000, "2 min 30 s"),
            (7_500_000, "2 h 5 min"),
            (86_400_000, "1 d"),
            (100_000_000, "1 d 3 h"),
        ] {
            assert_eq!(format_duration(ms), text);
        }
    }
}
