//! A document whose dialect is not known yet, read as one of each dialect that it may be of.
//!
//! What tells the dialect may stand behind a text of any length. So nothing of such a document is kept: in one pass its
//! values are folded once for each dialect that has their paths, and at its end the fold of its dialect is taken.
//! Which dialect that is does not depend on the order of the keys.

#[cfg(test)]
use super::definition::Dialect;
use super::fold::Fold;
use super::meaning::Meaning;
use super::no_answer::{self, Words};
use super::signature::{self, Signature};
use super::{COMMON_PATHS, DIALECTS, bedrock};
use crate::json::{self, DocumentEnd, Paths, Scanner, Sink, Table, Value};
use crate::lazy::Lazy;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// In place of an index in [`DIALECTS`]: a document of no known dialect.
const UNKNOWN: usize = DIALECTS.len();

/// The folds of a document, one for each dialect that it may be of.
#[derive(Default)]
pub struct Candidates {
    /// By index in [`DIALECTS`], or [`UNKNOWN`]. A fold begins with the first value that its dialect has.
    folds: Vec<(usize, Box<Fold>)>,
    /// The lowest rank of the document's signatures.
    rank: Option<usize>,
    /// The rank is the lowest of all, so the document is of the first dialect, whatever follows. The response's fold gets
    /// its values, but for those that are deferred.
    is_first_dialect: bool,
    /// Values that are folded when the dialect is known.
    deferred: Deferred,
    /// The document has a path that no answer has.
    is_no_answer: bool,
    /// A document has come that is known to be no answer.
    pub has_no_answer: bool,
}

impl Candidates {
    /// Reads the next piece, up to the end of a document, and returns what follows. `fold` gets what is read, and its
    /// dialect, at the end of a document that tells it.
    pub fn push<'b>(&mut self, scanner: &mut Scanner, bytes: &'b [u8], fold: &mut Fold) -> &'b [u8] {
        scanner.push_document(&JOINT.table, bytes, &mut JointSink { candidates: self, fold })
    }

    /// The document ends here, complete or not.
    pub fn end(&mut self, scanner: &mut Scanner, fold: &mut Fold) -> DocumentEnd {
        let end = scanner.end(&JOINT.table, &mut JointSink { candidates: self, fold });
        if end != DocumentEnd::Between {
            self.choose(fold);
        }
        end
    }

    /// The document has ended or is cut off here: from now on `fold` is that of its dialect.
    fn choose(&mut self, fold: &mut Fold) {
        let is_chosen = core::mem::take(&mut self.is_first_dialect);
        let dialect = signature::dialect_index(self.rank, self.is_no_answer);
        self.has_no_answer |= dialect.is_none() && self.is_no_answer;
        let index = dialect.unwrap_or(UNKNOWN);
        let found = self.folds.iter().position(|(dialect, _)| *dialect == index);
        if let Some(found) = found {
            let (_, chosen) = self.folds.swap_remove(found);
            fold.replace(*chosen);
        } else if let Some(dialect) = DIALECTS.get(index).filter(|_| !is_chosen) {
            fold.set_dialect(dialect);
        }
        // In a document that is cut off, a choice or block may be open, to which these values do not belong.
        fold.leave();
        self.deferred.each(|path, value| {
            for &(_, meaning) in path.meanings.iter().filter(|(dialect, _)| *dialect == index) {
                fold.value(meaning, value);
            }
        });
        self.folds.clear();
        (self.rank, self.is_no_answer) = (None, false);
    }

    /// The fold for a dialect. `None` if the document is of another. `parent` is the response's.
    fn fold(&mut self, dialect: usize, parent: &Fold) -> Option<&mut Fold> {
        let at = match self.folds.iter().position(|(index, _)| *index == dialect) {
            Some(at) => at,
            None if self.rank.is_some_and(|rank| rank < dialect.min(UNKNOWN)) => return None,
            None => {
                self.folds.push((dialect, Box::new(parent.candidate(DIALECTS.get(dialect).copied()))));
                self.folds.len().saturating_sub(1)
            }
        };
        self.folds.get_mut(at).map(|(_, fold)| &mut **fold)
    }

    /// The document has a signature of this rank.
    fn found(&mut self, rank: usize, fold: &mut Fold) {
        if self.rank.is_some_and(|lowest| rank >= lowest) {
            return;
        }
        self.rank = Some(rank);
        if rank < UNKNOWN {
            self.folds.retain(|(dialect, _)| *dialect <= rank);
        }
        if let (0, Some(first)) = (rank, DIALECTS.first()) {
            self.is_first_dialect = true;
            match self.folds.pop() {
                Some((_, chosen)) => fold.replace(*chosen),
                None => fold.set_dialect(first),
            }
        }
    }
}

/// Values of a document that are folded at its end, in their order. Most dialects have a type, a model and a usage at the
/// same places, so a fold for each would be begun because of these.
#[derive(Default)]
struct Deferred {
    values: Vec<(u16, Kind, u8)>,
    /// Of all strings and scalars, one after the other.
    bytes: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Kind {
    Open,
    Close,
    Short,
    Scalar,
}

/// Room for what most documents have, so that it is made once.
const DEFERRED_USUAL: usize = 16;
const DEFERRED_USUAL_BYTES: usize = 128;
/// Values that are deferred, at most. Further ones are folded at once.
const DEFERRED_MAX: usize = 32;

impl Deferred {
    /// False if there is no room, or if it is a piece of a text.
    fn push(&mut self, path: u16, value: Value<'_>) -> bool {
        let (kind, bytes): (Kind, &[u8]) = match value {
            Value::Open => (Kind::Open, b""),
            Value::Close => (Kind::Close, b""),
            Value::Short(word) => (Kind::Short, word),
            Value::Scalar(word) => (Kind::Scalar, word),
            Value::Text(_) => return false,
        };
        let Some(length) = u8::try_from(bytes.len()).ok().filter(|_| self.values.len() < DEFERRED_MAX) else {
            return false;
        };
        if self.values.is_empty() {
            self.values.reserve(DEFERRED_USUAL);
            self.bytes.reserve(DEFERRED_USUAL_BYTES);
        }
        self.values.push((path, kind, length));
        self.bytes.extend_from_slice(bytes);
        true
    }

    /// Gives all values with their paths, and forgets them.
    fn each(&mut self, mut take: impl FnMut(&JointPath, Value<'_>)) {
        let mut rest = self.bytes.as_slice();
        for (path, kind, length) in self.values.drain(..) {
            let (bytes, after) = rest.split_at_checked(length.into()).unwrap_or_default();
            rest = after;
            let value = match kind {
                Kind::Open => Value::Open,
                Kind::Close => Value::Close,
                Kind::Short => Value::Short(bytes),
                Kind::Scalar => Value::Scalar(bytes),
            };
            if let Some(path) = JOINT.paths.get(usize::from(path)) {
                take(path, value);
            }
        }
        self.bytes.clear();
    }
}

/// The tables of all dialects in one, with all signatures.
struct Joint {
    table: Table<JointField>,
    paths: Vec<JointPath>,
}

static JOINT: Lazy<Joint> = Lazy::new(Joint::new);

/// What a path means.
struct JointPath {
    name: &'static str,
    /// To a dialect, by index in [`DIALECTS`], or to [`UNKNOWN`].
    meanings: Vec<(usize, Meaning)>,
    signatures: Vec<Signature>,
    no_answer: Option<Words>,
}

/// A path.
#[derive(Clone, Copy)]
struct JointField {
    /// Index in [`Joint::paths`].
    index: u16,
    is_text: bool,
    wants_empty: bool,
    wants_text_end: bool,
    /// Its values belong to the document, not to a choice, block or call in it, so their order does not matter.
    may_wait: bool,
}

impl json::Field for JointField {
    fn is_text(self) -> bool {
        self.is_text
    }

    fn wants_empty(self) -> bool {
        self.wants_empty
    }

    fn wants_text_end(self) -> bool {
        self.wants_text_end
    }
}

impl JointPath {
    fn has(&self, is: impl Fn(Meaning) -> bool) -> bool {
        self.meanings.iter().any(|&(_, meaning)| is(meaning))
    }

    /// Whether it begins a part of the document in some dialect.
    fn begins_a_part(&self) -> bool {
        self.has(|meaning| {
            matches!(
                meaning,
                Meaning::Choice | Meaning::Block | Meaning::Item | Meaning::Call | Meaning::LegacyCall
            )
        })
    }

    /// Whether it is this path, or is inside it.
    fn is_in(&self, outer: &JointPath) -> bool {
        self.name.strip_prefix(outer.name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// `parts`: the paths that begin a part of the document.
    fn field(&self, index: usize, parts: &[&JointPath]) -> JointField {
        let is_in_a_part = || parts.iter().any(|outer| self.is_in(outer));
        JointField {
            index: u16::try_from(index).unwrap_or(u16::MAX),
            is_text: self.has(json::Field::is_text),
            wants_empty: self.has(json::Field::wants_empty),
            wants_text_end: self.has(json::Field::wants_text_end),
            may_wait: !self.name.contains("[]") && !is_in_a_part(),
        }
    }
}

impl Joint {
    fn new() -> Joint {
        let mut paths = Vec::new();
        for (index, dialect) in DIALECTS.iter().enumerate() {
            add(&mut paths, index, dialect.table.paths);
        }
        add(&mut paths, UNKNOWN, &[COMMON_PATHS, bedrock::EXCEPTION_PATHS]);
        for (name, signature) in signature::all() {
            path(&mut paths, name).signatures.push(signature);
        }
        for (name, words) in no_answer::all() {
            path(&mut paths, name).no_answer = Some(words);
        }
        paths.shrink_to_fit();
        let parts: Vec<&JointPath> = paths.iter().filter(|path| path.begins_a_part()).collect();
        let fields: Vec<(&str, JointField)> =
            paths.iter().enumerate().map(|(index, path)| (path.name, path.field(index, &parts))).collect();
        Joint { table: Table::compile(&fields), paths }
    }
}

/// Adds the paths of a dialect.
fn add(paths: &mut Vec<JointPath>, dialect: usize, more: Paths<Meaning>) {
    for &(name, meaning) in more.iter().copied().flatten() {
        let meanings = &mut path(paths, name).meanings;
        // Of a path that is given twice, the first meaning counts.
        if meanings.last().is_none_or(|&(last, _)| last != dialect) {
            meanings.push((dialect, meaning));
        }
    }
}

/// The path of this name, which is added if there is none.
fn path<'p>(paths: &'p mut Vec<JointPath>, name: &'static str) -> &'p mut JointPath {
    let at = paths.iter().position(|path| path.name == name).unwrap_or_else(|| {
        paths.push(JointPath { name, meanings: Vec::new(), signatures: Vec::new(), no_answer: None });
        paths.len().saturating_sub(1)
    });
    #[expect(clippy::indexing_slicing, reason = "it was found or pushed")]
    &mut paths[at]
}

/// Receives the values of a document.
struct JointSink<'a> {
    candidates: &'a mut Candidates,
    fold: &'a mut Fold,
}

impl Sink<JointField> for JointSink<'_> {
    fn value(&mut self, field: JointField, value: Value<'_>) {
        let (candidates, response) = (&mut *self.candidates, &mut *self.fold);
        let Some(path) = JOINT.paths.get(usize::from(field.index)) else { return };
        match value {
            // No meaning has a use for these.
            Value::Scalar(b"null" | b"false") => {}
            _ if field.may_wait && candidates.deferred.push(field.index, value) => {}
            Value::Open | Value::Close | Value::Text(_) | Value::Short(_) | Value::Scalar(_) => {
                for &(dialect, meaning) in &path.meanings {
                    if candidates.is_first_dialect {
                        if dialect == 0 {
                            response.value(meaning, value);
                        }
                    } else if let Some(fold) = candidates.fold(dialect, response) {
                        fold.value(meaning, value);
                    }
                }
            }
        }
        for signature in path.signatures.iter().filter(|signature| signature.is_at(value)) {
            candidates.found(signature.rank, response);
        }
        candidates.is_no_answer |= path.no_answer.is_some_and(|words| words.is_at(value));
    }

    fn document(&mut self) {
        self.candidates.choose(self.fold);
        self.fold.document();
    }
}

/// The dialect of a document, and whether it is known to be no answer.
#[cfg(test)]
pub(super) fn detect(document: &str) -> (Option<&'static Dialect>, bool) {
    let (mut candidates, mut scanner, mut fold) =
        (Candidates::default(), Scanner::default(), Fold::default());
    let rest = candidates.push(&mut scanner, document.as_bytes(), &mut fold);
    assert!(rest.trim_ascii().is_empty(), "one document");
    candidates.end(&mut scanner, &mut fold);
    (fold.dialect(), candidates.has_no_answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In one table a path is either a text or not, and says when it is empty or not; and nothing that reports an error
    /// has paths inside it in another dialect, of which the end would be taken for that of an empty one.
    #[test]
    fn the_tables_agree_on_how_a_value_is_reported() {
        for path in &JOINT.paths {
            let name = path.name;
            let is_text = |meaning: Meaning| json::Field::is_text(meaning);
            let texts = path.meanings.iter().filter(|(_, meaning)| is_text(*meaning)).count();
            // A whole object may be a text elsewhere: it is reported as one in either case.
            assert!(texts == 0 || path.signatures.iter().all(|s| s.takes_text()), "{name}");
            let others: Vec<_> = path
                .meanings
                .iter()
                .filter(|(_, m)| {
                    !is_text(*m)
                        && !matches!(
                            m,
                            Meaning::Block
                                | Meaning::Item
                                | Meaning::Choice
                                | Meaning::Call
                                | Meaning::LegacyCall
                        )
                })
                .collect();
            assert!(texts == 0 || others.is_empty(), "{name} is a text and {others:?}");
            if path.meanings.iter().any(|(_, meaning)| *meaning == Meaning::Error) {
                let inside =
                    |other: &str| other.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', '[']));
                assert!(JOINT.paths.iter().all(|path| !inside(path.name)), "there are paths in {name}");
            }
        }
        assert!(JOINT.table.is_complete());
    }
}
