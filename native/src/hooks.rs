//! What Envoy calls: the hooks of its C ABI for dynamic modules.
//!
//! A configuration is an `Arc`, and an exchange is an `Rc`, because Envoy holds a pointer to each. A hook has its own share in the
//! exchange: Envoy may end an exchange within one.

#![expect(unsafe_code, reason = "the ABI passes pointers")]

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use crate::abi::{Bytes, Filter, FilterConfig, LogLevel, Newer, log};
use crate::clock::SYSTEM;
use crate::configuration::Configuration;
use crate::exchange::{Exchange, Hook};
use crate::logger;
use llm_canary::filter::Action;

/// The version of the ABI. Envoy 1.39 has this one; 1.40 has a newer one, logs a warning, and runs it.
const VERSION: &CStr = c"v0.1.0";
const TOO_OLD: &str = "llm-canary: this Envoy is too old for the native module, which needs Envoy 1.39 or newer; \
    use a newer Envoy, or the filter as WebAssembly, which needs Envoy 1.36";
/// The status that passes a request or a response on.
const CONTINUE: u32 = 0;

type Cell = RefCell<Exchange>;

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_program_init() -> *const c_char {
    logger::log_panics();
    VERSION.as_ptr()
}

/// Envoy refuses the configuration if this returns null.
#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_new(
    config: *mut c_void,
    filter_name: Bytes,
    text: Bytes,
) -> *const Configuration {
    let Some(newer) = Newer::find() else {
        log(LogLevel::Error, TOO_OLD);
        return ptr::null();
    };
    // SAFETY: Envoy lends both until the hook returns.
    let (filter_name, text) = unsafe { (filter_name.get(), text.get()) };
    let load = || Configuration::load(FilterConfig::new(config, newer), &SYSTEM, filter_name, text);
    catch_unwind(load).ok().flatten().map_or(ptr::null(), Arc::into_raw)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_destroy(configuration: *const Configuration) {
    if !configuration.is_null() {
        // SAFETY: `config_new` made the pointer of an `Arc`, and Envoy destroys each once.
        let configuration = unsafe { Arc::from_raw(configuration) };
        _ = catch_unwind(AssertUnwindSafe(move || configuration.end()));
    }
}

/// Envoy's main thread calls this after the module has asked for it.
#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_scheduled(
    _: *mut c_void,
    configuration: *const Configuration,
    event: u64,
) {
    // SAFETY: `config_new` made the pointer, and Envoy has not destroyed it.
    let configuration = unsafe { &*configuration };
    _ = catch_unwind(AssertUnwindSafe(|| configuration.on_scheduled(event)));
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_new(
    configuration: *const Configuration,
    _: *mut c_void,
) -> *const Cell {
    // SAFETY: `config_new` made the pointer of an `Arc`, and Envoy has not destroyed it.
    let configuration = unsafe {
        Arc::increment_strong_count(configuration);
        Arc::from_raw(configuration)
    };
    let exchange = catch_unwind(AssertUnwindSafe(|| Exchange::new(&configuration)));
    Rc::into_raw(Rc::new(exchange.unwrap_or_else(|_| Exchange::untouched(&configuration))))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_destroy(exchange: *const Cell) {
    // SAFETY: `filter_new` made the pointer of an `Rc`, and Envoy destroys each once.
    let exchange = unsafe { Rc::from_raw(exchange) };
    _ = catch_unwind(AssertUnwindSafe(move || drop(exchange)));
}

/// Runs a hook of an exchange.
///
/// # Safety
/// `filter_new` made the pointer, and Envoy has not destroyed it.
unsafe fn run(filter: *mut c_void, exchange: *const Cell, hook: Hook) -> u32 {
    // SAFETY: the caller's.
    let exchange = unsafe {
        Rc::increment_strong_count(exchange);
        Rc::from_raw(exchange)
    };
    match Exchange::run(&exchange, Filter::new(filter), hook) {
        Action::Continue => CONTINUE,
        // StopIteration of a head; StopIterationAndBuffer of a body.
        Action::Pause => 1,
        // StopIterationAndWatermark of a body.
        Action::PauseUnbuffered => 2,
    }
}

/// Exports hooks of an exchange.
macro_rules! hooks {
    ($($name:ident ($($is_end:ident)?) => $hook:expr;)*) => { $(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(filter: *mut c_void, exchange: *const Cell $(, $is_end: bool)?) -> u32 {
            // SAFETY: Envoy's: it calls this with what `filter_new` returned.
            unsafe { run(filter, exchange, $hook) }
        }
    )* };
}

hooks! {
    envoy_dynamic_module_on_http_filter_request_headers(is_end) => Hook::RequestHeaders { is_end };
    envoy_dynamic_module_on_http_filter_request_body(is_end) => Hook::RequestBody { is_end };
    envoy_dynamic_module_on_http_filter_request_trailers() => Hook::RequestTrailers;
    envoy_dynamic_module_on_http_filter_response_headers(is_end) => Hook::ResponseHeaders { is_end };
    envoy_dynamic_module_on_http_filter_response_body(is_end) => Hook::ResponseBody { is_end };
    envoy_dynamic_module_on_http_filter_response_trailers() => Hook::ResponseTrailers;
    envoy_dynamic_module_on_http_filter_stream_complete() => Hook::StreamComplete;
}

/// Exports hooks that Envoy requires, and that have nothing to do here: their arguments are ignored, and they return nothing.
macro_rules! unused_hooks {
    ($($name:ident)*) => { $(
        #[unsafe(no_mangle)]
        extern "C" fn $name() {}
    )* };
}

unused_hooks! {
    envoy_dynamic_module_on_http_filter_per_route_config_destroy
    envoy_dynamic_module_on_http_filter_http_callout_done
    envoy_dynamic_module_on_http_filter_http_stream_headers
    envoy_dynamic_module_on_http_filter_http_stream_data
    envoy_dynamic_module_on_http_filter_http_stream_trailers
    envoy_dynamic_module_on_http_filter_http_stream_complete
    envoy_dynamic_module_on_http_filter_http_stream_reset
    envoy_dynamic_module_on_http_filter_scheduled
    envoy_dynamic_module_on_http_filter_downstream_above_write_buffer_high_watermark
    envoy_dynamic_module_on_http_filter_downstream_below_write_buffer_low_watermark
}

/// A route cannot configure the filter: a rollout says by its `match` which requests it is for.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_per_route_config_new(_: Bytes, _: Bytes) -> *const c_void {
    log(LogLevel::Error, "llm-canary: a route cannot configure the filter; use `match` in a rollout");
    ptr::null()
}
