//! Envoy's side of the proxy-wasm ABI.

use super::*;
use std::ptr;

mod module {
    unsafe extern "C" {
        pub(super) fn proxy_on_memory_allocate(size: usize) -> *mut u8;
        pub(super) safe fn proxy_on_context_create(id: u32, parent: u32);
        pub(super) safe fn proxy_on_configure(id: u32, size: usize) -> u32;
        pub(super) safe fn proxy_on_request_headers(id: u32, headers: usize, is_end: u32) -> u32;
        pub(super) safe fn proxy_on_request_body(id: u32, size: usize, is_end: u32) -> u32;
        pub(super) safe fn proxy_on_request_trailers(id: u32, trailers: usize) -> u32;
        pub(super) safe fn proxy_on_tick(id: u32);
        pub(super) safe fn proxy_on_response_headers(id: u32, headers: usize, is_end: u32) -> u32;
        pub(super) safe fn proxy_on_response_body(id: u32, size: usize, is_end: u32) -> u32;
        pub(super) safe fn proxy_on_response_trailers(id: u32, trailers: usize) -> u32;
        pub(super) safe fn proxy_on_log(id: u32);
        pub(super) safe fn proxy_on_delete(id: u32);
    }
}

/// Calls the module. A callback without a result returns 0.
pub(super) fn call(id: u32, callback: Callback) -> u32 {
    match callback {
        Callback::ContextCreate { parent } => module::proxy_on_context_create(id, parent),
        Callback::Configure { size } => return module::proxy_on_configure(id, size),
        Callback::RequestHeaders { is_end } => return module::proxy_on_request_headers(id, 0, is_end.into()),
        Callback::RequestBody { size, is_end } => {
            return module::proxy_on_request_body(id, size, is_end.into());
        }
        Callback::RequestTrailers => return module::proxy_on_request_trailers(id, 1),
        Callback::ResponseHeaders { is_end } => {
            return module::proxy_on_response_headers(id, 0, is_end.into());
        }
        Callback::ResponseBody { size, is_end } => {
            return module::proxy_on_response_body(id, size, is_end.into());
        }
        Callback::ResponseTrailers => return module::proxy_on_response_trailers(id, 1),
        Callback::Tick => module::proxy_on_tick(id),
        Callback::Log => module::proxy_on_log(id),
        Callback::Delete => module::proxy_on_delete(id),
    }
    0
}

/// Writes bytes into the module's own memory, as Envoy does.
fn hand_over(value: Answer<Vec<u8>>, out: *mut *mut u8, out_len: *mut usize) -> u32 {
    match value {
        Err(status) => status,
        // SAFETY: the filter allocates `len` bytes and passes valid pointers for the result.
        Ok(value) => unsafe {
            let room = if value.is_empty() {
                ptr::null_mut()
            } else {
                module::proxy_on_memory_allocate(value.len())
            };
            assert!(room.addr().is_multiple_of(4096), "not aligned to a page: {room:p}");
            if !room.is_null() {
                ptr::copy_nonoverlapping(value.as_ptr(), room, value.len());
            }
            *out = room;
            *out_len = value.len();
            OK
        },
    }
}

/// SAFETY: callers pass a pointer and length that the filter handed over.
unsafe fn bytes(data: *const u8, len: usize) -> Vec<u8> {
    unsafe { std::slice::from_raw_parts(data, len) }.to_vec()
}

/// SAFETY: as for [`bytes`].
unsafe fn text(data: *const u8, len: usize) -> String {
    String::from_utf8(unsafe { bytes(data, len) }).unwrap()
}

fn status(result: Answer<()>) -> u32 {
    result.err().unwrap_or(OK)
}

/// The request or the response, by the ABI's number of a map or a buffer.
fn side(number: u32, response: u32) -> Answer<Side> {
    match number {
        0 => Ok(Side::Request),
        _ if number == response => Ok(Side::Response),
        _ => Err(BAD_ARGUMENT),
    }
}

fn map(number: u32) -> Answer<Side> {
    if number == 3 { Ok(Side::ResponseTrailers) } else { side(number, 2) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_log(_level: u32, data: *const u8, len: usize) -> u32 {
    let line = unsafe { text(data, len) };
    status(super::call(|proxy| {
        proxy.logs.push(line);
        Ok(())
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_buffer_bytes(
    kind: u32,
    start: usize,
    max: usize,
    out: *mut *mut u8,
    len: *mut usize,
) -> u32 {
    let value = super::call(|proxy| match (kind, proxy.phase) {
        (7, Phase::Configure) => Ok(proxy.configuration.clone()),
        _ => {
            let body = proxy.body(side(kind, 1)?)?;
            Ok(body[start.min(body.len())..(start + max).min(body.len())].to_vec())
        }
    });
    hand_over(value, out, len)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_set_buffer_bytes(
    kind: u32,
    start: usize,
    len: usize,
    data: *const u8,
    data_len: usize,
) -> u32 {
    let data = unsafe { bytes(data, data_len) };
    assert_eq!(start, 0, "the filter replaces from the start only");
    status(super::call(|proxy| proxy.replace_body(side(kind, 1)?, len, data)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_send_local_response(
    code: u32,
    details: *const u8,
    details_len: usize,
    body: *const u8,
    body_len: usize,
    headers: *const u8,
    headers_len: usize,
    grpc_status: i32,
) -> u32 {
    let (details, body, headers) =
        unsafe { (bytes(details, details_len), text(body, body_len), bytes(headers, headers_len)) };
    assert_eq!((headers, grpc_status), (vec![0; 4], -1));
    status(super::call(|proxy| proxy.send_local_reply(code, details, body)))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_continue_stream(stream: u32) -> u32 {
    assert_eq!(stream, 0);
    status(super::call(|proxy| {
        let exchange = proxy.exchanges.get_mut(&proxy.current).ok_or(BAD_ARGUMENT)?;
        exchange.is_paused = false;
        exchange.sent_upstream.append(&mut exchange.request_kept);
        Ok(())
    }))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_effective_context(id: u32) -> u32 {
    status(super::call(|proxy| {
        proxy.current = id;
        Ok(())
    }))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_tick_period_milliseconds(period: u32) -> u32 {
    status(super::call(|proxy| {
        if proxy.refuses_ticks {
            return Err(BAD_ARGUMENT);
        }
        proxy.tick_period_ms = period;
        Ok(())
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_header_map_value(
    map: u32,
    name: *const u8,
    name_len: usize,
    out: *mut *mut u8,
    len: *mut usize,
) -> u32 {
    let name = unsafe { text(name, name_len) };
    let value = super::call(|proxy| proxy.header(self::map(map)?, &name));
    hand_over(value, out, len)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_header_map_pairs(map: u32, out: *mut *mut u8, len: *mut usize) -> u32 {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_le_bytes();
    let pairs = super::call(|proxy| {
        let headers = proxy.headers(self::map(map)?)?;
        let mut bytes = u32::try_from(headers.len()).unwrap().to_le_bytes().to_vec();
        for (name, value) in headers.iter() {
            bytes.extend([length(name.as_bytes()), length(value)].concat());
        }
        for (name, value) in headers.iter() {
            bytes.extend([name.as_bytes(), b"\0", value, b"\0"].concat());
        }
        Ok(bytes)
    });
    hand_over(pairs, out, len)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_add_header_map_value(
    map: u32,
    name: *const u8,
    name_len: usize,
    value: *const u8,
    value_len: usize,
) -> u32 {
    let (name, value) = unsafe { (text(name, name_len), bytes(value, value_len)) };
    status(super::call(|proxy| proxy.add_header(self::map(map)?, &name, value)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_replace_header_map_value(
    map: u32,
    name: *const u8,
    name_len: usize,
    value: *const u8,
    value_len: usize,
) -> u32 {
    let (name, value) = unsafe { (text(name, name_len), bytes(value, value_len)) };
    status(super::call(|proxy| proxy.replace_header(self::map(map)?, &name, value)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_remove_header_map_value(map: u32, name: *const u8, name_len: usize) -> u32 {
    let name = unsafe { text(name, name_len) };
    status(super::call(|proxy| proxy.remove_header(self::map(map)?, &name)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_property(
    path: *const u8,
    path_len: usize,
    out: *mut *mut u8,
    len: *mut usize,
) -> u32 {
    let path = unsafe { bytes(path, path_len) };
    let value = super::call(|proxy| {
        if path == b"xds\0cluster_name" {
            return proxy.cluster();
        }
        if let Some(key) = path.strip_prefix(b"filter_state\0wasm.") {
            return proxy.filter_state(str::from_utf8(key).unwrap());
        }
        let exchange = proxy.exchange()?;
        match &path[..] {
            b"request\0total_size" => {
                let head_bytes: usize =
                    exchange.request.iter().map(|(name, value)| name.len() + value.len()).sum();
                Ok(((head_bytes + exchange.received_bytes) as u64).to_le_bytes().to_vec())
            }
            b"response\0flags" => Ok(exchange.flags.to_le_bytes().to_vec()),
            b"response\0code_details" => Ok(exchange.details.clone()),
            _ => exchange.metadata.get(&path).cloned().ok_or(NOT_FOUND),
        }
    });
    hand_over(value, out, len)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_set_property(
    path: *const u8,
    path_len: usize,
    value: *const u8,
    value_len: usize,
) -> u32 {
    let (path, value) = unsafe { (text(path, path_len), text(value, value_len)) };
    status(super::call(|proxy| proxy.set_filter_state(path, value)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_call_foreign_function(
    name: *const u8,
    name_len: usize,
    arguments: *const u8,
    arguments_len: usize,
    _out: *mut *mut u8,
    _out_len: *mut usize,
) -> u32 {
    let (name, arguments) = unsafe { (text(name, name_len), bytes(arguments, arguments_len)) };
    assert_eq!(name, "declare_property");
    // The protobuf fields 1, the name, and 5, the life span, which is a request's.
    let (start, rest) = arguments.split_at(2);
    assert_eq!(start[0], 0x0a);
    let (name, rest) = rest.split_at(start[1].into());
    assert_eq!(rest, [0x28, 1]);
    status(super::call(|proxy| proxy.declare_filter_state(String::from_utf8(name.into()).unwrap())))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_define_metric(_kind: u32, name: *const u8, name_len: usize, id: *mut u32) -> u32 {
    let name = unsafe { text(name, name_len) };
    let defined = super::call(|proxy| proxy.define_series(decoded_name(&name)));
    match defined {
        // SAFETY: the filter passes a valid pointer for the result.
        Ok(at) => unsafe {
            *id = at as u32;
            OK
        },
        Err(status) => status,
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_increment_metric(id: u32, offset: i64) -> u32 {
    proxy_record_metric(id, offset as u64)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_record_metric(id: u32, value: u64) -> u32 {
    status(super::call(|proxy| proxy.record(id as usize, value)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn clock_time_get(clock: u32, _precision_ns: u64, time_ns: *mut u64) -> u32 {
    let now = with(|proxy| if clock == 0 { proxy.realtime } else { proxy.monotonic });
    // SAFETY: the filter passes a valid pointer for the result.
    unsafe { *time_ns = now.as_nanos() as u64 };
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn random_get(buffer: *mut u8, len: usize) -> u32 {
    assert_eq!(len, size_of::<u32>());
    let number = with(Proxy::random).to_le_bytes();
    // SAFETY: the filter passes `len` bytes.
    unsafe { ptr::copy_nonoverlapping(number.as_ptr(), buffer, len) };
    OK
}
