//! `tool_name_unknown`: the answer calls a tool that the request did not offer.
//!
//! Only hashes of the offered names are kept: of up to [`WIDE_NAMES`] names 32 bits each, of more 16 bits. So the chance
//! that an unknown name is not found is 1 in 67 million for each name, or with more names 1 in 65,000. A known name is
//! never reported.

use crate::fnv;
use alloc::sync::Arc;

/// Offered names that are kept. Of more, none is known to be unknown.
pub const NAMES_MAX: usize = 128;
/// Names of which 32 bits are kept.
const WIDE_NAMES: usize = NAMES_MAX / 2;

/// The names of the tools that a request offers. A clone shares their hashes.
#[derive(Clone, Debug, Default)]
pub struct OfferedNames {
    /// The low halves of all hashes. The high halves of the first [`WIDE_NAMES`] are in the second half, until there
    /// are more names. `None` before the first name: most requests offer no tools.
    hashes: Option<Arc<[u16; NAMES_MAX]>>,
    /// At most one more than [`NAMES_MAX`].
    len: u16,
}

impl OfferedNames {
    /// Adds a name.
    pub fn add(&mut self, name: &[u8]) {
        let (low, high) = halves(name);
        let at = usize::from(self.len);
        // With 16 bits two names may look alike.
        if at > NAMES_MAX || at <= WIDE_NAMES && self.has(low, high) {
            return;
        }
        let hashes = Arc::make_mut(self.hashes.get_or_insert_with(|| Arc::new([0; NAMES_MAX])));
        if let Some(slot) = hashes.get_mut(at) {
            *slot = low;
        }
        if at < WIDE_NAMES
            && let Some(slot) = hashes.get_mut(at.saturating_add(WIDE_NAMES))
        {
            *slot = high;
        }
        self.len = self.len.saturating_add(1);
    }

    /// Whether a call of this name is known to be a call of something that was not offered.
    #[must_use]
    pub fn is_unknown(&self, name: &[u8]) -> bool {
        let (low, high) = halves(name);
        let is_known = self.len == 0 || usize::from(self.len) > NAMES_MAX;
        !is_known && !self.has(low, high)
    }

    fn has(&self, low: u16, high: u16) -> bool {
        let Some(hashes) = &self.hashes else { return false };
        let len = usize::from(self.len);
        let lows = hashes.iter().take(len);
        if len > WIDE_NAMES {
            return lows.into_iter().any(|&hash| hash == low);
        }
        let highs = hashes.iter().skip(WIDE_NAMES);
        lows.zip(highs).any(|pair| pair == (&low, &high))
    }
}

fn halves(name: &[u8]) -> (u16, u16) {
    let hash = fnv::hash(name.iter().copied());
    ((hash ^ hash >> 32) as u16, ((hash ^ hash >> 32) >> 16) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offered_names_are_known_at_any_number() {
        let names: Vec<String> = (0..NAMES_MAX + 1).map(|number| format!("get_item_{number}")).collect();
        let mut offered = OfferedNames::default();
        assert!(!offered.is_unknown(b"get_weather"), "none is named");
        for (at, name) in names.iter().enumerate() {
            offered.add(name.as_bytes());
            for known in &names[..=at] {
                assert!(!offered.is_unknown(known.as_bytes()), "{known} of {}", at + 1);
            }
            assert_eq!(offered.is_unknown(b"get_weather"), at < NAMES_MAX, "{}", at + 1);
        }
    }
}
