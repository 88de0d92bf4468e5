//! Envoy's side of the ABI of dynamic modules.
//!
//! What Envoy calls by pointers are here numbers of exchanges and of configurations.

use super::*;
use llm_canary_native::abi::{Bytes, FilterConfig, Newer};
use llm_canary_native::clock::Clock;
use llm_canary_native::configuration::Configuration;
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

static CLOCK: Clock = Clock {
    now_us: || with(|proxy| proxy.monotonic.as_micros() as u64),
    unix_ms: || with(|proxy| proxy.realtime.as_millis() as u64),
    random: || with(Proxy::random),
    counts_delay: None,
};

thread_local! {
    /// The module's side of each configuration, and whether it is replaced.
    static CONFIGURATIONS: RefCell<HashMap<u32, (*const c_void, bool)>> = RefCell::default();
    /// The module's side of each exchange, and the number of its configuration.
    static EXCHANGES: RefCell<HashMap<u32, (*const c_void, u32)>> = RefCell::default();
    /// Metrics by their ids: their names, and those of their labels.
    /// What Envoy has lent to the module in the current hook.
    static LENT: RefCell<Vec<Box<[u8]>>> = RefCell::default();
    static METRICS: RefCell<Vec<(String, Vec<String>)>> = RefCell::default();
}

mod module {
    use super::*;

    macro_rules! hooks {
        ($($name:ident: fn($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
            unsafe extern "C" {
                $(
                    #[link_name = concat!("envoy_dynamic_module_on_http_filter_", stringify!($name))]
                    pub(super) fn $name($($argument: $type),*) $(-> $result)?;
                )*
            }
        };
    }

    hooks! {
        config_destroy: fn(configuration: *const c_void);
        config_scheduled: fn(config: *mut c_void, configuration: *const c_void, event: u64);
        new: fn(configuration: *const c_void, filter: *mut c_void) -> *const c_void;
        destroy: fn(exchange: *const c_void);
        request_headers: fn(filter: *mut c_void, exchange: *const c_void, is_end: bool) -> u32;
        request_body: fn(filter: *mut c_void, exchange: *const c_void, is_end: bool) -> u32;
        request_trailers: fn(filter: *mut c_void, exchange: *const c_void) -> u32;
        response_headers: fn(filter: *mut c_void, exchange: *const c_void, is_end: bool) -> u32;
        response_body: fn(filter: *mut c_void, exchange: *const c_void, is_end: bool) -> u32;
        response_trailers: fn(filter: *mut c_void, exchange: *const c_void) -> u32;
        stream_complete: fn(filter: *mut c_void, exchange: *const c_void) -> u32;
    }
}

/// Calls the module. A hook without a result returns 0.
pub(super) fn call(id: u32, callback: Callback) -> u32 {
    let answer = call_hook(id, callback);
    // Nothing that was lent is valid any more.
    LENT.take();
    answer
}

fn call_hook(id: u32, callback: Callback) -> u32 {
    let filter = ptr::without_provenance_mut(id as usize);
    let exchange = || EXCHANGES.with_borrow(|exchanges| exchanges.get(&id).map(|(exchange, _)| *exchange));
    // SAFETY: pointers come from the module, and are given back to it until they are destroyed.
    unsafe {
        match callback {
            Callback::ContextCreate { parent } => {
                let configuration = CONFIGURATIONS.with_borrow(|all| all.get(&parent).copied());
                let exchange = configuration.map(|(configuration, _)| module::new(configuration, filter));
                EXCHANGES
                    .with_borrow_mut(|all| all.extend(exchange.map(|exchange| (id, (exchange, parent)))));
            }
            Callback::Configure { .. } => return configure(id, filter),
            Callback::Delete => {
                let exchange = EXCHANGES.with_borrow_mut(|all| all.remove(&id));
                exchange.into_iter().for_each(|(exchange, _)| module::destroy(exchange));
                CONFIGURATIONS.with_borrow_mut(|all| {
                    all.get_mut(&id).into_iter().for_each(|(_, is_replaced)| *is_replaced = true);
                });
                // An exchange keeps the configuration that it began with.
                let is_used = |id| EXCHANGES.with_borrow(|all| all.values().any(|(_, of)| *of == id));
                let ended =
                    |(id, (_, is_replaced)): &(&u32, &(*const c_void, bool))| *is_replaced && !is_used(**id);
                let ended = CONFIGURATIONS.with_borrow(|all| all.iter().find(ended).map(|(id, _)| *id));
                let configuration =
                    ended.and_then(|id| CONFIGURATIONS.with_borrow_mut(|all| all.remove(&id)));
                configuration
                    .into_iter()
                    .for_each(|(configuration, _)| module::config_destroy(configuration));
            }
            Callback::Tick => {
                let all: Vec<_> = CONFIGURATIONS.with_borrow(|all| all.values().copied().collect());
                all.into_iter()
                    .for_each(|(configuration, _)| module::config_scheduled(filter, configuration, 0));
            }
            Callback::RequestHeaders { is_end } => {
                return exchange().map_or(0, |exchange| module::request_headers(filter, exchange, is_end));
            }
            Callback::RequestBody { is_end, .. } => {
                return exchange().map_or(0, |exchange| module::request_body(filter, exchange, is_end));
            }
            Callback::RequestTrailers => {
                return exchange().map_or(0, |exchange| module::request_trailers(filter, exchange));
            }
            Callback::ResponseHeaders { is_end } => {
                return exchange().map_or(0, |exchange| module::response_headers(filter, exchange, is_end));
            }
            Callback::ResponseBody { is_end, .. } => {
                return exchange().map_or(0, |exchange| module::response_body(filter, exchange, is_end));
            }
            Callback::ResponseTrailers => {
                return exchange().map_or(0, |exchange| module::response_trailers(filter, exchange));
            }
            Callback::Log => {
                return exchange().map_or(0, |exchange| module::stream_complete(filter, exchange));
            }
        }
    }
    0
}

/// As the hook for a configuration does; that one looks for functions of Envoy in the program, where a test has none.
fn configure(id: u32, config: *mut c_void) -> u32 {
    let text = super::call(|proxy| Ok(proxy.configuration.clone()));
    let newer = Newer { add_to_counter: add, set_gauge: update, record_in_histogram: update };
    let load =
        |text: Vec<u8>| Configuration::load(FilterConfig::new(config, newer), &CLOCK, b"llm-canary", &text);
    let Some(configuration) = text.ok().and_then(load) else { return 0 };
    CONFIGURATIONS.with_borrow_mut(|all| all.insert(id, (Arc::into_raw(configuration).cast(), false)));
    1
}

/// What the module hands over.
fn bytes(bytes: Bytes) -> Vec<u8> {
    // SAFETY: the module's bytes are valid while it waits for the call to return.
    unsafe { bytes.get() }.to_vec()
}

fn text(of: Bytes) -> String {
    String::from_utf8(bytes(of)).unwrap()
}

/// SAFETY: the module passes as many as it says.
unsafe fn texts(first: *const Bytes, count: usize) -> Vec<String> {
    (0..count).map(|at| text(unsafe { *first.add(at) })).collect()
}

/// Lends bytes to the module until the hook returns.
fn lent(value: Vec<u8>) -> Bytes {
    let value = value.into_boxed_slice();
    let bytes = Bytes::of(&value);
    LENT.with_borrow_mut(|lent| lent.push(value));
    bytes
}

fn lend(value: Answer<Vec<u8>>, out: *mut Bytes) -> bool {
    let Ok(value) = value else { return false };
    // SAFETY: the module passes a valid pointer for the result.
    unsafe { *out = lent(value) };
    true
}

fn map(number: u32) -> Answer<Side> {
    match number {
        0 => Ok(Side::Request),
        2 => Ok(Side::Response),
        3 => Ok(Side::ResponseTrailers),
        _ => Err(BAD_ARGUMENT),
    }
}

/// Works on a part of a body: on the body, and on where the part begins and ends in it.
fn with_part<T>(part: u32, f: impl FnOnce(&mut Vec<u8>, std::ops::Range<usize>) -> T) -> Answer<T> {
    super::call(|proxy| {
        let exchange = proxy.exchange()?;
        let (buffered, has_piece) = (exchange.buffered_bytes, exchange.has_piece);
        let side = if part < 2 { Side::Request } else { Side::Response };
        let body = proxy.body(side)?;
        let range = match part {
            0 if !has_piece => return Err(BAD_ARGUMENT),
            0 => buffered.min(body.len())..body.len(),
            1 => 0..buffered.min(body.len()),
            _ => 0..body.len(),
        };
        Ok(f(body, range))
    })
}

/// Calls of Envoy, which have the prefix of its callbacks.
macro_rules! callbacks {
    ($($suffix:literal fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty $body:block)*) => { $(
        #[unsafe(export_name = concat!("envoy_dynamic_module_callback_", $suffix))]
        unsafe extern "C" fn $name($($argument: $type),*) -> $result $body
    )* };
}

type Ptr = *mut c_void;

callbacks! {
    "log" fn log(_level: u32, line: Bytes) -> () {
        let line = text(line);
        let line = line.strip_prefix("llm-canary: ").unwrap_or(&line).to_string();
        let _ = super::call(|proxy| {
            proxy.logs.push(line);
            Ok(())
        });
    }

    "http_filter_config_define_counter" fn define_counter(
        _config: Ptr, name: Bytes, labels: *const Bytes, count: usize, id: *mut usize
    ) -> u32 {
        let name = text(name);
        let labels = unsafe { texts(labels, count) };
        let defined = super::call(|proxy| {
            assert_eq!(proxy.phase, Phase::Configure, "metrics are defined at configuration: {name}");
            proxy.definitions += 1;
            // Without labels there is but one series, which Envoy creates.
            if labels.is_empty() { proxy.series(decoded_name(&name)).map(|_| ()) } else { Ok(()) }
        });
        let Ok(()) = defined else { return 3 };
        METRICS.with_borrow_mut(|metrics| {
            unsafe { *id = metrics.len() };
            metrics.push((name, labels));
        });
        0
    }

    "http_filter_config_define_gauge" fn define_gauge(
        config: Ptr, name: Bytes, labels: *const Bytes, count: usize, id: *mut usize
    ) -> u32 {
        unsafe { define_counter(config, name, labels, count, id) }
    }

    "http_filter_config_define_histogram" fn define_histogram(
        config: Ptr, name: Bytes, labels: *const Bytes, count: usize, id: *mut usize
    ) -> u32 {
        assert_eq!(count, 0, "a histogram with labels is lost at a reload");
        unsafe { define_counter(config, name, labels, count, id) }
    }

    "http_filter_increment_counter" fn increment(
        filter: Ptr, id: usize, labels: *const Bytes, count: usize, value: u64
    ) -> u32 {
        unsafe { add(filter, id, labels, count, value) }
    }

    "http_filter_set_gauge" fn set(
        filter: Ptr, id: usize, labels: *const Bytes, count: usize, value: u64
    ) -> u32 {
        unsafe { update(filter, id, labels, count, value) }
    }

    "http_filter_record_histogram_value" fn record(
        filter: Ptr, id: usize, labels: *const Bytes, count: usize, value: u64
    ) -> u32 {
        unsafe { update(filter, id, labels, count, value) }
    }

    // Nobody schedules where counts are fetched without being told to.
    "http_filter_config_scheduler_new" fn scheduler_new(_config: Ptr) -> Ptr {
        unreachable!()
    }

    "http_filter_config_scheduler_delete" fn scheduler_delete(_scheduler: Ptr) -> () {}

    "http_filter_config_scheduler_commit" fn scheduler_commit(_scheduler: Ptr, _event: u64) -> () {}

    "http_get_headers_size" fn get_headers_size(_filter: Ptr, map: u32) -> usize {
        with(|proxy| self::map(map).and_then(|side| proxy.headers(side).map(|headers| headers.len()))).unwrap_or(0)
    }

    "http_get_headers" fn get_headers(_filter: Ptr, map: u32, lines: *mut [Bytes; 2]) -> bool {
        let headers = super::call(|proxy| proxy.headers(self::map(map)?).cloned());
        let Ok(headers) = headers else { return false };
        for (at, (name, value)) in headers.into_iter().enumerate() {
            // SAFETY: the module has asked how many there are.
            unsafe { *lines.add(at) = [lent(name.into_bytes()), lent(value)] };
        }
        true
    }

    "http_get_header" fn get_header(
        _filter: Ptr, map: u32, name: Bytes, value: *mut Bytes, at: usize, _count: *mut usize
    ) -> bool {
        assert_eq!(at, 0, "the filter reads the first value");
        lend(super::call(|proxy| proxy.header(self::map(map)?, &text(name))), value)
    }

    "http_set_header" fn set_header(_filter: Ptr, map: u32, name: Bytes, value: Bytes) -> bool {
        let (name, value) = (text(name), bytes(value));
        let set = super::call(|proxy| match self::map(map)? {
            side if value.is_empty() => proxy.remove_header(side, &name),
            side => proxy.replace_header(side, &name, value),
        });
        set.is_ok()
    }

    "http_add_header" fn add_header(_filter: Ptr, map: u32, name: Bytes, value: Bytes) -> bool {
        super::call(|proxy| proxy.add_header(self::map(map)?, &text(name), bytes(value))).is_ok()
    }

    "http_clear_route_cache" fn clear_route_cache(_filter: Ptr) -> () {}

    "http_get_body_size" fn get_body_size(_filter: Ptr, part: u32) -> usize {
        with_part(part, |_, range| range.len()).unwrap_or(0)
    }

    "http_get_body_chunks_size" fn get_body_chunks_size(_filter: Ptr, part: u32) -> usize {
        with_part(part, |_, range| range.len().div_ceil(CHUNK_BYTES)).unwrap_or(0)
    }

    "http_get_body_chunks" fn get_body_chunks(_filter: Ptr, part: u32, chunks: *mut Bytes) -> bool {
        let body = with_part(part, |body, range| body[range].to_vec());
        let Ok(body) = body else { return false };
        for (at, chunk) in body.chunks(CHUNK_BYTES).enumerate() {
            // SAFETY: the module has asked how many there are.
            unsafe { *chunks.add(at) = lent(chunk.into()) };
        }
        true
    }

    // It cannot fail where bytes could be added.
    "http_drain_body" fn drain_body(_filter: Ptr, part: u32, count: usize) -> bool {
        let fault = with(|proxy| proxy.fault.take());
        let drained = with_part(part, |body, range| {
            let end = range.end.min(range.start + count);
            body.drain(range.start..end);
            if part == 1 { end - range.start } else { 0 }
        });
        let before = drained.unwrap_or(0);
        with(|proxy| {
            proxy.fault = fault;
            let exchange = proxy.exchanges.get_mut(&proxy.current);
            exchange.into_iter().for_each(|exchange| exchange.buffered_bytes -= before);
        });
        drained.is_ok()
    }

    "http_append_body" fn append_body(_filter: Ptr, part: u32, added: Bytes) -> bool {
        let added = bytes(added);
        let length = added.len();
        let appended = with_part(part, |body, range| {
            body.splice(range.end..range.end, added);
        });
        if part == 1 && appended.is_ok() {
            with(|proxy| proxy.exchange().map(|exchange| exchange.buffered_bytes += length)).unwrap();
        }
        appended.is_ok()
    }

    "http_received_buffered_request_body" fn has_received_buffer(_filter: Ptr) -> bool {
        false
    }

    "http_get_buffer_limit" fn get_buffer_limit(_filter: Ptr) -> u64 {
        1024 * 1024
    }

    "http_set_buffer_limit" fn set_buffer_limit(_filter: Ptr, _bytes: u64) -> () {}

    "http_send_response" fn send_response(
        _filter: Ptr, status: u32, _lines: *const [Bytes; 2], _count: usize, body: Bytes, details: Bytes
    ) -> () {
        let _ = super::call(|proxy| proxy.send_local_reply(status, bytes(details), text(body)));
    }

    "http_get_metadata_string" fn get_metadata_string(
        _filter: Ptr, source: u32, namespace: Bytes, key: Bytes, value: *mut Bytes
    ) -> bool {
        assert_eq!(source, 0);
        let path = ["metadata\0filter_metadata", &text(namespace), &text(key)].join("\0").into_bytes();
        lend(super::call(|proxy| proxy.exchange()?.metadata.get(&path).cloned().ok_or(NOT_FOUND)), value)
    }

    "http_get_metadata_number" fn get_metadata_number(
        _filter: Ptr, _source: u32, _namespace: Bytes, _key: Bytes, _value: *mut f64
    ) -> bool {
        false
    }

    "http_get_metadata_bool" fn get_metadata_bool(
        _filter: Ptr, _source: u32, _namespace: Bytes, _key: Bytes, _value: *mut bool
    ) -> bool {
        false
    }

    "http_set_filter_state_bytes" fn set_filter_state(_filter: Ptr, key: Bytes, value: Bytes) -> bool {
        let key = text(key);
        let key = key.strip_prefix("wasm.").unwrap();
        super::call(|proxy| proxy.set_filter_state(key.into(), text(value))).is_ok()
    }

    "http_get_cluster_name" fn get_cluster_name(_filter: Ptr, name: *mut Bytes) -> bool {
        lend(super::call(Proxy::cluster), name)
    }

    "http_filter_get_attribute_string" fn get_attribute_string(
        _filter: Ptr, attribute: u32, value: *mut Bytes
    ) -> bool {
        assert_eq!(attribute, 16, "response.code_details");
        lend(super::call(|proxy| Ok(proxy.exchange()?.details.clone())), value)
    }

    "http_filter_get_attribute_int" fn get_attribute_int(
        _filter: Ptr, attribute: u32, value: *mut u64
    ) -> bool {
        let number = super::call(|proxy| match attribute {
            17 => Ok(proxy.exchange()?.flags),
            28 => Ok(CONNECTION),
            _ => Err(BAD_ARGUMENT),
        });
        // SAFETY: the module passes a valid pointer for the result.
        number.is_ok_and(|number| {
            unsafe { *value = number };
            true
        })
    }
}

/// All requests come over this connection.
const CONNECTION: u64 = 7;
/// Not the size of Envoy's slices, so that no test depends on it.
const CHUNK_BYTES: usize = 1000;

/// The name of a series by its metric and the values of its labels.
fn series(id: usize, values: &[String]) -> Option<String> {
    METRICS.with_borrow(|metrics| {
        let (name, labels) = metrics.get(id)?;
        assert_eq!(labels.len(), values.len(), "{name}");
        if labels.is_empty() {
            return Some(decoded_name(name));
        }
        let labels: Vec<_> =
            labels.iter().zip(values).map(|(label, value)| format!("{label}={value}")).collect();
        Some(format!("{name}{{{}}}", labels.join(",")))
    })
}

unsafe extern "C" fn add(config: Ptr, id: usize, labels: *const Bytes, count: usize, value: u64) -> u32 {
    unsafe { update_with(config, id, labels, count, (value > 0).then_some(value)) }
}

unsafe extern "C" fn update(config: Ptr, id: usize, labels: *const Bytes, count: usize, value: u64) -> u32 {
    unsafe { update_with(config, id, labels, count, Some(value)) }
}

unsafe fn update_with(_: Ptr, id: usize, labels: *const Bytes, count: usize, value: Option<u64>) -> u32 {
    let values = unsafe { texts(labels, count) };
    let updated = super::call(|proxy| {
        let name = series(id, &values).ok_or(NOT_FOUND)?;
        let at = proxy.series(name)?;
        value.map_or(Ok(()), |value| proxy.record(at, value))
    });
    updated.err().map_or(0, |_| 1)
}
