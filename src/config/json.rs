//! JSON text → a tree that keeps the order of members, and duplicates.
//!
//! In: bytes. Out: a [`Node`], or the position where the text is not JSON (RFC 8259), with a message for its author.
//!
//! This parser is our own, because serde_json would be a tenth of the module, and every Envoy compiles the module when
//! it loads it.

mod parser;
#[cfg(not(target_family = "wasm"))]
mod serde;
#[cfg(test)]
mod tests;

use super::decimal::Decimal;
use super::errors::Errors;
use super::{ROLLOUTS_MAX, VERSIONS_MAX};
use crate::bucket;
use alloc::collections::BinaryHeap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Bytes of a configuration. A member that stops a version does not count, so that a version can be stopped in any
/// configuration that runs.
pub const INPUT_BYTES_MAX: usize = 1 << 20;
/// Such a member, without blanks.
const STOPPED: &[u8] = b"\"stopped\":true";
/// Bytes that it adds to a configuration, with its comma.
const STOPPED_BYTES: usize = STOPPED.len() + 1;
/// Depth of nested lists and objects.
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
    /// The first member of this name; `None` if there is none, or this is not an object.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.members().iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The members of an object, in the order of the text; empty for other values.
    #[must_use]
    pub fn members(&self) -> &[(String, Self)] {
        if let Self::Object(members) = self { members } else { &[] }
    }

    /// The items of a list; empty for other values.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }

    /// The text of a string; `None` for other values.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// A hash of the value. Formatting and the order of an object's members do not change it. It is the same on every
    /// machine.
    #[must_use]
    pub fn hash(&self) -> u32 {
        let mut canonical = Vec::new();
        self.write_canonical(&mut canonical);
        bucket::hash(&canonical)
    }

    /// Writes each value after its type, and each text, list and object after its length.
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
                let indices = members.iter().enumerate().map(|(index, (name, _))| (name, index));
                // A heap, because the standard library's sort is several kilobytes of code.
                let sorted = indices.collect::<BinaryHeap<_>>().into_sorted_vec();
                for (name, value) in sorted.into_iter().filter_map(|(_, index)| members.get(index)) {
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

/// Parses one JSON document.
///
/// # Errors
/// The position where the text is not JSON, and why.
pub fn parse(text: &[u8]) -> Result<Node, Errors> {
    if text.len() > INPUT_BYTES_MAX && text.len() > INPUT_BYTES_MAX.saturating_add(stopped_bytes(text)) {
        let found = text.len();
        return Err(Errors::one("", format!("is {found} bytes, but at most {INPUT_BYTES_MAX} are read")));
    }
    parse_of_any_length(text)
}

/// The bytes of a text that stop versions. Within a string each quote has a backslash in front of it, so only members are
/// found.
fn stopped_bytes(text: &[u8]) -> usize {
    let stopped = text.windows(STOPPED.len()).filter(|window| *window == STOPPED).count();
    stopped.min(ROLLOUTS_MAX.saturating_mul(VERSIONS_MAX)).saturating_mul(STOPPED_BYTES)
}

/// Like [`parse`], for a text that holds a configuration and more.
///
/// # Errors
/// As those of [`parse`].
#[expect(clippy::arithmetic_side_effects, reason = "no more lines and columns than bytes")]
pub fn parse_of_any_length(text: &[u8]) -> Result<Node, Errors> {
    if text.trim_ascii().is_empty() {
        return Err(Errors::one("", "is empty; write at least {\"rollouts\": []}"));
    }
    parser::read(text).map_err(|(problem, at)| {
        let before = text.get(..at).unwrap_or(text);
        let line = before.split(|&b| b == b'\n');
        let (lines, column) = line.fold((0_usize, 0), |(lines, _), line| (lines + 1, line.len()));
        let column = column + 1;
        Errors::one("", format!("is not JSON: {problem} at line {lines} column {column}"))
    })
}
