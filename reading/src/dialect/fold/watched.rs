//! What the fold hands to the detectors of defects, and what it knows of its place.

use super::super::meaning::{BlockKind, HAS_BLOCK_FLAGS, HAS_CHOICE_INDEX, HAS_TYPES, Meaning};
use super::super::watch::TextPlace;
use super::Fold;

impl Fold {
    /// The type of the innermost open block has come.
    pub(super) fn set_kind(&mut self, kind: BlockKind) {
        let block = self.open_block();
        (block.kind, block.is_typed) = (kind, true);
    }

    pub(super) fn other_content(&mut self) {
        if let Some(watch) = &mut self.facts.watch {
            watch.other();
        }
    }

    pub(super) fn hidden_reasoning(&mut self) {
        if let Some(watch) = &mut self.facts.watch {
            watch.hidden_reasoning();
        }
    }

    /// The name of the tool that the open call calls.
    pub(super) fn tool_name(&mut self, name: &[u8]) {
        if let Some(faults) = self.facts.watch.as_ref().map(|watch| watch.name_faults(name)) {
            self.open_call().name = faults;
        }
    }

    /// A piece of text that is not empty. Not inlined, because most responses are read without detectors, or by event
    /// templates.
    #[inline(never)]
    pub(super) fn watch_text(&mut self, meaning: Meaning, piece: &[u8]) {
        if self.is_later_answer {
            return;
        }
        if meaning == Meaning::CumulativeText {
            return self.watch_cumulative_text(piece);
        }
        let Some(place) = self.text_place() else { return };
        if meaning == Meaning::TypedText && (place.kind == BlockKind::Arguments || !place.is_kind_settled) {
            self.check_arguments(piece);
        }
        if let Some(watch) = &mut self.facts.watch {
            watch.text(meaning, place, piece);
        }
    }

    fn watch_cumulative_text(&mut self, piece: &[u8]) {
        let is_later = self.facts.answers.as_ref().is_some_and(|answers| answers.first_choice > 0);
        let block = if self.is_block_open { &self.block } else { &self.document.block };
        if let (Some(watch), Some(text)) = (&mut self.facts.watch, &block.repeated_text)
            && !is_later
        {
            let is_new = self.facts.answers.as_ref().is_some_and(|answers| answers.begins_anew(0, text));
            watch.text_up_to_now(text, is_new, piece);
        }
    }

    /// A piece of the arguments of the open call, or of a text that may be such.
    pub(super) fn check_arguments(&mut self, piece: &[u8]) {
        if self.facts.watch.is_none() {
            return;
        }
        let choice = if self.is_choice_open { self.choice.index.unwrap_or(self.choice_position) } else { 0 };
        let call = self.open_call();
        if !call.check.has_text() {
            let index = call.index;
            if let Some((at, arguments)) = self.facts.probable_call(choice, index) {
                self.open_call().check.expect(at, arguments);
            }
        }
        self.open_call().check.push(piece);
    }

    /// What is known of the place of a text that passes now. `None` if it is of another answer than the first, or none of
    /// the answer.
    fn text_place(&self) -> Option<TextPlace> {
        let has = |mark: u8| self.marks & mark != 0;
        let is_inner = self.is_block_open || self.is_choice_open;
        let block = match (self.is_block_open, self.is_choice_open) {
            (true, _) => &self.block,
            (false, true) => &self.choice.block,
            (false, false) => &self.document.block,
        };
        let has_kind = has(HAS_TYPES) || self.is_block_open && has(HAS_BLOCK_FLAGS);
        let (index, position) = if self.is_choice_open {
            (self.choice.index, self.choice_position)
        } else {
            (self.document.index, 0)
        };
        let choice = index.or((!has(HAS_CHOICE_INDEX)).then_some(position));
        let first_choice = self.facts.answers.as_ref().map_or(0, |answers| answers.first_choice);
        if first_choice > 0 || choice.is_some_and(|choice| choice > 0) {
            return None;
        }
        let outer = &self.document.block;
        if is_inner && outer.kind.has_no_text() {
            return None;
        }
        let is_repeated = matches!(outer.kind, BlockKind::Repeated | BlockKind::Done);
        let is_outer_settled = !(is_inner && has(HAS_TYPES)) || outer.is_typed && !is_repeated;
        Some(TextPlace {
            kind: block.kind,
            is_kind_settled: !has_kind || block.is_typed,
            is_choice_settled: choice.is_some() && is_outer_settled,
            lowest_rank: self.facts.lowest_rank(),
        })
    }
}
