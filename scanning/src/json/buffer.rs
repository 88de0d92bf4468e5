//! A buffer for a token that comes in several pieces or has escapes.

use crate::word;

/// The first `N` bytes of a token.
pub(super) struct Buffer<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Default for Buffer<N> {
    fn default() -> Buffer<N> {
        Buffer { bytes: [0; N], len: 0 }
    }
}

impl<const N: usize> Buffer<N> {
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// Appends as much of `more` as there is room for.
    pub(super) fn extend(&mut self, more: &[u8]) {
        self.len = append(&mut self.bytes, self.len, more);
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// Returns the new length. Compiled once for all sizes.
#[inline(never)]
fn append(bytes: &mut [u8], len: usize, more: &[u8]) -> usize {
    let room = bytes.get_mut(len..).unwrap_or_default();
    let fits = more.len().min(room.len());
    word::copy(more.get(..fits).unwrap_or_default(), room);
    len.saturating_add(fits)
}
