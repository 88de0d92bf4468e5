//! What a served page says beside what was found: what the release is doing now, and what is missing.

use super::text::Text;
use serde::Serialize;

/// The present of a page that goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Now {
    /// What the release is doing, where one is run, such as `v2 gets 25 %`.
    pub(crate) state: Option<Text>,
    /// What is missing of the evidence. Nothing is fine meanwhile.
    pub(crate) trouble: Option<Text>,
    /// Why no version is judged.
    pub(crate) idle: Option<Text>,
}

impl Now {
    /// Of words that are not fit to be shown yet.
    pub(crate) fn new(state: Option<&str>, trouble: Option<&str>, idle: Option<&str>) -> Self {
        let text = |words: Option<&str>| words.map(Text::new);
        Self { state: text(state), trouble: text(trouble), idle: text(idle) }
    }
}
