//! What the body of a request shows: whether it opens its conversation, which tools it offers, and whether it asks for
//! JSON. In: the body, in chunks of any size.
//!
//! All of this is found in one scan. `turn.rs` and `asked.rs` have the paths, a table each, and say what a value there
//! means. No value is kept; of names only hashes are.

mod asked;
mod turn;

use crate::defect::Asked;
use crate::json::{self, LazyTable, Scanner, Sink, Table, Value};
use asked::{AskedFacts, AskedField};
use turn::{TurnFacts, TurnField};

/// A body is read up to this length. Longer bodies contain images or files; what they show is not known.
pub const BODY_BYTES_READ_MAX: u64 = 8 * 1024 * 1024;

/// What a body shows; `None` where it does not: it is not whole, too long, not JSON, or was not read for that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestFacts {
    /// Whether the request opens its conversation.
    pub is_first_turn: Option<bool>,
    /// Whether it offers at least one tool, of any kind.
    pub offers_tools: Option<bool>,
    /// Whether it asks for an answer in JSON.
    pub asks_for_json: Option<bool>,
}

impl RequestFacts {
    /// What the detectors of defects have to know, where the names of the tools are not known any more.
    #[must_use]
    pub fn asked_without_names(self) -> Option<Asked> {
        self.asks_for_json.map(|json| Asked { json, ..Asked::default() })
    }
}

/// Reads the body of one request.
pub struct RequestReader {
    scanner: Scanner,
    /// Whether it also reads what the request asks for. If not, it stops as soon as the turn is known.
    reads_asked: bool,
    seen: Seen,
    read_bytes: u64,
    /// `None` until the body's first byte.
    is_object: Option<bool>,
}

impl RequestReader {
    /// `reads_asked`: it also reads what the request asks for, which may stand at the body's end.
    #[must_use]
    pub fn new(reads_asked: bool) -> RequestReader {
        RequestReader {
            scanner: Scanner::default(),
            reads_asked,
            seen: Seen::default(),
            read_bytes: 0,
            is_object: None,
        }
    }

    /// Reads the next chunk of the body.
    #[expect(clippy::arithmetic_side_effects, reason = "no body has 2^64 bytes")]
    pub fn push(&mut self, bytes: &[u8]) {
        self.read_bytes += bytes.len() as u64;
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        self.is_object = self.is_object.or(first.map(|&byte| byte == b'{'));
        if self.wants_more() {
            let table: &Table<Field> = if self.reads_asked { &ALL } else { &TURN };
            self.scanner.push(table, bytes, &mut self.seen);
        }
    }

    /// Whether more of the body can change the result.
    #[must_use]
    pub fn wants_more(&self) -> bool {
        let is_other = self.is_object == Some(false);
        let is_decided = self.seen.is_whole || (self.seen.turn.has_answer && !self.reads_asked);
        !(is_other || is_decided || self.read_bytes > BODY_BYTES_READ_MAX)
    }

    /// What the body has shown so far.
    #[must_use]
    pub fn facts(&self) -> RequestFacts {
        let Seen { turn, asked, is_whole } = &self.seen;
        let is_asked_known = *is_whole && self.reads_asked;
        RequestFacts {
            is_first_turn: turn.is_first(*is_whole),
            offers_tools: is_asked_known.then_some(asked.has_tools),
            asks_for_json: is_asked_known.then_some(asked.json()),
        }
    }

    /// What the detectors of defects have to know. `None` unless the body is a whole JSON object that was read for it.
    #[must_use]
    pub fn asked(&self) -> Option<Asked> {
        (self.seen.is_whole && self.reads_asked).then(|| self.seen.asked.get())
    }
}

/// What a value means.
#[derive(Clone, Copy)]
enum Field {
    Turn(TurnField),
    Asked(AskedField),
}

impl json::Field for Field {
    fn is_text(self) -> bool {
        false
    }
}

static TURN: LazyTable<Field> = LazyTable::new(|| Table::compile(turn::PATHS));
static ALL: LazyTable<Field> = LazyTable::new(|| Table::compile(&[turn::PATHS, asked::PATHS].concat()));

#[derive(Default)]
struct Seen {
    turn: TurnFacts,
    asked: AskedFacts,
    is_whole: bool,
}

impl Sink<Field> for Seen {
    fn value(&mut self, field: Field, value: Value<'_>) {
        match field {
            _ if self.is_whole => {} // what follows the document does not count
            Field::Turn(field) => self.turn.value(field, value),
            Field::Asked(field) => self.asked.value(field, value),
        }
    }

    fn document(&mut self) {
        self.is_whole = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_in_its_table() {
        assert!(TURN.is_complete() && ALL.is_complete());
        let paths: std::collections::BTreeSet<_> =
            turn::PATHS.iter().chain(asked::PATHS).map(|(path, _)| path).collect();
        assert_eq!(paths.len(), turn::PATHS.len() + asked::PATHS.len(), "one path has one meaning");
    }

    /// The turn is the same whatever else is read, and nothing else is known where it is not read.
    #[test]
    fn one_scan_finds_all() {
        let body =
            br#"{"messages":[{"role":"user"},{"role":"assistant"}],"tools":[{"name":"f"}],"format":"json"}"#;
        let (mut turn, mut all) = (RequestReader::new(false), RequestReader::new(true));
        for byte in body.chunks(1) {
            turn.push(byte);
            all.push(byte);
        }
        let turn_only = RequestFacts { is_first_turn: Some(false), ..RequestFacts::default() };
        assert_eq!((turn.facts(), turn.asked().is_none()), (turn_only, true));
        let facts =
            RequestFacts { is_first_turn: Some(false), offers_tools: Some(true), asks_for_json: Some(true) };
        assert_eq!(all.facts(), facts);
        assert!(all.asked().is_some_and(|asked| asked.json && asked.names.is_unknown(b"g")));
        assert!(facts.asked_without_names().is_some_and(|asked| asked.json && !asked.names.is_unknown(b"g")));
        assert!(turn_only.asked_without_names().is_none());
    }

    #[test]
    fn an_answer_in_the_history_ends_the_reading_for_the_turn_only() {
        let body = br#"{"messages":[{"role":"assistant","#;
        for reads_asked in [false, true] {
            let mut reader = RequestReader::new(reads_asked);
            reader.push(body);
            assert_eq!(reader.wants_more(), reads_asked);
            assert_eq!(reader.facts().is_first_turn, Some(false), "is known at once");
        }
    }
}
