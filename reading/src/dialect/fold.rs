//! What a document says, value by value → the facts so far.
//!
//! A part (one answer, or a delta of it) and a block inside it are gathered while they are open and
//! counted when they close, so that the order of the keys in them does not matter.

use super::block::{Block, Part};
use super::seen::{CallPiece, CallPlace};
use super::{Dialect, Field, Finish, Kind, Seen};
use crate::fnv::hash;
use crate::json::{self, Value};

/// The place of the one call that the API before tools could make.
const LEGACY_CALL_INDEX: u64 = u64::MAX;

/// Folds values into [`Seen`].
#[derive(Default)]
pub struct Fold {
    /// What has been seen.
    pub seen: Seen,
    dialect: Option<&'static Dialect>,
    /// The document as a part, and those open inside it.
    document: Part,
    part: Part,
    is_part_open: bool,
    block: Block,
    is_block_open: bool,
    call: CallPiece,
    is_call_open: bool,
    /// Parts of this document closed so far: the index of one that does not say it.
    position: u64,
    documents: u64,
    wants_opening: bool,
    /// The dialect tells the first piece of a call.
    is_start_marked: bool,
}

impl Fold {
    /// From now on the values are of this dialect.
    pub fn speak(&mut self, dialect: &'static Dialect) {
        self.dialect = Some(dialect);
        self.is_start_marked = dialect.table.has(|field| field == Field::CallStart);
    }

    /// The dialect, once it is known.
    pub fn dialect(&self) -> Option<&'static Dialect> {
        self.dialect
    }

    /// Keeps the answer's first characters from now on.
    pub fn want_opening(&mut self) {
        self.wants_opening = true;
    }

    /// Complete documents so far.
    pub fn documents(&self) -> u64 {
        self.documents
    }

    /// The stream's end was announced.
    pub fn done(&mut self) {
        self.seen.done = true;
    }

    /// The document was cut off here: what came counts, but for a block whose kind may not have come yet.
    pub fn cut_document(&mut self) {
        if core::mem::take(&mut self.is_block_open) {
            self.block = Block::default();
        }
        self.end_document();
    }

    /// The document is complete.
    fn end_document(&mut self) {
        self.end_block();
        self.end_part();
        if self.document.is_touched {
            match self.document.block.kind {
                Kind::Done => self.seen.done = true,
                Kind::Error => self.seen.error = true,
                _ => {}
            }
            self.document.block.settle();
            self.seen.count(&self.document, self.document.index.unwrap_or(0));
            self.document.clear();
        }
        self.position = 0;
        self.is_call_open = false;
    }

    fn end_block(&mut self) {
        if self.is_block_open {
            self.is_block_open = false;
            let mut block = core::mem::take(&mut self.block);
            self.open_part().block.absorb(&mut block);
        }
    }

    fn end_part(&mut self) {
        self.end_block();
        if self.is_part_open {
            self.is_part_open = false;
            self.part.block.settle();
            self.seen.count(&self.part, self.part.index.unwrap_or(self.position));
            self.part.clear();
            self.position = self.position.saturating_add(1);
        }
    }

    fn open_part(&mut self) -> &mut Part {
        let part = if self.is_part_open { &mut self.part } else { &mut self.document };
        part.is_touched = true;
        part
    }

    fn open_block(&mut self) -> &mut Block {
        if self.is_block_open { &mut self.block } else { &mut self.open_part().block }
    }

    fn open_call(&mut self) -> &mut CallPiece {
        if self.is_call_open { &mut self.call } else { &mut self.open_block().call }
    }

    fn end_call(&mut self) {
        let call = core::mem::take(&mut self.call);
        self.is_call_open = false;
        self.open_block().push_call(call);
    }

    fn finish(&mut self, word: &[u8]) {
        let finish = self.dialect.map_or(Finish::None, |dialect| dialect.finish(word));
        let part = self.open_part();
        part.finish = finish.max(part.finish);
    }

    fn block_answer(&mut self) {
        self.seen.blocked = true;
        self.open_part().finish = Finish::ContentFilter;
    }

    fn scalar(&mut self, field: Field, word: &[u8]) {
        if matches!(word, b"null" | b"false") {
            return;
        }
        match field {
            Field::Error => self.seen.error = true,
            Field::Blocked => self.block_answer(),
            Field::Done => self.seen.done = true,
            Field::IsReasoning => self.open_block().kind = Kind::Reasoning,
            Field::IsSpecial => self.open_block().kind = Kind::Ignored,
            Field::Finish => self.finish(word),
            _ => {
                if let Some(number) = number(word) {
                    self.number(field, number);
                }
            }
        }
    }

    fn number(&mut self, field: Field, number: u64) {
        match field {
            Field::PartIndex => self.open_part().index = Some(number),
            Field::CallIndex => self.open_call().index = Some(number),
            Field::InputTokens => self.seen.usage.input = Some(number),
            Field::CachedInputTokens => self.seen.usage.cached_input = Some(number),
            Field::OutputTokens => self.seen.usage.output = Some(number),
            Field::ReasoningTokens => self.seen.usage.reasoning = Some(number),
            _ => {}
        }
    }

    fn short(&mut self, field: Field, word: &[u8]) {
        match field {
            Field::Finish => self.finish(word),
            Field::Kind => {
                let unknown = if word == b"error" { Kind::Error } else { Kind::Plain };
                let kind = self.dialect.map_or(unknown, |dialect| dialect.kind(word));
                self.open_block().kind = kind;
            }
            _ if word.is_empty() => {}
            Field::CallId => self.open_call().id_hash = Some(hash(word.iter().copied())),
            Field::CallStart => self.open_call().place = CallPlace::New,
            Field::Error => self.seen.error = true,
            Field::Blocked => self.block_answer(),
            Field::Done => self.seen.done = true,
            Field::Model if self.seen.model.is_empty() => self.seen.model = word.to_vec(),
            _ => {}
        }
    }

    fn open(&mut self, field: Field) {
        match field {
            Field::Part => {
                self.part.clear();
                self.is_part_open = true;
            }
            Field::Block => {
                self.block = Block::default();
                self.is_block_open = true;
            }
            Field::Text(rank) => self.open_block().has_text(rank),
            Field::Call | Field::LegacyCall => {
                // Where a dialect marks the first piece of a call, the others continue it.
                let place = if self.is_start_marked { CallPlace::Last } else { CallPlace::Told };
                self.call = CallPiece { place, ..CallPiece::default() };
                self.is_call_open = true;
            }
            Field::CallArguments => self.open_call().arguments = super::arguments::Piece::WHOLE,
            Field::Error => self.seen.error = true,
            Field::Blocked => self.block_answer(),
            Field::Done => self.seen.done = true,
            Field::InputToken => {
                let input = &mut self.seen.usage.input;
                *input = Some(input.unwrap_or(0).saturating_add(1));
            }
            _ => {}
        }
    }

    fn close(&mut self, field: Field) {
        match field {
            Field::Part => self.end_part(),
            Field::Block => self.end_block(),
            Field::Call => self.end_call(),
            Field::LegacyCall => {
                self.call.index = Some(LEGACY_CALL_INDEX);
                self.end_call();
            }
            _ => {}
        }
    }
}

impl json::Sink<Field> for Fold {
    fn value(&mut self, field: Field, value: Value<'_>) {
        match value {
            Value::Text(piece) if field == Field::CallArguments => {
                self.open_call().arguments.push(piece);
                if !self.is_call_open {
                    self.open_block().has_arguments |= !piece.is_empty();
                }
            }
            Value::Text(piece) => {
                if self.wants_opening && self.seen.opening.is_open() {
                    self.open_block().open_with(field, piece);
                }
                self.open_block().text(field, piece);
            }
            Value::Scalar(word) => self.scalar(field, word),
            Value::Short(word) => self.short(field, word),
            Value::Open => self.open(field),
            Value::Close => self.close(field),
        }
    }

    fn document(&mut self) {
        self.documents = self.documents.saturating_add(1);
        self.end_document();
    }
}

/// A number as JSON writes it, without its fraction; `None` for anything else.
fn number(word: &[u8]) -> Option<u64> {
    let mut number = None;
    for &byte in word {
        match byte {
            b'0'..=b'9' => {
                let digit = u64::from(byte.wrapping_sub(b'0'));
                number = Some(number.unwrap_or(0_u64).checked_mul(10)?.checked_add(digit)?);
            }
            b'.' => break,
            _ => return None,
        }
    }
    number
}
