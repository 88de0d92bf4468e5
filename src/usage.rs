//! Usage for streams whose clients do not ask for it: asked for in the request, and hidden from the client again.
//!
//! OpenAI's chat completions and completions report a stream's tokens only where the request says
//! `"stream_options": {"include_usage": true}`, in one chunk more, without choices, before `[DONE]`.
//! [`InjectUsage`] adds that to a request, [`StripUsage`] takes that chunk out of the response. Both edit bytes as they
//! pass, cut anywhere, and keep no more of them than the piece that may be edited.
//!
//! Left alone: `"usage": null`, which OpenAI then adds to all other chunks, and which reads like its absence; and
//! usage that comes with choices, because many servers send it unasked.

mod inject;
mod strip;
#[cfg(test)]
mod tests;

pub use inject::InjectUsage;
pub use strip::StripUsage;

/// Held back of a request at most: white space and `false`.
pub const REQUEST_BYTES_HELD_MAX: usize = 16;
/// Held back of a response at most: an event past this is none that reports usage alone.
pub const EVENT_BYTES_HELD_MAX: usize = 8 * 1024;
