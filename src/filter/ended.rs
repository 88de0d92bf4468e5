//! An exchange that has ended. What is left of it is to count it, and to read its answer if that came in one piece.

use alloc::boxed::Box;

use super::response::{Response, Routed};
use crate::observe::{End, Micros, Observation};

/// An exchange that has ended. It can be counted on another thread, by [`super::LoadedConfig::count`] of the
/// configuration that it began under.
pub struct Ended {
    /// What is known of the request.
    pub(super) routed: Routed,
    /// `None` if the response's head did not arrive.
    pub(super) response: Option<Box<Response>>,
    /// How it ended.
    pub(super) end: End,
    /// When it ended.
    pub(super) at: Micros,
}

impl Ended {
    /// How many bytes of its answer are not read yet.
    #[must_use]
    pub fn unread_bytes(&self) -> usize {
        self.response.as_ref().map_or(0, |response| response.unread_bytes())
    }

    /// The response's status, if its head arrived.
    pub(super) fn status(&self) -> Option<u16> {
        self.response.as_ref().map(|response| response.status())
    }

    /// Reads what is unread of the answer.
    pub(super) fn observe(self) -> Observation {
        match self.response {
            Some(response) => response.finish(self.end, self.at),
            None => self.routed.finish(self.end, self.at),
        }
    }
}
