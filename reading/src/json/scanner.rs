//! The state machine: what the next byte can be, and what it does.

mod strings;

use super::runs::text_length;
use super::short::Short;
use super::tree::{self, NodeId, Tree, What};
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Role {
    Key,
    Text,
    Short,
    #[default]
    Skipped,
}

#[derive(Clone, Copy)]
struct Frame {
    node: NodeId,
    is_array: bool,
    /// In an array, the element being read.
    index: u32,
}

/// Where in a document the scanner stands: between two tokens, all of its state.
struct Position {
    state: State,
    /// Where in the table the value being read stands; `None` if nobody wants it.
    node: Option<NodeId>,
    depth: usize,
    frames: [Frame; DEPTH_MAX],
}

impl Default for Position {
    fn default() -> Position {
        let frame = Frame { node: tree::ROOT, is_array: false, index: 0 };
        Position { state: State::Root, node: None, depth: 0, frames: [frame; DEPTH_MAX] }
    }
}

/// The scanner's whole state between two pushes.
#[derive(Default)]
pub struct Scanner {
    position: Position,
    role: Role,
    /// Arrays open around the documents.
    root_arrays: u32,
    /// Depth inside containers nobody wants; 0 outside.
    skipping: u32,
    short: Short,
    /// A high surrogate whose low half must come next.
    high: Option<u16>,
}

impl Scanner {
    /// Reads on. `table` must be the same for all of one document.
    pub fn push<F: Field, S: Sink<F>>(&mut self, table: &Table<F>, bytes: &[u8], sink: &mut S) {
        Pass { scanner: self, tree: &table.tree, sink: &mut Named { fields: &table.fields, sink } }
            .read(bytes);
    }

    /// Whether the bytes were not JSON, so that nothing more of this document is read.
    pub fn is_broken(&self) -> bool {
        self.position.state == State::Broken
    }

    /// The framing says that the document ends here; makes ready for the next.
    pub fn end<F: Field, S: Sink<F>>(&mut self, table: &Table<F>, sink: &mut S) -> End {
        if self.position.state == State::Scalar && self.position.depth == 0 {
            // A number at the root has no other end.
            let sink = &mut Named { fields: &table.fields, sink };
            Pass { scanner: self, tree: &table.tree, sink }.end_scalar();
        }
        let end = match self.position.state {
            State::Root if self.root_arrays == 0 => return End::Between,
            State::Root => End::Cut,
            State::Broken => End::Broken,
            State::Value | State::ValueOrEnd | State::Key | State::KeyOrEnd | State::Colon => End::Cut,
            State::AfterValue | State::String | State::Escape | State::Unicode(..) => End::Cut,
            State::Scalar | State::Skip => End::Cut,
        };
        self.position = Position::default();
        self.root_arrays = 0;
        self.skipping = 0;
        end
    }
}

/// Takes values by their places in a table.
trait Places {
    fn value(&mut self, place: u16, value: Value<'_>);
    fn document(&mut self);
}

/// Gives each place its name: what keeps the scanner from being compiled anew for each kind of field.
struct Named<'s, F, S> {
    fields: &'s [F],
    sink: &'s mut S,
}

impl<F: Field, S: Sink<F>> Places for Named<'_, F, S> {
    fn value(&mut self, place: u16, value: Value<'_>) {
        if let Some(&field) = self.fields.get(usize::from(place)) {
            self.sink.value(field, value);
        }
    }

    fn document(&mut self) {
        self.sink.document();
    }
}

/// One push of a scanner, with what it needs at hand.
///
/// Each method takes the bytes that are left and returns those it leaves.
struct Pass<'p> {
    scanner: &'p mut Scanner,
    tree: &'p Tree,
    sink: &'p mut dyn Places,
}

impl Pass<'_> {
    fn read(&mut self, mut rest: &[u8]) {
        while let Some((&byte, after)) = rest.split_first() {
            rest = self.step(byte, rest, after);
        }
        self.flush();
    }

    /// Reads a token, or what there is of it. `rest` is `byte` and `after`.
    #[inline(always)]
    fn step<'a>(&mut self, byte: u8, rest: &'a [u8], after: &'a [u8]) -> &'a [u8] {
        match self.scanner.position.state {
            State::String => self.string(rest),
            State::Skip => self.skip(rest),
            State::Scalar => self.scalar(rest),
            State::Escape => self.escape(byte, after),
            State::Unicode(digits, code) => self.unicode(digits, code, byte, after),
            State::Broken => &[],
            _ if byte.is_ascii_whitespace() => after,
            State::Root => self.root(byte, rest, after),
            State::Value => self.value(byte, rest),
            State::ValueOrEnd if byte == b']' => self.close(after),
            State::ValueOrEnd => self.value(byte, rest),
            State::Key | State::KeyOrEnd if byte == b'"' => self.begin_string(Role::Key, after),
            State::KeyOrEnd if byte == b'}' => self.close(after),
            State::Colon if byte == b':' => {
                self.scanner.position.state = State::Value;
                after
            }
            State::AfterValue => self.after_value(byte, after),
            State::Key | State::KeyOrEnd | State::Colon => self.broken(),
        }
    }

    /// Between documents: those of an array are told like those that just follow each other.
    fn root<'a>(&mut self, byte: u8, rest: &'a [u8], after: &'a [u8]) -> &'a [u8] {
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

    /// What is wanted at this place.
    #[inline(always)]
    fn what(&self, node: Option<NodeId>) -> Option<What> {
        node.and_then(|node| self.tree.what(node))
    }

    /// Tells the sink the value at this place, if it is wanted.
    #[inline(always)]
    fn tell(&mut self, node: Option<NodeId>, value: Value<'_>) {
        if let Some(What { place, .. }) = self.what(node) {
            self.sink.value(place, value);
        }
    }

    fn broken(&mut self) -> &'static [u8] {
        self.flush();
        self.scanner.position.state = State::Broken;
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

    /// A value begins with `byte`, the first of `rest`; `position.node` says where it stands.
    #[inline(always)]
    fn value<'a>(&mut self, byte: u8, rest: &'a [u8]) -> &'a [u8] {
        let after = rest.get(1..).unwrap_or_default();
        match byte {
            b'"' => {
                let role = match self.what(self.scanner.position.node) {
                    Some(what) if what.is_text => Role::Text,
                    Some(_) => Role::Short,
                    None => Role::Skipped,
                };
                self.begin_string(role, after)
            }
            b'{' | b'[' => self.open(byte == b'[', after),
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                self.scanner.short.clear();
                self.scanner.position.state = State::Scalar;
                self.scalar(rest)
            }
            _ => self.broken(),
        }
    }

    fn open<'a>(&mut self, is_array: bool, after: &'a [u8]) -> &'a [u8] {
        let Position { node, depth, .. } = self.scanner.position;
        if let Some(node) = node.filter(|&node| self.tree.has_inside(node, is_array))
            && let Some(slot) = self.scanner.position.frames.get_mut(depth)
        {
            *slot = Frame { node, is_array, index: 0 };
            self.tell(Some(node), Value::Open);
            let position = &mut self.scanner.position;
            position.depth = depth.saturating_add(1);
            position.node = if is_array { self.tree.element(node, 0) } else { None };
            position.state = if is_array { State::ValueOrEnd } else { State::KeyOrEnd };
            return after;
        }
        self.tell(node, Value::Open);
        self.scanner.skipping = 1;
        self.scanner.position.state = State::Skip;
        after
    }

    #[inline(always)]
    fn close<'a>(&mut self, after: &'a [u8]) -> &'a [u8] {
        self.tell(self.frame().map(|frame| frame.node), Value::Close);
        self.scanner.position.depth = self.scanner.position.depth.saturating_sub(1);
        self.end_value();
        after
    }

    #[inline(always)]
    fn end_value(&mut self) {
        let depth = self.scanner.position.depth;
        if depth == 0 {
            self.scanner.position.state = State::Root;
            self.sink.document();
        } else {
            self.scanner.position.state = State::AfterValue;
        }
    }

    #[inline(always)]
    fn after_value<'a>(&mut self, byte: u8, after: &'a [u8]) -> &'a [u8] {
        match (byte, self.frame()) {
            (b',', Some(Frame { node, is_array: true, index })) => {
                let (index, position) = (index.saturating_add(1), &mut self.scanner.position);
                let top = position.depth.saturating_sub(1);
                position.frames.get_mut(top).iter_mut().for_each(|frame| frame.index = index);
                position.node = self.tree.element(node, index);
                position.state = State::Value;
                after
            }
            (b',', Some(_)) => match after.split_first() {
                Some((b'"', key)) => self.begin_string(Role::Key, key),
                _ => {
                    self.scanner.position.state = State::Key;
                    after
                }
            },
            (b']', Some(Frame { is_array: true, .. })) | (b'}', Some(Frame { is_array: false, .. })) => {
                self.close(after)
            }
            _ => self.broken(),
        }
    }

    /// Inside a number or literal: takes all bytes up to its end.
    #[inline(always)]
    fn scalar<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let is_end = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n');
        let length = rest.iter().position(is_end);
        let (run, stop) = rest.split_at(length.unwrap_or(rest.len()));
        if length.is_some() && self.scanner.short.is_empty() {
            let cut = run.get(..SHORT_BYTES_MAX).unwrap_or(run);
            self.tell(self.scanner.position.node, Value::Scalar(cut));
            self.end_value();
            return stop;
        }
        if self.scanner.position.node.is_some() {
            self.scanner.short.extend(run);
        }
        if length.is_some() {
            self.end_scalar();
        }
        stop
    }

    fn end_scalar(&mut self) {
        let short = core::mem::take(&mut self.scanner.short);
        self.tell(self.scanner.position.node, Value::Scalar(short.as_bytes()));
        self.end_value();
    }

    /// Inside a container nobody wants: only strings and brackets matter.
    fn skip<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let mut bytes = rest.iter();
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' => {
                    let string = bytes.as_slice();
                    match string.split_at(text_length(string)) {
                        // Most come in one piece and without an escape.
                        (_, [b'"', after @ ..]) => bytes = after.iter(),
                        _ => return self.begin_string(Role::Skipped, string),
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
