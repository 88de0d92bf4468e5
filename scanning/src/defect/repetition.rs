//! `repetition`: the answer, or its reasoning, repeats itself without an end.
//!
//! In: text in any pieces. Short periods are found in the last bytes of the text: each [`BLOCK_BYTES`](super::recent::BLOCK_BYTES) bytes the last
//! of them are looked for among those before. From then on each byte is compared with that one period earlier, as long
//! as they are equal. Longer periods are found by the hashes of lines (`lines.rs`), or by words that come again and again at one
//! distance (`anchor.rs`).
//!
//! Lists, tables, refrains, numbers and markup also repeat. So how long is too long depends on what repeats
//! (`period.rs`), and on whether the text ends with it: a loop has no end of its own.

mod anchor;
mod lines;
mod period;

use super::markdown::{Place, Segment};
use super::recent::{HISTORY_BYTES, RECENT_BYTES};
use crate::lanes::has_all;
use crate::word::{common_prefix, common_suffix};
use anchor::Anchor;
use lines::Lines;
use memchr::memrchr;
use period::{Period, Run};

/// The longest period that is found by its bytes.
pub(super) const PERIOD_BYTES_MAX: usize = HISTORY_BYTES;
/// Bytes that must be equal to those one period earlier before they are followed.
const EQUAL_BYTES_MIN: usize = 24;
/// The last bytes, all of which must have come before.
const NEEDLE_BYTES: usize = 12;
/// Periods that are tried at a time.
const PERIODS_TRIED_MAX: usize = 24;
/// A text may end so many bytes behind words that repeat, and it still ends with them.
const AFTER_BYTES_MAX: u32 = 24;

/// The state between two segments.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Repetition {
    found: bool,
    /// The period that is followed; 0 if none is.
    period: u16,
    /// Bytes that repeat with it. Saturates, as all counts here.
    run: u32,
    /// The last repetition that would be one at the end of a text, and how many bytes have come since.
    has_ended: bool,
    since: u32,
    lines: Lines,
    anchor: Anchor,
}

impl Repetition {
    pub(super) fn is_found(&self) -> bool {
        self.found
    }

    /// Compares a block with the bytes one period earlier, if a period is followed. It begins at `start` of `text`. Returns
    /// where in `text` the first byte is that differs, or what is beyond.
    #[inline]
    pub(super) fn follow(&mut self, text: &[u8], start: usize, block: &[u8]) -> usize {
        if self.period == 0 || self.found {
            return usize::MAX;
        }
        let old = text.get(start.saturating_sub(self.period.into())..).unwrap_or_default();
        let equal = common_prefix(block, old);
        self.run = self.run.saturating_add(u32::try_from(equal).unwrap_or(u32::MAX));
        if equal < block.len() { start.saturating_add(equal) } else { usize::MAX }
    }

    /// `break_at`: what [`Repetition::follow`] found of its block.
    #[inline]
    pub(super) fn push(&mut self, segment: Segment<'_>, break_at: usize) {
        if self.found {
            return;
        }
        let bytes = u32::try_from(segment.bytes().len()).unwrap_or(u32::MAX);
        self.since = self.since.saturating_add(bytes);
        if (segment.start..segment.text.len()).contains(&break_at) {
            self.end_run(segment, break_at);
        }
        if segment.place != Place::Fence {
            self.lines.push(bytes);
            if segment.ends_line() {
                let line = self.lines.end_line(segment.text);
                self.judge_lines(line, false);
            }
        }
    }

    /// A block of bytes is complete. `place` is that of the last byte.
    #[inline(never)]
    pub(super) fn end_block(&mut self, text: &[u8; RECENT_BYTES], place: Place) {
        if self.found {
            return;
        }
        match place {
            Place::Fence => self.anchor = Anchor::default(),
            Place::Text | Place::Span => self.anchor.push(text),
        }
        self.found |= self.anchor.is_endless(false);
        if self.period == 0 && ends_as_before(text) {
            (self.period, self.run) = search(text);
        }
    }

    /// The item has ended. `text` are its last bytes. `is_cut`: not by itself. The next segment begins another.
    pub(super) fn end(&mut self, text: &[u8], place: Place, is_cut: bool) {
        if !self.found && !is_cut {
            let mut end = text.len();
            if self.period == 0 {
                let trimmed = text.trim_ascii_end();
                let (period, run) = search(trimmed);
                let white_space = u32::try_from(end.saturating_sub(trimmed.len())).unwrap_or(u32::MAX);
                self.found |= Period::White.is_endless(Run { bytes: white_space, period: 1 }, true);
                if period > 0 && white_space <= AFTER_BYTES_MAX {
                    end = trimmed.len();
                    (self.period, self.run) = (period, run);
                }
            }
            self.found |= self.has_ended && self.since <= AFTER_BYTES_MAX;
            self.found |= self.period > 0 && self.judge(text, end, place, true);
            let line = self.lines.end_line(text);
            let run = line.or_else(|| self.lines.run());
            self.judge_lines(run, true);
            self.found |= self.anchor.is_endless(true);
        } else if !self.found && self.period > 0 {
            self.found |= self.judge(text, text.len(), place, false);
        }
        let found = self.found;
        *self = Repetition { found, ..Repetition::default() };
    }

    fn judge_lines(&mut self, run: Option<Run>, is_end: bool) {
        if let Some(run) = run {
            self.found |= Period::Lines.is_endless(run, is_end);
        }
    }

    /// The bytes are not those one period earlier any more, from `end` on, which is in this segment.
    #[inline(never)]
    fn end_run(&mut self, segment: Segment<'_>, end: usize) {
        let run = self.as_run();
        if let Some(kind) = self.kind(segment.text, end, segment.place) {
            self.found |= kind.is_endless(run, false);
            if matches!(kind, Period::Prose | Period::Lines) && kind.is_endless(run, true) {
                self.has_ended = true;
                self.since = u32::try_from(segment.text.len().saturating_sub(end)).unwrap_or(u32::MAX);
            }
        }
        (self.period, self.run) = (0, 0);
    }

    /// Whether the repetition that ends at `end` is endless.
    fn judge(&self, text: &[u8], end: usize, place: Place, is_end: bool) -> bool {
        self.kind(text, end, place).is_some_and(|kind| kind.is_endless(self.as_run(), is_end))
    }

    fn as_run(&self) -> Run {
        Run { bytes: self.run, period: self.period.into() }
    }

    /// What repeats up to `end`. `None` if it is not endless, whatever it is: then it need not be looked at.
    fn kind(&self, text: &[u8], end: usize, place: Place) -> Option<Period> {
        let period = text.get(end.saturating_sub(self.period.into())..end).unwrap_or_default();
        if !self.as_run().may_be_endless(period) {
            return None;
        }
        Some(if place == Place::Fence { Period::Code } else { Period::of(period) })
    }
}

/// Where the last byte may have come before, at the earliest.
const NEWEST_BYTES: usize = RECENT_BYTES - PERIOD_BYTES_MAX - 1;

/// Whether the last bytes may have come before. Three of them are compared everywhere.
fn ends_as_before(text: &[u8; RECENT_BYTES]) -> bool {
    let [.., a, _, _, _, _, b, _, _, _, _, c] = *text;
    // The newest place is one byte before the last.
    let window =
        |back: usize| text.get(NEWEST_BYTES.saturating_sub(back)..)?.first_chunk::<PERIOD_BYTES_MAX>();
    let windows = || Some([(window(10)?, a), (window(5)?, b), (window(0)?, c)]);
    windows().is_some_and(has_all)
}

/// The shortest period with which a text ends, and how many of its last bytes repeat with it; 0 if none is long enough.
fn search(text: &[u8]) -> (u16, u32) {
    let Some((head, needle)) = text.split_last_chunk::<NEEDLE_BYTES>() else { return (0, 0) };
    // Looks for a byte of the needle that is rare in texts.
    let Some((at, byte)) = rarest(needle) else { return (0, 0) };
    let at = head.len().saturating_add(at);
    let first = at.saturating_sub(PERIOD_BYTES_MAX);
    let mut before = text.get(first..at).unwrap_or_default();
    for _ in 0..PERIODS_TRIED_MAX {
        let Some(found) = memrchr(byte, before) else { break };
        let period = at.saturating_sub(first.saturating_add(found));
        let old = text.get(..text.len().saturating_sub(period)).unwrap_or_default();
        if old.last_chunk() == Some(needle) {
            let equal = common_suffix(text, old);
            if equal >= EQUAL_BYTES_MIN.max(period.min(64)) {
                let run = equal.saturating_add(period);
                return (u16::try_from(period).unwrap_or_default(), u32::try_from(run).unwrap_or_default());
            }
        }
        before = before.get(..found).unwrap_or_default();
    }
    (0, 0)
}

/// The byte that is rarest in texts, and where it is; of several the first.
fn rarest(bytes: &[u8]) -> Option<(usize, u8)> {
    let frequency = |byte: u8| FREQUENCIES.get(usize::from(byte)).copied().unwrap_or_default();
    // As one number, so that no branch depends on the text.
    let ranks = bytes.iter().zip(0_u8..).map(|(&byte, at)| u16::from_be_bytes([frequency(byte), at]));
    let [_, at] = ranks.min()?.to_be_bytes();
    Some((at.into(), *bytes.get(usize::from(at))?))
}

/// How frequent each byte is, roughly.
static FREQUENCIES: [u8; 256] = {
    let mut frequencies = [0; 256];
    let mut rest: &mut [u8] = &mut frequencies;
    let mut byte = 0;
    while let [frequency, others @ ..] = rest {
        *frequency = match byte {
            b' ' => 9,
            b'e' | b't' | b'a' => 8,
            b'o' | b'i' | b'n' | b's' | b'r' => 7,
            b'h' | b'l' | b'd' | b'u' | b'c' => 6,
            b'm' | b'f' | b'p' | b'g' | b'w' | b'y' | b'b' => 4,
            // The first bytes of the characters of one script are all alike.
            0xC0.. => 8,
            0x80..0xC0 => 3,
            b'0'..=b'9' => 3,
            _ => 2,
        };
        byte = byte.wrapping_add(1);
        rest = others;
    }
    frequencies
};
