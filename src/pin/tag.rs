//! The response: ids get their version's mark, as their closing quotes pass.
//!
//! Nothing is held back and nothing else changes. Left alone: null, an empty id, and an id that ends with a mark
//! already, whoever's it is.

use alloc::vec::Vec;
use memchr::memchr;

use super::{TAG_BYTES, Token, parse_tag};
use crate::edit::Editor;
use crate::framing::sse::{self, Framer};
use crate::json::{self, LazyTable, Scanner, Sink, Table, Value};

/// An id of a response or a conversation.
#[derive(Clone, Copy)]
pub(super) struct IdField;

impl json::Field for IdField {
    fn is_text(self) -> bool {
        false
    }
}

static WHOLE: LazyTable<IdField> = LazyTable::new(|| {
    let paths = ["id", "previous_response_id", "conversation", "conversation.id"];
    Table::compile(&paths.map(|path| (path, IdField)))
});

static EVENT: LazyTable<IdField> = LazyTable::new(|| {
    let paths = [
        "response.id",
        "response.previous_response_id",
        "response.conversation",
        "response.conversation.id",
        "response_id",
    ];
    Table::compile(&paths.map(|path| (path, IdField)))
});

/// How a response comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// One JSON object.
    Whole,
    /// An event stream.
    Stream,
}

/// Edits one response of the Responses API.
pub struct TagIds {
    mark: Vec<u8>,
    /// Of an event stream.
    framer: Option<Framer>,
    document: Document,
}

/// The document that the body stands in.
struct Document {
    scanner: Scanner,
    table: &'static Table<IdField>,
    seen: IdSink,
    /// Its last bytes, as many as a mark has; before them may stand those of the document before.
    tail: Vec<u8>,
    has_begun: bool,
    /// It is none to edit.
    is_over: bool,
}

#[derive(Default)]
pub(super) struct IdSink {
    /// The length of the id that ends here, if one does; cut at [`json::SHORT_BYTES_MAX`].
    pub(super) id_bytes: usize,
    pub(super) is_whole: bool,
}

impl TagIds {
    /// For one response of the version that has this token.
    #[must_use]
    pub fn new(body: Body, token: Token) -> TagIds {
        let (framer, table): (_, &'static Table<IdField>) = match body {
            Body::Whole => (None, &WHOLE),
            Body::Stream => (Some(Framer::default()), &EVENT),
        };
        let document = Document {
            scanner: Scanner::default(),
            table,
            seen: IdSink::default(),
            tail: Vec::with_capacity(TAG_BYTES),
            has_begun: false,
            is_over: false,
        };
        TagIds { mark: format!("-llm-{token}").into_bytes(), framer, document }
    }
}

impl Editor for TagIds {
    fn push(&mut self, piece: &[u8]) -> Option<Vec<u8>> {
        let mut ends = Ends { piece, found: Vec::new() };
        match &mut self.framer {
            Some(framer) => framer.push(piece, &mut Event { document: &mut self.document, ends: &mut ends }),
            None => self.document.read(piece, &mut ends),
        }
        if ends.found.is_empty() {
            return None;
        }
        let more = ends.found.len().saturating_mul(TAG_BYTES);
        let mut marked = Vec::with_capacity(piece.len().saturating_add(more));
        let mut sent = 0;
        for end in ends.found {
            marked.extend_from_slice(piece.get(sent..end).unwrap_or_default());
            marked.extend_from_slice(&self.mark);
            sent = end;
        }
        marked.extend_from_slice(piece.get(sent..).unwrap_or_default());
        Some(marked)
    }

    fn finish(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn is_settled(&self) -> bool {
        self.framer.is_none() && self.document.is_over
    }
}

/// Where in a piece ids end.
struct Ends<'p> {
    piece: &'p [u8],
    /// The places of their closing quotes, in order.
    found: Vec<usize>,
}

impl Document {
    /// Reads on. `part` is a part of the piece that came.
    fn read(&mut self, part: &[u8], ends: &mut Ends<'_>) {
        let first = part.iter().find(|byte| !byte.is_ascii_whitespace());
        if let (false, Some(&byte)) = (self.has_begun, first) {
            self.has_begun = true;
            self.is_over = byte != b'{';
        }
        let mut rest = part;
        // Up to each quote, because one of them may end an id.
        while !rest.is_empty() && !self.is_over {
            let length = memchr(b'"', rest).map_or(rest.len(), |quote| quote.saturating_add(1));
            let (read, after) = rest.split_at(length);
            self.scanner.push(self.table, read, &mut self.seen);
            rest = after;
            let id_bytes = core::mem::take(&mut self.seen.id_bytes);
            if id_bytes > 0 {
                let before = part.get(..part.len().saturating_sub(after.len()).saturating_sub(1));
                self.id_ends(id_bytes, before.unwrap_or_default(), ends);
            }
            self.is_over = self.seen.is_whole;
        }
        keep_tail(&mut self.tail, part);
    }

    /// The closing quote of an id, so many bytes long, follows `before`.
    fn id_ends(&mut self, id_bytes: usize, before: &[u8], ends: &mut Ends<'_>) {
        let mut tail = self.tail.clone();
        keep_tail(&mut tail, before);
        let is_marked = id_bytes > TAG_BYTES && parse_tag(&tail).is_some();
        if !is_marked {
            // The addresses tell where in the piece the part lies.
            let start = before.as_ptr().addr().saturating_sub(ends.piece.as_ptr().addr());
            ends.found.push(start.saturating_add(before.len()));
        }
    }
}

/// Keeps the last bytes of what has come, `more` behind what was kept.
fn keep_tail(tail: &mut Vec<u8>, more: &[u8]) {
    let more = more.get(more.len().saturating_sub(TAG_BYTES)..).unwrap_or(more);
    let surplus = tail.len().saturating_add(more.len()).saturating_sub(TAG_BYTES);
    tail.drain(..surplus.min(tail.len()));
    tail.extend_from_slice(more);
}

/// An event's data is a document.
struct Event<'m, 'p> {
    document: &'m mut Document,
    ends: &'m mut Ends<'p>,
}

impl sse::Sink for Event<'_, '_> {
    fn data(&mut self, piece: &[u8]) {
        self.document.read(piece, self.ends);
    }

    fn dispatch(&mut self, _kind: &[u8]) {
        let document = &mut *self.document;
        document.scanner.end(document.table, &mut document.seen);
        document.seen = IdSink::default();
        document.has_begun = false;
        document.is_over = false;
    }

    fn error_line(&mut self) {}
}

impl Sink<IdField> for IdSink {
    fn value(&mut self, _: IdField, value: Value<'_>) {
        if let Value::Short(id) = value {
            self.id_bytes = id.len();
        }
    }

    fn document(&mut self) {
        self.is_whole = true;
    }
}
