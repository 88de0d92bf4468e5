//! Words that come again and again at one distance: what repeats is longer than the bytes that are kept.

use super::period::Period;
use super::{BLOCK_BYTES, HISTORY_BYTES, PERIOD_BYTES_MAX, frequency};
use memchr::memchr;

/// Bytes that are looked for.
const ANCHOR_BYTES: usize = 24;
/// If they do not come again within so many bytes, others are taken.
const DISTANCE_BYTES_MAX: u32 = 2048;
/// So many times in a row at the same distance: at the end of a text, and before.
const TIMES_AT_END: u8 = 3;
const TIMES: u8 = 6;

/// The state between two blocks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Anchor {
    bytes: [u8; ANCHOR_BYTES],
    is_set: bool,
    /// How often they have come at `distance` in a row.
    times: u8,
    distance: u32,
    /// Bytes since they came last.
    since: u32,
}

impl Anchor {
    /// The last block has come. `text` is it, and the bytes before it.
    pub(super) fn push(&mut self, text: &[u8]) {
        if self.is_set {
            let new = text.get(HISTORY_BYTES.saturating_sub(ANCHOR_BYTES)..).unwrap_or_default();
            let is_old = |end: usize| end <= ANCHOR_BYTES;
            let end = find(new, &self.bytes).filter(|&end| !is_old(end));
            match end.and_then(|end| u32::try_from(end.saturating_sub(ANCHOR_BYTES)).ok()) {
                Some(bytes) => {
                    let distance = self.since.saturating_add(bytes);
                    self.times = if distance == self.distance { self.times.saturating_add(1) } else { 1 };
                    self.distance = distance;
                    self.since = (BLOCK_BYTES as u32).saturating_sub(bytes);
                    return;
                }
                None => self.since = self.since.saturating_add(BLOCK_BYTES as u32),
            }
        }
        if (!self.is_set || self.since > DISTANCE_BYTES_MAX)
            && let Some(last) = text.last_chunk()
        {
            let is_set = matches!(Period::of(last), Period::Prose | Period::Lines);
            *self = Anchor { bytes: *last, is_set, ..Anchor::default() };
        }
    }

    pub(super) fn is_endless(&self, is_end: bool) -> bool {
        let times_min = if is_end { TIMES_AT_END } else { TIMES };
        let is_long = self.distance > PERIOD_BYTES_MAX as u32;
        let goes_on = self.since <= self.distance.saturating_add(BLOCK_BYTES as u32);
        is_long && goes_on && self.times >= times_min
    }
}

/// Where the first of these bytes end.
fn find(text: &[u8], anchor: &[u8; ANCHOR_BYTES]) -> Option<usize> {
    let (at, &rarest) = anchor.iter().enumerate().min_by_key(|(_, byte)| frequency(**byte))?;
    let mut from = at;
    while let Some(found) = memchr(rarest, text.get(from..)?) {
        let start = from.saturating_add(found).saturating_sub(at);
        let end = start.saturating_add(ANCHOR_BYTES);
        if text.get(start..end)? == anchor {
            return Some(end);
        }
        from = from.saturating_add(found).saturating_add(1);
    }
    None
}
