//! Counts that are on their way to Envoy's counters.
//!
//! An exchange adds to some thirteen counters, and each addition is a call of the host. So counts are added up here. While little is
//! counted, they are handed over at the end of the callback that made them. Under load they wait for the next tick, [`TICK_MS`] later at
//! most. There are ticks only while something is counted, or a request waits.

use super::abi;
use crate::observe::Micros;

/// How long counts wait.
const TICK_MS: u32 = 50;
/// How often counts are handed over at once from one tick to the next.
const AT_ONCE_MAX: u32 = 8;
/// Ticks that are so late have been stopped: Envoy does so when it replaces a configuration.
const LATE_US: Micros = 1_000_000;
/// A power of two. A rollout with two versions has some 700 counters that are in use: most are sums by shard.
const SLOTS: usize = 1024;
const SLOT_BITS: u32 = SLOTS.trailing_zeros();

/// The counts of one VM.
pub(super) struct Counters {
    slots: [Slot; SLOTS],
    /// The places of the slots whose count is not 0. An array: all of this is 0 at first, which takes no room in the module.
    used: [u16; SLOTS],
    used_count: usize,
    /// Whether anything was counted since the last tick.
    has_counted: bool,
    /// How often counts were handed over at once since the last tick.
    at_once: u32,
    /// When the last tick came, or ticks were asked for. `None` if there are none.
    ticked: Option<Micros>,
}

#[derive(Clone, Copy)]
struct Slot {
    id: u32,
    /// What is to be added to that counter.
    count: u32,
}

impl Counters {
    pub(super) const fn new() -> Counters {
        let slots = [Slot { id: 0, count: 0 }; SLOTS];
        Counters { slots, used: [0; SLOTS], used_count: 0, has_counted: false, at_once: 0, ticked: None }
    }

    /// Adds to a counter.
    pub(super) fn add(&mut self, id: u32, value: u64) {
        let at = id.wrapping_mul(0x9E37_79B9) >> (u32::BITS - SLOT_BITS);
        let (Some(slot), Ok(place)) = (self.slots.get_mut(at as usize), u16::try_from(at)) else {
            return increment(id, value);
        };
        let count = if slot.id == id { u64::from(slot.count) } else { 0 };
        match u32::try_from(value.saturating_add(count)) {
            Ok(0) => {}
            Ok(count) => {
                if slot.count == 0 {
                    self.used.get_mut(self.used_count).into_iter().for_each(|used| *used = place);
                    self.used_count = self.used_count.saturating_add(1);
                }
                let before = core::mem::replace(slot, Slot { id, count });
                if before.id != id {
                    before.hand_over();
                }
            }
            Err(_) => increment(id, value),
        }
    }

    /// A callback ends. `now` is roughly the time.
    pub(super) fn on_callback_end(&mut self, now: Micros) {
        if self.used_count == 0 {
            return;
        }
        self.has_counted = true;
        self.ask_for_ticks(now);
        if self.ticked.is_none() || self.at_once < AT_ONCE_MAX {
            self.at_once = self.at_once.saturating_add(1);
            self.flush();
        }
    }

    /// Has Envoy make ticks from now on, unless it does.
    pub(super) fn ask_for_ticks(&mut self, now: Micros) {
        let has_ticks = self.ticked.is_some_and(|ticked| now.abs_diff(ticked) < LATE_US);
        if !has_ticks {
            self.flush();
            self.at_once = 0;
            self.ticked = abi::set_tick_period_ms(TICK_MS).then_some(now);
        }
    }

    /// A tick has come. If nothing was counted since the last one and no request waits, it is the last.
    pub(super) fn on_tick(&mut self, now: Micros, has_waiting: impl FnOnce() -> bool) {
        let goes_on = core::mem::take(&mut self.has_counted) || has_waiting();
        self.flush();
        self.at_once = 0;
        self.ticked = goes_on.then_some(now);
        if !goes_on {
            abi::set_tick_period_ms(0);
        }
    }

    /// Hands all counts over.
    fn flush(&mut self) {
        let used_count = core::mem::take(&mut self.used_count);
        for place in self.used.iter().take(used_count) {
            if let Some(slot) = self.slots.get_mut(usize::from(*place)) {
                slot.hand_over();
                slot.count = 0;
            }
        }
    }

    /// Ticks may have stopped: hands over all counts. The next one asks for ticks again.
    pub(super) fn without_ticks(&mut self) {
        self.flush();
        self.ticked = None;
    }
}

impl Slot {
    fn hand_over(self) {
        if self.count > 0 {
            increment(self.id, u64::from(self.count));
        }
    }
}

fn increment(id: u32, count: u64) {
    abi::increment_metric(id, i64::try_from(count).unwrap_or(i64::MAX));
}
