//! A host that implements `filter::Host` directly, without an ABI.

use super::*;
use llm_canary::config::HostKind;
use llm_canary::filter::{self, Body, Delivery, FilterState, Head, Host};
use llm_canary::metrics::Series;
use std::rc::Rc;
use std::sync::Arc;

/// Not the size of Envoy's VM, so that no test depends on it.
const SLICE_BYTES_MAX: usize = 1000;

/// The filter state that outlasts a pass.
const HANDED_OVER: &str = "handed_over";

type Worker = filter::Worker<FakeHost>;
type Stream = filter::Stream<FakeHost>;

thread_local! {
    static WORKERS: RefCell<HashMap<u32, Rc<Worker>>> = RefCell::default();
    static STREAMS: RefCell<HashMap<u32, Stream>> = RefCell::default();
    static BODIES_CAME: filter::BodiesCame = filter::BodiesCame::default();
}

/// Calls the filter. A callback without a result returns 0.
pub(super) fn call(id: u32, callback: Callback) -> u32 {
    match callback {
        Callback::ContextCreate { parent } => {
            let stream = WORKERS.with_borrow(|workers| workers.get(&parent).map(Rc::clone).map(Stream::new));
            STREAMS.with_borrow_mut(|streams| streams.extend(stream.map(|stream| (id, stream))));
        }
        Callback::Configure { .. } => {
            // If the logger of Envoy's VM is installed already, its lines reach the same proxy.
            if log::set_logger(&ProxyLog).is_ok() {
                log::set_max_level(log::LevelFilter::Info);
            }
            let _ = super::call(|proxy| proxy.declare_filter_state(HANDED_OVER.into()));
            let text = super::call(|proxy| Ok(proxy.configuration.clone()));
            let loaded = text.ok().and_then(|text| filter::LoadedConfig::load(FakeHost, &text));
            let Some(loaded) = loaded else { return 0 };
            let worker = Rc::new(Worker::new(Arc::new(loaded), BODIES_CAME.with(Clone::clone)));
            WORKERS.with_borrow_mut(|workers| workers.insert(id, worker));
            return 1;
        }
        Callback::Delete => {
            STREAMS.with_borrow_mut(|streams| streams.remove(&id));
            WORKERS.with_borrow_mut(|workers| workers.remove(&id));
        }
        Callback::RequestHeaders { is_end } => {
            return on_request(id, |stream| stream.on_request_headers(FakeHost, is_end));
        }
        Callback::RequestBody { size, is_end } => {
            return on_request(id, |stream| stream.on_request_body(FakeHost, size, is_end));
        }
        Callback::RequestTrailers => return on_request(id, |stream| stream.on_request_trailers(FakeHost)),
        Callback::ResponseHeaders { is_end } => on(id, |stream| stream.on_response_headers(FakeHost, is_end)),
        Callback::ResponseBody { size, is_end } => {
            on(id, |stream| stream.on_response_body(FakeHost, size, is_end));
        }
        Callback::ResponseTrailers => on(id, |stream| stream.on_response_trailers(FakeHost)),
        Callback::Log => on(id, |stream| stream.on_log(FakeHost)),
        Callback::Tick => {}
    }
    0
}

fn on<T: Default>(id: u32, callback: impl FnOnce(&mut Stream) -> T) -> T {
    STREAMS.with_borrow_mut(|streams| streams.get_mut(&id).map(callback).unwrap_or_default())
}

fn on_request(id: u32, callback: impl FnOnce(&mut Stream) -> Action) -> u32 {
    match on(id, callback) {
        Action::Continue => 0,
        Action::Pause => 1,
        Action::PauseUnbuffered => 2,
    }
}

#[derive(Clone, Copy)]
struct FakeHost;

fn head(head: Head) -> Side {
    match head {
        Head::Request => Side::Request,
        Head::Response => Side::Response,
        Head::ResponseTrailers => Side::ResponseTrailers,
    }
}

fn body(body: Body) -> Side {
    if body == Body::Request { Side::Request } else { Side::Response }
}

impl Host for FakeHost {
    type SeriesId = usize;

    const KIND: HostKind = HostKind::WebAssembly;
    const DELIVERY: Delivery = Delivery::Certain;
    const BUFFERED_BYTES_MAX: usize = 1024 * 1024 - 64 * 1024;
    const COUNTS_LATER: bool = false;

    fn headers(self, of: Head) -> filter::Headers {
        let headers = super::call(|proxy| proxy.headers(head(of)).cloned()).unwrap_or_default();
        if headers.is_empty() {
            return filter::Headers::default();
        }
        filter::Headers::from_pairs(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())))
    }

    fn header<T>(self, of: Head, name: &str, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
        super::call(|proxy| proxy.header(head(of), name)).ok().map(|value| take(&value))
    }

    fn replace_header(self, of: Head, name: &str, value: &[u8]) -> bool {
        super::call(|proxy| proxy.replace_header(head(of), name, value.into())).is_ok()
    }

    fn add_header(self, of: Head, name: &str, value: &str) -> bool {
        super::call(|proxy| proxy.add_header(head(of), name, value.into())).is_ok()
    }

    fn remove_header(self, of: Head, name: &str) -> bool {
        super::call(|proxy| proxy.remove_header(head(of), name)).is_ok()
    }

    fn read_body(self, of: Body, start: usize, end: usize, mut take: impl FnMut(&[u8]) -> bool) -> bool {
        let mut at = start;
        while at < end {
            let length = (end - at).min(SLICE_BYTES_MAX);
            let slice = super::call(|proxy| {
                let body = proxy.body(body(of))?;
                Ok(body[at.min(body.len())..(at + length).min(body.len())].to_vec())
            });
            match slice {
                Err(_) => return false,
                Ok(slice) if !take(&slice) => return true,
                Ok(_) => at += length,
            }
        }
        true
    }

    fn replace_body(self, of: Body, len: usize, bytes: &[u8]) -> bool {
        super::call(|proxy| proxy.replace_body(body(of), len, bytes.into())).is_ok()
    }

    fn has_room(self) -> bool {
        true
    }

    fn send_local_reply(self, status: u32, details: &str, body: &str, _: Option<(&str, &str)>) -> bool {
        super::call(|proxy| proxy.send_local_reply(status, details.into(), body.into())).is_ok()
    }

    fn metadata(self, path: &[String]) -> Option<Vec<u8>> {
        let path = ["metadata\0filter_metadata", &path.join("\0")].join("\0").into_bytes();
        super::call(|proxy| proxy.exchange()?.metadata.get(&path).cloned().ok_or(NOT_FOUND)).ok()
    }

    fn set_filter_state(self, state: FilterState, value: &str) -> bool {
        let key = state.name().strip_prefix(FilterState::PREFIX).unwrap();
        super::call(|proxy| proxy.set_filter_state(key.into(), value.into())).is_ok()
    }

    fn hand_over(self, text: &str) -> bool {
        super::call(|proxy| proxy.set_filter_state(HANDED_OVER.into(), text.into())).is_ok()
    }

    fn handed_over<T>(self, mut take: impl FnMut(&[u8]) -> Option<T>) -> Option<T> {
        super::call(|proxy| proxy.filter_state(HANDED_OVER)).ok().and_then(|text| take(&text))
    }

    fn received_body_bytes(self) -> Option<u64> {
        unreachable!("bodies always arrive")
    }

    fn response_flags(self) -> u64 {
        super::call(|proxy| Ok(proxy.exchange()?.flags)).unwrap_or(0)
    }

    fn response_code_details<T>(self, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
        super::call(|proxy| Ok(proxy.exchange()?.details.clone())).ok().map(|details| take(&details))
    }

    fn cluster<T>(self, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
        super::call(|proxy| proxy.cluster()).ok().map(|name| take(&name))
    }

    fn now(self) -> u64 {
        with(|proxy| proxy.monotonic.as_micros() as u64)
    }

    fn wall_clock(self) -> u64 {
        with(|proxy| proxy.realtime.as_millis() as u64)
    }

    fn random(self) -> u32 {
        with(Proxy::random)
    }

    fn define_series(self, series: &Series<'_>) -> Option<usize> {
        let labels: Vec<_> = series.labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
        super::call(|proxy| proxy.define_series(format!("{}{{{}}}", series.name, labels.join(",")))).ok()
    }

    fn add(self, series: &usize, value: u64) {
        self.record(series, value);
    }

    fn record(self, series: &usize, value: u64) {
        let _ = super::call(|proxy| proxy.record(*series, value));
    }
}

struct ProxyLog;

impl log::Log for ProxyLog {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let _ = super::call(|proxy| {
            proxy.logs.push(record.args().to_string());
            Ok(())
        });
    }

    fn flush(&self) {}
}
