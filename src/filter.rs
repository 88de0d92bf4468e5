//! What the filter does in each callback of a proxy, whatever the proxy.
//!
//! `stream.rs` handles one exchange: `request_head.rs` edits the request's head, `request_body.rs`, `feedback.rs` and
//! `buffered.rs` handle its body, `response.rs` the response, and `redirect.rs` what follows an internal redirect.
//! `loaded.rs` holds a configuration and its series, `worker.rs` the state of one worker thread. `host.rs` is the
//! interface to the proxy: a [`Host`] makes the callbacks and answers the filter's calls.

mod buffered;
mod delivery;
mod edit;
mod ended;
mod ending;
mod feedback;
mod first_piece;
mod headers;
mod host;
mod loaded;
mod redirect;
mod request;
mod request_body;
mod request_head;
mod response;
mod stream;
mod upgrade;
mod worker;

pub use delivery::BodiesCame;
pub use ended::Ended;
pub use headers::Headers;
pub use host::{Action, Body, Delivery, FilterState, Head, Host};
pub use loaded::LoadedConfig;
pub use stream::Stream;
pub use worker::Worker;
