//! What std would give: a clock, a calendar, chance, and room for what lives as long as the VM. The module does
//! without std, which brings along what prints panics, opens files and reads environments: a tenth of it.
//!
//! Beside `abi.rs` the one file with `unsafe` code, and only for the module: elsewhere std gives it.

/// Declares statics that each VM has its own of.
#[cfg(not(target_family = "wasm"))]
macro_rules! vm_local {
    ($($(#[$doc:meta])* $vis:vis static $name:ident: $type:ty = $value:expr;)+) => {
        std::thread_local! { $($(#[$doc])* $vis static $name: $type = const { $value };)+ }
    };
}

/// Declares statics that each VM has its own of.
#[cfg(target_family = "wasm")]
macro_rules! vm_local {
    ($($(#[$doc:meta])* $vis:vis static $name:ident: $type:ty = $value:expr;)+) => {
        $($(#[$doc])* $vis static $name: $crate::filter::platform::VmLocal<$type> =
            $crate::filter::platform::VmLocal($value);)+
    };
}

pub(super) use vm_local;

#[cfg(target_family = "wasm")]
pub(super) use module::*;
#[cfg(not(target_family = "wasm"))]
pub(super) use native::*;

#[cfg(not(target_family = "wasm"))]
mod native {
    use std::hash::{BuildHasher, RandomState};
    use std::time::{Instant, SystemTime};

    /// Nanoseconds on a clock that never goes back.
    #[expect(clippy::disallowed_methods, reason = "the one clock")]
    pub(in crate::filter) fn monotonic_ns() -> u64 {
        std::thread_local! {
            static START: Instant = Instant::now();
        }
        START.with(|start| u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// Nanoseconds since 1970.
    #[expect(clippy::disallowed_methods, reason = "the one calendar")]
    pub(in crate::filter) fn realtime_ns() -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    /// A random number.
    pub(in crate::filter) fn random() -> u32 {
        let [a, b, c, d, ..] = RandomState::new().hash_one(0).to_ne_bytes();
        u32::from_ne_bytes([a, b, c, d])
    }
}

#[cfg(target_family = "wasm")]
#[expect(unsafe_code, reason = "WASI speaks in pointers, and Rust does not know that a VM has one thread")]
mod module {
    use core::cell::{Cell, RefCell};
    use core::fmt::{self, Write};
    use core::panic::PanicInfo;

    use crate::filter::abi::{self, Level};

    #[global_allocator]
    static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

    const REALTIME: u32 = 0;
    const MONOTONIC: u32 = 1;
    /// How exactly a clock is asked, in nanoseconds.
    const PRECISION_NS: u64 = 1;

    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u32;
        fn random_get(buffer: *mut u8, len: usize) -> u32;
    }

    // What compares and copies bytes, which `core` takes for granted.
    #[link(name = "c")]
    unsafe extern "C" {
        fn __wasm_call_ctors();
    }

    /// Called once, before all else. A module without is taken for a command, and the linker then wraps each callback in
    /// what begins and ends one.
    #[unsafe(no_mangle)]
    extern "C" fn _initialize() {
        // SAFETY: the linker's own function, called once.
        unsafe { __wasm_call_ctors() };
    }

    /// A static of a VM, which has one thread: the part of `std::thread::LocalKey` that is needed.
    pub(in crate::filter) struct VmLocal<T>(pub(in crate::filter) T);

    // SAFETY: wasm32-wasip1 has no threads, so nothing is ever shared between two.
    unsafe impl<T> Sync for VmLocal<T> {}

    impl<T> VmLocal<RefCell<T>> {
        pub(in crate::filter) fn with<R>(&'static self, f: impl FnOnce(&RefCell<T>) -> R) -> R {
            f(&self.0)
        }
    }

    impl<T: Default> VmLocal<Cell<T>> {
        pub(in crate::filter) fn take(&'static self) -> T {
            self.0.take()
        }

        pub(in crate::filter) fn set(&'static self, value: T) {
            self.0.set(value);
        }
    }

    /// Nanoseconds on a clock that never goes back.
    pub(in crate::filter) fn monotonic_ns() -> u64 {
        time_ns(MONOTONIC)
    }

    /// Nanoseconds since 1970.
    pub(in crate::filter) fn realtime_ns() -> u64 {
        time_ns(REALTIME)
    }

    fn time_ns(clock: u32) -> u64 {
        let mut time = 0;
        // SAFETY: `time` is valid for writing while the call lasts. One that fails leaves it as it is.
        unsafe { clock_time_get(clock, PRECISION_NS, &mut time) };
        time
    }

    /// A random number.
    pub(in crate::filter) fn random() -> u32 {
        let mut bytes = [0; 4];
        // SAFETY: `bytes` is valid for writing while the call lasts. One that fails leaves them as they are.
        unsafe { random_get(bytes.as_mut_ptr(), bytes.len()) };
        u32::from_le_bytes(bytes)
    }

    /// Tells Envoy's log where, and ends the VM.
    #[panic_handler]
    fn panic(info: &PanicInfo<'_>) -> ! {
        if let Some(place) = info.location() {
            let mut line = Line { text: [0; Line::BYTES], len: 0 };
            // What does not fit is left out.
            _ = write!(line, "panicked at {}:{}", place.file(), place.line());
            let text = line.text.get(..line.len).and_then(|text| str::from_utf8(text).ok());
            abi::log(Level::Error, text.unwrap_or_default());
        }
        core::arch::wasm32::unreachable()
    }

    /// A line of text that needs no allocator.
    struct Line {
        text: [u8; Self::BYTES],
        len: usize,
    }

    impl Line {
        const BYTES: usize = 160;
    }

    impl Write for Line {
        fn write_str(&mut self, piece: &str) -> fmt::Result {
            let end = self.len.saturating_add(piece.len());
            let room = self.text.get_mut(self.len..end).ok_or(fmt::Error)?;
            room.copy_from_slice(piece.as_bytes());
            self.len = end;
            Ok(())
        }
    }
}
