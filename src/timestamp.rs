//! Moments: as RFC 3339 text, as milliseconds, and as what an id carries of its own creation.
//!
//! In: bytes that a client or an operator wrote. Out: milliseconds since 1970, or nothing. Whether a moment
//! is plausible is the caller's to judge, and no clock is read here.
//!
//! * Text: RFC 3339, years 1970 to 9999.
//! * Ids: UUIDv7 (RFC 9562), ULID (github.com/ulid/spec), TypeID (github.com/jetify-com/typeid/tree/main/spec).
//!   All three hold 48 bits of milliseconds first.

use alloc::string::String;

mod id;
#[cfg(test)]
mod tests;

pub use id::of_id;

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type UnixMs = u64;

/// Digits of milliseconds that are read: enough for 30,000 years.
const DIGITS_MAX: usize = 15;

const SECOND_MS: u64 = 1000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Days from the 1st of March of the year 0 to the 1st of January 1970.
const EPOCH_DAYS: u64 = 719_468;
/// Days of 400, 100 and 4 years, where the last year of the group is counted without its leap day or with it.
const DAYS_IN_400_YEARS: u64 = 146_097;
const DAYS_IN_100_YEARS: u64 = 36_524;
const DAYS_IN_4_YEARS: u64 = 1_461;

/// What a header or a body gives as a moment: decimal milliseconds since 1970, at most 15 digits, or RFC 3339.
#[must_use]
pub fn parse(text: &[u8]) -> Option<UnixMs> {
    let text = text.trim_ascii();
    if text.len() <= DIGITS_MAX && !text.is_empty() && text.iter().all(u8::is_ascii_digit) {
        return Reader(text).digits(text.len());
    }
    parse_rfc3339(str::from_utf8(text).ok()?)
}

/// RFC 3339: `2026-11-23T09:00:00Z`. Fractions are cut to milliseconds; a leap second is the last
/// millisecond before it, because milliseconds since 1970 have no place for it.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<UnixMs> {
    let mut reader = Reader(text.as_bytes());
    let year = reader.digits(4).filter(|&year| year >= 1970)?;
    reader.one_of(b"-")?;
    let month = reader.number(1..=12)?;
    reader.one_of(b"-")?;
    let day = reader.number(1..=days_of(year, month))?;
    reader.one_of(b"Tt ")?;
    let hour = reader.number(0..=23)?;
    reader.one_of(b":")?;
    let minute = reader.number(0..=59)?;
    reader.one_of(b":")?;
    let second = reader.number(0..=60)?;
    let fraction_ms = reader.fraction_ms()?;
    let (is_east, offset_ms) = reader.offset_ms()?;
    if !reader.0.is_empty() {
        return None;
    }

    let is_leap = second == 60;
    let time_ms =
        hour.saturating_mul(HOUR_MS).saturating_add(minute.saturating_mul(MINUTE_MS)).saturating_add(
            if is_leap { 59_999 } else { second.saturating_mul(SECOND_MS).saturating_add(fraction_ms) },
        );
    let local_ms = days_before(year, month, day).saturating_mul(DAY_MS).saturating_add(time_ms);
    let moment = if is_east { local_ms.checked_sub(offset_ms)? } else { local_ms.saturating_add(offset_ms) };
    // There is no leap second but at the end of a month, in UTC.
    let next = moment.saturating_add(1);
    let is_month = next.is_multiple_of(DAY_MS) && date(next / DAY_MS).2 == 1;
    (is_month || !is_leap).then_some(moment)
}

/// Writes a moment as RFC 3339, with milliseconds only where there are some. (A year past 9999, which
/// RFC 3339 does not have, takes the digits it needs.)
#[must_use]
pub fn rfc3339(moment: UnixMs) -> String {
    let (year, month, day) = date(moment / DAY_MS);
    let (hour, minute) = (moment % DAY_MS / HOUR_MS, moment % HOUR_MS / MINUTE_MS);
    let (second, ms) = (moment % MINUTE_MS / SECOND_MS, moment % SECOND_MS);
    let fraction = if ms == 0 { String::new() } else { format!(".{ms:03}") };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// Days of a month; of a month that is none, none.
fn days_of(year: u64, month: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    }
}

// The two below count years from March on, so that a leap day is a year's last and the months before it
// follow one rule: 153 days for every five of them.

/// Days from 1970 to a date.
fn days_before(year: u64, month: u64, day: u64) -> u64 {
    let is_early = month <= 2;
    let year = year.saturating_sub(u64::from(is_early));
    let months = if is_early { month.saturating_add(9) } else { month.saturating_sub(3) };
    let of_year = months.saturating_mul(153).saturating_add(2) / 5;
    let leap_days = (year / 4).saturating_sub(year / 100).saturating_add(year / 400);
    let since_0 = year.saturating_mul(365).saturating_add(leap_days).saturating_add(of_year);
    since_0.saturating_add(day).saturating_sub(1).saturating_sub(EPOCH_DAYS)
}

/// Year, month and day of a day since 1970.
fn date(days: u64) -> (u64, u64, u64) {
    let since_0 = days.saturating_add(EPOCH_DAYS);
    let (of_400, rest) = (since_0 / DAYS_IN_400_YEARS, since_0 % DAYS_IN_400_YEARS);
    // The last hundred years of 400 have a day more, as has the last year of four.
    let of_100 = (rest / DAYS_IN_100_YEARS).min(3);
    let rest = rest.saturating_sub(of_100.saturating_mul(DAYS_IN_100_YEARS));
    let (of_4, rest) = (rest / DAYS_IN_4_YEARS, rest % DAYS_IN_4_YEARS);
    let of_1 = (rest / 365).min(3);
    let day_of_year = rest.saturating_sub(of_1.saturating_mul(365));
    let months = day_of_year.saturating_mul(5).saturating_add(2) / 153;
    let day = day_of_year.saturating_sub(months.saturating_mul(153).saturating_add(2) / 5).saturating_add(1);
    let is_early = months >= 10;
    let month = if is_early { months.saturating_sub(9) } else { months.saturating_add(3) };
    let year = of_400.saturating_mul(400).saturating_add(of_100.saturating_mul(100));
    let year = year.saturating_add(of_4.saturating_mul(4)).saturating_add(of_1);
    (year.saturating_add(u64::from(is_early)), month, day)
}

/// What is left of a text.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    /// Takes the next byte where it is one of these.
    fn one_of(&mut self, bytes: &[u8]) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        bytes.contains(&byte).then(|| {
            self.0 = rest;
            byte
        })
    }

    /// Takes that many digits.
    fn digits(&mut self, count: usize) -> Option<u64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        digits.iter().try_fold(0_u64, |number, byte| {
            let digit = char::from(*byte).to_digit(10)?;
            number.checked_mul(10)?.checked_add(u64::from(digit))
        })
    }

    fn number(&mut self, range: core::ops::RangeInclusive<u64>) -> Option<u64> {
        self.digits(2).filter(|number| range.contains(number))
    }

    /// A fraction of a second, of any length, if there is one.
    fn fraction_ms(&mut self) -> Option<u64> {
        if self.one_of(b".").is_none() {
            return Some(0);
        }
        let length = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at_checked(length).filter(|(digits, _)| !digits.is_empty())?;
        self.0 = rest;
        let first = [0, 1, 2].map(|at| digits.get(at).copied().unwrap_or(b'0'));
        Reader(&first).digits(first.len())
    }

    /// Whether local time is ahead of UTC, and by how much it differs.
    fn offset_ms(&mut self) -> Option<(bool, u64)> {
        let sign = self.one_of(b"Zz+-")?;
        if sign.eq_ignore_ascii_case(&b'Z') {
            return Some((false, 0));
        }
        let hours = self.number(0..=23)?;
        self.one_of(b":")?;
        let minutes = self.number(0..=59)?;
        let ms = hours.saturating_mul(HOUR_MS).saturating_add(minutes.saturating_mul(MINUTE_MS));
        Some((sign == b'+', ms))
    }
}
