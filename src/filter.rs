//! What happens at each callback of a proxy, for any proxy.
//!
//! `stream.rs` is one request, with `request_body.rs`, `feedback.rs` and `buffered.rs` for its body, and `response.rs` for
//! its response. `loaded.rs` is a configuration with its metrics, `worker.rs` the same on one worker thread. `host.rs` is
//! all that they need of a proxy: a [`Host`] makes the callbacks, and answers the calls.

mod buffered;
mod delivery;
mod edit;
mod feedback;
mod headers;
mod host;
mod loaded;
mod request;
mod request_body;
mod response;
mod stream;
mod worker;

pub use headers::Headers;
pub use host::{Action, Body, Delivery, Head, Host};
pub use loaded::LoadedConfig;
pub use stream::Stream;
pub use worker::Worker;
