//! A clock that a target sets, so that a run is the same each time and seconds pass at once.
//!
//! The filter measures time through the standard library, as it does in Envoy, and that through this function, which
//! stands in the C library's place in the tests and the fuzzers. Where no target has set the clock, it is the real
//! one, as is the time of day, which libFuzzer goes by. On other systems than these a target's clock is the real one.

#![expect(unsafe_code, reason = "a function of the C library")]

use std::cell::Cell;
use std::time::Duration;

thread_local! {
    /// Since the clock's zero, where it is set.
    static NOW: Cell<Option<Duration>> = const { Cell::new(None) };
}

/// A clock that is set, as long as this lives.
pub(super) struct Clock;

impl Clock {
    pub(super) fn set(now: Duration) -> Clock {
        NOW.set(Some(now));
        Clock
    }

    pub(super) fn advance(&self, by: Duration) {
        NOW.set(NOW.get().map(|now| now + by));
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        NOW.set(None);
    }
}

#[cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod system {
    use std::ffi::{c_int, c_long};

    #[repr(C)]
    struct Timespec {
        seconds: i64,
        nanoseconds: c_long,
    }

    /// The one that never goes back.
    const MONOTONIC: c_int = 1;
    const CLOCK_GETTIME: c_long = if cfg!(target_arch = "x86_64") { 228 } else { 113 };

    unsafe extern "C" {
        fn syscall(number: c_long, ...) -> c_long;
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn clock_gettime(clock: c_int, out: *mut Timespec) -> c_int {
        match super::NOW.get().filter(|_| clock == MONOTONIC) {
            // SAFETY: the caller passes a place for the answer.
            Some(now) => unsafe {
                let (seconds, nanoseconds) = (now.as_secs() as i64, now.subsec_nanos().into());
                out.write(Timespec { seconds, nanoseconds });
                0
            },
            // SAFETY: the system's own call, with its arguments.
            None => unsafe { syscall(CLOCK_GETTIME, clock, out) as c_int },
        }
    }
}
