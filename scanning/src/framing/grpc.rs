//! gRPC's messages, and those of gRPC-Web: bytes in any pieces in, pieces of messages out.
//!
//! ```text
//! flags u8 | length u32 | message
//! ```
//!
//! A message is handed on piece by piece, so one of any size takes no memory. Specifications: "gRPC over HTTP2", and
//! "gRPC Web", which puts the trailers of the response into a last frame with a flag of its own.

#[cfg(test)]
mod tests;

/// A longer message is skipped. It is protobuf's own limit, so a longer one is no protobuf.
pub const MESSAGE_BYTES_MAX: u32 = i32::MAX as u32;
/// Bytes of the flags and the length.
pub const HEADER_BYTES: usize = 5;

const COMPRESSED: u8 = 0x01;
const TRAILERS: u8 = 0x80;

/// What a frame has in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A message.
    Message,
    /// A message that is compressed. Its bytes are skipped.
    CompressedMessage,
    /// Trailers, of gRPC-Web only: lines as in HTTP/1.
    Trailers,
    /// Trailers that are compressed. Their bytes are skipped.
    CompressedTrailers,
}

/// Takes the frames.
pub trait Sink {
    /// A frame begins, with so many bytes.
    fn begin(&mut self, frame: Frame, length: u32);
    /// A piece of what the frame has in it. There is none if that is compressed.
    fn data(&mut self, piece: &[u8]);
    /// The frame is complete.
    fn end(&mut self);
    /// A message was skipped because it was too long, or the rest of the stream because its flags are not known.
    fn skipped(&mut self);
}

/// The state between two pieces.
#[derive(Default)]
pub struct Framer {
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    /// After so many bytes of the length. `None` before the flags.
    Header { flags: Option<u8>, length: u32, length_bytes: u8 },
    /// So many bytes of the frame follow.
    Data { left: u32, what: Data },
    /// The flags are not known, so where the next message begins is not known either.
    Broken,
}

/// What is done with the bytes of a frame.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Data {
    Read,
    /// The frame is reported without them.
    Unread,
    /// It was reported as skipped.
    Skipped,
}

const LENGTH_BYTES: u8 = 4;

impl Default for State {
    fn default() -> State {
        State::Header { flags: None, length: 0, length_bytes: 0 }
    }
}

impl Framer {
    /// Reads the next piece.
    pub fn push(&mut self, bytes: &[u8], sink: &mut impl Sink) {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            match self.state {
                State::Broken => return,
                State::Header { flags, length, length_bytes } => {
                    self.header_byte(byte, flags, length, length_bytes, sink);
                    rest = after;
                }
                State::Data { left, what } => {
                    let length = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
                    let (piece, after) = rest.split_at(length);
                    if what == Data::Read {
                        sink.data(piece);
                    }
                    rest = after;
                    let read = u32::try_from(length).unwrap_or(left);
                    self.data(left.saturating_sub(read), what, sink);
                }
            }
        }
    }

    /// Whether a frame has begun and is not complete.
    pub fn is_inside(&self) -> bool {
        !matches!(self.state, State::Header { flags: None, .. })
    }

    fn header_byte(
        &mut self,
        byte: u8,
        flags: Option<u8>,
        length: u32,
        length_bytes: u8,
        sink: &mut impl Sink,
    ) {
        let Some(flags) = flags else {
            self.state = if byte & !(COMPRESSED | TRAILERS) == 0 {
                State::Header { flags: Some(byte), length: 0, length_bytes: 0 }
            } else {
                sink.skipped();
                State::Broken
            };
            return;
        };
        let length = (length << u8::BITS) | u32::from(byte);
        let length_bytes = length_bytes.saturating_add(1);
        if length_bytes < LENGTH_BYTES {
            self.state = State::Header { flags: Some(flags), length, length_bytes };
        } else if length > MESSAGE_BYTES_MAX {
            sink.skipped();
            self.data(length, Data::Skipped, sink);
        } else {
            let is_compressed = flags & COMPRESSED != 0;
            let frame = match (flags & TRAILERS != 0, is_compressed) {
                (false, false) => Frame::Message,
                (false, true) => Frame::CompressedMessage,
                (true, false) => Frame::Trailers,
                (true, true) => Frame::CompressedTrailers,
            };
            sink.begin(frame, length);
            self.data(length, if is_compressed { Data::Unread } else { Data::Read }, sink);
        }
    }

    /// So many bytes of the frame are left.
    fn data(&mut self, left: u32, what: Data, sink: &mut impl Sink) {
        if left > 0 {
            self.state = State::Data { left, what };
            return;
        }
        self.state = State::default();
        if what != Data::Skipped {
            sink.end();
        }
    }
}
