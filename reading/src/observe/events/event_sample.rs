//! Where the text of an event is, and where its unused values are.
//!
//! In: an event that was parsed, and the table of its dialect. Out: what an event template is made of, or nothing
//! if the event is not simple enough for one.

use alloc::vec::Vec;
use core::ops::Range;

use crate::dialect::Meaning;
use crate::event_template::{CANDIDATES_MAX, Wildcard, WildcardKind};
use crate::json::{DocumentEnd, Scanner, Sink, Table, Value, chars, text_length};
use crate::word::find_either;

/// The most wanted values of an event that becomes a template.
const WANTED_MAX: usize = 64;
/// Values for which there is room from the start. Most events have fewer.
const USUAL_VALUES: usize = 16;

/// The parts of an event. All ranges are places in the event.
pub(super) struct EventSample {
    /// The text, without its quotes.
    pub(super) text: Range<usize>,
    /// Characters of the text.
    pub(super) chars: u64,
    /// Where its JSON document ends.
    pub(super) document_end: usize,
    /// Unused values, in order.
    pub(super) candidates: Vec<Wildcard>,
}

/// Finds the parts of an event. `None` unless it has one line of data with one document, and that has one text,
/// which is not empty and has no escapes.
pub(super) fn locate(event: &[u8], table: &Table<Meaning>) -> Option<EventSample> {
    // After a carriage return a line feed might follow, which would belong to this event.
    event.ends_with(b"\n").then_some(())?;
    let data = data(event)?;
    let document = event.get(data.clone())?;
    let mut wanted =
        WantedValues { event, ranges: Vec::with_capacity(USUAL_VALUES), ..WantedValues::default() };
    let mut scanner = Scanner::default();
    scanner.push(table, document, &mut wanted);
    let is_whole = scanner.end(table, &mut wanted) == DocumentEnd::Between && wanted.documents == 1;
    if !is_whole || wanted.is_unsupported || wanted.ranges.len() > WANTED_MAX {
        return None;
    }
    let text = wanted.text?;
    let is_quote = |byte: Option<&u8>| byte == Some(&b'"');
    let is_string = is_quote(event.get(text.start.checked_sub(1)?)) && is_quote(event.get(text.end));
    is_string.then_some(())?;
    let chars = chars(event.get(text.clone())?);
    let mut candidates = values(document.trim_ascii_end(), data.start);
    let is_wanted = |value: &Wildcard| {
        let overlaps =
            |range: &Range<usize>| range.start <= value.range.end && value.range.start <= range.end;
        wanted.ranges.iter().any(overlaps)
    };
    candidates.retain(|value| !is_wanted(value));
    Some(EventSample { text, chars, document_end: data.end, candidates })
}

/// Where the data of an event is. `None` if it is not one line.
#[expect(clippy::arithmetic_side_effects, reason = "places in `event`, or one byte after it")]
fn data(event: &[u8]) -> Option<Range<usize>> {
    let mut found = None;
    let mut at = 0_usize;
    while let Some(rest) = event.get(at..) {
        let line = rest.get(..find_either(rest, b'\n', b'\r')).unwrap_or_default();
        let end = at + line.len();
        if line.starts_with(b"data") {
            let value = line.strip_prefix(b"data:").filter(|_| found.is_none())?;
            found = Some(end - value.len()..end);
        }
        at = end + 1;
    }
    found
}

/// Where the values of a document are that somebody wants.
#[derive(Default)]
struct WantedValues<'e> {
    event: &'e [u8],
    ranges: Vec<Range<usize>>,
    /// The text that only adds to counts.
    text: Option<Range<usize>>,
    documents: u32,
    /// There is a value of which a template cannot be made.
    is_unsupported: bool,
}

impl WantedValues<'_> {
    /// Where these bytes are in the event, if they are a part of it.
    fn find(&self, value: &[u8]) -> Option<Range<usize>> {
        let start = value.as_ptr().addr().checked_sub(self.event.as_ptr().addr())?;
        let end = start.checked_add(value.len())?;
        (end <= self.event.len()).then_some(start..end)
    }
}

impl Sink<Meaning> for WantedValues<'_> {
    fn value(&mut self, meaning: Meaning, value: Value<'_>) {
        let bytes = match value {
            Value::Open | Value::Close => return,
            Value::Text(bytes) | Value::Short(bytes) | Value::Scalar(bytes) => bytes,
        };
        // A value with escapes was decoded into another buffer.
        let Some(range) = self.find(bytes) else {
            self.is_unsupported = true;
            return;
        };
        if matches!(value, Value::Text(_)) && !bytes.is_empty() {
            // Texts of other meanings do more than add to counts.
            let is_counted = matches!(
                meaning,
                Meaning::Text(_) | Meaning::TypedText | Meaning::Reasoning | Meaning::CallArguments
            );
            self.is_unsupported |= !is_counted || self.text.is_some();
            self.text = Some(range.clone());
        }
        if self.ranges.len() <= WANTED_MAX {
            self.ranges.push(range);
        }
    }

    #[expect(clippy::arithmetic_side_effects, reason = "an event is at most TEMPLATE_BYTES_MAX long")]
    fn document(&mut self) {
        self.documents += 1;
    }
}

/// The strings, except keys, and the whole numbers of a document, up to [`CANDIDATES_MAX`] of them; and the spaces
/// before the bracket that ends it. `start` is the place of the document in its event.
#[expect(clippy::arithmetic_side_effects, reason = "places in an event")]
fn values(document: &[u8], start: usize) -> Vec<Wildcard> {
    let mut found = Vec::with_capacity(USUAL_VALUES);
    let mut rest = document;
    let place = |rest: &[u8]| start + document.len() - rest.len();
    while let Some((&byte, after)) = rest.split_first() {
        if found.len() == CANDIDATES_MAX {
            break;
        }
        if byte == b'"' {
            let length = string_length(after);
            let begin = place(after);
            let behind = after.get(length + 1..).unwrap_or_default();
            if behind.trim_ascii_start().first() != Some(&b':') {
                found.push(Wildcard { kind: WildcardKind::String, range: begin..begin + length });
            }
            rest = behind;
        } else if !matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':') && !byte.is_ascii_whitespace() {
            let is_end = |byte: &u8| matches!(byte, b',' | b']' | b'}') || byte.is_ascii_whitespace();
            let length = rest.iter().position(is_end).unwrap_or(rest.len());
            let (token, behind) = rest.split_at(length);
            if token.contains(&b'"') {
                return Vec::new(); // not JSON, so it is not known where its strings begin
            }
            if token.iter().all(u8::is_ascii_digit) {
                found.push(Wildcard { kind: WildcardKind::Number, range: place(rest)..place(behind) });
            }
            rest = behind;
        } else {
            rest = after;
        }
    }
    if let Some((_, inside)) = document.split_last() {
        let spaces = inside.iter().rev().take_while(|byte| **byte == b' ').count();
        let end = start + inside.len();
        found.push(Wildcard { kind: WildcardKind::Spaces, range: end - spaces..end });
    }
    found
}

/// The number of bytes up to the quote that ends a string, or of all bytes.
#[expect(clippy::arithmetic_side_effects, reason = "at most two bytes after `bytes`")]
fn string_length(bytes: &[u8]) -> usize {
    let mut at = text_length(bytes);
    while bytes.get(at) == Some(&b'\\') {
        at += 2;
        at += text_length(bytes.get(at..).unwrap_or_default());
    }
    at.min(bytes.len())
}
