//! The heart of the reader: a JSON scanner that is fed bytes as they come, cut anywhere.
//!
//! In: bytes and a [`Table`] of paths. Out: calls on a [`Sink`] for the values at those paths,
//! in document order. Everything else is skipped and nothing is kept, so a document of any size
//! costs the same few hundred bytes and no second pass. Documents may follow each other
//! (NDJSON, two objects glued into one event).
//!
//! It reads, it does not validate: on a wanted path the grammar is checked, and bytes that are
//! no JSON end the document as [`End::Broken`]; inside a skipped value only strings and brackets
//! are told apart. Grammar: RFC 8259.

mod table;
#[cfg(test)]
mod tests;

use memchr::memchr2;

use table::NodeId;
pub use table::{Field, Table};

/// Deepest nesting of wanted containers; [`Table::compile`] refuses longer paths.
pub const DEPTH_MAX: usize = 12;
/// A string that is reported whole is cut here, and a longer key matches nothing.
pub const SHORT_BYTES_MAX: usize = 128;
/// Runs shorter than this are searched byte by byte: a call of `memchr` costs more.
const SHORT_RUN_BYTES: usize = 16;

/// One value, or a piece of one, at a path that the table wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// An object or array begins.
    Open,
    /// It ends. Reported only where the table has paths inside it.
    Close,
    /// A piece of a string's decoded text, for fields that are [`Field::is_text`]. May be empty.
    Text(&'a [u8]),
    /// A whole decoded string, cut at [`SHORT_BYTES_MAX`], for all other fields.
    Short(&'a [u8]),
    /// A number, `true`, `false` or `null` as written, cut at [`SHORT_BYTES_MAX`].
    Scalar(&'a [u8]),
}

/// Takes what a scan finds.
pub trait Sink<F> {
    /// A value at a wanted path.
    fn value(&mut self, field: F, value: Value<'_>);
    /// A document is complete.
    fn document(&mut self);
}

/// How a document stood when its framing said that it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing but white space since the last complete document.
    Between,
    /// In the middle of a document.
    Cut,
    /// The bytes were not JSON.
    Broken,
}

/// What the next byte can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between documents.
    Root,
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    AfterValue,
    String,
    Escape,
    /// Hex digits read of `\uXXXX`, and their value so far.
    Unicode(u8, u16),
    Scalar,
    /// Inside containers nobody wants, `skipping` deep.
    Skip,
    Broken,
}

/// What is to become of the string being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Key,
    Text,
    Short,
    Skipped,
}

#[derive(Clone, Copy)]
struct Frame {
    node: NodeId,
    is_array: bool,
}

/// Up to [`SHORT_BYTES_MAX`] bytes of a token that did not come in one piece.
struct Short {
    bytes: [u8; SHORT_BYTES_MAX],
    len: usize,
    /// More came than fits.
    cut: bool,
}

impl Short {
    fn clear(&mut self) {
        self.len = 0;
        self.cut = false;
    }

    fn extend(&mut self, more: &[u8]) {
        for &byte in more {
            match self.bytes.get_mut(self.len) {
                Some(slot) => {
                    *slot = byte;
                    self.len = self.len.saturating_add(1);
                }
                None => {
                    self.cut = true;
                    return;
                }
            }
        }
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// The scanner's whole state between two pushes.
pub struct Scanner {
    state: State,
    role: Role,
    frames: [Frame; DEPTH_MAX],
    depth: usize,
    /// Depth inside containers nobody wants; 0 outside.
    skipping: u32,
    /// Where in the table the value being read stands; `None` if nobody wants it.
    node: Option<NodeId>,
    short: Short,
    /// A high surrogate whose low half must come next.
    high: Option<u16>,
}

impl Default for Scanner {
    fn default() -> Scanner {
        Scanner {
            state: State::Root,
            role: Role::Skipped,
            frames: [Frame { node: table::ROOT, is_array: false }; DEPTH_MAX],
            depth: 0,
            skipping: 0,
            node: None,
            short: Short { bytes: [0; SHORT_BYTES_MAX], len: 0, cut: false },
            high: None,
        }
    }
}

impl Scanner {
    /// Reads on. `table` must be the same for all of one document.
    pub fn push<F: Field>(&mut self, table: &Table<F>, bytes: &[u8], sink: &mut impl Sink<F>) {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            rest = match self.state {
                State::String => self.string(table, rest, sink),
                State::Skip => self.skip(rest, sink),
                State::Scalar => self.scalar(table, rest, sink),
                State::Broken => return,
                _ if byte.is_ascii_whitespace() && !self.in_string() => after,
                State::Root => {
                    self.node = Some(table::ROOT);
                    self.value(table, byte, rest, sink)
                }
                State::Value => self.value(table, byte, rest, sink),
                State::ValueOrEnd if byte == b']' => self.close(table, after, sink),
                State::ValueOrEnd => self.value(table, byte, rest, sink),
                State::Key | State::KeyOrEnd if byte == b'"' => self.begin_string(Role::Key, after),
                State::KeyOrEnd if byte == b'}' => self.close(table, after, sink),
                State::Colon if byte == b':' => {
                    self.state = State::Value;
                    after
                }
                State::AfterValue => self.after_value(table, byte, after, sink),
                State::Escape => self.escape(table, byte, after, sink),
                State::Unicode(digits, code) => self.unicode(table, digits, code, byte, after, sink),
                State::Key | State::KeyOrEnd | State::Colon => self.broken(),
            };
        }
    }

    /// The framing says that the document ends here; makes ready for the next.
    pub fn end<F: Field>(&mut self, table: &Table<F>, sink: &mut impl Sink<F>) -> End {
        if self.state == State::Scalar && self.depth == 0 {
            self.end_scalar(table, sink); // a number at the root has no other end
        }
        let end = match self.state {
            State::Root => End::Between,
            State::Broken => End::Broken,
            State::Value | State::ValueOrEnd | State::Key | State::KeyOrEnd | State::Colon => End::Cut,
            State::AfterValue | State::String | State::Escape | State::Unicode(..) => End::Cut,
            State::Scalar | State::Skip => End::Cut,
        };
        self.state = State::Root;
        self.depth = 0;
        self.skipping = 0;
        end
    }

    fn in_string(&self) -> bool {
        matches!(self.state, State::Escape | State::Unicode(..))
    }

    fn broken(&mut self) -> &'static [u8] {
        self.state = State::Broken;
        &[]
    }

    fn frame(&self) -> Option<Frame> {
        self.depth.checked_sub(1).and_then(|top| self.frames.get(top)).copied()
    }

    /// A value begins with `byte`, the first of `rest`; `self.node` says where it stands.
    fn value<'a, F: Field>(
        &mut self,
        table: &Table<F>,
        byte: u8,
        rest: &'a [u8],
        sink: &mut impl Sink<F>,
    ) -> &'a [u8] {
        let after = rest.get(1..).unwrap_or_default();
        match byte {
            b'"' => {
                let role = match self.node.and_then(|node| table.field(node)) {
                    Some(field) if field.is_text() => Role::Text,
                    Some(_) => Role::Short,
                    None => Role::Skipped,
                };
                self.begin_string(role, after)
            }
            b'{' | b'[' => self.open(table, byte == b'[', after, sink),
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                self.short.clear();
                self.state = State::Scalar;
                rest
            }
            _ => self.broken(),
        }
    }

    fn open<'a, F: Field>(
        &mut self,
        table: &Table<F>,
        is_array: bool,
        after: &'a [u8],
        sink: &mut impl Sink<F>,
    ) -> &'a [u8] {
        if let Some(node) = self.node {
            if let Some(field) = table.field(node) {
                sink.value(field, Value::Open);
            }
            if table.has_inside(node, is_array)
                && let Some(slot) = self.frames.get_mut(self.depth)
            {
                *slot = Frame { node, is_array };
                self.depth = self.depth.saturating_add(1);
                self.node = if is_array { table.element(node) } else { None };
                self.state = if is_array { State::ValueOrEnd } else { State::KeyOrEnd };
                return after;
            }
        }
        self.skipping = 1;
        self.state = State::Skip;
        after
    }

    fn close<'a, F: Field>(
        &mut self,
        table: &Table<F>,
        after: &'a [u8],
        sink: &mut impl Sink<F>,
    ) -> &'a [u8] {
        if let Some(field) = self.frame().and_then(|frame| table.field(frame.node)) {
            sink.value(field, Value::Close);
        }
        self.depth = self.depth.saturating_sub(1);
        self.value_ended(sink);
        after
    }

    fn value_ended<F>(&mut self, sink: &mut impl Sink<F>) {
        if self.depth == 0 {
            self.state = State::Root;
            sink.document();
        } else {
            self.state = State::AfterValue;
        }
    }

    fn after_value<'a, F: Field>(
        &mut self,
        table: &Table<F>,
        byte: u8,
        after: &'a [u8],
        sink: &mut impl Sink<F>,
    ) -> &'a [u8] {
        match (byte, self.frame()) {
            (b',', Some(Frame { node, is_array: true })) => {
                self.node = table.element(node);
                self.state = State::Value;
                after
            }
            (b',', Some(_)) => {
                self.state = State::Key;
                after
            }
            (b']', Some(Frame { is_array: true, .. })) | (b'}', Some(Frame { is_array: false, .. })) => {
                self.close(table, after, sink)
            }
            _ => self.broken(),
        }
    }

    fn begin_string<'a>(&mut self, role: Role, after: &'a [u8]) -> &'a [u8] {
        self.role = role;
        self.high = None;
        self.short.clear();
        self.state = State::String;
        after
    }

    /// Inside a string: takes all bytes up to its end or the next escape.
    fn string<'a, F: Field>(
        &mut self,
        table: &Table<F>,
        rest: &'a [u8],
        sink: &mut impl Sink<F>,
    ) -> &'a [u8] {
        let (run, stop) = rest.split_at(run_length(rest));
        let Some((&byte, after)) = stop.split_first() else {
            self.text(table, run, sink);
            return stop;
        };
        if byte == b'\\' {
            self.text(table, run, sink);
            self.state = State::Escape;
            return after;
        }
        if self.short.len == 0 && self.high.is_none() {
            self.end_string(table, run, sink); // it came in one piece, without an escape
        } else {
            self.text(table, run, sink);
            self.end_buffered_string(table, sink);
        }
        after
    }

    /// A piece of the string's text, unescaped.
    fn text<F: Field>(&mut self, table: &Table<F>, piece: &[u8], sink: &mut impl Sink<F>) {
        if self.high.is_some() && !piece.is_empty() {
            self.high = None;
            self.text(table, "\u{fffd}".as_bytes(), sink);
        }
        match self.role {
            Role::Key | Role::Short => self.short.extend(piece),
            Role::Text => {
                if let Some(field) = self.node.and_then(|node| table.field(node)) {
                    sink.value(field, Value::Text(piece));
                }
            }
            Role::Skipped => {}
        }
    }

    fn end_buffered_string<F: Field>(&mut self, table: &Table<F>, sink: &mut impl Sink<F>) {
        if self.high.take().is_some() {
            self.text(table, "\u{fffd}".as_bytes(), sink);
        }
        // Moved out for the call and back, so that one function ends both kinds of string.
        let short =
            std::mem::replace(&mut self.short, Short { bytes: [0; SHORT_BYTES_MAX], len: 0, cut: false });
        if self.role == Role::Key && short.cut {
            self.node = None;
            self.state = State::Colon;
        } else {
            self.end_string(table, short.as_bytes(), sink);
        }
        self.short.clear();
    }

    /// The string ends; `last` is all of it, or for a text its last piece.
    fn end_string<F: Field>(&mut self, table: &Table<F>, last: &[u8], sink: &mut impl Sink<F>) {
        match self.role {
            Role::Key => {
                self.node = self.frame().and_then(|frame| table.child(frame.node, last));
                self.state = State::Colon;
            }
            Role::Text | Role::Short => {
                if let Some(field) = self.node.and_then(|node| table.field(node)) {
                    let whole = last.get(..SHORT_BYTES_MAX).unwrap_or(last);
                    let value = if self.role == Role::Text { Value::Text(last) } else { Value::Short(whole) };
                    sink.value(field, value);
                }
                self.value_ended(sink);
            }
            Role::Skipped if self.skipping > 0 => self.state = State::Skip,
            Role::Skipped => self.value_ended(sink),
        }
    }

    fn escape<'a, F: Field>(
        &mut self,
        table: &Table<F>,
        byte: u8,
        after: &'a [u8],
        sink: &mut impl Sink<F>,
    ) -> &'a [u8] {
        self.state = State::String;
        let decoded = match byte {
            b'n' => b"\n",
            b't' => b"\t",
            b'r' => b"\r",
            b'b' => b"\x08",
            b'f' => b"\x0c",
            b'"' => b"\"",
            b'\\' => b"\\",
            b'/' => b"/",
            b'u' => {
                self.state = State::Unicode(0, 0);
                return after;
            }
            _ => return self.broken(),
        };
        self.text(table, decoded, sink);
        after
    }

    fn unicode<'a, F: Field>(
        &mut self,
        table: &Table<F>,
        digits: u8,
        code: u16,
        byte: u8,
        after: &'a [u8],
        sink: &mut impl Sink<F>,
    ) -> &'a [u8] {
        let Some(digit) = char::from(byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok()) else {
            return self.broken();
        };
        let code = code.wrapping_shl(4) | digit;
        if digits < 3 {
            self.state = State::Unicode(digits.saturating_add(1), code);
            return after;
        }
        self.state = State::String;
        let char = match (self.high, code) {
            (Some(high), 0xDC00..=0xDFFF) => {
                self.high = None;
                char::decode_utf16([high, code]).next().and_then(Result::ok)
            }
            (_, 0xD800..=0xDBFF) => {
                if self.high.take().is_some() {
                    self.text(table, "\u{fffd}".as_bytes(), sink);
                }
                self.high = Some(code);
                return after;
            }
            _ => char::from_u32(u32::from(code)),
        };
        let mut utf8 = [0; 4];
        self.text(table, char.unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut utf8).as_bytes(), sink);
        after
    }

    /// Inside a number or literal: takes all bytes up to its end.
    fn scalar<'a, F: Field>(
        &mut self,
        table: &Table<F>,
        rest: &'a [u8],
        sink: &mut impl Sink<F>,
    ) -> &'a [u8] {
        let is_end = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n');
        let length = rest.iter().position(is_end);
        let (run, stop) = rest.split_at(length.unwrap_or(rest.len()));
        if self.node.is_some() {
            self.short.extend(run);
        }
        if length.is_some() {
            self.end_scalar(table, sink);
        }
        stop
    }

    fn end_scalar<F: Field>(&mut self, table: &Table<F>, sink: &mut impl Sink<F>) {
        if let Some(field) = self.node.and_then(|node| table.field(node)) {
            sink.value(field, Value::Scalar(self.short.as_bytes()));
        }
        self.value_ended(sink);
    }

    /// Inside a container nobody wants: only strings and brackets matter.
    fn skip<'a, F>(&mut self, rest: &'a [u8], sink: &mut impl Sink<F>) -> &'a [u8] {
        let mut bytes = rest.iter();
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' => return self.begin_string(Role::Skipped, bytes.as_slice()),
                b'{' | b'[' => self.skipping = self.skipping.saturating_add(1),
                b'}' | b']' => {
                    self.skipping = self.skipping.saturating_sub(1);
                    if self.skipping == 0 {
                        self.value_ended(sink);
                        return bytes.as_slice();
                    }
                }
                _ => {}
            }
        }
        &[]
    }
}

/// Bytes up to the next quote or backslash, or all of them.
fn run_length(bytes: &[u8]) -> usize {
    let near = bytes.get(..SHORT_RUN_BYTES).unwrap_or(bytes);
    near.iter()
        .position(|byte| matches!(byte, b'"' | b'\\'))
        .or_else(|| memchr2(b'"', b'\\', bytes))
        .unwrap_or(bytes.len())
}

/// The number of Unicode scalar values that begin in `bytes`, which may be cut anywhere.
pub fn chars(bytes: &[u8]) -> u64 {
    // A byte of UTF-8 begins a character unless it is 0b10xxxxxx.
    bytes.iter().map(|&byte| u64::from(byte & 0xC0 != 0x80)).sum()
}
