//! Server-sent events → facts: those that are nearly the last one are compared with it, all others read.
//!
//! Most events of a stream are, byte for byte, the last one but for their text and a few values that nobody wants. So
//! one that did nothing but bring a piece of text becomes a [`Stencil`], and what is like it is counted without
//! being framed, scanned or folded. It is a short cut only: what is seen is the same without.

mod sample;
#[cfg(test)]
mod tests;

use super::body::Facts;
use super::reader::Reader;
use crate::dialect::{Delta, Seen, Text};
use crate::framing::sse::Framer;
use crate::stencil::{BYTES_MAX, Comparison, Like, Stencil};
use alloc::vec::Vec;

/// An event that is cut again is kept on only for a piece of at least so many bytes: then each
/// of its bytes costs a bounded number of comparisons, however small the pieces.
const PIECE_BYTES_MIN: usize = 64;
/// More than the last event, so much is first looked at of one whose beginning was kept.
const MORE_BYTES: usize = 32;
/// So many events are tried in a row; from then on ever fewer,
const TRIES: u32 = 4;
/// down to one in so many.
const REST_MAX: u32 = 32;

/// The events of one stream.
#[derive(Default)]
pub(super) struct Events {
    framer: Framer,
    reader: Reader,
    learned: Option<Learned>,
    /// Events tried since one was like another.
    tries: u32,
    /// Events until the next is tried.
    rest: u32,
    /// The beginning of an event, at most [`BYTES_MAX`], which is like `learned` so far.
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
    /// What was seen when it came.
    seen: Seen,
    /// Nothing but its like has come since that was compared.
    is_current: bool,
}

impl Text for Like<'_> {
    fn plain(&self) -> Option<&[u8]> {
        self.plain_text()
    }

    fn bytes(&self) -> impl Iterator<Item = u8> {
        self.text()
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
            if self.learned.is_some() && self.framer.is_between() {
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

    /// Counts events as long as they are like the last one; returns what is left, nothing if that is kept.
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

    /// Compares what begins here, and counts it if it is like the last event.
    #[inline]
    fn next(&mut self, bytes: &[u8]) -> Next {
        let Some(learned) = &mut self.learned else { return Next::Other };
        let like = loop {
            match learned.stencil.compare(bytes) {
                Comparison::Like(like) => break like,
                Comparison::Cut(at) if (1..learned.document_end).contains(&at) => return Next::Cut,
                Comparison::Different(at) if learned.stencil.widen(at) => {}
                Comparison::Cut(_) | Comparison::Different(_) => return Next::Other,
            }
        };
        let seen = &mut self.reader.fold.seen;
        if !learned.is_current && !seen.is_like(&learned.seen) {
            self.learned = None;
            return Next::Other;
        }
        learned.is_current = true;
        if !seen.repeat(learned.delta, &like, like.chars) {
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

    /// Goes on with an event whose beginning was kept; returns what is left.
    fn resume<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut event = core::mem::take(&mut self.kept);
        let old = event.len();
        let likely = self.learned.as_ref().map_or(0, |learned| learned.stencil.length());
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

    /// Reads up to the next event; returns what is left.
    fn read<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let before = self.try_next(bytes).then(|| self.reader.seen().clone());
        let rest = self.framer.push_event(bytes, &mut self.reader);
        if let Some(learned) = &mut self.learned {
            learned.is_current = false;
        }
        if let Some(before) = before {
            self.tries = self.tries.saturating_add(1);
            self.rest = self.tries.saturating_sub(TRIES).min(REST_MAX);
            if self.framer.is_between() {
                let event = bytes.get(..bytes.len().saturating_sub(rest.len())).unwrap_or_default();
                self.learned = self.learn(event, before).or(self.learned.take());
            }
        }
        rest
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

    fn learn(&self, event: &[u8], before: Seen) -> Option<Learned> {
        let is_delta = self.reader.seen().deltas.checked_sub(before.deltas) == Some(1);
        if event.len() > BYTES_MAX || !is_delta || !self.reader.seen().is_like(&before) {
            return None; // most are found out here
        }
        let sample = sample::take(event, &self.reader.dialect()?.table)?;
        let text = event.get(sample.text.clone())?;
        let delta = self.reader.seen().delta_since(&before, text, sample.chars)?;
        let stencil = Stencil::new(event, sample.text, sample.free)?;
        Some(Learned { stencil, delta, document_end: sample.document_end, seen: before, is_current: true })
    }
}
