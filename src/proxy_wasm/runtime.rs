//! What std does for other programs: an allocator, the line that a panic writes, and the start of the module.
//!
//! The module does without std, which brings along what prints panics, opens files and reads environments.

#![expect(unsafe_code, reason = "the linker's start function is C")]

use core::fmt::{self, Write};
use core::panic::PanicInfo;

use super::abi::{self, LogLevel};

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

// libc has the functions that compare and copy bytes, which `core` takes for granted.
#[link(name = "c")]
unsafe extern "C" {
    fn __wasm_call_ctors();
}

/// Envoy calls it once, before all else. The linker takes a module without it for a command, and wraps each callback in
/// code that starts and ends one.
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    // SAFETY: the linker's own function, called once.
    unsafe { __wasm_call_ctors() };
}

/// Writes the place of a panic to Envoy's log, and ends the VM.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    if let Some(place) = info.location() {
        let mut line = Line { text: [0; Line::BYTES_MAX], len: 0 };
        // What does not fit is left out.
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
