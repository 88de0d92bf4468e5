//! The parts of std that the module needs: an allocator, a panic handler, and the start function.
//!
//! The module does not link std, which adds code that prints panics, opens files and reads the environment.

#![expect(unsafe_code, reason = "the linker's start function is C")]

use core::fmt::{self, Write};
use core::panic::PanicInfo;

use super::abi::{self, LogLevel};

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

// libc provides `memcpy`, `memcmp` and the other memory functions that `core` requires.
#[link(name = "c")]
unsafe extern "C" {
    fn __wasm_call_ctors();
}

/// Envoy calls it once, before any callback. Without it the linker treats the module as a command, and wraps each
/// callback in code that starts and ends a program.
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    // SAFETY: the linker's own function, called once.
    unsafe { __wasm_call_ctors() };
}

/// Logs the location of a panic, and ends the VM.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    if let Some(place) = info.location() {
        let mut line = Line { text: [0; Line::BYTES_MAX], len: 0 };
        // Text that does not fit is dropped.
        _ = write!(line, "panicked at {}:{}", place.file(), place.line());
        let text = line.text.get(..line.len).and_then(|text| str::from_utf8(text).ok());
        abi::log(LogLevel::Error, text.unwrap_or_default());
    }
    core::arch::wasm32::unreachable()
}

/// A line of text that needs no allocator.
struct Line {
    text: [u8; Self::BYTES_MAX],
    len: usize,
}

impl Line {
    const BYTES_MAX: usize = 160;
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
