//! Safe functions for the hostcalls of proxy-wasm ABI 0.2.1 and of WASI that the filter makes.
//!
//! A call that fails returns `None` or `false`. The Rust SDK panics instead on a status that it does not expect, and a
//! panic cuts every stream of the worker. The ABI: <https://github.com/proxy-wasm/spec>.

#![expect(unsafe_code, reason = "the ABI passes pointers")]

use alloc::vec::Vec;
use core::cell::Cell;
use core::{ptr, slice};

use super::vm_local::vm_local;

/// Envoy's id of a context: of a configuration or a request.
pub(super) type ContextId = u32;

/// The size of a page of memory.
const PAGE_BYTES: usize = 4096;
/// A receive buffer up to this size is kept for the next call; a larger one is freed after use.
const RECEIVED_BYTES_KEPT_MAX: usize = 64 * 1024 + PAGE_BYTES;
/// The status of a call that succeeded.
const OK: u32 = 0;
/// The request, as a stream type of `proxy_continue_stream`.
const REQUEST_STREAM: u32 = 0;
/// The local reply has no gRPC status.
const NO_GRPC_STATUS: i32 = -1;
/// An empty header map, as the ABI serialises it.
const NO_HEADERS: [u8; 4] = [0; 4];

/// A header map.
#[derive(Clone, Copy)]
pub(super) enum Map {
    Request = 0,
    Response = 2,
    ResponseTrailers = 3,
}

/// A buffer of the host.
#[derive(Clone, Copy)]
pub(super) enum Buffer {
    RequestBody = 0,
    ResponseBody = 1,
    PluginConfiguration = 7,
}

/// The level of a line in Envoy's log.
#[derive(Clone, Copy)]
pub(super) enum LogLevel {
    Info = 2,
    Warn = 3,
    Error = 4,
}

/// The type of a metric.
#[derive(Clone, Copy)]
pub(super) enum MetricType {
    Counter = 0,
    Gauge = 1,
    Histogram = 2,
}

/// A clock of WASI.
#[derive(Clone, Copy)]
pub(super) enum Clock {
    /// Since 1970.
    Realtime = 0,
    /// Never goes back.
    Monotonic = 1,
}

mod imports {
    #[cfg_attr(target_arch = "wasm32", link(wasm_import_module = "env"))]
    unsafe extern "C" {
        pub(super) fn proxy_log(level: u32, text: *const u8, len: usize) -> u32;
        pub(super) fn proxy_get_buffer_bytes(
            buffer: u32,
            start: usize,
            max: usize,
            out: *mut *mut u8,
            out_len: *mut usize,
        ) -> u32;
        pub(super) fn proxy_set_buffer_bytes(
            buffer: u32,
            start: usize,
            len: usize,
            bytes: *const u8,
            bytes_len: usize,
        ) -> u32;
        pub(super) fn proxy_send_local_response(
            status: u32,
            details: *const u8,
            details_len: usize,
            body: *const u8,
            body_len: usize,
            headers: *const u8,
            headers_len: usize,
            grpc_status: i32,
        ) -> u32;
        pub(super) fn proxy_continue_stream(stream: u32) -> u32;
        pub(super) fn proxy_set_effective_context(id: u32) -> u32;
        pub(super) fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
        pub(super) fn proxy_get_header_map_value(
            map: u32,
            name: *const u8,
            name_len: usize,
            out: *mut *mut u8,
            out_len: *mut usize,
        ) -> u32;
        pub(super) fn proxy_get_header_map_pairs(map: u32, out: *mut *mut u8, out_len: *mut usize) -> u32;
        pub(super) fn proxy_replace_header_map_value(
            map: u32,
            name: *const u8,
            name_len: usize,
            value: *const u8,
            value_len: usize,
        ) -> u32;
        pub(super) fn proxy_add_header_map_value(
            map: u32,
            name: *const u8,
            name_len: usize,
            value: *const u8,
            value_len: usize,
        ) -> u32;
        pub(super) fn proxy_remove_header_map_value(map: u32, name: *const u8, name_len: usize) -> u32;
        pub(super) fn proxy_get_property(
            path: *const u8,
            path_len: usize,
            out: *mut *mut u8,
            out_len: *mut usize,
        ) -> u32;
        pub(super) fn proxy_set_property(
            path: *const u8,
            path_len: usize,
            value: *const u8,
            value_len: usize,
        ) -> u32;
        pub(super) fn proxy_call_foreign_function(
            name: *const u8,
            name_len: usize,
            arguments: *const u8,
            arguments_len: usize,
            out: *mut *mut u8,
            out_len: *mut usize,
        ) -> u32;
        pub(super) fn proxy_define_metric(kind: u32, name: *const u8, name_len: usize, id: *mut u32) -> u32;
        pub(super) fn proxy_increment_metric(id: u32, offset: i64) -> u32;
        pub(super) fn proxy_record_metric(id: u32, value: u64) -> u32;
    }

    #[cfg_attr(target_arch = "wasm32", link(wasm_import_module = "wasi_snapshot_preview1"))]
    unsafe extern "C" {
        pub(super) fn clock_time_get(clock: u32, precision_ns: u64, time_ns: *mut u64) -> u32;
        pub(super) fn random_get(buffer: *mut u8, len: usize) -> u32;
    }
}

vm_local! {
    /// The receive buffer: the host writes its results there. It is kept, so that a call need not allocate.
    static RECEIVED: Cell<Vec<u8>> = Cell::new(Vec::new());
}

/// The host requests memory for a result.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    let mut buffer = RECEIVED.take();
    buffer.reserve(size.saturating_add(PAGE_BYTES));
    let room = buffer.as_mut_ptr().wrapping_add(begin(buffer.as_ptr()));
    RECEIVED.set(buffer);
    room
}

/// The offset of the first page boundary in the buffer. The host writes there. On an AMD EPYC, glibc takes fifteen
/// times as long to copy a few kilobytes if the target's offset in its page is 1 to 15 bytes above the source's. A
/// page-aligned target avoids that for nearly every source.
fn begin(buffer: *const u8) -> usize {
    buffer.align_offset(PAGE_BYTES)
}

/// Makes a call that returns bytes, and lends them to `take`. `None` if the call fails.
fn receive<T>(
    call: impl FnOnce(*mut *mut u8, *mut usize) -> u32,
    take: impl FnOnce(&[u8]) -> T,
) -> Option<T> {
    let (mut out, mut out_len) = (ptr::null_mut(), 0);
    if call(&mut out, &mut out_len) != OK {
        return None;
    }
    if out.is_null() || out_len == 0 {
        return Some(take(&[]));
    }
    // Taken out of its cell, so that `take` may call the host again.
    let buffer = RECEIVED.take();
    let begin = begin(buffer.as_ptr());
    if !ptr::eq(out, buffer.as_ptr().wrapping_add(begin)) || begin.saturating_add(out_len) > buffer.capacity()
    {
        return None; // the host broke the ABI: it did not write to the memory that it was given
    }
    // SAFETY: the bytes are in the buffer's allocation, within its capacity. The host wrote all of them before the call
    // returned, and nothing writes to them while `buffer` is out of its cell.
    let taken = take(unsafe { slice::from_raw_parts(out, out_len) });
    if buffer.capacity() <= RECEIVED_BYTES_KEPT_MAX {
        RECEIVED.set(buffer);
    }
    Some(taken)
}

/// Reads up to `max` bytes of a buffer from `start` on.
pub(super) fn buffer<T>(
    buffer: Buffer,
    start: usize,
    max: usize,
    take: impl FnOnce(&[u8]) -> T,
) -> Option<T> {
    // SAFETY: `out` and `out_len` are valid for writing while the call lasts.
    receive(
        |out, out_len| unsafe { imports::proxy_get_buffer_bytes(buffer as u32, start, max, out, out_len) },
        take,
    )
}

/// Replaces the first `len` bytes of a buffer by `bytes`.
pub(super) fn replace_buffer(buffer: Buffer, len: usize, bytes: &[u8]) -> bool {
    // SAFETY: `bytes` is valid for reading while the call lasts; the host copies them.
    OK == unsafe { imports::proxy_set_buffer_bytes(buffer as u32, 0, len, bytes.as_ptr(), bytes.len()) }
}

/// Answers the request in place of the upstream. The host sends the response after the callback.
pub(super) fn send_response(status: u32, details: &str, body: &str) -> bool {
    // SAFETY: all pointers are valid for reading while the call lasts; the host copies what they point at.
    OK == unsafe {
        imports::proxy_send_local_response(
            status,
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            NO_HEADERS.as_ptr(),
            NO_HEADERS.len(),
            NO_GRPC_STATUS,
        )
    }
}

/// Runs `call` with `id` as the effective context, from a callback of the context `caller`.
pub(super) fn in_context(id: ContextId, caller: ContextId, call: impl FnOnce()) {
    // SAFETY: no pointers.
    if OK == unsafe { imports::proxy_set_effective_context(id) } {
        call();
        // SAFETY: no pointers.
        unsafe { imports::proxy_set_effective_context(caller) };
    }
}

/// Resumes the request of the effective context.
pub(super) fn resume_request() -> bool {
    // SAFETY: no pointers.
    OK == unsafe { imports::proxy_continue_stream(REQUEST_STREAM) }
}

/// Makes the host call `proxy_on_tick` at this interval; 0 stops the ticks.
pub(super) fn set_tick_period_ms(period_ms: u32) -> bool {
    // SAFETY: no pointers.
    OK == unsafe { imports::proxy_set_tick_period_milliseconds(period_ms) }
}

/// Reads a header's value.
pub(super) fn header<T>(map: Map, name: &str, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
    let call = |out, out_len| {
        // SAFETY: `name` is valid for reading, `out` and `out_len` for writing, while the call lasts.
        unsafe { imports::proxy_get_header_map_value(map as u32, name.as_ptr(), name.len(), out, out_len) }
    };
    receive(call, take)
}

/// Reads all headers of a map, serialised.
pub(super) fn headers(map: Map) -> Option<Vec<u8>> {
    // SAFETY: `out` and `out_len` are valid for writing while the call lasts.
    let call = |out, out_len| unsafe { imports::proxy_get_header_map_pairs(map as u32, out, out_len) };
    receive(call, <[u8]>::to_vec)
}

/// Adds a header, and keeps others with the same name.
pub(super) fn add_header(map: Map, name: &str, value: &str) -> bool {
    let (name, name_len) = (name.as_ptr(), name.len());
    // SAFETY: name and value are valid for reading while the call lasts; the host copies them.
    OK == unsafe {
        imports::proxy_add_header_map_value(map as u32, name, name_len, value.as_ptr(), value.len())
    }
}

/// Sets a header to one value, which need not be UTF-8.
pub(super) fn replace_header(map: Map, name: &str, value: &[u8]) -> bool {
    let (name, name_len) = (name.as_ptr(), name.len());
    // SAFETY: name and value are valid for reading while the call lasts; the host copies them.
    OK == unsafe {
        imports::proxy_replace_header_map_value(map as u32, name, name_len, value.as_ptr(), value.len())
    }
}

/// Removes a header.
pub(super) fn remove_header(map: Map, name: &str) -> bool {
    // SAFETY: `name` is valid for reading while the call lasts.
    OK == unsafe { imports::proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) }
}

/// Reads a property; the parts of its path are separated by NUL.
pub(super) fn property<T>(path: &[u8], take: impl FnOnce(&[u8]) -> T) -> Option<T> {
    // SAFETY: `path` is valid for reading, `out` and `out_len` for writing, while the call lasts.
    receive(
        |out, out_len| unsafe { imports::proxy_get_property(path.as_ptr(), path.len(), out, out_len) },
        take,
    )
}

/// Makes the filter state under `name` last as long as its request, and hold bytes. `name` has less than 128 bytes.
pub(super) fn declare_request_property(name: &str) -> bool {
    const FUNCTION: &str = "declare_property";
    // A protobuf message, `DeclarePropertyArguments`: 1 is the name, and 5 the life span, of which 1 is the request's.
    let mut arguments = vec![0x0a, u8::try_from(name.len()).unwrap_or(0)];
    arguments.extend_from_slice(name.as_bytes());
    arguments.extend_from_slice(&[0x28, 1]);
    let (function, length) = (FUNCTION.as_ptr(), arguments.len());
    let (mut out, mut out_len) = (ptr::null_mut(), 0);
    // SAFETY: function and arguments are valid for reading, `out` and `out_len` for writing, while the call lasts.
    OK == unsafe {
        imports::proxy_call_foreign_function(
            function,
            FUNCTION.len(),
            arguments.as_ptr(),
            length,
            &mut out,
            &mut out_len,
        )
    }
}

/// Sets a property, which becomes filter state.
pub(super) fn set_property(path: &str, value: &str) -> bool {
    // SAFETY: path and value are valid for reading while the call lasts; the host copies them.
    OK == unsafe { imports::proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) }
}

/// Defines a metric, and returns its id.
pub(super) fn define_metric(kind: MetricType, name: &str) -> Option<u32> {
    let mut id = 0;
    // SAFETY: `name` is valid for reading and `id` for writing while the call lasts.
    let status = unsafe { imports::proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &mut id) };
    (status == OK).then_some(id)
}

/// Adds to a counter.
pub(super) fn increment_metric(id: u32, offset: i64) -> bool {
    // SAFETY: no pointers.
    OK == unsafe { imports::proxy_increment_metric(id, offset) }
}

/// Records a value in a histogram.
pub(super) fn record_metric(id: u32, value: u64) -> bool {
    // SAFETY: no pointers.
    OK == unsafe { imports::proxy_record_metric(id, value) }
}

/// Writes to Envoy's log.
pub(super) fn log(level: LogLevel, text: &str) {
    // SAFETY: `text` is valid for reading while the call lasts.
    unsafe { imports::proxy_log(level as u32, text.as_ptr(), text.len()) };
}

/// Nanoseconds on a clock; 0 if the call fails.
pub(super) fn clock_ns(clock: Clock) -> u64 {
    /// The requested precision.
    const PRECISION_NS: u64 = 1;
    let mut time_ns = 0;
    // SAFETY: `time_ns` is valid for writing while the call lasts. A call that fails leaves it as it is.
    unsafe { imports::clock_time_get(clock as u32, PRECISION_NS, &mut time_ns) };
    time_ns
}

/// A random number; 0 if the call fails.
pub(super) fn random() -> u32 {
    let mut bytes = [0; 4];
    // SAFETY: `bytes` is valid for writing while the call lasts. A call that fails leaves them as they are.
    unsafe { imports::random_get(bytes.as_mut_ptr(), bytes.len()) };
    u32::from_le_bytes(bytes)
}
