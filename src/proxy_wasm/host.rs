//! Envoy's VM as a host of the filter.

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use super::abi::{self, Buffer, Clock, Map, MetricType};
use super::counters::Counters;
use super::series_ids::{self, SeriesIds};
use super::vm_local::vm_local;
use crate::config::HostKind;
use crate::filter::{Body, Delivery, FilterState, Head, Headers, Host};
use crate::metrics::{MetricKind, Series};
use crate::observe::Micros;
use crate::timestamp::UnixMs;

/// How many bytes of a body are read per call. A VM's memory never shrinks, and a decompressed piece has no size limit.
const SLICE_BYTES_MAX: usize = 64 * 1024;

/// How long the monotonic clock goes on from a reading of the wall clock, so that one that is set is noticed. A call of the host
/// costs as much as reading 200 bytes.
const WALL_CLOCK_US: Micros = 10_000;
/// The filter state that a request keeps through an internal redirect.
const HANDED_OVER: &str = "llm_handed_over";

vm_local! {
    /// The monotonic clock when it was read last.
    static NOW: Cell<Micros> = Cell::new(0);
    /// When the wall clock was read last, and what it said, in microseconds since 1970.
    static WALL_CLOCK: Cell<Option<(Micros, u64)>> = Cell::new(None);
    static COUNTERS: RefCell<Counters> = RefCell::new(Counters::new());
}

/// The VM that runs the module. A call is about the exchange of the current callback.
#[derive(Clone, Copy)]
pub(super) struct EnvoyVm;

impl EnvoyVm {
    /// Makes the filter state that is handed over last as long as the request. Without this it would end with the pass.
    /// Envoy keeps that in the root context of the current callback.
    pub(super) fn declare_handed_over() {
        abi::declare_request_property(HANDED_OVER);
    }

    /// Has Envoy make ticks.
    pub(super) fn ask_for_ticks() {
        EnvoyVm::with_counters(|counters| counters.ask_for_ticks(latest()));
    }

    /// A callback ends: hands over what it counted, or leaves it to the next tick.
    pub(super) fn on_callback_end() {
        EnvoyVm::with_counters(|counters| counters.on_callback_end(latest()));
    }

    /// Works on the counts that are to be handed over to Envoy.
    pub(super) fn with_counters<T>(f: impl FnOnce(&mut Counters) -> T) -> T {
        COUNTERS.with(|counters| f(&mut counters.borrow_mut()))
    }
}

impl From<Head> for Map {
    fn from(head: Head) -> Map {
        match head {
            Head::Request => Map::Request,
            Head::Response => Map::Response,
            Head::ResponseTrailers => Map::ResponseTrailers,
        }
    }
}

impl From<Body> for Buffer {
    fn from(body: Body) -> Buffer {
        match body {
            Body::Request => Buffer::RequestBody,
            Body::Response => Buffer::ResponseBody,
        }
    }
}

impl Host for EnvoyVm {
    type SeriesId = u32;

    const KIND: HostKind = HostKind::WebAssembly;
    /// Envoy delivers the body of a paused request only under `allow_on_headers_stop_iteration`.
    const DELIVERY: Delivery = Delivery::Uncertain;
    /// Envoy's own limit is 1 MiB by default. Past it Envoy answers 413, even if one piece, of up to 1 MiB, takes the
    /// body from far below the limit to far above it.
    const BUFFERED_BYTES_MAX: usize = 1024 * 1024 - 64 * 1024;
    const COUNTS_LATER: bool = false;

    fn headers(self, head: Head) -> Headers {
        Headers::from_map(abi::headers(head.into()).unwrap_or_default())
    }

    fn header<T>(self, head: Head, name: &str, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
        abi::header(head.into(), name, take)
    }

    fn replace_header(self, head: Head, name: &str, value: &[u8]) -> bool {
        abi::replace_header(head.into(), name, value)
    }

    fn add_header(self, head: Head, name: &str, value: &str) -> bool {
        abi::add_header(head.into(), name, value)
    }

    fn remove_header(self, head: Head, name: &str) -> bool {
        abi::remove_header(head.into(), name)
    }

    fn read_body(
        self,
        body: Body,
        mut start: usize,
        end: usize,
        mut take: impl FnMut(&[u8]) -> bool,
    ) -> bool {
        while start < end {
            let length = end.saturating_sub(start).min(SLICE_BYTES_MAX);
            match abi::buffer(body.into(), start, length, &mut take) {
                None => return false,
                Some(false) => return true,
                Some(true) => start = start.saturating_add(length),
            }
        }
        true
    }

    fn replace_body(self, body: Body, len: usize, bytes: &[u8]) -> bool {
        abi::replace_buffer(body.into(), len, bytes)
    }

    /// Envoy limits the body of each request.
    fn has_room(self) -> bool {
        true
    }

    fn send_local_reply(self, status: u32, details: &str, body: &str, _: Option<(&str, &str)>) -> bool {
        abi::send_response(status, details, body)
    }

    fn metadata(self, path: &[String]) -> Option<Vec<u8>> {
        let mut property = b"metadata\0filter_metadata".to_vec();
        for part in path {
            property.push(0);
            property.extend_from_slice(part.as_bytes());
        }
        abi::property(&property, <[u8]>::to_vec)
    }

    fn set_filter_state(self, state: FilterState, value: &str) -> bool {
        let name = state.name();
        abi::set_property(name.strip_prefix(FilterState::PREFIX).unwrap_or(name), value)
    }

    fn hand_over(self, text: &str) -> bool {
        abi::set_property(HANDED_OVER, text)
    }

    fn handed_over<T>(self, take: impl FnMut(&[u8]) -> Option<T>) -> Option<T> {
        abi::property(&[b"filter_state\0wasm.", HANDED_OVER.as_bytes()].concat(), take).flatten()
    }

    /// Envoy tells the size of the head and what has come of the body in one sum. It adds to the sum before the first
    /// filter sees a piece of the body.
    fn received_body_bytes(self) -> Option<u64> {
        let total = abi::property(b"request\0total_size", number).flatten()?;
        total.checked_sub(self.headers(Head::Request).byte_size()?)
    }

    fn response_flags(self) -> u64 {
        abi::property(b"response\0flags", number).flatten().unwrap_or(0)
    }

    fn response_code_details<T>(self, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
        abi::property(b"response\0code_details", take)
    }

    fn cluster<T>(self, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
        abi::property(b"xds\0cluster_name", take)
    }

    fn now(self) -> Micros {
        let now = abi::clock_ns(Clock::Monotonic) / 1000;
        NOW.set(now);
        now
    }

    fn wall_clock(self) -> UnixMs {
        let now = latest();
        let read = WALL_CLOCK.take().filter(|&(at, _)| now.abs_diff(at) < WALL_CLOCK_US);
        let (at, unix_us) = read.unwrap_or_else(|| (now, abi::clock_ns(Clock::Realtime) / 1000));
        WALL_CLOCK.set(Some((at, unix_us)));
        unix_us.saturating_add(now.saturating_sub(at)) / 1000
    }

    fn random(self) -> u32 {
        abi::random()
    }

    /// Envoy assigns a metric a new id each time it is defined, and keeps every id for the life of the VM, which is
    /// longer than that of a configuration. So each metric is defined once per VM.
    fn define_series(self, series: &Series<'_>) -> Option<u32> {
        vm_local! {
            /// The ids of metrics, by the hash of type and name.
            static DEFINED: Cell<SeriesIds> = Cell::new(SeriesIds::new());
        }
        let kind = match series.kind {
            MetricKind::Counter => MetricType::Counter,
            MetricKind::Gauge => MetricType::Gauge,
            MetricKind::Histogram => MetricType::Histogram,
        };
        let name = series.encoded_name();
        let hash = series_ids::hash(kind as u8, &name);
        let mut defined = DEFINED.take();
        let mut id = defined.get(hash);
        if id.is_none() {
            id = abi::define_metric(kind, &name);
            id.into_iter().for_each(|id| defined.insert(hash, id));
        }
        DEFINED.set(defined);
        id
    }

    fn add(self, series: &u32, value: u64) {
        EnvoyVm::with_counters(|counters| counters.add(*series, value));
    }

    fn record(self, series: &u32, value: u64) {
        abi::record_metric(*series, value);
    }
}

/// The monotonic clock when it was read last.
fn latest() -> Micros {
    let now = NOW.take();
    NOW.set(now);
    now
}

/// A number as Envoy writes it.
fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_le_bytes)
}
