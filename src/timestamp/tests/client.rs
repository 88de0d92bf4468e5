//! Times in the forms that clients send, with jiff as the oracle.

use crate::timestamp::*;
use proptest::prelude::*;

/// 2026-11-23T09:00:00Z.
const NINE: UnixMs = 1_795_424_400_000;

#[test]
fn a_number_is_read_by_its_digits() {
    for (text, expected) in [
        ("1795424400", Some(NINE)),
        ("1795424400000", Some(NINE)),
        (" 1795424400000\r\n", Some(NINE)),
        ("1795424400000000", Some(NINE)),
        ("1795424400000000000", Some(NINE)),
        // Python's time.time(), JavaScript's performance.timeOrigin, and numbers in JSON.
        ("1795424400.1239999", Some(NINE + 123)),
        ("1795424400.0", Some(NINE)),
        ("1795424400123.9", Some(NINE + 123)),
        ("1795424400123999.9", Some(NINE + 123)),
        // Java's and Go's way to print a float.
        ("1.7954244E9", Some(NINE)),
        ("1.795424400123E12", Some(NINE + 123)),
        ("1.795424400123e+12", Some(NINE + 123)),
        ("1.795424400123999e+15", Some(NINE + 123)),
        ("1.795424400123999e+18", Some(NINE + 123)),
        ("17954244e2", Some(NINE)),
        ("1795424400e0", Some(NINE)),
        // A date in a structured field.
        ("@1795424400", Some(NINE)),
        ("\"1795424400\"", Some(NINE)),
        ("1000000000", Some(FIRST_MS)),
        ("9999999999", Some(9_999_999_999_000)),
        // Other lengths, and what is no number of this form.
        ("0", None),
        ("1", None),
        ("999999999", None),
        ("0999999999", None),
        ("0000000001", None),
        ("0000000000000", None),
        ("17954244000", None),
        ("179542440000", None),
        ("17954244000000", None),
        ("20261123090000", None),
        ("179542440000000", None),
        ("17954244000000000", None),
        ("17954244000000000000", None),
        ("1e99", None),
        ("1e999999999999999999999", None),
        ("1795424400e", None),
        ("1795424400e+", None),
        ("1795424400e-3", None),
        ("1795424400.", None),
        (".1795424400", None),
        ("1795424400.1.2", None),
        ("1795424400.x", None),
        ("-1795424400", None),
        ("+1795424400", None),
        ("1,795,424,400", None),
        ("1795424400s", None),
        ("0x6b040a90", None),
        ("1795424400 1795424400", None),
        ("٣٣٣٣٣٣٣٣٣٣", None),
        ("", None),
        (" ", None),
        ("\"", None),
        ("\"\"", None),
        ("true", None),
        ("NaN", None),
    ] {
        assert_eq!(parse(text.as_bytes()), expected, "{text:?}");
    }
    assert_eq!(parse(b"\xff"), None);
}

#[test]
fn a_date_is_read_as_others_print_it() {
    for (text, expected) in [
        // JavaScript: toISOString and JSON, text, toUTCString.
        ("2026-11-23T09:00:00.000Z", Some(NINE)),
        ("\"2026-11-23T09:00:00.000Z\"", Some(NINE)),
        ("Mon Nov 23 2026 09:00:00 GMT+0000 (Coordinated Universal Time)", Some(NINE)),
        ("Mon Nov 23 2026 10:30:00 GMT+0130 (\u{4e2d})", Some(NINE)),
        ("Mon, 23 Nov 2026 09:00:00 GMT", Some(NINE)),
        // E-mail, Ruby's rfc2822, PHP's DATE_RFC2822.
        ("Mon, 23 Nov 2026 10:00:00 +0100", Some(NINE)),
        ("Tue, 3 Nov 2026 09:00:00 +0000", Some(NINE - 20 * DAY_MS)),
        // Python: isoformat, str, strftime, logging; with and without a zone.
        ("2026-11-23T09:00:00", Some(NINE)),
        ("2026-11-23T09:00:00.123456", Some(NINE + 123)),
        ("2026-11-23T09:00:00.123456+00:00", Some(NINE + 123)),
        ("2026-11-23 09:00:00.123456+00:00", Some(NINE + 123)),
        ("2026-11-23 09:00:00", Some(NINE)),
        ("2026-11-23T09:00:00+0000", Some(NINE)),
        ("2026-11-23 09:00:00,123", Some(NINE + 123)),
        // Java: Instant, OffsetDateTime, LocalDateTime and ZonedDateTime; a full minute has no seconds.
        ("2026-11-23T09:00:00.123456789Z", Some(NINE + 123)),
        ("2026-11-23T09:00Z", Some(NINE)),
        ("2026-11-23T10:00+01:00", Some(NINE)),
        ("2026-11-23T09:00", Some(NINE)),
        ("2026-11-23T10:00+01:00[Europe/Berlin]", Some(NINE)),
        // RFC 9557
        ("2026-11-23T09:00:00Z[Europe/Berlin]", Some(NINE)),
        // Go
        ("2026-11-23 09:00:00 +0000 UTC", Some(NINE)),
        ("2026-11-23 10:00:00.123456789 +0100 CET m=+0.000012345", Some(NINE + 123)),
        ("2026-11-23 12:00:00 +0300 +03", Some(NINE)),
        ("2026-11-23 01:00:00 -0800 PST m=-1.5", Some(NINE)),
        // Ruby
        ("2026-11-23 09:00:00 UTC", Some(NINE)),
        ("2026-11-23 10:00:00 +0100", Some(NINE)),
        // PostgreSQL
        ("2026-11-23 09:00:00.123+00", Some(NINE + 123)),
        ("2026-11-23 14:30:00+05:30", Some(NINE)),
        ("2026-11-23 01:00:00-08", Some(NINE)),
        // A plus that became a space, and a space that became a plus.
        ("2026-11-23T10:00:00 01:00", Some(NINE)),
        ("2026-11-23T10:00:00 0100", Some(NINE)),
        ("2026-11-23 10:00:00 01", Some(NINE)),
        ("2026-11-23+09:00:00Z", Some(NINE)),
        ("2026-11-23t09:00:00z", Some(NINE)),
        ("2026-11-23T09:00:00 Z", Some(NINE)),
        ("2026-11-23T09:00:00UTC", Some(NINE)),
        ("2026-11-23T09:00:00gmt", Some(NINE)),
        ("2026-11-23T23:59:60+15:00", None),
        ("2026-12-31T23:59:60", Some(1_798_761_599_999)),
        // What languages have in place of no time.
        ("1970-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01 00:00:00 +0000 UTC", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("2001-09-09T01:46:39.999Z", None),
        ("2001-09-09T01:46:40Z", Some(FIRST_MS)),
        ("Invalid Date", None),
        ("NaT", None),
        // A day has many times, and a zone's letters have several meanings.
        ("2026-11-23", None),
        ("2026-11-23T", None),
        ("2026-11-23T09", None),
        ("2026-11-23T09:00:00 EST", None),
        ("2026-11-23T09:00:00 ", Some(NINE)), // trimmed
        ("2026-11-23T09:00:00[UTC]", None),
        ("2026-11-23T09:00:00Z[UTC", None),
        ("2026-11-23T09:00:00Z x", None),
        ("2026-11-23T09:00:00ZZ", None),
        ("2026-11-23T09:00:00+", None),
        ("2026-11-23T09:00:00+1", None),
        ("2026-11-23T09:00:00+1:00", None),
        ("2026-11-23T09:00:00+01:", None),
        ("2026-11-23T09:00:00+010", None),
        ("2026-11-23T09:00:00+24", None),
        ("2026-11-23T09:00:00+0160", None),
        ("2026-11-23T09:00:00.", None),
        ("2026-11-23T09:00.5", None),
        ("2026-11-23T24:00:00Z", None),
        ("2026-13-23T09:00:00Z", None),
        ("2026-02-29T09:00:00Z", None),
        ("20261123T090000Z", None),
        ("23.11.2026 09:00:00", None),
        ("11/23/2026 09:00:00", None),
        ("Mon, 31 Nov 2026 09:00:00 GMT", None),
        ("Mon, 00 Nov 2026 09:00:00 GMT", None),
        ("Mon, 23 Nom 2026 09:00:00 GMT", None),
        ("Monday, 23-Nov-26 09:00:00 GMT", None),
        ("Mon Nov 23 09:00:00 2026", None),
        ("Mon", None),
        ("Mon,", None),
    ] {
        assert_eq!(parse(text.as_bytes()), expected, "{text:?}");
    }
}

/// What `strftime` writes in each form.
const FORMS: [&str; 14] = [
    "%Y-%m-%dT%H:%M:%S%.3fZ",
    "%Y-%m-%dT%H:%M:%S%.6f",
    "%Y-%m-%dT%H:%M:%S%.9f",
    "%Y-%m-%d %H:%M:%S%.f UTC",
    "%Y-%m-%d %H:%M:%S%.3f%:z",
    "%Y-%m-%d %H:%M:%S%.3f%z",
    "%Y-%m-%d %H:%M:%S%.3f %z",
    "%Y-%m-%d %H:%M:%S%.9f %z UTC m=+1.5",
    "%Y-%m-%dT%H:%M:%S%.3f%:z[Etc/UTC]",
    "%Y-%m-%d+%H:%M:%S%.3f%:z",
    "%s%.3f",
    "%s%.9f",
    "@%s%.3f",
    "\"%Y-%m-%dT%H:%M:%S%.3f%:z\"",
];
/// The same, without fractions.
const FORMS_OF_SECONDS: [&str; 6] = [
    "%a, %d %b %Y %H:%M:%S GMT",
    "%a, %d %b %Y %H:%M:%S %z",
    "%a %b %d %Y %H:%M:%S GMT%z (x)",
    "%s",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S UTC",
];

proptest! {
    #[test]
    fn any_time_is_read_in_each_form(
        ms in FIRST_MS..10_000_000_000_000_u64,
        below_ms in 0..1_000_000_i64,
        offset_minutes in -1439..1440_i32,
    ) {
        let nanos = i128::from(ms) * 1_000_000 + i128::from(below_ms);
        let timestamp = jiff::Timestamp::from_nanosecond(nanos).unwrap();
        let utc = timestamp.to_zoned(jiff::tz::TimeZone::UTC);
        let offset = jiff::tz::Offset::from_seconds(offset_minutes * 60).unwrap();
        let local = timestamp.to_zoned(offset.to_time_zone());
        for form in FORMS.iter().chain(&FORMS_OF_SECONDS) {
            // A local time needs its offset.
            let is_local = form.contains("%z") || form.contains("%:z");
            let zoned = if is_local { &local } else { &utc };
            let text = zoned.strftime(form).to_string();
            let expected = if FORMS.contains(form) { ms } else { ms - ms % 1000 };
            prop_assert_eq!(parse(text.as_bytes()), Some(expected), "{}", text);
            if is_local {
                // In a query that does not escape it, a plus becomes a space.
                prop_assert_eq!(parse(text.replace('+', " ").as_bytes()), Some(expected), "{}", text);
            }
        }
        for text in [ms.to_string(), (nanos / 1000).to_string(), nanos.to_string(), rfc3339(ms)] {
            prop_assert_eq!(parse(text.as_bytes()), Some(ms), "{}", text);
        }
    }

    /// A float that JSON writes is read to the millisecond, with and without an exponent.
    #[test]
    fn any_number_of_json_is_read(ms in FIRST_MS..10_000_000_000_000_u64) {
        for (number, allowed_ms) in [(ms as f64, 0), (ms as f64 / 1000.0, 1), (ms as f64 * 1000.0, 0)] {
            for text in [format!("{number}"), format!("{number:e}"), format!("{number:E}"), serde_json::json!(number).to_string()] {
                let read = parse(text.as_bytes());
                prop_assert!(read.is_some_and(|read| read.abs_diff(ms) <= allowed_ms), "{}: {:?}", text, read);
            }
        }
    }

    #[test]
    fn no_time_before_the_first_is_read(ms in 0..FIRST_MS) {
        for text in [ms.to_string(), (ms / 1000).to_string(), (u128::from(ms) * 1_000_000).to_string(), rfc3339(ms)] {
            // A number of fewer milliseconds may have the digits of seconds.
            let read = parse(text.as_bytes());
            prop_assert!(read.is_none_or(|read| read >= FIRST_MS), "{}: {:?}", text, read);
        }
        prop_assert_eq!(parse(rfc3339(ms).as_bytes()), None);
    }

    #[test]
    fn what_rfc_3339_has_is_read_alike(ms in FIRST_MS..253_402_300_800_000_u64) {
        prop_assert_eq!(parse(rfc3339(ms).as_bytes()), Some(ms));
    }

    #[test]
    fn any_bytes_are_read(bytes in any::<Vec<u8>>(), text in "[0-9TZe+.,: @\"-]{0,40}", words in "[A-Z][a-z]{2},? [0-9A-Za-z :+()-]{0,40}") {
        for bytes in [&bytes[..], text.as_bytes(), words.as_bytes()] {
            prop_assert!(parse(bytes).is_none_or(|time| time >= FIRST_MS));
        }
    }
}
