//! The documents of a body: JSON in any pieces in, a [`BodySummary`] out.
//!
//! Until a document tells the dialect, each is read as one of any dialect ([`Candidates`]). From then on, bytes are scanned
//! with the table of the dialect. Either way as they come: nothing of a document is kept.

use super::observation::Unparsed;
use super::summary::BodySummary;
use crate::dialect::{self, Candidates, Dialect, Fold, ResponseFacts, Watch};
use crate::framing::{aws, base64, sse};
use crate::json::{self, DocumentEnd, LazyTable, Scanner, Table, Value, chars};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The data of the event that ends a stream.
const DONE: &[u8] = b"[DONE]";

/// Reads the documents of one body.
pub(super) struct DocumentReader {
    pub(super) fold: Fold,
    scanner: Scanner,
    /// The dialects that the documents may be of, while it is not known.
    candidates: Option<Box<Candidates>>,
    /// Bytes of [`DONE`] that the document consists of so far. `None` if it is something else.
    done_matched: Option<usize>,
    /// Events or messages so far.
    pub(super) events: u64,
    unparsed: Option<Unparsed>,
    /// The documents are inside of Bedrock's invoke messages.
    is_wrapped: bool,
    /// Characters of the current document if it is text, not JSON.
    document_chars: u64,
    /// Characters of complete documents that are text.
    text_chars: u64,
    /// Characters of complete documents that are JSON strings, numbers or literals. They are text if others are.
    scalar_chars: u64,
    /// Documents before the current one.
    documents_before: u64,
    /// Whether the current document of an unknown dialect begins like a JSON object or array. `None` before it begins.
    is_json: Option<bool>,
    /// A document was JSON of an unknown dialect.
    has_unknown_json: bool,
    /// A document is known to be something else than an answer.
    is_other: bool,
}

impl Default for DocumentReader {
    /// Not inlined, because it is large, and a body has one.
    #[inline(never)]
    fn default() -> DocumentReader {
        DocumentReader {
            fold: Fold::default(),
            scanner: Scanner::default(),
            candidates: None,
            done_matched: Some(0),
            events: 0,
            unparsed: None,
            is_wrapped: false,
            document_chars: 0,
            text_chars: 0,
            scalar_chars: 0,
            documents_before: 0,
            is_json: None,
            has_unknown_json: false,
            is_other: false,
        }
    }
}

impl DocumentReader {
    /// Keeps the first characters of the answer.
    pub(super) fn keep_answer_prefix(&mut self) {
        self.fold.keep_answer_prefix();
    }

    /// Looks for defects of the first answer.
    pub(super) fn watch(&mut self, watch: Box<Watch>) {
        self.fold.watch(watch);
    }

    /// The body is an array, whose items are the documents.
    pub(super) fn begin_array(&mut self) {
        self.fold.begin_array();
    }

    /// Whether each document is an answer of its own, so that the body is no stream.
    pub(super) fn is_batch(&self) -> bool {
        self.fold.is_batch()
    }

    pub(super) fn facts(&self) -> &ResponseFacts {
        &self.fold.facts
    }

    /// The dialect, once it is detected.
    pub(super) fn dialect(&self) -> Option<&'static Dialect> {
        self.fold.dialect()
    }

    /// Reads the next piece of the current document.
    pub(super) fn push(&mut self, piece: &[u8]) {
        match self.fold.dialect() {
            Some(dialect) if self.candidates.is_none() => {
                self.scanner.push(&dialect.table, piece, &mut self.fold);
            }
            Some(_) | None => self.push_unknown(piece),
        }
    }

    /// The same, until a document of a known dialect has ended.
    #[expect(clippy::arithmetic_side_effects, reason = "a count of bytes of the body")]
    fn push_unknown(&mut self, piece: &[u8]) {
        if self.is_json.is_none() {
            let first = piece.trim_ascii_start().first();
            self.is_json = first.map(|first| matches!(first, b'{' | b'['));
        }
        if self.is_json != Some(true) {
            self.document_chars += chars(piece);
        }
        let mut rest = piece;
        while !rest.is_empty() {
            let candidates = self.candidates.get_or_insert_default();
            rest = candidates.push(&mut self.scanner, rest, &mut self.fold);
            if self.fold.dialect().is_some() && self.scanner.is_between() {
                self.candidates = None;
                return self.push(rest);
            }
        }
    }

    /// The framing says that the document ends here, complete or not.
    #[expect(clippy::arithmetic_side_effects, reason = "a count of bytes of the body")]
    fn end_document(&mut self, is_complete: bool) -> DocumentEnd {
        let end = match (&mut self.candidates, self.fold.dialect()) {
            (Some(candidates), _) => candidates.end(&mut self.scanner, &mut self.fold),
            (None, Some(dialect)) => self.scanner.end(&dialect.table, &mut self.fold),
            (None, None) => DocumentEnd::Between,
        };
        self.fold.cut_document();
        if let Some(candidates) = &mut self.candidates {
            self.is_other |= candidates.has_no_answer;
            if self.fold.dialect().is_some() {
                self.candidates = None;
            }
        }
        let is_json = self.is_json.take() == Some(true);
        self.has_unknown_json |= is_json;
        let document_chars = core::mem::take(&mut self.document_chars);
        let documents_before = core::mem::replace(&mut self.documents_before, self.fold.documents());
        if !is_json && (is_complete || end == DocumentEnd::Between) {
            let is_scalar = end == DocumentEnd::Between && self.fold.documents() > documents_before;
            *(if is_scalar { &mut self.scalar_chars } else { &mut self.text_chars }) += document_chars;
        }
        end
    }

    /// Reads the payload of a binary message. It does not count as text if its dialect is not known.
    fn message_payload(&mut self, payload: &[u8]) {
        self.push(payload);
        self.end_document(true);
        (self.text_chars, self.scalar_chars) = (0, 0);
    }

    /// The event stream has ended. `is_inside`: within an event.
    #[expect(clippy::arithmetic_side_effects, reason = "a count of events of the body")]
    pub(super) fn finish_events(&mut self, is_inside: bool) -> BodySummary {
        if is_inside {
            let is_done = self.done_matched == Some(DONE.len());
            if is_done || self.end_document(false) == DocumentEnd::Between {
                self.events += 1;
            }
            if is_done {
                self.fold.done();
            }
        }
        self.finish_stream()
    }

    /// The stream of binary messages has ended. `is_inside`: within a message.
    pub(super) fn finish_messages(&mut self, is_inside: bool) -> BodySummary {
        let mut facts = self.finish_stream();
        if is_inside {
            facts.is_finished = facts.is_finished.filter(|&is_finished| is_finished).or(Some(false));
        }
        facts
    }

    fn finish_stream(&mut self) -> BodySummary {
        self.fold.facts.answer_has_begun();
        let is_finished = match self.fold.dialect() {
            Some(dialect) => (dialect.is_finished)(self.facts()),
            None if self.facts().is_done() => Some(true),
            None if self.events == 0 => Some(false),
            None => None,
        };
        let events = self.events;
        self.summary(Some(events), is_finished)
    }

    /// A body of JSON has ended. `is_stream`: it was declared as a stream, or it is an array. An array of answers is
    /// none.
    #[expect(clippy::arithmetic_side_effects, reason = "a count of documents of the body")]
    pub(super) fn finish_documents(&mut self, is_stream: bool) -> BodySummary {
        let end = self.end_document(false);
        // An incomplete line is a document too.
        let documents = self.fold.documents() + u64::from(end == DocumentEnd::Cut);
        let by_dialect = self.fold.dialect().and_then(|dialect| (dialect.is_finished)(self.facts()));
        let is_stream = (is_stream || documents > 1) && !self.is_batch();
        let is_finished = match end {
            DocumentEnd::Between if is_stream => by_dialect.or(Some(true)),
            DocumentEnd::Between => Some(true),
            DocumentEnd::Cut => Some(is_stream && by_dialect == Some(true)),
            DocumentEnd::Broken => None,
        };
        self.summary(is_stream.then_some(documents), is_finished)
    }

    fn summary(&mut self, events: Option<u64>, is_finished: Option<bool>) -> BodySummary {
        let dialect: Option<&'static Dialect> = self.fold.dialect();
        let mut facts = core::mem::take(&mut self.fold.facts);
        facts.usage = facts.total_usage();
        let (text_chars, unparsed) = match dialect {
            Some(_) => (Some(facts.text_chars), self.unparsed),
            None if self.has_unknown_json => (None, Some(Unparsed::Dialect)),
            None if self.text_chars == 0 && self.scalar_chars > 0 => (None, Some(Unparsed::Dialect)),
            None => (Some(self.text_chars.saturating_add(self.scalar_chars)), self.unparsed),
        };
        BodySummary {
            dialect: dialect
                .map(|dialect| if self.is_wrapped { "bedrock-invoke" } else { (dialect.name)(&facts) }),
            text_chars,
            events,
            unparsed,
            is_other: dialect.map_or(self.is_other, |dialect| !(dialect.is_answer)(&facts)),
            is_finished,
            facts,
        }
    }

    /// Compares the document with [`DONE`], which is not JSON.
    #[expect(clippy::arithmetic_side_effects, reason = "`matched` is an index of DONE")]
    fn match_done(&mut self, piece: &[u8]) {
        if let (Some(0), Some(b'{')) = (self.done_matched, piece.first()) {
            self.done_matched = None; // as for nearly every document
        }
        for &byte in piece {
            let Some(matched) = self.done_matched else { return };
            self.done_matched = match DONE.get(matched) {
                Some(&expected) if byte == expected => Some(matched + 1),
                _ if byte.is_ascii_whitespace() && (matched == 0 || matched == DONE.len()) => Some(matched),
                _ => None,
            };
        }
    }
}

impl sse::Sink for DocumentReader {
    fn data(&mut self, piece: &[u8]) {
        self.match_done(piece);
        self.push(piece);
    }

    #[expect(clippy::arithmetic_side_effects, reason = "a count of events of the body")]
    fn dispatch(&mut self, event_type: &[u8]) {
        // Servers of several dialects report errors in an event of this type, with data of any shape.
        self.fold.facts.error |= event_type == b"error";
        if self.done_matched == Some(DONE.len()) {
            self.fold.done();
            self.is_json = None; // it is no document, though it begins like one
            self.document_chars = 0;
        }
        self.done_matched = Some(0);
        self.events += 1;
        self.end_document(true);
    }

    fn error_line(&mut self) {
        self.fold.facts.error = true;
    }
}

impl aws::Sink for DocumentReader {
    #[expect(clippy::arithmetic_side_effects, reason = "a count of messages of the body")]
    fn message(&mut self, message: aws::Message<'_>) {
        self.events += 1;
        if message.message_type != b"event" {
            self.fold.facts.error = true;
        } else if message.event_type == b"chunk" {
            self.is_wrapped = true;
            let mut unwrap = Unwrap::default();
            Scanner::default().push(&WRAPPED, message.payload, &mut unwrap);
            self.message_payload(&unwrap.bytes);
        } else {
            if let (None, Some(dialect)) = (self.fold.dialect(), dialect::of_message(message.event_type)) {
                self.fold.set_dialect(dialect);
            }
            self.message_payload(message.payload);
        }
    }

    #[expect(clippy::arithmetic_side_effects, reason = "a count of messages of the body")]
    fn skipped(&mut self) {
        self.events += 1;
        self.unparsed = Some(Unparsed::TooLong);
    }
}

/// The path in an invoke message at which the model's document is, in base64.
static WRAPPED: LazyTable<WrappedDocument> = LazyTable::new(|| Table::compile(&[("bytes", WrappedDocument)]));

#[derive(Clone, Copy)]
struct WrappedDocument;

impl json::Field for WrappedDocument {
    fn is_text(self) -> bool {
        true
    }
}

/// Decodes the document of one message. It is shorter than the message, so it needs no limit.
#[derive(Default)]
struct Unwrap {
    decoder: base64::Decoder,
    bytes: Vec<u8>,
}

impl json::Sink<WrappedDocument> for Unwrap {
    fn value(&mut self, _: WrappedDocument, value: Value<'_>) {
        if let Value::Text(piece) = value {
            self.decoder.push(piece, &mut self.bytes);
        }
    }

    fn document(&mut self) {}
}
