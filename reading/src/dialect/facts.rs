//! The facts of a response so far: counts, usage, finish reasons and tool calls.
//!
//! All counts here grow by at most one for each byte of the response, so 64 bits are always enough.

use super::answer_prefix::AnswerPrefix;
use super::answers::Answers;
use super::argument_check::ArgumentCheck;
use super::arguments::{Arguments, Transition};
use super::finish::Finish;
use super::own_usage::OwnUsage;
use super::usage::Usage;
use super::watch::Watch;
use crate::defect::{self, AnswerEnd, DefectSet, NameFaults};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Choices of one response of which it is known whether each has ended. Further choices are counted, but a response
/// is complete without their ends.
const CHOICES_MAX: usize = 64;
/// Tool calls of one response that are distinguished.
pub(super) const CALLS_MAX: usize = 256;
const _: () = assert!(CALLS_MAX <= u8::MAX as usize + 1); // an index fits into a byte
/// Ranks of [`super::Meaning::Text`].
pub(super) const RANKS: usize = 5;

/// Whether a response has had text at the paths of one rank.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TextPresence {
    /// No such path was present.
    #[default]
    Absent,
    /// A path was present, but without text.
    Empty,
    /// There was text.
    NonEmpty,
}

/// The facts so far.
#[derive(Default)]
pub struct ResponseFacts {
    /// Unicode scalar values of text, over all answers.
    pub text_chars: u64,
    /// Unicode scalar values of text in fields made for refusals.
    pub refusal_chars: u64,
    /// Unicode scalar values of reasoning, over all answers.
    pub reasoning_chars: u64,
    /// Deltas with text, reasoning or a fragment of a tool call.
    pub deltas: u64,
    /// Tool calls that began.
    pub tool_calls: u64,
    /// As last reported.
    pub usage: Usage,
    pub(super) own_usage: OwnUsage,
    /// The server reported an error in the body.
    pub error: bool,
    /// A filter blocked the request or the answer.
    pub blocked: bool,
    /// The server says that the model has not answered yet.
    pub(super) says_unanswered: bool,
    /// The name of the model that answered. Empty if the server did not give it.
    pub model: Vec<u8>,
    /// How the first answer begins. Empty unless it is wanted.
    pub answer_prefix: AnswerPrefix,
    /// The last delta completed the arguments of a tool call.
    pub is_call_finished: bool,
    /// Fragments of calls, without the first of each call.
    pub(super) call_fragments: u64,
    pub(super) last_fragment: Option<LastFragment>,
    /// The end of the stream was announced.
    pub(super) done: bool,
    pub(super) text_presence: [TextPresence; RANKS],
    /// The answers, if there are several whose documents have to be told apart.
    /// The lowest [`super::block::OpenBlock::reasoning_rank`] of which there was reasoning. Only reasoning of this counts.
    pub(super) reasoning_rank: Option<u8>,
    pub(super) answers: Option<Box<Answers>>,
    /// Bit `i`: choice `i` has begun.
    pub(super) choices_begun: u64,
    /// Finish reasons received.
    pub(super) finish_reasons: u64,
    pub(super) finishes: Finishes,
    pub(super) calls: Vec<Call>,
    /// Fragments of calls that changed more than the arguments of their call, or would do something else if the
    /// arguments before them were others.
    pub(super) special_fragments: u64,
    /// Looks for defects of the first answer, if they are wanted.
    pub(super) watch: Option<Box<Watch>>,
}

/// The last of [`ResponseFacts::call_fragments`].
#[derive(Clone, Copy)]
pub(super) struct LastFragment {
    /// The index in [`ResponseFacts::calls`] of its call.
    pub(super) call: usize,
    /// What it did to the call's arguments.
    pub(super) read: Transition,
    /// Their text was checked as the next text of this call.
    pub(super) is_checked: bool,
}

/// The last finish reason of each choice.
pub(super) struct Finishes([Finish; CHOICES_MAX]);

impl Default for Finishes {
    fn default() -> Finishes {
        Finishes([Finish::None; CHOICES_MAX])
    }
}

/// A tool call.
pub(super) struct Call {
    choice: u64,
    index: u64,
    id_hash: Option<u64>,
    pub(super) arguments: Arguments,
    /// The text of the arguments, as it is checked.
    pub(super) checked: defect::Arguments,
    /// The arguments are free text.
    is_custom: bool,
}

/// A tool call, or a fragment of one.
#[derive(Default)]
pub(super) struct CallFragment {
    pub(super) index: Option<u64>,
    pub(super) id_hash: Option<u64>,
    pub(super) target: CallTarget,
    pub(super) arguments: Transition,
    /// The text of the arguments, if defects are wanted.
    pub(super) check: ArgumentCheck,
    /// Of the name that it gives.
    pub(super) name: NameFaults,
    /// The tool's input is free text.
    pub(super) is_custom: bool,
    /// The server runs the tool itself.
    pub(super) is_server_run: bool,
    /// If its input is free text, then the tool is the server's own.
    pub(super) is_server_custom_tool: bool,
}

/// The call that a fragment belongs to.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum CallTarget {
    /// A new one, unless the last one at its place is repeated: if both have the same id, or one has none and the
    /// last one is not complete.
    #[default]
    Begins,
    /// The same, for servers that repeat the beginning with each fragment: one with another id is also new only if
    /// the last one is not in the middle of its arguments.
    Named,
    /// The one at its place that is known by now, or a new one if there is none.
    Repeats,
    /// A new one, if the response has had none before this document.
    Restates,
    /// A new one.
    New,
    /// The last one at its place; the last one of all if it gives no place.
    Continues,
}

impl ResponseFacts {
    /// Whether the end of the stream was announced, for example by `[DONE]`.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// The response is a stream of events. So an answer is under way, whatever the server says of the whole.
    pub fn answer_has_begun(&mut self) {
        self.says_unanswered = false;
    }

    /// Whether there is no answer yet: the server says so, and nothing of one has come.
    pub fn is_unanswered(&self) -> bool {
        self.says_unanswered && self.deltas == 0
    }

    /// Whether at least one choice has begun, and each that has begun has ended.
    pub fn is_each_choice_finished(&self) -> bool {
        let ends = (0..).zip(self.finishes()).filter(|(_, finish)| **finish != Finish::None);
        let finished = ends.fold(0, |bits, (choice, _)| bits | bit(choice));
        self.choices_begun != 0 && self.choices_begun & !finished == 0
    }

    /// Why the response ended. Of the reasons of several choices, the last in the order of [`Finish`].
    pub fn finish(&self) -> Finish {
        self.finishes().iter().copied().max().unwrap_or_default()
    }

    /// Those of the choices up to the last that has begun. Mostly there is one.
    fn finishes(&self) -> &[Finish] {
        let Finishes(all) = &self.finishes;
        all.get(..choices(self.choices_begun) as usize).unwrap_or(all)
    }

    /// The usage of all answers together.
    pub fn total_usage(&self) -> Usage {
        self.answers.as_ref().map_or(self.usage, |answers| answers.usage().plus(self.usage))
    }

    /// The document has ended. If it was an item of an array, then it was an answer.
    pub(super) fn end_item(&mut self) {
        if let Some(answers) = self.answers.as_mut().filter(|answers| answers.is_array) {
            answers.end_item(core::mem::take(&mut self.usage), choices(self.choices_begun).into());
            self.own_usage = OwnUsage::default();
        }
    }

    /// Whether there has been text at the paths of this rank.
    pub fn text_presence(&self, rank: u8) -> TextPresence {
        self.text_presence.get(usize::from(rank)).copied().unwrap_or_default()
    }

    /// Whether there was a field for text, empty or not.
    pub(super) fn has_text_field(&self) -> bool {
        self.text_presence.iter().any(|&presence| presence != TextPresence::Absent)
    }

    /// A choice has begun.
    pub(super) fn begin_choice(&mut self, choice: u64) {
        self.choices_begun |= bit(choice);
    }

    /// A choice has ended.
    #[expect(clippy::arithmetic_side_effects, reason = "a count of values in the response")]
    pub(super) fn end_choice(&mut self, choice: u64, finish: Finish) {
        self.begin_choice(choice);
        self.finish_reasons += 1;
        let slot = usize::try_from(choice).ok().and_then(|choice| self.finishes.0.get_mut(choice));
        if let Some(slot) = slot {
            *slot = finish;
        }
    }

    /// Adds a fragment to its call, and counts the call if it is new. `position` is the fragment's place if it gives no
    /// index. A call is told by its place, and by a fragment that begins it. Ids only tell apart what begins at one
    /// place: some servers give each fragment a new id, some give two calls the same.
    #[expect(clippy::arithmetic_side_effects, reason = "these are counts of values in the response")]
    pub(super) fn call(&mut self, choice: u64, position: u64, fragment: &CallFragment) {
        let id_hash = fragment.id_hash;
        let index = fragment.index.unwrap_or(position);
        let has_place = fragment.index.is_some();
        let here = |call: &Call| call.choice == choice && call.index == index;
        let last_here = self.calls.iter().rposition(here);
        let known = match fragment.target {
            CallTarget::New | CallTarget::Restates => None,
            CallTarget::Continues if has_place => last_here,
            CallTarget::Continues => self.calls.len().checked_sub(1),
            CallTarget::Repeats => {
                let same_id = self.calls.iter().rposition(|call| {
                    (here(call) || !has_place) && id_hash.is_some() && call.id_hash == id_hash
                });
                same_id.or(last_here.filter(|_| has_place || id_hash.is_none()))
            }
            CallTarget::Begins | CallTarget::Named => {
                last_here.filter(|&at| self.calls.get(at).is_some_and(|call| call.is_repeated_by(fragment)))
            }
        };
        if let Some((at, call)) = known.and_then(|at| Some((at, self.calls.get_mut(at)?))) {
            let is_new_id = call.id_hash.is_none() && id_hash.is_some();
            let is_decided_by_id = call.id_hash.is_some() && call.id_hash == id_hash;
            if is_new_id || (fragment.target != CallTarget::Continues && !is_decided_by_id) {
                self.special_fragments += 1;
            }
            self.call_fragments += 1;
            let is_checked = fragment.check.extend(at, &mut call.checked);
            self.last_fragment = Some(LastFragment { call: at, read: fragment.arguments, is_checked });
            call.id_hash = call.id_hash.or(id_hash);
            call.arguments.extend(&fragment.arguments);
            self.is_call_finished = call.arguments.is_complete();
            return;
        }
        if fragment.target == CallTarget::Continues {
            // It continues a call of the server's own tool, such as a web search. These are not counted, because
            // the client does not execute them. Or it is a fragment of a call that has not begun.
            return;
        }
        let mut arguments = Arguments::default();
        arguments.extend(&fragment.arguments);
        self.is_call_finished = arguments.is_complete();
        self.tool_calls += 1;
        if let Some(watch) = self.watch.as_mut().filter(|_| choice == 0) {
            watch.call(fragment.name);
        }
        if self.calls.len() < CALLS_MAX {
            let (checked, is_custom) = (fragment.check.begin(), fragment.is_custom);
            self.calls.push(Call { choice, index, id_hash, arguments, checked, is_custom });
        }
    }

    /// The call that a fragment probably continues, whose index is this, and the text of its arguments so far.
    pub(super) fn probable_call(
        &self,
        choice: u64,
        index: Option<u64>,
    ) -> Option<(usize, defect::Arguments)> {
        let is_it = |call: &Call| index.is_none_or(|index| call.choice == choice && call.index == index);
        let at = self.calls.iter().rposition(is_it)?;
        self.calls.get(at).map(|call| (at, call.checked))
    }

    /// The lowest rank of which there has been text.
    pub(super) fn lowest_rank(&self) -> Option<u8> {
        (0..)
            .zip(&self.text_presence)
            .find(|(_, presence)| **presence == TextPresence::NonEmpty)
            .map(|(rank, _)| rank)
    }

    /// What the detectors have read: a hash of the texts, and the arguments.
    #[cfg(test)]
    pub fn transcript(&self) -> (Option<u64>, Vec<defect::Arguments>) {
        let calls = self.calls.iter().map(|call| call.checked).collect();
        (self.watch.as_ref().map(|watch| watch.read_bytes().transcript), calls)
    }

    /// The defects of the first answer, if they are wanted. `is_complete`: the response is, and nothing of it was left out.
    pub fn defects(&mut self, is_complete: bool) -> DefectSet {
        let Some(mut watch) = self.watch.take() else { return DefectSet::default() };
        if self.refusal_chars > 0 || self.blocked || self.finish() == Finish::ContentFilter {
            watch.other();
        }
        let [finish, ..] = self.finishes.0;
        // Without a first choice, nothing says that there should be more.
        let has_begun = self.choices_begun & 1 == 1 || self.done;
        let end = AnswerEnd {
            is_complete: is_complete && has_begun,
            is_cut: matches!(finish, Finish::Length | Finish::ContentFilter),
        };
        let calls = self.calls.iter().filter(|call| call.choice == 0 && !call.is_custom);
        watch.finish(calls.map(|call| &call.checked), end)
    }
}

impl Call {
    /// Whether a fragment at the same place that could begin a call repeats this one's beginning.
    fn is_repeated_by(&self, fragment: &CallFragment) -> bool {
        match (self.id_hash, fragment.id_hash) {
            (Some(id), Some(other)) if id == other => true,
            (Some(_), Some(_)) => fragment.target == CallTarget::Named && self.arguments.is_open(),
            (Some(_), None) => true,
            (None, _) => !self.arguments.is_complete(),
        }
    }
}

/// How many choices there are, if the last that has begun is the last of all.
fn choices(begun: u64) -> u32 {
    u64::BITS.saturating_sub(begun.leading_zeros())
}

/// The bit of a choice in a set of choices; none if it is not one of the first [`CHOICES_MAX`].
fn bit(choice: u64) -> u64 {
    u32::try_from(choice).ok().and_then(|choice| 1_u64.checked_shl(choice)).unwrap_or(0)
}
