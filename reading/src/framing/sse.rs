//! Server-sent events: bytes in, events out, cut anywhere, nothing kept.
//!
//! Follows the parsing rules of the HTML standard, section 9.2.6 (event stream interpretation), with
//! the data of an event handed on piece by piece, so that an event of any size costs nothing.
//! It leaves out `id` and `retry`, which only a client that reconnects needs, and does not decode
//! UTF-8. It adds one thing: the standard discards an event that the stream's end cuts off before its
//! blank line; here [`Framer::is_inside`] lets the caller decide.

#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use memchr::memchr2;

/// An event's type is cut here.
pub const TYPE_BYTES_MAX: usize = 64;
/// The longest field name of interest, `event` or `error`.
const NAME_BYTES_MAX: usize = 5;
const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// Takes the events.
pub trait Sink {
    /// A piece of the current event's data. Lines of data are joined by a line feed, as the standard says.
    fn data(&mut self, piece: &[u8]);
    /// The event is complete. `kind` is its type, empty if it has none.
    fn dispatch(&mut self, kind: &[u8]);
    /// A line `error: …`, which the standard ignores and llama.cpp and its relatives have used to report a failure.
    fn error_line(&mut self);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// So many bytes of a byte order mark seen.
    Start(u8),
    LineStart,
    /// So many bytes of a field's name seen.
    Name(usize),
    /// After the colon: one space is skipped.
    Space(Line),
    Value(Line),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Data,
    Event,
    Other,
}

/// The state between two pushes.
pub struct Framer {
    state: State,
    name: [u8; NAME_BYTES_MAX],
    kind: Vec<u8>,
    /// Lines of data in the current event.
    data_lines: u32,
    /// The last byte was a carriage return: a line feed that follows belongs to it.
    after_cr: bool,
}

impl Default for Framer {
    fn default() -> Framer {
        Framer {
            state: State::Start(0),
            name: [0; NAME_BYTES_MAX],
            kind: Vec::new(),
            data_lines: 0,
            after_cr: false,
        }
    }
}

impl Framer {
    /// Reads on.
    pub fn push(&mut self, bytes: &[u8], sink: &mut impl Sink) {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = self.push_event(rest, sink);
        }
    }

    /// Reads on, but no further than the next place between two events; returns what is left.
    pub fn push_event<'a>(&mut self, bytes: &'a [u8], sink: &mut impl Sink) -> &'a [u8] {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            rest = self.step(byte, rest, after, sink);
            if self.is_between() {
                break;
            }
        }
        rest
    }

    /// Whether nothing that came bears on what comes: an event begins, or a line that belongs to none.
    #[inline(always)]
    pub fn is_between(&self) -> bool {
        self.state == State::LineStart && self.data_lines == 0 && self.kind.is_empty() && !self.after_cr
    }

    #[inline(always)]
    fn step<'a>(&mut self, byte: u8, rest: &'a [u8], after: &'a [u8], sink: &mut impl Sink) -> &'a [u8] {
        if core::mem::take(&mut self.after_cr) {
            return if byte == b'\n' { after } else { rest };
        }
        match self.state {
            State::LineStart => self.line_start(byte, rest, after, sink),
            State::Value(line) => self.value(line, rest, sink),
            State::Name(length) => self.name(length, byte, rest, after, sink),
            State::Space(line) => {
                let value = if byte == b' ' { after } else { rest };
                self.begin_value(line, value, sink)
            }
            State::Start(seen) => self.start(seen, byte, rest, after),
        }
    }

    /// Whether the stream stands inside an event that has data and whose blank line has not come.
    pub fn is_inside(&self) -> bool {
        self.data_lines > 0
    }

    fn start<'a>(&mut self, seen: u8, byte: u8, rest: &'a [u8], after: &'a [u8]) -> &'a [u8] {
        if BOM.get(usize::from(seen)) == Some(&byte) {
            let seen = seen.saturating_add(1);
            self.state = if usize::from(seen) == BOM.len() { State::LineStart } else { State::Start(seen) };
            return after;
        }
        // Half a mark is the start of a field name that nobody knows.
        self.state = if seen == 0 { State::LineStart } else { State::Value(Line::Other) };
        rest
    }

    /// The common lines, at once.
    fn line_start<'a>(
        &mut self,
        byte: u8,
        rest: &'a [u8],
        after: &'a [u8],
        sink: &mut impl Sink,
    ) -> &'a [u8] {
        if let Some(value) = rest.strip_prefix(b"data: ") {
            self.begin_value(Line::Data, value, sink)
        } else if let Some(value) = rest.strip_prefix(b"event: ") {
            self.kind.clear();
            self.begin_value(Line::Event, value, sink)
        } else {
            self.name(0, byte, rest, after, sink)
        }
    }

    fn name<'a>(
        &mut self,
        length: usize,
        byte: u8,
        rest: &'a [u8],
        after: &'a [u8],
        sink: &mut impl Sink,
    ) -> &'a [u8] {
        match byte {
            b'\n' | b'\r' if length == 0 => {
                self.end_line(byte);
                self.dispatch(sink);
                after
            }
            b'\n' | b'\r' => {
                // A line without a colon is a field with an empty value.
                let line = self.line(length, sink);
                self.begin_value(line, rest, sink)
            }
            b':' => {
                let line = self.line(length, sink);
                self.state = State::Space(line);
                after
            }
            _ => {
                match self.name.get_mut(length) {
                    Some(slot) => {
                        *slot = byte;
                        self.state = State::Name(length.saturating_add(1));
                    }
                    None => self.state = State::Value(Line::Other),
                }
                after
            }
        }
    }

    /// What kind of line has the name just read.
    fn line(&mut self, length: usize, sink: &mut impl Sink) -> Line {
        match self.name.get(..length) {
            Some(b"data") => Line::Data,
            Some(b"event") => {
                self.kind.clear();
                Line::Event
            }
            Some(b"error") => {
                sink.error_line();
                Line::Other
            }
            _ => Line::Other,
        }
    }

    #[inline(always)]
    fn begin_value<'a>(&mut self, line: Line, rest: &'a [u8], sink: &mut impl Sink) -> &'a [u8] {
        if line == Line::Data {
            if self.data_lines > 0 {
                sink.data(b"\n");
            }
            self.data_lines = self.data_lines.saturating_add(1);
        }
        self.value(line, rest, sink)
    }

    fn value<'a>(&mut self, line: Line, rest: &'a [u8], sink: &mut impl Sink) -> &'a [u8] {
        let end = memchr2(b'\n', b'\r', rest);
        let (run, stop) = rest.split_at(end.unwrap_or(rest.len()));
        match line {
            Line::Data if !run.is_empty() => sink.data(run),
            Line::Event => {
                let room = TYPE_BYTES_MAX.saturating_sub(self.kind.len());
                self.kind.extend_from_slice(run.get(..room).unwrap_or(run));
            }
            Line::Data | Line::Other => {}
        }
        match stop.split_first() {
            Some((&byte, after)) => {
                self.end_line(byte);
                after
            }
            None => {
                self.state = State::Value(line);
                stop
            }
        }
    }

    fn end_line(&mut self, byte: u8) {
        self.after_cr = byte == b'\r';
        self.state = State::LineStart;
    }

    fn dispatch(&mut self, sink: &mut impl Sink) {
        if self.data_lines > 0 {
            sink.dispatch(&self.kind);
        }
        self.data_lines = 0;
        self.kind.clear();
    }
}
