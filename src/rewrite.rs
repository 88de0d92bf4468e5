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
    /// Inside an old name: whether the last byte was a backslash that escapes the next one.
    in_name: Option<bool>,
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
}

static TABLE: LazyTable<ModelField> = LazyTable::new(|| Table::compile(&[("model", ModelField)]));

#[derive(Default)]
struct ModelFacts {
    /// An old name has begun.
    has_begun: bool,
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
            in_name: None,
            is_over: false,
        }
    }
}

impl Editor for Model {
    #[expect(clippy::arithmetic_side_effects, reason = "positions in `chunk`; no part of it is empty")]
    fn push(&mut self, chunk: &[u8]) -> Option<Vec<u8>> {
        let is_allowed = self.check.allows(chunk);
        self.is_over |= !is_allowed && self.in_name.is_none();
        let mut edited = self.in_name.is_some().then(Vec::new);
        // Where the bytes begin that have been neither copied nor left out.
        let mut begin = 0;
        let mut at = 0;
        // Quote by quote, because the scanner does not tell the position of a name's opening quote.
        while at < chunk.len() && !self.is_over {
            let rest = chunk.get(at..).unwrap_or_default();
            let in_name = self.in_name.take();
            let end = match in_name {
                Some(is_escaped) => closing_quote(rest, is_escaped),
                None => Ok(memchr(b'"', rest).unwrap_or(rest.len())),
            };
            let part = end.ok().and_then(|quote| rest.get(..=quote)).unwrap_or(rest);
            self.scanner.push(&TABLE, part, &mut self.seen);
            at += part.len();
            let begins = core::mem::take(&mut self.seen.has_begun);
            match (in_name, end) {
                (None, _) if begins => {
                    let edited = edited.get_or_insert_default();
                    edited.extend_from_slice(chunk.get(begin..at - 1).unwrap_or_default());
                    edited.extend_from_slice(&self.name.0);
                    self.in_name = Some(false);
                }
                (None, _) => {}
                (Some(_), Ok(_)) => begin = at,
                (Some(_), Err(is_escaped)) => self.in_name = Some(is_escaped),
            }
            let is_unread = self.scanner.is_broken() || !is_allowed;
            self.is_over = self.in_name.is_none() && (self.seen.is_whole || is_unread);
        }
        let mut edited = edited?;
        if self.in_name.is_none() {
            edited.extend_from_slice(chunk.get(begin..).unwrap_or_default());
        }
        Some(edited)
    }

    fn finish(&mut self) -> Vec<u8> {
        self.in_name = None;
        self.is_over = true;
        Vec::new()
    }

    fn is_settled(&self) -> bool {
        self.is_over
    }
}

/// The position of a string's closing quote. It does not ask the scanner, because the string may be invalid. `Err`: it is
/// not here; whether the last byte is a backslash that escapes the next one.
fn closing_quote(bytes: &[u8], mut is_escaped: bool) -> Result<usize, bool> {
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return Ok(at),
            _ => {}
        }
    }
    Err(is_escaped)
}

impl Sink<ModelField> for ModelFacts {
    fn value(&mut self, _: ModelField, value: Value<'_>) {
        self.has_begun |= matches!(value, Value::Text(_));
    }

    fn document(&mut self) {
        self.is_whole = true;
    }
}
