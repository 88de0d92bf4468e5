//! The state machine: what the next byte can be, and what it does.

use super::runs::text_length;
use super::short::Short;
use super::table::{self, NodeId};
use super::{DEPTH_MAX, End, Field, SHORT_BYTES_MAX, Sink, Table, Value};

/// What the next byte can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between documents, which may be the items of an array.
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
    /// In an array, the element being read.
    index: u32,
}

/// The scanner's whole state between two pushes.
pub struct Scanner {
    state: State,
    role: Role,
    frames: [Frame; DEPTH_MAX],
    depth: usize,
    /// Arrays open around the documents.
    root_arrays: u32,
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
            frames: [Frame { node: table::ROOT, is_array: false, index: 0 }; DEPTH_MAX],
            depth: 0,
            root_arrays: 0,
            skipping: 0,
            node: None,
            short: Short::default(),
            high: None,
        }
    }
}

impl Scanner {
    /// Reads on. `table` must be the same for all of one document.
    pub fn push<F: Field, S: Sink<F>>(&mut self, table: &Table<F>, bytes: &[u8], sink: &mut S) {
        Pass { scanner: self, table, sink }.read(bytes);
    }

    /// Whether the bytes were not JSON, so that nothing more of this document is read.
    pub fn is_broken(&self) -> bool {
        self.state == State::Broken
    }

    /// The framing says that the document ends here; makes ready for the next.
    pub fn end<F: Field, S: Sink<F>>(&mut self, table: &Table<F>, sink: &mut S) -> End {
        if self.state == State::Scalar && self.depth == 0 {
            // A number at the root has no other end.
            Pass { scanner: self, table, sink }.end_scalar();
        }
        let end = match self.state {
            State::Root if self.root_arrays > 0 => End::Cut,
            State::Root => End::Between,
            State::Broken => End::Broken,
            State::Value | State::ValueOrEnd | State::Key | State::KeyOrEnd | State::Colon => End::Cut,
            State::AfterValue | State::String | State::Escape | State::Unicode(..) => End::Cut,
            State::Scalar | State::Skip => End::Cut,
        };
        self.state = State::Root;
        self.depth = 0;
        self.root_arrays = 0;
        self.skipping = 0;
        end
    }
}

/// One push of a scanner, with what it needs at hand.
///
/// Each method takes the bytes that are left and returns those it leaves.
struct Pass<'p, F, S> {
    scanner: &'p mut Scanner,
    table: &'p Table<F>,
    sink: &'p mut S,
}

impl<F: Field, S: Sink<F>> Pass<'_, F, S> {
    fn read(&mut self, mut rest: &[u8]) {
        while let Some((&byte, after)) = rest.split_first() {
            rest = match self.scanner.state {
                State::String => self.string(rest),
                State::Skip => self.skip(rest),
                State::Scalar => self.scalar(rest),
                State::Escape => self.escape(byte, after),
                State::Unicode(digits, code) => self.unicode(digits, code, byte, after),
                State::Broken => return,
                _ if byte.is_ascii_whitespace() => after,
                State::Root => self.root(byte, rest, after),
                State::Value => self.value(byte, rest),
                State::ValueOrEnd if byte == b']' => self.close(after),
                State::ValueOrEnd => self.value(byte, rest),
                State::Key | State::KeyOrEnd if byte == b'"' => self.begin_string(Role::Key, after),
                State::KeyOrEnd if byte == b'}' => self.close(after),
                State::Colon if byte == b':' => {
                    self.scanner.state = State::Value;
                    after
                }
                State::AfterValue => self.after_value(byte, after),
                State::Key | State::KeyOrEnd | State::Colon => self.broken(),
            };
        }
    }

    /// Between documents: those of an array are told like those that just follow each other.
    fn root<'a>(&mut self, byte: u8, rest: &'a [u8], after: &'a [u8]) -> &'a [u8] {
        match byte {
            b'[' => self.scanner.root_arrays = self.scanner.root_arrays.saturating_add(1),
            b']' => self.scanner.root_arrays = self.scanner.root_arrays.saturating_sub(1),
            b',' => {}
            _ => {
                self.scanner.node = Some(table::ROOT);
                return self.value(byte, rest);
            }
        }
        after
    }

    fn broken(&mut self) -> &'static [u8] {
        self.scanner.state = State::Broken;
        &[]
    }

    fn frame(&self) -> Option<Frame> {
        self.scanner.depth.checked_sub(1).and_then(|top| self.scanner.frames.get(top)).copied()
    }

    /// A value begins with `byte`, the first of `rest`; `self.scanner.node` says where it stands.
    fn value<'a>(&mut self, byte: u8, rest: &'a [u8]) -> &'a [u8] {
        let after = rest.get(1..).unwrap_or_default();
        match byte {
            b'"' => {
                let role = match self.scanner.node.and_then(|node| self.table.field(node)) {
                    Some(field) if field.is_text() => Role::Text,
                    Some(_) => Role::Short,
                    None => Role::Skipped,
                };
                self.begin_string(role, after)
            }
            b'{' | b'[' => self.open(byte == b'[', after),
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                self.scanner.short.clear();
                self.scanner.state = State::Scalar;
                self.scalar(rest)
            }
            _ => self.broken(),
        }
    }

    fn open<'a>(&mut self, is_array: bool, after: &'a [u8]) -> &'a [u8] {
        if let Some(node) = self.scanner.node {
            if let Some(field) = self.table.field(node) {
                self.sink.value(field, Value::Open);
            }
            if self.table.has_inside(node, is_array)
                && let Some(slot) = self.scanner.frames.get_mut(self.scanner.depth)
            {
                *slot = Frame { node, is_array, index: 0 };
                self.scanner.depth = self.scanner.depth.saturating_add(1);
                self.scanner.node = if is_array { self.table.element(node, 0) } else { None };
                self.scanner.state = if is_array { State::ValueOrEnd } else { State::KeyOrEnd };
                return after;
            }
        }
        self.scanner.skipping = 1;
        self.scanner.state = State::Skip;
        after
    }

    fn close<'a>(&mut self, after: &'a [u8]) -> &'a [u8] {
        if let Some(field) = self.frame().and_then(|frame| self.table.field(frame.node)) {
            self.sink.value(field, Value::Close);
        }
        self.scanner.depth = self.scanner.depth.saturating_sub(1);
        self.value_ended();
        after
    }

    fn value_ended(&mut self) {
        if self.scanner.depth == 0 {
            self.scanner.state = State::Root;
            self.sink.document();
        } else {
            self.scanner.state = State::AfterValue;
        }
    }

    fn after_value<'a>(&mut self, byte: u8, after: &'a [u8]) -> &'a [u8] {
        match (byte, self.frame()) {
            (b',', Some(Frame { node, is_array: true, index })) => {
                let index = index.saturating_add(1);
                let top = self.scanner.depth.saturating_sub(1);
                self.scanner.frames.get_mut(top).iter_mut().for_each(|frame| frame.index = index);
                self.scanner.node = self.table.element(node, index);
                self.scanner.state = State::Value;
                after
            }
            (b',', Some(_)) => match after.split_first() {
                Some((b'"', key)) => self.begin_string(Role::Key, key),
                _ => {
                    self.scanner.state = State::Key;
                    after
                }
            },
            (b']', Some(Frame { is_array: true, .. })) | (b'}', Some(Frame { is_array: false, .. })) => {
                self.close(after)
            }
            _ => self.broken(),
        }
    }

    fn begin_string<'a>(&mut self, role: Role, after: &'a [u8]) -> &'a [u8] {
        self.scanner.role = role;
        self.scanner.high = None;
        self.scanner.short.clear();
        self.scanner.state = State::String;
        self.string(after)
    }

    /// Inside a string: takes all bytes up to its end or the next escape.
    fn string<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let (run, stop) = rest.split_at(text_length(rest));
        let Some((&byte, after)) = stop.split_first() else {
            self.text(run);
            return stop;
        };
        if byte == b'\\' {
            self.text(run);
            self.scanner.state = State::Escape;
            return after;
        }
        if self.scanner.short.is_empty() && self.scanner.high.is_none() {
            self.end_string(run); // it came in one piece, without an escape
        } else {
            self.text(run);
            self.end_buffered_string();
        }
        match after {
            // The common case, without going round.
            [b':', byte, ..] if self.scanner.state == State::Colon && !byte.is_ascii_whitespace() => {
                self.value(*byte, after.get(1..).unwrap_or_default())
            }
            _ => after,
        }
    }

    /// A piece of the string's text, unescaped.
    fn text(&mut self, piece: &[u8]) {
        if self.scanner.high.is_some() && !piece.is_empty() {
            self.scanner.high = None;
            self.text("\u{fffd}".as_bytes());
        }
        match self.scanner.role {
            Role::Key | Role::Short => self.scanner.short.extend(piece),
            Role::Text => {
                if let Some(field) = self.scanner.node.and_then(|node| self.table.field(node)) {
                    self.sink.value(field, Value::Text(piece));
                }
            }
            Role::Skipped => {}
        }
    }

    fn end_buffered_string(&mut self) {
        if self.scanner.high.take().is_some() {
            self.text("\u{fffd}".as_bytes());
        }
        // Moved out for the call and back, so that one function ends both kinds of string.
        let short = std::mem::take(&mut self.scanner.short);
        if self.scanner.role == Role::Key && short.is_cut() {
            self.scanner.node = None;
            self.scanner.state = State::Colon;
        } else {
            self.end_string(short.as_bytes());
        }
        self.scanner.short.clear();
    }

    /// The string ends; `last` is all of it, or for a text its last piece.
    fn end_string(&mut self, last: &[u8]) {
        match self.scanner.role {
            Role::Key => {
                self.scanner.node = self.frame().and_then(|frame| self.table.child(frame.node, last));
                self.scanner.state = State::Colon;
            }
            Role::Text | Role::Short => {
                if let Some(field) = self.scanner.node.and_then(|node| self.table.field(node)) {
                    let whole = last.get(..SHORT_BYTES_MAX).unwrap_or(last);
                    let value =
                        if self.scanner.role == Role::Text { Value::Text(last) } else { Value::Short(whole) };
                    self.sink.value(field, value);
                    if self.scanner.role == Role::Text && field.wants_text_end() {
                        self.sink.value(field, Value::Close);
                    }
                }
                self.value_ended();
            }
            Role::Skipped if self.scanner.skipping > 0 => self.scanner.state = State::Skip,
            Role::Skipped => self.value_ended(),
        }
    }

    fn escape<'a>(&mut self, byte: u8, after: &'a [u8]) -> &'a [u8] {
        self.scanner.state = State::String;
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
                self.scanner.state = State::Unicode(0, 0);
                return after;
            }
            _ => return self.broken(),
        };
        self.text(decoded);
        after
    }

    fn unicode<'a>(&mut self, digits: u8, code: u16, byte: u8, after: &'a [u8]) -> &'a [u8] {
        let Some(digit) = char::from(byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok()) else {
            return self.broken();
        };
        let code = code.wrapping_shl(4) | digit;
        if digits < 3 {
            self.scanner.state = State::Unicode(digits.saturating_add(1), code);
            return after;
        }
        self.scanner.state = State::String;
        let char = match (self.scanner.high, code) {
            (Some(high), 0xDC00..=0xDFFF) => {
                self.scanner.high = None;
                char::decode_utf16([high, code]).next().and_then(Result::ok)
            }
            (_, 0xD800..=0xDBFF) => {
                if self.scanner.high.take().is_some() {
                    self.text("\u{fffd}".as_bytes());
                }
                self.scanner.high = Some(code);
                return after;
            }
            _ => char::from_u32(u32::from(code)),
        };
        let mut utf8 = [0; 4];
        self.text(char.unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut utf8).as_bytes());
        after
    }

    /// Inside a number or literal: takes all bytes up to its end.
    fn scalar<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let is_end = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n');
        let length = rest.iter().position(is_end);
        let (run, stop) = rest.split_at(length.unwrap_or(rest.len()));
        if self.scanner.node.is_some() {
            self.scanner.short.extend(run);
        }
        if length.is_some() {
            self.end_scalar();
        }
        stop
    }

    fn end_scalar(&mut self) {
        if let Some(field) = self.scanner.node.and_then(|node| self.table.field(node)) {
            self.sink.value(field, Value::Scalar(self.scanner.short.as_bytes()));
        }
        self.value_ended();
    }

    /// Inside a container nobody wants: only strings and brackets matter.
    fn skip<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let mut bytes = rest.iter();
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' => return self.begin_string(Role::Skipped, bytes.as_slice()),
                b'{' | b'[' => self.scanner.skipping = self.scanner.skipping.saturating_add(1),
                b'}' | b']' => {
                    self.scanner.skipping = self.scanner.skipping.saturating_sub(1);
                    if self.scanner.skipping == 0 {
                        self.value_ended();
                        return bytes.as_slice();
                    }
                }
                _ => {}
            }
        }
        &[]
    }
}
