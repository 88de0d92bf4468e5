//! Counts that are on their way to Envoy's counters, and the ticks that hand them over.
//!
//! An exchange adds to some fifteen counters, and each is a call of the host. So counts are added up here, and the VM hands them
//! over at its next tick, [`TICK_MS`] later. There are ticks only while something is counted, or a request waits.

use super::abi;
use crate::observe::Micros;

/// How long counts wait.
const TICK_MS: u32 = 50;
/// Ticks that are so late have been stopped: Envoy does so when it replaces a configuration.
const LATE_US: Micros = 1_000_000;
/// A power of two.
const SLOTS: usize = 256;
const SLOT_BITS: u32 = SLOTS.trailing_zeros();

/// The counts of one VM.
pub(super) struct Counters {
    /// The id of a counter and what is to be added to it, or 0.
    slots: [(u32, u64); SLOTS],
    /// Any of them is not 0.
    has_counts: bool,
    /// When the last tick came, or ticks were asked for. `None` if there are none.
    ticked: Option<Micros>,
}

impl Counters {
    pub(super) const fn new() -> Counters {
        Counters { slots: [(0, 0); SLOTS], has_counts: false, ticked: None }
    }

    /// Adds to a counter. `now` is roughly the time.
    pub(super) fn add(&mut self, id: u32, value: u64, now: Micros) {
        self.ask_for_ticks(now);
        let slot = self.slots.get_mut(id.wrapping_mul(0x9E37_79B9) as usize >> (u32::BITS - SLOT_BITS));
        match slot {
            Some(slot) if self.ticked.is_some() => {
                let (before, count) = *slot;
                if before != id && count > 0 {
                    increment(before, count);
                }
                *slot = (id, value.saturating_add(if before == id { count } else { 0 }));
                self.has_counts = true;
            }
            _ => increment(id, value),
        }
    }

    /// Has Envoy make ticks from now on, unless it does.
    pub(super) fn ask_for_ticks(&mut self, now: Micros) {
        let has_ticks = self.ticked.is_some_and(|ticked| now.abs_diff(ticked) < LATE_US);
        if !has_ticks {
            self.flush();
            self.ticked = abi::set_tick_period_ms(TICK_MS).then_some(now);
        }
    }

    /// A tick has come. If nothing was counted since the last one and no request waits, it is the last.
    pub(super) fn on_tick(&mut self, now: Micros, has_waiting: impl FnOnce() -> bool) {
        let goes_on = self.has_counts || has_waiting();
        self.flush();
        self.ticked = goes_on.then_some(now);
        if !goes_on {
            abi::set_tick_period_ms(0);
        }
    }

    /// Hands all counts over.
    fn flush(&mut self) {
        if !core::mem::take(&mut self.has_counts) {
            return;
        }
        for (id, count) in &mut self.slots {
            if *count > 0 {
                increment(*id, core::mem::take(count));
            }
        }
    }

    /// Ticks may have stopped: hands over all counts. The next one asks for ticks again.
    pub(super) fn without_ticks(&mut self) {
        self.flush();
        self.ticked = None;
    }
}

fn increment(id: u32, count: u64) {
    abi::increment_metric(id, i64::try_from(count).unwrap_or(i64::MAX));
}
