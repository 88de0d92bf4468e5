//! What LLM servers say: which paths of a document mean what, and what a response has shown so far.
//!
//! A dialect is a table of paths with their meanings ([`Field`]), the marks by which it is told
//! from others, and the few rules in which it differs. The fold over what the paths yield
//! ([`Fold`]) is the same for all. Nothing here knows about time, framing or configuration.
//!
//! A new dialect is one file in `reading/src/dialect/` and one line in [`DIALECTS`]; `docs/dialects.md` shows how.

mod anthropic;
mod arguments;
mod bedrock;
#[expect(clippy::wildcard_enum_match_arm, reason = "most fields are no text")]
mod block;
mod cohere;
mod delta;
#[expect(clippy::wildcard_enum_match_arm, reason = "most fields mean something for one kind of value only")]
mod fold;
mod gemini;
mod inference;
mod ollama;
mod openai;
mod responses;
mod seen;
mod words;

pub use delta::{Checkpoint, Delta, Text};
pub use fold::Fold;
pub use seen::{Finish, OPENING_CHARS_MAX, Opening, Seen, Usage, Voice};

use crate::json::{self, LazyTable, Scanner, Table, Value};
use alloc::vec::Vec;
use words::Words;

/// All dialects; of two whose marks are both there, the first wins.
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

/// What the value at a path means, in terms that all dialects share.
///
/// A response is made of answers ([`Field::Part`]), an answer of blocks ([`Field::Block`]). A document that
/// shows neither is itself a part and a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// One of the answers a response carries, or one delta of it: opens before its values, closes after.
    Part,
    /// Which answer the part belongs to; by default its position.
    PartIndex,
    /// A piece of an answer that has a kind of its own: text, reasoning, a tool call.
    Block,
    /// The word that says what the block, or the document, is.
    Kind,
    /// True: the block is reasoning.
    IsReasoning,
    /// True: the block is no text of the answer.
    IsSpecial,
    /// Where the part's text stands. Some servers send the same text under several names: of those under
    /// which this response has had text so far, only the lowest rank counts.
    Text(u8),
    /// Text that means what the block's kind says.
    KindText,
    /// All of the answer's text up to now, in each document anew.
    TextSoFar,
    /// Text the model shows as its reasoning.
    Reasoning,
    /// Text with which the model refuses.
    Refusal,
    /// Why the part ended.
    Finish,
    /// Present and not null: a filter blocked the request or the answer; its word if it has one.
    Blocked,
    /// True, or present: nothing more is needed.
    Done,
    /// One tool call, or a piece of one.
    Call,
    /// Which of the part's calls; by default its position.
    CallIndex,
    /// The call's id; empty or absent in later pieces.
    CallId,
    /// Present in the first piece of a call only. A piece without continues the last call.
    CallStart,
    /// The call's arguments: JSON as text, in pieces, or an object.
    CallArguments,
    /// The single call of the API before tools.
    LegacyCall,
    /// Tokens of the prompt.
    InputTokens,
    /// One of the prompt's tokens, where a server lists them.
    InputToken,
    /// Tokens of the prompt that came from a cache.
    CachedInputTokens,
    /// Tokens of the answer.
    OutputTokens,
    /// Tokens spent on reasoning.
    ReasoningTokens,
    /// Present and not null: the server reports a failure.
    Error,
    /// The name of the model, or of the model's version, that answered.
    Model,
}

impl json::Field for Field {
    fn is_text(self) -> bool {
        matches!(
            self,
            Field::Text(_)
                | Field::KindText
                | Field::TextSoFar
                | Field::Reasoning
                | Field::Refusal
                | Field::CallArguments
        )
    }
}

/// What a block or a document is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// What its paths say.
    #[default]
    Plain,
    /// Text of the answer.
    Text,
    /// Reasoning.
    Reasoning,
    /// A refusal.
    Refusal,
    /// A tool call, or its beginning.
    Call,
    /// More of the last tool call's arguments.
    Arguments,
    /// The last tool call's arguments, repeated whole.
    AllArguments,
    /// Something that repeats what was said, or says nothing of the answer.
    Ignored,
    /// The end of the response.
    Done,
    /// A report of failure.
    Error,
}

/// One API's responses.
pub struct Dialect {
    /// Its name, once a response has been seen: one shape may serve two APIs.
    pub name: fn(&Seen) -> &'static str,
    /// A document with any of these paths is of this dialect. `path=start` asks for a string there that starts so.
    pub marks: &'static [&'static str],
    /// Which paths mean what.
    pub table: LazyTable<Field>,
    /// The dialect's own words for the end of a part, beside those that servers share.
    finishes: Words<Finish>,
    /// Its words for what a block or document is; any other is [`Kind::Plain`].
    kinds: Words<Kind>,
    /// Whether everything needed has been sent, so that a cut from here on loses nothing; `None` where
    /// only the end of the stream tells.
    pub is_finished: fn(&Seen) -> Option<bool>,
}

impl Dialect {
    /// What a word for the end of a part means.
    pub fn finish(&self, word: &[u8]) -> Finish {
        let own = words::meaning(self.finishes, word);
        own.or_else(|| words::meaning(words::FINISHES, word)).unwrap_or(Finish::Other)
    }

    /// What a word for a block or document means.
    pub fn kind(&self, word: &[u8]) -> Kind {
        words::meaning(self.kinds, word).unwrap_or_default()
    }
}

/// The end was announced, or each answer that began has ended.
fn when_done_or_each_finished(seen: &Seen) -> Option<bool> {
    Some(seen.is_done() || seen.is_each_part_finished())
}

/// What can be read in a document of no known dialect: that it reports an error.
pub static COMMON: LazyTable<Field> =
    LazyTable::new(|| Table::compile(&[("error", Field::Error), ("type", Field::Kind)]));

/// Between two pieces of this size it is looked whether the dialect is told.
const DETECT_PIECE_BYTES: usize = 256;

/// Tells the dialect from (the beginning of) a document.
pub fn detect(document: &[u8]) -> Option<&'static Dialect> {
    static MARKS: LazyTable<Mark> = LazyTable::new(|| {
        let mut marks = Vec::new();
        for (at, dialect) in DIALECTS.iter().enumerate() {
            for mark in dialect.marks {
                let (path, start) = mark.split_once('=').unwrap_or((mark, ""));
                marks.push((path, Mark { dialect: at, start }));
            }
        }
        Table::compile(&marks)
    });
    let (mut scanner, mut found) = (Scanner::default(), Found(None));
    for piece in document.chunks(DETECT_PIECE_BYTES) {
        scanner.push(&MARKS, piece, &mut found);
        if found.0 == Some(0) {
            break; // no other can win, and it is the usual one
        }
    }
    found.0.and_then(|dialect| DIALECTS.get(dialect)).copied()
}

#[derive(Clone, Copy)]
struct Mark {
    dialect: usize,
    /// How a string there must start; empty if the path alone is a mark.
    start: &'static str,
}

impl json::Field for Mark {
    fn is_text(self) -> bool {
        false
    }
}

struct Found(Option<usize>);

impl json::Sink<Mark> for Found {
    fn value(&mut self, mark: Mark, value: Value<'_>) {
        let holds = match value {
            Value::Short(word) => word.starts_with(mark.start.as_bytes()),
            Value::Open | Value::Close | Value::Text(_) | Value::Scalar(_) => mark.start.is_empty(),
        };
        if holds {
            self.0 = Some(self.0.map_or(mark.dialect, |known| known.min(mark.dialect)));
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
    fn no_mark_is_hidden_by_an_earlier_one() {
        for dialect in DIALECTS {
            for mark in dialect.marks {
                let (path, start) = mark.split_once('=').unwrap_or((mark, ""));
                let inner = if start.is_empty() { "{}".to_string() } else { format!("\"{start}\"") };
                let document =
                    path.split('.').rev().fold(inner, |inner, step| match step.strip_suffix("[]") {
                        Some(key) => format!("{{\"{key}\":[{inner}]}}"),
                        None => format!("{{\"{step}\":{inner}}}"),
                    });
                let told = detect(document.as_bytes()).map(std::ptr::from_ref);
                assert_eq!(told, Some(std::ptr::from_ref(dialect)), "{document}");
            }
        }
    }
}
