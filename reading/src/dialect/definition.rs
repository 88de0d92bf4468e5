//! What a dialect is made of.
//!
//! These are the types that tables of dialects are written in. The tables are in the files beside this one.

use super::facts::ResponseFacts;
use super::meaning::{BlockKind, Meaning};
use super::vocabulary::{self, End, Vocabulary};
use crate::json::PathTable;

/// One API, as far as its responses go.
pub struct Dialect {
    /// The dialect's name. It depends on the response where one table serves two APIs.
    pub name: fn(&ResponseFacts) -> &'static str,
    /// Paths that only this dialect has: a document with any of them is of this dialect. `path=word` asks for this
    /// string there, `path=start*` for one that begins so, and `path=*` for any.
    pub signatures: &'static [&'static str],
    /// Which paths have which meaning.
    pub table: PathTable<Meaning>,
    /// The dialect's own words for why a choice ended, beside those of [`vocabulary::FINISH_REASONS`].
    pub(super) finish_reasons: Vocabulary<End>,
    /// Its types of blocks and documents. Any other is [`BlockKind::Plain`].
    pub(super) types: Vocabulary<BlockKind>,
    /// Whether the response is complete, so that nothing is lost if the stream breaks now. `None` if only the end
    /// of the stream shows it.
    pub is_finished: fn(&ResponseFacts) -> Option<bool>,
    /// Whether the response is an answer of a language model. Some APIs also serve others.
    pub is_answer: fn(&ResponseFacts) -> bool,
}

impl Dialect {
    /// What a word for the end of a choice means.
    pub(super) fn end(&self, word: &[u8]) -> End {
        let own = vocabulary::lookup(self.finish_reasons, word);
        own.or_else(|| vocabulary::lookup(vocabulary::FINISH_REASONS, word)).unwrap_or(vocabulary::OTHER)
    }

    /// What a type of block or document means.
    pub fn block_kind(&self, type_name: &[u8]) -> BlockKind {
        vocabulary::lookup(self.types, type_name).unwrap_or_default()
    }
}

/// The rule of most dialects: the response is complete when its end was announced, or when each choice that began
/// has ended.
pub(super) fn when_done_or_each_finished(facts: &ResponseFacts) -> Option<bool> {
    Some(facts.is_done() || facts.is_each_choice_finished())
}
