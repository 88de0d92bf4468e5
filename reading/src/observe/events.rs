//! Server-sent events in any pieces in, a [`BodySummary`] out.
//!
//! Most events of a stream are equal to an earlier one, except for their text and a few unused values.
//! So an event that only added text becomes an [`EventTemplate`], and events that match it are counted without
//! being framed, scanned and folded. This only saves time: the facts are the same as if each event was parsed (a
//! test compares both).

mod event_sample;
#[cfg(test)]
mod tests;

use super::documents::DocumentReader;
use super::summary::BodySummary;
use crate::dialect::{Checkpoint, Delta, EscapedText, ResponseFacts, Watch};
use crate::event_template::{Comparison, EventTemplate, TEMPLATE_BYTES_MAX, TemplateMatch};
use crate::framing::sse::Framer;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// If an event is still incomplete after a further piece, it is kept on only if that piece has at least this many
/// bytes. Otherwise it is parsed. So each byte is compared a bounded number of times, however small the pieces are.
const PIECE_BYTES_MIN: usize = 64;
/// When a kept event continues, it is first compared up to the length of the longest template and this many bytes
/// more. A matching event is rarely longer.
const EXTRA_BYTES: usize = 32;
/// After this many templates that no event matched, events are skipped before the next template is made.
const VAIN_TEMPLATES_MAX: u32 = 4;
/// The most events that are skipped so. Their number grows by one with each such template.
const SKIPPED_EVENTS_MAX: u32 = 32;
/// Templates that are kept at a time. There are two, because text may alternate with reasoning or with tool calls.
const TEMPLATES_MAX: usize = 2;

/// Reads the events of one stream.
#[derive(Default)]
pub(super) struct Events {
    framer: Framer,
    documents: DocumentReader,
    /// At most [`TEMPLATES_MAX`], the latest first.
    templates: Vec<KnownEvent>,
    /// Templates made, minus events that matched one. Saturates.
    vain_templates: u32,
    /// Events to skip until one may become a template.
    events_to_skip: u32,
    /// The beginning of an event that matches a template so far. At most [`TEMPLATE_BYTES_MAX`].
    pending: Vec<u8>,
    #[cfg(test)]
    parses_all: bool,
    #[cfg(test)]
    matched_events: u64,
}

/// A template, and what its events do.
struct KnownEvent {
    template: EventTemplate,
    delta: Delta,
    /// Where the JSON document ends in the template's event.
    document_end: usize,
    /// The facts before the event that `delta` was taken from.
    before: Checkpoint,
    /// No other event has been parsed since, so `before` still holds but for the counts.
    is_current: bool,
}

impl KnownEvent {
    /// Compares the beginning of `bytes`, and makes wildcards of values that differ. An incomplete event is
    /// reported as such only if its first byte matches and its document is incomplete; no other is worth keeping.
    #[inline(always)]
    fn compare<'a>(&mut self, bytes: &'a [u8]) -> Comparison<'a> {
        loop {
            match self.template.compare(bytes) {
                Comparison::Mismatch(at) if self.template.relax(at) => {}
                Comparison::Incomplete(at) if !(1..self.document_end).contains(&at) => {
                    return Comparison::Mismatch(at);
                }
                comparison @ (Comparison::Match(_) | Comparison::Incomplete(_) | Comparison::Mismatch(_)) => {
                    return comparison;
                }
            }
        }
    }
}

impl EscapedText for TemplateMatch<'_> {
    fn pieces(&self, take: impl FnMut(&[u8])) {
        self.pieces(take);
    }
}

/// What is at the beginning of some bytes.
enum Next {
    /// An event, which has been counted. This many bytes are left after it.
    Counted(usize),
    /// The beginning of an event that matches a template so far.
    Incomplete,
    /// Anything else.
    Other,
}

impl Events {
    /// Keeps the first characters of the answer.
    pub(super) fn keep_answer_prefix(&mut self) {
        self.documents.keep_answer_prefix();
    }

    /// Looks for defects of the first answer.
    pub(super) fn watch(&mut self, watch: Box<Watch>) {
        self.documents.watch(watch);
    }

    pub(super) fn facts(&self) -> &ResponseFacts {
        self.documents.facts()
    }

    /// Reads the next piece.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let mut rest = if self.pending.is_empty() { bytes } else { self.resume(bytes) };
        while !rest.is_empty() {
            if !self.templates.is_empty() && self.framer.is_between() {
                rest = self.match_events(rest);
            }
            if !rest.is_empty() {
                rest = self.parse(rest);
            }
        }
    }

    /// The stream has ended.
    pub(super) fn finish(&mut self) -> BodySummary {
        self.parse_pending();
        self.documents.finish_events(self.framer.is_inside())
    }

    /// Counts events as long as they match a template. Returns the bytes after them, or none if these are kept.
    #[expect(clippy::arithmetic_side_effects, reason = "`left` is the length of an end of `rest`")]
    fn match_events<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut rest = bytes;
        loop {
            match self.next(rest) {
                Next::Counted(left) => rest = rest.get(rest.len() - left..).unwrap_or_default(),
                Next::Incomplete if rest.len() < TEMPLATE_BYTES_MAX => {
                    self.pending.extend_from_slice(rest);
                    return &[];
                }
                Next::Incomplete | Next::Other => return rest,
            }
        }
    }

    /// Compares the beginning of `bytes` with the templates, and counts the event if it matches one.
    #[inline]
    fn next(&mut self, bytes: &[u8]) -> Next {
        let mut next = Next::Other;
        for index in 0..self.templates.len() {
            match self.templates.get_mut(index).map(|known| known.compare(bytes)) {
                Some(Comparison::Match(found)) => {
                    if index > 0 {
                        self.templates.swap(0, index);
                    }
                    return self.count(&found, bytes);
                }
                Some(Comparison::Incomplete(_)) => next = Next::Incomplete,
                Some(Comparison::Mismatch(_)) | None => {}
            }
        }
        next
    }

    /// Counts the event at the beginning of `bytes`, which matches the first template.
    #[inline]
    #[expect(clippy::arithmetic_side_effects, reason = "a count of events of the stream")]
    fn count(&mut self, found: &TemplateMatch<'_>, bytes: &[u8]) -> Next {
        let Some(known) = self.templates.first_mut() else { return Next::Other };
        let facts = &mut self.documents.fold.facts;
        if !known.is_current && !facts.is_stable_since(&known.before) {
            return self.parse_match(found, bytes);
        }
        known.is_current = true;
        if !facts.repeat(known.delta, found, found.chars) {
            return Next::Other;
        }
        self.documents.events += 1;
        self.vain_templates = self.vain_templates.saturating_sub(1);
        #[cfg(test)]
        {
            self.matched_events += 1;
        }
        Next::Counted(found.rest.len())
    }

    /// Parses an event that matches the first template, because the facts have changed since: what it does may have
    /// changed too.
    fn parse_match(&mut self, found: &TemplateMatch<'_>, bytes: &[u8]) -> Next {
        let before = self.documents.facts().checkpoint();
        let rest = self.parse_event(bytes);
        if let (Some(text), Some(known)) = (found.plain_text(), self.templates.first_mut()) {
            match self.documents.facts().delta_since(&before, text, found.chars) {
                Some(delta) => (known.delta, known.before, known.is_current) = (delta, before, true),
                None => drop(self.templates.remove(0)),
            }
        }
        Next::Counted(rest.len())
    }

    /// Continues with an event whose beginning was kept. Returns the bytes after it.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "`old` is at most the length of `event`, and no event ends in what was kept, which was incomplete"
    )]
    fn resume<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut event = core::mem::take(&mut self.pending);
        let old = event.len();
        let longest = self.templates.iter().map(|known| known.template.length()).max().unwrap_or(0);
        for length in [longest + EXTRA_BYTES, TEMPLATE_BYTES_MAX] {
            let from = event.len() - old;
            let room = length.saturating_sub(event.len()); // the kept beginning may be longer than a template
            let more = bytes.get(from..).unwrap_or_default();
            event.extend_from_slice(more.get(..room).unwrap_or(more));
            let taken = event.len() - old;
            match self.next(&event) {
                Next::Counted(left) => {
                    event.clear();
                    self.pending = event;
                    return bytes.get(taken - left..).unwrap_or_default();
                }
                Next::Incomplete if taken < bytes.len() => {}
                Next::Incomplete if taken >= PIECE_BYTES_MIN && event.len() < TEMPLATE_BYTES_MAX => {
                    self.pending = event;
                    return &[];
                }
                Next::Incomplete | Next::Other => break,
            }
        }
        event.truncate(old);
        self.pending = event;
        self.parse_pending();
        bytes
    }

    fn parse_pending(&mut self) {
        let mut pending = core::mem::take(&mut self.pending);
        let mut rest = pending.as_slice();
        while !rest.is_empty() {
            rest = self.parse(rest);
        }
        pending.clear();
        self.pending = pending;
    }

    /// Parses up to the end of the current event, and may make a template of it. Returns the bytes after it.
    #[expect(clippy::arithmetic_side_effects, reason = "`rest` is an end of `bytes`")]
    fn parse<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let before = self.may_become_template(bytes).then(|| self.documents.facts().checkpoint());
        let rest = self.parse_event(bytes);
        if let Some(before) = before.filter(|_| self.framer.is_between()) {
            self.learn(bytes.get(..bytes.len() - rest.len()).unwrap_or_default(), before);
        }
        rest
    }

    /// Parses up to the end of the current event. Returns the bytes after it.
    fn parse_event<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        self.templates.iter_mut().for_each(|known| known.is_current = false);
        self.framer.push_event(bytes, &mut self.documents)
    }

    /// Whether an event begins here that may become a template.
    fn may_become_template(&mut self, bytes: &[u8]) -> bool {
        #[cfg(test)]
        if self.parses_all {
            return false;
        }
        let is_event =
            self.framer.is_between() && (bytes.starts_with(b"data:") || bytes.starts_with(b"event:"));
        if !is_event || self.documents.dialect().is_none() {
            return false;
        }
        let is_due = self.events_to_skip == 0;
        self.events_to_skip = self.events_to_skip.saturating_sub(1);
        is_due
    }

    /// Makes a template of an event that was parsed, if it only added text.
    fn learn(&mut self, event: &[u8], before: Checkpoint) {
        if event.len() > TEMPLATE_BYTES_MAX || !self.documents.facts().is_delta_since(&before) {
            return; // this rules most other events out at little cost
        }
        self.vain_templates = self.vain_templates.saturating_add(1);
        self.events_to_skip = self.vain_templates.saturating_sub(VAIN_TEMPLATES_MAX).min(SKIPPED_EVENTS_MAX);
        if let Some(known) = self.known_event(event, before) {
            self.templates.truncate(TEMPLATES_MAX - 1);
            self.templates.reserve_exact(1); // most of the thousands of streams need only one
            self.templates.insert(0, known);
        }
    }

    fn known_event(&self, event: &[u8], before: Checkpoint) -> Option<KnownEvent> {
        let sample = event_sample::locate(event, &self.documents.dialect()?.table)?;
        let text = event.get(sample.text.clone())?;
        let delta = self.documents.facts().delta_since(&before, text, sample.chars)?;
        let template = EventTemplate::new(event, sample.text, sample.candidates)?;
        Some(KnownEvent { template, delta, document_end: sample.document_end, before, is_current: true })
    }
}
