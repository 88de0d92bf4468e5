//! What the filter needs of the proxy that it runs in.
//!
//! The filter knows a proxy by this trait alone. `src/proxy_wasm/` implements it for Envoy's WebAssembly VM; the tests
//! implement it with a proxy in memory. Every call may fail, and a failed call is a `None` or a `false`, never a panic:
//! the traffic goes on without what the call would have done. The log is not part of it: the filter writes through the
//! crate `log`, and a host installs the logger.

use alloc::string::String;
use alloc::vec::Vec;

use super::headers::Headers;
use crate::metrics::Series;
use crate::observe::Micros;
use crate::timestamp::UnixMs;

/// One head of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// The request's.
    Request,
    /// The response's.
    Response,
}

/// One body of an exchange, as far as it can be read in the running callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// The request's.
    Request,
    /// The response's.
    Response,
}

/// What becomes of a request after a callback. Responses always go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// It goes on.
    #[default]
    Continue,
    /// It waits, and all that has come of its body stays readable and editable.
    Pause,
    /// It waits, and each piece of its body is readable once. The proxy may hold more of it than under [`Action::Pause`].
    PauseUnbuffered,
}

/// Whether the body of a request that waits after its head is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It always is.
    Certain,
    /// It depends on a setting of the proxy that a filter cannot read. So a request waits for a limited time: the host
    /// looks every so often at [`super::Stream::waits_too_long`].
    Uncertain,
}

/// A proxy, seen from one exchange, or from a configuration that is being loaded. It is a handle: copies mean the same
/// exchange.
pub trait Host: Copy {
    /// A series that was defined, to add to or to record in.
    type SeriesId;

    /// Whether the body of a request that waits is handed over.
    const DELIVERY: Delivery;
    /// Bytes of a body that a request may wait for. It is below the proxy's own limit, past which the proxy answers the
    /// request itself.
    const BUFFERED_BYTES_MAX: usize;

    /// Reads a whole head; one without any header if the proxy does not hand it over.
    fn headers(self, head: Head) -> Headers;
    /// Reads one header, and lends its value to `take`. `None`: there is none, or it cannot be read.
    fn header<T>(self, head: Head, name: &str, take: impl FnOnce(&[u8]) -> T) -> Option<T>;
    /// Sets a header to one value, which need not be text.
    fn replace_header(self, head: Head, name: &str, value: &[u8]) -> bool;
    /// Adds a header beside others of its name.
    fn add_header(self, head: Head, name: &str, value: &str) -> bool;
    /// Removes all headers of a name.
    fn remove_header(self, head: Head, name: &str) -> bool;

    /// Lends a body from byte `start` up to `end` to `take`, slice by slice, as long as `take` returns true. Returns
    /// false if the proxy did not hand over all that was wanted.
    fn read_body(self, body: Body, start: usize, end: usize, take: impl FnMut(&[u8]) -> bool) -> bool;
    /// Puts `bytes` in the place of the first `len` bytes of a body.
    fn replace_body(self, body: Body, len: usize, bytes: &[u8]) -> bool;

    /// Answers the request in the upstream's place. `details` is what the access log shows as the reason.
    fn send_local_reply(self, status: u32, details: &str, body: &str) -> bool;
    /// A value of dynamic metadata: the namespace of the filter that set it, then the keys below it.
    fn metadata(self, path: &[String]) -> Option<Vec<u8>>;
    /// Sets filter state, which the access log can print.
    fn set_filter_state(self, key: &str, value: &str) -> bool;
    /// Envoy's response flags. Known when the exchange has ended.
    fn response_flags(self) -> u64;
    /// Reads Envoy's response code details. Known when the exchange has ended.
    fn response_code_details<T>(self, take: impl FnOnce(&[u8]) -> T) -> Option<T>;

    /// Microseconds on a clock that never goes back.
    fn now(self) -> Micros;
    /// The time of day.
    fn wall_clock(self) -> UnixMs;
    /// A random number.
    fn random(self) -> u32;

    /// Defines a series, or finds the one of this name and these labels. Called while a configuration is loaded.
    fn define_series(self, series: &Series<'_>) -> Option<Self::SeriesId>;
    /// Adds to a counter.
    fn add(self, series: &Self::SeriesId, value: u64);
    /// Sets a gauge, or records a value in a histogram.
    fn record(self, series: &Self::SeriesId, value: u64);
}
