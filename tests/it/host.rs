//! A fake Envoy: the host's side of the ABI, keeping state like the real one, so that a test can
//! assert on what a client, an upstream and Prometheus would see.
//!
//! It lives in thread locals, as does the filter, so each test has a VM of its own. What it grants and
//! refuses in which callback follows what real Envoy does. A panic in a callback aborts the whole test
//! run, as it would end a worker's VM.

#![expect(unsafe_code, reason = "the host's side of an ABI of pointers")]

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ptr;

#[path = "host/calls.rs"]
mod calls;

mod filter {
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

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const BAD_ARGUMENT: u32 = 2;
/// The statuses a failing call can have.
pub(crate) const STATUSES: [u32; 10] = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12];

pub(crate) type Headers = Vec<(String, Vec<u8>)>;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Phase {
    #[default]
    Outside,
    Configure,
    RequestHeaders,
    RequestBody,
    Tick,
    ResponseHeaders,
    ResponseBody,
    Log,
}

#[derive(Default)]
struct Exchange {
    request: Headers,
    response: Headers,
    chunk: Vec<u8>,
    /// The filter answered in its head's callback or later that it waits.
    is_paused: bool,
    /// What of the request's body lies before the filter: all of it while it waits within reach.
    request_chunk: Vec<u8>,
    /// What waits out of reach.
    request_kept: Vec<u8>,
    sent_upstream: Vec<u8>,
    sent_to_client: Vec<u8>,
    /// Status and text of the filter's own answer.
    local_reply: Option<(u32, String)>,
    flags: u64,
    details: Vec<u8>,
    metadata: BTreeMap<Vec<u8>, Vec<u8>>,
    filter_state: BTreeMap<String, String>,
}

#[derive(Default)]
struct Host {
    phase: Phase,
    current: u32,
    configuration: Vec<u8>,
    exchanges: HashMap<u32, Exchange>,
    metrics: Vec<(String, Vec<u64>)>,
    metric_ids: HashMap<String, usize>,
    definitions: usize,
    logs: Vec<String>,
    calls: usize,
    /// Whether the body of a request that waits is handed over: `allow_on_headers_stop_iteration`.
    sends_on_bodies: bool,
    tick_period_ms: u32,
    /// From this call on, so many fail with this status.
    fault: Option<(usize, usize, u32)>,
}

thread_local! {
    static HOST: RefCell<Host> = RefCell::default();
}

fn with<T>(f: impl FnOnce(&mut Host) -> T) -> T {
    HOST.with(|host| f(&mut host.borrow_mut()))
}

/// Counts a call; `Err` if it is one that is to fail.
fn call<T>(f: impl FnOnce(&mut Host) -> Result<T, u32>) -> Result<T, u32> {
    with(|host| {
        let number = host.calls;
        host.calls += 1;
        match host.fault {
            Some((first, count, status)) if (first..first + count).contains(&number) => Err(status),
            _ => f(host),
        }
    })
}

impl Host {
    fn headers(&mut self, map: u32) -> Result<&mut Headers, u32> {
        let exchange = self.exchanges.get_mut(&self.current).ok_or(BAD_ARGUMENT)?;
        match (map, self.phase) {
            (0, Phase::RequestHeaders | Phase::Log) => Ok(&mut exchange.request),
            // While its head is held back, it can be read and changed from every callback.
            (0, _) if exchange.is_paused => Ok(&mut exchange.request),
            (2, Phase::ResponseHeaders | Phase::Log) => Ok(&mut exchange.response),
            _ => Err(BAD_ARGUMENT),
        }
    }

    fn writable(&mut self, map: u32) -> Result<&mut Headers, u32> {
        if self.phase == Phase::Log { Err(BAD_ARGUMENT) } else { self.headers(map) }
    }
}

/// What the filter is handed lies in its own memory, as in a VM.
fn hand_over(value: Result<Vec<u8>, u32>, out: *mut *mut u8, out_len: *mut usize) -> u32 {
    match value {
        Err(status) => status,
        // SAFETY: the filter allocates `len` bytes and passes valid places for the answer.
        Ok(value) => unsafe {
            let room = if value.is_empty() {
                ptr::null_mut()
            } else {
                filter::proxy_on_memory_allocate(value.len())
            };
            assert!(room.addr().is_multiple_of(4096), "no room that begins a page: {room:p}");
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

fn status(result: Result<(), u32>) -> u32 {
    result.err().unwrap_or(OK)
}

/// How an exchange ends without a last byte.
#[derive(Clone, Copy)]
pub(crate) enum Cut {
    Client,
    /// Over HTTP/2, where the connection stays.
    ClientStream,
    Upstream,
}

const ROOT: u32 = 1;

/// Envoy with the filter in it.
pub(crate) struct Envoy {
    root: u32,
    next: u32,
}

fn callback<T>(phase: Phase, id: u32, f: impl FnOnce() -> T) -> T {
    with(|host| (host.phase, host.current) = (phase, id));
    let answer = f();
    with(|host| host.phase = Phase::Outside);
    answer
}

impl Envoy {
    pub(crate) fn new() -> Envoy {
        Envoy { root: ROOT, next: 100 }
    }

    /// With this configuration loaded.
    pub(crate) fn with(configuration: &str) -> Envoy {
        let mut envoy = Envoy::new();
        assert!(envoy.configure(configuration.as_bytes()), "{:#?}", envoy.logs());
        envoy
    }

    /// Loads a configuration, as Envoy does: into a new root context, which replaces the old one if it is good.
    pub(crate) fn configure(&mut self, configuration: &[u8]) -> bool {
        let root = self.next;
        self.next += 1;
        with(|host| host.configuration = configuration.to_vec());
        filter::proxy_on_context_create(root, 0);
        let size = configuration.len();
        let is_good = callback(Phase::Configure, root, || filter::proxy_on_configure(root, size)) != 0;
        let old = if is_good { std::mem::replace(&mut self.root, root) } else { root };
        filter::proxy_on_delete(old);
        is_good
    }

    /// How often the filter has defined a metric.
    pub(crate) fn definitions(&self) -> usize {
        with(|host| host.definitions)
    }

    pub(crate) fn logs(&self) -> Vec<String> {
        with(|host| host.logs.clone())
    }

    /// Hostcalls made so far.
    pub(crate) fn calls(&self) -> usize {
        with(|host| host.calls)
    }

    /// The hostcall that comes after `after` others, and `count - 1` after it, fail.
    pub(crate) fn fail(&self, after: usize, count: usize, status: u32) {
        with(|host| host.fault = Some((host.calls + after, count, status)));
    }

    pub(crate) fn heal(&self) {
        with(|host| host.fault = None);
    }

    /// Plays something, which takes at least so many hostcalls, again and again: with each of its calls failing alone, and
    /// together with all after it, in each way a call can fail.
    pub(crate) fn play_with_each_call_failing(&mut self, calls_min: usize, play: impl Fn(&mut Envoy)) {
        let before = self.calls();
        play(self);
        let calls = self.calls() - before;
        assert!(calls > calls_min, "{calls}");
        for status in STATUSES {
            for count in [1, usize::MAX / 2] {
                for nth in 0..calls {
                    self.fail(nth, count, status);
                    play(self);
                    self.heal();
                }
            }
        }
    }

    /// The body of a request that waits is handed over, as where Envoy was told so.
    pub(crate) fn send_on_bodies(&self) {
        with(|host| host.sends_on_bodies = true);
    }

    /// The clock is set, as by Envoy when a configuration's ticks stop.
    pub(crate) fn tick_period(&self, period_ms: u32) {
        with(|host| host.tick_period_ms = period_ms);
    }

    /// The clock ticks, if the filter asked for it.
    pub(crate) fn tick(&self) -> u32 {
        let period_ms = with(|host| host.tick_period_ms);
        if period_ms > 0 {
            callback(Phase::Tick, self.root, || filter::proxy_on_tick(self.root));
        }
        period_ms
    }

    /// A request's head comes in.
    pub(crate) fn request(&mut self, headers: &[(&str, &[u8])]) -> Id {
        self.request_with(headers, &[])
    }

    /// The same, after a filter that left dynamic metadata: `(namespace and keys, value)`.
    pub(crate) fn request_with(&mut self, headers: &[(&str, &[u8])], metadata: &[(&[&str], &[u8])]) -> Id {
        self.begin(headers, metadata, false)
    }

    /// A request without a body comes in.
    pub(crate) fn get(&mut self, headers: &[(&str, &[u8])]) -> Id {
        self.begin(headers, &[], true)
    }

    fn begin(&mut self, headers: &[(&str, &[u8])], metadata: &[(&[&str], &[u8])], is_end: bool) -> Id {
        let id = self.next;
        self.next += 1;
        let path = |keys: &[&str]| ["metadata\0filter_metadata", &keys.join("\0")].join("\0").into_bytes();
        let exchange = Exchange {
            request: headers.iter().map(|(name, value)| (name.to_string(), value.to_vec())).collect(),
            metadata: metadata.iter().map(|(keys, value)| (path(keys), value.to_vec())).collect(),
            ..Exchange::default()
        };
        with(|host| host.exchanges.insert(id, exchange));
        filter::proxy_on_context_create(id, self.root);
        let count = headers.len();
        let call = || filter::proxy_on_request_headers(id, count, is_end.into());
        let action = callback(Phase::RequestHeaders, id, call);
        with(|host| host.exchanges.get_mut(&id).unwrap().is_paused = action != 0);
        Id(id)
    }

    /// It stops, and all is gone but the names of metrics, which would only be defined anew.
    pub(crate) fn stop(self) {
        filter::proxy_on_delete(self.root);
        with(|host| {
            let Host { mut metrics, metric_ids, .. } = std::mem::take(host);
            metrics.iter_mut().for_each(|(_, values)| values.clear());
            *host = Host { metrics, metric_ids, ..Host::default() };
        });
    }

    /// Everything counted so far: `name{labels}` → the values added or recorded. Labels are in the order of the name.
    pub(crate) fn metrics(&self) -> BTreeMap<String, Vec<u64>> {
        let counted = |(name, values): &(String, Vec<u64>)| {
            let (metric, labels) = name.split_once('.').unwrap_or((name, ";.;"));
            let labels = labels.strip_suffix(";.;").unwrap().replace("=.=", "=").replace(";.;", ",");
            (!values.is_empty()).then(|| (format!("{metric}{{{labels}}}"), values.clone()))
        };
        with(|host| host.metrics.iter().filter_map(counted).collect())
    }

    /// The sum over all series of a metric whose labels include `label`.
    pub(crate) fn sum(&self, metric: &str, label: &str) -> u64 {
        let start = format!("{metric}{{");
        let metrics = self.metrics();
        metrics.iter().filter(|(n, _)| n.starts_with(&start) && n.contains(label)).flat_map(|(_, v)| v).sum()
    }

    /// The names of all series that are defined.
    pub(crate) fn names(&self) -> Vec<String> {
        with(|host| host.metrics.iter().map(|(name, _)| name.clone()).collect())
    }
}

/// One request.
#[derive(Clone, Copy)]
pub(crate) struct Id(u32);

impl Id {
    /// The request's headers as the upstream would see them.
    pub(crate) fn upstream_header(self, name: &str) -> Option<Vec<u8>> {
        with(|host| host.exchanges[&self.0].request.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()))
    }

    /// A response header as the client would see it.
    pub(crate) fn client_header(self, name: &str) -> Option<Vec<u8>> {
        with(|host| host.exchanges[&self.0].response.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()))
    }

    /// All response headers of a name.
    pub(crate) fn client_headers(self, name: &str) -> Vec<Vec<u8>> {
        let is_it = |(n, _): &&(String, Vec<u8>)| n == name;
        with(|host| host.exchanges[&self.0].response.iter().filter(is_it).map(|(_, v)| v.clone()).collect())
    }

    pub(crate) fn filter_state(self, name: &str) -> Option<String> {
        with(|host| host.exchanges[&self.0].filter_state.get(name).cloned())
    }

    /// All of its filter state, which the access log may show.
    pub(crate) fn filter_states(self) -> BTreeMap<String, String> {
        with(|host| host.exchanges[&self.0].filter_state.clone())
    }

    /// Pieces of the request's body come in, and its end.
    pub(crate) fn post<'p>(self, pieces: impl IntoIterator<Item = &'p [u8]>) -> Id {
        pieces.into_iter().for_each(|piece| self.post_piece(piece, false));
        self.post_piece(b"", true);
        self
    }

    /// The request's trailers come in, behind what came of its body.
    pub(crate) fn post_trailers(self) -> Id {
        let call = || filter::proxy_on_request_trailers(self.0, 1);
        let action = callback(Phase::RequestBody, self.0, call);
        self.went_on(action);
        self
    }

    fn went_on(self, action: u32) {
        with(|host| {
            let exchange = host.exchanges.get_mut(&self.0).unwrap();
            exchange.is_paused = action != 0;
            if action != 1 {
                exchange.request_kept.append(&mut exchange.request_chunk);
            }
            if action == 0 {
                exchange.sent_upstream.append(&mut exchange.request_kept);
            }
        });
    }

    pub(crate) fn post_piece(self, piece: &[u8], is_end: bool) {
        let size = with(|host| {
            let sends_on = host.sends_on_bodies;
            let exchange = host.exchanges.get_mut(&self.0).unwrap();
            exchange.request_chunk.extend_from_slice(piece);
            let is_shown = exchange.local_reply.is_none() && (sends_on || !exchange.is_paused);
            is_shown.then_some(exchange.request_chunk.len())
        });
        let Some(size) = size else { return };
        let call = || filter::proxy_on_request_body(self.0, size, is_end.into());
        let action = callback(Phase::RequestBody, self.0, call);
        self.went_on(action);
    }

    /// Whether the request waits.
    pub(crate) fn is_paused(self) -> bool {
        with(|host| host.exchanges[&self.0].is_paused)
    }

    /// The request's body as the upstream would see it.
    pub(crate) fn upstream_body(self) -> Vec<u8> {
        with(|host| host.exchanges[&self.0].sent_upstream.clone())
    }

    /// The response's body as the client would see it.
    pub(crate) fn client_body(self) -> Vec<u8> {
        with(|host| host.exchanges[&self.0].sent_to_client.clone())
    }

    /// The filter's own answer.
    pub(crate) fn local_reply(self) -> Option<(u32, String)> {
        with(|host| host.exchanges[&self.0].local_reply.clone())
    }

    /// The response's head comes back.
    pub(crate) fn respond(self, status: &str, headers: &[(&str, &[u8])], is_end: bool) -> Id {
        with(|host| {
            let exchange = host.exchanges.get_mut(&self.0).unwrap();
            exchange.details = b"via_upstream".to_vec();
            exchange.response = vec![(":status".into(), status.into())];
            exchange.response.extend(headers.iter().map(|(name, value)| (name.to_string(), value.to_vec())));
        });
        let action = callback(Phase::ResponseHeaders, self.0, || {
            filter::proxy_on_response_headers(self.0, 0, is_end.into())
        });
        assert_eq!(action, 0, "the response must go on");
        self
    }

    /// The response is Envoy's own.
    pub(crate) fn respond_locally(self, status: &str) -> Id {
        let id = self.respond(status, &[("content-type", b"text/plain")], false);
        with(|host| host.exchanges.get_mut(&self.0).unwrap().details = b"cluster_not_found".to_vec());
        id
    }

    pub(crate) fn event_stream(self) -> Id {
        self.respond("200", &[("content-type", b"text/event-stream")], false)
    }

    pub(crate) fn chunk(self, chunk: &[u8]) -> Id {
        self.body(chunk, false)
    }

    pub(crate) fn body(self, chunk: &[u8], is_end: bool) -> Id {
        with(|host| host.exchanges.get_mut(&self.0).unwrap().chunk = chunk.to_vec());
        let size = chunk.len();
        let call = || filter::proxy_on_response_body(self.0, size, is_end.into());
        assert_eq!(callback(Phase::ResponseBody, self.0, call), 0, "the body must go on");
        with(|host| {
            let exchange = host.exchanges.get_mut(&self.0).unwrap();
            exchange.sent_to_client.append(&mut exchange.chunk);
        });
        self
    }

    pub(crate) fn trailers(self) -> Id {
        assert_eq!(
            callback(Phase::ResponseBody, self.0, || filter::proxy_on_response_trailers(self.0, 1)),
            0
        );
        self
    }

    /// The last byte has come: the way HTTP/1 ends.
    pub(crate) fn complete(self) {
        self.body(b"", true).end();
    }

    pub(crate) fn cut(self, by: Cut) {
        with(|host| {
            let exchange = host.exchanges.get_mut(&self.0).unwrap();
            (exchange.flags, exchange.details) = match by {
                Cut::Client => (0x4000, b"downstream_remote_disconnect".to_vec()),
                Cut::ClientStream => (0x1000_0000, b"http2.remote_reset".to_vec()),
                Cut::Upstream => {
                    (0x80_0000, b"upstream_reset_after_response_started{protocol_error}".to_vec())
                }
            };
        });
        self.end();
    }

    /// The last callbacks, in Envoy's order.
    pub(crate) fn end(self) {
        callback(Phase::Log, self.0, || filter::proxy_on_log(self.0));
        filter::proxy_on_delete(self.0);
    }
    /// Calls back for it, as no host does once it has ended; how many calls the filter makes then.
    pub(crate) fn haunt(self) -> usize {
        let before = with(|host| host.calls);
        filter::proxy_on_request_headers(self.0, 0, 0);
        filter::proxy_on_request_body(self.0, 1, 1);
        filter::proxy_on_response_headers(self.0, 0, 0);
        filter::proxy_on_response_body(self.0, 1, 1);
        filter::proxy_on_log(self.0);
        with(|host| host.calls) - before
    }
}
