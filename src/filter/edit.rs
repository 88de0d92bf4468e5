//! One piece of a body, edited on its way.

use alloc::vec::Vec;

use super::host::{Body, Host};
use crate::edit::Editor;

/// The longest piece that is edited. Envoy hands over up to its buffer limit at once, 1 MiB if not told otherwise.
const EDIT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Shows a piece of `size` bytes to `see`, and puts what the editor makes of it in its place. Returns the editor, or
/// `None` if it is not to edit any more: what it had held back has then gone on.
pub(super) fn edit<E: Editor>(
    host: impl Host,
    body: Body,
    mut editor: E,
    size: usize,
    is_end: bool,
    mut see: impl FnMut(&[u8]),
) -> Option<E> {
    let is_short = size <= EDIT_BYTES_MAX;
    let mut edited = Edited::default();
    let is_read = host.read_body(body, 0, size, |bytes| {
        see(bytes);
        if is_short {
            edited.push(bytes, editor.push(bytes));
        }
        true
    });
    let stays = is_short && is_read;
    if is_end || !stays {
        // What was not read follows what was held back.
        edited.append(editor.finish());
    }
    // If the host refuses, the piece went on as it was, and no more may be held back.
    (edited.put(host, body) && stays).then_some(editor)
}

/// What has been read of a body, as it is to go on.
#[derive(Default)]
pub(super) struct Edited {
    pub(super) read_bytes: usize,
    pub(super) bytes: Vec<u8>,
    is_changed: bool,
}

impl Edited {
    /// A piece was read; `edited` is what an editor made of it, if it is not to go on as it is.
    pub(super) fn push(&mut self, piece: &[u8], edited: Option<Vec<u8>>) {
        self.read_bytes = self.read_bytes.saturating_add(piece.len());
        self.is_changed |= edited.is_some();
        self.bytes.extend_from_slice(edited.as_deref().unwrap_or(piece));
    }

    /// These bytes follow.
    pub(super) fn append(&mut self, held: Vec<u8>) {
        self.is_changed |= !held.is_empty();
        self.bytes.extend(held);
    }

    /// Puts it in the place of what was read, where that differs. Returns false if the host refuses.
    pub(super) fn put(&self, host: impl Host, body: Body) -> bool {
        !self.is_changed || host.replace_body(body, self.read_bytes, &self.bytes)
    }
}
