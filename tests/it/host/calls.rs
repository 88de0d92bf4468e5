//! The calls that the filter can make, as Envoy answers them.

use super::*;

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_log(_level: u32, data: *const u8, len: usize) -> u32 {
    let line = unsafe { text(data, len) };
    status(call(|host| {
        host.logs.push(line);
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
    let value = call(|host| match (kind, host.phase) {
        (7, Phase::Configure) => Ok(host.configuration.clone()),
        (0, Phase::RequestBody) => {
            let chunk = &host.exchanges[&host.current].request_chunk;
            Ok(chunk[start.min(chunk.len())..(start + max).min(chunk.len())].to_vec())
        }
        (1, Phase::ResponseBody) => {
            let chunk = &host.exchanges[&host.current].chunk;
            Ok(chunk[start.min(chunk.len())..(start + max).min(chunk.len())].to_vec())
        }
        _ => Err(BAD_ARGUMENT),
    });
    hand_over(value, out, len)
}

/// As Envoy does it: from the start on, or behind the end.
#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_set_buffer_bytes(
    kind: u32,
    start: usize,
    len: usize,
    data: *const u8,
    data_len: usize,
) -> u32 {
    let data = unsafe { bytes(data, data_len) };
    status(call(|host| {
        let phase = host.phase;
        let exchange = host.exchanges.get_mut(&host.current).ok_or(BAD_ARGUMENT)?;
        let buffer = match (kind, phase) {
            (0, Phase::RequestBody) => &mut exchange.request_chunk,
            (1, Phase::ResponseBody) => &mut exchange.chunk,
            _ => return Err(BAD_ARGUMENT),
        };
        let range = match start {
            0 => 0..len.min(buffer.len()),
            _ if start >= buffer.len() => buffer.len()..buffer.len(),
            _ => return Err(BAD_ARGUMENT),
        };
        buffer.splice(range, data);
        Ok(())
    }))
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
    status(call(|host| {
        let exchange = host.exchanges.get_mut(&host.current).ok_or(BAD_ARGUMENT)?;
        exchange.details = details;
        exchange.local_reply = Some((code, body));
        Ok(())
    }))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_continue_stream(stream: u32) -> u32 {
    assert_eq!(stream, 0);
    status(call(|host| {
        let exchange = host.exchanges.get_mut(&host.current).ok_or(BAD_ARGUMENT)?;
        exchange.is_paused = false;
        exchange.sent_upstream.append(&mut exchange.request_kept);
        Ok(())
    }))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_effective_context(id: u32) -> u32 {
    status(call(|host| {
        host.current = id;
        Ok(())
    }))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_tick_period_milliseconds(period: u32) -> u32 {
    status(call(|host| {
        host.tick_period_ms = period;
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
    let value = call(|host| {
        let headers = host.headers(map)?;
        headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.clone()).ok_or(NOT_FOUND)
    });
    hand_over(value, out, len)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_header_map_pairs(map: u32, out: *mut *mut u8, len: *mut usize) -> u32 {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_le_bytes();
    let pairs = call(|host| {
        let headers = host.headers(map)?;
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
    status(call(|host| {
        host.writable(map)?.push((name, value));
        Ok(())
    }))
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
    status(call(|host| {
        let headers = host.writable(map)?;
        headers.retain(|(n, _)| *n != name);
        headers.push((name, value));
        Ok(())
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_remove_header_map_value(map: u32, name: *const u8, name_len: usize) -> u32 {
    let name = unsafe { text(name, name_len) };
    status(call(|host| {
        host.writable(map)?.retain(|(n, _)| *n != name);
        Ok(())
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_property(
    path: *const u8,
    path_len: usize,
    out: *mut *mut u8,
    len: *mut usize,
) -> u32 {
    let path = unsafe { bytes(path, path_len) };
    let value = call(|host| {
        let exchange = host.exchanges.get(&host.current).ok_or(BAD_ARGUMENT)?;
        match &path[..] {
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
    status(call(|host| {
        let exchange = host.exchanges.get_mut(&host.current).ok_or(BAD_ARGUMENT)?;
        exchange.filter_state.insert(path, value);
        Ok(())
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_define_metric(_kind: u32, name: *const u8, name_len: usize, id: *mut u32) -> u32 {
    let name = unsafe { text(name, name_len) };
    let defined = call(|host| {
        assert_eq!(host.phase, Phase::Configure, "metrics are defined at configuration: {name}");
        host.definitions += 1;
        let next = host.metrics.len();
        let id = *host.metric_ids.entry(name).or_insert_with_key(|name| {
            host.metrics.push((name.clone(), Vec::new()));
            next
        });
        Ok(id)
    });
    match defined {
        // SAFETY: the filter passes a valid place for the answer.
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
    status(call(|host| {
        host.metrics.get_mut(id as usize).ok_or(BAD_ARGUMENT)?.1.push(value);
        Ok(())
    }))
}
