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
        } else if self.looks <= 1 {
            self.began = now;
        } else if self.looks >= LOOKS {
            self.is_thick = now.saturating_sub(self.began) < THICK_US_MAX;
            self.looks = if self.is_thick { LOOKS } else { 0 };
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
        (self.is_thick, self.spared, self.looks) = (false, 0, 0);
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// A worker whose host ticks as it is asked to.
    struct Worker {
        pace: Pace,
        /// The true time.
        us: Micros,
        next_tick_us: Option<Micros>,
        reads: usize,
        sums: BTreeMap<u32, u64>,
    }

    impl Worker {
        fn new() -> Worker {
            Worker { pace: Pace::new(), us: 5_000_000, next_tick_us: None, reads: 0, sums: BTreeMap::new() }
        }

        fn passes(&mut self, us: Micros) {
            self.us += us;
            if self.next_tick_us.is_some_and(|tick_us| tick_us <= self.us) {
                self.pace.tick();
                self.add_up();
                self.next_tick_us = self.pace.is_thick().then_some(self.us + 1000);
            }
        }

        fn look(&mut self) -> Micros {
            self.pace.now().unwrap_or_else(|| {
                self.reads += 1;
                if self.pace.read(self.us) {
                    self.next_tick_us = Some(self.us + 1000);
                }
                if !self.pace.is_thick() {
                    self.add_up();
                }
                self.us
            })
        }

        fn count(&mut self, metric: u32, value: u64) {
            if let Some(value) = self.pace.add(metric, value) {
                *self.sums.entry(metric).or_default() += value;
            }
        }

        fn add_up(&mut self) {
            for (metric, sum) in self.pace.sums() {
                *self.sums.entry(metric).or_default() += sum;
            }
        }
    }

    #[test]
    fn where_looks_come_thin_each_is_at_the_clock() {
        let mut worker = Worker::new();
        for _ in 0..1000 {
            worker.passes(100);
            assert_eq!(worker.look(), worker.us);
        }
        assert_eq!((worker.reads, worker.next_tick_us), (1000, None));
    }

    #[test]
    fn where_looks_come_thick_few_are_and_none_is_late() {
        let mut worker = Worker::new();
        for _ in 0..10_000 {
            worker.passes(10);
            let late = worker.us - worker.look();
            assert!(late <= 1000, "{late}");
        }
        assert!(worker.reads < 10_000 / 20, "{}", worker.reads);
        // When they stop, so do the ticks.
        (0..3).for_each(|_| worker.passes(1000));
        assert_eq!(worker.next_tick_us, None);
        assert_eq!(worker.look(), worker.us);
    }

    #[test]
    fn a_host_that_forgets_to_tick_is_not_waited_for() {
        let mut worker = Worker::new();
        while !worker.pace.is_thick() {
            worker.look();
        }
        worker.count(1, 2);
        worker.next_tick_us = None;
        for _ in 0..2 * LOOKS {
            worker.passes(LOST_US);
            worker.look();
        }
        assert_eq!((worker.look(), worker.sums[&1]), (worker.us, 2));
    }

    proptest! {
        #[test]
        fn all_is_counted_and_time_never_goes_back(
            steps in prop::collection::vec((0..4, 0..700_u64, 0..400_u32), 0..2000),
            us in prop::sample::select(vec![1_u64, 20, 700]),
        ) {
            let (mut worker, mut last) = (Worker::new(), 0);
            let mut counted = BTreeMap::<u32, u64>::new();
            for (what, number, metric) in steps {
                match what {
                    0 => worker.passes(number.min(us)),
                    1 => {
                        worker.count(metric, number);
                        *counted.entry(metric).or_default() += number;
                    }
                    _ => {
                        let now = worker.look();
                        prop_assert!(last <= now && now <= worker.us && worker.us - now <= 1700);
                        last = now;
                    }
                }
            }
            worker.pace.thin();
            worker.add_up();
            prop_assert_eq!(worker.sums, counted);
        }
    }
}
