//! What the filter asks of Envoy, in its own terms.

use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

use super::abi::{self, Map};
use crate::observe::Micros;
use crate::route;

pub(super) use super::abi::{
    Action, Buffer, Level, MetricKind, buffer, buffer_from, define_metric, header, increment_metric, log,
    record_metric, remove_header, replace_buffer, replace_header, resume_request, send_response,
    set_property, set_tick_period_ms,
};

/// Envoy's flag for a client that went away (`DC`).
const FLAG_DOWNSTREAM_DISCONNECT: u64 = 0x4000;
/// Envoy's word for a response that came from the upstream.
const DETAILS_VIA_UPSTREAM: &[u8] = b"via_upstream";

/// Microseconds on a clock that never goes back.
#[expect(clippy::disallowed_methods, reason = "the one clock")]
pub(super) fn now() -> Micros {
    thread_local! {
        static START: Instant = Instant::now();
    }
    START.with(|start| u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX))
}

/// A random number.
pub(super) fn random() -> u32 {
    thread_local! {
        static SEED: RandomState = RandomState::new();
        static DRAWS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    }
    let draw = DRAWS.get();
    DRAWS.set(draw.wrapping_add(1));
    let hash = SEED.with(|seed| seed.hash_one(draw));
    u32::try_from(hash >> 32).unwrap_or(u32::MAX)
}

/// Read of a buffer at a time: a VM's memory never shrinks, and behind a decompressor a piece has no limit.
const SLICE_BYTES_MAX: usize = 64 * 1024;

/// Lends the first `size` bytes of a buffer to `take`, slice by slice, as long as it wants more.
pub(super) fn slices(buffer: Buffer, size: usize, mut take: impl FnMut(&[u8]) -> bool) {
    let mut start = 0;
    while start < size {
        let length = size.saturating_sub(start).min(SLICE_BYTES_MAX);
        if buffer_from(buffer, start, length, &mut take) != Some(true) {
            return;
        }
        start = start.saturating_add(length);
    }
}

/// The request whose callback is running.
pub(super) struct Request;

impl route::Request for Request {
    fn header(&self, name: &str) -> Option<Vec<u8>> {
        header(Map::Request, name, <[u8]>::to_vec)
    }

    fn metadata(&self, path: &[String]) -> Option<Vec<u8>> {
        let mut property = b"metadata\0filter_metadata".to_vec();
        for part in path {
            property.push(0);
            property.extend_from_slice(part.as_bytes());
        }
        abi::property(&property, <[u8]>::to_vec)
    }
}

/// Whether the client went away before the response was complete. Known when the request has ended.
pub(super) fn is_client_gone() -> bool {
    let flags = abi::property(b"response\0flags", |bytes| bytes.try_into().map_or(0, u64::from_le_bytes));
    flags.unwrap_or(0) & FLAG_DOWNSTREAM_DISCONNECT != 0
}

/// Whether Envoy answered in the upstream's place. Known when the request has ended.
pub(super) fn is_local_reply() -> bool {
    abi::property(b"response\0code_details", |details| details != DETAILS_VIA_UPSTREAM).unwrap_or(false)
}

/// A header of the response whose head is being handled; empty if absent.
pub(super) fn response_header(name: &str) -> Vec<u8> {
    header(Map::Response, name, <[u8]>::to_vec).unwrap_or_default()
}
