//! Does an answer open like a refusal? Its first characters → yes or no.
//!
//! A refusal has a shape: something polite or explaining, who, an inability, and a verb of helping, making
//! or telling ("I'm sorry, but | I | can't | help"). The phrases are in `phrases.rs`, in a small language
//! that `pattern.rs` reads; what looks alike and is none ("I can't help but notice") is excluded there.
//! Nothing is allocated, nothing kept, and the time is bounded by [`OPENING_CHARS_MAX`].
//! What it finds and misses is measured in `docs/refusals.md`.

mod pattern;
mod phrases;
mod words;

use alloc::string::String;
use pattern::Reader;
use words::Words;

/// Characters (Unicode scalar values) of an answer that are looked at.
pub const OPENING_CHARS_MAX: usize = 240;

/// Tells lists apart: rates of refusals found may be compared only where it is equal.
pub const LIST_HASH: u32 = phrases::HASH;

/// [`LIST_HASH`] as it is shown: eight hexadecimal digits.
#[must_use]
pub fn list_hash() -> String {
    format!("{LIST_HASH:08x}")
}

/// Whether an answer that begins with these bytes opens like a refusal. They may be longer than what is
/// looked at, and cut or broken anywhere.
#[must_use]
pub fn is_refusal(opening: &[u8]) -> bool {
    let words = Words::read(opening);
    if words.begins_with_quotation {
        return false;
    }
    let reader = Reader { words: &words, classes: phrases::CLASSES };
    let beginnings = reader.after("OPENING*", 1);
    let clauses = reader.after("CLAUSE_END", words.outside_quotations());
    reader.after_class("REFUSAL", beginnings) != 0 || reader.after_class("PLAIN_REFUSAL", clauses) != 0
}

#[cfg(test)]
mod tests;
