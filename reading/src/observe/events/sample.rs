//! An event that has been read, looked at once more: where its one text stands, and what in it nobody wants.

use alloc::vec::Vec;
use core::ops::Range;

use crate::dialect::Field;
use crate::json::{End, Scanner, Sink, Table, Value, chars, text_length};
use crate::stencil::{FREE_MAX, Hole, Kind};

/// Values of an event that are wanted; one with more is not worth it.
const WANTED_MAX: usize = 64;
/// Room for so many is asked for at once: most events have fewer.
const USUAL_VALUES: usize = 16;

pub(super) struct Sample {
    /// Where its text stands, without the quotes.
    pub(super) text: Range<usize>,
    pub(super) chars: u64,
    /// Where its document ends.
    pub(super) document_end: usize,
    /// Values that nobody wants, in order.
    pub(super) free: Vec<Hole>,
}

/// `None` if the event is not of one line of data that holds one document with one text, in one piece and without an
/// escape.
pub(super) fn take(event: &[u8], table: &Table<Field>) -> Option<Sample> {
    // A line feed may still belong to a carriage return at the end.
    event.ends_with(b"\n").then_some(())?;
    let data = data(event)?;
    let document = event.get(data.clone())?;
    let mut wanted = Wanted { event, ranges: Vec::with_capacity(USUAL_VALUES), ..Wanted::default() };
    let mut scanner = Scanner::default();
    scanner.push(table, document, &mut wanted);
    let is_whole = scanner.end(table, &mut wanted) == End::Between && wanted.documents == 1;
    if !is_whole || wanted.is_strange || wanted.ranges.len() > WANTED_MAX {
        return None;
    }
    let text = wanted.text?;
    let is_quoted = |byte: Option<&u8>| byte == Some(&b'"');
    let is_string = is_quoted(event.get(text.start.checked_sub(1)?)) && is_quoted(event.get(text.end));
    is_string.then_some(())?;
    let chars = chars(event.get(text.clone())?);
    let document = document.trim_ascii_end();
    let mut free = values(document, data.start);
    let is_wanted = |hole: &Hole| {
        let overlaps = |range: &Range<usize>| range.start <= hole.range.end && hole.range.start <= range.end;
        wanted.ranges.iter().any(overlaps)
    };
    free.retain(|hole| !is_wanted(hole));
    Some(Sample { text, chars, document_end: data.end, free })
}

/// Where the data of an event stands, if it is in one line.
fn data(event: &[u8]) -> Option<Range<usize>> {
    let mut found = None;
    let mut at = 0_usize;
    for line in event.split(|&byte| byte == b'\n' || byte == b'\r') {
        if line.starts_with(b"data") {
            let value = line.strip_prefix(b"data:").filter(|_| found.is_none())?;
            let end = at.saturating_add(line.len());
            found = Some(end.saturating_sub(value.len())..end);
        }
        at = at.saturating_add(line.len()).saturating_add(1);
    }
    found
}

/// Where the values of a document stand that somebody wants.
#[derive(Default)]
struct Wanted<'e> {
    event: &'e [u8],
    ranges: Vec<Range<usize>>,
    text: Option<Range<usize>>,
    documents: u32,
    /// There is what a stencil cannot hold.
    is_strange: bool,
}

impl Wanted<'_> {
    /// Where in the event these bytes of it are.
    fn find(&self, value: &[u8]) -> Option<Range<usize>> {
        let start = value.as_ptr().addr().checked_sub(self.event.as_ptr().addr())?;
        let end = start.checked_add(value.len())?;
        (end <= self.event.len()).then_some(start..end)
    }
}

impl Sink<Field> for Wanted<'_> {
    fn value(&mut self, field: Field, value: Value<'_>) {
        let bytes = match value {
            Value::Open | Value::Close => return,
            Value::Text(bytes) | Value::Short(bytes) | Value::Scalar(bytes) => bytes,
        };
        // What an escape stands for is nowhere in the event.
        let Some(range) = self.find(bytes) else {
            self.is_strange = true;
            return;
        };
        if matches!(value, Value::Text(_)) && !bytes.is_empty() {
            // Of other texts it matters what they say.
            let is_counted =
                matches!(field, Field::Text(_) | Field::KindText | Field::Reasoning | Field::CallArguments);
            self.is_strange |= !is_counted || self.text.is_some();
            self.text = Some(range.clone());
        }
        if self.ranges.len() <= WANTED_MAX {
            self.ranges.push(range);
        }
    }

    fn document(&mut self) {
        self.documents = self.documents.saturating_add(1);
    }
}

/// The strings and whole numbers in a document that are no keys, the first of them. It begins at `start` of an event.
fn values(document: &[u8], start: usize) -> Vec<Hole> {
    let mut found = Vec::with_capacity(USUAL_VALUES);
    let mut rest = document;
    let offset = |rest: &[u8]| start.saturating_add(document.len().saturating_sub(rest.len()));
    while let Some((&byte, after)) = rest.split_first() {
        if found.len() == FREE_MAX {
            break;
        }
        if byte == b'"' {
            let length = string_length(after);
            let begin = offset(after);
            let behind = after.get(length.saturating_add(1)..).unwrap_or_default();
            if behind.trim_ascii_start().first() != Some(&b':') {
                found.push(Hole { kind: Kind::String, range: begin..begin.saturating_add(length) });
            }
            rest = behind;
        } else if !matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':') && !byte.is_ascii_whitespace() {
            let is_end = |byte: &u8| matches!(byte, b',' | b']' | b'}') || byte.is_ascii_whitespace();
            let length = rest.iter().position(is_end).unwrap_or(rest.len());
            let (word, behind) = rest.split_at(length);
            if word.contains(&b'"') {
                return Vec::new(); // no JSON; it does not matter where strings begin in it
            }
            if word.iter().all(u8::is_ascii_digit) {
                found.push(Hole { kind: Kind::Number, range: offset(rest)..offset(behind) });
            }
            rest = behind;
        } else {
            rest = after;
        }
    }
    // Before the brace that ends the document.
    if let Some(last) = document.len().checked_sub(1) {
        let inside = document.get(..last).unwrap_or_default();
        let spaces = inside.iter().rev().take_while(|byte| **byte == b' ').count();
        let end = start.saturating_add(last);
        found.push(Hole { kind: Kind::Spaces, range: end.saturating_sub(spaces)..end });
    }
    found
}

/// Up to the quote that ends a string.
fn string_length(bytes: &[u8]) -> usize {
    let mut at = text_length(bytes);
    while bytes.get(at) == Some(&b'\\') {
        at = at.saturating_add(2);
        at = at.saturating_add(text_length(bytes.get(at..).unwrap_or_default()));
    }
    at.min(bytes.len())
}
