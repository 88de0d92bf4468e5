//! Removes the tags from the ids that a request continues, before the version that made the ids receives them.
//!
//! Only the bytes at a chunk's end that may belong to a tag are held back. A body may have a key several times. The filter
//! reads the first, and most servers the last, so each loses its tag.

use alloc::borrow::Cow;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use memchr::memchr;

use super::tag::{IdField, IdSink};
use super::{INFIX, TAG_BYTES, Token, parse_tag};
use crate::edit::{EditCheck, Editor};
use crate::json::{LazyTable, Scanner, Table};

static TABLE: LazyTable<IdField> = LazyTable::new(|| {
    let paths = ["previous_response_id", "conversation", "conversation.id"];
    Table::compile(&paths.map(|path| (path, IdField)))
});

/// Edits the body of one request.
pub struct UntagIds {
    known: Arc<[Token]>,
    check: EditCheck,
    scanner: Scanner,
    seen: IdSink,
    /// The last bytes, which may belong to a tag.
    pub(super) held: Vec<u8>,
    token: Option<Token>,
    is_over: bool,
}

impl UntagIds {
    /// Removes tags with one of these tokens.
    #[must_use]
    pub fn new(known: Arc<[Token]>) -> UntagIds {
        UntagIds {
            known,
            check: EditCheck::default(),
            scanner: Scanner::default(),
            seen: IdSink::default(),
            held: Vec::new(),
            token: None,
            is_over: false,
        }
    }

    /// The token of the first tag that was removed.
    #[must_use]
    pub fn token(&self) -> Option<Token> {
        self.token
    }
}

impl Editor for UntagIds {
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "positions in `bytes`; what is read of it is not empty"
    )]
    fn push(&mut self, chunk: &[u8]) -> Option<Vec<u8>> {
        self.is_over |= !self.check.allows(chunk);
        let held = core::mem::take(&mut self.held);
        let is_unchanged = held.is_empty();
        let bytes = if is_unchanged { Cow::Borrowed(chunk) } else { Cow::Owned([&held, chunk].concat()) };
        let mut end = bytes.len() - tag_at_end(&bytes);
        let mut rest = bytes.get(..end).unwrap_or_default();
        // Where the tags are: each ends at an id's closing quote.
        let mut tags: Vec<Range<usize>> = Vec::new();
        // Quote by quote, because the scanner does not tell the position of an id's closing quote.
        while !rest.is_empty() && !self.is_over {
            let length = memchr(b'"', rest).map_or(rest.len(), |quote| quote + 1);
            let (read, after) = rest.split_at(length);
            self.scanner.push(&TABLE, read, &mut self.seen);
            rest = after;
            let id_bytes = core::mem::take(&mut self.seen.id_bytes);
            if id_bytes > TAG_BYTES {
                let quote = end - after.len() - 1;
                let last = bytes.get(..quote).and_then(|before| before.last_chunk::<TAG_BYTES>());
                let token = last.and_then(|last| parse_tag(last));
                if let Some(token) = token.filter(|token| self.known.contains(token)) {
                    self.token = self.token.or(Some(token));
                    tags.push(quote - TAG_BYTES..quote);
                }
            }
            self.is_over = self.seen.is_whole || self.scanner.is_broken();
        }
        if self.is_over {
            end = bytes.len();
        }
        self.held = bytes.get(end..).unwrap_or_default().to_vec();
        if is_unchanged && self.held.is_empty() && tags.is_empty() {
            return None;
        }
        let mut sent = Vec::with_capacity(end);
        let mut begin = 0;
        for tag in tags {
            sent.extend_from_slice(bytes.get(begin..tag.start).unwrap_or_default());
            begin = tag.end;
        }
        sent.extend_from_slice(bytes.get(begin..end).unwrap_or_default());
        Some(sent)
    }

    fn finish(&mut self) -> Vec<u8> {
        self.is_over = true;
        core::mem::take(&mut self.held)
    }

    fn is_settled(&self) -> bool {
        self.is_over && self.held.is_empty()
    }
}

/// How many of the last bytes may be a tag or its beginning.
fn tag_at_end(bytes: &[u8]) -> usize {
    let may_begin = |&length: &usize| {
        let last = bytes.len().checked_sub(length).and_then(|start| bytes.get(start..));
        last.is_some_and(|last| {
            let (infix, digits) = last.split_at(last.len().min(INFIX.len()));
            INFIX.starts_with(infix) && digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
    };
    (1..=TAG_BYTES).rev().find(may_begin).unwrap_or(0)
}
