//! `tool_args_invalid`: the arguments of a call are not one JSON object.
//!
//! No arguments at all are none, and so is white space. An [`Arguments`] belongs to each call whose arguments are JSON
//! as text, because the fragments of several calls may alternate.

use super::json_check::{JsonCheck, JsonEnd};

/// The arguments of one call so far. Small and `Copy`, so that a fragment can be read before it is known where it
/// belongs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arguments(JsonCheck);

/// What is wrong with the arguments of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentsFault {
    /// They are no JSON, or no object, or more than one.
    Invalid,
    /// They are the beginning of an object. That is a fault only where the answer is complete.
    Unfinished,
}

impl Arguments {
    /// Those of a call of which a part was not read. They have no fault.
    pub const UNKNOWN: Arguments = Arguments(JsonCheck::UNKNOWN);

    /// Reads the next piece of the decoded text.
    pub fn push(&mut self, piece: &[u8]) {
        self.0.push(piece);
    }

    /// What is wrong with them, if the call ends here.
    #[must_use]
    pub fn fault(&self) -> Option<ArgumentsFault> {
        match self.0.end() {
            JsonEnd::Nothing | JsonEnd::Object | JsonEnd::Unknown => None,
            JsonEnd::Unfinished => Some(ArgumentsFault::Unfinished),
            JsonEnd::Other | JsonEnd::Broken => Some(ArgumentsFault::Invalid),
        }
    }
}
