//! A text as a list of documents.
//!
//! In: JSON or YAML. Out: a tree for each document, and what is wrong with those that are none.

use crate::error::{Error, Problem};
use crate::yaml;
use llm_canary::config::json::{self, Node};
use llm_canary::config::{self, Errors};
use std::borrow::Cow;

/// The longest text that is read. A configuration in it is far shorter, but its lines may be indented, and others stand
/// beside it.
pub(crate) const TEXT_BYTES_MAX: usize = 16 << 20;

/// What is wrong with a text of more than [`TEXT_BYTES_MAX`] bytes, without its subject.
pub(crate) fn too_long() -> String {
    format!("is larger than {TEXT_BYTES_MAX} bytes; give a file with the configuration and little else")
}

/// Whether a text is read as JSON: it starts with a brace or a bracket, and with a double quote behind it, or is JSON. JSON's
/// errors are clearer than YAML's. `{a: 1}` is YAML.
pub(crate) fn is_json(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_start();
    if !text.first().is_none_or(|b| b"{[".contains(b)) {
        return false;
    }
    let inner = text.iter().find(|b| !b"{[".contains(b) && !b.is_ascii_whitespace());
    inner.is_none_or(|b| b"\"}]".contains(b)) || json::parse_of_any_length(bytes).is_ok()
}

/// The documents of a text.
pub(super) struct Documents {
    pub(super) read: Vec<Node>,
    /// Those that cannot be read beside others that can: the number of each, counted from 1, and why.
    pub(super) broken: Vec<(usize, String)>,
}

impl Documents {
    pub(super) fn new(bytes: &[u8]) -> Result<Self, Errors> {
        if bytes.len() > TEXT_BYTES_MAX {
            return Err(Errors::one("", too_long()));
        }
        if is_json(bytes) {
            return json::parse_of_any_length(bytes)
                .map(|tree| Self { read: vec![tree], broken: Vec::new() });
        }
        let error = |message| Errors::one("", message);
        let text = utf8(bytes).map_err(error)?;
        match yaml::documents(text) {
            Ok(read) => Ok(Self { read, broken: Vec::new() }),
            Err(message) => {
                let (readable, broken) = yaml::without_broken(text).ok_or_else(|| error(message))?;
                yaml::documents(&readable).map(|read| Self { read, broken }).map_err(error)
            }
        }
    }

    /// The number of a document that can be read, counted from 1.
    pub(super) fn number(&self, index: usize) -> usize {
        self.broken.iter().fold(index + 1, |number, (broken, _)| number + usize::from(*broken <= number))
    }
}

/// The documents of a text that holds nothing else.
///
/// # Errors
/// What is wrong with the text; `name` is the file's.
pub(crate) fn plain_documents(name: &str, bytes: &[u8]) -> Result<Vec<Node>, Error> {
    if bytes.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    let Documents { read, broken } = Documents::new(bytes).map_err(|errors| {
        let problem = |error: &config::Error| Problem::new(name, &error.path, &error.message);
        Error::invalid(errors.iter().map(problem).collect())
    })?;
    match broken.first() {
        Some((number, words)) => Err(Error::problem(name, format!("document {number} {words}"))),
        None => Ok(read),
    }
}

/// A text of YAML in which the documents that cannot be read are blank, if others can. No byte changes its place.
pub(crate) fn readable(text: &str) -> Cow<'_, str> {
    // Most texts have one document.
    let may_have_several = ["\n---", "\n..."].iter().any(|mark| text.contains(mark));
    if !may_have_several || yaml::documents(text).is_ok() {
        return text.into();
    }
    yaml::without_broken(text).map_or(text.into(), |(readable, _)| readable.into())
}

/// Bytes as text.
///
/// # Errors
/// A sentence without its subject.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        format!("is not UTF-8: line {line} has a byte that UTF-8 does not allow; save the text as UTF-8")
    })
}
