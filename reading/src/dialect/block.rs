//! A choice, and a block inside it, while they are open: their values so far.
//!
//! Values are gathered and only counted when the choice closes, because the keys that say what they mean may come
//! last. All counts grow by at most one for each byte of the response, so 64 bits are always enough.

use super::answer_prefix::AnswerPrefix;
use super::answers::RepeatedText;
use super::arguments::Transition;
use super::facts::{CALLS_MAX, CallFragment, CallTarget, RANKS, ResponseFacts, TextPresence};
use super::finish::Finish;
use super::meaning::{BlockKind, Meaning};
use crate::json::chars;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// A block while it is open.
#[derive(Default)]
pub(super) struct OpenBlock {
    pub(super) kind: BlockKind,
    /// Characters of [`Meaning::Text`] of each rank.
    pub(super) text_chars: [u64; RANKS],
    /// Whether a path of each rank was present.
    pub(super) has_text: [bool; RANKS],
    /// Characters of [`Meaning::TypedText`].
    pub(super) typed_chars: u64,
    /// The [`Meaning::CumulativeText`].
    pub(super) repeated_text: Option<Box<RepeatedText>>,
    pub(super) refusal_chars: u64,
    pub(super) has_reasoning: bool,
    /// Characters of [`Meaning::Reasoning`], and of text that is reasoning by the block's kind.
    pub(super) reasoning_chars: u64,
    /// How often the reasoning may have come before: 0 where it is new, and more where it is repeated.
    pub(super) reasoning_rank: u8,
    /// Its type has come.
    pub(super) is_typed: bool,
    /// It is a [`Meaning::Item`].
    pub(super) is_item: bool,
    /// How the text of rank `prefix_rank` begins, if the answer's prefix is wanted.
    pub(super) answer_prefix: AnswerPrefix,
    /// The lowest rank that has had text.
    pub(super) prefix_rank: u8,
    /// The block itself as a tool call, if its kind is that.
    pub(super) call: CallFragment,
    /// `call` has arguments.
    pub(super) has_arguments: bool,
    /// Tool calls inside the block, at most [`CALLS_MAX`].
    pub(super) calls: Vec<CallFragment>,
}

impl OpenBlock {
    /// A path of this rank is present.
    pub(super) fn has_text(&mut self, rank: u8) {
        if let Some(has) = self.has_text.get_mut(usize::from(rank)) {
            *has = true;
        }
    }

    /// Counts the characters of a piece of text.
    #[expect(clippy::arithmetic_side_effects, reason = "a count of bytes of the response")]
    pub(super) fn text(&mut self, meaning: Meaning, piece: &[u8]) {
        let mut no_such_rank = 0;
        let count = match meaning {
            Meaning::Text(rank) => {
                self.has_text(rank);
                self.text_chars.get_mut(usize::from(rank)).unwrap_or(&mut no_such_rank)
            }
            Meaning::TypedText => &mut self.typed_chars,
            Meaning::CumulativeText => {
                return self.repeated_text.get_or_insert_default().push(piece, chars(piece));
            }
            Meaning::Refusal => &mut self.refusal_chars,
            Meaning::Reasoning => {
                self.has_reasoning |= !piece.is_empty();
                &mut self.reasoning_chars
            }
            _ => return,
        };
        *count += chars(piece);
    }

    /// Keeps the beginning of a text that may be the answer's.
    pub(super) fn extend_answer_prefix(&mut self, meaning: Meaning, piece: &[u8]) {
        let rank = match meaning {
            Meaning::Text(rank) => rank,
            Meaning::TypedText | Meaning::CumulativeText => 0,
            _ => return,
        };
        self.extend_prefix(rank, piece);
    }

    fn extend_prefix(&mut self, rank: u8, piece: &[u8]) {
        if rank < self.prefix_rank || self.answer_prefix.as_bytes().is_empty() {
            self.answer_prefix.clear();
            self.prefix_rank = rank;
        }
        if rank == self.prefix_rank {
            self.answer_prefix.extend(piece);
        }
    }

    /// Moves the values to where the block's kind says that they belong.
    #[expect(clippy::arithmetic_side_effects, reason = "these are counts of bytes of the response")]
    pub(super) fn apply_kind(&mut self) {
        let typed_chars = core::mem::take(&mut self.typed_chars);
        match self.kind {
            // Arguments outside of a call continue the last one.
            BlockKind::Plain if self.has_arguments => self.push_arguments(),
            BlockKind::Done => {
                (self.has_reasoning, self.reasoning_rank) = (false, 2);
                for call in &mut self.calls {
                    (call.target, call.arguments) = (CallTarget::Restates, Transition::COMPLETE);
                }
            }
            BlockKind::Plain | BlockKind::Error if typed_chars == 0 => {}
            BlockKind::Plain | BlockKind::Error => self.answer_prefix.clear(),
            BlockKind::Announced => {
                (self.has_reasoning, self.reasoning_chars) = (false, 0);
                self.discard_text();
            }
            BlockKind::Text => {
                let [first, ..] = &mut self.text_chars;
                *first += typed_chars;
                self.has_text(0);
            }
            BlockKind::Reasoning => {
                let text_chars = self.text_chars.iter().sum::<u64>() + typed_chars;
                self.has_reasoning |= text_chars > 0;
                self.reasoning_chars += text_chars;
                self.discard_text();
            }
            BlockKind::Refusal => {
                self.refusal_chars += typed_chars;
                self.answer_prefix.clear();
            }
            BlockKind::Call | BlockKind::CustomCall => {
                let mut call = core::mem::take(&mut self.call);
                call.is_custom = self.kind == BlockKind::CustomCall;
                call.is_server_run |= call.is_server_custom_tool && call.is_custom;
                self.push_call(call);
                self.discard_text();
            }
            BlockKind::Arguments => {
                self.push_arguments();
                self.discard_text();
            }
            BlockKind::AllArguments => {
                self.call.arguments = Transition::COMPLETE;
                self.push_arguments();
                self.discard_text();
            }
            BlockKind::Repeated => {
                (self.has_reasoning, self.reasoning_rank) = (false, 1);
                for call in &mut self.calls {
                    (call.target, call.arguments) = (CallTarget::Repeats, Transition::COMPLETE);
                }
            }
            BlockKind::Ignored => *self = OpenBlock { kind: BlockKind::Ignored, ..OpenBlock::default() },
        }
    }

    /// Whether it is something of the answer that is neither text nor reasoning nor a call. To be asked before
    /// [`OpenBlock::apply_kind`].
    pub(super) fn is_other_content(&self) -> bool {
        match self.kind {
            BlockKind::Ignored => self.is_item,
            BlockKind::Call => self.call.is_server_run,
            BlockKind::CustomCall => self.call.is_server_run || self.call.is_server_custom_tool,
            _ => false,
        }
    }

    /// The text of this block is not the answer's.
    pub(super) fn discard_text(&mut self) {
        self.answer_prefix.clear();
        self.text_chars = [0; RANKS];
        self.has_text = [false; RANKS];
    }

    /// `call` is a further fragment of a call.
    fn push_arguments(&mut self) {
        self.call.target = CallTarget::Continues;
        let call = core::mem::take(&mut self.call);
        self.push_call(call);
    }

    pub(super) fn push_call(&mut self, call: CallFragment) {
        if self.calls.len() < CALLS_MAX && !call.is_server_run {
            self.calls.push(call);
        }
    }

    /// Adds the values of a block that has closed inside this one.
    #[expect(clippy::arithmetic_side_effects, reason = "these are counts of bytes of the response")]
    pub(super) fn merge(&mut self, inner: &mut OpenBlock) {
        inner.apply_kind();
        for (count, more) in self.text_chars.iter_mut().zip(inner.text_chars) {
            *count += more;
        }
        for (has, more) in self.has_text.iter_mut().zip(inner.has_text) {
            *has |= more;
        }
        self.refusal_chars += inner.refusal_chars;
        self.has_reasoning |= inner.has_reasoning;
        self.reasoning_chars += inner.reasoning_chars;
        if !inner.answer_prefix.as_bytes().is_empty() {
            self.extend_prefix(inner.prefix_rank, inner.answer_prefix.as_bytes());
        }
        for call in inner.calls.drain(..) {
            self.push_call(call);
        }
    }

    /// Gives the calls inside the block its own place, if they have none.
    pub(super) fn place_calls(&mut self) {
        if let Some(index) = self.call.index {
            for call in &mut self.calls {
                call.index.get_or_insert(index);
            }
        }
    }
}

/// A choice, or a delta of one, while it is open.
#[derive(Default)]
pub(super) struct OpenChoice {
    pub(super) index: Option<u64>,
    pub(super) finish: Finish,
    /// Of [`Meaning::OtherFinish`].
    pub(super) other_finish: Finish,
    /// The values of its blocks that have closed, and those outside of blocks.
    pub(super) block: OpenBlock,
    /// It may have values. Lets `clear` skip the work, which would be noticed in each event.
    pub(super) is_touched: bool,
}

impl OpenChoice {
    pub(super) fn clear(&mut self) {
        if self.is_touched {
            *self = OpenChoice::default();
        }
    }
}

impl ResponseFacts {
    /// Counts a choice that has closed.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "these are counts of bytes and values of the response"
    )]
    pub(super) fn count(&mut self, choice: &OpenChoice, index: u64) {
        let (block, facts) = (&choice.block, self);
        for (presence, (&has_text, chars)) in
            facts.text_presence.iter_mut().zip(block.has_text.iter().zip(block.text_chars))
        {
            let now = match (chars > 0, has_text) {
                (true, _) => TextPresence::NonEmpty,
                (false, true) => TextPresence::Empty,
                (false, false) => TextPresence::Absent,
            };
            *presence = now.max(*presence);
        }
        // Of the same text at several paths, only that of the lowest rank counts.
        let rank = facts.lowest_rank();
        let mut text_chars =
            rank.and_then(|rank| block.text_chars.get(usize::from(rank))).copied().unwrap_or(0);
        let index = index.saturating_add(facts.answers.as_ref().map_or(0, |answers| answers.first_choice));
        let mut is_whole_text = false;
        if let Some(text) = &block.repeated_text {
            let answers = facts.answers.get_or_insert_default();
            let is_end = choice.finish != Finish::None;
            if let Some(watch) = &mut facts.watch {
                watch.begin_text_up_to_now(text.start(), answers.is_new(0, text, is_end));
            }
            text_chars += answers.add(index, text, core::mem::take(&mut facts.usage), is_end);
            is_whole_text = !answers.is_incremental;
        }
        facts.text_chars += text_chars;
        facts.refusal_chars += block.refusal_chars;
        if block.reasoning_chars > 0 && facts.reasoning_rank.is_none_or(|rank| block.reasoning_rank <= rank) {
            facts.reasoning_rank = Some(block.reasoning_rank);
            facts.reasoning_chars += block.reasoning_chars;
        }
        if let Some(watch) = &mut facts.watch {
            watch.close_choice(index == 0, if block.repeated_text.is_some() { Some(0) } else { rank });
        }
        if index == 0 {
            if is_whole_text {
                facts.answer_prefix.clear();
            }
            // Of the same text at several paths, only the one that counts.
            if rank == Some(block.prefix_rank) || block.repeated_text.is_some() {
                facts.answer_prefix.extend(block.answer_prefix.as_bytes());
            }
        }
        let had_calls = facts.tool_calls > 0;
        let is_new = |call: &&CallFragment| !had_calls || call.target != CallTarget::Restates;
        let has_calls = block.calls.iter().any(|call| is_new(&call));
        if text_chars > 0 || block.has_reasoning || block.refusal_chars > 0 || has_calls {
            facts.deltas += 1;
            facts.is_call_finished = false;
        }
        for (position, call) in (0..).zip(block.calls.iter().filter(is_new)) {
            facts.call(index, position, call);
        }
        let finish = if choice.finish == Finish::None { choice.other_finish } else { choice.finish };
        if finish != Finish::None {
            facts.end_choice(index, finish);
        } else if block.has_text.contains(&true) || block.repeated_text.is_some() || !block.calls.is_empty() {
            facts.begin_choice(index);
        }
    }
}
