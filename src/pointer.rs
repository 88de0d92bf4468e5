//! Values at JSON pointers (RFC 6901).
//!
//! In: one body, in chunks of any size. Out: for each pointer its value, that there is none, or that it is not known yet.
//! The body is read once for all pointers, and nothing but their values is kept. The first value at a pointer counts, so
//! a known value does not change any more. Like the scanner, this does not validate: what it skips may be invalid JSON.

#[cfg(test)]
mod tests;

use crate::json::{self, Scanner, Sink, Table, Value};
use alloc::string::String;
use alloc::vec::Vec;

/// Bytes of a string that are kept; the rest is cut off. (Of a number, [`json::SHORT_BYTES_MAX`] bytes are kept.)
pub const VALUE_BYTES_MAX: usize = 4096;

/// What is known of a value that a body may contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact<'a> {
    /// The value.
    Found(&'a [u8]),
    /// The body does not contain it.
    Absent,
    /// It depends on a part of the body that was not read.
    Unknown,
}

/// The index of a pointer among those compiled; of equal pointers, the index of the first.
#[derive(Clone, Copy)]
struct PointerIndex(usize);

impl json::Field for PointerIndex {
    fn is_text(self) -> bool {
        true
    }

    fn wants_text_end(self) -> bool {
        true
    }
}

/// Pointers that are read together.
pub struct Pointers {
    table: Table<PointerIndex>,
    /// For each pointer, the index of the first one that equals it.
    firsts: Vec<usize>,
}

impl Pointers {
    /// Compiles pointers, each a list of decoded keys. A pointer of more than [`json::DEPTH_MAX`] keys, or with a key of
    /// more than [`json::SHORT_BYTES_MAX`] bytes, has no value. Equal pointers have the same value.
    #[must_use]
    pub fn compile(pointers: &[Vec<String>]) -> Pointers {
        let fields = pointers.iter().enumerate().map(|(index, keys)| (&**keys, PointerIndex(index)));
        let first = |keys| pointers.iter().position(|other| other == keys).unwrap_or_default();
        Pointers { table: Table::of_pointers(fields), firsts: pointers.iter().map(first).collect() }
    }
}

/// Reads one body.
pub struct Values {
    scanner: Scanner,
    slots: Slots,
    /// Whether the body's first byte was read.
    has_begun: bool,
    /// As in [`Pointers`].
    firsts: Vec<usize>,
}

/// One slot for each pointer.
struct Slots {
    slots: Vec<Slot>,
    /// How many slots are open.
    open: usize,
}

enum Slot {
    /// An earlier pointer is equal, and its slot is used.
    Unused,
    /// Not known yet: nothing, or the beginning of a string.
    Open(Vec<u8>),
    Found(Vec<u8>),
    Absent,
}

impl Values {
    /// The state before the first byte of a body.
    #[must_use]
    pub fn new(pointers: &Pointers) -> Values {
        let is_first = |(at, first): (usize, &usize)| at == *first;
        let slot = |is_first| if is_first { Slot::Open(Vec::new()) } else { Slot::Unused };
        let slots: Vec<Slot> = pointers.firsts.iter().enumerate().map(is_first).map(slot).collect();
        let open = slots.iter().filter(|slot| matches!(slot, Slot::Open(_))).count();
        Values {
            scanner: Scanner::default(),
            slots: Slots { slots, open },
            has_begun: false,
            firsts: pointers.firsts.clone(),
        }
    }

    /// Reads the next chunk of the body. `pointers` must be the same for all chunks of a body.
    pub fn push(&mut self, pointers: &Pointers, bytes: &[u8]) {
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        if let Some(&first) = first.filter(|_| !self.has_begun) {
            self.has_begun = true;
            if first != b'{' {
                self.slots.close();
            }
        }
        if self.wants_more() {
            self.scanner.push(&pointers.table, bytes, &mut self.slots);
        }
        if self.scanner.is_broken() {
            self.slots.close();
        }
    }

    /// Ends the body: it has ended, or its rest is not read.
    pub fn finish(&mut self, _: &Pointers) {
        self.slots.close();
    }

    /// Whether a value is unknown that more of the body may contain.
    #[must_use]
    pub fn wants_more(&self) -> bool {
        self.slots.open > 0
    }

    /// The value of a pointer, by its index among those compiled: a string decoded, and cut at [`VALUE_BYTES_MAX`]; a
    /// number, `true` or `false` as written. Absent are an empty string, null, an object and an array. Every pointer
    /// without a value becomes absent when the body ends, is not a JSON object, or is invalid.
    #[must_use]
    pub fn get(&self, index: usize) -> Fact<'_> {
        let slot = self.firsts.get(index).and_then(|&first| self.slots.slots.get(first));
        match slot {
            Some(Slot::Open(_)) => Fact::Unknown,
            Some(Slot::Found(bytes)) => Fact::Found(bytes),
            Some(Slot::Absent | Slot::Unused) | None => Fact::Absent,
        }
    }
}

impl Slots {
    /// No more of the body will be read.
    fn close(&mut self) {
        for slot in &mut self.slots {
            if matches!(slot, Slot::Open(_)) {
                *slot = Slot::Absent;
            }
        }
        self.open = 0;
    }
}

impl Sink<PointerIndex> for Slots {
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a text is cut at the limit; `open` counts open slots"
    )]
    fn value(&mut self, index: PointerIndex, value: Value<'_>) {
        let Some(slot) = self.slots.get_mut(index.0) else { return };
        let Slot::Open(text) = slot else { return };
        match value {
            Value::Text(part) => {
                let room = VALUE_BYTES_MAX - text.len();
                text.extend_from_slice(part.get(..room).unwrap_or(part));
                return;
            }
            Value::Close if !text.is_empty() => *slot = Slot::Found(core::mem::take(text)),
            Value::Scalar(word) if is_value(word) => *slot = Slot::Found(word.to_vec()),
            Value::Close | Value::Open | Value::Short(_) | Value::Scalar(_) => *slot = Slot::Absent,
        }
        self.open -= 1;
    }

    fn document(&mut self) {
        self.close();
    }
}

/// Whether a word is `true`, `false`, or has only characters of numbers.
fn is_value(word: &[u8]) -> bool {
    let is_number = || word.iter().all(|byte| b"+-.eE0123456789".contains(byte));
    word == b"true" || word == b"false" || is_number()
}
