//! The callbacks that the module exports.
//!
//! Envoy enters the VM for each callback that a module exports, so the module exports only those that the filter needs.

#![expect(unsafe_code, reason = "exported names may clash")]

use super::abi::{self, Buffer, ContextId};
use super::vm::Vm;
use crate::filter::Action;

/// The action that passes a request or a response on.
const CONTINUE: u32 = 0;

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(id: ContextId, parent: ContextId) {
    Vm::with(|vm| vm.create_context(id, parent));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(id: ContextId, size: usize) -> u32 {
    let configure = |text: &[u8]| Vm::with(|vm| vm.configure(id, text));
    u32::from(abi::buffer(Buffer::PluginConfiguration, 0, size, configure).unwrap_or(false))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(id: ContextId, _headers: usize, is_end: u32) -> u32 {
    answer(Vm::with_request(id, |stream, host| stream.on_request_headers(host, is_end != 0)))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(id: ContextId, size: usize, is_end: u32) -> u32 {
    answer(Vm::with_request(id, |stream, host| stream.on_request_body(host, size, is_end != 0)))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(id: ContextId, _trailers: usize) -> u32 {
    answer(Vm::with_request(id, |stream, host| stream.on_request_trailers(host)))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(id: ContextId, _headers: usize, is_end: u32) -> u32 {
    Vm::with_stream(id, |stream, host| stream.on_response_headers(host, is_end != 0));
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(id: ContextId, size: usize, is_end: u32) -> u32 {
    Vm::with_stream(id, |stream, host| stream.on_response_body(host, size, is_end != 0));
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(id: ContextId, _trailers: usize) -> u32 {
    Vm::with_stream(id, |stream, host| stream.on_response_trailers(host));
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(id: ContextId) {
    Vm::with(|vm| vm.on_tick(id));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(id: ContextId) {
    Vm::with_stream(id, |stream, host| stream.on_log(host));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(id: ContextId) {
    Vm::with(|vm| vm.delete_context(id));
}

/// The number of an action in Envoy's `FilterHeadersStatus` and `FilterDataStatus`.
fn answer(action: Action) -> u32 {
    match action {
        Action::Continue => CONTINUE,
        Action::Pause => 1,
        // StopIterationAndWatermark of FilterDataStatus, which is Envoy's addition to the ABI.
        Action::PauseUnbuffered => 2,
    }
}
