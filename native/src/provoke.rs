//! Panics where a request asks for it. Only tests build this.

use crate::abi::{Filter, Map};

/// Panics if the header `x-provoke-panic` of the request names this hook.
#[expect(clippy::panic, reason = "that is what it is for")]
pub(crate) fn panic_if_asked(envoy: Filter, hook: &str) {
    if envoy.header(Map::Request, "x-provoke-panic", |asked| asked == hook.as_bytes()) == Some(true) {
        panic!("provoked in {hook}");
    }
}
