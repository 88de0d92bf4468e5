//! Server-sent events: bytes in any pieces in, events out.
//!
//! This follows the HTML standard, section 9.2.6 (event stream interpretation). The data of an event is handed on
//! piece by piece, so an event of any size takes no memory. `id` and `retry` are ignored, because only a client
//! that reconnects needs them. UTF-8 is not decoded. The standard discards an event that the end of the stream cuts
//! off before its blank line; here [`Framer::is_inside`] lets the caller decide.

#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use memchr::memchr2;

/// A longer event type is cut to this.
pub const TYPE_BYTES_MAX: usize = 64;
/// The length of the longest field names that are read, `event` and `error`.
const NAME_BYTES_MAX: usize = 5;
const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// Receives the events.
pub trait Sink {
    /// A piece of the current event's data. There is a line feed between two lines of data.
    fn data(&mut self, piece: &[u8]);
    /// The event is complete. `event_type` is empty if it has none.
    fn dispatch(&mut self, event_type: &[u8]);
    /// A line `error: …` was received. The standard ignores it, but older llama.cpp and llama-box report errors so.
    fn error_line(&mut self);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LineState {
    /// At the start of the stream, after this many bytes of a byte order mark.
    StreamStart(u8),
    LineStart,
    /// After this many bytes of a field name.
    Name(usize),
    /// After the colon, where one space is skipped.
    Space(FieldName),
    Value(FieldName),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FieldName {
    Data,
    Event,
    Other,
}

/// The state between two pieces.
pub struct Framer {
    state: LineState,
    name: [u8; NAME_BYTES_MAX],
    /// The type of the current event.
    event_type: Vec<u8>,
    /// Lines of data in the current event. Saturates: a server can send more than this can count.
    data_lines: u32,
    /// The last byte was a carriage return. If a line feed follows, both together end one line.
    after_cr: bool,
}

impl Default for Framer {
    fn default() -> Framer {
        Framer {
            state: LineState::StreamStart(0),
            name: [0; NAME_BYTES_MAX],
            event_type: Vec::new(),
            data_lines: 0,
            after_cr: false,
        }
    }
}

impl Framer {
    /// Reads the next piece.
    pub fn push(&mut self, bytes: &[u8], sink: &mut impl Sink) {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = self.push_event(rest, sink);
        }
    }

    /// Reads up to the end of the current event. Returns the bytes after it.
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

    /// Whether the state is as between two events: what came before does not change how the next line is read.
    #[inline(always)]
    pub fn is_between(&self) -> bool {
        self.state == LineState::LineStart
            && self.data_lines == 0
            && self.event_type.is_empty()
            && !self.after_cr
    }

    #[inline(always)]
    fn step<'a>(&mut self, byte: u8, rest: &'a [u8], after: &'a [u8], sink: &mut impl Sink) -> &'a [u8] {
        if core::mem::take(&mut self.after_cr) {
            return if byte == b'\n' { after } else { rest };
        }
        match self.state {
            LineState::LineStart => self.line_start(byte, rest, after, sink),
            LineState::Value(field) => self.value(field, rest, sink),
            LineState::Name(length) => self.name(length, byte, rest, after, sink),
            LineState::Space(field) => {
                let value = if byte == b' ' { after } else { rest };
                self.begin_value(field, value, sink)
            }
            LineState::StreamStart(seen) => self.start(seen, byte, rest, after),
        }
    }

    /// Whether an event with data has begun, and its blank line has not come.
    pub fn is_inside(&self) -> bool {
        self.data_lines > 0
    }

    #[expect(clippy::arithmetic_side_effects, reason = "`seen` is below the length of BOM")]
    fn start<'a>(&mut self, seen: u8, byte: u8, rest: &'a [u8], after: &'a [u8]) -> &'a [u8] {
        if BOM.get(usize::from(seen)) == Some(&byte) {
            let seen = seen + 1;
            self.state = if usize::from(seen) == BOM.len() {
                LineState::LineStart
            } else {
                LineState::StreamStart(seen)
            };
            return after;
        }
        // An incomplete byte order mark is the beginning of an unknown field name.
        self.state = if seen == 0 { LineState::LineStart } else { LineState::Value(FieldName::Other) };
        rest
    }

    /// A line begins. The beginnings of the most frequent lines are read in one step.
    fn line_start<'a>(
        &mut self,
        byte: u8,
        rest: &'a [u8],
        after: &'a [u8],
        sink: &mut impl Sink,
    ) -> &'a [u8] {
        if let Some(value) = rest.strip_prefix(b"data: ") {
            self.begin_value(FieldName::Data, value, sink)
        } else if let Some(value) = rest.strip_prefix(b"event: ") {
            self.event_type.clear();
            self.begin_value(FieldName::Event, value, sink)
        } else {
            self.name(0, byte, rest, after, sink)
        }
    }

    #[expect(clippy::arithmetic_side_effects, reason = "`length` is below NAME_BYTES_MAX")]
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
                let field = self.field(length, sink);
                self.begin_value(field, rest, sink)
            }
            b':' => {
                let field = self.field(length, sink);
                self.state = LineState::Space(field);
                after
            }
            _ => {
                match self.name.get_mut(length) {
                    Some(slot) => {
                        *slot = byte;
                        self.state = LineState::Name(length + 1);
                    }
                    None => self.state = LineState::Value(FieldName::Other),
                }
                after
            }
        }
    }

    /// The name of a field has been read; it is `length` bytes long.
    fn field(&mut self, length: usize, sink: &mut impl Sink) -> FieldName {
        match self.name.get(..length) {
            Some(b"data") => FieldName::Data,
            Some(b"event") => {
                self.event_type.clear();
                FieldName::Event
            }
            Some(b"error") => {
                sink.error_line();
                FieldName::Other
            }
            _ => FieldName::Other,
        }
    }

    #[inline(always)]
    fn begin_value<'a>(&mut self, field: FieldName, rest: &'a [u8], sink: &mut impl Sink) -> &'a [u8] {
        if field == FieldName::Data {
            if self.data_lines > 0 {
                sink.data(b"\n");
            }
            self.data_lines = self.data_lines.saturating_add(1);
        }
        self.value(field, rest, sink)
    }

    #[expect(clippy::arithmetic_side_effects, reason = "`event_type` is at most TYPE_BYTES_MAX long")]
    fn value<'a>(&mut self, field: FieldName, rest: &'a [u8], sink: &mut impl Sink) -> &'a [u8] {
        let end = memchr2(b'\n', b'\r', rest);
        let (run, stop) = rest.split_at(end.unwrap_or(rest.len()));
        match field {
            FieldName::Data if !run.is_empty() => sink.data(run),
            FieldName::Event => {
                let room = TYPE_BYTES_MAX - self.event_type.len();
                self.event_type.extend_from_slice(run.get(..room).unwrap_or(run));
            }
            FieldName::Data | FieldName::Other => {}
        }
        match stop.split_first() {
            Some((&byte, after)) => {
                self.end_line(byte);
                after
            }
            None => {
                self.state = LineState::Value(field);
                stop
            }
        }
    }

    fn end_line(&mut self, byte: u8) {
        self.after_cr = byte == b'\r';
        self.state = LineState::LineStart;
    }

    fn dispatch(&mut self, sink: &mut impl Sink) {
        if self.data_lines > 0 {
            sink.dispatch(&self.event_type);
        }
        self.data_lines = 0;
        self.event_type.clear();
    }
}
