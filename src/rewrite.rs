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

/// Edits the body of one request: replaces each top-level `model` that is a string. Of several the filter reads the first
/// and most servers the last, so all become the same.
///
/// The new name is sent instead of an old name's opening quote, and the rest of the old name is left out chunk by chunk.
/// So nothing is held back, however long the name is. (If the old name has no closing quote, the rest of the body is left
/// out; such a body is not JSON.)
pub struct Model {
    name: ModelName,
    check: EditCheck,
    scanner: Box<Scanner>,
    seen: ModelFacts,
    /// The rest of the body does not change.
    is_over: bool,
}

#[derive(Clone, Copy)]
struct ModelField;

impl json::Field for ModelField {
    /// The scanner reports the beginning of a text, and only the end of a short value.
    fn is_text(self) -> bool {
        true
    }

    fn wants_text_end(self) -> bool {
        true
    }
}

static TABLE: LazyTable<ModelField> = LazyTable::new(|| Table::compile(&[("model", ModelField)]));

#[derive(Default)]
struct ModelFacts {
    /// Inside an old name.
    is_in_name: bool,
    is_whole: bool,
}

impl Model {
    /// Replaces the model by this name.
    #[must_use]
    pub fn new(name: ModelName) -> Model {
        Model {
            name,
            check: EditCheck::default(),
            scanner: Box::default(),
            seen: ModelFacts::default(),
            is_over: false,
        }
    }
}

impl Editor for Model {
    #[expect(clippy::arithmetic_side_effects, reason = "positions in `chunk`; no part of it is empty")]
    fn push(&mut self, chunk: &[u8]) -> Option<Vec<u8>> {
        let is_allowed = self.check.allows(chunk);
        self.is_over |= !is_allowed && !self.seen.is_in_name;
        let mut edited = self.seen.is_in_name.then(Vec::new);
        // Where the bytes begin that have been neither copied nor left out.
        let mut begin = 0;
        let mut at = 0;
        // Quote by quote, because the scanner does not tell the position of a name's quotes.
        while at < chunk.len() && !self.is_over {
            let was_in_name = self.seen.is_in_name;
            let rest = chunk.get(at..).unwrap_or_default();
            let length = memchr(b'"', rest).map_or(rest.len(), |quote| quote + 1);
            self.scanner.push(&TABLE, rest.get(..length).unwrap_or_default(), &mut self.seen);
            at += length;
            match (was_in_name, self.seen.is_in_name) {
                (false, true) => {
                    let edited = edited.get_or_insert_default();
                    edited.extend_from_slice(chunk.get(begin..at - 1).unwrap_or_default());
                    edited.extend_from_slice(&self.name.0);
                }
                (true, false) => begin = at,
                (false, false) | (true, true) => {}
            }
            let is_unread = self.scanner.is_broken() || (!is_allowed && !self.seen.is_in_name);
            self.is_over = self.seen.is_whole || is_unread;
        }
        let mut edited = edited?;
        if !self.seen.is_in_name {
            edited.extend_from_slice(chunk.get(begin..).unwrap_or_default());
        }
        Some(edited)
    }

    fn finish(&mut self) -> Vec<u8> {
        self.is_over = true;
        Vec::new()
    }

    fn is_settled(&self) -> bool {
        self.is_over
    }
}

impl Sink<ModelField> for ModelFacts {
    fn value(&mut self, _: ModelField, value: Value<'_>) {
        self.is_in_name = matches!(value, Value::Text(_));
    }

    fn document(&mut self) {
        self.is_whole = true;
    }
}
