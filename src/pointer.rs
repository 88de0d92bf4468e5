//! The values at JSON pointers (RFC 6901) of one body: its bytes in, cut anywhere, and what is there out.
//!
//! The body is read once for all pointers, and only their values are kept. An answer, once given, stays: the first
//! value met at a pointer counts, whatever follows. Like the scanner below it, this reads and does not
//! validate: what is skipped may be no JSON.

#[cfg(test)]
mod tests;

use crate::json::{self, Scanner, Sink, Table, Value};
use alloc::string::String;
use alloc::vec::Vec;

/// A string is cut here. (A number is cut at [`json::SHORT_BYTES_MAX`].)
pub const VALUE_BYTES_MAX: usize = 4096;

/// What is known of one thing that a body may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact<'a> {
    /// It is there.
    Found(&'a [u8]),
    /// It is not there, and will not be.
    Absent,
    /// The body has not shown yet.
    Unknown,
}

/// The place of a pointer among those compiled; of equal ones, the first's.
#[derive(Clone, Copy)]
struct Place(usize);

impl json::Field for Place {
    fn is_text(self) -> bool {
        true
    }

    fn wants_text_end(self) -> bool {
        true
    }
}

/// Pointers that are looked for together.
pub struct Pointers {
    table: Table<Place>,
    /// For each pointer, the first one that equals it.
    firsts: Vec<usize>,
}

impl Pointers {
    /// Compiles pointers, each a list of decoded keys, at most [`json::DEPTH_MAX`] long and a key at most
    /// [`json::SHORT_BYTES_MAX`]; a longer one finds nothing. Equal ones all find the value.
    #[must_use]
    pub fn compile(pointers: &[Vec<String>]) -> Pointers {
        let places = pointers.iter().enumerate().map(|(at, keys)| (&**keys, Place(at)));
        let first = |keys| pointers.iter().position(|other| other == keys).unwrap_or_default();
        Pointers { table: Table::of_pointers(places), firsts: pointers.iter().map(first).collect() }
    }
}

/// Reads one body.
pub struct Values {
    scanner: Scanner,
    found: Found,
    /// Whether the body's first byte was seen.
    has_begun: bool,
    /// The first equal pointer of each.
    firsts: Vec<usize>,
}

/// The values of the pointers that are no other's equal.
struct Found {
    slots: Vec<Slot>,
    /// Slots of which nothing is known yet.
    open: usize,
}

enum Slot {
    /// Another one has this one's value.
    Unused,
    /// The bytes of a string that has not ended.
    Open(Vec<u8>),
    Found(Vec<u8>),
    Absent,
}

impl Values {
    /// Makes ready for a body.
    #[must_use]
    pub fn new(pointers: &Pointers) -> Values {
        let is_first = |(at, first): (usize, &usize)| at == *first;
        let slot = |is_first| if is_first { Slot::Open(Vec::new()) } else { Slot::Unused };
        let slots: Vec<Slot> = pointers.firsts.iter().enumerate().map(is_first).map(slot).collect();
        let open = slots.iter().filter(|slot| matches!(slot, Slot::Open(_))).count();
        Values {
            scanner: Scanner::default(),
            found: Found { slots, open },
            has_begun: false,
            firsts: pointers.firsts.clone(),
        }
    }

    /// A piece of the body has come. `pointers` must be those that it began with.
    pub fn push(&mut self, pointers: &Pointers, bytes: &[u8]) {
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        if let Some(&first) = first.filter(|_| !self.has_begun) {
            self.has_begun = true;
            if first != b'{' {
                self.found.end();
            }
        }
        if self.wants_more() {
            self.scanner.push(&pointers.table, bytes, &mut self.found);
        }
        if self.scanner.is_broken() {
            self.found.end();
        }
    }

    /// The body has ended, or is not read further.
    pub fn finish(&mut self, _: &Pointers) {
        self.found.end();
    }

    /// Whether more of the body could tell more.
    #[must_use]
    pub fn wants_more(&self) -> bool {
        self.found.open > 0
    }

    /// What is at the pointer of this place among those compiled: a string decoded, and cut at
    /// [`VALUE_BYTES_MAX`]; a number, `true` or `false` as written. The empty string, null, objects and arrays are
    /// absent, as is all that was not seen when the body turned out to be no JSON object, or broken, or ended early.
    #[must_use]
    pub fn get(&self, index: usize) -> Fact<'_> {
        let slot = self.firsts.get(index).and_then(|&first| self.found.slots.get(first));
        match slot {
            Some(Slot::Open(_)) => Fact::Unknown,
            Some(Slot::Found(bytes)) => Fact::Found(bytes),
            Some(Slot::Absent | Slot::Unused) | None => Fact::Absent,
        }
    }
}

impl Found {
    /// Nothing more will come.
    fn end(&mut self) {
        for slot in &mut self.slots {
            if matches!(slot, Slot::Open(_)) {
                *slot = Slot::Absent;
            }
        }
        self.open = 0;
    }
}

impl Sink<Place> for Found {
    fn value(&mut self, place: Place, value: Value<'_>) {
        let Some(slot) = self.slots.get_mut(place.0) else { return };
        let Slot::Open(text) = slot else { return };
        match value {
            Value::Text(piece) => {
                let room = VALUE_BYTES_MAX.saturating_sub(text.len());
                text.extend_from_slice(piece.get(..room).unwrap_or(piece));
                return;
            }
            Value::Close if !text.is_empty() => *slot = Slot::Found(core::mem::take(text)),
            Value::Scalar(word) if is_value(word) => *slot = Slot::Found(word.to_vec()),
            Value::Close | Value::Open | Value::Short(_) | Value::Scalar(_) => *slot = Slot::Absent,
        }
        self.open = self.open.saturating_sub(1);
    }

    fn document(&mut self) {
        self.end();
    }
}

/// Whether a word is `true`, `false`, or made of what numbers are made of.
fn is_value(word: &[u8]) -> bool {
    let is_number = || word.iter().all(|byte| b"+-.eE0123456789".contains(byte));
    word == b"true" || word == b"false" || is_number()
}
