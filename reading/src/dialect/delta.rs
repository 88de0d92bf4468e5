//! What a document did that only added text, so that a document which differs in its text alone need not be parsed.
//!
//! What a document does depends on its values and on the state before it. If parsing it changed nothing but counts,
//! then one with the same values meets the same state, and does the same. The characters of a text that is not
//! empty only add to counts and to the answer's prefix. A fragment of a tool call's arguments is text too; it goes
//! to the same call.
//!
//! In: the facts before and after a document. Out: a [`Delta`], which can be repeated with another text.

use super::arguments::Transition;
use super::facts::{LastFragment, RANKS, ResponseFacts, TextPresence};
use super::own_usage::OwnUsage;
use super::usage::Usage;
use super::watch::{Channel, ReadBytes};

/// What one document with a text did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delta {
    kind: DeltaKind,
    answer_prefix: PrefixEffect,
    /// As what the detectors of defects have read the text.
    watched: Channel,
}

/// What the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DeltaKind {
    /// Text of the answer.
    AnswerText,
    /// Reasoning.
    Reasoning,
    /// Other text that is not the answer's.
    OtherText,
    /// Arguments of the call with this index in [`ResponseFacts::calls`]. They are read, to see where they end.
    Arguments(usize),
    /// The same, but they are not read, because another document says that they are complete.
    UnreadArguments(usize),
}

/// Whether the text belongs to the answer's prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PrefixEffect {
    Extends,
    Unchanged,
    /// The prefix was full already, so it is not known.
    Unknown,
}

/// A text as it is written in JSON.
pub trait EscapedText {
    /// Gives the decoded bytes to `take`, piece by piece. Each piece ends between two characters.
    fn pieces(&self, take: impl FnMut(&[u8]));
}

/// The facts at a moment, as far as they are needed to tell what the next document did.
#[derive(Clone, Copy)]
pub struct Checkpoint {
    text_chars: u64,
    refusal_chars: u64,
    reasoning_chars: u64,
    watched: ReadBytes,
    deltas: u64,
    call_fragments: u64,
    prefix_bytes: usize,
    prefix_has_room: bool,
    stable: StableFacts,
}

/// The facts that a delta of text does not change.
#[derive(Clone, Copy, PartialEq)]
struct StableFacts {
    tool_calls: u64,
    usage: Usage,
    own_usage: OwnUsage,
    flags: [bool; 3],
    /// The model's name is set once, so its length shows whether it has been set.
    model_bytes: usize,
    text_presence: [TextPresence; RANKS],
    reasoning_rank: Option<u8>,
    items: u64,
    repeated_texts: u64,
    choices_begun: u64,
    finish_reasons: u64,
    /// Number of calls. Of a known call, only its arguments and its id (see `special_fragments`) can change.
    calls: usize,
    special_fragments: u64,
}

impl ResponseFacts {
    /// Remembers the facts up to now.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            text_chars: self.text_chars,
            refusal_chars: self.refusal_chars,
            reasoning_chars: self.reasoning_chars,
            watched: self.watched(),
            deltas: self.deltas,
            call_fragments: self.call_fragments,
            prefix_bytes: self.answer_prefix.as_bytes().len(),
            prefix_has_room: self.answer_prefix.has_room(),
            stable: self.stable(),
        }
    }

    /// Whether one delta has come since, and nothing else.
    pub fn is_delta_since(&self, before: &Checkpoint) -> bool {
        self.deltas.checked_sub(before.deltas) == Some(1) && self.is_stable_since(before)
    }

    /// What one document with `text` did since `before`. `None` if it did anything but add this text. `chars` is
    /// the number of characters of `text`.
    pub fn delta_since(&self, before: &Checkpoint, text: &[u8], chars: u64) -> Option<Delta> {
        if chars == 0 || !self.is_delta_since(before) || self.refusal_chars != before.refusal_chars {
            return None;
        }
        let counted = self.text_chars.checked_sub(before.text_chars)?;
        let fragments = self.call_fragments.checked_sub(before.call_fragments)?;
        let reasoned = self.reasoning_chars.checked_sub(before.reasoning_chars)?;
        let kind = match (fragments, self.last_fragment) {
            (0, _) if counted == chars && reasoned == 0 => DeltaKind::AnswerText,
            (0, _) if counted == 0 && reasoned == chars => DeltaKind::Reasoning,
            (0, _) if counted == 0 && reasoned == 0 => DeltaKind::OtherText,
            _ if counted > 0 || reasoned > 0 => return None,
            (1, Some(fragment)) if self.watch.is_some() && !fragment.is_checked => return None,
            (1, Some(LastFragment { call, read, .. }))
                if read == Transition::of(text) && read != Transition::COMPLETE =>
            {
                DeltaKind::Arguments(call)
            }
            (1, Some(LastFragment { call, read, .. })) if read == Transition::default() => {
                DeltaKind::UnreadArguments(call)
            }
            _ => return None,
        };
        let answer_prefix = match self.answer_prefix.as_bytes().get(before.prefix_bytes..)? {
            b"" if before.prefix_has_room => PrefixEffect::Unchanged,
            b"" => PrefixEffect::Unknown,
            more if more == text => PrefixEffect::Extends,
            _ => return None,
        };
        Some(Delta { kind, answer_prefix, watched: self.watched().since(before.watched, text)? })
    }

    fn watched(&self) -> ReadBytes {
        self.watch.as_ref().map(|watch| watch.read_bytes()).unwrap_or_default()
    }

    /// Does what a document did, with another text of `chars` characters. False if the document with that text has
    /// to be parsed instead.
    #[inline]
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "these are counts of bytes and values of the response"
    )]
    pub fn repeat(&mut self, delta: Delta, text: &impl EscapedText, chars: u64) -> bool {
        if chars == 0 {
            return false; // a document with an empty text is not a delta
        }
        if self.answer_prefix.has_room() {
            match delta.answer_prefix {
                PrefixEffect::Extends => text.pieces(|piece| self.answer_prefix.extend(piece)),
                PrefixEffect::Unchanged => {}
                PrefixEffect::Unknown => return false,
            }
        }
        self.is_call_finished = match delta.kind {
            DeltaKind::AnswerText => {
                self.text_chars += chars;
                false
            }
            DeltaKind::Reasoning => {
                self.reasoning_chars += chars;
                false
            }
            DeltaKind::OtherText => false,
            DeltaKind::Arguments(call) | DeltaKind::UnreadArguments(call) => {
                let (is_read, is_watched) =
                    (matches!(delta.kind, DeltaKind::Arguments(_)), self.watch.is_some());
                let Some(call) = self.calls.get_mut(call) else { return false };
                text.pieces(|piece| {
                    if is_read {
                        piece.iter().for_each(|&byte| call.arguments.push(byte));
                    }
                    if is_watched {
                        call.checked.push(piece);
                    }
                });
                call.arguments.is_complete()
            }
        };
        if let Some(watch) = self.watch.as_mut().filter(|_| delta.watched != Channel::Nothing) {
            text.pieces(|piece| watch.repeat(delta.watched, piece));
        }
        self.deltas += 1;
        true
    }

    /// Whether no facts have changed since but those that a delta of text changes.
    pub fn is_stable_since(&self, before: &Checkpoint) -> bool {
        self.stable() == before.stable
    }

    fn stable(&self) -> StableFacts {
        // Destructured, so that whoever adds a field has to decide about it here.
        let ResponseFacts {
            text_chars: _,
            refusal_chars: _,
            reasoning_chars: _,
            reasoning_rank,
            watch,
            deltas: _,
            answer_prefix: _,
            is_call_finished: _,
            call_fragments: _,
            last_fragment: _,
            error,
            blocked,
            done,
            says_unanswered: _, // of whole responses only
            tool_calls,
            usage,
            own_usage,
            model,
            text_presence,
            answers,
            choices_begun,
            finish_reasons,
            finishes: _,
            calls,
            special_fragments,
        } = self;
        StableFacts {
            tool_calls: *tool_calls,
            usage: *usage,
            own_usage: *own_usage,
            flags: [*error, *blocked, *done],
            model_bytes: model.len(),
            text_presence: *text_presence,
            reasoning_rank: *reasoning_rank,
            items: watch.as_ref().map_or(0, |watch| watch.items),
            repeated_texts: answers.as_ref().map_or(0, |answers| answers.texts),
            choices_begun: *choices_begun,
            finish_reasons: *finish_reasons,
            calls: calls.len(),
            special_fragments: *special_fragments,
        }
    }
}
