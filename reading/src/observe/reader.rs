//! Documents in any pieces → facts: tells the dialect, then scans with its table.

use super::Unread;
use super::body::Facts;
use crate::dialect::{self, COMMON, Dialect, Fold, Seen};
use crate::framing::{aws, base64, sse};
use crate::json::{self, End, LazyTable, Scanner, Table, Value, chars};
use alloc::vec::Vec;

/// Of a document whose dialect is not told yet, this much is kept to look for it. One that does not show
/// its dialect by then is passed over.
pub const DETECT_BYTES_MAX: usize = 16 * 1024;
/// The payload that announces the end of a stream.
const DONE: &[u8] = b"[DONE]";

pub(super) struct Reader {
    pub(super) fold: Fold,
    scanner: Scanner,
    /// The document so far, while its dialect is not told.
    held: Vec<u8>,
    /// The document was too long to hold and is passed over.
    is_passed_over: bool,
    /// How much of [`DONE`] the document is so far; `None` if it is something else.
    done_matched: Option<usize>,
    pub(super) events: u64,
    unread: Option<Unread>,
    /// The documents came wrapped in Bedrock's invoke messages.
    is_wrapped: bool,
    /// Characters of the current document, while its dialect is not told.
    document_chars: u64,
    /// Characters of complete documents whose dialect was not told.
    unknown_chars: u64,
}

impl Default for Reader {
    fn default() -> Reader {
        Reader {
            fold: Fold::default(),
            scanner: Scanner::default(),
            held: Vec::new(),
            is_passed_over: false,
            done_matched: Some(0),
            events: 0,
            unread: None,
            is_wrapped: false,
            document_chars: 0,
            unknown_chars: 0,
        }
    }
}

impl Reader {
    /// Keeps the answer's first characters.
    pub(super) fn want_opening(&mut self) {
        self.fold.want_opening();
    }

    pub(super) fn seen(&self) -> &Seen {
        &self.fold.seen
    }

    /// The dialect, once it is told.
    pub(super) fn dialect(&self) -> Option<&'static Dialect> {
        self.fold.dialect()
    }

    /// A piece of the current document.
    pub(super) fn push(&mut self, piece: &[u8]) {
        match self.fold.dialect() {
            Some(dialect) => self.scanner.push(&dialect.table, piece, &mut self.fold),
            None => self.push_unknown(piece),
        }
    }

    fn push_unknown(&mut self, piece: &[u8]) {
        if self.is_passed_over {
            self.document_chars = self.document_chars.saturating_add(chars(piece));
            return self.scanner.push(&COMMON, piece, &mut self.fold);
        }
        let room = DETECT_BYTES_MAX.saturating_sub(self.held.len());
        let (fits, rest) = piece.split_at(room.min(piece.len()));
        self.held.extend_from_slice(fits);
        if !rest.is_empty() {
            self.is_passed_over = true;
            self.read_held();
            self.push(rest);
        }
    }

    /// Tells the dialect from what is held, and reads that.
    fn read_held(&mut self) {
        let held = core::mem::take(&mut self.held);
        match dialect::detect(&held) {
            Some(dialect) => {
                self.fold.speak(dialect);
                self.scanner = Scanner::default();
                self.scanner.push(&dialect.table, &held, &mut self.fold);
            }
            None => {
                self.document_chars = chars(&held);
                if self.is_passed_over {
                    self.unread = Some(Unread::TooLong);
                }
                self.scanner.push(&COMMON, &held, &mut self.fold);
            }
        }
    }

    /// The framing says that the document ends here, complete or cut off.
    fn end_document(&mut self, is_complete: bool) -> End {
        if self.fold.dialect().is_none() && !self.is_passed_over {
            self.read_held();
        }
        let end = match self.fold.dialect() {
            Some(dialect) => self.scanner.end(&dialect.table, &mut self.fold),
            None => self.scanner.end(&COMMON, &mut self.fold),
        };
        self.fold.cut_document();
        self.is_passed_over = false;
        let document_chars = core::mem::take(&mut self.document_chars);
        if is_complete || end == End::Between {
            self.unknown_chars = self.unknown_chars.saturating_add(document_chars);
        }
        end
    }

    /// A binary message's payload, which is no text even where its dialect is not told.
    fn message_payload(&mut self, payload: &[u8]) {
        self.push(payload);
        self.end_document(true);
        self.unknown_chars = 0;
    }

    /// The stream has ended, perhaps inside an event.
    pub(super) fn finish_events(mut self, is_inside: bool) -> Facts {
        if is_inside {
            let is_done = self.done_matched == Some(DONE.len());
            if is_done || self.end_document(false) == End::Between {
                self.events = self.events.saturating_add(1);
            }
            if is_done {
                self.fold.done();
            }
        }
        self.finish_stream()
    }

    /// The messages have ended, perhaps inside one.
    pub(super) fn finish_messages(self, is_inside: bool) -> Facts {
        let mut facts = self.finish_stream();
        if is_inside {
            facts.is_finished = facts.is_finished.filter(|&is_finished| is_finished).or(Some(false));
        }
        facts
    }

    fn finish_stream(self) -> Facts {
        let is_finished = match self.fold.dialect() {
            Some(dialect) => (dialect.is_finished)(self.seen()),
            None if self.seen().is_done() => Some(true),
            None if self.events == 0 => Some(false),
            None => None,
        };
        let events = self.events;
        self.facts(Some(events), is_finished)
    }

    /// A body of JSON has ended: one document, or several.
    pub(super) fn finish_documents(mut self, is_stream: bool) -> Facts {
        let end = self.end_document(false);
        // A line that was cut off is one, too.
        let documents = self.fold.documents().saturating_add(u64::from(end == End::Cut));
        let by_dialect = self.fold.dialect().and_then(|dialect| (dialect.is_finished)(self.seen()));
        let is_stream = is_stream || documents > 1;
        let is_finished = match end {
            End::Between if is_stream => by_dialect.or(Some(true)),
            End::Between => Some(true),
            End::Cut => Some(is_stream && by_dialect == Some(true)),
            End::Broken => None,
        };
        self.facts(is_stream.then_some(documents), is_finished)
    }

    fn facts(self, events: Option<u64>, is_finished: Option<bool>) -> Facts {
        let dialect: Option<&'static Dialect> = self.fold.dialect();
        let seen = self.fold.seen;
        Facts {
            dialect: dialect
                .map(|dialect| if self.is_wrapped { "bedrock-invoke" } else { (dialect.name)(&seen) }),
            text_chars: Some(if dialect.is_some() { seen.text_chars } else { self.unknown_chars }),
            events,
            unread: self.unread,
            is_finished,
            seen,
        }
    }

    /// Follows whether the document is `[DONE]`, which is no JSON.
    fn match_done(&mut self, piece: &[u8]) {
        if let (Some(0), Some(b'{')) = (self.done_matched, piece.first()) {
            self.done_matched = None; // nearly always
        }
        for &byte in piece {
            let Some(matched) = self.done_matched else { return };
            self.done_matched = match DONE.get(matched) {
                Some(&expected) if byte == expected => Some(matched.saturating_add(1)),
                _ if byte.is_ascii_whitespace() && (matched == 0 || matched == DONE.len()) => Some(matched),
                _ => None,
            };
        }
    }
}

impl sse::Sink for Reader {
    fn data(&mut self, piece: &[u8]) {
        self.match_done(piece);
        self.push(piece);
    }

    fn dispatch(&mut self, kind: &[u8]) {
        // Servers of several dialects name the event that reports a failure so, whatever its data looks like.
        self.fold.seen.error |= kind == b"error";
        if self.done_matched == Some(DONE.len()) {
            self.fold.done();
        }
        self.done_matched = Some(0);
        self.events = self.events.saturating_add(1);
        self.end_document(true);
    }

    fn error_line(&mut self) {
        self.fold.seen.error = true;
    }
}

impl aws::Sink for Reader {
    fn message(&mut self, message: aws::Message<'_>) {
        self.events = self.events.saturating_add(1);
        if message.message_type != b"event" {
            self.fold.seen.error = true;
        } else if message.event_type == b"chunk" {
            self.is_wrapped = true;
            let mut unwrap = Unwrap::default();
            Scanner::default().push(&WRAPPED, message.payload, &mut unwrap);
            self.message_payload(&unwrap.bytes);
        } else {
            self.message_payload(message.payload);
        }
    }

    fn unread(&mut self) {
        self.events = self.events.saturating_add(1);
        self.unread = Some(Unread::TooLong);
    }
}

/// Where an invoke message holds the model's document, in base64.
static WRAPPED: LazyTable<Wrapped> = LazyTable::new(|| Table::compile(&[("bytes", Wrapped)]));

#[derive(Clone, Copy)]
struct Wrapped;

impl json::Field for Wrapped {
    fn is_text(self) -> bool {
        true
    }
}

/// The document of one message, which is no longer than that.
#[derive(Default)]
struct Unwrap {
    decoder: base64::Decoder,
    bytes: Vec<u8>,
}

impl json::Sink<Wrapped> for Unwrap {
    fn value(&mut self, _: Wrapped, value: Value<'_>) {
        if let Value::Text(piece) = value {
            self.decoder.push(piece, &mut self.bytes);
        }
    }

    fn document(&mut self) {}
}
