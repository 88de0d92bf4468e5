//! The heart of the reader: a JSON scanner that is fed bytes as they come, cut anywhere.
//!
//! In: bytes and a [`Table`] of paths. Out: calls on a [`Sink`] for the values at those paths,
//! in document order. Everything else is skipped and nothing is kept, so a document of any size
//! costs the same few hundred bytes and no second pass. Documents may follow each other
//! (NDJSON, two objects glued into one event), and an array around them counts for nothing: its items
//! are the documents (a streamed array).
//!
//! It reads, it does not validate: on a wanted path the grammar is checked, and bytes that are
//! no JSON end the document as [`End::Broken`]; inside a skipped value only strings and brackets
//! are told apart. Grammar: RFC 8259.

use crate::word::ONES;

mod runs;
mod scanner;
mod short;
mod table;
#[cfg(test)]
mod tests;
mod tree;

pub(crate) use runs::text_length;
pub use scanner::Scanner;
pub use table::{Field, LazyTable, Table};

/// Deepest nesting of wanted containers; [`Table::compile`] refuses longer paths.
pub const DEPTH_MAX: usize = 12;
/// A string that is reported whole is cut here, and a longer key matches nothing.
pub const SHORT_BYTES_MAX: usize = 128;

/// One value, or a piece of one, at a path that the table wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// An object or array begins.
    Open,
    /// It ends. Reported only where the table has paths inside it; and of a text where
    /// [`Field::wants_text_end`].
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

/// The number of Unicode scalar values that begin in `bytes`, which may be cut anywhere.
pub fn chars(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks();
    let later: u64 = words.iter().map(|word| later_bytes(u64::from_le_bytes(*word))).sum();
    let rest = rest.iter().fold(0, |word: u64, &byte| word.wrapping_shl(u8::BITS) | u64::from(byte));
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    length.saturating_sub(later).saturating_sub(later_bytes(rest))
}

/// How many bytes of a word begin no character: of UTF-8, those that are `0b10xxxxxx`.
fn later_bytes(word: u64) -> u64 {
    let later = word.wrapping_shr(7) & !word.wrapping_shr(6) & ONES;
    later.count_ones().into()
}
