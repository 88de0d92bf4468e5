//! The time of day, the time that passes, and waiting.

use llm_canary::timestamp::UnixMs;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// The last millisecond of the year 9999, which is also the last of RFC 3339.
const UNIX_MS_MAX: UnixMs = 253_402_300_799_999;

/// A clock that threads may share.
pub(crate) trait Clock: Sync {
    /// The time of day in Unix milliseconds, before the year 10000.
    fn now(&self) -> UnixMs;
    /// The time since the program started. It never goes back.
    fn elapsed(&self) -> Duration;
    /// Waits.
    fn sleep(&self, duration: Duration);
}

/// The machine's clock.
pub(crate) struct SystemClock {
    started: Instant,
}

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the tool's only clock")]
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the tool's only clock")]
    fn now(&self) -> UnixMs {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        UnixMs::try_from(since.as_millis()).unwrap_or(UNIX_MS_MAX).min(UNIX_MS_MAX)
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn sleep(&self, duration: Duration) {
        thread::sleep(duration);
    }
}
