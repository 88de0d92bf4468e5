//! What the documents of LLM servers mean: JSON values in, [`ResponseFacts`] out.
//!
//! A dialect is a table of paths and what each means ([`Meaning`]), the paths by which it is detected, and the few
//! rules in which it differs from the others. [`Fold`] turns the values at these paths into facts; it is the same
//! for all dialects. Nothing here knows about time, framing or configuration.
//!
//! A new dialect is one file in `reading/src/dialect/` and one line in [`DIALECTS`]; `docs/dialects.md` shows how.

mod answer_prefix;
mod answers;
mod anthropic;
mod arguments;
mod bedrock;
#[expect(clippy::wildcard_enum_match_arm, reason = "most meanings are not text")]
mod block;
mod cohere;
mod definition;
mod delta;
mod facts;
#[expect(clippy::wildcard_enum_match_arm, reason = "most meanings apply to one type of JSON value only")]
mod fold;
mod gemini;
mod inference;
mod no_answer;
mod ollama;
mod openai;
mod own_usage;
mod responses;
mod usage;
mod vocabulary;

pub use answer_prefix::{ANSWER_PREFIX_CHARS_MAX, AnswerPrefix};
pub use definition::{BlockKind, Dialect, Meaning};
pub use delta::{Checkpoint, Delta, EscapedText};
pub use facts::{Finish, ResponseFacts, TextPresence};
pub use fold::Fold;
pub use no_answer::is_no_answer;
pub use usage::Usage;

use crate::json::{self, LazyTable, Scanner, Table, Value};
use alloc::vec::Vec;

/// All dialects. If a document has signatures of two, it is of the first.
pub static DIALECTS: [&Dialect; 14] = [
    &openai::DIALECT,
    &responses::DIALECT,
    &gemini::DIALECT,
    &gemini::INTERACTIONS,
    &bedrock::CONVERSE,
    &anthropic::MESSAGES,
    &anthropic::COMPLETE,
    &cohere::V2,
    &ollama::DIALECT,
    &inference::TGI,
    &inference::SGLANG,
    &inference::TRITON,
    &bedrock::INVOKE,
    &cohere::V1,
];

/// Whether the dialect streams one answer as an array of documents. An array of another dialect has an answer in each
/// item: TGI's `/`, SGLang's batches.
pub fn streams_arrays(dialect: &Dialect) -> bool {
    core::ptr::eq(dialect, &gemini::DIALECT)
}

/// The dialect of KServe's protocol, version 2, whose messages of gRPC say what they are by the method that was called.
pub fn inference_protocol() -> &'static Dialect {
    &inference::TRITON
}

/// The table for a document of an unknown dialect: it only finds that an error is reported.
pub static COMMON: LazyTable<Meaning> = LazyTable::new(|| {
    let paths: &[(&str, Meaning)] = &[
        ("error", Meaning::Error),
        ("type", Meaning::Type),
        ("object", Meaning::ErrorType),
        ("base_resp.status_code", Meaning::Error),
        ("error_code", Meaning::Error),
    ];
    Table::compile(&[paths, bedrock::EXCEPTION_PATHS].concat())
});

/// Signatures that other documents than answers have as well. They count if a document has no other signature, and is
/// not known to be no answer.
static WEAK_SIGNATURES: [(&str, &Dialect); 2] =
    [("usage.prompt_tokens", &openai::DIALECT), ("meta.api_version", &cohere::V1)];

/// A document is scanned for signatures in pieces of this size, so that the scan can stop early.
const DETECT_PIECE_BYTES: usize = 256;

/// Detects the dialect of a document, of which the end may be missing.
pub fn detect(document: &[u8]) -> Option<&'static Dialect> {
    static SIGNATURES: LazyTable<Signature> = LazyTable::new(|| {
        let mut signatures = Vec::new();
        for (index, dialect) in DIALECTS.iter().enumerate() {
            for signature in dialect.signatures {
                let (path, start) = signature.split_once('=').unwrap_or((signature, ""));
                signatures.push((path, Signature { rank: index, start }));
            }
        }
        for (rank, &(path, _)) in (DIALECTS.len()..).zip(&WEAK_SIGNATURES) {
            signatures.push((path, Signature { rank, start: "" }));
        }
        Table::compile(&signatures)
    });
    let (mut scanner, mut found) = (Scanner::default(), LowestRank(None));
    for piece in document.chunks(DETECT_PIECE_BYTES) {
        scanner.push(&SIGNATURES, piece, &mut found);
        if found.0 == Some(0) {
            break; // the first dialect wins over all others, and it is the most frequent
        }
    }
    match found.0?.checked_sub(DIALECTS.len()) {
        None => found.0.and_then(|dialect| DIALECTS.get(dialect)).copied(),
        Some(_) if is_no_answer(document) => None,
        Some(weak) => WEAK_SIGNATURES.get(weak).map(|&(_, dialect)| dialect),
    }
}

/// A path that only one dialect has.
#[derive(Clone, Copy)]
struct Signature {
    /// Index in [`DIALECTS`], or the length of that and an index in [`WEAK_SIGNATURES`].
    rank: usize,
    /// How a string at the path must begin. If empty, any value will do.
    start: &'static str,
}

impl json::Field for Signature {
    fn is_text(self) -> bool {
        false
    }
}

/// The lowest rank of the signatures that were found.
struct LowestRank(Option<usize>);

impl json::Sink<Signature> for LowestRank {
    fn value(&mut self, signature: Signature, value: Value<'_>) {
        let matches = match value {
            Value::Short(word) => word.starts_with(signature.start.as_bytes()),
            Value::Open | Value::Close | Value::Text(_) | Value::Scalar(_) => signature.start.is_empty(),
        };
        if matches {
            self.0 = Some(self.0.map_or(signature.rank, |lowest| lowest.min(signature.rank)));
        }
    }

    fn document(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_is_deeper_than_the_scanner_goes() {
        assert!(DIALECTS.iter().all(|dialect| dialect.table.is_complete()));
    }

    #[test]
    fn no_signature_is_hidden_by_an_earlier_one() {
        for dialect in DIALECTS {
            for signature in dialect.signatures {
                let (path, start) = signature.split_once('=').unwrap_or((signature, ""));
                let inner = if start.is_empty() { "{}".to_string() } else { format!("\"{start}\"") };
                let document =
                    path.split('.').rev().fold(inner, |inner, step| match step.strip_suffix("[]") {
                        Some(key) => format!("{{\"{key}\":[{inner}]}}"),
                        None => format!("{{\"{step}\":{inner}}}"),
                    });
                let detected = detect(document.as_bytes()).map(std::ptr::from_ref);
                assert_eq!(detected, Some(std::ptr::from_ref(dialect)), "{document}");
            }
        }
    }
}
