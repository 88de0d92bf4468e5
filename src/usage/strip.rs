//! The response: the one event that has usage and no choices is taken out.
//!
//! An event is held back only until its `choices` are seen, and the usual event comes in one piece with
//! them; comments, which keep a connection alive, are never held back.

use alloc::vec::Vec;
use memchr::memchr2;

use super::EVENT_BYTES_HELD_MAX;
use crate::edit::Editor;
use crate::framing::sse::{self, Framer};
use crate::json::{self, DocumentEnd, LazyTable, Scanner, Sink, Table, Value};

#[derive(Clone, Copy)]
enum ChunkField {
    Choices,
    Choice,
    Usage,
}

impl json::Field for ChunkField {
    fn is_text(self) -> bool {
        false
    }
}

static TABLE: LazyTable<ChunkField> = LazyTable::new(|| {
    Table::compile(&[
        ("choices", ChunkField::Choices),
        ("choices[]", ChunkField::Choice),
        ("usage", ChunkField::Usage),
    ])
});

/// Edits one event stream.
#[derive(Default)]
pub struct StripUsage {
    framer: Framer,
    event: Event,
    /// What has come of an event that may have to go.
    pub(super) held: Vec<u8>,
    /// The stream stands inside a line, and whether that is a comment.
    line: Option<bool>,
    /// The last byte was a carriage return, of a line that was passed on, held or taken out.
    after_cr: Option<Fate>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Pass,
    Hold,
    Drop,
}

/// What the event that the stream stands in has shown.
#[derive(Default)]
struct Event {
    scanner: Scanner,
    has_data: bool,
    seen: ChunkFacts,
}

#[derive(Default)]
struct ChunkFacts {
    has_empty_choices: bool,
    has_usage: bool,
    /// It is none that reports usage alone.
    is_ordinary: bool,
}

impl Editor for StripUsage {
    fn push(&mut self, piece: &[u8]) -> Option<Vec<u8>> {
        let mut is_asis = self.held.is_empty();
        let mut sent = Vec::with_capacity(piece.len().saturating_add(self.held.len()));
        let mut rest = piece;
        while !rest.is_empty() {
            let (part, after) = rest.split_at(self.part_length(rest));
            rest = after;
            match self.part(part) {
                Fate::Hold => self.held.extend_from_slice(part),
                Fate::Drop => {
                    self.held.clear();
                    is_asis = false;
                }
                Fate::Pass => {
                    sent.append(&mut self.held);
                    sent.extend_from_slice(part);
                }
            }
        }
        (!is_asis || !self.held.is_empty()).then_some(sent)
    }

    fn finish(&mut self) -> Vec<u8> {
        // If more of the event comes, it follows its beginning.
        self.event.seen.is_ordinary |= !self.held.is_empty();
        core::mem::take(&mut self.held)
    }

    fn is_settled(&self) -> bool {
        false // any event may be the one
    }
}

impl StripUsage {
    /// A line with its end, or as much of it as has come. A line feed after a carriage return that ended
    /// the last piece stands alone.
    fn part_length(&self, rest: &[u8]) -> usize {
        if self.after_cr.is_some() && rest.first() == Some(&b'\n') {
            return 1;
        }
        let Some(end) = memchr2(b'\n', b'\r', rest) else { return rest.len() };
        let length = end.saturating_add(1);
        let is_crlf = rest.get(end..).is_some_and(|end| end.starts_with(b"\r\n"));
        if is_crlf { length.saturating_add(1) } else { length }
    }

    /// Reads a part, and says what becomes of it and of what is held.
    fn part(&mut self, part: &[u8]) -> Fate {
        self.framer.push(part, &mut self.event);
        if let (Some(fate), b"\n") = (self.after_cr.take(), part) {
            return fate; // it belongs to the line before
        }
        let is_end = matches!(part.last(), Some(b'\n' | b'\r'));
        let is_blank = self.line.is_none() && matches!(part, b"\n" | b"\r" | b"\r\n");
        let is_comment = self.line.unwrap_or(part.first() == Some(&b':'));
        self.line = (!is_end).then_some(is_comment);
        let fate = if is_blank {
            let event = core::mem::take(&mut self.event);
            if event.reports_usage_alone() { Fate::Drop } else { Fate::Pass }
        } else if self.event.seen.is_ordinary || (is_comment && self.held.is_empty()) {
            Fate::Pass
        } else if self.held.len().saturating_add(part.len()) > EVENT_BYTES_HELD_MAX {
            self.event.seen.is_ordinary = true;
            Fate::Pass
        } else {
            Fate::Hold
        };
        self.after_cr = part.ends_with(b"\r").then_some(fate);
        fate
    }
}

impl Event {
    fn reports_usage_alone(mut self) -> bool {
        let is_document = self.scanner.end(&TABLE, &mut self.seen) == DocumentEnd::Between;
        let seen = self.seen;
        is_document && !seen.is_ordinary && seen.has_empty_choices && seen.has_usage
    }
}

impl sse::Sink for Event {
    fn data(&mut self, piece: &[u8]) {
        if !self.has_data {
            let first = piece.iter().find(|byte| !byte.is_ascii_whitespace());
            self.has_data = first.is_some();
            self.seen.is_ordinary |= first.is_some_and(|&byte| byte != b'{');
        }
        if !self.seen.is_ordinary {
            self.scanner.push(&TABLE, piece, &mut self.seen);
        }
    }

    fn dispatch(&mut self, _kind: &[u8]) {}

    fn error_line(&mut self) {
        self.seen.is_ordinary = true;
    }
}

impl Sink<ChunkField> for ChunkFacts {
    fn value(&mut self, field: ChunkField, value: Value<'_>) {
        match (field, value) {
            (ChunkField::Choices, Value::Open) => self.has_empty_choices = true,
            (ChunkField::Choices, Value::Close) => {}
            (ChunkField::Choices, _) | (ChunkField::Choice, _) => self.is_ordinary = true,
            (ChunkField::Usage, value) => self.has_usage = value == Value::Open,
        }
    }

    fn document(&mut self) {}
}
