//! Usage for streams whose clients do not ask for it: asked for in the request, and hidden from the client again.
//!
//! OpenAI's chat completions and completions report a stream's tokens only where the request says
//! `"stream_options": {"include_usage": true}`, in one chunk more, without choices, before `[DONE]`.
//! [`Ask`] adds that to a request, [`Hide`] takes that chunk out of the response. Both edit bytes as they
//! pass, cut anywhere, and keep no more of them than the piece that may be edited.
//!
//! Left alone: `"usage": null`, which OpenAI then adds to all other chunks, and which reads like its absence; and
//! usage that comes with choices, because many servers send it unasked.

mod ask;
mod hide;
#[cfg(test)]
mod tests;

pub use ask::Ask;
pub use hide::Hide;

/// Edits bytes as they pass.
pub trait Editor {
    /// A piece has come. What is to be sent in its place; `None`: the piece as it is, with nothing held back.
    fn push(&mut self, piece: &[u8]) -> Option<Vec<u8>>;
    /// All has come. What was held back of it.
    fn finish(&mut self) -> Vec<u8>;
}

impl<T: Editor> Editor for Box<T> {
    fn push(&mut self, piece: &[u8]) -> Option<Vec<u8>> {
        (**self).push(piece)
    }

    fn finish(&mut self) -> Vec<u8> {
        (**self).finish()
    }
}

/// A request's body is looked at up to here; past it the request goes on as it came.
pub const REQUEST_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Held back of a request at most: white space and `false`.
pub const REQUEST_BYTES_HELD_MAX: usize = 16;
/// Held back of a response at most: an event past this is none that reports usage alone.
pub const EVENT_BYTES_HELD_MAX: usize = 8 * 1024;
