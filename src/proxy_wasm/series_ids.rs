//! Envoy's ids of series, by the hashes of their names.

use alloc::vec::Vec;

use crate::fnv;

/// The slots of the smallest table. The number of slots is a power of two.
const SLOTS_MIN: usize = 256;

/// A hash table with open addressing. Its keys are hashes already, and entries are never removed.
#[derive(Default)]
pub(super) struct SeriesIds {
    slots: Vec<Option<(u64, u32)>>,
    count: usize,
}

impl SeriesIds {
    pub(super) const fn new() -> SeriesIds {
        SeriesIds { slots: Vec::new(), count: 0 }
    }

    pub(super) fn get(&self, hash: u64) -> Option<u32> {
        let slot = *self.slots.get(self.slot(hash)?)?;
        slot.map(|(_, id)| id)
    }

    /// Adds an id whose hash is not in the table yet.
    pub(super) fn insert(&mut self, hash: u64, id: u32) {
        // At most half full, so that a free slot is near.
        if self.count >= self.slots.len() / 2 {
            let size = self.slots.len().saturating_mul(2).max(SLOTS_MIN);
            let old = core::mem::replace(&mut self.slots, vec![None; size]);
            old.into_iter().flatten().for_each(|(hash, id)| self.put(hash, id));
        }
        self.put(hash, id);
        self.count = self.count.saturating_add(1);
    }

    fn put(&mut self, hash: u64, id: u32) {
        let slot = self.slot(hash).and_then(|at| self.slots.get_mut(at));
        slot.into_iter().for_each(|slot| *slot = Some((hash, id)));
    }

    /// The slot of this hash, or the free slot for it; `None` while the table is empty.
    fn slot(&self, hash: u64) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let start = usize::try_from(hash & u64::try_from(mask).ok()?).ok()?;
        let (after, before) = (self.slots.get(start..)?, self.slots.get(..start)?);
        let is_there = |slot: &Option<(u64, u32)>| slot.is_none_or(|(known, _)| known == hash);
        let steps = after.iter().chain(before).position(is_there)?;
        Some(start.wrapping_add(steps) & mask)
    }
}

/// Names come from the operator's configuration only, so nobody can provoke a collision.
pub(super) fn hash(kind: u8, name: &str) -> u64 {
    fnv::hash(core::iter::once(kind).chain(name.bytes()))
}

#[cfg(test)]
mod tests {
    use super::{SeriesIds, hash};

    #[test]
    fn finds_each_of_many_and_no_other() {
        let mut ids = SeriesIds::new();
        assert_eq!(ids.get(hash(0, "a")), None);
        let names =
            |range: std::ops::Range<u32>| range.map(|n| (n, hash(1, &format!("llm_requests_total.{n}"))));
        for (n, hash) in names(0..20_000) {
            ids.insert(hash, n);
        }
        // Hashes that share their first slot.
        for n in 0..100_u32 {
            ids.insert(u64::from(n) << 48, n);
        }
        assert!(names(0..20_000).all(|(n, hash)| ids.get(hash) == Some(n)));
        assert!((0..100).all(|n| ids.get(u64::from(n) << 48) == Some(n)));
        assert!(names(20_000..40_000).all(|(_, hash)| ids.get(hash).is_none()));
        assert_ne!(hash(0, "a"), hash(1, "a"));
    }
}
