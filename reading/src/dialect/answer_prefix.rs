//! The first characters of an answer, kept in order to look for a refusal in them.

use alloc::vec::Vec;

/// Characters (Unicode scalar values) that are kept.
pub const ANSWER_PREFIX_CHARS_MAX: u64 = 240;

/// How an answer begins.
#[derive(Default)]
pub struct AnswerPrefix {
    text: Vec<u8>,
    chars: u64,
}

impl AnswerPrefix {
    /// Its bytes in UTF-8. The last character may be incomplete.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    /// Whether more characters are kept.
    pub(super) fn has_room(&self) -> bool {
        self.chars < ANSWER_PREFIX_CHARS_MAX
    }

    /// Appends as much of `text` as there is room for.
    #[expect(clippy::arithmetic_side_effects, reason = "`chars` is at most ANSWER_PREFIX_CHARS_MAX")]
    pub(super) fn extend(&mut self, text: &[u8]) {
        for &byte in text {
            let is_start = byte & 0xC0 != 0x80;
            if is_start && !self.has_room() {
                return;
            }
            self.chars += u64::from(is_start);
            self.text.push(byte);
        }
    }

    pub(super) fn clear(&mut self) {
        *self = AnswerPrefix::default();
    }
}
