//! The state machine of the scanner: what the next byte may be, and what it does.
//!
//! Each method takes the bytes that are left, reads a token or the part of it that is there, and returns the bytes
//! after it. `strings.rs` has the methods for strings, `sink.rs` hands over the values.

mod sink;
mod strings;

use super::buffer::Buffer;
use super::decode::ESCAPE_BYTES_MAX;
use super::runs::text_length;
use super::tree::{self, NodeId, PathTree, WantedPath};
use super::{DEPTH_MAX, DocumentEnd, Field, SHORT_BYTES_MAX, Sink, Table, Value};
use sink::{FieldSink, IndexedSink};

/// Bytes of a token that are kept: one more than the longest key of a path, so that a longer key is none.
const TOKEN_BYTES_MAX: usize = SHORT_BYTES_MAX + 1;

/// What the next byte may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ScannerState {
    /// The beginning of a document, or of an array of documents.
    Root,
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    AfterValue,
    String,
    /// Inside an escape.
    Escape,
    Scalar,
    /// Inside an object or array that is skipped.
    Skip,
    /// The same, at its beginning, where it matters whether it is empty.
    SkipOrEnd,
    Broken,
}

/// What the current string is used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum StringRole {
    Key,
    Text,
    Short,
    #[default]
    Skipped,
}

/// An object or array that is open.
#[derive(Clone, Copy)]
struct Frame {
    node: NodeId,
    is_array: bool,
    /// Index of the current element of an array. Saturates: a server can send more than this can count.
    index: u32,
}

/// The state between two tokens.
struct Position {
    state: ScannerState,
    /// The node of the current value. `None` if no path leads there.
    node: Option<NodeId>,
    /// Number of frames, at most [`DEPTH_MAX`].
    depth: usize,
    frames: [Frame; DEPTH_MAX],
}

impl Default for Position {
    fn default() -> Position {
        let frame = Frame { node: tree::ROOT, is_array: false, index: 0 };
        Position { state: ScannerState::Root, node: None, depth: 0, frames: [frame; DEPTH_MAX] }
    }
}

/// The state between two pieces.
#[derive(Default)]
pub struct Scanner {
    position: Position,
    role: StringRole,
    /// Arrays that are open around the documents. Saturates: a server can send more than this can count.
    root_arrays: u32,
    /// Depth inside a skipped value, 0 outside. Saturates: a server can send more brackets than this can count.
    skipping: u32,
    /// The beginning of the current token, if that did not come in one piece without escapes.
    token: Buffer<TOKEN_BYTES_MAX>,
    /// The part of an escape at which the last piece ended.
    escape: Buffer<ESCAPE_BYTES_MAX>,
}

impl Scanner {
    /// Reads the next piece. `table` must be the same for a whole document.
    pub fn push<F: Field, S: Sink<F>>(&mut self, table: &Table<F>, bytes: &[u8], sink: &mut S) {
        Pass::new(self, &table.tree, &mut FieldSink { fields: &table.fields, sink }).read(bytes);
    }

    /// Reads up to the end of a document, and returns the bytes behind it. White space behind it may be read as well.
    pub fn push_document<'b, F: Field, S: Sink<F>>(
        &mut self,
        table: &Table<F>,
        bytes: &'b [u8],
        sink: &mut S,
    ) -> &'b [u8] {
        let sink = &mut FieldSink { fields: &table.fields, sink };
        let mut pass = Pass { stops_behind_document: true, ..Pass::new(self, &table.tree, sink) };
        pass.read(bytes);
        let read_bytes = bytes.len().saturating_sub(pass.unread_bytes);
        bytes.get(read_bytes..).unwrap_or_default()
    }

    /// Whether the next byte is between two documents, so that another table may be used from there on.
    pub fn is_between(&self) -> bool {
        self.position.state == ScannerState::Root
    }

    /// Whether the bytes were not JSON. Nothing more of this document is read.
    pub fn is_broken(&self) -> bool {
        self.position.state == ScannerState::Broken
    }

    /// The framing says that the document ends here. The next byte begins another.
    pub fn end<F: Field, S: Sink<F>>(&mut self, table: &Table<F>, sink: &mut S) -> DocumentEnd {
        if self.position.state == ScannerState::Scalar && self.position.depth == 0 {
            // Nothing else ends a number outside of objects and arrays.
            let sink = &mut FieldSink { fields: &table.fields, sink };
            Pass::new(self, &table.tree, sink).end_scalar();
        }
        let end = match self.position.state {
            ScannerState::Root if self.root_arrays == 0 => return DocumentEnd::Between,
            ScannerState::Root => DocumentEnd::Cut,
            ScannerState::Broken => DocumentEnd::Broken,
            ScannerState::Value
            | ScannerState::ValueOrEnd
            | ScannerState::Key
            | ScannerState::KeyOrEnd
            | ScannerState::Colon => DocumentEnd::Cut,
            ScannerState::AfterValue | ScannerState::String | ScannerState::Escape => DocumentEnd::Cut,
            ScannerState::Scalar | ScannerState::Skip | ScannerState::SkipOrEnd => DocumentEnd::Cut,
        };
        self.position = Position::default();
        self.root_arrays = 0;
        self.skipping = 0;
        end
    }
}

/// A scanner with a table and a sink, while one piece is read.
struct Pass<'p> {
    scanner: &'p mut Scanner,
    tree: &'p PathTree,
    sink: &'p mut dyn IndexedSink,
    /// What follows the first document to end is not read.
    stops_behind_document: bool,
    /// A document has ended.
    has_ended: bool,
    /// Bytes that are not read.
    unread_bytes: usize,
}

impl<'p> Pass<'p> {
    fn new(scanner: &'p mut Scanner, tree: &'p PathTree, sink: &'p mut dyn IndexedSink) -> Pass<'p> {
        Pass { scanner, tree, sink, stops_behind_document: false, has_ended: false, unread_bytes: 0 }
    }

    fn read(&mut self, mut rest: &[u8]) {
        while let Some((&byte, after)) = rest.split_first() {
            rest = self.step(byte, rest, after);
        }
        self.flush();
    }

    /// Reads one token. `rest` is `byte` and then `after`.
    #[inline(always)]
    fn step<'a>(&mut self, byte: u8, rest: &'a [u8], after: &'a [u8]) -> &'a [u8] {
        match self.scanner.position.state {
            ScannerState::String => self.string(rest),
            ScannerState::Skip => self.skip(rest),
            ScannerState::Scalar => self.scalar(rest),
            ScannerState::Escape => self.escape(rest),
            ScannerState::Broken => &[],
            _ if byte.is_ascii_whitespace() => after,
            ScannerState::Root => self.root(byte, rest, after),
            ScannerState::Value => self.value(byte, rest),
            ScannerState::ValueOrEnd if byte == b']' => self.close(after),
            ScannerState::ValueOrEnd => self.value(byte, rest),
            ScannerState::Key | ScannerState::KeyOrEnd if byte == b'"' => {
                self.begin_string(StringRole::Key, after)
            }
            ScannerState::KeyOrEnd if byte == b'}' => self.close(after),
            ScannerState::Colon if byte == b':' => {
                self.scanner.position.state = ScannerState::Value;
                after
            }
            ScannerState::AfterValue => self.after_value(byte, after),
            ScannerState::SkipOrEnd => self.skip_or_end(byte, rest),
            ScannerState::Key | ScannerState::KeyOrEnd | ScannerState::Colon => self.broken(),
        }
    }

    /// Between two documents. An array around documents is not part of them.
    fn root<'a>(&mut self, byte: u8, rest: &'a [u8], after: &'a [u8]) -> &'a [u8] {
        if self.stops_behind_document && self.has_ended {
            self.unread_bytes = rest.len();
            return &[];
        }
        match byte {
            b'[' => self.scanner.root_arrays = self.scanner.root_arrays.saturating_add(1),
            b']' => self.scanner.root_arrays = self.scanner.root_arrays.saturating_sub(1),
            b',' => {}
            _ => {
                self.scanner.position.node = Some(tree::ROOT);
                return self.value(byte, rest);
            }
        }
        after
    }

    /// The path that ends at a node, if one does.
    #[inline(always)]
    fn wanted(&self, node: Option<NodeId>) -> Option<WantedPath> {
        node.and_then(|node| self.tree.wanted(node))
    }

    /// Gives a value to the sink, if its path is wanted.
    #[inline(always)]
    fn emit(&mut self, node: Option<NodeId>, value: Value<'_>) {
        if let Some(WantedPath { index, .. }) = self.wanted(node) {
            self.sink.value(index, value);
        }
    }

    fn broken(&mut self) -> &'static [u8] {
        self.flush();
        self.scanner.position.state = ScannerState::Broken;
        &[]
    }

    #[inline(always)]
    fn frame(&self) -> Option<Frame> {
        self.scanner
            .position
            .depth
            .checked_sub(1)
            .and_then(|top| self.scanner.position.frames.get(top))
            .copied()
    }

    /// A value begins with `byte`, which is the first of `rest`. `position.node` is its node.
    #[inline(always)]
    fn value<'a>(&mut self, byte: u8, rest: &'a [u8]) -> &'a [u8] {
        let after = rest.get(1..).unwrap_or_default();
        match byte {
            b'"' => {
                let role = match self.wanted(self.scanner.position.node) {
                    Some(wanted) if wanted.is_text => StringRole::Text,
                    Some(_) => StringRole::Short,
                    None => StringRole::Skipped,
                };
                self.begin_string(role, after)
            }
            b'{' | b'[' => self.open(byte == b'[', after),
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                self.scanner.token.clear();
                self.scanner.position.state = ScannerState::Scalar;
                self.scalar(rest)
            }
            _ => self.broken(),
        }
    }

    #[expect(clippy::arithmetic_side_effects, reason = "`depth` is an index of `frames`")]
    fn open<'a>(&mut self, is_array: bool, after: &'a [u8]) -> &'a [u8] {
        let Position { node, depth, .. } = self.scanner.position;
        if let Some(node) = node.filter(|&node| self.tree.has_inside(node, is_array))
            && let Some(slot) = self.scanner.position.frames.get_mut(depth)
        {
            *slot = Frame { node, is_array, index: 0 };
            self.emit(Some(node), Value::Open);
            let position = &mut self.scanner.position;
            position.depth = depth + 1;
            position.node = if is_array { self.tree.element(node, 0) } else { None };
            position.state = if is_array { ScannerState::ValueOrEnd } else { ScannerState::KeyOrEnd };
            return after;
        }
        self.emit(node, Value::Open);
        self.scanner.skipping = 1;
        let wants_empty = self.wanted(node).is_some_and(|wanted| wanted.wants_empty);
        self.scanner.position.state = if wants_empty { ScannerState::SkipOrEnd } else { ScannerState::Skip };
        after
    }

    /// The first token in an object or array that is skipped begins with `byte`, which is the first of `rest`.
    fn skip_or_end<'a>(&mut self, byte: u8, rest: &'a [u8]) -> &'a [u8] {
        if matches!(byte, b'}' | b']') {
            self.emit(self.scanner.position.node, Value::Close);
        }
        self.scanner.position.state = ScannerState::Skip;
        self.skip(rest)
    }

    #[inline(always)]
    #[expect(clippy::arithmetic_side_effects, reason = "an object or array is open, so `depth` is not 0")]
    fn close<'a>(&mut self, after: &'a [u8]) -> &'a [u8] {
        self.emit(self.frame().map(|frame| frame.node), Value::Close);
        self.scanner.position.depth -= 1;
        self.end_value();
        after
    }

    #[inline(always)]
    fn end_value(&mut self) {
        let depth = self.scanner.position.depth;
        if depth == 0 {
            self.scanner.position.state = ScannerState::Root;
            self.has_ended = true;
            self.sink.document();
        } else {
            self.scanner.position.state = ScannerState::AfterValue;
        }
    }

    #[inline(always)]
    #[expect(clippy::arithmetic_side_effects, reason = "an array is open, so `depth` is not 0")]
    fn after_value<'a>(&mut self, byte: u8, after: &'a [u8]) -> &'a [u8] {
        match (byte, self.frame()) {
            (b',', Some(Frame { node, is_array: true, index })) => {
                let (index, position) = (index.saturating_add(1), &mut self.scanner.position);
                let top = position.depth - 1;
                position.frames.get_mut(top).iter_mut().for_each(|frame| frame.index = index);
                position.node = self.tree.element(node, index);
                position.state = ScannerState::Value;
                after
            }
            (b',', Some(_)) => match after.split_first() {
                Some((b'"', key)) => self.begin_string(StringRole::Key, key),
                _ => {
                    self.scanner.position.state = ScannerState::Key;
                    after
                }
            },
            (b']', Some(Frame { is_array: true, .. })) | (b'}', Some(Frame { is_array: false, .. })) => {
                self.close(after)
            }
            _ => self.broken(),
        }
    }

    /// Reads a number or literal to its end.
    #[inline(always)]
    fn scalar<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let is_end = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n');
        let length = rest.iter().position(is_end);
        let (run, stop) = rest.split_at(length.unwrap_or(rest.len()));
        if length.is_some() && self.scanner.token.is_empty() {
            let cut = run.get(..SHORT_BYTES_MAX).unwrap_or(run);
            self.emit(self.scanner.position.node, Value::Scalar(cut));
            self.end_value();
            return stop;
        }
        if self.scanner.position.node.is_some() {
            self.scanner.token.extend(run);
        }
        if length.is_some() {
            self.end_scalar();
        }
        stop
    }

    fn end_scalar(&mut self) {
        let token = core::mem::take(&mut self.scanner.token);
        let cut = token.as_bytes().get(..SHORT_BYTES_MAX).unwrap_or(token.as_bytes());
        self.emit(self.scanner.position.node, Value::Scalar(cut));
        self.end_value();
    }

    /// Skips an object or array to its end. Only strings and brackets are read.
    fn skip<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let mut bytes = rest.iter();
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' => {
                    let string = bytes.as_slice();
                    match string.split_at(text_length(string)) {
                        // Most strings are here to their end, and have no escapes.
                        (_, [b'"', after @ ..]) => bytes = after.iter(),
                        _ => return self.begin_string(StringRole::Skipped, string),
                    }
                }
                b'{' | b'[' => self.scanner.skipping = self.scanner.skipping.saturating_add(1),
                b'}' | b']' => {
                    self.scanner.skipping = self.scanner.skipping.saturating_sub(1);
                    if self.scanner.skipping == 0 {
                        self.end_value();
                        return bytes.as_slice();
                    }
                }
                _ => {}
            }
        }
        &[]
    }
}
