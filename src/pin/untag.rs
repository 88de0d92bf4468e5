//! The request: the id it continues loses its mark, before the version that made it sees it.
//!
//! Held back is only what may be a mark's beginning, at a piece's end. The API allows one of
//! `previous_response_id` and `conversation`, so the first mark that is taken off settles it.

use alloc::borrow::Cow;
use alloc::rc::Rc;
use alloc::vec::Vec;

use memchr::memchr;

use super::tag::{IdField, IdSink};
use super::{INFIX, TAG_BYTES, Token, parse_tag};
use crate::edit::{Editor, Gate};
use crate::json::{LazyTable, Scanner, Table};

static TABLE: LazyTable<IdField> = LazyTable::new(|| {
    let paths = ["previous_response_id", "conversation", "conversation.id"];
    Table::compile(&paths.map(|path| (path, IdField)))
});

/// Edits one request's body.
pub struct UntagIds {
    known: Rc<[Token]>,
    gate: Gate,
    scanner: Scanner,
    seen: IdSink,
    /// The last bytes, which may begin a mark.
    pub(super) held: Vec<u8>,
    token: Option<Token>,
    is_over: bool,
}

impl UntagIds {
    /// Takes marks off that have one of these tokens.
    #[must_use]
    pub fn new(known: Rc<[Token]>) -> UntagIds {
        UntagIds {
            known,
            gate: Gate::default(),
            scanner: Scanner::default(),
            seen: IdSink::default(),
            held: Vec::new(),
            token: None,
            is_over: false,
        }
    }

    /// The token of the mark that was taken off.
    #[must_use]
    pub fn token(&self) -> Option<Token> {
        self.token
    }
}

impl Editor for UntagIds {
    fn push(&mut self, piece: &[u8]) -> Option<Vec<u8>> {
        self.is_over |= !self.gate.admits(piece);
        let held = core::mem::take(&mut self.held);
        let is_asis = held.is_empty();
        let bytes = if is_asis { Cow::Borrowed(piece) } else { Cow::Owned([&held, piece].concat()) };
        let mut end = bytes.len().saturating_sub(begun_tag(&bytes));
        let mut rest = bytes.get(..end).unwrap_or_default();
        let mut id_end = None;
        // Up to each quote, because one of them may end an id.
        while !rest.is_empty() && !self.is_over {
            let length = memchr(b'"', rest).map_or(rest.len(), |quote| quote.saturating_add(1));
            let (read, after) = rest.split_at(length);
            self.scanner.push(&TABLE, read, &mut self.seen);
            rest = after;
            let id_bytes = core::mem::take(&mut self.seen.id_bytes);
            if id_bytes > TAG_BYTES {
                let quote = end.saturating_sub(after.len()).saturating_sub(1);
                let start = quote.saturating_sub(TAG_BYTES);
                let token = bytes.get(start..quote).and_then(parse_tag);
                self.token = token.filter(|token| self.known.contains(token));
                id_end = self.token.map(|_| start);
            }
            self.is_over = id_end.is_some() || self.seen.is_whole;
        }
        if self.is_over {
            end = bytes.len();
        }
        self.held = bytes.get(end..).unwrap_or_default().to_vec();
        if is_asis && self.held.is_empty() && id_end.is_none() {
            return None;
        }
        let sent = bytes.get(..end).unwrap_or_default();
        let Some(id_end) = id_end else { return Some(sent.to_vec()) };
        let after = sent.get(id_end.saturating_add(TAG_BYTES)..).unwrap_or_default();
        Some([sent.get(..id_end).unwrap_or_default(), after].concat())
    }

    fn finish(&mut self) -> Vec<u8> {
        self.is_over = true;
        core::mem::take(&mut self.held)
    }

    fn is_settled(&self) -> bool {
        self.is_over && self.held.is_empty()
    }
}

/// How many of the last bytes may begin a mark, or be one.
fn begun_tag(bytes: &[u8]) -> usize {
    let may_begin = |&length: &usize| {
        let last = bytes.len().checked_sub(length).and_then(|start| bytes.get(start..));
        last.is_some_and(|last| {
            let (infix, digits) = last.split_at(last.len().min(INFIX.len()));
            INFIX.starts_with(infix) && digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
    };
    (1..=TAG_BYTES).rev().find(may_begin).unwrap_or(0)
}
