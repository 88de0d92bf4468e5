//! Tags the ids in a response.
//!
//! A tag is inserted at an id's closing quote, so nothing is held back. Everything else stays, and so do null, an empty
//! id, and an id that has a tag already, whatever its token.

use alloc::vec::Vec;
use memchr::memchr;

use super::{TAG_BYTES, Token, parse_tag};
use crate::edit::Editor;
use crate::framing::sse::{self, Framer};
use crate::json::{self, LazyTable, Scanner, Sink, Table, Value};

/// The id of a response or a conversation.
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

/// The form of a response's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// One JSON object.
    Whole,
    /// An event stream.
    Stream,
}

/// Edits the body of one response of the Responses API.
pub struct TagIds {
    tag: Vec<u8>,
    /// For an event stream.
    framer: Option<Framer>,
    document: Document,
}

/// The current document: the body, or the data of an event.
struct Document {
    scanner: Scanner,
    table: &'static Table<IdField>,
    seen: IdSink,
    /// The last bytes, up to the length of a tag. At a document's beginning they are the end of the one before.
    tail: Vec<u8>,
    has_begun: bool,
    /// The rest of it is not edited.
    is_over: bool,
}

#[derive(Default)]
pub(super) struct IdSink {
    /// The length of the id that has just ended, at most [`json::SHORT_BYTES_MAX`]; 0 if none has.
    pub(super) id_bytes: usize,
    pub(super) is_whole: bool,
}

impl TagIds {
    /// Tags ids with this token.
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
        TagIds { tag: format!("-llm-{token}").into_bytes(), framer, document }
    }
}

impl Editor for TagIds {
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "lengths of bytes that are in memory at the same time"
    )]
    fn push(&mut self, chunk: &[u8]) -> Option<Vec<u8>> {
        let mut ends = IdEnds { chunk, positions: Vec::new() };
        match &mut self.framer {
            Some(framer) => framer.push(chunk, &mut Event { document: &mut self.document, ends: &mut ends }),
            None => self.document.read(chunk, &mut ends),
        }
        if ends.positions.is_empty() {
            return None;
        }
        let mut tagged = Vec::with_capacity(chunk.len() + ends.positions.len() * TAG_BYTES);
        let mut sent = 0;
        for end in ends.positions {
            tagged.extend_from_slice(chunk.get(sent..end).unwrap_or_default());
            tagged.extend_from_slice(&self.tag);
            sent = end;
        }
        tagged.extend_from_slice(chunk.get(sent..).unwrap_or_default());
        Some(tagged)
    }

    fn finish(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn is_settled(&self) -> bool {
        self.framer.is_none() && self.document.is_over
    }
}

/// The ends of the ids in a chunk that get a tag.
struct IdEnds<'c> {
    chunk: &'c [u8],
    /// The positions of their closing quotes, in order.
    positions: Vec<usize>,
}

impl Document {
    /// Reads the next part of the document, which is a part of the chunk.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "positions in `part`; what is read of it is not empty"
    )]
    fn read(&mut self, part: &[u8], ends: &mut IdEnds<'_>) {
        let first = part.iter().find(|byte| !byte.is_ascii_whitespace());
        if let (false, Some(&byte)) = (self.has_begun, first) {
            self.has_begun = true;
            self.is_over = byte != b'{';
        }
        let mut rest = part;
        // Quote by quote, because the scanner does not tell the position of an id's closing quote.
        while !rest.is_empty() && !self.is_over {
            let length = memchr(b'"', rest).map_or(rest.len(), |quote| quote + 1);
            let (read, after) = rest.split_at(length);
            self.scanner.push(self.table, read, &mut self.seen);
            rest = after;
            let id_bytes = core::mem::take(&mut self.seen.id_bytes);
            if id_bytes > 0 {
                let before = part.get(..part.len() - after.len() - 1);
                self.end_id(id_bytes, before.unwrap_or_default(), ends);
            }
            self.is_over = self.seen.is_whole;
        }
        keep_tail(&mut self.tail, part);
    }

    /// Ends an id of so many bytes. Its closing quote follows `before`.
    #[expect(clippy::arithmetic_side_effects, reason = "`before` is a part of the chunk")]
    fn end_id(&mut self, id_bytes: usize, before: &[u8], ends: &mut IdEnds<'_>) {
        let mut tail = self.tail.clone();
        keep_tail(&mut tail, before);
        let has_tag = id_bytes > TAG_BYTES && parse_tag(&tail).is_some();
        if !has_tag {
            let start = before.as_ptr().addr() - ends.chunk.as_ptr().addr();
            ends.positions.push(start + before.len());
        }
    }
}

/// Appends `more` to the tail and keeps its last [`TAG_BYTES`].
#[expect(clippy::arithmetic_side_effects, reason = "both have at most TAG_BYTES")]
fn keep_tail(tail: &mut Vec<u8>, more: &[u8]) {
    let more = more.get(more.len().saturating_sub(TAG_BYTES)..).unwrap_or(more);
    let surplus = (tail.len() + more.len()).saturating_sub(TAG_BYTES);
    tail.drain(..surplus.min(tail.len()));
    tail.extend_from_slice(more);
}

/// Reads the data of each event as a document.
struct Event<'d, 'c> {
    document: &'d mut Document,
    ends: &'d mut IdEnds<'c>,
}

impl sse::Sink for Event<'_, '_> {
    fn data(&mut self, part: &[u8]) {
        self.document.read(part, self.ends);
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
