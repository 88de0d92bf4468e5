//! Has the processor fetch memory into its caches.

#![expect(unsafe_code, reason = "the instruction takes a pointer")]

use core::ptr;

/// Bytes that a processor fetches at once.
const LINE_BYTES: usize = 64;

/// Has the processor fetch a value, and does not wait for that.
#[inline]
pub(crate) fn prefetch<T: ?Sized>(value: &T) {
    let first: *const u8 = ptr::from_ref(value).cast();
    for offset in (0..size_of_val(value)).step_by(LINE_BYTES) {
        prefetch_line(first.wrapping_add(offset));
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn prefetch_line(line: *const u8) {
    use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a hint. It does nothing where the pointer is not valid.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) };
}

#[cfg(target_arch = "aarch64")]
#[inline]
fn prefetch_line(line: *const u8) {
    // SAFETY: a hint. It does nothing where the pointer is not valid.
    unsafe {
        core::arch::asm!("prfm pldl1keep, [{line}]", line = in(reg) line, options(nostack, preserves_flags, readonly));
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn prefetch_line(_: *const u8) {}
