//! Edits one piece of a body as it passes.

use alloc::vec::Vec;

use super::host::{Body, Host};
use crate::edit::Editor;

/// The longest piece that is edited. Envoy passes up to its buffer limit at once, 1 MiB by default.
const EDIT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Lends a piece of `size` bytes to `see`, and replaces it by the editor's output. Returns the editor, or `None` once
/// editing has ended and the bytes that the editor held back have been passed on.
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
            match editor.push(bytes) {
                // Most pieces come as one slice and do not change. They are not copied, unless the end may append to them.
                None if bytes.len() == size && !is_end => {}
                replacement => edited.push(bytes, replacement),
            }
        }
        true
    });
    let stays = is_short && is_read;
    if is_end || !stays {
        // The unread rest of the piece follows the bytes that were held back.
        edited.append(editor.finish());
    }
    // If the host refuses, the piece passes unchanged, and the editor must not hold back any more.
    (edited.put(host, body) && stays).then_some(editor)
}

/// The bytes read of a body, after editing.
#[derive(Default)]
pub(super) struct Edited {
    pub(super) read_bytes: usize,
    pub(super) bytes: Vec<u8>,
    is_changed: bool,
}

impl Edited {
    /// Adds a piece that was read: `edited`, or the piece itself if the editor did not change it.
    pub(super) fn push(&mut self, piece: &[u8], edited: Option<Vec<u8>>) {
        self.read_bytes = self.read_bytes.saturating_add(piece.len());
        self.is_changed |= edited.is_some();
        self.bytes.extend_from_slice(edited.as_deref().unwrap_or(piece));
    }

    /// Adds bytes that the editor held back.
    pub(super) fn append(&mut self, held: Vec<u8>) {
        self.is_changed |= !held.is_empty();
        self.bytes.extend(held);
    }

    /// Replaces the bytes read by the edited ones, if they differ. Returns false if the host refuses.
    pub(super) fn put(&self, host: impl Host, body: Body) -> bool {
        !self.is_changed || host.replace_body(body, self.read_bytes, &self.bytes)
    }
}
