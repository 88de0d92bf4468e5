//! The functions of Envoy that the module calls, without the prefix of their names.

use std::ffi::c_void;

use super::{Bytes, Line};

/// Declares functions whose names in Envoy have the prefix of its callbacks.
macro_rules! callbacks {
    ($($name:ident = $suffix:literal: fn($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        unsafe extern "C" {
            $(
                #[link_name = concat!("envoy_dynamic_module_callback_", $suffix)]
                pub(super) fn $name($($argument: $type),*) $(-> $result)?;
            )*
        }
    };
}

callbacks! {
    log = "log": fn(level: u32, text: Bytes);
    define_counter = "http_filter_config_define_counter":
        fn(config: *mut c_void, name: Bytes, labels: *const Bytes, count: usize, id: *mut usize) -> u32;
    define_gauge = "http_filter_config_define_gauge":
        fn(config: *mut c_void, name: Bytes, labels: *const Bytes, count: usize, id: *mut usize) -> u32;
    define_histogram = "http_filter_config_define_histogram":
        fn(config: *mut c_void, name: Bytes, labels: *const Bytes, count: usize, id: *mut usize) -> u32;
    add_to_counter = "http_filter_increment_counter":
        fn(filter: *mut c_void, id: usize, labels: *const Bytes, count: usize, value: u64) -> u32;
    set_gauge = "http_filter_set_gauge":
        fn(filter: *mut c_void, id: usize, labels: *const Bytes, count: usize, value: u64) -> u32;
    record_in_histogram = "http_filter_record_histogram_value":
        fn(filter: *mut c_void, id: usize, labels: *const Bytes, count: usize, value: u64) -> u32;
    new_config_scheduler = "http_filter_config_scheduler_new": fn(config: *mut c_void) -> *mut c_void;
    delete_config_scheduler = "http_filter_config_scheduler_delete": fn(scheduler: *mut c_void);
    commit_config_scheduler = "http_filter_config_scheduler_commit": fn(scheduler: *mut c_void, event: u64);
    get_headers_size = "http_get_headers_size": fn(filter: *mut c_void, map: u32) -> usize;
    get_headers = "http_get_headers": fn(filter: *mut c_void, map: u32, lines: *mut Line) -> bool;
    get_header = "http_get_header":
        fn(filter: *mut c_void, map: u32, name: Bytes, value: *mut Bytes, at: usize, count: *mut usize) -> bool;
    set_header = "http_set_header": fn(filter: *mut c_void, map: u32, name: Bytes, value: Bytes) -> bool;
    add_header = "http_add_header": fn(filter: *mut c_void, map: u32, name: Bytes, value: Bytes) -> bool;
    clear_route_cache = "http_clear_route_cache": fn(filter: *mut c_void);
    get_body_size = "http_get_body_size": fn(filter: *mut c_void, part: u32) -> usize;
    get_body_chunks_size = "http_get_body_chunks_size": fn(filter: *mut c_void, part: u32) -> usize;
    get_body_chunks = "http_get_body_chunks": fn(filter: *mut c_void, part: u32, chunks: *mut Bytes) -> bool;
    drain_body = "http_drain_body": fn(filter: *mut c_void, part: u32, bytes: usize) -> bool;
    append_body = "http_append_body": fn(filter: *mut c_void, part: u32, bytes: Bytes) -> bool;
    has_received_buffer = "http_received_buffered_request_body": fn(filter: *mut c_void) -> bool;
    get_buffer_limit = "http_get_buffer_limit": fn(filter: *mut c_void) -> u64;
    set_buffer_limit = "http_set_buffer_limit": fn(filter: *mut c_void, bytes: u64);
    send_response = "http_send_response":
        fn(filter: *mut c_void, status: u32, lines: *const Line, count: usize, body: Bytes, details: Bytes);
    get_metadata_string = "http_get_metadata_string":
        fn(filter: *mut c_void, source: u32, namespace: Bytes, key: Bytes, value: *mut Bytes) -> bool;
    get_metadata_number = "http_get_metadata_number":
        fn(filter: *mut c_void, source: u32, namespace: Bytes, key: Bytes, value: *mut f64) -> bool;
    get_metadata_bool = "http_get_metadata_bool":
        fn(filter: *mut c_void, source: u32, namespace: Bytes, key: Bytes, value: *mut bool) -> bool;
    set_filter_state = "http_set_filter_state_bytes":
        fn(filter: *mut c_void, key: Bytes, value: Bytes) -> bool;
    get_cluster_name = "http_get_cluster_name": fn(filter: *mut c_void, name: *mut Bytes) -> bool;
    get_attribute_string = "http_filter_get_attribute_string":
        fn(filter: *mut c_void, attribute: u32, value: *mut Bytes) -> bool;
    get_attribute_int = "http_filter_get_attribute_int":
        fn(filter: *mut c_void, attribute: u32, value: *mut u64) -> bool;
}
