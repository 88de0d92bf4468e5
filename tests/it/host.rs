//! A fake proxy, which keeps state like a real one, so that a test can assert on what a client, an upstream and
//! Prometheus would see.
//!
//! It runs the filter through one of three hosts. `host/envoy_vm.rs` is Envoy's side of the proxy-wasm ABI, so the filter
//! runs with `src/proxy_wasm/`. `host/dynamic_module.rs` is Envoy's side of the ABI of dynamic modules, so it runs with
//! `native/`. `host/fake_host.rs` implements `filter::Host` directly. The proxy is thread-local, as
//! is the filter in a VM, so each test has its own. Which hostcalls succeed in which callback follows real Envoy. A
//! panic in a callback of the VM aborts the whole test run, as it would end a worker's VM. The clocks stand still until
//! a test advances them.

#![expect(unsafe_code, reason = "Envoy's side of an ABI of pointers")]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use llm_canary::filter::Action;

#[path = "host/dynamic_module.rs"]
mod dynamic_module;
#[path = "host/envoy_vm.rs"]
mod envoy_vm;
#[path = "host/fake_host.rs"]
mod fake_host;

/// The interface between the proxy and the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Front {
    /// The proxy-wasm ABI.
    EnvoyVm,
    /// The ABI of dynamic modules. The bodies of waiting requests always arrive.
    DynamicModule,
    /// `filter::Host`. The bodies of waiting requests always arrive.
    FakeHost,
}

thread_local! {
    static FRONT: Cell<Front> = const { Cell::new(Front::EnvoyVm) };
}

impl Front {
    /// Selects the interface for this thread.
    pub(crate) fn choose(self) {
        FRONT.set(self);
    }
}

/// Runs a test on each host.
pub(crate) fn on_each_host(test: impl Fn()) {
    for front in [Front::FakeHost, Front::DynamicModule, Front::EnvoyVm] {
        front.choose();
        PROXY.take();
        test();
    }
}

/// Runs a test on a worker on which the body of no request has come yet, in Envoy's VM.
pub(crate) fn on_a_new_worker(test: impl FnOnce() + Send) {
    std::thread::scope(|threads| threads.spawn(test).join()).unwrap();
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
    ResponseTrailers,
    Log,
}

#[derive(Default)]
struct Exchange {
    request: Headers,
    response: Headers,
    response_trailers: Headers,
    /// The cluster that the routes chose; known once the request has been sent.
    cluster: Vec<u8>,
    chunk: Vec<u8>,
    /// The latest action of the filter pauses the request.
    is_paused: bool,
    /// The part of the request's body that the filter can read: under `Pause` all of it.
    request_chunk: Vec<u8>,
    /// How many of these bytes came before the latest piece.
    buffered_bytes: usize,
    /// The callback is about a piece, and not about trailers.
    has_piece: bool,
    /// The part that waits in the proxy and that the filter can no longer read.
    request_kept: Vec<u8>,
    /// How many bytes of the request's body have come to the proxy.
    received_bytes: usize,
    sent_upstream: Vec<u8>,
    sent_to_client: Vec<u8>,
    /// Status and text of the filter's local reply.
    local_reply: Option<(u32, String)>,
    flags: u64,
    details: Vec<u8>,
    metadata: BTreeMap<Vec<u8>, Vec<u8>>,
    filter_state: BTreeMap<String, String>,
}

struct Proxy {
    phase: Phase,
    current: u32,
    configuration: Vec<u8>,
    exchanges: HashMap<u32, Exchange>,
    metrics: Vec<(String, Vec<u64>)>,
    series_ids: HashMap<String, usize>,
    definitions: usize,
    logs: Vec<String>,
    calls: usize,
    /// The filter state that outlasts a pass: a request keeps it through an internal redirect.
    declared: BTreeSet<String>,
    /// Whether the bodies of waiting requests are delivered: `allow_on_headers_stop_iteration`.
    delivers_bodies: bool,
    tick_period_ms: u32,
    refuses_ticks: bool,
    /// The number of the first failing call, how many calls fail, and their status.
    fault: Option<(usize, usize, u32)>,
    /// The monotonic clock.
    monotonic: Duration,
    /// The wall clock, since 1970.
    realtime: Duration,
    random: u64,
}

/// The wall-clock time at which a proxy starts, in seconds since 1970: 2026-11-23T12:00:00Z.
pub(crate) const START_S: u64 = 1_795_435_200;

impl Default for Proxy {
    fn default() -> Proxy {
        Proxy {
            phase: Phase::default(),
            current: 0,
            configuration: Vec::new(),
            exchanges: HashMap::new(),
            metrics: Vec::new(),
            series_ids: HashMap::new(),
            definitions: 0,
            declared: BTreeSet::new(),
            logs: Vec::new(),
            calls: 0,
            delivers_bodies: false,
            tick_period_ms: 0,
            refuses_ticks: false,
            fault: None,
            monotonic: Duration::from_secs(1_000),
            realtime: Duration::from_secs(START_S),
            random: 1,
        }
    }
}

thread_local! {
    static PROXY: RefCell<Proxy> = RefCell::default();
}

fn with<T>(f: impl FnOnce(&mut Proxy) -> T) -> T {
    PROXY.with(|proxy| f(&mut proxy.borrow_mut()))
}

/// Counts a hostcall; `Err` if this call has to fail.
fn call<T>(f: impl FnOnce(&mut Proxy) -> Answer<T>) -> Answer<T> {
    with(|proxy| {
        let number = proxy.calls;
        proxy.calls += 1;
        match proxy.fault {
            Some((first, count, status)) if (first..first + count).contains(&number) => Err(status),
            _ => f(proxy),
        }
    })
}

/// The request or the response of an exchange.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Request,
    Response,
    ResponseTrailers,
}

type Answer<T> = Result<T, u32>;

/// The hostcalls, with Envoy's results in the current callback.
impl Proxy {
    fn exchange(&mut self) -> Answer<&mut Exchange> {
        self.exchanges.get_mut(&self.current).ok_or(BAD_ARGUMENT)
    }

    fn headers(&mut self, side: Side) -> Answer<&mut Headers> {
        let phase = self.phase;
        let exchange = self.exchange()?;
        match (side, phase) {
            (Side::Request, Phase::RequestHeaders | Phase::Log) => Ok(&mut exchange.request),
            // While a request is paused at its head, the head can be read and changed in every callback.
            (Side::Request, _) if exchange.is_paused => Ok(&mut exchange.request),
            (Side::Response, Phase::ResponseHeaders | Phase::Log) => Ok(&mut exchange.response),
            (Side::ResponseTrailers, Phase::ResponseTrailers | Phase::Log) => {
                Ok(&mut exchange.response_trailers)
            }
            _ => Err(BAD_ARGUMENT),
        }
    }

    fn header(&mut self, side: Side, name: &str) -> Answer<Vec<u8>> {
        let headers = self.headers(side)?;
        headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone()).ok_or(NOT_FOUND)
    }

    fn writable(&mut self, side: Side) -> Answer<&mut Headers> {
        if self.phase == Phase::Log { Err(BAD_ARGUMENT) } else { self.headers(side) }
    }

    fn add_header(&mut self, side: Side, name: &str, value: Vec<u8>) -> Answer<()> {
        self.writable(side)?.push((name.into(), value));
        Ok(())
    }

    fn replace_header(&mut self, side: Side, name: &str, value: Vec<u8>) -> Answer<()> {
        let headers = self.writable(side)?;
        headers.retain(|(n, _)| n != name);
        headers.push((name.into(), value));
        Ok(())
    }

    fn remove_header(&mut self, side: Side, name: &str) -> Answer<()> {
        self.writable(side)?.retain(|(n, _)| n != name);
        Ok(())
    }

    fn body(&mut self, side: Side) -> Answer<&mut Vec<u8>> {
        let phase = self.phase;
        let exchange = self.exchange()?;
        match (side, phase) {
            (Side::Request, Phase::RequestBody) => Ok(&mut exchange.request_chunk),
            (Side::Response, Phase::ResponseBody) => Ok(&mut exchange.chunk),
            _ => Err(BAD_ARGUMENT),
        }
    }

    fn replace_body(&mut self, side: Side, len: usize, bytes: Vec<u8>) -> Answer<()> {
        let body = self.body(side)?;
        body.splice(0..len.min(body.len()), bytes);
        Ok(())
    }

    fn send_local_reply(&mut self, status: u32, details: Vec<u8>, body: String) -> Answer<()> {
        let exchange = self.exchange()?;
        exchange.details = details;
        exchange.local_reply = Some((status, body));
        Ok(())
    }

    fn cluster(&mut self) -> Answer<Vec<u8>> {
        let phase = self.phase;
        let exchange = self.exchange()?;
        let is_known = matches!(phase, Phase::ResponseHeaders | Phase::Log) && !exchange.cluster.is_empty();
        if is_known { Ok(exchange.cluster.clone()) } else { Err(NOT_FOUND) }
    }

    fn set_filter_state(&mut self, key: String, value: String) -> Answer<()> {
        self.exchange()?.filter_state.insert(key, value);
        Ok(())
    }

    fn declare_filter_state(&mut self, key: String) -> Answer<()> {
        assert_eq!(self.phase, Phase::Configure, "filter state is declared at configuration: {key}");
        self.declared.insert(key);
        Ok(())
    }

    fn filter_state(&mut self, key: &str) -> Answer<Vec<u8>> {
        self.exchange()?.filter_state.get(key).map(|value| value.clone().into()).ok_or(NOT_FOUND)
    }

    /// Defines a series: `metric{label=value,…}`.
    fn define_series(&mut self, name: String) -> Answer<usize> {
        assert_eq!(self.phase, Phase::Configure, "metrics are defined at configuration: {name}");
        self.definitions += 1;
        self.series(name)
    }

    /// The place of a series, which exists from now on.
    fn series(&mut self, name: String) -> Answer<usize> {
        let next = self.metrics.len();
        let id = *self.series_ids.entry(name).or_insert_with_key(|name| {
            self.metrics.push((name.clone(), Vec::new()));
            next
        });
        Ok(id)
    }

    fn record(&mut self, id: usize, value: u64) -> Answer<()> {
        self.metrics.get_mut(id).ok_or(BAD_ARGUMENT)?.1.push(value);
        Ok(())
    }

    fn random(&mut self) -> u32 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 32) as u32
    }
}

/// A series by its encoded name: `metric.label=.=value;.;…` → `metric{label=value,…}`.
fn decoded_name(name: &str) -> String {
    let (metric, labels) = name.split_once('.').unwrap_or((name, ";.;"));
    let labels = labels.strip_suffix(";.;").unwrap().replace("=.=", "=").replace(";.;", ",");
    format!("{metric}{{{labels}}}")
}

/// A callback of the filter.
#[derive(Clone, Copy)]
enum Callback {
    ContextCreate { parent: u32 },
    Configure { size: usize },
    RequestHeaders { is_end: bool },
    RequestBody { size: usize, is_end: bool },
    RequestTrailers,
    ResponseHeaders { is_end: bool },
    ResponseBody { size: usize, is_end: bool },
    ResponseTrailers,
    Tick,
    Log,
    Delete,
}

/// Makes a callback, and returns the filter's result as the ABI encodes it.
fn filter(id: u32, callback: Callback) -> u32 {
    match FRONT.get() {
        Front::EnvoyVm => envoy_vm::call(id, callback),
        Front::DynamicModule => dynamic_module::call(id, callback),
        Front::FakeHost => fake_host::call(id, callback),
    }
}

/// Who aborts an exchange.
#[derive(Clone, Copy)]
pub(crate) enum Cut {
    Client,
    /// The client resets its HTTP/2 stream; the connection stays.
    ClientStream,
    Upstream,
}

const ROOT: u32 = 1;

/// The fake proxy with the filter in it.
pub(crate) struct Envoy {
    root: u32,
    next: u32,
}

/// Makes a callback in a phase of an exchange, which decides which hostcalls succeed.
fn callback(phase: Phase, id: u32, callback: Callback) -> u32 {
    with(|proxy| (proxy.phase, proxy.current) = (phase, id));
    let answer = filter(id, callback);
    with(|proxy| proxy.phase = Phase::Outside);
    answer
}

impl Envoy {
    pub(crate) fn new() -> Envoy {
        Envoy { root: ROOT, next: 100 }
    }

    /// A proxy with this configuration loaded.
    pub(crate) fn with(configuration: &str) -> Envoy {
        let mut envoy = Envoy::new();
        assert!(envoy.configure(configuration.as_bytes()), "{:#?}", envoy.logs());
        envoy
    }

    /// Loads a configuration, as Envoy does: into a new root context, which replaces the old one if the filter accepts
    /// it.
    pub(crate) fn configure(&mut self, configuration: &[u8]) -> bool {
        let root = self.next;
        self.next += 1;
        with(|proxy| proxy.configuration = configuration.to_vec());
        filter(root, Callback::ContextCreate { parent: 0 });
        let size = configuration.len();
        let is_good = callback(Phase::Configure, root, Callback::Configure { size }) != 0;
        let old = if is_good { std::mem::replace(&mut self.root, root) } else { root };
        filter(old, Callback::Delete);
        is_good
    }

    /// How often the filter has defined a metric.
    pub(crate) fn definitions(&self) -> usize {
        with(|proxy| proxy.definitions)
    }

    pub(crate) fn logs(&self) -> Vec<String> {
        with(|proxy| proxy.logs.clone())
    }

    /// Hostcalls made so far.
    pub(crate) fn calls(&self) -> usize {
        with(|proxy| proxy.calls)
    }

    /// After `after` more hostcalls, `count` hostcalls fail.
    pub(crate) fn fail(&self, after: usize, count: usize, status: u32) {
        with(|proxy| proxy.fault = Some((proxy.calls + after, count, status)));
    }

    pub(crate) fn heal(&self) {
        with(|proxy| proxy.fault = None);
    }

    /// Runs `play` again and again: with each of its hostcalls failing, alone or with all later ones, with each status.
    /// `play` makes more than `calls_min` hostcalls.
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

    /// Delivers the bodies of waiting requests, as Envoy does under `allow_on_headers_stop_iteration`.
    pub(crate) fn deliver_bodies(&self) {
        with(|proxy| proxy.delivers_bodies = true);
    }

    /// Keeps the bodies of waiting requests from the filter.
    pub(crate) fn deliver_no_bodies(&self) {
        with(|proxy| proxy.delivers_bodies = false);
    }

    /// Sets the tick period. Envoy sets it to 0 when it replaces a configuration.
    pub(crate) fn tick_period(&self, period_ms: u32) {
        with(|proxy| proxy.tick_period_ms = period_ms);
    }

    /// Makes no ticks from now on, whatever the filter asks for.
    pub(crate) fn refuse_ticks(&self) {
        with(|proxy| proxy.refuses_ticks = true);
    }

    /// Advances both clocks.
    pub(crate) fn advance(&self, by: Duration) {
        with(|proxy| {
            proxy.monotonic += by;
            proxy.realtime += by;
        });
    }

    /// Makes the tick callback if the filter asked for it, and returns the period.
    pub(crate) fn tick(&self) -> u32 {
        let period_ms = with(|proxy| proxy.tick_period_ms);
        // A dynamic module has no ticks; its counts are fetched.
        if period_ms > 0 || FRONT.get() == Front::DynamicModule {
            callback(Phase::Tick, self.root, Callback::Tick);
        }
        period_ms
    }

    /// A request's head arrives.
    pub(crate) fn request(&mut self, headers: &[(&str, &[u8])]) -> Id {
        self.request_with(headers, &[])
    }

    /// The same, with dynamic metadata of an earlier filter: `(namespace and keys, value)`.
    pub(crate) fn request_with(&mut self, headers: &[(&str, &[u8])], metadata: &[(&[&str], &[u8])]) -> Id {
        self.begin(headers, metadata, false)
    }

    /// A request without a body arrives.
    pub(crate) fn get(&mut self, headers: &[(&str, &[u8])]) -> Id {
        self.begin(headers, &[], true)
    }

    /// The pass of a request ends in an internal redirect to this URL, and the next begins, with the request as it was
    /// sent upstream.
    pub(crate) fn redirect(&mut self, id: Id, authority: &str, path: &str) -> Id {
        id.end_as(0, "internal_redirect");
        let (mut request, body, filter_state) = with(|proxy| {
            let exchange = &proxy.exchanges[&id.0];
            let mut filter_state = exchange.filter_state.clone();
            filter_state.retain(|key, _| proxy.declared.contains(key));
            (exchange.request.clone(), exchange.sent_upstream.clone(), filter_state)
        });
        request.retain(|(name, _)| ![":authority", ":path", "x-envoy-original-url"].contains(&name.as_str()));
        for (name, value) in
            [(":authority", authority), (":path", path), ("x-envoy-original-url", "http://a/")]
        {
            request.push((name.into(), value.into()));
        }
        let exchange = Exchange { request, filter_state, ..Exchange::default() };
        let next = self.start(exchange, body.is_empty());
        if !body.is_empty() {
            next.post_piece(&body, true);
        }
        next
    }

    fn begin(&mut self, headers: &[(&str, &[u8])], metadata: &[(&[&str], &[u8])], is_end: bool) -> Id {
        let path = |keys: &[&str]| ["metadata\0filter_metadata", &keys.join("\0")].join("\0").into_bytes();
        let exchange = Exchange {
            request: headers.iter().map(|(name, value)| (name.to_string(), value.to_vec())).collect(),
            metadata: metadata.iter().map(|(keys, value)| (path(keys), value.to_vec())).collect(),
            ..Exchange::default()
        };
        self.start(exchange, is_end)
    }

    fn start(&mut self, exchange: Exchange, is_end: bool) -> Id {
        let id = self.next;
        self.next += 1;
        with(|proxy| proxy.exchanges.insert(id, exchange));
        filter(id, Callback::ContextCreate { parent: self.root });
        let action = callback(Phase::RequestHeaders, id, Callback::RequestHeaders { is_end });
        with(|proxy| proxy.exchanges.get_mut(&id).unwrap().is_paused = action != 0);
        Id(id)
    }

    /// Deletes the configuration's root context, after its last request.
    pub(crate) fn delete(&self) {
        filter(self.root, Callback::Delete);
    }

    /// Resets the proxy. It keeps the series, so that they need not be defined again.
    pub(crate) fn stop(self) {
        self.delete();
        with(|proxy| {
            let Proxy { mut metrics, series_ids, .. } = std::mem::take(proxy);
            metrics.iter_mut().for_each(|(_, values)| values.clear());
            *proxy = Proxy { metrics, series_ids, ..Proxy::default() };
        });
    }

    /// Everything counted so far: `name{labels}` → the values added or recorded. Labels are in the order of the name. In Envoy's VM
    /// counts wait for a tick, which adds up those of one series.
    pub(crate) fn metrics(&self) -> BTreeMap<String, Vec<u64>> {
        self.tick();
        self.handed_over()
    }

    /// The same, of what the filter has handed over by now.
    pub(crate) fn handed_over(&self) -> BTreeMap<String, Vec<u64>> {
        let counted = |(name, values): &(String, Vec<u64>)| {
            (!values.is_empty()).then(|| (name.clone(), values.clone()))
        };
        with(|proxy| proxy.metrics.iter().filter_map(counted).collect())
    }

    /// The sum over all series of a metric whose labels include `label`.
    pub(crate) fn sum(&self, metric: &str, label: &str) -> u64 {
        let start = format!("{metric}{{");
        let metrics = self.metrics();
        metrics.iter().filter(|(n, _)| n.starts_with(&start) && n.contains(label)).flat_map(|(_, v)| v).sum()
    }

    /// The latest value of a gauge without labels.
    pub(crate) fn gauge(&self, name: &str) -> Option<u64> {
        self.metrics().get(&format!("{name}{{}}")).and_then(|values| values.last().copied())
    }

    /// The names of all series that are defined.
    pub(crate) fn names(&self) -> Vec<String> {
        with(|proxy| proxy.metrics.iter().map(|(name, _)| name.clone()).collect())
    }
}

/// One exchange.
#[derive(Clone, Copy)]
pub(crate) struct Id(u32);

impl Id {
    /// The request's headers as the upstream would see them.
    pub(crate) fn upstream_header(self, name: &str) -> Option<Vec<u8>> {
        with(|proxy| proxy.exchanges[&self.0].request.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()))
    }

    /// A response header as the client would see it.
    pub(crate) fn client_header(self, name: &str) -> Option<Vec<u8>> {
        with(|proxy| {
            proxy.exchanges[&self.0].response.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone())
        })
    }

    /// All response headers of a name.
    pub(crate) fn client_headers(self, name: &str) -> Vec<Vec<u8>> {
        let is_it = |(n, _): &&(String, Vec<u8>)| n == name;
        with(|proxy| proxy.exchanges[&self.0].response.iter().filter(is_it).map(|(_, v)| v.clone()).collect())
    }

    pub(crate) fn filter_state(self, name: &str) -> Option<String> {
        with(|proxy| proxy.exchanges[&self.0].filter_state.get(name).cloned())
    }

    /// All of its filter state, which the access log may show.
    pub(crate) fn filter_states(self) -> BTreeMap<String, String> {
        with(|proxy| proxy.exchanges[&self.0].filter_state.clone())
    }

    /// The request's body arrives in pieces, then its end.
    pub(crate) fn post<'p>(self, pieces: impl IntoIterator<Item = &'p [u8]>) -> Id {
        pieces.into_iter().for_each(|piece| self.post_piece(piece, false));
        self.post_piece(b"", true);
        self
    }

    /// The request's trailers arrive, after the body so far.
    pub(crate) fn post_trailers(self) -> Id {
        with(|proxy| {
            let exchange = proxy.exchanges.get_mut(&self.0).unwrap();
            (exchange.buffered_bytes, exchange.has_piece) = (exchange.request_chunk.len(), false);
        });
        let action = callback(Phase::RequestBody, self.0, Callback::RequestTrailers);
        self.apply(action);
        self
    }

    /// Applies the filter's action to the request.
    fn apply(self, action: u32) {
        with(|proxy| {
            let exchange = proxy.exchanges.get_mut(&self.0).unwrap();
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
        let size = with(|proxy| {
            let delivers = proxy.delivers_bodies || FRONT.get() != Front::EnvoyVm;
            let exchange = proxy.exchanges.get_mut(&self.0).unwrap();
            exchange.buffered_bytes = exchange.request_chunk.len();
            exchange.has_piece = true;
            exchange.request_chunk.extend_from_slice(piece);
            exchange.received_bytes += piece.len();
            let is_shown = exchange.local_reply.is_none() && (delivers || !exchange.is_paused);
            is_shown.then_some(exchange.request_chunk.len())
        });
        let Some(size) = size else { return };
        let action = callback(Phase::RequestBody, self.0, Callback::RequestBody { size, is_end });
        self.apply(action);
    }

    /// Whether the request waits.
    pub(crate) fn is_paused(self) -> bool {
        with(|proxy| proxy.exchanges[&self.0].is_paused)
    }

    /// The request's body as the upstream would see it.
    pub(crate) fn upstream_body(self) -> Vec<u8> {
        with(|proxy| proxy.exchanges[&self.0].sent_upstream.clone())
    }

    /// The response's body as the client would see it.
    pub(crate) fn client_body(self) -> Vec<u8> {
        with(|proxy| proxy.exchanges[&self.0].sent_to_client.clone())
    }

    /// The filter's local reply.
    pub(crate) fn local_reply(self) -> Option<(u32, String)> {
        with(|proxy| proxy.exchanges[&self.0].local_reply.clone())
    }

    /// The response's head arrives.
    pub(crate) fn respond(self, status: &str, headers: &[(&str, &[u8])], is_end: bool) -> Id {
        self.respond_as("via_upstream", status, headers, is_end)
    }

    /// The same, with these response code details.
    pub(crate) fn respond_as(
        self,
        details: &str,
        status: &str,
        headers: &[(&str, &[u8])],
        is_end: bool,
    ) -> Id {
        with(|proxy| {
            let exchange = proxy.exchanges.get_mut(&self.0).unwrap();
            exchange.details = details.into();
            exchange.response = vec![(":status".into(), status.into())];
            exchange.response.extend(headers.iter().map(|(name, value)| (name.to_string(), value.to_vec())));
        });
        let action = callback(Phase::ResponseHeaders, self.0, Callback::ResponseHeaders { is_end });
        assert_eq!(action, 0, "a response must not be paused");
        self
    }

    /// The response is a local reply of Envoy.
    pub(crate) fn respond_locally(self, status: &str) -> Id {
        self.respond_as("cluster_not_found", status, &[("content-type", b"text/plain")], false)
    }

    /// The proxy's own routes choose this cluster.
    pub(crate) fn route_to(self, cluster: &str) -> Id {
        with(|proxy| proxy.exchanges.get_mut(&self.0).unwrap().cluster = cluster.into());
        self
    }

    pub(crate) fn event_stream(self) -> Id {
        self.respond("200", &[("content-type", b"text/event-stream")], false)
    }

    pub(crate) fn chunk(self, chunk: &[u8]) -> Id {
        self.body(chunk, false)
    }

    pub(crate) fn body(self, chunk: &[u8], is_end: bool) -> Id {
        with(|proxy| proxy.exchanges.get_mut(&self.0).unwrap().chunk = chunk.to_vec());
        let size = chunk.len();
        let action = callback(Phase::ResponseBody, self.0, Callback::ResponseBody { size, is_end });
        assert_eq!(action, 0, "a response must not be paused");
        with(|proxy| {
            let exchange = proxy.exchanges.get_mut(&self.0).unwrap();
            exchange.sent_to_client.append(&mut exchange.chunk);
        });
        self
    }

    pub(crate) fn trailers(self) -> Id {
        self.trailers_with(&[])
    }

    pub(crate) fn trailers_with(self, trailers: &[(&str, &str)]) -> Id {
        let trailers = trailers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
        with(|proxy| proxy.exchanges.get_mut(&self.0).unwrap().response_trailers = trailers.collect());
        assert_eq!(callback(Phase::ResponseTrailers, self.0, Callback::ResponseTrailers), 0);
        self
    }

    /// The response's body ends, as in HTTP/1 with an empty piece.
    pub(crate) fn complete(self) {
        self.body(b"", true).end();
    }

    /// The exchange ends with these response flags and response code details.
    pub(crate) fn end_as(self, flags: u64, details: &str) {
        with(|proxy| {
            let exchange = proxy.exchanges.get_mut(&self.0).unwrap();
            (exchange.flags, exchange.details) = (flags, details.into());
        });
        self.end();
    }

    pub(crate) fn cut(self, by: Cut) {
        with(|proxy| {
            let exchange = proxy.exchanges.get_mut(&self.0).unwrap();
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
        callback(Phase::Log, self.0, Callback::Log);
        filter(self.0, Callback::Delete);
    }

    /// Makes callbacks after the exchange has ended, as no host does, and returns how many hostcalls the filter makes.
    pub(crate) fn call_after_end(self) -> usize {
        let before = with(|proxy| proxy.calls);
        filter(self.0, Callback::RequestHeaders { is_end: false });
        filter(self.0, Callback::RequestBody { size: 1, is_end: true });
        filter(self.0, Callback::ResponseHeaders { is_end: false });
        filter(self.0, Callback::ResponseBody { size: 1, is_end: true });
        filter(self.0, Callback::Log);
        with(|proxy| proxy.calls) - before
    }
}
