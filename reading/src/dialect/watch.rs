//! Hands text and calls of the first answer to the detectors of [defects](crate::defect).
//!
//! A text passes before it is known what it is: the type of its block and the index of its choice may come after it, or the
//! same text at another path. The text is not kept. So the detectors read what is in doubt as text of the answer, and a copy
//! of their state before it is kept, to go back to. What may be reasoning is read a second time as that. When its block and
//! its choice close, the right state stays. In most documents everything is settled in time, or nothing was read
//! before, and there is no copy.

use super::answers::RepeatedText;
use super::meaning::{BlockKind, Meaning};
use crate::defect::{AnswerEnd, Arguments, Asked, DefectSet, Defects, NameFaults};
use alloc::boxed::Box;

/// Watches the first answer of a response.
pub struct Watch {
    asked: Asked,
    /// All that has been read, as what it most probably is.
    now: DetectorState,
    /// The state before the open choice, while it is not known whether that counts.
    before_choice: Option<Before>,
    /// What the open block may be, while its type is not known.
    block: Option<OpenBlockText>,
    /// The rank of the answer's text in the open choice.
    rank: Option<u8>,
    cumulative: CumulativeText,
    /// Items that have begun.
    pub(super) items: u64,
}

/// What a stream keeps for its detectors, in bytes, beside the names of tools and while nothing is in doubt.
const WATCH_BYTES_MAX: usize = 1024;
const _: () = assert!(size_of::<Watch>() <= WATCH_BYTES_MAX);

/// The detectors, and how much they have read.
#[derive(Clone, Copy)]
struct DetectorState {
    defects: Defects,
    read: ReadBytes,
    /// Nothing has come yet.
    is_new: bool,
}

/// What the detectors have read, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ReadBytes {
    pub(super) answer: u64,
    pub(super) reasoning: u64,
    /// A hash of all of it.
    #[cfg(test)]
    pub(super) transcript: u64,
}

impl ReadBytes {
    /// As what `text` has been read since `before`. `None` if anything else was read.
    pub(super) fn since(self, before: ReadBytes, text: &[u8]) -> Option<Channel> {
        let bytes = text.len() as u64;
        match (self.answer.checked_sub(before.answer)?, self.reasoning.checked_sub(before.reasoning)?) {
            (0, 0) => Some(Channel::Nothing),
            (answer, 0) if answer == bytes => Some(Channel::Answer),
            (0, reasoning) if reasoning == bytes => Some(Channel::Reasoning),
            _ => None,
        }
    }
}

/// What the detectors are told beside text.
#[derive(Clone, Copy)]
enum Event {
    EndItem,
    Call(NameFaults),
    Other,
    HiddenReasoning,
}

/// A state to go back to.
enum Before {
    /// Nothing had been read.
    Nothing,
    Something(Box<DetectorState>),
}

impl Before {
    fn change(&mut self, asks_for_json: bool, event: Event) {
        if let Before::Nothing = self {
            *self = Before::Something(Box::new(DetectorState::new(asks_for_json)));
        }
        if let Before::Something(state) = self {
            state.change(event);
        }
    }
}

/// What a block may turn out to be, if it is no text of the answer.
struct OpenBlockText {
    before: Before,
    as_reasoning: Box<DetectorState>,
    /// Some of it is [`Meaning::TypedText`], which is nothing unless the type says so.
    is_typed: bool,
    /// [`Watch::rank`] before the block.
    rank_before: Option<u8>,
}

/// What is known of the place of a text when it passes.
#[derive(Clone, Copy)]
pub(super) struct TextPlace {
    /// The type of its block so far.
    pub(super) kind: BlockKind,
    /// That type is final.
    pub(super) is_kind_settled: bool,
    /// What is around the block is final, and belongs to the first answer.
    pub(super) is_choice_settled: bool,
    /// The lowest rank of which the response has had text before this document.
    pub(super) lowest_rank: Option<u8>,
}

impl TextPlace {
    /// Nothing is known around the text.
    const UNSETTLED: TextPlace = TextPlace {
        kind: BlockKind::Plain,
        is_kind_settled: true,
        is_choice_settled: false,
        lowest_rank: None,
    };
}

/// A text that repeats the answer up to now.
#[derive(Default)]
struct CumulativeText {
    /// Bytes of the one that is being read.
    seen: u64,
    /// Bytes at its beginning that earlier ones had. `None` until enough of it has come to tell.
    known: Option<u64>,
    /// The longest one so far, in bytes.
    longest: u64,
}

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    Answer,
    Reasoning,
    Refusal,
    /// Nothing of the answer.
    Nothing,
}

impl Channel {
    /// What a text with this meaning is in a block of this kind.
    fn of(meaning: Meaning, kind: BlockKind) -> Channel {
        match (meaning, kind) {
            _ if kind.has_no_text() => Channel::Nothing,
            (Meaning::Refusal, _) | (Meaning::TypedText, BlockKind::Refusal) => Channel::Refusal,
            (Meaning::Reasoning, _) | (Meaning::Text(_) | Meaning::TypedText, BlockKind::Reasoning) => {
                Channel::Reasoning
            }
            (Meaning::Text(_) | Meaning::CumulativeText, _) | (Meaning::TypedText, BlockKind::Text) => {
                Channel::Answer
            }
            _ => Channel::Nothing,
        }
    }
}

impl DetectorState {
    fn new(asks_for_json: bool) -> DetectorState {
        DetectorState { defects: Defects::new(asks_for_json), read: ReadBytes::default(), is_new: true }
    }

    fn change(&mut self, event: Event) {
        self.is_new = false;
        match event {
            Event::EndItem => self.defects.end_item(),
            Event::Call(name) => self.defects.call(name),
            Event::Other => self.defects.other(),
            Event::HiddenReasoning => self.defects.hidden_reasoning(),
        }
    }

    #[inline]
    fn read(&mut self, channel: Channel, piece: &[u8]) {
        self.is_new = false;
        let bytes = piece.len() as u64;
        #[cfg(test)]
        for &byte in piece.iter().filter(|_| channel != Channel::Nothing) {
            let next = (self.read.transcript ^ u64::from(byte)).wrapping_add(channel as u64);
            self.read.transcript = next.wrapping_mul(0x0000_0100_0000_01B3);
        }
        match channel {
            Channel::Answer => {
                self.defects.answer(piece);
                self.read.answer = self.read.answer.saturating_add(bytes);
            }
            Channel::Reasoning => {
                self.defects.reasoning(piece);
                self.read.reasoning = self.read.reasoning.saturating_add(bytes);
            }
            Channel::Refusal => self.defects.other(),
            Channel::Nothing => {}
        }
    }
}

impl Watch {
    /// `asked`: what the request asked for; `None` where its body was not seen.
    #[must_use]
    pub fn new(asked: Option<Asked>) -> Watch {
        let asked = asked.unwrap_or_default();
        let now = DetectorState::new(asked.json);
        Watch::of(asked, now)
    }

    fn of(asked: Asked, now: DetectorState) -> Watch {
        let cumulative = CumulativeText::default();
        Watch { asked, now, before_choice: None, block: None, rank: None, cumulative, items: 0 }
    }

    /// One for the same answer, of which nothing has been read yet.
    pub(super) fn candidate(&self) -> Watch {
        let now = DetectorState::new(self.asked.json);
        Watch::of(self.asked.clone(), now)
    }

    /// What has been read. To be asked between two documents, where nothing is in doubt.
    pub(super) fn read_bytes(&self) -> ReadBytes {
        self.now.read
    }

    /// The state now, to go back to.
    fn before(&self) -> Before {
        if self.now.is_new { Before::Nothing } else { Before::Something(Box::new(self.now)) }
    }

    fn go_back(&mut self, before: Before) {
        self.now = match before {
            Before::Nothing => DetectorState::new(self.asked.json),
            Before::Something(state) => *state,
        };
    }

    /// Does something to each state that may be the right one.
    fn each(&mut self, event: Event) {
        let asks_for_json = self.asked.json;
        if let Some(block) = &mut self.block {
            block.before.change(asks_for_json, event);
            block.as_reasoning.change(event);
        }
        if let Some(before) = &mut self.before_choice {
            before.change(asks_for_json, event);
        }
        self.now.change(event);
    }

    /// A piece of text, which is not empty.
    pub(super) fn text(&mut self, meaning: Meaning, place: TextPlace, piece: &[u8]) {
        let channel = Channel::of(meaning, place.kind);
        if place.is_kind_settled && channel == Channel::Nothing {
            return;
        }
        let rank = match meaning {
            Meaning::Text(rank) => Some(rank),
            Meaning::TypedText | Meaning::CumulativeText => Some(0),
            _ => None,
        };
        let rank = rank.filter(|_| !place.is_kind_settled || channel == Channel::Answer);
        let rank_before = self.rank;
        if let Some(rank) = rank {
            let is_outranked = |known: Option<u8>| known.is_some_and(|known| known < rank);
            if is_outranked(self.rank) || is_outranked(place.lowest_rank) {
                return; // it is the same as that of another path
            }
            if self.rank.is_some_and(|known| rank < known)
                && let Some(before) = self.before_choice.take()
            {
                self.block = None;
                self.go_back(before);
            }
            self.rank = Some(rank);
        }
        let is_doubtful = !place.is_choice_settled || rank.is_some_and(|rank| rank > 0);
        if is_doubtful && self.before_choice.is_none() {
            self.before_choice = Some(self.before());
        }
        if !place.is_kind_settled && self.block.is_none() {
            let (before, as_reasoning) = (self.before(), Box::new(self.now));
            self.block = Some(OpenBlockText { before, as_reasoning, is_typed: false, rank_before });
        }
        let Some(block) = &mut self.block else { return self.now.read(channel, piece) };
        let is_typed = meaning == Meaning::TypedText;
        block.is_typed |= is_typed;
        let as_text = if is_typed { BlockKind::Text } else { BlockKind::Plain };
        block.as_reasoning.read(Channel::of(meaning, BlockKind::Reasoning), piece);
        self.now.read(Channel::of(meaning, as_text), piece);
    }

    /// A piece of `text`, which has that piece already. `is_new`: by its beginning, the text repeats nothing.
    pub(super) fn text_up_to_now(&mut self, text: &RepeatedText, is_new: bool, piece: &[u8]) {
        let at = self.cumulative.seen;
        self.cumulative.seen = at.saturating_add(piece.len() as u64);
        if self.cumulative.known.is_some() {
            self.unknown_part(at, piece);
        } else if text.is_start_whole() {
            let start = text.start();
            self.begin_text_up_to_now(start, is_new);
            let in_start = usize::try_from((start.len() as u64).saturating_sub(at)).unwrap_or(usize::MAX);
            let rest = piece.get(in_start..).unwrap_or_default();
            self.unknown_part(start.len() as u64, rest);
        }
    }

    /// Enough of the text has come: it begins with `start`.
    pub(super) fn begin_text_up_to_now(&mut self, start: &[u8], is_new: bool) {
        if self.cumulative.known.is_none() {
            self.cumulative.known = Some(if is_new { 0 } else { self.cumulative.longest });
            self.unknown_part(0, start);
        }
    }

    /// A piece at this place in the text, of which the first bytes may be known.
    fn unknown_part(&mut self, at: u64, piece: &[u8]) {
        let known = self.cumulative.known.unwrap_or(0).saturating_sub(at);
        let unknown = piece.get(usize::try_from(known).unwrap_or(usize::MAX)..).unwrap_or_default();
        if !unknown.is_empty() {
            self.text(Meaning::CumulativeText, TextPlace::UNSETTLED, unknown);
        }
    }

    /// The text that was read last is complete, and another item begins.
    pub(super) fn begin_item(&mut self) {
        self.items = self.items.saturating_add(1);
        self.each(Event::EndItem);
    }

    /// The open block is of this kind.
    pub(super) fn close_block(&mut self, kind: BlockKind) {
        let Some(block) = self.block.take() else { return };
        let channel = Channel::of(if block.is_typed { Meaning::TypedText } else { Meaning::Text(0) }, kind);
        if channel != Channel::Answer {
            self.rank = block.rank_before;
        }
        match channel {
            Channel::Answer => {}
            Channel::Reasoning => self.now = *block.as_reasoning,
            Channel::Refusal => {
                self.go_back(block.before);
                self.now.change(Event::Other);
            }
            Channel::Nothing => self.go_back(block.before),
        }
    }

    /// The open block was cut off. Its text does not count if it was in doubt.
    pub(super) fn drop_block(&mut self) {
        self.close_block(BlockKind::Ignored);
    }

    /// The open choice is of this kind: some have no text, or repeat it.
    pub(super) fn close_choice_kind(&mut self, kind: BlockKind) {
        let is_repeated = matches!(kind, BlockKind::Repeated | BlockKind::Done)
            && self.rank.is_none()
            && matches!(&self.before_choice, Some(Before::Something(state)) if state.read != ReadBytes::default());
        if kind.has_no_text() || is_repeated {
            self.rank = None;
            if let Some(before) = self.before_choice.take() {
                self.go_back(before);
            }
        }
    }

    /// The open choice ends. `counted_rank`: the rank of the text that counts. `None` if it is of another answer.
    pub(super) fn close_choice(&mut self, is_first: bool, counted_rank: Option<u8>) {
        self.block = None;
        let rank = self.rank.take();
        let counts = is_first && (rank.is_none() || rank == counted_rank);
        match self.before_choice.take() {
            Some(before) if !counts => self.go_back(before),
            Some(_) => self.cumulative.longest = self.cumulative.longest.max(self.cumulative.seen),
            None => {}
        }
        (self.cumulative.seen, self.cumulative.known) = (0, None);
    }

    /// What is wrong with the name of a tool.
    pub(super) fn name_faults(&self, name: &[u8]) -> NameFaults {
        self.asked.name_faults(name)
    }

    /// A call of the first answer has begun.
    pub(super) fn call(&mut self, name: NameFaults) {
        self.each(Event::Call(name));
    }

    /// The answer has something that is neither text nor reasoning nor a call.
    pub(super) fn other(&mut self) {
        self.each(Event::Other);
    }

    /// The answer has reasoning whose text does not come.
    pub(super) fn hidden_reasoning(&mut self) {
        self.each(Event::HiddenReasoning);
    }

    /// A text like that of the last document, in another event.
    #[inline]
    pub(super) fn repeat(&mut self, channel: Channel, piece: &[u8]) {
        self.now.read(channel, piece);
    }

    /// The defects of the answer, which made calls with these arguments.
    pub(super) fn finish<'a>(
        &mut self,
        arguments: impl Iterator<Item = &'a Arguments>,
        end: AnswerEnd,
    ) -> DefectSet {
        arguments.for_each(|arguments| self.now.defects.end_call(arguments));
        self.now.defects.finish(end)
    }
}
