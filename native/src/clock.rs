//! Time and chance, from the standard library.

#![expect(clippy::disallowed_methods, reason = "a host reads the clocks")]

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use llm_canary::observe::Micros;
use llm_canary::timestamp::UnixMs;

/// What tells time, and what is left to chance. An argument, so that tests bring their own.
pub struct Clock {
    /// Microseconds on the monotonic clock.
    pub now_us: fn() -> Micros,
    /// The time on the wall clock.
    pub unix_ms: fn() -> UnixMs,
    /// A random number.
    pub random: fn() -> u32,
    /// How long counts wait until Envoy fetches them. `None`: it does so by itself.
    pub counts_delay: Option<Duration>,
}

/// The machine's.
pub static SYSTEM: Clock = Clock { now_us, unix_ms, random, counts_delay: Some(COUNTS_DELAY) };

/// Long enough for thousands of counts, and too short for a scrape to miss something.
const COUNTS_DELAY: Duration = Duration::from_millis(50);

/// Microseconds on the monotonic clock, since the module was first asked.
fn now_us() -> Micros {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    Micros::try_from(START.elapsed().as_micros()).unwrap_or(Micros::MAX)
}

/// The time on the wall clock; 0 before 1970.
fn unix_ms() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs::try_from(since.as_millis()).unwrap_or(UnixMs::MAX)
}

/// A random number: the hash of nothing under a key that differs each time.
fn random() -> u32 {
    let [a, b, c, d, ..] = RandomState::new().hash_one(()).to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::{now_us, random, unix_ms};

    #[test]
    fn time_goes_on_and_numbers_spread() {
        let start = now_us();
        assert!(now_us() >= start);
        assert!(unix_ms() > 1_700_000_000_000);
        let upper = (0..10_000).filter(|_| random() > u32::MAX / 2).count();
        assert!((4_500..5_500).contains(&upper), "{upper}");
    }
}
