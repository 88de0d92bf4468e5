//! What tells the dialect of a document: paths that only this dialect has.

use super::definition::Dialect;
use super::{DIALECTS, cohere, openai, workers_ai};
use crate::json::Value;

/// Signatures that other documents than answers have as well. They count if a document has no other signature, and is
/// not known to be no answer.
static WEAK: [(&str, &Dialect); 3] = [
    // Events of Workers AI have nothing else but padding, and some have a usage like OpenAI's.
    ("response=*", &workers_ai::DIALECT),
    ("usage.prompt_tokens", &openai::DIALECT),
    ("meta.api_version", &cohere::V1),
];

/// A path that only one dialect has.
#[derive(Clone, Copy)]
pub(super) struct Signature {
    /// Index in [`DIALECTS`], or the length of that and an index in [`WEAK`]. If a document has several signatures, the
    /// lowest counts.
    pub(super) rank: usize,
    /// A string that must be at the path, or how it begins if this ends in `*`. If `None`, any value will do.
    word: Option<&'static str>,
}

impl Signature {
    /// `path` alone, or `path=word` if the value must be a string that is or begins so.
    fn parse(signature: &'static str, rank: usize) -> (&'static str, Signature) {
        match signature.split_once('=') {
            Some((path, word)) => (path, Signature { rank, word: Some(word) }),
            None => (signature, Signature { rank, word: None }),
        }
    }

    /// Whether it can be told from the pieces of a text.
    #[cfg(test)]
    pub(super) fn takes_text(&self) -> bool {
        self.word.is_none_or(|word| word == "*")
    }

    /// Whether a value at the path has the signature.
    pub(super) fn is_at(&self, value: Value<'_>) -> bool {
        let is_text = matches!(value, Value::Text(_));
        match (self.word.map(str::as_bytes), value) {
            (None, _) => true,
            (Some([start @ .., b'*']), Value::Short(word)) => word.starts_with(start),
            (Some(expected), Value::Short(word)) => word == expected,
            // Of a text nothing is known but that it is a string.
            (Some(expected), _) => is_text && expected == b"*",
        }
    }
}

/// All signatures with their paths.
pub(super) fn all() -> impl Iterator<Item = (&'static str, Signature)> {
    let of_dialect = |(rank, dialect): (usize, &&'static Dialect)| {
        dialect.signatures.iter().map(move |&signature| Signature::parse(signature, rank))
    };
    let weak = (DIALECTS.len()..).zip(&WEAK).map(|(rank, &(path, _))| Signature::parse(path, rank));
    DIALECTS.iter().enumerate().flat_map(of_dialect).chain(weak)
}

/// The index in [`DIALECTS`] of the dialect of a document whose lowest signature has this rank.
pub(super) fn dialect_index(rank: Option<usize>, is_no_answer: bool) -> Option<usize> {
    let rank = rank?;
    let Some(weak) = rank.checked_sub(DIALECTS.len()) else { return Some(rank) };
    let (_, dialect) = WEAK.get(weak).filter(|_| !is_no_answer)?;
    DIALECTS.iter().position(|known| core::ptr::eq(*known, *dialect))
}
