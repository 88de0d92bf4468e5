//! An incremental JSON scanner: bytes in any pieces in, the values at wanted paths out.
//!
//! In: bytes, and a [`Table`] of paths. Out: calls of a [`Sink`] with the values at these paths, in their order in
//! the document. All other values are skipped and nothing is kept, so a document of any size takes a few hundred
//! bytes and one pass. Documents may follow each other, in lines or in one event. If there is an array around them,
//! its items are the documents.
//!
//! It does not validate: the grammar is checked on wanted paths only, where an error ends the document as
//! [`DocumentEnd::Broken`]. In skipped values only strings and brackets are read. Grammar: RFC 8259.

use crate::word::ONES;

mod buffer;
mod decode;
mod runs;
mod scanner;
mod table;
#[cfg(test)]
mod tests;
mod tree;

pub(crate) use decode::{Escape, escape};
pub use runs::text_length;
pub use scanner::Scanner;
pub use table::{Field, LazyTable, PathTable, Paths, Table};

/// The deepest nesting of objects and arrays on a wanted path. [`Table::compile`] leaves deeper paths out.
pub const DEPTH_MAX: usize = 12;
/// A longer string that is reported in one piece is cut to this. A longer key matches no path.
pub const SHORT_BYTES_MAX: usize = 128;

/// A value, or a piece of one, at a path of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// The beginning of an object or array.
    Open,
    /// The end of an object or array, if the table has paths inside it; of an empty one, if [`Field::wants_empty`];
    /// and of a text, if [`Field::wants_text_end`].
    Close,
    /// A piece of a decoded string, for fields that are [`Field::is_text`]. May be empty.
    Text(&'a [u8]),
    /// A whole decoded string, cut to [`SHORT_BYTES_MAX`], for all other fields.
    Short(&'a [u8]),
    /// A number, `true`, `false` or `null` as written, cut to [`SHORT_BYTES_MAX`].
    Scalar(&'a [u8]),
}

/// Receives what the scanner finds.
pub trait Sink<F> {
    /// A value at a path of the table, and what that path means.
    fn value(&mut self, field: F, value: Value<'_>);
    /// The document is complete.
    fn document(&mut self);
}

/// Where the scanner was when the framing said that the document ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentEnd {
    /// After a complete document, or before the first one.
    Between,
    /// Inside a document.
    Cut,
    /// After bytes that are not JSON.
    Broken,
}

/// The number of Unicode scalar values that begin in `bytes`. The first and the last may be incomplete.
#[expect(clippy::arithmetic_side_effects, reason = "no more bytes are continuation bytes than there are")]
pub fn chars(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks();
    let in_words: u64 = words.iter().map(|word| continuation_bytes(u64::from_le_bytes(*word))).sum();
    let rest = rest.iter().fold(0, |word: u64, &byte| (word << u8::BITS) | u64::from(byte));
    bytes.len() as u64 - in_words - continuation_bytes(rest)
}

/// The number of bytes in a word that begin no character: in UTF-8, those that are `0b10xxxxxx`.
fn continuation_bytes(word: u64) -> u64 {
    let continuations = (word >> 7) & !(word >> 6) & ONES;
    continuations.count_ones().into()
}
