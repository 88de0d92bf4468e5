//! What the module calls: Envoy's C ABI for dynamic modules, as far as the filter needs it. Envoy 1.39 and newer has it.
//!
//! A call of Envoy that fails returns `None` or `false`. What Envoy lends is lent on to a closure, because it is valid only
//! until the hook returns, or until that part is changed. The ABI is
//! <https://github.com/envoyproxy/envoy/blob/main/source/extensions/dynamic_modules/abi/abi.h>.

#![expect(unsafe_code, reason = "the ABI passes pointers")]

mod callbacks;
mod newer;

use std::ffi::c_void;
use std::{ptr, slice};

use callbacks as envoy;
use llm_canary::filter::Headers;
use llm_canary::metrics::MetricKind;
pub use newer::Newer;

/// The result of a call about metrics that succeeded.
const METRIC_OK: u32 = 0;
/// Dynamic metadata, as a source of metadata.
const DYNAMIC_METADATA: u32 = 0;
/// No series has more labels.
const LABELS_MAX: usize = 8;
/// A head seldom has more headers.
const LINES: usize = 32;
/// Pieces of a body are seldom in more parts.
const CHUNKS: usize = 8;

/// Bytes of either side.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Bytes {
    start: *const u8,
    length: usize,
}

/// A header.
#[repr(C)]
#[derive(Clone, Copy)]
struct Line {
    name: Bytes,
    value: Bytes,
}

const _: () = assert!(size_of::<Bytes>() == 16 && align_of::<Bytes>() == 8);
const _: () = assert!(size_of::<Line>() == 32 && align_of::<Line>() == 8);
const _: () = assert!(size_of::<usize>() == 8 && size_of::<bool>() == 1);

impl Bytes {
    const NONE: Bytes = Bytes { start: ptr::null(), length: 0 };

    /// Ours: valid as long as the bytes are borrowed, which is longer than a call lasts.
    pub fn of(bytes: &[u8]) -> Bytes {
        Bytes { start: bytes.as_ptr(), length: bytes.len() }
    }

    /// # Safety
    /// Envoy has lent the bytes, and has not changed them since.
    pub unsafe fn get<'b>(self) -> &'b [u8] {
        if self.start.is_null() {
            return &[];
        }
        // SAFETY: the caller's.
        unsafe { slice::from_raw_parts(self.start, self.length) }
    }
}

impl Line {
    const NONE: Line = Line { name: Bytes::NONE, value: Bytes::NONE };
}

/// A header map.
#[derive(Clone, Copy)]
pub(crate) enum Map {
    Request = 0,
    Response = 2,
    ResponseTrailers = 3,
}

/// A part of a body: what has arrived with this hook, or what Envoy has held since earlier hooks.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    ReceivedRequest = 0,
    BufferedRequest = 1,
    ReceivedResponse = 2,
}

/// An attribute of an exchange.
#[derive(Clone, Copy)]
pub(crate) enum Attribute {
    ResponseCodeDetails = 16,
    ResponseFlags = 17,
    ConnectionId = 28,
}

/// The level of a line in Envoy's log.
#[derive(Clone, Copy)]
pub(crate) enum LogLevel {
    Info = 2,
    Warn = 3,
    Error = 4,
}

/// Envoy's side of an exchange. Valid in a hook of that exchange.
#[derive(Clone, Copy)]
pub struct Filter(*mut c_void);

/// Envoy's side of a configuration. Valid until the configuration is destroyed. Metrics can be defined while it is loaded.
#[derive(Clone, Copy)]
pub struct FilterConfig {
    config: *mut c_void,
    newer: Newer,
}

// SAFETY: one thread uses it at a time: the main thread, until the configuration is destroyed; then the one that destroys it.
unsafe impl Send for FilterConfig {}
// SAFETY: the same.
unsafe impl Sync for FilterConfig {}

/// Has Envoy's main thread call the module, from any thread.
pub(crate) struct Scheduler(*mut c_void);

// SAFETY: Envoy's schedulers are made for other threads, and for several at a time.
unsafe impl Send for Scheduler {}
// SAFETY: the same.
unsafe impl Sync for Scheduler {}

impl Scheduler {
    /// Envoy calls the hook for scheduled configurations with this event, unless the configuration has been destroyed by then.
    pub(crate) fn commit(&self, event: u64) {
        // SAFETY: no pointers but Envoy's own.
        unsafe { envoy::commit_config_scheduler(self.0, event) };
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        // SAFETY: Envoy made it, and it is deleted once.
        unsafe { envoy::delete_config_scheduler(self.0) };
    }
}

/// A call that updates a series: of what, the id of its metric, the label values and their number, the value.
pub type MetricCall = unsafe extern "C" fn(*mut c_void, usize, *const Bytes, usize, u64) -> u32;

/// A call that defines a metric: for what, its name, the names of its labels and their number, where the id goes.
type Define = unsafe extern "C" fn(*mut c_void, Bytes, *const Bytes, usize, *mut usize) -> u32;

/// Makes a call that writes bytes which Envoy lends, and lends them to `take`. `None` if the call fails.
fn lent<T>(call: impl FnOnce(*mut Bytes) -> bool, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
    let mut bytes = Bytes::NONE;
    // SAFETY: Envoy has just lent the bytes.
    call(&mut bytes).then(|| take(unsafe { bytes.get() }))
}

/// Room for so many of what Envoy lends: on the stack if they are few.
fn room<'r, T: Clone>(few: &'r mut [T], many: &'r mut Vec<T>, count: usize, none: T) -> &'r mut [T] {
    few.get_mut(..count).unwrap_or_else(|| {
        many.resize(count, none);
        many
    })
}

/// Makes a call with the values of labels.
fn with_labels(values: &[Box<str>], call: impl FnOnce(*const Bytes, usize)) {
    let mut labels = [Bytes::NONE; LABELS_MAX];
    labels.iter_mut().zip(values).for_each(|(label, value)| *label = Bytes::of(value.as_bytes()));
    call(labels.as_ptr(), values.len().min(LABELS_MAX));
}

/// Writes to Envoy's log.
pub(crate) fn log(level: LogLevel, text: &str) {
    // SAFETY: Envoy copies the text before the call returns.
    unsafe { envoy::log(level as u32, Bytes::of(text.as_bytes())) };
}

impl FilterConfig {
    /// Envoy's side of a configuration.
    pub fn new(config: *mut c_void, newer: Newer) -> FilterConfig {
        FilterConfig { config, newer }
    }

    pub(crate) fn scheduler(self) -> Scheduler {
        // SAFETY: no pointers but Envoy's own.
        Scheduler(unsafe { envoy::new_config_scheduler(self.config) })
    }

    /// Defines a metric with these labels, and returns its id.
    pub(crate) fn define(self, kind: MetricKind, name: &str, labels: &[&str]) -> Option<usize> {
        let labels: Vec<Bytes> = labels.iter().map(|label| Bytes::of(label.as_bytes())).collect();
        let (name, first, count) = (Bytes::of(name.as_bytes()), labels.as_ptr(), labels.len());
        let define: Define = match kind {
            MetricKind::Counter => envoy::define_counter,
            MetricKind::Gauge => envoy::define_gauge,
            MetricKind::Histogram => envoy::define_histogram,
        };
        let mut id = 0;
        // SAFETY: Envoy copies the names, and writes the id, before the call returns.
        let result = unsafe { define(self.config, name, first, count, &mut id) };
        (result == METRIC_OK).then_some(id)
    }

    /// Adds to a counter.
    pub(crate) fn add(self, id: usize, labels: &[Box<str>], value: u64) {
        self.update(self.newer.add_to_counter, id, labels, value);
    }

    /// Sets a gauge.
    pub(crate) fn set(self, id: usize, labels: &[Box<str>], value: u64) {
        self.update(self.newer.set_gauge, id, labels, value);
    }

    /// Records a value in a histogram.
    pub(crate) fn record(self, id: usize, value: u64) {
        self.update(self.newer.record_in_histogram, id, &[], value);
    }

    fn update(self, call: MetricCall, id: usize, labels: &[Box<str>], value: u64) {
        with_labels(labels, |first, count| {
            // SAFETY: Envoy reads the values before the call returns.
            unsafe { call(self.config, id, first, count, value) };
        });
    }
}

impl Filter {
    /// Envoy's side of an exchange.
    pub(crate) fn new(filter: *mut c_void) -> Filter {
        Filter(filter)
    }

    /// Reads all headers.
    pub(crate) fn headers(self, map: Map) -> Headers {
        // SAFETY: no pointers but Envoy's own.
        let count = unsafe { envoy::get_headers_size(self.0, map as u32) };
        let (mut few, mut many) = ([Line::NONE; LINES], Vec::new());
        let lines = room(&mut few, &mut many, count, Line::NONE);
        // SAFETY: there is room for as many headers as Envoy has.
        if count == 0 || !unsafe { envoy::get_headers(self.0, map as u32, lines.as_mut_ptr()) } {
            return Headers::default();
        }
        // SAFETY: Envoy has just lent names and values.
        Headers::from_pairs(lines.iter().map(|line| unsafe { (line.name.get(), line.value.get()) }))
    }

    /// Reads a header's first value.
    pub(crate) fn header<T>(self, map: Map, name: &str, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let name = Bytes::of(name.as_bytes());
        // SAFETY: Envoy reads the name, and writes where the value is, before the call returns.
        let call = |value: *mut Bytes| unsafe {
            envoy::get_header(self.0, map as u32, name, value, 0, ptr::null_mut())
        };
        lent(call, take)
    }

    /// Sets a header to one value; removes it if that is empty.
    pub(crate) fn set_header(self, map: Map, name: &str, value: &[u8]) -> bool {
        let (name, value) = (Bytes::of(name.as_bytes()), Bytes::of(value));
        // SAFETY: Envoy copies name and value before the call returns.
        unsafe { envoy::set_header(self.0, map as u32, name, value) }
    }

    /// Adds a header, and keeps others with the same name.
    pub(crate) fn add_header(self, map: Map, name: &str, value: &str) -> bool {
        let (name, value) = (Bytes::of(name.as_bytes()), Bytes::of(value.as_bytes()));
        // SAFETY: Envoy copies name and value before the call returns.
        unsafe { envoy::add_header(self.0, map as u32, name, value) }
    }

    /// Has Envoy choose the route again.
    pub(crate) fn clear_route_cache(self) {
        // SAFETY: no pointers but Envoy's own.
        unsafe { envoy::clear_route_cache(self.0) };
    }

    /// How many bytes a part of a body has; 0 if there is none.
    pub(crate) fn body_bytes(self, part: Part) -> usize {
        // SAFETY: no pointers but Envoy's own.
        unsafe { envoy::get_body_size(self.0, part as u32) }
    }

    /// Lends a part of a body to `take`, chunk by chunk, without a copy. Stops where `take` returns false, and returns that.
    pub(crate) fn read_body(self, part: Part, take: &mut impl FnMut(&[u8]) -> bool) -> bool {
        // SAFETY: no pointers but Envoy's own.
        let count = unsafe { envoy::get_body_chunks_size(self.0, part as u32) };
        let (mut few, mut many) = ([Bytes::NONE; CHUNKS], Vec::new());
        let chunks = room(&mut few, &mut many, count, Bytes::NONE);
        // SAFETY: there is room for as many chunks as Envoy has.
        if count == 0 || !unsafe { envoy::get_body_chunks(self.0, part as u32, chunks.as_mut_ptr()) } {
            return true;
        }
        // SAFETY: Envoy has just lent the chunks, and `take` changes no body.
        chunks.iter().all(|chunk| take(unsafe { chunk.get() }))
    }

    /// Removes bytes from the front of a part of a body.
    pub(crate) fn drain_body(self, part: Part, bytes: usize) -> bool {
        // SAFETY: no pointers but Envoy's own.
        unsafe { envoy::drain_body(self.0, part as u32, bytes) }
    }

    /// Adds bytes at the end of a part of a body.
    pub(crate) fn append_body(self, part: Part, bytes: &[u8]) -> bool {
        // SAFETY: Envoy copies the bytes before the call returns.
        unsafe { envoy::append_body(self.0, part as u32, Bytes::of(bytes)) }
    }

    /// Whether the part that has arrived is the one that Envoy held, because an earlier filter had let the request wait.
    pub(crate) fn has_received_buffer(self) -> bool {
        // SAFETY: no pointers but Envoy's own.
        unsafe { envoy::has_received_buffer(self.0) }
    }

    /// Raises Envoy's limit by so many bytes. A piece of a body is at most as long as the limit was before, so Envoy does
    /// not reach the new one while no more than `bytes` are waited for.
    pub(crate) fn raise_buffer_limit(self, bytes: usize) {
        // SAFETY: no pointers but Envoy's own.
        let limit = unsafe { envoy::get_buffer_limit(self.0) };
        let raised = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(limit);
        // SAFETY: no pointers but Envoy's own.
        unsafe { envoy::set_buffer_limit(self.0, raised) };
    }

    /// Answers the request.
    pub(crate) fn send_response(self, status: u32, header: Option<(&str, &str)>, body: &str, details: &str) {
        let line = |(name, value): (&str, &str)| Line {
            name: Bytes::of(name.as_bytes()),
            value: Bytes::of(value.as_bytes()),
        };
        let (line, count) = (header.map_or(Line::NONE, line), usize::from(header.is_some()));
        let (body, details) = (Bytes::of(body.as_bytes()), Bytes::of(details.as_bytes()));
        // SAFETY: Envoy copies header, body and details before the call returns.
        unsafe { envoy::send_response(self.0, status, &line, count, body, details) };
    }

    /// Reads a value of dynamic metadata: a string as it is, a number as the bytes of a double, a truth value as one byte.
    pub(crate) fn metadata(self, namespace: &str, key: &str) -> Option<Vec<u8>> {
        let (namespace, key) = (Bytes::of(namespace.as_bytes()), Bytes::of(key.as_bytes()));
        // SAFETY: Envoy reads the names, and writes where the value is, before the call returns.
        let text = |value: *mut Bytes| unsafe {
            envoy::get_metadata_string(self.0, DYNAMIC_METADATA, namespace, key, value)
        };
        let (mut number, mut truth) = (0.0_f64, false);
        lent(text, <[u8]>::to_vec).or_else(|| {
            // SAFETY: Envoy reads the names, and writes the value, before the call returns.
            if unsafe { envoy::get_metadata_number(self.0, DYNAMIC_METADATA, namespace, key, &mut number) } {
                return Some(number.to_le_bytes().into());
            }
            // SAFETY: the same.
            unsafe { envoy::get_metadata_bool(self.0, DYNAMIC_METADATA, namespace, key, &mut truth) }
                .then(|| vec![u8::from(truth)])
        })
    }

    /// Sets filter state.
    pub(crate) fn set_filter_state(self, key: &str, value: &str) -> bool {
        let (key, value) = (Bytes::of(key.as_bytes()), Bytes::of(value.as_bytes()));
        // SAFETY: Envoy copies both before the call returns.
        unsafe { envoy::set_filter_state(self.0, key, value) }
    }

    /// Reads the name of the cluster that the routes chose.
    pub(crate) fn cluster<T>(self, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
        // SAFETY: Envoy writes where the name is before the call returns.
        lent(|name| unsafe { envoy::get_cluster_name(self.0, name) }, take)
    }

    /// Reads an attribute that is text.
    pub(crate) fn text<T>(self, attribute: Attribute, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
        // SAFETY: Envoy writes where the text is before the call returns.
        lent(|text| unsafe { envoy::get_attribute_string(self.0, attribute as u32, text) }, take)
    }

    /// Reads an attribute that is a number.
    pub(crate) fn number(self, attribute: Attribute) -> Option<u64> {
        let mut number = 0;
        // SAFETY: Envoy writes the number before the call returns.
        unsafe { envoy::get_attribute_int(self.0, attribute as u32, &mut number) }.then_some(number)
    }

    /// Adds to a counter.
    pub(crate) fn add(self, id: usize, labels: &[Box<str>], value: u64) {
        self.update(envoy::add_to_counter, id, labels, value);
    }

    /// Sets a gauge.
    pub(crate) fn set(self, id: usize, labels: &[Box<str>], value: u64) {
        self.update(envoy::set_gauge, id, labels, value);
    }

    /// Records a value in a histogram.
    pub(crate) fn record(self, id: usize, value: u64) {
        self.update(envoy::record_in_histogram, id, &[], value);
    }

    fn update(self, call: MetricCall, id: usize, labels: &[Box<str>], value: u64) {
        with_labels(labels, |first, count| {
            // SAFETY: Envoy reads the values before the call returns.
            unsafe { call(self.0, id, first, count, value) };
        });
    }
}
