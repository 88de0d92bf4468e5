//! Envoy as a host of the filter.

use llm_canary::config::HostKind;
use llm_canary::filter::{Body, Delivery, FilterState, Head, Headers, Host};
use llm_canary::metrics::Series;
use llm_canary::observe::Micros;
use llm_canary::timestamp::UnixMs;

use crate::abi::{Attribute, Filter, FilterConfig, Map, Part};
use crate::clock::{self, Clock};
use crate::prefetch::prefetch;
use crate::series::{self, SeriesId};
use crate::{handover, waiting};

/// Envoy, in one of its hooks.
#[derive(Clone, Copy)]
pub(crate) enum Envoy {
    /// A configuration is being loaded.
    Loading(FilterConfig),
    /// Envoy's main thread counts exchanges that have ended.
    Main(FilterConfig),
    /// A hook of an exchange.
    Exchange(Filter, Window, &'static Clock),
}

/// Which part of a request's body the filter can read in a hook.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Window {
    /// The piece that has just arrived.
    Piece,
    /// All of the body so far, because the request waits.
    All,
}

impl Envoy {
    fn filter(self) -> Option<Filter> {
        match self {
            Envoy::Loading(_) | Envoy::Main(_) => None,
            Envoy::Exchange(filter, ..) => Some(filter),
        }
    }

    fn clock(self) -> &'static Clock {
        match self {
            Envoy::Loading(_) | Envoy::Main(_) => &clock::SYSTEM,
            Envoy::Exchange(_, _, clock) => clock,
        }
    }

    /// The parts of the body that are readable, in their order.
    fn parts(self, body: Body) -> &'static [Part] {
        match (body, self) {
            (Body::Response, _) => &[Part::ReceivedResponse],
            (Body::Request, Envoy::Exchange(filter, Window::All, _)) if !filter.has_received_buffer() => {
                &[Part::BufferedRequest, Part::ReceivedRequest]
            }
            (Body::Request, _) => &[Part::ReceivedRequest],
        }
    }

    /// How many bytes of the body are readable.
    pub(crate) fn readable_bytes(self, body: Body) -> usize {
        let size = |part: &Part| self.filter().map_or(0, |filter| filter.body_bytes(*part));
        self.parts(body).iter().map(size).fold(0, usize::saturating_add)
    }

    /// Sets or removes a header. Envoy has to choose the route again if it is the request's.
    fn set_header(self, head: Head, name: &str, value: &[u8]) -> bool {
        let Some(filter) = self.filter() else { return false };
        let is_set = filter.set_header(head.into(), name, value);
        if head == Head::Request {
            filter.clear_route_cache();
        }
        is_set
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

impl Host for Envoy {
    type SeriesId = SeriesId;

    const KIND: HostKind = HostKind::Native;
    const DELIVERY: Delivery = Delivery::Certain;
    const BUFFERED_BYTES_MAX: usize = waiting::REQUEST_BYTES_MAX;
    const COUNTS_LATER: bool = true;

    fn prefetch<T: ?Sized>(value: &T) {
        prefetch(value);
    }

    fn headers(self, head: Head) -> Headers {
        self.filter().map(|filter| filter.headers(head.into())).unwrap_or_default()
    }

    fn header<T>(self, head: Head, name: &str, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
        self.filter()?.header(head.into(), name, take)
    }

    fn replace_header(self, head: Head, name: &str, value: &[u8]) -> bool {
        self.set_header(head, name, value)
    }

    fn add_header(self, head: Head, name: &str, value: &str) -> bool {
        self.filter().is_some_and(|filter| filter.add_header(head.into(), name, value))
    }

    fn remove_header(self, head: Head, name: &str) -> bool {
        self.set_header(head, name, b"")
    }

    fn read_body(self, body: Body, start: usize, end: usize, mut take: impl FnMut(&[u8]) -> bool) -> bool {
        let Some(filter) = self.filter() else { return false };
        let (mut at, mut goes_on) = (0_usize, true);
        let mut lend = |chunk: &[u8]| {
            let from = start.saturating_sub(at).min(chunk.len());
            let to = end.saturating_sub(at).min(chunk.len());
            at = at.saturating_add(chunk.len());
            if let Some(wanted) = chunk.get(from..to).filter(|wanted| !wanted.is_empty()) {
                goes_on = take(wanted);
            }
            goes_on && at < end
        };
        for part in self.parts(body) {
            if !filter.read_body(*part, &mut lend) {
                break;
            }
        }
        !goes_on || at >= end
    }

    fn replace_body(self, body: Body, len: usize, bytes: &[u8]) -> bool {
        let Some(filter) = self.filter() else { return false };
        let parts = self.parts(body).iter().map(|part| (*part, filter.body_bytes(*part)));
        let parts: Vec<(Part, usize)> = parts.collect();
        let size = parts.iter().map(|(_, bytes)| *bytes).fold(0, usize::saturating_add);
        let mut replaced = bytes.to_vec();
        let is_read = self.read_body(body, len, size, |rest| {
            replaced.extend_from_slice(rest);
            true
        });
        // The parts follow one another, so all bytes may stand behind those of the last that there is.
        let is_added = len <= size
            && is_read
            && parts.iter().rev().any(|(part, _)| filter.append_body(*part, &replaced));
        if is_added {
            for (part, bytes) in parts {
                filter.drain_body(part, bytes);
            }
        }
        is_added
    }

    fn has_room(self) -> bool {
        waiting::has_room()
    }

    fn send_local_reply(self, status: u32, details: &str, body: &str, header: Option<(&str, &str)>) -> bool {
        self.filter().map(|filter| filter.send_response(status, header, body, details)).is_some()
    }

    /// A value below a key of a namespace: the ABI knows no more keys.
    fn metadata(self, path: &[String]) -> Option<Vec<u8>> {
        let [namespace, key] = path else { return None };
        self.filter()?.metadata(namespace, key)
    }

    fn set_filter_state(self, state: FilterState, value: &str) -> bool {
        self.filter().is_some_and(|filter| filter.set_filter_state(state.name(), value))
    }

    fn hand_over(self, text: &str) -> bool {
        let connection = self.filter().and_then(|filter| filter.number(Attribute::ConnectionId));
        connection.map(|connection| handover::leave(connection, text)).is_some()
    }

    fn handed_over<T>(self, take: impl FnMut(&[u8]) -> Option<T>) -> Option<T> {
        handover::take(self.filter()?.number(Attribute::ConnectionId)?, take)
    }

    /// Not called: bodies always arrive.
    fn received_body_bytes(self) -> Option<u64> {
        None
    }

    fn response_flags(self) -> u64 {
        self.filter().and_then(|filter| filter.number(Attribute::ResponseFlags)).unwrap_or(0)
    }

    fn response_code_details<T>(self, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
        self.filter()?.text(Attribute::ResponseCodeDetails, take)
    }

    fn cluster<T>(self, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
        self.filter()?.cluster(take)
    }

    fn now(self) -> Micros {
        (self.clock().now_us)()
    }

    fn wall_clock(self) -> UnixMs {
        (self.clock().unix_ms)()
    }

    fn random(self) -> u32 {
        (self.clock().random)()
    }

    fn define_series(self, series: &Series<'_>) -> Option<SeriesId> {
        match self {
            Envoy::Loading(_) => series::define(series),
            Envoy::Main(_) | Envoy::Exchange(..) => None,
        }
    }

    fn add(self, series: &SeriesId, value: u64) {
        match self {
            Envoy::Loading(_) => {}
            Envoy::Main(_) => series.add_on_main(value),
            Envoy::Exchange(filter, ..) => series.add(filter, value),
        }
    }

    fn record(self, series: &SeriesId, value: u64) {
        match self {
            Envoy::Loading(config) | Envoy::Main(config) => series.record_on_main(config, value),
            Envoy::Exchange(filter, ..) => series.record(filter, value),
        }
    }
}
