//! Server-sent events → facts: those that are nearly one of the last are compared with it, all others read.
//!
//! Most events of a stream are, byte for byte, one before but for their text and a few values that nobody wants. So
//! one that did nothing but bring a piece of text becomes a [`Stencil`], and what is like it is counted without
//! being framed, scanned or folded. It is a short cut only: what is seen is the same without.

mod sample;
#[cfg(test)]
mod tests;

use super::body::Facts;
use super::reader::Reader;
use crate::dialect::{Checkpoint, Delta, Seen, Text};
use crate::framing::sse::Framer;
use crate::stencil::{BYTES_MAX, Comparison, Like, Stencil};
use alloc::vec::Vec;

/// An event that is cut again is kept on only for a piece of at least so many bytes: then each
/// of its bytes costs a bounded number of comparisons, however small the pieces.
const PIECE_BYTES_MIN: usize = 64;
/// More than the last event, so much is first looked at of one whose beginning was kept.
const MORE_BYTES: usize = 32;
/// So many deltas are tried in a row; from then on ever fewer,
const TRIES: u32 = 4;
/// down to one in so many.
const REST_MAX: u32 = 32;
/// Kinds of events that are compared: answers take turns with reasoning, or with calls.
const LEARNED_MAX: usize = 2;

/// The events of one stream.
#[derive(Default)]
pub(super) struct Events {
    framer: Framer,
    reader: Reader,
    /// At most [`LEARNED_MAX`], the latest first.
    learned: Vec<Learned>,
    /// Deltas tried since one was like another.
    tries: u32,
    /// Events until the next is tried.
    rest: u32,
    /// The beginning of an event, at most [`BYTES_MAX`], which is like a learned one so far.
    kept: Vec<u8>,
    #[cfg(test)]
    reads_all: bool,
    #[cfg(test)]
    skimmed: u64,
}

/// An event to compare others with.
struct Learned {
    stencil: Stencil,
    delta: Delta,
    /// Where the sample's document ends: behind it an event has said everything.
    document_end: usize,
    /// What had been seen when it came.
    before: Checkpoint,
    /// Nothing has been read since that was compared.
    is_current: bool,
}

impl Learned {
    /// Compares what begins here, and lets differ what may. Cut is only what is worth keeping.
    #[inline(always)]
    fn compare<'a>(&mut self, bytes: &'a [u8]) -> Comparison<'a> {
        loop {
            match self.stencil.compare(bytes) {
                Comparison::Different(at) if self.stencil.widen(at) => {}
                Comparison::Cut(at) if !(1..self.document_end).contains(&at) => {
                    return Comparison::Different(at);
                }
                like_or_not @ (Comparison::Like(_) | Comparison::Cut(_) | Comparison::Different(_)) => {
                    return like_or_not;
                }
            }
        }
    }
}

impl Text for Like<'_> {
    fn pieces(&self, take: impl FnMut(&[u8])) {
        self.pieces(take);
    }
}

/// What was found at the beginning of some bytes.
enum Next {
    /// An event that is counted; so many bytes are left.
    Counted(usize),
    /// The beginning of one.
    Cut,
    /// Anything else.
    Other,
}

impl Events {
    pub(super) fn want_opening(&mut self) {
        self.reader.want_opening();
    }

    pub(super) fn seen(&self) -> &Seen {
        self.reader.seen()
    }

    /// Reads on.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let mut rest = if self.kept.is_empty() { bytes } else { self.resume(bytes) };
        while !rest.is_empty() {
            if !self.learned.is_empty() && self.framer.is_between() {
                rest = self.skim(rest);
            }
            if !rest.is_empty() {
                rest = self.read(rest);
            }
        }
    }

    pub(super) fn finish(mut self) -> Facts {
        self.read_kept();
        self.reader.finish_events(self.framer.is_inside())
    }

    /// Counts events as long as they are like one that was learned; returns what is left, nothing if that is kept.
    fn skim<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut rest = bytes;
        loop {
            match self.next(rest) {
                Next::Counted(left) => rest = rest.get(rest.len().saturating_sub(left)..).unwrap_or_default(),
                Next::Cut if rest.len() < BYTES_MAX => {
                    self.kept.extend_from_slice(rest);
                    return &[];
                }
                Next::Cut | Next::Other => return rest,
            }
        }
    }

    /// Compares what begins here, and counts it if it is like an event before.
    #[inline]
    fn next(&mut self, bytes: &[u8]) -> Next {
        let mut next = Next::Other;
        for place in 0..self.learned.len() {
            match self.learned.get_mut(place).map(|learned| learned.compare(bytes)) {
                Some(Comparison::Like(like)) => {
                    if place > 0 {
                        self.learned.swap(0, place);
                    }
                    return self.count(&like, bytes);
                }
                Some(Comparison::Cut(_)) => next = Next::Cut,
                Some(Comparison::Different(_)) | None => {}
            }
        }
        next
    }

    /// Counts an event that is like the first learned. `bytes` begin with it.
    #[inline]
    fn count(&mut self, like: &Like<'_>, bytes: &[u8]) -> Next {
        let Some(learned) = self.learned.first_mut() else { return Next::Other };
        let seen = &mut self.reader.fold.seen;
        if !learned.is_current && !seen.is_like(&learned.before) {
            return self.relearn(like, bytes);
        }
        learned.is_current = true;
        if !seen.repeat(learned.delta, like, like.chars) {
            return Next::Other;
        }
        self.reader.events = self.reader.events.saturating_add(1);
        self.tries = self.tries.saturating_sub(1);
        #[cfg(test)]
        {
            self.skimmed += 1;
        }
        Next::Counted(like.rest.len())
    }

    /// Reads what is like an event before but comes after other things, to see what it does now.
    fn relearn(&mut self, like: &Like<'_>, bytes: &[u8]) -> Next {
        let before = self.reader.seen().checkpoint();
        let rest = self.read_event(bytes);
        if let (Some(text), Some(learned)) = (like.plain_text(), self.learned.first_mut()) {
            match self.reader.seen().delta_since(&before, text, like.chars) {
                Some(delta) => (learned.delta, learned.before, learned.is_current) = (delta, before, true),
                None => drop(self.learned.remove(0)),
            }
        }
        Next::Counted(rest.len())
    }

    /// Goes on with an event whose beginning was kept; returns what is left.
    fn resume<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut event = core::mem::take(&mut self.kept);
        let old = event.len();
        let likely = self.learned.iter().map(|learned| learned.stencil.length()).max().unwrap_or(0);
        for length in [likely.saturating_add(MORE_BYTES), BYTES_MAX] {
            let from = event.len().saturating_sub(old);
            let room = length.saturating_sub(event.len());
            let more = bytes.get(from..).unwrap_or_default();
            event.extend_from_slice(more.get(..room).unwrap_or(more));
            let taken = event.len().saturating_sub(old);
            match self.next(&event) {
                Next::Counted(left) => {
                    event.clear();
                    self.kept = event;
                    return bytes.get(taken.saturating_sub(left)..).unwrap_or_default();
                }
                Next::Cut if taken < bytes.len() => {}
                Next::Cut if taken >= PIECE_BYTES_MIN && event.len() < BYTES_MAX => {
                    self.kept = event;
                    return &[];
                }
                Next::Cut | Next::Other => break,
            }
        }
        event.truncate(old);
        self.kept = event;
        self.read_kept();
        bytes
    }

    fn read_kept(&mut self) {
        let mut kept = core::mem::take(&mut self.kept);
        let mut rest = kept.as_slice();
        while !rest.is_empty() {
            rest = self.read(rest);
        }
        kept.clear();
        self.kept = kept;
    }

    /// Reads up to the next event, and learns from it; returns what is left.
    fn read<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let before = self.try_next(bytes).then(|| self.reader.seen().checkpoint());
        let rest = self.read_event(bytes);
        if let Some(before) = before.filter(|_| self.framer.is_between()) {
            self.learn(bytes.get(..bytes.len().saturating_sub(rest.len())).unwrap_or_default(), before);
        }
        rest
    }

    /// Reads up to the next event; returns what is left.
    fn read_event<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        self.learned.iter_mut().for_each(|learned| learned.is_current = false);
        self.framer.push_event(bytes, &mut self.reader)
    }

    /// Whether the event that begins here, if one does, is to be learned.
    fn try_next(&mut self, bytes: &[u8]) -> bool {
        #[cfg(test)]
        if self.reads_all {
            return false;
        }
        let is_event =
            self.framer.is_between() && (bytes.starts_with(b"data:") || bytes.starts_with(b"event:"));
        if !is_event || self.reader.dialect().is_none() {
            return false;
        }
        let is_due = self.rest == 0;
        self.rest = self.rest.saturating_sub(1);
        is_due
    }

    /// Keeps an event that was read to compare others with, if it only brought text.
    fn learn(&mut self, event: &[u8], before: Checkpoint) {
        if event.len() > BYTES_MAX || !self.reader.seen().is_delta_since(&before) {
            return; // most are found out here
        }
        self.tries = self.tries.saturating_add(1);
        self.rest = self.tries.saturating_sub(TRIES).min(REST_MAX);
        if let Some(learned) = self.learned_from(event, before) {
            self.learned.truncate(LEARNED_MAX.saturating_sub(1));
            self.learned.reserve_exact(1); // most streams have one kind, and there are thousands at once
            self.learned.insert(0, learned);
        }
    }

    fn learned_from(&self, event: &[u8], before: Checkpoint) -> Option<Learned> {
        let sample = sample::take(event, &self.reader.dialect()?.table)?;
        let text = event.get(sample.text.clone())?;
        let delta = self.reader.seen().delta_since(&before, text, sample.chars)?;
        let stencil = Stencil::new(event, sample.text, sample.free)?;
        Some(Learned { stencil, delta, document_end: sample.document_end, before, is_current: true })
    }
}
