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
/// Room for some blocks, so that the history is not moved for each of them.
const ROOM_BYTES: usize = HISTORY_BYTES + 2 * BLOCK_BYTES;

/// The state between two pieces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recent {
    bytes: [u8; ROOM_BYTES],
    /// Of `bytes`: all of the text, those that were read, and where the block ends that is gathered.
    len: u16,
    read: u16,
    block_end: u16,
}

impl Default for Recent {
    fn default() -> Recent {
        Recent { bytes: [0; ROOM_BYTES], len: 0, read: 0, block_end: RECENT_BYTES as u16 }
    }
}

impl Recent {
    /// Adds a piece if all of it fits into the block.
    #[inline(always)]
    pub(super) fn gather(&mut self, piece: &[u8]) -> bool {
        let block = usize::from(self.len)..usize::from(self.block_end);
        let Some(room) = self.bytes.get_mut(block).and_then(|room| room.get_mut(..piece.len())) else {
            return false;
        };
        word::copy(piece, room);
        self.len = self.len.saturating_add(piece.len() as u16); // it fits
        true
    }

    /// Adds as much of a piece as fits into the block. Returns what does not.
    pub(super) fn fill<'p>(&mut self, piece: &'p [u8]) -> &'p [u8] {
        let room = usize::from(self.block_end.saturating_sub(self.len));
        let (now, after) = piece.split_at(room.min(piece.len()));
        self.gather(now);
        after
    }

    /// The text that is kept, and where in it begins what was not read yet.
    pub(super) fn text(&self) -> (&[u8], usize) {
        let first = usize::from(self.read).saturating_sub(HISTORY_BYTES);
        let text = self.bytes.get(first..usize::from(self.len)).unwrap_or_default();
        (text, usize::from(self.read).saturating_sub(first))
    }

    /// The block and its history, if it is complete.
    pub(super) fn full(&self) -> Option<&[u8; RECENT_BYTES]> {
        let text = self.bytes.get(..usize::from(self.len))?;
        if self.len == self.block_end { text.last_chunk() } else { None }
    }

    /// All of the text was read. Makes room for a block if there is none.
    pub(super) fn set_read(&mut self) {
        if self.len == self.block_end {
            if usize::from(self.len) == ROOM_BYTES {
                self.bytes.copy_within(ROOM_BYTES - HISTORY_BYTES.., 0);
                self.len = HISTORY_BYTES as u16;
            }
            self.block_end = self.len.saturating_add(BLOCK_BYTES as u16);
        }
        self.read = self.len;
    }

    /// The text has ended.
    pub(super) fn clear(&mut self) {
        (self.len, self.read, self.block_end) = (0, 0, RECENT_BYTES as u16);
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
