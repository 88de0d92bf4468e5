//! Amazon's binary event stream (`application/vnd.amazon.eventstream`): bytes in, messages out.
//!
//! ```text
//! total length u32 | headers' length u32 | CRC-32 of these | headers | payload | CRC-32 of all before
//! ```
//!
//! A message is handed on when its checksum has been verified, so it is kept until it is complete, up to
//! [`MESSAGE_BYTES_MAX`]; a longer one is passed over. Where the lengths' checksum is wrong nothing
//! after it can be found, and the rest of the stream is passed over too. The format is that of
//! smithy's specification "Amazon Event Stream".

use alloc::vec::Vec;

#[cfg(test)]
mod tests;

/// The longest message that is read. Recorded ones are below 6 kB.
pub const MESSAGE_BYTES_MAX: usize = 40 * 1024;
/// The lengths and their checksum.
pub const PRELUDE_BYTES: usize = 12;
const CRC_BYTES: usize = 4;

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// `:message-type`: `event`, `exception` or `error`.
    pub message_type: &'a [u8],
    /// `:event-type`.
    pub event_type: &'a [u8],
    /// What it carries.
    pub payload: &'a [u8],
}

/// Takes the messages.
pub trait Sink {
    /// A message whose checksum is right.
    fn message(&mut self, message: Message<'_>);
    /// A message that was too long, or whose checksum is wrong.
    fn unread(&mut self);
}

/// The state between two pushes.
#[derive(Default)]
pub struct Framer {
    /// The message so far.
    held: Vec<u8>,
    /// Bytes to pass over; all, once the stream is broken.
    skip: usize,
}

impl Framer {
    /// Reads on.
    pub fn push(&mut self, bytes: &[u8], sink: &mut impl Sink) {
        let mut rest = bytes;
        loop {
            let skipped = self.skip.min(rest.len());
            rest = rest.get(skipped..).unwrap_or_default();
            if self.skip != usize::MAX {
                self.skip = self.skip.saturating_sub(skipped);
            }
            if rest.is_empty() {
                return;
            }
            if self.held.is_empty()
                && let Some((message, after)) = whole_message(rest)
            {
                read(message, sink); // the common case: it came in one piece
                rest = after;
                continue;
            }
            let wanted = self.wanted();
            let (piece, after) = rest.split_at(wanted.min(rest.len()));
            self.held.extend_from_slice(piece);
            rest = after;
            self.settle(sink);
        }
    }

    /// Whether the stream stands inside a message.
    pub fn is_inside(&self) -> bool {
        !self.held.is_empty() || self.skip > 0
    }

    /// Bytes that are missing to the end of the lengths, or of the message.
    fn wanted(&self) -> usize {
        let wanted = match Prelude::read(&self.held) {
            Some(prelude) => prelude.total,
            None => PRELUDE_BYTES,
        };
        wanted.saturating_sub(self.held.len())
    }

    fn settle(&mut self, sink: &mut impl Sink) {
        if self.held.len() < PRELUDE_BYTES {
            return;
        }
        match Prelude::read(&self.held) {
            None => {
                sink.unread();
                self.skip = usize::MAX;
                self.held = Vec::new();
            }
            Some(prelude) if prelude.total > MESSAGE_BYTES_MAX => {
                sink.unread();
                self.skip = prelude.total.saturating_sub(self.held.len());
                self.held.clear();
            }
            Some(prelude) if prelude.total == self.held.len() => {
                read(&self.held, sink);
                self.held.clear();
            }
            Some(_) => {}
        }
    }
}

/// The lengths at a message's beginning.
struct Prelude {
    total: usize,
    headers: usize,
}

impl Prelude {
    /// `None` if there are too few bytes, or their checksum is wrong, or they fit no message.
    fn read(bytes: &[u8]) -> Option<Prelude> {
        let (lengths, rest) = bytes.split_at_checked(8)?;
        let total = usize::try_from(u32_at(lengths, 0)?).ok()?;
        let headers = usize::try_from(u32_at(lengths, 4)?).ok()?;
        let around = PRELUDE_BYTES.saturating_add(CRC_BYTES);
        let fits = headers.checked_add(around).is_some_and(|least| least <= total);
        (u32_at(rest, 0)? == crc32(lengths) && fits).then_some(Prelude { total, headers })
    }
}

/// Whether bytes begin like a message.
pub fn is_prelude(bytes: &[u8]) -> bool {
    Prelude::read(bytes).is_some()
}

/// The message at the beginning of `bytes` and what follows it, if all of it is there and it can be read.
fn whole_message(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let prelude = Prelude::read(bytes)?;
    if prelude.total > MESSAGE_BYTES_MAX { None } else { bytes.split_at_checked(prelude.total) }
}

fn read(bytes: &[u8], sink: &mut impl Sink) {
    match parse(bytes) {
        Some(message) => sink.message(message),
        None => sink.unread(),
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

/// A header's name and value, and what follows.
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

/// CRC-32 as in ISO 3309 and zlib, by a table made at compile time.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut index = 0_u32;
        while index < 256 {
            let (mut value, mut bit) = (index, 0);
            while bit < 8 {
                value = if value & 1 == 1 { (value >> 1) ^ 0xEDB8_8320 } else { value >> 1 };
                bit = u32::saturating_add(bit, 1);
            }
            #[expect(clippy::indexing_slicing, reason = "bounded by the loop, and evaluated at compile time")]
            {
                table[index as usize] = value;
            }
            index = index.saturating_add(1);
        }
        table
    };
    let step = |crc: u32, byte: &u8| {
        let index = usize::from(crc.to_le_bytes()[0] ^ byte);
        (crc >> 8) ^ TABLE.get(index).copied().unwrap_or_default()
    };
    !bytes.iter().fold(!0, step)
}
