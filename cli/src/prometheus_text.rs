//! Prometheus' text: lines of `name{labels} value time`, as Envoy's admin page, OpenMetrics and promtool's dumps have them.
//!
//! Bytes in, samples out, a line at a time. A day of three Envoys has tens of millions of lines, of some thousand series. So a
//! series that was seen before is recognised by its bytes and not parsed again, and most lines are read where they lie, without
//! looking for their end first.

mod labels;
mod number;

use crate::windows::{Disorder, Samples, SeriesId};
use labels::{series, series_length};
use llm_canary::timestamp::UnixMs;
use number::{usual_value_and_time, value_and_time};
use std::collections::HashMap;
use std::io::{self, BufRead};
use std::sync::Arc;

/// The longest line.
const LINE_BYTES_MAX: usize = 64 << 10;
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
        let (value, at_ms) = value_and_time(line.get(text..).unwrap_or_default())?;
        Ok(Some(Sample { series, value, at_ms }))
    }

    /// Reads the line that a text begins with as [`Lines::read`] does, if it is of the series that is expected, and usual in its
    /// numbers. Returns what is behind the line, too. `None` for any other line, and one that breaks off.
    fn read_usual<'a>(&mut self, text: &'a [u8]) -> Option<(Option<Sample>, &'a [u8])> {
        let place = self.predicted(text)?;
        let known = self.known.get(place)?;
        let (value, at_ms, rest) = usual_value_and_time(text.get(known.text.len()..)?)?;
        let sample = self.take(place).map(|series| Sample { series, value, at_ms: Some(at_ms) });
        (text.len() - rest.len() <= LINE_BYTES_MAX).then_some((sample, rest))
    }

    /// The place of the series of a line, if it is that of the line before, or the one that came next before.
    fn predicted(&self, line: &[u8]) -> Option<usize> {
        let is = |place: usize| {
            let known = self.known.get(place)?;
            let rest = line.strip_prefix(&*known.text)?;
            // Labels may follow behind a blank.
            let is_end = rest.first().is_some_and(u8::is_ascii_whitespace)
                && !rest.trim_ascii_start().starts_with(b"{");
            is_end.then_some(place)
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

/// Reads a file of samples with times. Returns whether its last line is cut off, and was left out.
///
/// # Errors
/// A line cannot be read, or is out of order.
pub(crate) fn read_file(file: &mut dyn BufRead, samples: &mut Samples) -> Result<bool, TextError> {
    let mut reader = FileReader { lines: Lines::default(), number: 0, samples };
    // The beginning of a line that ends in a later block.
    let mut begun = Vec::new();
    loop {
        let block = match file.fill_buf() {
            Ok(block) => block,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(TextError::Io(error)),
        };
        if block.is_empty() {
            break;
        }
        let mut rest = block;
        while !rest.is_empty() {
            if begun.is_empty()
                && let Some(behind) = reader.read_usual(rest)?
            {
                rest = behind;
                continue;
            }
            let (part, behind) = rest.split_at(line_length(rest));
            rest = behind;
            let is_whole = part.ends_with(b"\n");
            if is_whole && begun.is_empty() {
                reader.read(part)?;
                continue;
            }
            begun.extend_from_slice(part.get(..LINE_BYTES_MAX + 1).unwrap_or(part));
            if is_whole || begun.len() > LINE_BYTES_MAX {
                reader.read(&begun)?;
                begun.clear();
            }
        }
        let length = block.len();
        file.consume(length);
    }
    if begun.is_empty() {
        return Ok(false);
    }
    match reader.read(&begun) {
        // The file is still being written, or was cut off.
        Err(_) if reader.number > 1 => Ok(true),
        read => read.map(|()| false),
    }
}

/// How long the line at the beginning is, with its line break if it has one.
fn line_length(text: &[u8]) -> usize {
    text.iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| at + 1)
}

/// Reads the lines of a file.
struct FileReader<'a> {
    lines: Lines,
    /// The number of the last line, from 1 on.
    number: u64,
    samples: &'a mut Samples,
}

impl FileReader<'_> {
    /// Reads the line at the beginning of a text, if it is as most are, and returns what is behind it.
    fn read_usual<'a>(&mut self, text: &'a [u8]) -> Result<Option<&'a [u8]>, TextError> {
        let Some((sample, rest)) = self.lines.read_usual(text) else { return Ok(None) };
        self.number += 1;
        self.push(sample).map_err(|words| TextError::Line(self.number, words))?;
        Ok(Some(rest))
    }

    /// Reads a line, with its line break if it has one.
    fn read(&mut self, line: &[u8]) -> Result<(), TextError> {
        self.number += 1;
        let wrong = |words: &str| Err(TextError::Line(self.number, words.to_owned()));
        if line.len() > LINE_BYTES_MAX {
            return wrong("is longer than 64 KiB");
        }
        let mut line = line;
        if self.number == 1 {
            if line.starts_with(b"\x1f\x8b") {
                return wrong("is compressed; write gunzip -c FILE | llm-canary COMMAND --from -");
            }
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
            if line.trim_ascii_start().starts_with(b"<") {
                return wrong("is of a web page (HTML), not of metrics");
            }
        }
        let sample = self.lines.read(line, None, self.samples);
        let pushed = sample.and_then(|sample| self.push(sample));
        pushed.map_err(|words| TextError::Line(self.number, words))
    }

    fn push(&mut self, sample: Option<Sample>) -> Result<(), String> {
        let Some(sample) = sample else { return Ok(()) };
        let at_ms = sample.at_ms.ok_or(
            "has no time behind its value: one page of metrics is no samples. `promtool tsdb dump-openmetrics` writes lines with times",
        )?;
        self.samples.push(sample.series, at_ms, sample.value).map_err(|disorder| {
            let words = match disorder {
                Disorder::Older => "is older than an earlier line of its series; each series must be in order of time",
                Disorder::TwoValues => {
                    "has another value than an earlier line of its series at this time; give each Envoy a label of its own, such as instance"
                }
            };
            words.to_owned()
        })
    }
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
