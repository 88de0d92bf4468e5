//! Times as clients write them.
//!
//! * Numbers since 1970, by the digits before the point: 10 are seconds, 13 milliseconds, 16 microseconds, 19 nanoseconds.
//!   JSON's exponents are read, and the `@` of a structured field's date (RFC 9651).
//! * Dates and times as languages and databases print them: RFC 3339 and ISO 8601 (JavaScript's `toISOString`, Python's
//!   `isoformat` and `str`, Java's `Instant`, `OffsetDateTime` and `ZonedDateTime`, Go's and Ruby's time as text,
//!   PostgreSQL, Protocol Buffers' JSON), HTTP's date, and JavaScript's date as text. Without a zone a time is UTC.

use super::{Offset, Parser, UTC, UnixMs, days_in_month, days_since_1970, offset_of, unix_ms};

/// The first time that is read, 2001-09-09: the least number of seconds that has 10 digits. What is earlier, such as 1970 or
/// the year 1, is what languages have in place of no time.
pub const FIRST_MS: UnixMs = 1_000_000_000_000;

/// Digits of a number of milliseconds from [`FIRST_MS`] to the year 2286.
const MS_DIGITS: usize = 13;
/// An exponent of more digits would be of no time.
const EXPONENT_DIGITS_MAX: usize = 2;
const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// A time that a client wrote. Fractions are cut to milliseconds. `None`: it is in none of the forms, or before
/// [`FIRST_MS`].
#[must_use]
pub fn parse(text: &[u8]) -> Option<UnixMs> {
    let text = text.trim_ascii();
    let text = text.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(text);
    number(text).or_else(|| date_and_time(text)).filter(|&time| time >= FIRST_MS)
}

/// In every unit the first [`MS_DIGITS`] are the milliseconds, because the first digit is not 0.
#[expect(clippy::arithmetic_side_effects, reason = "13 digits are below 2^64; a length and two digits")]
fn number(text: &[u8]) -> Option<UnixMs> {
    let text = text.strip_prefix(b"@").unwrap_or(text);
    let (decimal, exponent) = split(text, |byte| byte.eq_ignore_ascii_case(&b'e'));
    let (whole, fraction) = split(decimal, |&byte| byte == b'.');
    let exponent = exponent.map_or(Some(0), |exponent| {
        let digits = exponent.strip_prefix(b"+").unwrap_or(exponent);
        let is_exponent = are_digits(digits) && digits.len() <= EXPONENT_DIGITS_MAX;
        is_exponent.then(|| digits.iter().fold(0, |number, digit| number * 10 + usize::from(digit & 0xf)))
    })?;
    let is_decimal = are_digits(whole) && !whole.starts_with(b"0") && fraction.is_none_or(are_digits);
    if !is_decimal || !matches!(whole.len() + exponent, 10 | 13 | 16 | 19) {
        return None;
    }
    let digits = whole.iter().chain(fraction.unwrap_or_default()).chain(core::iter::repeat(&b'0'));
    Some(digits.take(MS_DIGITS).fold(0, |number, digit| number * 10 + u64::from(digit & 0xf)))
}

fn are_digits(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// What is before a separator, and what is behind it, if there is one.
fn split(text: &[u8], is_separator: impl Fn(&u8) -> bool) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(is_separator).and_then(|at| text.split_at_checked(at)) {
        Some((before, rest)) => (before, rest.get(1..)),
        None => (text, None),
    }
}

fn date_and_time(text: &[u8]) -> Option<UnixMs> {
    let mut parser = Parser(text);
    let days = if text.first()?.is_ascii_alphabetic() {
        parser.days_with_a_month_name()?
    } else {
        let days = parser.days()?;
        // A `+` stands for a space in a form.
        parser.one_of(b"Tt +")?;
        days
    };
    let minute_ms = parser.minute_ms(days)?;
    let has_second = parser.one_of(b":").is_some();
    let second = if has_second { parser.second()? } else { 0 };
    let fraction_ms = if has_second { parser.fraction_ms(b".,")? } else { 0 };
    let offset = parser.offset_of_any_form()?;
    parser.is_at_end_or_zone_name().then(|| unix_ms(minute_ms, second, fraction_ms, offset))?
}

impl Parser<'_> {
    /// Consumes `Mon, 23 Nov 2026 ` (HTTP, e-mail) or `Mon Nov 23 2026 ` (JavaScript). The day of the week does not count.
    fn days_with_a_month_name(&mut self) -> Option<u64> {
        self.0 = self.0.get(3..)?;
        let day_is_first = self.one_of(b",").is_some();
        self.one_of(b" ")?;
        let (day, month) = if day_is_first {
            let day = self.day_and_space()?;
            (day, self.month_and_space()?)
        } else {
            let month = self.month_and_space()?;
            (self.day_and_space()?, month)
        };
        let year = self.year()?;
        self.one_of(b" ")?;
        (1..=days_in_month(year, month)).contains(&day).then(|| days_since_1970(year, month, day))
    }

    /// E-mail's dates have days of one digit.
    fn day_and_space(&mut self) -> Option<u64> {
        let digits = if self.0.get(1) == Some(&b' ') { 1 } else { 2 };
        let day = self.digits(digits)?;
        self.one_of(b" ").map(|_| day)
    }

    fn month_and_space(&mut self) -> Option<u64> {
        let (name, rest) = self.0.split_at_checked(3)?;
        self.0 = rest;
        let month = (1..).zip(MONTHS).find(|(_, month)| name.eq_ignore_ascii_case(month))?.0;
        self.one_of(b" ").map(|_| month)
    }

    /// Consumes `Z`, `UTC`, `GMT`, `+01:00`, `+0100`, `+01`, `GMT+0100`, each also behind a space, or nothing: UTC. A `+` that
    /// was decoded as in a form is a space.
    fn offset_of_any_form(&mut self) -> Option<Offset> {
        let is_after_space = self.one_of(b" ").is_some();
        let has_name = [b"UTC", b"GMT"].iter().any(|name| {
            let is_name = self.0.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(*name));
            if is_name {
                self.0 = self.0.get(3..).unwrap_or_default();
            }
            is_name
        });
        let sign = match (self.one_of(b"Zz+-"), self.0) {
            (Some(b'Z' | b'z'), _) => return Some(UTC),
            (Some(sign), _) => sign,
            (None, [b' ', digit, ..]) if digit.is_ascii_digit() => self.one_of(b" ")?,
            (None, _) if has_name || (self.0.is_empty() && !is_after_space) => return Some(UTC),
            (None, _) if is_after_space => b' ',
            (None, _) => return None,
        };
        let hours = self.two_digits(0..=23)?;
        let has_minutes = self.one_of(b":").is_some() || self.0.first().is_some_and(u8::is_ascii_digit);
        let minutes = if has_minutes { self.two_digits(0..=59)? } else { 0 };
        Some(offset_of(sign, hours, minutes))
    }

    /// Behind the offset a zone may be named, as `[Europe/Berlin]` (RFC 9557), ` CET` (Go) or ` (Central European Time)`.
    fn is_at_end_or_zone_name(&self) -> bool {
        match self.0 {
            [] => true,
            [b'[', name @ ..] => name.ends_with(b"]"),
            [b' ', b'(', name @ ..] => name.ends_with(b")"),
            // Go writes an offset where a zone has no name, and then its monotonic clock.
            [b' ', first, ..] => first.is_ascii_uppercase() || matches!(first, b'+' | b'-'),
            _ => false,
        }
    }
}
