//! Decodes strings: what their escapes stand for, and texts with many of these.

use super::runs::{stops, unescaped};
use crate::lanes::LANES;

/// The longest escape: two surrogates, which stand for one character.
pub(super) const ESCAPE_BYTES_MAX: usize = 2 * UNICODE_BYTES;
const UNICODE_BYTES: usize = r"\uXXXX".len();

/// What begins with a backslash.
#[derive(Clone, Copy)]
pub(crate) enum Escape {
    /// It is whole.
    Character(Character),
    /// More bytes are needed.
    Cut,
    /// JSON has no such escape.
    Broken,
}

/// What an escape stands for.
#[derive(Clone, Copy)]
pub(crate) struct Character {
    utf8: [u8; 4],
    utf8_len: usize,
    /// The length of the escape, in bytes.
    pub(crate) escape_len: usize,
}

impl Character {
    /// In UTF-8.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.utf8.get(..self.utf8_len).unwrap_or_default()
    }
}

/// The escape with which `bytes` begin. A surrogate without its other half stands for U+FFFD.
#[inline(never)]
pub(crate) fn escape(bytes: &[u8]) -> Escape {
    let (character, escape_len) = match bytes {
        [] | [_] => return Escape::Cut,
        [_, b'u', ..] => match unicode_escape(bytes) {
            Ok(whole) => whole,
            Err(other) => return other,
        },
        [_, byte, ..] => match unescaped(*byte) {
            Some(byte) => (byte.into(), 2),
            None => return Escape::Broken,
        },
    };
    let mut utf8 = [0; 4];
    let utf8_len = character.encode_utf8(&mut utf8).len();
    Escape::Character(Character { utf8, utf8_len, escape_len })
}

/// The character, and the length of its escape in bytes; or what it is instead.
fn unicode_escape(bytes: &[u8]) -> Result<(char, usize), Escape> {
    let first = code_unit(bytes)?;
    // 0 if nothing follows that may be the other half.
    let second = match (first, bytes.get(UNICODE_BYTES..).unwrap_or_default()) {
        (0xD800..0xDC00, [] | [b'\\']) => return Err(Escape::Cut),
        (0xD800..0xDC00, next @ [b'\\', b'u', ..]) => match code_unit(next) {
            Err(Escape::Cut) => return Err(Escape::Cut),
            second => second.unwrap_or_default(),
        },
        _ => 0,
    };
    let pair = (u32::from(first & 0x3FF) << 10 | u32::from(second & 0x3FF)).saturating_add(0x1_0000);
    match second {
        0xDC00..0xE000 => Ok((char::from_u32(pair).unwrap_or_default(), ESCAPE_BYTES_MAX)),
        _ => Ok((char::from_u32(first.into()).unwrap_or(char::REPLACEMENT_CHARACTER), UNICODE_BYTES)),
    }
}

/// The four digits of an escape, or what it is instead.
fn code_unit(escape: &[u8]) -> Result<u16, Escape> {
    let digits = escape.get(2..).unwrap_or_default();
    let mut code = 0;
    for at in 0..4 {
        let byte = *digits.get(at).ok_or(Escape::Cut)?;
        let digit = char::from(byte).to_digit(16).ok_or(Escape::Broken)?;
        code = code << 4 | digit as u16;
    }
    Ok(code)
}

/// How much was decoded.
pub(super) struct Decoded {
    /// Bytes that were read.
    pub(super) read: usize,
    /// Bytes that they became.
    pub(super) written: usize,
}

/// Decodes the inside of a string into `block`, as far as whole [`LANES`] can be read and written: up to a quote, or to an
/// escape that is no character or not whole.
#[inline(never)]
pub(super) fn decode(bytes: &[u8], block: &mut [u8]) -> Decoded {
    let (mut read, mut written) = (0_usize, 0_usize);
    while let Some(chunk) = bytes.get(read..).and_then(|rest| rest.first_chunk::<LANES>())
        && let Some(room) = block.get_mut(written..).and_then(|room| room.first_chunk_mut())
    {
        *room = *chunk;
        let found = stops(chunk);
        // Mostly there is none. Then the next bytes are read without waiting for where it would be.
        if found == 0 {
            (read, written) = (read.saturating_add(LANES), written.saturating_add(LANES));
            continue;
        }
        let run = found.trailing_zeros() as usize;
        (read, written) = (read.saturating_add(run), written.saturating_add(run));
        let stop = bytes.get(read..).unwrap_or_default();
        if let [b'\\', byte, ..] = stop
            && let Some(decoded) = unescaped(*byte)
            && let Some(slot) = room.get_mut(run)
        {
            *slot = decoded;
            (read, written) = (read.saturating_add(2), written.saturating_add(1));
        } else if let [b'\\', ..] = stop
            && let Escape::Character(character) = escape(stop)
            && let Some(slot) = block.get_mut(written..).and_then(|room| room.first_chunk_mut())
        {
            *slot = character.utf8;
            read = read.saturating_add(character.escape_len);
            written = written.saturating_add(character.utf8_len);
        } else {
            break;
        }
    }
    Decoded { read, written }
}
