//! A request's body on its way to a version: it never waits, and is read, and where it asks for a stream
//! perhaps edited, as it passes.

use super::abi::Map;
use super::host::{self, Buffer};
use crate::config::{Rollout, Usage};
use crate::turn::Turn;
use crate::usage::Ask;

/// Read of a body at a time, so that no body makes the VM grow.
const READ_BYTES_MAX: usize = 64 * 1024;
/// The longest piece that is edited. Envoy hands over up to its buffer limit at once, 1 MiB if not told otherwise.
const EDIT_BYTES_MAX: usize = 4 * 1024 * 1024;

pub(super) struct RequestBody {
    turn: Turn,
    ask: Option<Ask>,
}

impl RequestBody {
    /// The request's head has come, and a body follows.
    pub(super) fn new(rollout: &Rollout) -> RequestBody {
        let asks = rollout.usage == Usage::Request && is_completion();
        // The length can no longer be told when it is known whether the body grows. Without this header Envoy
        // sends the body in chunks.
        let asks = asks && host::remove_header(Map::Request, "content-length");
        RequestBody { turn: Turn::default(), ask: asks.then(Ask::default) }
    }

    pub(super) fn push(&mut self, size: usize, is_end: bool) {
        match self.ask.take() {
            Some(ask) => self.ask = self.edit(ask, size, is_end),
            None => self.read(size),
        }
    }

    /// Whether usage was asked for in the client's place.
    pub(super) fn has_asked(&self) -> bool {
        self.ask.as_ref().is_some_and(Ask::has_asked)
    }

    pub(super) fn is_first_turn(&self) -> bool {
        self.turn.is_first()
    }

    fn read(&mut self, size: usize) {
        let mut start = 0;
        while start < size && self.turn.wants_more() {
            let length = size.saturating_sub(start).min(READ_BYTES_MAX);
            host::buffer_from(Buffer::RequestBody, start, length, |bytes| self.turn.push(bytes));
            start = start.saturating_add(length);
        }
    }

    /// Reads and edits a piece; `None`: no more is to be edited.
    fn edit(&mut self, mut ask: Ask, size: usize, is_end: bool) -> Option<Ask> {
        if size > EDIT_BYTES_MAX {
            host::replace_buffer(Buffer::RequestBody, 0, &ask.finish());
            self.read(size);
            return None;
        }
        let mut edited = None;
        if size > 0 {
            let read = |bytes: &[u8]| {
                self.turn.push(bytes);
                ask.push(bytes)
            };
            let Some(read) = host::buffer(Buffer::RequestBody, size, read) else {
                host::replace_buffer(Buffer::RequestBody, 0, &ask.finish());
                return None;
            };
            edited = read;
        }
        send_edited(Buffer::RequestBody, size, edited, is_end.then(|| ask.finish())).then_some(ask)
    }
}

/// Puts what was made of a piece in its place, and behind it what was held back until the end. `false` if the
/// host refused, so that the piece went on as it was.
pub(super) fn send_edited(
    buffer: Buffer,
    size: usize,
    edited: Option<Vec<u8>>,
    held: Option<Vec<u8>>,
) -> bool {
    // What is held back of a piece, or was before it, makes the piece an edited one.
    let held = held.filter(|held| !held.is_empty());
    match (edited, held) {
        (None, None) => true,
        (edited, held) => {
            let bytes = [edited.unwrap_or_default(), held.unwrap_or_default()].concat();
            host::replace_buffer(buffer, size, &bytes)
        }
    }
}

/// Whether the request whose head is being handled asks for a completion, in JSON that can be read.
fn is_completion() -> bool {
    let is = |name: &str, test: fn(&[u8]) -> bool| host::header(Map::Request, name, test);
    let path =
        |path: &[u8]| path.split(|&b| b == b'?').next().is_some_and(|path| path.ends_with(b"/completions"));
    is(":path", path).unwrap_or(false)
        && is(":method", |method| method == b"POST").unwrap_or(false)
        && is("content-type", |kind| kind.to_ascii_lowercase().starts_with(b"application/json"))
            .unwrap_or(false)
        && is("content-encoding", |encoding| encoding.eq_ignore_ascii_case(b"identity")).unwrap_or(true)
}
