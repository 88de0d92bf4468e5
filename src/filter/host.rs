//! What the filter asks of Envoy, in its own terms.

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;

use super::abi::{self, Map};
use super::headers::Headers;
use super::ids::{self, Ids};
use super::platform::{self, vm_local};
use crate::observe::Micros;
use crate::timestamp::UnixMs;

pub(super) use super::platform::random;

pub(super) use super::abi::{
    Action, Buffer, Level, MetricKind, add_header, buffer, buffer_from, header, in_context, increment_metric,
    log, record_metric, remove_header, replace_buffer, replace_header, resume_request, send_response,
    set_property, set_tick_period_ms,
};

/// Envoy's flags for a client that went away: its connection (`DC`), or its one stream of HTTP/2 (`DR`).
const FLAGS_CLIENT_GONE: u64 = 0x4000 | 0x1000_0000;
/// Envoy's word for a response that came from the upstream.
const DETAILS_VIA_UPSTREAM: &[u8] = b"via_upstream";

/// Microseconds on a clock that never goes back.
pub(super) fn now() -> Micros {
    platform::monotonic_ns() / 1000
}

/// The time of day.
pub(super) fn wall_clock() -> UnixMs {
    UnixMs::try_from(platform::realtime_ns() / 1_000_000).unwrap_or(UnixMs::MAX)
}

/// Defines a metric, or finds the one of this name. Envoy numbers it anew each time, and keeps every number for as long as the
/// VM lives, which is longer than a configuration: so each is asked for once.
pub(super) fn define_metric(kind: MetricKind, name: &str) -> Option<u32> {
    vm_local! {
        /// By the hash of a metric's kind and name.
        static DEFINED: Cell<Ids> = Cell::new(Ids::new());
    }
    let hash = ids::hash(kind as u8, name);
    let mut defined = DEFINED.take();
    let mut id = defined.get(hash);
    if id.is_none() {
        id = abi::define_metric(kind, name);
        id.into_iter().for_each(|id| defined.insert(hash, id));
    }
    DEFINED.set(defined);
    id
}

/// Read of a buffer at a time: a VM's memory never shrinks, and behind a decompressor a piece has no limit.
const SLICE_BYTES_MAX: usize = 64 * 1024;

/// Lends a buffer from `start` up to `end` to `take`, slice by slice, as long as it wants more. Whether the host
/// handed over all that was wanted.
pub(super) fn slices(
    buffer: Buffer,
    mut start: usize,
    end: usize,
    mut take: impl FnMut(&[u8]) -> bool,
) -> bool {
    while start < end {
        let length = end.saturating_sub(start).min(SLICE_BYTES_MAX);
        match buffer_from(buffer, start, length, &mut take) {
            None => return false,
            Some(false) => return true,
            Some(true) => start = start.saturating_add(length),
        }
    }
    true
}

/// A value of dynamic metadata: the namespace of the filter that set it, then the keys below it.
pub(super) fn metadata(path: &[String]) -> Option<Vec<u8>> {
    let mut property = b"metadata\0filter_metadata".to_vec();
    for part in path {
        property.push(0);
        property.extend_from_slice(part.as_bytes());
    }
    abi::property(&property, <[u8]>::to_vec)
}

/// Whether the client went away before the response was complete. Known when the request has ended.
pub(super) fn is_client_gone() -> bool {
    let flags = abi::property(b"response\0flags", |bytes| bytes.try_into().map_or(0, u64::from_le_bytes));
    flags.unwrap_or(0) & FLAGS_CLIENT_GONE != 0
}

/// Whether Envoy answered in the upstream's place. Known when the request has ended.
pub(super) fn is_local_reply() -> bool {
    abi::property(b"response\0code_details", |details| details != DETAILS_VIA_UPSTREAM).unwrap_or(false)
}

/// The head that can be read now; without any header if the host does not hand it over.
pub(super) fn headers(map: Map) -> Headers {
    Headers::new(abi::headers(map).unwrap_or_default())
}
