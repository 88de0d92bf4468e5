//! JSON text → a small tree that keeps the order of members and shows duplicates.
//!
//! In: bytes. Out: [`Node`]s, or where they stop being JSON (RFC 8259, to the letter), in words for whoever wrote
//! them. Written here, because a parser for every type would be a tenth of the module, and the module is
//! compiled by each Envoy that loads it.

mod parser;
#[cfg(not(target_family = "wasm"))]
mod serde;
#[cfg(test)]
mod tests;

use super::decimal::Decimal;
use super::errors::Errors;
use crate::bucket;
use alloc::collections::BinaryHeap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Bytes of a configuration; Envoy's own limit for a discovery file is far above what anyone routes.
pub const INPUT_BYTES_MAX: usize = 1 << 20;
/// How deep lists and objects may be nested.
pub const DEPTH_MAX: usize = 64;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the kinds of JSON")]
pub enum Node {
    Null,
    Bool(bool),
    Number(Decimal),
    String(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    /// The first member of this name, if this is an object that has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.members().iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// An object's members in the order they were written; none for any other value.
    #[must_use]
    pub fn members(&self) -> &[(String, Self)] {
        if let Self::Object(members) = self { members } else { &[] }
    }

    /// A list's items; none for any other value.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }

    /// The text, if this is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// A number that is equal for equal values, however they are formatted and in whatever order an object's
    /// members are written, and hardly ever for others. Equal everywhere.
    #[must_use]
    pub fn hash(&self) -> u32 {
        let mut canonical = Vec::new();
        self.write_canonical(&mut canonical);
        bucket::hash(&canonical)
    }

    /// Writes each value behind its kind, and each length before what has it.
    fn write_canonical(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.push(b'n'),
            Self::Bool(value) => out.extend([b'b', u8::from(*value)]),
            Self::Number(value) => {
                out.push(b'f');
                write_text(&value.to_string(), out);
            }
            Self::String(text) => {
                out.push(b's');
                write_text(text, out);
            }
            Self::List(items) => {
                out.push(b'l');
                write_length(items.len(), out);
                items.iter().for_each(|item| item.write_canonical(out));
            }
            Self::Object(members) => {
                out.push(b'o');
                write_length(members.len(), out);
                let places = members.iter().enumerate().map(|(place, (name, _))| (name, place));
                // A heap, because sorting is several kilobytes of code.
                let in_order = places.collect::<BinaryHeap<_>>().into_sorted_vec();
                for (name, value) in in_order.into_iter().filter_map(|(_, place)| members.get(place)) {
                    write_text(name, out);
                    value.write_canonical(out);
                }
            }
        }
    }
}

fn write_length(length: usize, out: &mut Vec<u8>) {
    out.extend(u64::try_from(length).unwrap_or(u64::MAX).to_le_bytes());
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    write_length(text.len(), out);
    out.extend(text.as_bytes());
}

/// Reads one JSON document.
///
/// # Errors
/// Where it stops being JSON, and why.
pub fn parse(text: &[u8]) -> Result<Node, Errors> {
    if text.len() > INPUT_BYTES_MAX {
        let found = text.len();
        return Err(Errors::one("", format!("is {found} bytes, but at most {INPUT_BYTES_MAX} are read")));
    }
    if text.trim_ascii().is_empty() {
        return Err(Errors::one("", "is empty; write at least {\"rollouts\": []}"));
    }
    parser::read(text).map_err(|(problem, at)| {
        let before = text.get(..at).unwrap_or(text);
        let line = before.split(|&b| b == b'\n');
        let (lines, column) =
            line.fold((0_usize, 0), |(lines, _), line| (lines.saturating_add(1), line.len()));
        let column = column.saturating_add(1);
        Errors::one("", format!("is not JSON: {problem} at line {lines} column {column}"))
    })
}
