//! Panics where a request asks for it. Only tests build this.

use crate::abi::{Filter, Map};
use crate::exchange::Hook;

/// Panics if the header `x-provoke-panic` of the request names this hook.
#[expect(clippy::panic, reason = "that is what it is for")]
pub(crate) fn panic_if_asked(envoy: Filter, hook: Hook) {
    let name = match hook {
        Hook::RequestHeaders { .. } => "request_headers",
        Hook::RequestBody { .. } => "request_body",
        Hook::RequestTrailers => "request_trailers",
        Hook::ResponseHeaders { .. } => "response_headers",
        Hook::ResponseBody { .. } => "response_body",
        Hook::ResponseTrailers => "response_trailers",
        Hook::StreamComplete => "stream_complete",
    };
    if envoy.header(Map::Request, "x-provoke-panic", |asked| asked == name.as_bytes()) == Some(true) {
        panic!("provoked in {name}");
    }
}
