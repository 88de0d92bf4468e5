//! How thick callbacks come, and what is spared where they come thick.
//!
//! A look at the clock and an update of a counter are a call of the host each, and together a good part of what a request
//! costs. Where a worker has [`LOOKS`] of them within [`THICK_US_MAX`], the clock is read once a tick of
//! [`TICK_MS`], or once in so many looks, and what counters are to be added waits for the tick. So moments may
//! be a millisecond early there, which is the unit they are counted in. Where callbacks come thin, as on most workers at
//! most times, each moment is read, each counter counts at once, and nothing ticks.

use alloc::vec::Vec;

use crate::moment::UnixMs;
use crate::observe::Micros;

/// How often the host calls back while callbacks come thick.
pub(super) const TICK_MS: u32 = 1;
/// So many looks at the clock
const LOOKS: u32 = 32;
/// within this time are thick. A tick costs about as much as five looks.
const THICK_US_MAX: Micros = 2_000;
/// With fewer looks since the last tick they are thin again.
const TICK_LOOKS_MIN: u32 = 6;
/// The host has forgotten to tick where a moment is read so long after the last.
const LOST_US: Micros = 100_000;
/// Counters that wait with something to add; any other is added to at once.
const SUMS_MAX: usize = 256;

/// What a callback is spared on one worker.
pub(super) struct Pace {
    is_thick: bool,
    /// The moment that was read last.
    now: Micros,
    /// The time of day at that moment, if it was asked for.
    wall: Option<UnixMs>,
    /// So many looks at the clock get that moment, too.
    spared: u32,
    /// Looks since the last tick; where none come, since `began`.
    looks: u32,
    began: Micros,
    /// What is to be added, by metric, in order.
    sums: Vec<(u32, u64)>,
}

impl Pace {
    pub(super) const fn new() -> Pace {
        Pace { is_thick: false, now: 0, wall: None, spared: 0, looks: 0, began: 0, sums: Vec::new() }
    }

    pub(super) fn is_thick(&self) -> bool {
        self.is_thick
    }

    /// The moment, if it need not be read.
    pub(super) fn now(&mut self) -> Option<Micros> {
        self.looks = self.looks.saturating_add(1);
        self.spared = self.spared.checked_sub(1)?;
        Some(self.now)
    }

    /// The moment has been read. Whether callbacks have become thick, so that ticks are to be asked for.
    pub(super) fn read(&mut self, now: Micros) -> bool {
        let was_thick = self.is_thick;
        if was_thick {
            self.is_thick = now.saturating_sub(self.now) < LOST_US;
        } else if self.looks >= LOOKS {
            self.is_thick = now.saturating_sub(self.began) < THICK_US_MAX;
            (self.began, self.looks) = (now, if self.is_thick { LOOKS } else { 0 });
        }
        (self.now, self.wall) = (now, None);
        self.spared = if self.is_thick { LOOKS } else { 0 };
        self.is_thick && !was_thick
    }

    /// The time of day, from `read` if it is not known.
    pub(super) fn wall_clock(&mut self, read: impl FnOnce() -> UnixMs) -> UnixMs {
        let known = self.wall.filter(|_| self.is_thick);
        *self.wall.insert(known.unwrap_or_else(read))
    }

    /// The host has called back: what waits is to be added now, and the next moment to be read.
    pub(super) fn tick(&mut self) {
        self.is_thick &= self.looks >= TICK_LOOKS_MIN;
        (self.looks, self.spared) = (0, 0);
    }

    /// No tick will come.
    pub(super) fn thin(&mut self) {
        (self.is_thick, self.spared) = (false, 0);
    }

    /// A counter is to be added to. `Some` if that is to be done at once.
    pub(super) fn add(&mut self, metric: u32, value: u64) -> Option<u64> {
        if !self.is_thick {
            return Some(value);
        }
        match self.sums.binary_search_by_key(&metric, |(metric, _)| *metric) {
            Ok(at) => self.sums.get_mut(at).iter_mut().for_each(|(_, sum)| *sum = sum.saturating_add(value)),
            Err(_) if self.sums.len() == SUMS_MAX => return Some(value),
            Err(at) => self.sums.insert(at, (metric, value)),
        }
        None
    }

    /// Takes what waits to be added.
    pub(super) fn sums(&mut self) -> impl Iterator<Item = (u32, u64)> {
        self.sums.drain(..)
    }
}
