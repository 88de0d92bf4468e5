//! Findings as they are shown: in a word, a shape and a colour, so that none of them says it alone.

/// A word with a shape and a colour of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: &'static str,
    pub(super) class: &'static str,
    pub(super) shape: &'static str,
}
