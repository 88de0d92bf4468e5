//! Removes the one event of a stream that has usage and no choices.
//!
//! An event is held back until its `choices` have been read. Most events arrive in one chunk, so they are not held back
//! at all. Comments, which keep a connection alive, never are.

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
    /// The bytes so far of an event that may be the one to remove.
    pub(super) held: Vec<u8>,
    /// Inside a line: whether it is a comment.
    is_comment: Option<bool>,
    /// After a carriage return: what was done with the line that it ended.
    after_cr: Option<Action>,
}

/// What to do with a part of the stream, and with the bytes held back before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Send,
    Hold,
    Drop,
}

/// The current event.
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
    /// It cannot be the event to remove.
    is_ordinary: bool,
}

impl Editor for StripUsage {
    #[expect(clippy::arithmetic_side_effects, reason = "at most EVENT_BYTES_HELD_MAX more than a chunk")]
    fn push(&mut self, chunk: &[u8]) -> Option<Vec<u8>> {
        let mut is_unchanged = self.held.is_empty();
        let mut sent = Vec::with_capacity(chunk.len() + self.held.len());
        let mut rest = chunk;
        while !rest.is_empty() {
            let (part, after) = rest.split_at(self.part_length(rest));
            rest = after;
            match self.part(part) {
                Action::Hold => self.held.extend_from_slice(part),
                Action::Drop => {
                    self.held.clear();
                    is_unchanged = false;
                }
                Action::Send => {
                    sent.append(&mut self.held);
                    sent.extend_from_slice(part);
                }
            }
        }
        (!is_unchanged || !self.held.is_empty()).then_some(sent)
    }

    fn finish(&mut self) -> Vec<u8> {
        // The beginning of the event is sent now, so the rest of it must be sent too.
        self.event.seen.is_ordinary |= !self.held.is_empty();
        core::mem::take(&mut self.held)
    }

    fn is_settled(&self) -> bool {
        false // any event may be the one to remove
    }
}

impl StripUsage {
    /// The length of the next part: a line with its end, or as much of it as the chunk has. A line feed is a part of its
    /// own if the carriage return before it ended the last chunk.
    #[expect(clippy::arithmetic_side_effects, reason = "positions in `rest`")]
    fn part_length(&self, rest: &[u8]) -> usize {
        if self.after_cr.is_some() && rest.first() == Some(&b'\n') {
            return 1;
        }
        let Some(end) = memchr2(b'\n', b'\r', rest) else { return rest.len() };
        let is_crlf = rest.get(end..).is_some_and(|end| end.starts_with(b"\r\n"));
        if is_crlf { end + 2 } else { end + 1 }
    }

    /// Reads a part.
    #[expect(clippy::arithmetic_side_effects, reason = "at most EVENT_BYTES_HELD_MAX more than a chunk")]
    fn part(&mut self, part: &[u8]) -> Action {
        self.framer.push(part, &mut self.event);
        if let (Some(action), b"\n") = (self.after_cr.take(), part) {
            return action; // the end of the line before
        }
        let is_end = matches!(part.last(), Some(b'\n' | b'\r'));
        let is_blank = self.is_comment.is_none() && matches!(part, b"\n" | b"\r" | b"\r\n");
        let is_comment = self.is_comment.unwrap_or(part.first() == Some(&b':'));
        self.is_comment = (!is_end).then_some(is_comment);
        let action = if is_blank {
            let event = core::mem::take(&mut self.event);
            if event.has_usage_only() { Action::Drop } else { Action::Send }
        } else if self.event.seen.is_ordinary || (is_comment && self.held.is_empty()) {
            Action::Send
        } else if self.held.len() + part.len() > EVENT_BYTES_HELD_MAX {
            self.event.seen.is_ordinary = true;
            Action::Send
        } else {
            Action::Hold
        };
        self.after_cr = part.ends_with(b"\r").then_some(action);
        action
    }
}

impl Event {
    fn has_usage_only(mut self) -> bool {
        let is_document = self.scanner.end(&TABLE, &mut self.seen) == DocumentEnd::Between;
        let seen = self.seen;
        is_document && !seen.is_ordinary && seen.has_empty_choices && seen.has_usage
    }
}

impl sse::Sink for Event {
    fn data(&mut self, chunk: &[u8]) {
        if !self.has_data {
            let first = chunk.iter().find(|byte| !byte.is_ascii_whitespace());
            self.has_data = first.is_some();
            self.seen.is_ordinary |= first.is_some_and(|&byte| byte != b'{');
        }
        if !self.seen.is_ordinary {
            self.scanner.push(&TABLE, chunk, &mut self.seen);
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
