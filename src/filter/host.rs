//! The interface between the filter and the proxy that runs it.
//!
//! The filter uses a proxy through this trait only. `src/proxy_wasm/` implements it for Envoy's WebAssembly VM, and
//! `native/` for Envoy's dynamic modules; the tests implement it with a proxy in memory. Every call may fail. A failed
//! call returns `None` or `false` and never panics; the traffic continues without the effect of the call. Logging is not
//! part of the trait: the filter logs through the crate `log`, and a host installs the logger.

use alloc::string::String;
use alloc::vec::Vec;

use super::headers::Headers;
use crate::config::HostKind;
use crate::metrics::Series;
use crate::observe::Micros;
use crate::timestamp::UnixMs;

/// A value of filter state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterState {
    /// The version that serves the request.
    Version,
    /// Which rule chose it.
    Reason,
    /// What was observed, as JSON.
    Observation,
}

impl FilterState {
    /// What Envoy puts before the name that a WebAssembly filter sets.
    pub const PREFIX: &str = "wasm.";

    /// The name by which the access log prints it, in every host.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FilterState::Version => "wasm.llm_version",
            FilterState::Reason => "wasm.llm_reason",
            FilterState::Observation => "wasm.llm_observation",
        }
    }
}

/// One of the header maps of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// The request's.
    Request,
    /// The response's.
    Response,
    /// The response's trailers, which follow its body.
    ResponseTrailers,
}

/// One of the two bodies of an exchange: the part that is readable in the current callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// The request's.
    Request,
    /// The response's.
    Response,
}

/// What the proxy does with a request after a callback. A response always continues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// It passes the request on.
    #[default]
    Continue,
    /// It pauses the request. All of the body so far stays readable and editable.
    Pause,
    /// It pauses the request. Each piece of the body is readable once. The proxy may buffer more of the body than under
    /// [`Action::Pause`].
    PauseUnbuffered,
}

/// Whether the proxy delivers the body of a request that was paused at its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It always does.
    Certain,
    /// That depends on a setting of the proxy that a filter cannot read. So a request waits for a limited time: the
    /// host calls [`super::Stream::on_tick`] at intervals.
    Uncertain,
}

/// A handle to the proxy, for one exchange or for a configuration that is being loaded. Copies refer to the same
/// exchange.
pub trait Host: Copy {
    /// Identifies a defined series.
    type SeriesId;

    /// The kind of the host. What it cannot do is refused when a configuration is loaded.
    const KIND: HostKind;
    /// Whether the proxy delivers the body of a paused request.
    const DELIVERY: Delivery;
    /// How many bytes of its body a request may wait for. The proxy's own limit is higher; past it the proxy answers
    /// the request itself.
    const BUFFERED_BYTES_MAX: usize;
    /// Whether the host counts an exchange a moment after its end, where no traffic waits for it. Then the first piece of a body, for
    /// which the other side waits the longest, is read when the next one comes, or there.
    const COUNTS_LATER: bool;

    /// Has the processor fetch a value into its caches, if the host can. For what will be read soon.
    fn prefetch<T: ?Sized>(_: &T) {}

    /// Reads all headers; none if the proxy does not provide them.
    fn headers(self, head: Head) -> Headers;
    /// Reads one header, and lends its value to `take`. `None`: it is absent or unreadable.
    fn header<T>(self, head: Head, name: &str, take: impl FnOnce(&[u8]) -> T) -> Option<T>;
    /// Sets a header to one value, which need not be UTF-8.
    fn replace_header(self, head: Head, name: &str, value: &[u8]) -> bool;
    /// Adds a header, and keeps others with the same name.
    fn add_header(self, head: Head, name: &str, value: &str) -> bool;
    /// Removes all headers with a name.
    fn remove_header(self, head: Head, name: &str) -> bool;

    /// Lends a body from byte `start` up to `end` to `take`, slice by slice, as long as `take` returns true. Returns
    /// false if the proxy did not provide a slice.
    fn read_body(self, body: Body, start: usize, end: usize, take: impl FnMut(&[u8]) -> bool) -> bool;
    /// Replaces the first `len` bytes of a body by `bytes`.
    fn replace_body(self, body: Body, len: usize, bytes: &[u8]) -> bool;
    /// Whether the proxy may hold more of the bodies of the requests that wait on this worker.
    fn has_room(self) -> bool;

    /// Answers the request in place of the upstream. `details` are the response code details in the access log. `header` is
    /// a header of the answer; a host whose answers pass [`super::Stream::on_response_headers`] may leave it out, because it
    /// is set there.
    fn send_local_reply(self, status: u32, details: &str, body: &str, header: Option<(&str, &str)>) -> bool;
    /// Reads a value of dynamic metadata, as [`crate::route::Request::metadata`]. `path` is a namespace, then the keys below it.
    fn metadata(self, path: &[String]) -> Option<Vec<u8>>;
    /// Sets filter state, which the access log can print.
    fn set_filter_state(self, state: FilterState, value: &str) -> bool;
    /// Keeps a text for the next pass of the request, which follows an internal redirect. Clients and servers can
    /// neither read nor write it. Called only when the exchange has ended.
    fn hand_over(self, text: &str) -> bool;
    /// Lends what the pass before handed over to `take`. Several filters of a proxy may have handed over a text each; then
    /// the host lends one after the other, until `take` returns a value.
    fn handed_over<T>(self, take: impl FnMut(&[u8]) -> Option<T>) -> Option<T>;
    /// How many bytes of the request's body the proxy has received, whether or not it has delivered them to the filter.
    /// `None`: unknown. Called only while a request waits, and only where [`Host::DELIVERY`] is uncertain.
    fn received_body_bytes(self) -> Option<u64>;
    /// Envoy's response flags. Known when the exchange has ended.
    fn response_flags(self) -> u64;
    /// Reads Envoy's response code details. Known when the exchange has ended.
    fn response_code_details<T>(self, take: impl FnOnce(&[u8]) -> T) -> Option<T>;

    /// Reads the name of the cluster that Envoy's routes chose. Known when the response's head arrives.
    fn cluster<T>(self, take: impl FnOnce(&[u8]) -> T) -> Option<T>;

    /// Microseconds on the monotonic clock.
    fn now(self) -> Micros;
    /// The time on the wall clock.
    fn wall_clock(self) -> UnixMs;
    /// A random number.
    fn random(self) -> u32;

    /// Defines a series, or returns the one with this name and these labels. Called only while a configuration is
    /// loaded.
    fn define_series(self, series: &Series<'_>) -> Option<Self::SeriesId>;
    /// Adds to a counter.
    fn add(self, series: &Self::SeriesId, value: u64);
    /// Sets a gauge, or records a value in a histogram.
    fn record(self, series: &Self::SeriesId, value: u64);
}
