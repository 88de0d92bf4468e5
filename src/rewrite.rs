//! What a version's server calls things: the model in a request's body, and the beginning of its path.

#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use memchr::memchr;

use crate::edit::{Editor, Gate};
use crate::json::{self, LazyTable, Scanner, Sink, Table, Value};

/// The path with another beginning. `None`: it, without its query, does not begin with `from`.
#[must_use]
pub fn path_prefix(path: &[u8], from: &[u8], to: &[u8]) -> Option<Vec<u8>> {
    let without_query = path.split(|&byte| byte == b'?').next().unwrap_or_default();
    without_query.strip_prefix(from)?;
    Some([to, path.get(from.len()..)?].concat())
}

/// A model's name as a JSON string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelName(Rc<[u8]>);

impl ModelName {
    /// Escapes what JSON wants escaped.
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

/// Edits one request's body: the first top-level `model`, where that is a string, becomes another.
///
/// The new name is written as the old one's opening quote passes, and the old one left out as it comes; so
/// nothing is held back, however long it is. (One that never ends is left out to the end, and was no JSON.) A
/// second `model` is left alone: nobody sends one.
pub struct Model {
    name: ModelName,
    gate: Gate,
    state: State,
}

enum State {
    Looking(Box<Scanner>),
    /// Inside the old name, after a backslash or not.
    LeavingOut {
        is_escaped: bool,
    },
    Settled,
}

#[derive(Clone, Copy)]
struct ModelField;

impl json::Field for ModelField {
    /// Of a text, the scanner tells the beginning.
    fn is_text(self) -> bool {
        true
    }
}

static TABLE: LazyTable<ModelField> = LazyTable::new(|| Table::compile(&[("model", ModelField)]));

#[derive(Default)]
struct ModelFacts {
    /// The first model, and whether it is a string.
    model: Option<bool>,
    is_whole: bool,
}

impl Model {
    /// Writes this name.
    #[must_use]
    pub fn new(name: ModelName) -> Model {
        Model { name, gate: Gate::default(), state: State::Looking(Box::default()) }
    }
}

impl Editor for Model {
    fn push(&mut self, piece: &[u8]) -> Option<Vec<u8>> {
        let is_admitted = self.gate.admits(piece);
        let (mut edited, rest, is_escaped) = match &mut self.state {
            State::Looking(_) if !is_admitted => {
                self.state = State::Settled;
                return None;
            }
            State::Looking(scanner) => match look(scanner, piece) {
                Found::Name { quote } => {
                    let (before, rest) = piece.split_at(quote);
                    ([before, &self.name.0].concat(), rest.get(1..).unwrap_or_default(), false)
                }
                Found::Nothing => return None,
                Found::End => {
                    self.state = State::Settled;
                    return None;
                }
            },
            State::LeavingOut { is_escaped } => (Vec::new(), piece, *is_escaped),
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

enum Found {
    /// The model's name opens with the quote here.
    Name { quote: usize },
    /// Not yet.
    Nothing,
    /// There is none to replace.
    End,
}

/// Reads on up to each quote, because one of them may open the name.
fn look(scanner: &mut Scanner, piece: &[u8]) -> Found {
    let mut seen = ModelFacts::default();
    let mut rest = piece;
    while !rest.is_empty() {
        let length = memchr(b'"', rest).map_or(rest.len(), |quote| quote.saturating_add(1));
        let (part, after) = rest.split_at(length);
        scanner.push(&TABLE, part, &mut seen);
        rest = after;
        match seen.model {
            Some(true) => {
                return Found::Name { quote: piece.len().saturating_sub(after.len()).saturating_sub(1) };
            }
            Some(false) => return Found::End,
            None if seen.is_whole => return Found::End,
            None => {}
        }
    }
    Found::Nothing
}

/// What follows the string that `bytes` stand in; or, if it does not end, whether they end with a backslash that
/// escapes what comes next.
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
        self.model.get_or_insert(matches!(value, Value::Text(_)));
    }

    fn document(&mut self) {
        self.is_whole = true;
    }
}
