//! The last bytes of a text: those that the detectors have read and may look back at, and those that wait to be read.
//!
//! A model's token has a few bytes, and what a detector does for each piece takes longer than the bytes do. So pieces
//! are gathered here, and the detectors read a block at a time.

use crate::word;

/// Bytes that are read at once, at most. The first block of a text is longer: it also fills the history.
pub(super) const BLOCK_BYTES: usize = 128;
/// Bytes before them that are kept.
pub(super) const HISTORY_BYTES: usize = 256;
pub(super) const RECENT_BYTES: usize = HISTORY_BYTES + BLOCK_BYTES;

/// The state between two pieces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recent {
    bytes: [u8; RECENT_BYTES],
    /// Of `bytes`: all of the text, and those that were read.
    len: u16,
    read: u16,
}

impl Default for Recent {
    fn default() -> Recent {
        Recent { bytes: [0; RECENT_BYTES], len: 0, read: 0 }
    }
}

impl Recent {
    /// Adds a piece if all of it fits.
    #[inline(always)]
    pub(super) fn gather(&mut self, piece: &[u8]) -> bool {
        let Some(room) = self.bytes.get_mut(usize::from(self.len)..) else { return false };
        let Some(room) = room.get_mut(..piece.len()) else { return false };
        word::copy(piece, room);
        self.len = self.len.saturating_add(piece.len() as u16); // it fits
        true
    }

    /// Adds as much of a piece as fits. Returns what does not.
    pub(super) fn fill<'p>(&mut self, piece: &'p [u8]) -> &'p [u8] {
        let room = RECENT_BYTES.saturating_sub(self.len.into());
        let (now, after) = piece.split_at(room.min(piece.len()));
        self.gather(now);
        after
    }

    /// The text that is kept, and where in it begins what was not read yet.
    pub(super) fn text(&self) -> (&[u8], usize) {
        (self.bytes.get(..usize::from(self.len)).unwrap_or_default(), self.read.into())
    }

    /// The whole of it, if there is no room.
    pub(super) fn full(&self) -> Option<&[u8; RECENT_BYTES]> {
        (usize::from(self.len) == RECENT_BYTES).then_some(&self.bytes)
    }

    /// All of the text was read. Makes room for a block if there is none.
    pub(super) fn set_read(&mut self) {
        if usize::from(self.len) == RECENT_BYTES {
            self.bytes.copy_within(BLOCK_BYTES.., 0);
            self.len = HISTORY_BYTES as u16;
        }
        self.read = self.len;
    }

    /// The text has ended.
    pub(super) fn clear(&mut self) {
        (self.len, self.read) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the pieces: all bytes are read once, in order, and what is before them is kept.
        #[test]
        fn all_is_read(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20)) {
            let (mut recent, mut seen, all) = (Recent::default(), Vec::new(), pieces.concat());
            let mut read = |recent: &mut Recent| {
                let (text, from) = recent.text();
                seen.extend_from_slice(&text[from..]);
                assert!(seen.ends_with(text) && text.len() >= seen.len().min(HISTORY_BYTES));
                recent.set_read();
            };
            for piece in &pieces {
                let mut rest = &piece[..];
                while !recent.gather(rest) {
                    rest = recent.fill(rest);
                    read(&mut recent);
                }
            }
            read(&mut recent);
            prop_assert_eq!(seen, all);
        }
    }
}
