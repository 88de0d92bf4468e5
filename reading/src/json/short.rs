//! A small buffer for tokens that came in pieces, or are put together from them.

use super::SHORT_BYTES_MAX;
use crate::word::WORD_BYTES;

/// Up to [`SHORT_BYTES_MAX`] bytes of a token that did not come in one piece, or has escapes.
pub(super) struct Short {
    bytes: [u8; SHORT_BYTES_MAX],
    len: usize,
    /// More came than fits.
    cut: bool,
}

impl Default for Short {
    fn default() -> Short {
        Short { bytes: [0; SHORT_BYTES_MAX], len: 0, cut: false }
    }
}

impl Short {
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut
    }

    pub(super) fn has_room_for(&self, more: &[u8]) -> bool {
        more.len() <= SHORT_BYTES_MAX.saturating_sub(self.len)
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
        self.cut = false;
    }

    pub(super) fn extend(&mut self, more: &[u8]) {
        let fits = more.len().min(SHORT_BYTES_MAX.saturating_sub(self.len));
        let end = self.len.saturating_add(fits);
        if let (Some(slots), Some(more)) = (self.bytes.get_mut(self.len..end), more.get(..fits)) {
            slots.copy_from_slice(more);
        }
        self.len = end;
        self.cut |= fits < more.len();
    }

    /// Takes a run and a byte behind it, if there is room for both in whole words.
    #[inline(always)]
    pub(super) fn gather(&mut self, run: &[u8], byte: u8) -> bool {
        let Some((_, room)) = self.bytes.split_at_mut_checked(self.len) else { return false };
        // In whole words: most runs are a few, and a call that copies costs more.
        let (slots, _) = room.as_chunks_mut();
        let (words, rest) = run.as_chunks::<WORD_BYTES>();
        let Some((slots, last)) = slots.split_at_mut_checked(words.len()) else { return false };
        let Some(last) = last.first_mut() else { return false };
        slots.iter_mut().zip(words).for_each(|(slot, word)| *slot = *word);
        last.iter_mut().zip(rest.iter().chain([&byte])).for_each(|(slot, byte)| *slot = *byte);
        self.len = self.len.saturating_add(run.len()).saturating_add(1);
        true
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}
