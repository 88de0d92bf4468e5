//! JSON text → a small tree that keeps the order of members and shows duplicates.
//!
//! `serde_json::Value` would drop both, and a derived structure would stop at the first error. [`Node`]
//! can also be read from any other format serde knows, which is how the tool reads YAML.

use super::errors::Errors;
use crate::bucket;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::BinaryHeap;
use std::fmt;

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
    Number(f64),
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
        let length = |length: usize| u64::try_from(length).unwrap_or(u64::MAX).to_le_bytes();
        match self {
            Self::Null => out.push(b'n'),
            Self::Bool(value) => out.extend([b'b', u8::from(*value)]),
            Self::Number(value) => {
                out.push(b'f');
                out.extend(value.to_le_bytes());
            }
            Self::String(text) => {
                out.push(b's');
                out.extend(length(text.len()));
                out.extend(text.as_bytes());
            }
            Self::List(items) => {
                out.push(b'l');
                out.extend(length(items.len()));
                items.iter().for_each(|item| item.write_canonical(out));
            }
            Self::Object(members) => {
                out.push(b'o');
                out.extend(length(members.len()));
                let places = members.iter().enumerate().map(|(place, (name, _))| (name, place));
                // A heap, because sorting is several kilobytes of code.
                let in_order = places.collect::<BinaryHeap<_>>().into_sorted_vec();
                for (name, value) in in_order.into_iter().filter_map(|(_, place)| members.get(place)) {
                    out.extend(length(name.len()));
                    out.extend(name.as_bytes());
                    value.write_canonical(out);
                }
            }
        }
    }

    /// The text, if this is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }
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
    serde_json::from_slice(text).map_err(|error| Errors::one("", format!("is not JSON: {error}")))
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Reader { depth: 0 }.deserialize(deserializer)
    }
}

#[derive(Clone, Copy)]
struct Reader {
    depth: usize,
}

impl Reader {
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth < DEPTH_MAX {
            Ok(Self { depth: self.depth.saturating_add(1) })
        } else {
            Err(E::custom(format_args!("nested deeper than {DEPTH_MAX}")))
        }
    }
}

impl<'de> DeserializeSeed<'de> for Reader {
    type Value = Node;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }
    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        self.deserialize(deserializer)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }
    // Whole numbers above 2^53 lose their last digits; no field of ours is that large.
    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value as f64))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value as f64))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Number(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::String(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Node, E> {
        Ok(Node::String(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(self.inner()?)? {
            items.push(item);
        }
        Ok(Node::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = object.next_key::<String>()? {
            members.push((key, object.next_value_seed(self.inner()?)?));
        }
        Ok(Node::Object(members))
    }
}
