//! One exchange: a request and its response.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use llm_canary::filter::{Action, Body, Stream};

use crate::abi::Filter;
use crate::configuration::Configuration;
use crate::host::{Envoy, Window};
use crate::waiting::{Held, REQUEST_BYTES_MAX};

/// A hook of Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// The request's head has arrived.
    RequestHeaders {
        /// It has no body.
        is_end: bool,
    },
    /// A piece of the request's body has arrived.
    RequestBody {
        /// It is the last.
        is_end: bool,
    },
    /// The request's trailers have arrived.
    RequestTrailers,
    /// The response's head has arrived.
    ResponseHeaders {
        /// It has no body.
        is_end: bool,
    },
    /// A piece of the response's body has arrived.
    ResponseBody {
        /// It is the last.
        is_end: bool,
    },
    /// The response's trailers have arrived.
    ResponseTrailers,
    /// The exchange has ended, before it is logged.
    StreamComplete,
}

#[cfg(feature = "provoke-panics")]
impl Hook {
    fn name(self) -> &'static str {
        match self {
            Hook::RequestHeaders { .. } => "request_headers",
            Hook::RequestBody { .. } => "request_body",
            Hook::RequestTrailers => "request_trailers",
            Hook::ResponseHeaders { .. } => "response_headers",
            Hook::ResponseBody { .. } => "response_body",
            Hook::ResponseTrailers => "response_trailers",
            Hook::StreamComplete => "stream_complete",
        }
    }
}

/// An exchange, and whether its request waits.
pub struct Exchange {
    configuration: Arc<Configuration>,
    /// `None` after a panic: the exchange goes on untouched.
    stream: Option<Stream<Envoy>>,
    /// What the request does since the latest hook.
    action: Action,
    held: Held,
    has_raised_limit: bool,
}

impl Exchange {
    /// An exchange, before its request's head arrives.
    pub fn new(configuration: &Arc<Configuration>) -> RefCell<Exchange> {
        Exchange::with(configuration, Some(Stream::new(configuration.worker())))
    }

    /// An exchange that goes on untouched.
    pub fn untouched(configuration: &Arc<Configuration>) -> RefCell<Exchange> {
        Exchange::with(configuration, None)
    }

    fn with(configuration: &Arc<Configuration>, stream: Option<Stream<Envoy>>) -> RefCell<Exchange> {
        RefCell::new(Exchange {
            configuration: Arc::clone(configuration),
            stream,
            action: Action::Continue,
            held: Held::default(),
            has_raised_limit: false,
        })
    }

    /// Runs a hook. A panic costs this exchange its statistics, and nothing else. A hook within a hook, which Envoy does not
    /// call, would change nothing.
    pub fn run(exchange: &RefCell<Exchange>, envoy: Filter, hook: Hook) -> Action {
        let run =
            || exchange.try_borrow_mut().map(|mut exchange| exchange.on(envoy, hook)).unwrap_or_default();
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
            drop(panic);
            if let Ok(mut exchange) = exchange.try_borrow_mut() {
                let stream = exchange.stream.take();
                // To drop it could panic again.
                _ = catch_unwind(AssertUnwindSafe(|| drop(stream)));
                exchange.held.set(0);
                let host = Envoy::Exchange(envoy, Window::Piece, exchange.configuration.clock());
                exchange.configuration.count_panic(host);
            }
            Action::Continue
        })
    }

    fn on(&mut self, envoy: Filter, hook: Hook) -> Action {
        let window = if self.action == Action::Pause { Window::All } else { Window::Piece };
        let host = Envoy::Exchange(envoy, window, self.configuration.clock());
        let Some(stream) = &mut self.stream else { return Action::Continue };
        #[cfg(feature = "provoke-panics")]
        crate::provoke::panic_if_asked(envoy, hook.name());
        let action = match hook {
            Hook::RequestHeaders { is_end } => stream.on_request_headers(host, is_end),
            Hook::RequestBody { is_end } => {
                if self.action != Action::Continue {
                    // Envoy holds all that has come, whatever of it can be read again.
                    let all = Envoy::Exchange(envoy, Window::All, self.configuration.clock());
                    self.held.set(all.readable_bytes(Body::Request));
                }
                stream.on_request_body(host, host.readable_bytes(Body::Request), is_end)
            }
            Hook::RequestTrailers => stream.on_request_trailers(host),
            Hook::ResponseHeaders { is_end } => {
                stream.on_response_headers(host, is_end);
                return Action::Continue;
            }
            Hook::ResponseBody { is_end } => {
                stream.on_response_body(host, host.readable_bytes(Body::Response), is_end);
                return Action::Continue;
            }
            Hook::ResponseTrailers => {
                stream.on_response_trailers(host);
                return Action::Continue;
            }
            Hook::StreamComplete => {
                let ended = stream.end(host);
                ended.into_iter().for_each(|ended| self.configuration.count_later(host, ended));
                return Action::Continue;
            }
        };
        self.apply(envoy, action);
        action
    }

    /// The request waits, or goes on. Envoy has to hold the body of one that waits.
    fn apply(&mut self, envoy: Filter, action: Action) {
        self.action = action;
        if action == Action::Continue {
            self.held.set(0);
        } else if !self.has_raised_limit {
            self.has_raised_limit = true;
            envoy.raise_buffer_limit(REQUEST_BYTES_MAX);
        }
    }
}
