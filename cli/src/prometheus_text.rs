//! Prometheus' text: lines of `name{labels} value time`, as Envoy's admin page, OpenMetrics and promtool's dumps have them.
//!
//! Bytes in, samples out, a line at a time. A line that was seen before, with another value, is recognised by its bytes and
//! not parsed again: a day of three Envoys has tens of millions of lines, of some thousand series.

use crate::windows::{Disorder, Samples, SeriesId};
use llm_canary::timestamp::UnixMs;
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, BufRead, Read};
use std::sync::Arc;

/// The longest line.
const LINE_BYTES_MAX: usize = 64 << 10;
/// A time from here on is in milliseconds, as in `promtool tsdb dump`: in seconds it would be the year 5138.
const MILLISECONDS_MIN: f64 = 1e11;
/// In front of a text that was written by some editors.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// What every name of the filter's metrics has.
const OF_THE_FILTER: &[u8] = b"llm_";

/// What a line of a sample says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) series: SeriesId,
    pub(crate) value: f64,
    /// `None` if the line has no time.
    pub(crate) at_ms: Option<UnixMs>,
}

/// A series as it is written, and what it is.
struct Known {
    text: Arc<[u8]>,
    /// `None` for one that is not read.
    series: Option<SeriesId>,
    /// The place of the one that followed it last time.
    next: usize,
}

/// Reads lines, and remembers the series of earlier ones.
#[derive(Default)]
pub(crate) struct Lines {
    by_text: HashMap<Arc<[u8]>, usize>,
    known: Vec<Known>,
    /// The place of the last one.
    last: usize,
}

/// Why a text cannot be read.
#[derive(Debug)]
pub(crate) enum TextError {
    /// The number of the line, from 1 on, and a sentence without its subject.
    Line(u64, String),
    Io(io::Error),
}

/// Names and values of labels.
pub(crate) type Labels<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

impl Lines {
    /// Reads a line without its line break; `None` for a comment, an empty line, and a series that is not read. The instance
    /// is what the labels say, unless it is given.
    ///
    /// # Errors
    /// A sentence without its subject.
    pub(crate) fn read(
        &mut self,
        line: &[u8],
        instance: Option<&str>,
        samples: &mut Samples,
    ) -> Result<Option<Sample>, String> {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            return Ok(None);
        }
        let (text, series) = match self.predicted(line) {
            Some(place) => (self.known.get(place).map_or(0, |known| known.text.len()), self.take(place)),
            None => {
                let text = series_length(line)?;
                (text, self.find(line.get(..text).unwrap_or_default(), instance, samples)?)
            }
        };
        let Some(series) = series else { return Ok(None) };
        let (value, at_ms) = numbers(line.get(text..).unwrap_or_default())?;
        Ok(Some(Sample { series, value, at_ms }))
    }

    /// The place of the series of a line, if it is that of the line before, or the one that came next before.
    fn predicted(&self, line: &[u8]) -> Option<usize> {
        let is = |place: usize| {
            let known = self.known.get(place)?;
            let rest = line.strip_prefix(&*known.text)?;
            rest.first().is_some_and(u8::is_ascii_whitespace).then_some(place)
        };
        is(self.known.get(self.last)?.next).or_else(|| is(self.last))
    }

    fn take(&mut self, place: usize) -> Option<SeriesId> {
        if let Some(last) = self.known.get_mut(self.last) {
            last.next = place;
        }
        self.last = place;
        self.known.get(place)?.series
    }

    /// Finds a series by its text.
    fn find(
        &mut self,
        text: &[u8],
        instance: Option<&str>,
        samples: &mut Samples,
    ) -> Result<Option<SeriesId>, String> {
        if let Some(place) = self.by_text.get(text) {
            return Ok(self.take(*place));
        }
        // An Envoy may have a hundred thousand lines of others.
        if !text.windows(OF_THE_FILTER.len()).any(|part| part == OF_THE_FILTER) {
            return Ok(None);
        }
        let (name, labels) = series(text)?;
        let too_many = |_| "has one more series than this tool can keep; narrow what is read".to_owned();
        let series = samples.series(instance, &name, &labels).map_err(too_many)?;
        let (place, text) = (self.known.len(), Arc::<[u8]>::from(text));
        self.known.push(Known { text: Arc::clone(&text), series, next: place });
        self.by_text.insert(text, place);
        Ok(self.take(place))
    }
}

/// How long the name and the labels at the beginning of a line are.
fn series_length(line: &[u8]) -> Result<usize, String> {
    let (mut is_quoted, mut is_escaped, mut is_within) = (false, false, false);
    for (at, byte) in line.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            b'{' if !is_within => is_within = true,
            b'}' if is_within => return Ok(at + 1),
            b' ' | b'\t' if !is_within => {
                // White space may stand in front of the labels.
                let rest = line.get(at..).unwrap_or_default().trim_ascii_start();
                if !rest.starts_with(b"{") {
                    return Ok(at);
                }
            }
            _ => {}
        }
    }
    Err(match is_within {
        true => "breaks off within its labels".to_owned(),
        false => "has no value; write NAME{LABELS} VALUE TIME".to_owned(),
    })
}

/// Parses a name and labels: `name{a="b"}`, `{"name",a="b"}` and `{__name__="name",a="b"}`.
///
/// # Errors
/// A sentence without its subject.
pub(crate) fn series(text: &[u8]) -> Result<(Cow<'_, str>, Labels<'_>), String> {
    let text = std::str::from_utf8(text).map_err(|_| "is not UTF-8".to_owned())?;
    let (name, rest) = text.split_once('{').unwrap_or((text, "}"));
    let mut name = Cow::Borrowed(name.trim());
    let mut labels = Vec::new();
    let mut rest = rest.trim_start();
    loop {
        if rest == "}" {
            break;
        }
        if let Some(quoted) = rest.strip_prefix('"') {
            let (text, behind) = unquoted(quoted)?;
            let behind = behind.trim_start();
            match behind.strip_prefix('=') {
                // A label whose name is quoted.
                Some(behind) => rest = label(text, behind, &mut labels)?,
                None => (name, rest) = (text, behind),
            }
        } else {
            let (own, behind) = rest.split_once('=').ok_or("has labels that are not NAME=\"VALUE\"")?;
            rest = label(Cow::Borrowed(own.trim()), behind, &mut labels)?;
        }
        rest = rest.trim_start();
        rest = match rest.strip_prefix(',') {
            Some(behind) => behind.trim_start(),
            None if rest == "}" => rest,
            None => return Err("has labels without a comma between them".to_owned()),
        };
    }
    if name.is_empty() {
        let of_label = labels.iter().find(|(name, _)| name == "__name__").map(|(_, value)| value.clone());
        name = of_label.ok_or("has no name")?;
    }
    Ok((name, labels))
}

/// Reads the value of a label; returns what is behind it.
fn label<'a>(name: Cow<'a, str>, rest: &'a str, labels: &mut Labels<'a>) -> Result<&'a str, String> {
    let quoted = rest
        .trim_start()
        .strip_prefix('"')
        .ok_or_else(|| format!("has no quotes around the value of the label {name}"))?;
    let (value, behind) = unquoted(quoted)?;
    labels.push((name, value));
    Ok(behind)
}

/// The text up to the closing quote, and what is behind that.
fn unquoted(text: &str) -> Result<(Cow<'_, str>, &str), String> {
    let mut escaped = String::new();
    let mut chars = text.char_indices();
    let mut from = 0;
    while let Some((at, char)) = chars.next() {
        let until = text.get(from..at).unwrap_or_default();
        match char {
            '"' => {
                let behind = text.get(at + 1..).unwrap_or_default();
                let whole =
                    if escaped.is_empty() { Cow::Borrowed(until) } else { Cow::Owned(escaped + until) };
                return Ok((whole, behind));
            }
            '\\' => {
                escaped.push_str(until);
                let Some((next, char)) = chars.next() else { break };
                escaped.push(if char == 'n' { '\n' } else { char });
                from = next + char.len_utf8();
            }
            _ => {}
        }
    }
    Err("breaks off within a label".to_owned())
}

/// The value, and the time if there is one. An exemplar may follow.
fn numbers(text: &[u8]) -> Result<(f64, Option<UnixMs>), String> {
    if let Some(usual) = whole_numbers(text) {
        return Ok(usual);
    }
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

/// Most lines have a whole number and a whole second, each behind one blank.
fn whole_numbers(text: &[u8]) -> Option<(f64, Option<UnixMs>)> {
    let (value, rest) = digits(text.strip_prefix(b" ")?)?;
    let (seconds, rest) = digits(rest.strip_prefix(b" ")?)?;
    let is_usual = rest.is_empty() && (seconds as f64) < MILLISECONDS_MIN;
    is_usual.then_some((value as f64, Some(seconds * 1_000)))
}

/// A number of at most 15 digits, and what is behind it.
fn digits(text: &[u8]) -> Option<(u64, &[u8])> {
    let length = text.iter().take(16).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(length).filter(|_| (1..=15).contains(&length))?;
    Some((digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit & 0xf)), rest))
}

fn number(word: &[u8]) -> Option<f64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// A time in seconds, or in milliseconds if it is too great for seconds.
fn time(word: &[u8]) -> Result<UnixMs, String> {
    let is_time = |time: &f64| time.is_finite() && *time >= 0.0;
    let seconds = number(word).filter(is_time);
    let seconds = seconds.ok_or_else(|| {
        format!("has a time that is no number of seconds since 1970: {}", String::from_utf8_lossy(word))
    })?;
    Ok(if seconds < MILLISECONDS_MIN {
        (seconds * 1_000.0).round() as UnixMs
    } else {
        seconds.round() as UnixMs
    })
}

/// Reads a file of samples with times. Returns whether its last line is cut off, and was left out.
///
/// # Errors
/// A line cannot be read, or is out of order.
pub(crate) fn read_file(file: &mut dyn BufRead, samples: &mut Samples) -> Result<bool, TextError> {
    let (mut lines, mut line) = (Lines::default(), Vec::new());
    for number in 1.. {
        line.clear();
        let mut limited = Read::take(&mut *file, LINE_BYTES_MAX as u64 + 1);
        if limited.read_until(b'\n', &mut line).map_err(TextError::Io)? == 0 {
            break;
        }
        let wrong = |words: &str| TextError::Line(number, words.to_owned());
        if line.len() > LINE_BYTES_MAX {
            return Err(wrong("is longer than 64 KiB"));
        }
        if number == 1 {
            if line.starts_with(b"\x1f\x8b") {
                return Err(wrong("is compressed; write gunzip -c FILE | llm-canary COMMAND --from -"));
            }
            if line.trim_ascii_start().starts_with(b"<") {
                return Err(wrong("is of a web page (HTML), not of metrics"));
            }
            if line.starts_with(BYTE_ORDER_MARK) {
                line.drain(..BYTE_ORDER_MARK.len());
            }
        }
        match read_timed(&mut lines, &line, samples) {
            Ok(()) => {}
            // The file is still being written, or was cut off.
            Err(_) if !line.ends_with(b"\n") && number > 1 => return Ok(true),
            Err(words) => return Err(wrong(&words)),
        }
    }
    Ok(false)
}

fn read_timed(lines: &mut Lines, line: &[u8], samples: &mut Samples) -> Result<(), String> {
    let Some(sample) = lines.read(line, None, samples)? else { return Ok(()) };
    let at_ms = sample.at_ms.ok_or(
        "has no time behind its value: one page of metrics is no samples. `promtool tsdb dump-openmetrics` writes lines with times",
    )?;
    samples.push(sample.series, at_ms, sample.value).map_err(|disorder| {
        let words = match disorder {
            Disorder::Older => "is older than an earlier line of its series; each series must be in order of time",
            Disorder::TwoValues => {
                "has another value than an earlier line of its series at this time; give each Envoy a label of its own, such as instance"
            }
        };
        words.to_owned()
    })
}

/// Reads a page of an instance, which was read at this time. `lines` are those of earlier pages of the same instance.
///
/// # Errors
/// A sentence whose subject is the page. None of its samples counts then.
pub(crate) fn read_page(
    page: &[u8],
    lines: &mut Lines,
    instance: &str,
    at_ms: UnixMs,
    samples: &mut Samples,
) -> Result<(), String> {
    if page.trim_ascii_start().starts_with(b"<") {
        return Err(
            "is a web page (HTML), not Envoy's metrics; give the address of Envoy's admin page".to_owned()
        );
    }
    if !page.is_empty() && !page.ends_with(b"\n") {
        return Err("ends in the middle of a line".to_owned());
    }
    let mut all = Vec::new();
    for (line, number) in page.split(|byte| *byte == b'\n').zip(1_u64..) {
        let sample = lines.read(line, Some(instance), samples);
        all.extend(sample.map_err(|words| format!("is not Envoy's metrics: its line {number} {words}"))?);
    }
    if all.is_empty() {
        samples.answered(instance, at_ms);
    }
    for sample in all {
        // A series that stands there twice: the first counts.
        let _ = samples.push(sample.series, at_ms, sample.value);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
