//! What one document looked like, so that the next, in a stream nearly the same, is compared instead of read.
//!
//! While a template is made the scanner reads as always, and leaves here the document's bytes, what it
//! reported, and the *holes*: the places where a value begins that is reported whole or skipped. Where the next
//! document has the same bytes up to a hole, the scanner would report the same and stand there in the same
//! state; so it does, at once. The value in the hole it reads as always, and behind it compares on. Where
//! anything else differs it reads on as always, and the next document becomes the template. So a sink is
//! told the same with a template and without.

use std::ops::Range;

use super::{Likeness, Pass, Position, State};
use crate::json::Value;
use crate::json::runs::common_length;

/// Of a document, this much is kept; behind it the scanner reads as always.
pub(super) const BYTES_MAX: usize = 1024;
/// Holes of a template.
const HOLES_MAX: usize = 32;
/// Values of a template.
const VALUES_MAX: usize = 64;

#[derive(Default)]
pub(super) struct Template {
    phase: Phase,
    bytes: Vec<u8>,
    holes: Vec<Hole>,
    values: Vec<Recorded>,
    /// It holds a document's end.
    is_whole: bool,
    /// Bytes from the document's beginning to the end of the piece being read.
    piece_bytes: usize,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    /// The next document is to become the template.
    #[default]
    Stale,
    /// A document is becoming it.
    Making,
    Ready,
}

/// Where a value begins and ends that may differ.
struct Hole {
    start: usize,
    /// 0 until it is known.
    end: usize,
    /// Values reported before it, and up to its end.
    before: usize,
    after: usize,
    /// What was reported can be reported again: it came in one piece, without an escape.
    is_plain: bool,
    position: Position,
}

/// A value that was reported, and where its bytes are.
struct Recorded {
    place: u16,
    kind: Kind,
    bytes: Range<usize>,
}

enum Kind {
    Open,
    Close,
    Text,
    Short,
    Scalar,
}

impl From<Value<'_>> for Kind {
    fn from(value: Value<'_>) -> Kind {
        match value {
            Value::Open => Kind::Open,
            Value::Close => Kind::Close,
            Value::Text(_) => Kind::Text,
            Value::Short(_) => Kind::Short,
            Value::Scalar(_) => Kind::Scalar,
        }
    }
}

impl Template {
    pub(super) fn is_making(&self) -> bool {
        self.phase == Phase::Making
    }

    pub(super) fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// A document begins with `rest`, and is to become the template.
    pub(super) fn make(&mut self, rest: &[u8]) {
        self.phase = Phase::Making;
        self.is_whole = false;
        self.piece_bytes = rest.len();
        self.bytes.clear();
        self.bytes.extend_from_slice(rest.get(..BYTES_MAX).unwrap_or(rest));
        self.holes.clear();
        self.values.clear();
    }

    /// Where `rest` begins in the document.
    fn offset(&self, rest: &[u8]) -> usize {
        self.piece_bytes.saturating_sub(rest.len())
    }

    /// A value that may differ begins with `rest`.
    pub(super) fn begin_hole(&mut self, position: &Position, rest: &[u8]) {
        let mut position = *position;
        if position.state != State::ValueOrEnd {
            position.state = State::Value; // it may have come here without a stop
        }
        let (start, before) = (self.offset(rest), self.values.len());
        if self.holes.len() == HOLES_MAX || start > self.bytes.len() {
            return self.finish(None);
        }
        self.holes.push(Hole { start, end: 0, before, after: before, is_plain: true, position });
    }

    /// The value in the last hole cannot be reported again.
    pub(super) fn is_no_copy(&mut self) {
        if let Some(hole) = self.holes.last_mut().filter(|hole| hole.end == 0) {
            hole.is_plain = false;
        }
    }

    /// A value has been reported.
    pub(super) fn tell(&mut self, place: u16, value: Value<'_>) {
        if self.values.len() == VALUES_MAX {
            return self.finish(None);
        }
        // All but containers are in the last hole, strings behind their quote.
        let start = self.holes.last().map_or(0, |hole| hole.start);
        let (inside, length) = match value {
            Value::Open | Value::Close => (start, 0),
            Value::Scalar(bytes) => (start, bytes.len()),
            Value::Text(bytes) | Value::Short(bytes) => (start.saturating_add(1), bytes.len()),
        };
        self.values.push(Recorded {
            place,
            kind: value.into(),
            bytes: inside..inside.saturating_add(length),
        });
    }

    /// A value has ended before `after`.
    pub(super) fn end_value(&mut self, depth: usize, after: &[u8]) {
        let (end, values) = (self.offset(after), self.values.len());
        if let Some(hole) = self.holes.last_mut().filter(|hole| hole.end == 0) {
            hole.end = end;
            hole.after = values;
        }
        if depth == 0 {
            self.finish(Some(end));
        }
    }

    /// The document has ended, here, or goes on where it is not kept.
    pub(super) fn finish(&mut self, end: Option<usize>) {
        if let Some(end) = end.filter(|&end| end <= self.bytes.len()) {
            self.bytes.truncate(end);
            self.is_whole = true;
        }
        let kept = self.bytes.len();
        self.holes.retain(|hole| 0 < hole.end && hole.end <= kept);
        self.phase = Phase::Ready;
    }

    fn value(&self, recorded: &Recorded) -> Value<'_> {
        let bytes = self.bytes.get(recorded.bytes.clone()).unwrap_or_default();
        match recorded.kind {
            Kind::Open => Value::Open,
            Kind::Close => Value::Close,
            Kind::Text => Value::Text(bytes),
            Kind::Short => Value::Short(bytes),
            Kind::Scalar => Value::Scalar(bytes),
        }
    }
}

impl Pass<'_> {
    /// A document begins with `document`, and there is a template.
    pub(super) fn compare<'a>(&mut self, document: &'a [u8]) -> &'a [u8] {
        let Likeness::Known(mut template) = std::mem::take(&mut self.scanner.likeness) else {
            return document;
        };
        let rest = self.compare_with(&mut template, document);
        self.scanner.likeness = Likeness::Known(template);
        rest
    }

    fn compare_with<'a>(&mut self, template: &mut Template, document: &'a [u8]) -> &'a [u8] {
        let mut rest = document;
        let (mut at, mut told, mut passed) = (0, 0, 0);
        loop {
            let known = template.bytes.get(at..).unwrap_or_default();
            let same = common_length(known, rest);
            let end = at.saturating_add(same);
            let mut next = None;
            for hole in template.holes.iter().skip(passed).take_while(|hole| hole.start <= end) {
                next = Some(hole);
                passed = passed.saturating_add(1);
                if !hole.is_plain {
                    break;
                }
            }
            let is_last = next.is_none_or(|hole| hole.is_plain) && passed == template.holes.len();
            if template.is_whole && end == template.bytes.len() && is_last {
                self.tell_again(template, told, template.values.len());
                self.scanner.position = Position::default();
                self.sink.document();
                return rest.get(same..).unwrap_or_default();
            }
            let Some(hole) = next else {
                // What follows the last hole may differ in white space, which some servers use to hide lengths.
                if passed < template.holes.len() && same < rest.len() {
                    template.phase = Phase::Stale;
                }
                return rest;
            };
            self.tell_again(template, told, hole.before);
            self.scanner.position = hole.position;
            rest = rest.get(hole.start.saturating_sub(at)..).unwrap_or_default();
            // The value, whatever it is now.
            loop {
                let Some((&byte, after)) = rest.split_first() else { return rest };
                rest = self.step(byte, rest, after);
                let position = &self.scanner.position;
                if position.depth < hole.position.depth {
                    template.phase = Phase::Stale;
                    return rest;
                }
                if position.state == State::AfterValue && position.depth == hole.position.depth {
                    break;
                }
            }
            (at, told) = (hole.end, hole.after);
        }
    }

    /// Reports again what the template has from one value up to another.
    fn tell_again(&mut self, template: &Template, from: usize, to: usize) {
        for recorded in template.values.get(from..to).unwrap_or_default() {
            self.sink.value(recorded.place, template.value(recorded));
        }
    }
}
