//! Unix milliseconds on a clock that does not jump.

use crate::io::clock::Clock;
use crate::time_args::millis;
use llm_canary::timestamp::UnixMs;
use std::time::Duration;

/// What the wall clock said at a time since the start, and goes on from there whatever the wall clock does.
pub(super) struct Steady {
    wall_ms: UnixMs,
    elapsed: Duration,
}

impl Steady {
    pub(super) fn new(clock: &dyn Clock) -> Self {
        Self { wall_ms: clock.now(), elapsed: clock.elapsed() }
    }

    /// Now.
    pub(super) fn now(&self, clock: &dyn Clock) -> i64 {
        let passed = millis(clock.elapsed().saturating_sub(self.elapsed));
        signed(self.wall_ms.saturating_add(passed))
    }

    /// A time of the wall clock.
    pub(super) fn ms(&self, at: UnixMs, clock: &dyn Clock) -> i64 {
        self.now(clock).saturating_add(signed(at).saturating_sub(signed(clock.now())))
    }
}

fn signed(ms: UnixMs) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
