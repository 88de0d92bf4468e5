//! Detects refusals by how an answer begins: its first characters in, yes or no out.
//!
//! A refusal has a typical order: something polite or an explanation, who, an inability, and a verb of helping,
//! making or telling ("I'm sorry, but | I | can't | help"). The phrases are in `phrases.rs`, in a small language
//! that `pattern.rs` matches. They also list what looks like a refusal and is not one ("I can't help but notice").
//!
//! Nothing is allocated for an answer or kept of it, and [`PREFIX_CHARS_MAX`] bounds the time. `docs/refusals.md` has the measured
//! precision and recall.

mod pattern;
mod phrases;
mod words;

use crate::lazy::Lazy;
use alloc::string::String;
use pattern::{ClassId, Grammar, Matcher};
pub use words::PREFIX_CHARS_MAX;
use words::Words;

/// Identifies the list of phrases. Rates of refusals found may be compared only if it is equal.
pub const LIST_HASH: u32 = phrases::HASH;

/// [`LIST_HASH`] as text: eight hexadecimal digits.
#[must_use]
pub fn list_hash() -> String {
    format!("{LIST_HASH:08x}")
}

static GRAMMAR: Lazy<Grammar> = Lazy::new(|| Grammar::compile(phrases::CLASSES));

/// Whether an answer with this beginning is a refusal. Bytes after [`PREFIX_CHARS_MAX`] characters do not matter.
/// The last character may be incomplete, and the bytes need not be UTF-8.
#[must_use]
pub fn is_refusal(prefix: &[u8]) -> bool {
    let words = Words::read(prefix);
    if words.begins_with_quotation {
        return false;
    }
    let matcher = Matcher { words: &words, grammar: &GRAMMAR };
    let class = |name: &[u8]| ClassId::of(name, phrases::CLASSES);
    let beginnings = matcher.after_any_number(class(b"OPENING"), 1);
    let clauses = matcher.after(class(b"CLAUSE_END"), words.outside_quotations());
    matcher.after(class(b"REFUSAL"), beginnings) != 0 || matcher.after(class(b"PLAIN_REFUSAL"), clauses) != 0
}

#[cfg(test)]
mod tests;
