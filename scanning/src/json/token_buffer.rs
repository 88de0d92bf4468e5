//! A buffer for a token that comes in several pieces or has escapes.

use super::SHORT_BYTES_MAX;
use crate::word::{self, WORD_BYTES};

/// Bytes of a token that are kept. A text with many escapes is reported in pieces of so many bytes, and each takes time.
pub(super) const TOKEN_BYTES_MAX: usize = 192;
const _: () = assert!(TOKEN_BYTES_MAX >= SHORT_BYTES_MAX);

/// The first [`TOKEN_BYTES_MAX`] bytes of a token.
pub(super) struct TokenBuffer {
    bytes: [u8; TOKEN_BYTES_MAX],
    len: usize,
    /// The token is longer than the buffer.
    is_cut: bool,
}

impl Default for TokenBuffer {
    fn default() -> TokenBuffer {
        TokenBuffer { bytes: [0; TOKEN_BYTES_MAX], len: 0, is_cut: false }
    }
}

impl TokenBuffer {
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    pub(super) fn has_room_for(&self, more: &[u8]) -> bool {
        more.len() <= self.room()
    }

    #[expect(clippy::arithmetic_side_effects, reason = "`len` is at most TOKEN_BYTES_MAX")]
    fn room(&self) -> usize {
        TOKEN_BYTES_MAX - self.len
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
        self.is_cut = false;
    }

    /// Appends as much of `more` as there is room for.
    #[expect(clippy::arithmetic_side_effects, reason = "`fits` is at most the room left")]
    pub(super) fn extend(&mut self, more: &[u8]) {
        let fits = more.len().min(self.room());
        let end = self.len + fits;
        if let (Some(slots), Some(more)) = (self.bytes.get_mut(self.len..end), more.get(..fits)) {
            word::copy(more, slots);
        }
        self.len = end;
        self.is_cut |= fits < more.len();
    }

    /// Appends `run` and `byte`. False, and nothing done, if there is no room for them rounded up to whole words.
    #[inline(always)]
    #[expect(clippy::arithmetic_side_effects, reason = "both fit into the buffer")]
    pub(super) fn append(&mut self, run: &[u8], byte: u8) -> bool {
        let Some((_, room)) = self.bytes.split_at_mut_checked(self.len) else { return false };
        // Copied in words: most runs are a few words long, and a call of memcpy costs more.
        let (slots, _) = room.as_chunks_mut();
        let (words, rest) = run.as_chunks::<WORD_BYTES>();
        let Some((slots, last)) = slots.split_at_mut_checked(words.len()) else { return false };
        let Some(last) = last.first_mut() else { return false };
        slots.iter_mut().zip(words).for_each(|(slot, word)| *slot = *word);
        last.iter_mut().zip(rest.iter().chain([&byte])).for_each(|(slot, byte)| *slot = *byte);
        self.len += run.len() + 1;
        true
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}
