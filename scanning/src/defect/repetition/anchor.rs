//! Words that come again and again at one distance: what repeats is longer than the bytes that are kept.

use super::super::recent::{BLOCK_BYTES, HISTORY_BYTES};
use super::lines::hash;
use super::{PERIOD_BYTES_MAX, rarest};
use crate::lanes::has_all;
use memchr::memchr;

/// Bytes that are looked for.
const ANCHOR_BYTES: usize = 16;
/// Bytes before them, which must be the same too.
const CONTEXT_BYTES: usize = 96;
/// If they do not come again within so many bytes, others are taken.
const DISTANCE_BYTES_MAX: u32 = 2048;
/// So many times in a row at the same distance: at the end of a text, and before.
const TIMES_AT_END: u8 = 3;
const TIMES: u8 = 6;

/// The state between two blocks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Anchor {
    bytes: [u8; ANCHOR_BYTES],
    context_hash: u32,
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
            if let Some(bytes) = self.find(text) {
                let distance = self.since.saturating_add(bytes);
                self.times = if distance == self.distance { self.times.saturating_add(1) } else { 1 };
                self.distance = distance;
                self.since = (BLOCK_BYTES as u32).saturating_sub(bytes);
                return;
            }
            self.since = self.since.saturating_add(BLOCK_BYTES as u32);
        }
        if (!self.is_set || self.since > DISTANCE_BYTES_MAX)
            && let Some((before, bytes)) = text.split_last_chunk()
        {
            let is_set = is_prose(bytes);
            *self = Anchor { bytes: *bytes, context_hash: context_hash(before), is_set, ..Anchor::default() };
        }
    }

    /// Where they come in the last block: so many bytes of it are before their end.
    fn find(&self, text: &[u8]) -> Option<u32> {
        let [a, .., b, _, _, _, _, _, _, c] = self.bytes;
        // They may begin before the block, and end in it.
        let first = HISTORY_BYTES.saturating_sub(ANCHOR_BYTES);
        let window = |at: usize| text.get(first.saturating_add(at)..)?.first_chunk::<BLOCK_BYTES>();
        if !has_all([(window(1)?, a), (window(ANCHOR_BYTES - 7)?, b), (window(ANCHOR_BYTES)?, c)]) {
            return None;
        }
        let (at, rarest) = rarest(&self.bytes)?;
        let mut from = first.saturating_add(1).saturating_add(at);
        while let Some(found) = memchr(rarest, text.get(from..)?) {
            let start = from.saturating_add(found).saturating_sub(at);
            let end = start.saturating_add(ANCHOR_BYTES);
            if *text.get(start..end)? == self.bytes && context_hash(text.get(..start)?) == self.context_hash {
                return u32::try_from(end.saturating_sub(HISTORY_BYTES)).ok();
            }
            from = from.saturating_add(found).saturating_add(1);
        }
        None
    }

    pub(super) fn is_endless(&self, is_end: bool) -> bool {
        let times_min = if is_end { TIMES_AT_END } else { TIMES };
        let is_long = self.distance > PERIOD_BYTES_MAX as u32;
        let goes_on = self.since <= self.distance.saturating_add(BLOCK_BYTES as u32);
        is_long && goes_on && self.times >= times_min
    }
}

fn context_hash(before: &[u8]) -> u32 {
    hash(before.get(before.len().saturating_sub(CONTEXT_BYTES)..).unwrap_or_default())
}

/// Whether these are words, not code, numbers or a table.
fn is_prose(bytes: &[u8]) -> bool {
    let is_word_byte = |byte: &u8| {
        let is_mark = matches!(byte, b' ' | b'.' | b',' | b';' | b':' | b'!' | b'?' | b'\'' | b'-');
        is_mark || byte.is_ascii_alphabetic() || *byte >= 0x80
    };
    bytes.iter().all(is_word_byte) && bytes.iter().any(|byte| byte.is_ascii_lowercase() || *byte >= 0x80)
}
