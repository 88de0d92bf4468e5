//! `empty` and `reasoning_only`: what an answer has, and what it lacks.
//!
//! White space is text: an answer of it is not empty, and has other defects if it goes on.

/// What an answer has so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Content {
    pub(super) has_text: bool,
    pub(super) has_reasoning: bool,
    /// A call, a refusal, an image, audio, a citation, the result of a server's tool.
    pub(super) has_other: bool,
}

impl Content {
    pub(super) fn is_empty(self) -> bool {
        !(self.has_text || self.has_reasoning || self.has_other)
    }

    pub(super) fn is_reasoning_only(self) -> bool {
        self.has_reasoning && !(self.has_text || self.has_other)
    }
}
