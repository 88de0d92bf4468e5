//! Usage of streams whose clients do not ask for it.
//!
//! OpenAI's chat completions and completions report a stream's tokens only if the request has
//! `"stream_options": {"include_usage": true}`. The server then sends one more event before `[DONE]`, which has usage and no
//! choices. [`InjectUsage`] adds the option to a request, and [`StripUsage`] removes that event from the response.
//! Both edit bodies that arrive in chunks of any size.
//!
//! Two things stay in the response: `"usage": null`, which OpenAI then adds to all other events, because clients read it
//! like an absent field; and usage in events with choices, because many servers send that without being asked.

mod inject;
mod strip;
#[cfg(test)]
mod tests;

pub use inject::InjectUsage;
pub use strip::StripUsage;

/// Bytes of a request that are held back at most: white space and `false`.
pub const REQUEST_BYTES_HELD_MAX: usize = 16;
/// Bytes of a response that are held back at most. A longer event cannot be the one with the usage.
pub const EVENT_BYTES_HELD_MAX: usize = 8 * 1024;
