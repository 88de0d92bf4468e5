//! Amazon's binary event stream (`application/vnd.amazon.eventstream`): bytes in any pieces in, messages out.
//!
//! ```text
//! total length u32 | length of headers u32 | CRC-32 of these | headers | payload | CRC-32 of all before
//! ```
//!
//! A message is kept until it is complete, up to [`MESSAGE_BYTES_MAX`], because its checksum is at its end. A
//! longer message is skipped. If the checksum of the lengths is wrong, the next message cannot be found, so the
//! rest of the stream is skipped. Specification: "Amazon Event Stream" of smithy.

use alloc::vec::Vec;

#[cfg(test)]
mod tests;

/// The longest message that is read. All recorded messages are below 6 kB.
pub const MESSAGE_BYTES_MAX: usize = 40 * 1024;
/// Bytes of the two lengths and their checksum.
pub const PRELUDE_BYTES: usize = 12;
const CRC_BYTES: usize = 4;

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The header `:message-type`: `event`, `exception` or `error`.
    pub message_type: &'a [u8],
    /// The header `:event-type`.
    pub event_type: &'a [u8],
    /// The content.
    pub payload: &'a [u8],
}

/// Takes the messages.
pub trait Sink {
    /// A message, whose checksum is right.
    fn message(&mut self, message: Message<'_>);
    /// A message was skipped, because it was too long or its checksum was wrong.
    fn skipped(&mut self);
}

/// The state between two pushes.
#[derive(Default)]
pub struct Framer {
    /// The beginning of a message.
    pending: Vec<u8>,
    /// Bytes to skip. `usize::MAX` means the rest of the stream.
    skip: usize,
}

impl Framer {
    /// Reads the next piece.
    #[expect(clippy::arithmetic_side_effects, reason = "`skipped` is at most `skip`")]
    pub fn push(&mut self, bytes: &[u8], sink: &mut impl Sink) {
        let mut rest = bytes;
        loop {
            let skipped = self.skip.min(rest.len());
            rest = rest.get(skipped..).unwrap_or_default();
            if self.skip != usize::MAX {
                self.skip -= skipped;
            }
            if rest.is_empty() {
                return;
            }
            if self.pending.is_empty()
                && let Some((message, after)) = whole_message(rest)
            {
                read(message, sink); // in one piece, as most are
                rest = after;
                continue;
            }
            let missing = self.missing();
            let (piece, after) = rest.split_at(missing.min(rest.len()));
            self.pending.extend_from_slice(piece);
            rest = after;
            self.read_pending(sink);
        }
    }

    /// Whether a message has begun and is not complete.
    pub fn is_inside(&self) -> bool {
        !self.pending.is_empty() || self.skip > 0
    }

    /// Number of bytes until the prelude is complete, or after that, the message.
    #[expect(clippy::arithmetic_side_effects, reason = "`pending` is never longer than its message")]
    fn missing(&self) -> usize {
        let length = match Prelude::read(&self.pending) {
            Some(prelude) => prelude.total,
            None => PRELUDE_BYTES,
        };
        length - self.pending.len()
    }

    /// Reads the pending message if it is complete, or skips it if it cannot be read.
    #[expect(clippy::arithmetic_side_effects, reason = "`pending` is never longer than its message")]
    fn read_pending(&mut self, sink: &mut impl Sink) {
        if self.pending.len() < PRELUDE_BYTES {
            return;
        }
        match Prelude::read(&self.pending) {
            None => {
                sink.skipped();
                self.skip = usize::MAX;
                self.pending = Vec::new();
            }
            Some(prelude) if prelude.total > MESSAGE_BYTES_MAX => {
                sink.skipped();
                self.skip = prelude.total - self.pending.len();
                self.pending.clear();
            }
            Some(prelude) if prelude.total == self.pending.len() => {
                read(&self.pending, sink);
                self.pending.clear();
            }
            Some(_) => {}
        }
    }
}

/// The lengths at the beginning of a message.
struct Prelude {
    /// Bytes of the whole message.
    total: usize,
    /// Bytes of its headers.
    headers: usize,
}

impl Prelude {
    /// `None` if there are too few bytes, if their checksum is wrong, or if the headers are longer than the
    /// message.
    fn read(bytes: &[u8]) -> Option<Prelude> {
        let (lengths, rest) = bytes.split_at_checked(8)?;
        let total = usize::try_from(u32_at(lengths, 0)?).ok()?;
        let headers = usize::try_from(u32_at(lengths, 4)?).ok()?;
        const AROUND_BYTES: usize = PRELUDE_BYTES + CRC_BYTES;
        let fits = headers.checked_add(AROUND_BYTES).is_some_and(|least| least <= total);
        (u32_at(rest, 0)? == crc32(lengths) && fits).then_some(Prelude { total, headers })
    }
}

/// Whether these bytes begin with the lengths of a message and their checksum.
pub fn is_prelude(bytes: &[u8]) -> bool {
    Prelude::read(bytes).is_some()
}

/// Divides `bytes` after their first message, if that is complete and not too long.
fn whole_message(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let prelude = Prelude::read(bytes)?;
    if prelude.total > MESSAGE_BYTES_MAX { None } else { bytes.split_at_checked(prelude.total) }
}

fn read(bytes: &[u8], sink: &mut impl Sink) {
    match parse(bytes) {
        Some(message) => sink.message(message),
        None => sink.skipped(),
    }
}

fn parse(bytes: &[u8]) -> Option<Message<'_>> {
    let prelude = Prelude::read(bytes)?;
    let (checked, crc) = bytes.split_at_checked(bytes.len().checked_sub(CRC_BYTES)?)?;
    if u32_at(crc, 0)? != crc32(checked) {
        return None;
    }
    let (headers, payload) = checked.get(PRELUDE_BYTES..)?.split_at_checked(prelude.headers)?;
    let mut message = Message { message_type: b"event", event_type: b"", payload };
    let mut rest = headers;
    while !rest.is_empty() {
        let (name, value, after) = header(rest)?;
        match name {
            b":message-type" => message.message_type = value,
            b":event-type" => message.event_type = value,
            _ => {}
        }
        rest = after;
    }
    Some(message)
}

/// The name and value of the first header, and the bytes after it.
fn header(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (&name_length, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(name_length))?;
    let (&kind, rest) = rest.split_first()?;
    let (length, rest) = match kind {
        0 | 1 => (0, rest), // true and false
        2 => (1, rest),
        3 => (2, rest),
        4 => (4, rest),
        5 | 8 => (8, rest),
        9 => (16, rest),
        6 | 7 => {
            let (length, rest) = rest.split_at_checked(2)?;
            (u16::from_be_bytes(length.try_into().ok()?), rest)
        }
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(usize::from(length))?;
    Some((name, value, rest))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

/// CRC-32 as in ISO 3309 and zlib. Its table is made at compile time.
fn crc32(bytes: &[u8]) -> u32 {
    #[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut index = 0_u32;
        while index < 256 {
            let (mut value, mut bit) = (index, 0);
            while bit < 8 {
                value = if value & 1 == 1 { (value >> 1) ^ 0xEDB8_8320 } else { value >> 1 };
                bit += 1;
            }
            table[index as usize] = value;
            index += 1;
        }
        table
    };
    let step = |crc: u32, byte: &u8| {
        let index = usize::from(crc.to_le_bytes()[0] ^ byte);
        (crc >> 8) ^ TABLE.get(index).copied().unwrap_or_default()
    };
    !bytes.iter().fold(!0, step)
}
