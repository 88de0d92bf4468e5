//! Several answers of one response, where each document is of one of them: the items of an array, and SGLang's events.
//!
//! SGLang's `text` is the whole text up to now, or with `--incremental-streaming-output` the part that is new
//! (sgl-project/sglang#22549). It is taken for the whole text until a text and the one before it differ in their
//! beginnings, it gets shorter before its end, or it stays the same for many tokens. Each answer reports its own usage;
//! that of the response is the sum.

use super::usage::Usage;
use alloc::vec::Vec;

/// The beginning of a text that is compared with the next one, in bytes.
const START_BYTES: usize = 32;
/// Tokens in a row of which the text shows nothing: special tokens, parts of a character.
const REPEATS_MAX: u8 = 8;
/// Answers of one response that are told apart by their index. The text of further ones is not counted.
const ANSWERS_MAX: usize = 64;

/// A text that may repeat an earlier one.
#[derive(Default)]
pub(super) struct RepeatedText {
    chars: u64,
    start: Start,
}

/// How a text begins.
#[derive(Clone, Copy, Default)]
struct Start {
    bytes: [u8; START_BYTES],
    len: usize,
}

/// The answers so far.
#[derive(Default)]
pub(super) struct Answers {
    /// Each document is one answer.
    pub(super) is_array: bool,
    /// The index of the document's first choice.
    pub(super) first_choice: u64,
    /// Texts so far.
    pub(super) texts: u64,
    /// Each text is only what is new.
    pub(super) is_incremental: bool,
    answers: Vec<Answer>,
    /// Of the answers that have ended.
    ended: Usage,
}

#[derive(Default)]
struct Answer {
    choice: u64,
    /// Characters of all its texts.
    chars: u64,
    /// Characters of the longest.
    longest: u64,
    /// The last text that was not empty, and its characters.
    last: Start,
    last_chars: u64,
    /// So many texts in a row were like the last one, though tokens were added.
    repeats: u8,
    usage: Usage,
}

impl RepeatedText {
    /// How it begins, as far as it has come.
    pub(super) fn start(&self) -> &[u8] {
        self.start.bytes.get(..self.start.len).unwrap_or_default()
    }

    /// Whether [`RepeatedText::start`] does not grow any more.
    pub(super) fn is_start_whole(&self) -> bool {
        self.start.len == START_BYTES
    }

    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a count of bytes of the response, an index of `bytes`"
    )]
    pub(super) fn push(&mut self, piece: &[u8], chars: u64) {
        self.chars += chars;
        let Start { bytes, len } = &mut self.start;
        for (slot, &byte) in bytes.iter_mut().skip(*len).zip(piece) {
            *slot = byte;
            *len += 1;
        }
    }
}

impl Start {
    /// Whether one of two texts begins with the other, as far as is known.
    fn agrees(&self, other: &Start) -> bool {
        let len = self.len.min(other.len);
        self.bytes.get(..len) == other.bytes.get(..len)
    }
}

impl Answer {
    /// Whether the last text is longer than this one, which is not empty.
    fn is_longer_than(&self, text: &RepeatedText, is_end: bool) -> bool {
        0 < text.chars && text.chars < self.last_chars && !is_end
    }
}

impl Answers {
    /// Whether a text repeats nothing of this answer, by its beginning.
    pub(super) fn begins_anew(&self, choice: u64, text: &RepeatedText) -> bool {
        let answer = self.answers.iter().find(|answer| answer.choice == choice);
        self.is_incremental || answer.is_some_and(|answer| !answer.last.agrees(&text.start))
    }

    /// The same of a text that is complete. `is_end`: the answer ends with it.
    pub(super) fn is_new(&self, choice: u64, text: &RepeatedText, is_end: bool) -> bool {
        let answer = self.answers.iter().find(|answer| answer.choice == choice);
        self.begins_anew(choice, text) || answer.is_some_and(|answer| answer.is_longer_than(text, is_end))
    }

    /// Counts a text and takes over the usage of its document. Returns the characters that are new.
    #[expect(clippy::arithmetic_side_effects, reason = "these are counts of bytes of the response")]
    ///
    /// The whole text only gets shorter at its end, where a word that stops the answer is cut off, and it gets longer with
    /// most tokens.
    pub(super) fn add(&mut self, choice: u64, text: &RepeatedText, usage: Usage, is_end: bool) -> u64 {
        self.texts += 1;
        let at = match self.answers.iter().position(|answer| answer.choice == choice) {
            None if self.answers.len() >= ANSWERS_MAX => return 0,
            None => {
                self.answers.push(Answer { choice, ..Answer::default() });
                self.answers.len() - 1
            }
            Some(at) => at,
        };
        let Some(answer) = self.answers.get_mut(at) else { return 0 };
        let is_next_token = usage.output > answer.usage.output;
        answer.usage = usage.or(answer.usage);
        let is_same = text.chars > 0 && text.chars == answer.last_chars;
        answer.repeats = if is_same && is_next_token { answer.repeats.saturating_add(1) } else { 0 };
        let is_contradiction = !self.is_incremental
            && (!answer.last.agrees(&text.start)
                || answer.is_longer_than(text, is_end)
                || answer.repeats >= REPEATS_MAX);
        if text.start.len > 0 {
            (answer.last, answer.last_chars) = (text.start, text.chars);
        }
        let counted = answer.longest;
        answer.longest = answer.longest.max(text.chars);
        answer.chars += text.chars;
        if is_contradiction {
            self.is_incremental = true;
            let missed = |(other, answer): (usize, &Answer)| {
                answer.chars - if other == at { counted } else { answer.longest }
            };
            return self.answers.iter().enumerate().map(missed).sum();
        }
        if self.is_incremental { text.chars } else { answer.longest - counted }
    }

    /// The document has ended, and with it an answer of an array. `next_choice`: the index of the next one.
    pub(super) fn end_item(&mut self, usage: Usage, next_choice: u64) {
        self.ended = self.usage().plus(usage);
        self.answers.clear();
        self.first_choice = next_choice;
    }

    /// The usage of all answers.
    pub(super) fn usage(&self) -> Usage {
        self.answers.iter().fold(self.ended, |sum, answer| sum.plus(answer.usage))
    }
}
