//! Changes to a request for its version: the model in its body, and the prefix of its path.

#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use memchr::memchr;

use crate::edit::{EditCheck, Editor};
use crate::json::{self, LazyTable, Scanner, Sink, Table, Value};

/// The path with the prefix `to` instead of `from`. `None`: it does not begin with `from`, or only if its query counts.
#[must_use]
pub fn path_prefix(path: &[u8], from: &[u8], to: &[u8]) -> Option<Vec<u8>> {
    let without_query = path.split(|&byte| byte == b'?').next().unwrap_or_default();
    without_query.strip_prefix(from)?;
    Some([to, path.get(from.len()..)?].concat())
}

/// The name of a model as a JSON string, in quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelName(Arc<[u8]>);

impl ModelName {
    /// Escapes what JSON requires.
    #[must_use]
    pub fn new(name: &str) -> ModelName {
        let mut string = String::from('"');
        for char in name.chars() {
            match char {
                '"' | '\\' => string.extend(['\\', char]),
                '\0'..='\x1f' => string.push_str(&format!("\\u{:04x}", u32::from(char))),
                _ => string.push(char),
            }
        }
        string.push('"');
        ModelName(string.into_bytes().into())
    }
}

/// Edits the body of one request: replaces the first top-level `model` if it is a string.
///
/// The new name is sent instead of the old name's opening quote, and the rest of the old name is left out chunk by chunk.
/// So nothing is held back, however long the name is. (If the old name has no closing quote, the rest of the body is left
/// out; such a body is not JSON.) A second `model` does not change; clients send one.
pub struct Model {
    name: ModelName,
    check: EditCheck,
    state: State,
}

enum State {
    /// Before the name.
    Searching(Box<Scanner>),
    /// Inside the old name; whether the last byte was a backslash that escapes the next one.
    LeavingOut {
        is_escaped: bool,
    },
    Settled,
}

#[derive(Clone, Copy)]
struct ModelField;

impl json::Field for ModelField {
    /// The scanner reports the beginning of a text, and only the end of a short value.
    fn is_text(self) -> bool {
        true
    }
}

static TABLE: LazyTable<ModelField> = LazyTable::new(|| Table::compile(&[("model", ModelField)]));

#[derive(Default)]
struct ModelFacts {
    /// Whether the first model is a string.
    is_string: Option<bool>,
    is_whole: bool,
}

impl Model {
    /// Replaces the model by this name.
    #[must_use]
    pub fn new(name: ModelName) -> Model {
        Model { name, check: EditCheck::default(), state: State::Searching(Box::default()) }
    }
}

impl Editor for Model {
    fn push(&mut self, chunk: &[u8]) -> Option<Vec<u8>> {
        let is_allowed = self.check.allows(chunk);
        let (mut edited, rest, is_escaped) = match &mut self.state {
            State::Searching(_) if !is_allowed => {
                self.state = State::Settled;
                return None;
            }
            State::Searching(scanner) => match find_name(scanner, chunk) {
                NameSearch::Found { quote } => {
                    let (before, rest) = chunk.split_at(quote);
                    ([before, &self.name.0].concat(), rest.get(1..).unwrap_or_default(), false)
                }
                NameSearch::NotYet => return None,
                NameSearch::Absent => {
                    self.state = State::Settled;
                    return None;
                }
            },
            State::LeavingOut { is_escaped } => (Vec::new(), chunk, *is_escaped),
            State::Settled => return None,
        };
        self.state = match leave_out(rest, is_escaped) {
            Ok(after) => {
                edited.extend_from_slice(after);
                State::Settled
            }
            Err(is_escaped) => State::LeavingOut { is_escaped },
        };
        Some(edited)
    }

    fn finish(&mut self) -> Vec<u8> {
        self.state = State::Settled;
        Vec::new()
    }

    fn is_settled(&self) -> bool {
        matches!(self.state, State::Settled)
    }
}

enum NameSearch {
    /// The position of the name's opening quote.
    Found { quote: usize },
    /// It may be in a later chunk.
    NotYet,
    /// The body has no name to replace.
    Absent,
}

/// Looks for the name's opening quote. The scanner is given parts that end with a quote, so that its position is known.
#[expect(clippy::arithmetic_side_effects, reason = "positions in `chunk`; no part of it is empty")]
fn find_name(scanner: &mut Scanner, chunk: &[u8]) -> NameSearch {
    let mut seen = ModelFacts::default();
    let mut rest = chunk;
    while !rest.is_empty() {
        let length = memchr(b'"', rest).map_or(rest.len(), |quote| quote + 1);
        let (part, after) = rest.split_at(length);
        scanner.push(&TABLE, part, &mut seen);
        rest = after;
        match seen.is_string {
            Some(true) => return NameSearch::Found { quote: chunk.len() - after.len() - 1 },
            Some(false) => return NameSearch::Absent,
            None if seen.is_whole => return NameSearch::Absent,
            None => {}
        }
    }
    NameSearch::NotYet
}

/// Skips the rest of a string. `Ok`: the bytes behind its closing quote. `Err`: the string does not end here; whether the
/// last byte is a backslash that escapes the next one.
fn leave_out(bytes: &[u8], mut is_escaped: bool) -> Result<&[u8], bool> {
    let mut rest = bytes.iter();
    while let Some(&byte) = rest.next() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return Ok(rest.as_slice()),
            _ => {}
        }
    }
    Err(is_escaped)
}

impl Sink<ModelField> for ModelFacts {
    fn value(&mut self, _: ModelField, value: Value<'_>) {
        self.is_string.get_or_insert(matches!(value, Value::Text(_)));
    }

    fn document(&mut self) {
        self.is_whole = true;
    }
}
