//! The text of a call's arguments, read before it is known which call it belongs to.
//!
//! The keys of a delta come in any order. So a fragment is read twice: as the first text of a call, and as the next text of
//! the call that it probably belongs to. If it turns out to belong to a third, then nothing more is known of that one.

use crate::defect::Arguments;

/// A fragment of arguments.
#[derive(Clone, Copy, Default)]
pub(super) struct ArgumentCheck {
    /// As the first text of a call.
    first: Arguments,
    /// As the next text of the call that it probably continues.
    next: Arguments,
    /// The index of that call.
    call: Option<u8>,
    has_text: bool,
    is_whole: bool,
}

impl ArgumentCheck {
    /// Whether some text has come.
    pub(super) fn has_text(&self) -> bool {
        self.has_text
    }

    /// The call that the fragment probably continues, and its arguments before it. To be called before the first text.
    pub(super) fn expect(&mut self, call: usize, arguments: Arguments) {
        (self.call, self.next) = (u8::try_from(call).ok(), arguments);
    }

    /// The next piece of text.
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.has_text |= !piece.is_empty();
        self.first.push(piece);
        if self.call.is_some() {
            self.next.push(piece);
        }
    }

    /// The next piece of arguments that are whole.
    pub(super) fn push_whole(&mut self, piece: &[u8]) {
        self.is_whole = true;
        self.has_text |= !piece.is_empty();
        self.first.push(piece);
    }

    /// The arguments of the call that begins with the fragment.
    pub(super) fn begin(&self) -> Arguments {
        self.first
    }

    /// The fragment belongs to the call with the index `call`, whose arguments so far are these. Returns whether that was
    /// expected.
    pub(super) fn extend(&self, call: usize, arguments: &mut Arguments) -> bool {
        let is_expected = self.call.is_some_and(|expected| usize::from(expected) == call);
        if self.has_text {
            *arguments = match (self.is_whole, is_expected) {
                (true, _) => self.first,
                (false, true) => self.next,
                (false, false) => Arguments::UNKNOWN,
            };
        }
        !self.has_text || is_expected && !self.is_whole
    }
}
