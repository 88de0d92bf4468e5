//! What LLM servers say: which paths of a document mean what, and what a response has shown so far.
//!
//! A dialect is a table of paths with their meanings ([`Field`]), the marks by which it is told
//! from others, and the few rules in which it differs. The fold over what the paths yield
//! ([`Fold`]) is the same for all. Nothing here knows about time, framing or configuration.
//!
//! A new dialect is one file beside `openai.rs` and one line in [`DIALECTS`].

mod arguments;
mod fold;
mod openai;

use std::sync::LazyLock;

pub use fold::{Finish, Fold, Seen, Usage, Voice};

use crate::json::{self, Scanner, Table, Value};

/// All dialects; of two whose marks are both there, the first wins.
pub static DIALECTS: [&Dialect; 1] = [&openai::DIALECT];

/// What the value at a path means, in terms that all dialects share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// One of the answers a response carries, or one delta of it: opens before its values, closes after.
    Part,
    /// Which answer the part belongs to; by default its position.
    PartIndex,
    /// Where the part's text stands. Some servers send the same text under several names: of those under
    /// which this response has had text so far, only the lowest rank counts.
    Text(u8),
    /// Text the model shows as its reasoning.
    Reasoning,
    /// Text with which the model refuses.
    Refusal,
    /// Why the part ended.
    Finish,
    /// One tool call, or a piece of one.
    Call,
    /// Which of the part's calls; by default its position.
    CallIndex,
    /// The call's id; empty or absent in later pieces.
    CallId,
    /// The call's arguments: JSON as text, in pieces, or an object.
    CallArguments,
    /// The single call of the API before tools.
    LegacyCall,
    /// Tokens of the prompt, cached ones included.
    InputTokens,
    /// Of these, how many came from a cache.
    CachedInputTokens,
    /// Tokens of the answer.
    OutputTokens,
    /// Tokens spent on reasoning.
    ReasoningTokens,
    /// Present and not null: the server reports a failure.
    Error,
}

impl json::Field for Field {
    fn is_text(self) -> bool {
        matches!(self, Field::Text(_) | Field::Reasoning | Field::Refusal | Field::CallArguments)
    }
}

/// One API's responses.
pub struct Dialect {
    /// Its name, once a response has been seen: one shape may serve two APIs.
    pub name: fn(&Seen) -> &'static str,
    /// A document with any of these paths is of this dialect.
    pub marks: &'static [&'static str],
    /// Which paths mean what.
    pub table: LazyLock<Table<Field>>,
    /// What the dialect's word for the end of a part means.
    pub finish: fn(&[u8]) -> Finish,
    /// Whether everything needed has been sent, so that a cut from here on loses nothing.
    pub is_finished: fn(&Seen) -> bool,
}

/// What can be read in a document of no known dialect: that it reports an error.
pub static COMMON: LazyLock<Table<Field>> =
    LazyLock::new(|| Table::compile([("error", Field::Error), ("[].error", Field::Error)]));

/// Tells the dialect from (the beginning of) a document.
pub fn detect(document: &[u8]) -> Option<&'static Dialect> {
    static MARKS: LazyLock<Table<Mark>> = LazyLock::new(|| {
        let marks = DIALECTS.iter().enumerate();
        Table::compile(marks.flat_map(|(dialect, d)| d.marks.iter().map(move |&path| (path, Mark(dialect)))))
    });
    let mut found = Found(None);
    Scanner::default().push(&MARKS, document, &mut found);
    found.0.and_then(|dialect| DIALECTS.get(dialect)).copied()
}

#[derive(Clone, Copy)]
struct Mark(usize);

impl json::Field for Mark {
    fn is_text(self) -> bool {
        false
    }
}

struct Found(Option<usize>);

impl json::Sink<Mark> for Found {
    fn value(&mut self, mark: Mark, _: Value<'_>) {
        self.0 = Some(self.0.map_or(mark.0, |known| known.min(mark.0)));
    }

    fn document(&mut self) {}
}
