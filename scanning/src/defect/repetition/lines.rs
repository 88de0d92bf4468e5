//! Lines that repeat, one by one or several in turn. Empty lines do not count.

use super::period::{Period, Run};
use crate::word::WORD_BYTES;

/// Lines whose hashes are kept. A power of two.
const LINES: usize = 16;
const LINES_MASK: usize = LINES - 1;
/// Bytes of the end of a line that are hashed.
const HASHED_BYTES_MAX: usize = 256;
/// A line with fewer letters says too little.
const LETTERS_MIN: usize = 8;

/// The state between two lines.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lines {
    /// Of the last lines: the latest is before `next`.
    hashes: [u32; LINES],
    /// Lines so far, modulo [`LINES`].
    next: u8,
    /// Bytes of this line so far. All counts saturate.
    length: u32,
    /// After how many lines they repeat; 0 if they do not.
    period: u8,
    /// Lines that are equal to those one period earlier, and their bytes.
    equal: u32,
    equal_bytes: u32,
}

impl Lines {
    #[inline]
    pub(super) fn push(&mut self, bytes: u32) {
        self.length = self.length.saturating_add(bytes);
    }

    /// The line has ended. `text` ends with it. Returns the repetition that ended before this line.
    pub(super) fn end_line(&mut self, text: &[u8]) -> Option<Run> {
        let length = core::mem::take(&mut self.length);
        let kept = usize::try_from(length).unwrap_or(usize::MAX).min(HASHED_BYTES_MAX);
        let line = text.get(text.len().saturating_sub(kept)..).unwrap_or_default().trim_ascii();
        if line.is_empty() {
            return None;
        }
        let hash = hash(line) ^ length;
        let mut ended = None;
        if self.period > 0 && self.before(self.period) != Some(hash) {
            ended = self.run();
            (self.period, self.equal, self.equal_bytes) = (0, 0, 0);
        }
        if self.period == 0 {
            let nearest = |hashes: &[u32; LINES]| {
                let is_same = |lines: &u8| self.before(*lines) == Some(hash);
                if hashes.contains(&hash) { (1..=LINES as u8).find(is_same) } else { None }
            };
            // Most lines are new, so what they are made of is asked last.
            self.period = nearest(&self.hashes).filter(|_| is_prose(line)).unwrap_or(0);
        }
        if self.period > 0 {
            self.equal = self.equal.saturating_add(1);
            self.equal_bytes = self.equal_bytes.saturating_add(length);
        }
        if let Some(slot) = self.hashes.get_mut(usize::from(self.next)) {
            *slot = hash;
        }
        self.next = self.next.wrapping_add(1) & LINES_MASK as u8;
        ended
    }

    /// The repetition up to now, in bytes.
    pub(super) fn run(&self) -> Option<Run> {
        let periods = self.equal.checked_div(self.period.into())?;
        let period = self.equal_bytes.checked_div(periods)?;
        // The first period was equal to nothing.
        Some(Run { bytes: self.equal_bytes.saturating_add(period), period })
    }

    fn before(&self, lines: u8) -> Option<u32> {
        let at = usize::from(self.next).wrapping_sub(lines.into()) & LINES_MASK;
        self.hashes.get(at).copied()
    }
}

/// Whether a line is made of words, and is no row of a table, no markup and no form to be filled in.
fn is_prose(line: &[u8]) -> bool {
    let is_letter = |byte: &&u8| byte.is_ascii_alphabetic() || **byte >= 0x80;
    let is_data = matches!(line.first(), Some(b'|' | b'<' | b'{' | b'['));
    // The cheapest first.
    !is_data
        && line.iter().filter(is_letter).nth(LETTERS_MIN - 1).is_some()
        && !has_blank(line)
        && Period::of(line) == Period::Prose
}

/// Whether there is a place to be filled in.
fn has_blank(line: &[u8]) -> bool {
    line.windows(4).any(|four| four == b"____" || four == b"....")
}

/// Hashes bytes. Not for keys, only to tell texts apart.
#[inline(never)]
pub(super) fn hash(line: &[u8]) -> u32 {
    let mix = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let word = |bytes: [u8; WORD_BYTES]| u64::from_le_bytes(bytes);
    let (pairs, rest) = line.as_chunks::<{ 2 * WORD_BYTES }>();
    // Two at a time, as neither waits for the other.
    let (a, b) = pairs.iter().fold((0, 0), |(a, b), pair| {
        let pair = u128::from_le_bytes(*pair);
        (mix(a, pair as u64), mix(b, (pair >> 64) as u64))
    });
    // The last words may overlap those before.
    let last = match (line.last_chunk(), rest) {
        (_, []) => 0,
        (Some(last), _) => mix(rest.first_chunk().copied().map_or(0, word), word(*last)),
        (None, _) => rest.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    };
    (mix(mix(a, b), last) >> 32) as u32
}
