//! A request's body on its way to a version: it never waits, and is read, and where it asks for a stream
//! perhaps edited, as it passes.

use super::abi::Map;
use super::host::{self, Buffer};
use crate::config::{Rollout, Usage};
use crate::edit::Editor;
use crate::turn::Turn;
use crate::usage::Ask;

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
            Some(ask) => {
                self.ask = edit(Buffer::RequestBody, ask, size, is_end, |bytes| self.turn.push(bytes))
            }
            None if self.turn.wants_more() => host::slices(Buffer::RequestBody, size, |bytes| {
                self.turn.push(bytes);
                self.turn.wants_more()
            }),
            None => {}
        }
    }

    /// Whether usage was asked for in the client's place.
    pub(super) fn has_asked(&self) -> bool {
        self.ask.as_ref().is_some_and(Ask::has_asked)
    }

    pub(super) fn is_first_turn(&self) -> bool {
        self.turn.is_first()
    }
}

/// Shows a piece of a body to `see` and puts what the editor makes of it in its place. `None`: no more is to be
/// edited, and what was held back has gone on.
pub(super) fn edit<E: Editor>(
    buffer: Buffer,
    mut editor: E,
    size: usize,
    is_end: bool,
    mut see: impl FnMut(&[u8]),
) -> Option<E> {
    if size > EDIT_BYTES_MAX {
        host::slices(buffer, size, |bytes| {
            see(bytes);
            true
        });
        host::replace_buffer(buffer, 0, &editor.finish());
        return None;
    }
    let mut edited = None;
    if size > 0 {
        let read = |bytes: &[u8]| {
            see(bytes);
            editor.push(bytes)
        };
        let Some(read) = host::buffer(buffer, size, read) else {
            // The piece goes on unseen, behind what was held back.
            host::replace_buffer(buffer, 0, &editor.finish());
            return None;
        };
        edited = read;
    }
    let held = if is_end { editor.finish() } else { Vec::new() };
    if edited.is_none() && held.is_empty() {
        return Some(editor);
    }
    let bytes = [edited.unwrap_or_default(), held].concat();
    // Refused, the piece went on as it was, and no more may be held back.
    host::replace_buffer(buffer, size, &bytes).then_some(editor)
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
