//! Times that clients and operators write: as text, and inside ids.
//!
//! In: bytes. Out: milliseconds since 1970, or `None`. It reads no clock, and does not judge whether a time is
//! plausible.
//!
//! * Text of operators: RFC 3339, years 1970 to 9999. Text of clients: `client.rs` has the forms.
//! * Ids: UUIDv7 (RFC 9562), ULID (github.com/ulid/spec), TypeID (github.com/jetify-com/typeid/tree/main/spec). All
//!   three begin with 48 bits of milliseconds.

use alloc::string::String;

mod client;
mod id;
#[cfg(test)]
mod tests;

pub use client::{FIRST_MS, parse};
pub use id::of_id;

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type UnixMs = u64;

const SECOND_MS: u64 = 1000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Days from the 1st of March of the year 0 to the 1st of January 1970.
const EPOCH_DAYS: u64 = 719_468;
/// Days of 400, 100 and 4 years that begin in March. Leap days end a year, so the last of the years may or may not have
/// one: 400 and 4 years count it, 100 years do not.
const DAYS_IN_400_YEARS: u64 = 146_097;
const DAYS_IN_100_YEARS: u64 = 36_524;
const DAYS_IN_4_YEARS: u64 = 1_461;

/// RFC 3339: `2026-11-23T09:00:00Z`. Fractions are cut to milliseconds. A leap second becomes the last millisecond
/// before it, because Unix time has no leap seconds.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<UnixMs> {
    let mut parser = Parser(text.as_bytes());
    let days = parser.days()?;
    parser.one_of(b"Tt ")?;
    let minute_ms = parser.minute_ms(days)?;
    parser.one_of(b":")?;
    let second = parser.second()?;
    let fraction_ms = parser.fraction_ms(b".")?;
    let offset = parser.offset()?;
    if parser.0.is_empty() { unix_ms(minute_ms, second, fraction_ms, offset) } else { None }
}

/// The difference between local time and UTC.
#[derive(Clone, Copy)]
enum Offset {
    /// Local time is ahead by so many milliseconds.
    East(u64),
    /// Local time is behind by so many milliseconds.
    West(u64),
}

const UTC: Offset = Offset::East(0);

/// A local time in UTC. `minute_ms` is the beginning of its minute.
#[expect(clippy::arithmetic_side_effects, reason = "years 1970 to 9999 are below 2^48 milliseconds")]
fn unix_ms(minute_ms: u64, second: u64, fraction_ms: u64, offset: Offset) -> Option<UnixMs> {
    let is_leap = second == 60;
    let second_ms = if is_leap { MINUTE_MS - 1 } else { second * SECOND_MS + fraction_ms };
    let local_ms = minute_ms + second_ms;
    let time = match offset {
        Offset::East(ms) => local_ms.checked_sub(ms)?,
        Offset::West(ms) => local_ms + ms,
    };
    // Leap seconds occur only at the end of a month, in UTC.
    let next = time + 1;
    let is_month_end = next.is_multiple_of(DAY_MS) && date(next / DAY_MS).2 == 1;
    (is_month_end || !is_leap).then_some(time)
}

/// A time as RFC 3339, with milliseconds only where there are some. (RFC 3339 has no years past 9999; such a year is
/// written with as many digits as it needs.)
#[must_use]
pub fn rfc3339(time: UnixMs) -> String {
    let (year, month, day) = date(time / DAY_MS);
    let (hour, minute) = (time % DAY_MS / HOUR_MS, time % HOUR_MS / MINUTE_MS);
    let (second, ms) = (time % MINUTE_MS / SECOND_MS, time % SECOND_MS);
    let fraction = if ms == 0 { String::new() } else { format!(".{ms:03}") };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// The number of days of a month; 0 for a month that does not exist.
fn days_in_month(year: u64, month: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    }
}

// The next two functions count years from March on. Then a leap day is the last day of its year, and the months follow
// one rule: five months have 153 days.

/// Days from 1970-01-01 to a date.
#[expect(clippy::arithmetic_side_effects, reason = "year is 1970 to 9999, month 1 to 12, day 1 to 31")]
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let is_before_march = month <= 2;
    let year = year - u64::from(is_before_march);
    let months_since_march = if is_before_march { month + 9 } else { month - 3 };
    let days_since_march = (months_since_march * 153 + 2) / 5 + day - 1;
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + days_since_march - EPOCH_DAYS
}

/// Year, month and day of a day, which is counted from 1970-01-01.
#[expect(clippy::arithmetic_side_effects, reason = "days is at most UnixMs::MAX / DAY_MS, below 2^38")]
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + EPOCH_DAYS;
    let (n_400, days) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    // Of 400 years the last 100 have one day more, and of four years the last has one day more.
    let n_100 = (days / DAYS_IN_100_YEARS).min(3);
    let days = days - n_100 * DAYS_IN_100_YEARS;
    let (n_4, days) = (days / DAYS_IN_4_YEARS, days % DAYS_IN_4_YEARS);
    let n_1 = (days / 365).min(3);
    let days_since_march = days - n_1 * 365;
    let months_since_march = (days_since_march * 5 + 2) / 153;
    let day = days_since_march - (months_since_march * 153 + 2) / 5 + 1;
    let is_before_march = months_since_march >= 10;
    let month = if is_before_march { months_since_march - 9 } else { months_since_march + 3 };
    let year = n_400 * 400 + n_100 * 100 + n_4 * 4 + n_1 + u64::from(is_before_march);
    (year, month, day)
}

/// The rest of a text.
struct Parser<'a>(&'a [u8]);

impl Parser<'_> {
    /// Consumes the next byte if it is one of these.
    fn one_of(&mut self, bytes: &[u8]) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        bytes.contains(&byte).then(|| {
            self.0 = rest;
            byte
        })
    }

    /// Consumes so many digits, at most 4.
    #[expect(clippy::arithmetic_side_effects, reason = "10^4 is below 2^64")]
    fn digits(&mut self, count: usize) -> Option<u64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        digits.iter().try_fold(0_u64, |number, byte| {
            let digit = char::from(*byte).to_digit(10)?;
            Some(number * 10 + u64::from(digit))
        })
    }

    fn two_digits(&mut self, range: core::ops::RangeInclusive<u64>) -> Option<u64> {
        self.digits(2).filter(|number| range.contains(number))
    }

    fn year(&mut self) -> Option<u64> {
        self.digits(4).filter(|&year| year >= 1970)
    }

    /// Consumes `2026-11-23`: the days from 1970-01-01.
    fn days(&mut self) -> Option<u64> {
        let year = self.year()?;
        self.one_of(b"-")?;
        let month = self.two_digits(1..=12)?;
        self.one_of(b"-")?;
        let day = self.two_digits(1..=days_in_month(year, month))?;
        Some(days_since_1970(year, month, day))
    }

    /// Consumes `09:00`: the beginning of this minute of a day, in milliseconds.
    #[expect(clippy::arithmetic_side_effects, reason = "years 1970 to 9999 are below 2^48 milliseconds")]
    fn minute_ms(&mut self, days: u64) -> Option<u64> {
        let hour = self.two_digits(0..=23)?;
        self.one_of(b":")?;
        let minute = self.two_digits(0..=59)?;
        Some(days * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS)
    }

    fn second(&mut self) -> Option<u64> {
        self.two_digits(0..=60)
    }

    /// Consumes a fraction of a second, of any length, if there is one behind one of these points.
    fn fraction_ms(&mut self, points: &[u8]) -> Option<u64> {
        if self.one_of(points).is_none() {
            return Some(0);
        }
        let length = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at_checked(length).filter(|(digits, _)| !digits.is_empty())?;
        self.0 = rest;
        let first = [0, 1, 2].map(|at| digits.get(at).copied().unwrap_or(b'0'));
        Parser(&first).digits(first.len())
    }

    /// Consumes `Z` or `+01:00`.
    fn offset(&mut self) -> Option<Offset> {
        let sign = self.one_of(b"Zz+-")?;
        if sign.eq_ignore_ascii_case(&b'Z') {
            return Some(UTC);
        }
        let hours = self.two_digits(0..=23)?;
        self.one_of(b":")?;
        let minutes = self.two_digits(0..=59)?;
        Some(offset_of(sign, hours, minutes))
    }
}

#[expect(clippy::arithmetic_side_effects, reason = "at most a day")]
fn offset_of(sign: u8, hours: u64, minutes: u64) -> Offset {
    let ms = hours * HOUR_MS + minutes * MINUTE_MS;
    if sign == b'-' { Offset::West(ms) } else { Offset::East(ms) }
}
