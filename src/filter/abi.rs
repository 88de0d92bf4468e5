//! The proxy-wasm ABI 0.2.1, as far as the filter uses it; beside `platform.rs` the one file with `unsafe` code.
//!
//! Why not the SDK: it exports every callback, so that Envoy enters the VM for each of them, and it panics
//! on any status it does not expect, where a panic cuts every stream of the worker. Here a failed call
//! is a `None` or a `false`, and only the callbacks below are exported.

#![expect(unsafe_code, reason = "the host speaks in pointers")]

use alloc::vec::Vec;
use core::cell::Cell;
use core::{ptr, slice};

use super::platform::vm_local;
use super::{ContextId, Vm};

/// Of memory, to a processor.
const PAGE_BYTES: usize = 4096;
/// Received buffers up to this size are kept for the next call; larger ones are freed after use.
const RECEIVED_BYTES_KEPT_MAX: usize = 64 * 1024 + PAGE_BYTES;
/// The host's answer when a call succeeded.
const OK: u32 = 0;
/// What a callback on a response answers to let it go on.
const CONTINUE: u32 = 0;
/// The host's word for a request, among the streams that can be resumed.
const REQUEST_STREAM: u32 = 0;
/// No status of gRPC.
const NO_GRPC_STATUS: i32 = -1;
/// A map of no headers, as the ABI writes maps.
const NO_HEADERS: [u8; 4] = [0; 4];

/// What becomes of a request after a callback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Action {
    #[default]
    Continue = 0,
    /// It waits. After its head, the body comes only where Envoy was told `allow_on_headers_stop_iteration`.
    Pause = 1,
    /// Its body waits, and is shown piece by piece: a piece that was shown is out of reach. Past its buffer limit
    /// Envoy reads no further, where for [`Action::Pause`] it answers 413 before a callback could let the body go.
    PausePassing = 2,
}

/// A map of headers.
#[derive(Clone, Copy)]
pub(super) enum Map {
    Request = 0,
    Response = 2,
}

/// A buffer of the host's.
#[derive(Clone, Copy)]
pub(super) enum Buffer {
    RequestBody = 0,
    ResponseBody = 1,
    PluginConfiguration = 7,
}

/// How loud a message in Envoy's log is.
#[derive(Clone, Copy)]
pub(super) enum Level {
    Info = 2,
    Warn = 3,
    Error = 4,
}

/// What a metric does with a value.
#[derive(Clone, Copy)]
pub(super) enum MetricKind {
    Counter = 0,
    Gauge = 1,
    Histogram = 2,
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
        pub(super) fn proxy_define_metric(kind: u32, name: *const u8, name_len: usize, id: *mut u32) -> u32;
        pub(super) fn proxy_increment_metric(id: u32, offset: i64) -> u32;
        pub(super) fn proxy_record_metric(id: u32, value: u64) -> u32;
    }
}

vm_local! {
    /// Where the host puts what it hands over. Kept, so that a call does not allocate.
    static RECEIVED: Cell<Vec<u8>> = Cell::new(Vec::new());
}

/// The host asks for room for what it is about to hand over.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    let mut buffer = RECEIVED.take();
    buffer.reserve(size.saturating_add(PAGE_BYTES));
    let room = buffer.as_mut_ptr().wrapping_add(begin(buffer.as_ptr()));
    RECEIVED.set(buffer);
    room
}

/// How far into the buffer its first page begins, which is where the host writes. Where a copy of some kilobytes begins 1
/// to 15 bytes further into its page than what is copied, glibc took fifteen times as long for it on an AMD EPYC. Behind
/// the beginning of a page, only a source at the very end of its own is so placed.
fn begin(buffer: *const u8) -> usize {
    buffer.align_offset(PAGE_BYTES)
}

/// Makes a call that hands something over, and lends it to `take`. `None` if the call fails.
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
        return None; // not what was asked for: a host that breaks the ABI
    }
    // SAFETY: the bytes are in the buffer's own allocation, within its capacity; the host has written all of them
    // before the call returned, and nothing else does while `buffer` is here.
    let taken = take(unsafe { slice::from_raw_parts(out, out_len) });
    if buffer.capacity() <= RECEIVED_BYTES_KEPT_MAX {
        RECEIVED.set(buffer);
    }
    Some(taken)
}

/// Reads up to `max` bytes of a buffer.
pub(super) fn buffer<T>(buffer: Buffer, max: usize, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
    buffer_from(buffer, 0, max, take)
}

/// Reads up to `max` bytes of a buffer from `start` on.
pub(super) fn buffer_from<T>(
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

/// Puts `bytes` in the place of the first `len` of a buffer.
pub(super) fn replace_buffer(buffer: Buffer, len: usize, bytes: &[u8]) -> bool {
    // SAFETY: `bytes` is valid for reading while the call lasts; the host copies them.
    OK == unsafe { imports::proxy_set_buffer_bytes(buffer as u32, 0, len, bytes.as_ptr(), bytes.len()) }
}

/// Answers the request in the upstream's place. The host does so after the callback.
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

/// Runs `call` as if in a callback of the context `id`, from one of the context `caller`'s.
pub(super) fn in_context(id: ContextId, caller: ContextId, call: impl FnOnce()) {
    // SAFETY: no pointers.
    if OK == unsafe { imports::proxy_set_effective_context(id) } {
        call();
        // SAFETY: no pointers.
        unsafe { imports::proxy_set_effective_context(caller) };
    }
}

/// Lets the request that waits go on.
pub(super) fn resume_request() -> bool {
    // SAFETY: no pointers.
    OK == unsafe { imports::proxy_continue_stream(REQUEST_STREAM) }
}

/// Has the host call `proxy_on_tick` so often.
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

/// Reads all headers of a map, as [`super::headers::Headers`] understands them.
pub(super) fn headers(map: Map) -> Option<Vec<u8>> {
    // SAFETY: `out` and `out_len` are valid for writing while the call lasts.
    let call = |out, out_len| unsafe { imports::proxy_get_header_map_pairs(map as u32, out, out_len) };
    receive(call, <[u8]>::to_vec)
}

/// Adds a header beside others of its name.
pub(super) fn add_header(map: Map, name: &str, value: &str) -> bool {
    let (name, name_len) = (name.as_ptr(), name.len());
    // SAFETY: name and value are valid for reading while the call lasts; the host copies them.
    OK == unsafe {
        imports::proxy_add_header_map_value(map as u32, name, name_len, value.as_ptr(), value.len())
    }
}

/// Sets a header to one value, which need not be text.
pub(super) fn replace_header(map: Map, name: &str, value: impl AsRef<[u8]>) -> bool {
    let value = value.as_ref();
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

/// Sets a property, which becomes filter state.
pub(super) fn set_property(path: &str, value: &str) -> bool {
    // SAFETY: path and value are valid for reading while the call lasts; the host copies them.
    OK == unsafe { imports::proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) }
}

/// Defines a metric, or finds the one of this name.
pub(super) fn define_metric(kind: MetricKind, name: &str) -> Option<u32> {
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
pub(super) fn log(level: Level, text: &str) {
    // SAFETY: `text` is valid for reading while the call lasts.
    unsafe { imports::proxy_log(level as u32, text.as_ptr(), text.len()) };
}

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(id: ContextId, parent: ContextId) {
    Vm::with(|vm| vm.create_context(id, parent));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(id: ContextId, size: usize) -> u32 {
    let configure = |text: &[u8]| Vm::with(|vm| vm.configure(id, text));
    u32::from(buffer(Buffer::PluginConfiguration, size, configure).unwrap_or(false))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(id: ContextId, _headers: usize, is_end: u32) -> u32 {
    Vm::with_stream(id, |stream| stream.on_request_headers(is_end != 0)) as u32
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(id: ContextId, size: usize, is_end: u32) -> u32 {
    Vm::with_stream(id, |stream| stream.on_request_body(size, is_end != 0)) as u32
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(id: ContextId, _trailers: usize) -> u32 {
    Vm::with_stream(id, |stream| stream.on_request_trailers()) as u32
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(id: ContextId, _headers: usize, is_end: u32) -> u32 {
    Vm::with_stream(id, |stream| stream.on_response_headers(is_end != 0));
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(id: ContextId, size: usize, is_end: u32) -> u32 {
    Vm::with_stream(id, |stream| stream.on_response_body(size, is_end != 0));
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(id: ContextId, _trailers: usize) -> u32 {
    Vm::with_stream(id, |stream| stream.on_response_trailers());
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(id: ContextId) {
    Vm::with(|vm| vm.on_tick(id));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(id: ContextId) {
    Vm::with_stream(id, |stream| stream.on_log());
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(id: ContextId) {
    Vm::with(|vm| vm.delete_context(id));
}
