//! What a body had in it, whatever its framing.

use super::observation::Unparsed;
use crate::dialect::ResponseFacts;

/// What a body had in it.
#[derive(Default)]
pub(super) struct BodySummary {
    pub(super) facts: ResponseFacts,
    pub(super) dialect: Option<&'static str>,
    pub(super) text_chars: Option<u64>,
    pub(super) events: Option<u64>,
    pub(super) unparsed: Option<Unparsed>,
    /// The body is known to be something else than an answer.
    pub(super) is_other: bool,
    /// Whether the response was complete. `None` if only the end of the stream shows it.
    pub(super) is_finished: Option<bool>,
}
