//! An incremental reader of protobuf's wire format: the bytes of one message in any pieces in, its fields out.
//!
//! In: bytes, and the message's length. Out: calls of a [`Sink`], which says of each field whether it is a message, bytes
//! or not wanted. Nothing is kept but where the open messages end, so a message of any size takes one pass and no
//! allocation. A length is never trusted: a field that would end after the message around it breaks the message, and the
//! rest of that is skipped. Specification: "Encoding" of protobuf.dev.

#[cfg(test)]
mod tests;

/// The deepest nesting of messages that a [`Sink`] can ask for, with the outermost. A deeper one is skipped.
pub const DEPTH_MAX: usize = 6;
/// The highest number that a field may have.
const FIELD_MAX: u64 = (1 << 29) - 1;
/// The shift of the last byte of a number of 64 bits, of which it has one bit.
const SHIFT_MAX: u32 = 63;

/// What a field with a length is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A message, whose fields are wanted.
    Message,
    /// A string, bytes or packed numbers.
    Bytes,
    /// It is not wanted.
    Unwanted,
}

/// Receives the fields.
pub trait Sink {
    /// A field with a length begins. `first`: its first byte, or `None` if it is empty.
    fn begin(&mut self, field: u32, first: Option<u8>) -> Content;
    /// A piece of the innermost open field, which is [`Content::Bytes`].
    fn bytes(&mut self, piece: &[u8]);
    /// The innermost open field is complete. None is reported for a field that is not wanted.
    fn end(&mut self);
    /// A number, as it is on the wire: a negative one has its highest bit set.
    fn number(&mut self, field: u32, number: u64);
}

/// Reads one message.
pub struct Reader {
    /// Bytes read so far.
    position: u64,
    /// Where each open message ends, the outermost first.
    ends: [u64; DEPTH_MAX],
    /// Index in `ends` of the innermost open message.
    depth: usize,
    /// Open groups in the innermost open message. Nothing in a group is wanted: it is an old form that proto3 lacks.
    groups: u32,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    /// In a number of a varying length, whose value so far has `shift` bits.
    Number { of: Number, value: u64, shift: u32 },
    /// Before the first byte of a field, which has a length above 0.
    Begin { field: u32, length: u64 },
    /// So many bytes of a field follow.
    Content { left: u64, is_wanted: bool },
    /// After bytes that are no protobuf.
    Broken,
}

/// What a number of a varying length is.
#[derive(Clone, Copy)]
enum Number {
    /// A field's number and type.
    Tag,
    /// The value of this field.
    Value(u32),
    /// The length of this field.
    Length(u32),
}

impl State {
    fn number(of: Number) -> State {
        State::Number { of, value: 0, shift: 0 }
    }
}

impl Reader {
    /// For a message of so many bytes.
    pub fn new(length: u64) -> Reader {
        let mut ends = [0; DEPTH_MAX];
        ends[0] = length;
        Reader { position: 0, ends, depth: 0, groups: 0, state: State::number(Number::Tag) }
    }

    /// Reads the next piece of the message.
    #[expect(clippy::arithmetic_side_effects, reason = "`position` is at most the length of the message")]
    pub fn push(&mut self, bytes: &[u8], sink: &mut impl Sink) {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            match self.state {
                State::Broken => return,
                State::Begin { field, length } => self.begin(field, length, Some(byte), sink),
                State::Content { left, is_wanted } => {
                    let length = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
                    let (piece, after) = rest.split_at(length);
                    rest = after;
                    self.position += length as u64;
                    if is_wanted {
                        sink.bytes(piece);
                    }
                    self.content(left.saturating_sub(length as u64), is_wanted, sink);
                }
                State::Number { .. } if self.left() == 0 => self.state = State::Broken,
                State::Number { of, value, shift } => {
                    rest = after;
                    self.position += 1;
                    let value = value | (u64::from(byte & 0x7f) << shift);
                    self.state = match byte {
                        2.. if shift == SHIFT_MAX => State::Broken,
                        0x80.. => State::Number { of, value, shift: shift + 7 },
                        _ => {
                            self.number(of, value, sink);
                            continue;
                        }
                    };
                }
            }
        }
    }

    /// Whether the message is complete.
    pub fn is_complete(&self) -> bool {
        let is_between = matches!(self.state, State::Number { of: Number::Tag, shift: 0, .. });
        is_between && self.depth == 0 && self.left() == 0 && self.groups == 0
    }

    /// Bytes that the innermost open message still has.
    fn left(&self) -> u64 {
        self.ends.get(self.depth).copied().unwrap_or(0).saturating_sub(self.position)
    }

    /// A number is complete.
    fn number(&mut self, of: Number, value: u64, sink: &mut impl Sink) {
        match of {
            Number::Tag => self.tag(value, sink),
            Number::Value(field) => {
                if self.groups == 0 {
                    sink.number(field, value);
                }
                self.end_field(sink);
            }
            Number::Length(_) if value > self.left() => self.state = State::Broken,
            Number::Length(_) if self.groups > 0 => self.content(value, false, sink),
            Number::Length(field) if value == 0 => self.begin(field, 0, None, sink),
            Number::Length(field) => self.state = State::Begin { field, length: value },
        }
    }

    fn tag(&mut self, tag: u64, sink: &mut impl Sink) {
        let (number, wire_type) = (tag >> 3, tag & 7);
        let Some(field) = u32::try_from(number).ok().filter(|_| (1..=FIELD_MAX).contains(&number)) else {
            self.state = State::Broken;
            return;
        };
        match wire_type {
            0 => self.state = State::number(Number::Value(field)),
            1 => self.skip_fixed(8, sink),
            2 => self.state = State::number(Number::Length(field)),
            3 => {
                self.groups = self.groups.saturating_add(1);
                self.end_field(sink);
            }
            4 => match self.groups.checked_sub(1) {
                Some(groups) => {
                    self.groups = groups;
                    self.end_field(sink);
                }
                None => self.state = State::Broken,
            },
            5 => self.skip_fixed(4, sink),
            _ => self.state = State::Broken,
        }
    }

    fn skip_fixed(&mut self, length: u64, sink: &mut impl Sink) {
        if length > self.left() {
            self.state = State::Broken;
        } else {
            self.content(length, false, sink);
        }
    }

    /// A field begins whose length is at most what is left.
    #[inline(never)]
    fn begin(&mut self, field: u32, length: u64, first: Option<u8>, sink: &mut impl Sink) {
        let content = sink.begin(field, first);
        let inner = self.depth.saturating_add(1);
        match (content, self.ends.get_mut(inner)) {
            (Content::Message, Some(end)) => {
                *end = self.position.saturating_add(length);
                self.depth = inner;
                self.end_field(sink);
            }
            (Content::Bytes, _) => self.content(length, true, sink),
            (Content::Message | Content::Unwanted, _) => self.content(length, false, sink),
        }
    }

    /// So many bytes of a field are left.
    #[inline(never)]
    fn content(&mut self, left: u64, is_wanted: bool, sink: &mut impl Sink) {
        if left > 0 {
            self.state = State::Content { left, is_wanted };
            return;
        }
        if is_wanted {
            sink.end();
        }
        self.end_field(sink);
    }

    /// A field has ended, or a message has begun. It may be the last field of the messages around it.
    #[inline(never)]
    fn end_field(&mut self, sink: &mut impl Sink) {
        self.state = State::number(Number::Tag);
        while self.depth > 0 && self.left() == 0 {
            if self.groups > 0 {
                self.state = State::Broken;
                return;
            }
            sink.end();
            self.depth = self.depth.saturating_sub(1);
        }
    }
}
