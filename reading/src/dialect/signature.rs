//! What tells the dialect of a document: paths that only this dialect has.

use super::definition::Dialect;
use super::{DIALECTS, cohere, openai, workers_ai};
use crate::json::Value;

/// Signatures that other documents than answers have as well. They count if a document has no other signature, and is
/// not known to be no answer.
static WEAK: [(&str, &Dialect); 3] = [
    // Events of Workers AI have nothing else but padding, and some have a usage like OpenAI's.
    ("response=*", &workers_ai::DIALECT),
    ("usage.prompt_tokens", &openai::DIALECT),
    ("meta.api_version", &cohere::V1),
];

/// A path that only one dialect has.
#[derive(Clone, Copy)]
pub(super) struct Signature {
    /// Index in [`DIALECTS`], or the length of that and an index in [`WEAK`]. If a document has several signatures, the
    /// lowest counts.
    pub(super) rank: usize,
    /// A string that must be at the path, or how it begins if this ends in `*`. If `None`, any value will do.
    word: Option<&'static str>,
}

impl Signature {
    /// `path` alone, or `path=word` if the value must be a string that is or begins so.
    fn parse(signature: &'static str, rank: usize) -> (&'static str, Signature) {
        match signature.split_once('=') {
            Some((path, word)) => (path, Signature { rank, word: Some(word) }),
            None => (signature, Signature { rank, word: None }),
        }
    }

    /// Whether it can be told from the pieces of a text.
    #[cfg(test)]
    pub(super) fn takes_text(&self) -> bool {
        self.word.is_none_or(|word| word == "*")
    }

    /// Whether a value at the path has the signature.
    pub(super) fn is_at(&self, value: Value<'_>) -> bool {
        let is_text = matches!(value, Value::Text(_));
        match (self.word.map(str::as_bytes), value) {
            (None, _) => true,
            (Some([start @ .., b'*']), Value::Short(word)) => word.starts_with(start),
            (Some(expected), Value::Short(word)) => word == expected,
            // Of a text nothing is known but that it is a string.
            (Some(expected), _) => is_text && expected == b"*",
        }
    }
}

/// All signatures with their paths.
pub(super) fn all() -> impl Iterator<Item = (&'static str, Signature)> {
    let of_dialect = |(rank, dialect): (usize, &&'static Dialect)| {
        dialect.signatures.iter().map(move |&signature| Signature::parse(signature, rank))
    };
    let weak = (DIALECTS.len()..).zip(&WEAK).map(|(rank, &(path, _))| Signature::parse(path, rank));
    DIALECTS.iter().enumerate().flat_map(of_dialect).chain(weak)
}

/// The index in [`DIALECTS`] of the dialect of a document whose lowest signature has this rank.
pub(super) fn dialect_index(rank: Option<usize>, is_no_answer: bool) -> Option<usize> {
    let rank = rank?;
    let Some(weak) = rank.checked_sub(DIALECTS.len()) else { return Some(rank) };
    let (_, dialect) = WEAK.get(weak).filter(|_| !is_no_answer)?;
    DIALECTS.iter().position(|known| core::ptr::eq(*known, *dialect))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{self, Scanner, Sink, Table};
    use std::collections::BTreeSet;
    use std::path::Path;

    /// Signatures that documents of another dialect have as well: those of the other one win, because it is before in
    /// [`DIALECTS`].
    const SHARED: &[(&str, &str)] = &[
        ("cohere-v1", "bedrock-invoke"), // `is_finished`
    ];

    /// Gives each path the index of its first signature.
    #[derive(Clone, Copy)]
    struct At(usize);

    impl json::Field for At {
        fn is_text(self) -> bool {
            false
        }
    }

    struct Found(BTreeSet<usize>);

    impl Sink<At> for Found {
        fn value(&mut self, At(first): At, value: Value<'_>) {
            let signatures: Vec<_> = all().collect();
            let path = signatures[first].0;
            let here = signatures.iter().filter(|(other, _)| *other == path);
            self.0.extend(
                here.filter(|(_, signature)| signature.is_at(value)).map(|(_, signature)| signature.rank),
            );
        }

        fn document(&mut self) {}
    }

    fn name(dialect: &Dialect) -> &'static str {
        (dialect.name)(&Default::default())
    }

    /// Other than by its rank, no dialect takes the documents of another.
    #[test]
    fn a_document_has_signatures_of_one_dialect() {
        let paths: Vec<_> = all().enumerate().map(|(at, (path, _))| (path, At(at))).collect();
        let table = Table::compile(&paths);
        let mut wrong = BTreeSet::new();
        let mut documents = 0;
        let corpus = entries(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/corpus"));
        for file in corpus.iter().filter(|path| path.is_dir()).flat_map(|folder| entries(folder)) {
            let folder = file.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
            let Ok(text) = std::fs::read_to_string(&file) else { continue };
            let whole = file.extension().is_some_and(|extension| extension == "json");
            let lines: Vec<&str> = if whole { vec![&text] } else { text.lines().collect() };
            for document in lines.iter().map(|line| line.strip_prefix("data:").unwrap_or(line)) {
                let mut found = Found(BTreeSet::new());
                Scanner::default().push(&table, document.as_bytes(), &mut found);
                documents += found.0.len();
                for rank in found.0.into_iter().filter(|rank| *rank < DIALECTS.len()) {
                    let other = name(DIALECTS[rank]);
                    let is_own =
                        other == folder || (other, &folder[..]) == ("openai-chat", "openai-completions");
                    if !is_own && !SHARED.contains(&(&folder[..], other)) {
                        wrong.insert(format!("{other} marks {}", file.display()));
                    }
                }
            }
        }
        assert!(documents > 100);
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    fn entries(folder: &Path) -> Vec<std::path::PathBuf> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}
