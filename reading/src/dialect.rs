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
mod argument_check;
mod arguments;
mod bedrock;
#[expect(clippy::wildcard_enum_match_arm, reason = "most meanings are not text")]
mod block;
mod candidates;
mod cohere;
mod definition;
mod delta;
mod facts;
mod finish;
#[expect(clippy::wildcard_enum_match_arm, reason = "most meanings apply to one type of JSON value only")]
mod fold;
mod gemini;
mod inference;
mod llama_cpp;
#[expect(clippy::wildcard_enum_match_arm, reason = "most meanings have no mark")]
mod meaning;
mod mistral;
mod no_answer;
mod ollama;
mod openai;
mod own_usage;
mod responses;
mod signature;
mod usage;
mod vocabulary;
#[expect(clippy::wildcard_enum_match_arm, reason = "most meanings are not text")]
mod watch;
mod workers_ai;

pub use answer_prefix::{ANSWER_PREFIX_CHARS_MAX, AnswerPrefix};
pub use candidates::Candidates;
pub use definition::Dialect;
pub use delta::{Checkpoint, Delta, EscapedText};
pub use facts::{ResponseFacts, TextPresence};
pub use finish::Finish;
pub use fold::Fold;
pub use meaning::{BlockKind, Meaning};
pub use usage::Usage;
pub use watch::Watch;

/// All dialects. If a document has signatures of two, it is of the first.
pub static DIALECTS: [&Dialect; 18] = [
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
    &cohere::V1,
    &bedrock::INVOKE,
    &mistral::CONVERSATIONS,
    &llama_cpp::DIALECT,
    &workers_ai::DIALECT,
    &inference::KSERVE_V1,
];

/// Whether the dialect streams one answer as an array of documents. An array of another dialect has an answer in each
/// item: TGI's `/`, SGLang's batches.
pub fn streams_arrays(dialect: &Dialect) -> bool {
    core::ptr::eq(dialect, &gemini::DIALECT)
}

/// The dialect of a binary message of this type. Types of ConverseStreamOutput; all others are wrapped documents.
pub fn of_message(event_type: &[u8]) -> Option<&'static Dialect> {
    let is_converse = matches!(
        event_type,
        b"messageStart"
            | b"contentBlockStart"
            | b"contentBlockDelta"
            | b"contentBlockStop"
            | b"messageStop"
            | b"metadata"
    );
    is_converse.then_some(&bedrock::CONVERSE)
}

/// The dialect of KServe's protocol, version 2, whose messages of gRPC say what they are by the method that was called.
pub fn inference_protocol() -> &'static Dialect {
    &inference::TRITON
}

/// The paths of a document of an unknown dialect: they only tell that an error is reported.
const COMMON_PATHS: &[(&str, Meaning)] = &[
    ("error", Meaning::Error),
    ("type", Meaning::Type),
    ("object", Meaning::ErrorType),
    ("base_resp.status_code", Meaning::Error),
    ("error_code", Meaning::Error),
];

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
                let (path, inner) = match signature.split_once('=') {
                    Some((path, word)) => (path, format!("\"{}\"", word.trim_end_matches('*'))),
                    None => (*signature, "{}".to_string()),
                };
                let document = path.split('.').rev().fold(inner, |inner, step| {
                    let key = step.trim_end_matches("[]");
                    let arrays = step.matches("[]").count();
                    format!("{{\"{key}\":{}{inner}{}}}", "[".repeat(arrays), "]".repeat(arrays))
                });
                let detected = candidates::detect(&document).0.map(std::ptr::from_ref);
                assert_eq!(detected, Some(std::ptr::from_ref(dialect)), "{document}");
            }
        }
    }
}
