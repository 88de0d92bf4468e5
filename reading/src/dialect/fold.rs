//! The values of a document → the facts of the response.
//!
//! A choice and a block inside it are gathered while they are open and counted when they close, so that the order
//! of their keys does not matter. What is outside of any choice or block belongs to the document itself.

mod values;
mod watched;

use super::arguments::Transition;
use super::block::{OpenBlock, OpenChoice};
use super::definition::Dialect;
use super::facts::{CallFragment, CallTarget, ResponseFacts};
use super::meaning::{BlockKind, MARKS_CALL_STARTS, Meaning};
use super::streams_arrays;
use super::watch::Watch;
use crate::json::{self, Value};
use alloc::boxed::Box;

/// The index given to the one call of [`Meaning::LegacyCall`]. No server sends it.
const LEGACY_CALL_INDEX: u64 = u64::MAX;

/// Tool calls in a document of which it is not known yet that it is of this dialect. Two dialects may have the same paths.
const CANDIDATE_CALLS_MAX: usize = 64;

/// Folds values into [`ResponseFacts`].
#[derive(Default)]
pub struct Fold {
    /// The facts so far.
    pub facts: ResponseFacts,
    dialect: Option<&'static Dialect>,
    /// The document as a choice, and the choice, block and call that are open inside it.
    document: OpenChoice,
    choice: OpenChoice,
    is_choice_open: bool,
    block: OpenBlock,
    is_block_open: bool,
    call: CallFragment,
    is_call_open: bool,
    /// Choices of this document that have closed: the index of the next one, if that gives none.
    choice_position: u64,
    documents: u64,
    /// An error was known before the object that is open at [`Meaning::Error`].
    had_error: bool,
    keeps_answer_prefix: bool,
    /// Those of the dialect's table.
    marks: u8,
    /// The documents are items of an array.
    is_array: bool,
    /// The document may be of another dialect.
    is_candidate: bool,
    /// The text of the document's first answer has ended.
    is_later_answer: bool,
}

impl Fold {
    /// The dialect has been detected. All values from now on are of this dialect.
    pub fn set_dialect(&mut self, dialect: &'static Dialect) {
        self.dialect = Some(dialect);
        self.marks = dialect.table.marks();
        if self.is_array && !streams_arrays(dialect) {
            self.facts.answers.get_or_insert_default().is_array = true;
        }
    }

    /// A fold for the document that comes next, in case that it is of this dialect.
    pub(super) fn candidate(&self, dialect: Option<&'static Dialect>) -> Fold {
        let mut fold = Fold {
            keeps_answer_prefix: self.keeps_answer_prefix,
            is_array: self.is_array,
            is_candidate: true,
            ..Fold::default()
        };
        fold.facts.watch = self.facts.watch.as_ref().map(|watch| Box::new(watch.candidate()));
        if let Some(dialect) = dialect {
            fold.set_dialect(dialect);
        }
        fold
    }

    /// The document is of the dialect of this [`Fold::candidate`]. Earlier ones, and events, can only have told of errors
    /// and of the end.
    #[expect(clippy::arithmetic_side_effects, reason = "a count of documents in the response")]
    pub(super) fn replace(&mut self, mut candidate: Fold) {
        candidate.facts.error |= self.facts.error;
        candidate.facts.done |= self.facts.done;
        candidate.documents += self.documents;
        candidate.is_candidate = false;
        *self = candidate;
    }

    /// The documents are items of an array. To be called before the first.
    pub fn begin_array(&mut self) {
        self.is_array = true;
    }

    /// Whether each document is an answer of its own.
    pub fn is_batch(&self) -> bool {
        self.facts.answers.as_ref().is_some_and(|answers| answers.is_array)
    }

    /// The dialect, once it is detected.
    pub fn dialect(&self) -> Option<&'static Dialect> {
        self.dialect
    }

    /// Keeps the first characters of the answer from now on.
    pub fn keep_answer_prefix(&mut self) {
        self.keeps_answer_prefix = true;
    }

    /// Looks for defects of the first answer.
    pub fn watch(&mut self, watch: Box<Watch>) {
        self.facts.watch = Some(watch);
    }

    /// Complete documents so far.
    pub fn documents(&self) -> u64 {
        self.documents
    }

    /// The end of the stream was announced.
    pub fn done(&mut self) {
        self.facts.done = true;
    }

    /// The document was cut off here. Its values count, except those of an open block, whose type may be missing, and of a
    /// call, whose place may be.
    pub fn cut_document(&mut self) {
        self.leave();
        if matches!(self.document.block.kind, BlockKind::Call | BlockKind::CustomCall) {
            self.document.clear();
        }
        self.end_document();
    }

    /// What follows is outside of any choice and block. An open block does not count.
    pub(super) fn leave(&mut self) {
        if core::mem::take(&mut self.is_block_open) {
            self.block = OpenBlock::default();
            if let Some(watch) = &mut self.facts.watch {
                watch.drop_block();
            }
        }
        self.is_call_open = false;
        self.end_choice();
    }

    /// The document is complete.
    fn end_document(&mut self) {
        self.end_block();
        self.end_choice();
        if self.document.is_touched {
            match self.document.block.kind {
                BlockKind::Done => self.facts.done = true,
                BlockKind::Error => self.facts.error = true,
                _ => {}
            }
            self.document.block.place_calls();
            if let Some(watch) = &mut self.facts.watch {
                watch.close_block(self.document.block.kind);
                watch.close_choice_kind(self.document.block.kind);
            }
            self.document.block.apply_kind();
            self.facts.count(&self.document, self.document.index.unwrap_or(0));
            self.document.clear();
        }
        self.facts.end_item();
        self.choice_position = 0;
        self.is_later_answer = false;
        self.is_call_open = false;
    }

    fn end_block(&mut self) {
        if self.is_block_open {
            self.is_block_open = false;
            let mut block = core::mem::take(&mut self.block);
            if let Some(watch) = &mut self.facts.watch {
                watch.close_block(block.kind);
                if block.is_other_content() {
                    watch.other();
                } else if block.is_item && block.kind == BlockKind::Reasoning {
                    watch.hidden_reasoning();
                }
            }
            self.open_choice().block.merge(&mut block);
        }
    }

    #[expect(clippy::arithmetic_side_effects, reason = "a count of values in the response")]
    fn end_choice(&mut self) {
        self.end_block();
        if self.is_choice_open {
            self.is_choice_open = false;
            if let Some(watch) = &mut self.facts.watch {
                watch.close_block(self.choice.block.kind);
            }
            self.choice.block.apply_kind();
            self.facts.count(&self.choice, self.choice.index.unwrap_or(self.choice_position));
            self.choice.clear();
            self.choice_position += 1;
        }
    }

    /// The innermost open choice.
    fn open_choice(&mut self) -> &mut OpenChoice {
        let choice = if self.is_choice_open { &mut self.choice } else { &mut self.document };
        choice.is_touched = true;
        choice
    }

    /// The innermost open block.
    fn open_block(&mut self) -> &mut OpenBlock {
        if self.is_block_open { &mut self.block } else { &mut self.open_choice().block }
    }

    /// The open call, or the open block as a call.
    fn open_call(&mut self) -> &mut CallFragment {
        if self.is_call_open { &mut self.call } else { &mut self.open_block().call }
    }

    fn end_call(&mut self) {
        let call = core::mem::take(&mut self.call);
        self.is_call_open = false;
        if call.is_server_run {
            self.other_content();
        }
        if !self.is_candidate || self.open_block().calls.len() < CANDIDATE_CALLS_MAX {
            self.open_block().push_call(call);
        }
    }

    fn open(&mut self, meaning: Meaning) {
        match meaning {
            Meaning::Choice => {
                self.choice.clear();
                self.is_choice_open = true;
            }
            Meaning::Block | Meaning::Item => {
                self.block = OpenBlock { is_item: meaning == Meaning::Item, ..OpenBlock::default() };
                self.is_block_open = true;
                if let Some(watch) = self.facts.watch.as_mut().filter(|_| meaning == Meaning::Item) {
                    watch.begin_item();
                }
            }
            Meaning::OtherContent => self.other_content(),
            Meaning::HiddenReasoning => self.hidden_reasoning(),
            Meaning::Text(rank) => self.open_block().has_text(rank),
            Meaning::Call | Meaning::LegacyCall => {
                // If the dialect marks the first fragment of a call, then one without a mark continues a call.
                let target = if self.marks & MARKS_CALL_STARTS != 0 {
                    CallTarget::Continues
                } else {
                    CallTarget::Begins
                };
                self.call = CallFragment { target, ..CallFragment::default() };
                self.is_call_open = true;
            }
            Meaning::CallArguments => self.open_call().arguments = Transition::COMPLETE,
            Meaning::Error => self.had_error = core::mem::replace(&mut self.facts.error, true),
            Meaning::Blocked => self.block_choice(b""),
            Meaning::Done => self.facts.done = true,
            Meaning::ListedInputToken => {
                // Saturates: the number before may be any that the server sent.
                let input = &mut self.facts.usage.input;
                *input = Some(input.unwrap_or(0).saturating_add(1));
            }
            _ => {}
        }
    }

    fn close(&mut self, meaning: Meaning) {
        match meaning {
            Meaning::Choice => self.end_choice(),
            Meaning::Block | Meaning::Item => self.end_block(),
            // It is empty.
            Meaning::Error => self.facts.error = self.had_error,
            Meaning::Call => self.end_call(),
            Meaning::LegacyCall => {
                self.call.index = Some(LEGACY_CALL_INDEX);
                self.end_call();
            }
            _ => {}
        }
    }
}

impl json::Sink<Meaning> for Fold {
    fn value(&mut self, meaning: Meaning, value: Value<'_>) {
        match (meaning, value) {
            (Meaning::TextOrJson, _) => {
                if value == Value::Open {
                    self.other_content();
                }
                return self.value(Meaning::Text(0), value);
            }
            (Meaning::ListedText(_), Value::Close) => return self.is_later_answer = true,
            (Meaning::ListedText(rank), _) => return self.value(Meaning::Text(rank), value),
            _ => {}
        }
        match value {
            Value::Text(piece) if meaning == Meaning::CallArguments => {
                self.open_call().arguments.push(piece);
                if !self.is_call_open {
                    self.open_block().has_arguments |= !piece.is_empty();
                }
                self.check_arguments(piece);
            }
            Value::Text(piece) if meaning == Meaning::WholeArguments => {
                if self.facts.watch.is_some() {
                    self.open_call().check.push_whole(piece);
                }
            }
            Value::Text(piece) => {
                if self.keeps_answer_prefix && self.facts.answer_prefix.has_room() {
                    self.open_block().extend_answer_prefix(meaning, piece);
                }
                self.open_block().text(meaning, piece);
                if self.facts.watch.is_some() && !piece.is_empty() {
                    self.watch_text(meaning, piece);
                }
            }
            Value::Scalar(word) => self.scalar(meaning, word),
            Value::Short(word) => self.short(meaning, word),
            Value::Open => self.open(meaning),
            Value::Close => self.close(meaning),
        }
    }

    #[expect(clippy::arithmetic_side_effects, reason = "a count of documents in the response")]
    fn document(&mut self) {
        self.documents += 1;
        self.end_document();
    }
}
