//! A folder of recordings with its index.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use memchr::memmem;

/// Of one recording, by the names of the index's columns.
pub(crate) type Row = BTreeMap<String, String>;

pub(crate) struct Corpus {
    pub(crate) folder: PathBuf,
    /// So many recordings at least; fewer are a broken index.
    pub(crate) rows_min: usize,
    /// And so many ids of the Responses API.
    pub(crate) ids_min: usize,
}

impl Corpus {
    /// The small one of our own.
    pub(crate) fn own() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/corpus");
        Self { folder, rows_min: 50, ids_min: 10 }
    }

    /// A large one that is not part of the repository: beside it, or where `LLM_CANARY_CORPUS` says.
    pub(crate) fn recordings() -> Self {
        let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
        let folder = std::env::var_os("LLM_CANARY_CORPUS").map_or_else(beside, PathBuf::from);
        Self { folder, rows_min: 1000, ids_min: 250 }
    }

    pub(crate) fn is_there(&self) -> bool {
        self.folder.join("INDEX.tsv").is_file()
    }

    pub(crate) fn rows(&self) -> Vec<Row> {
        let index = std::fs::read_to_string(self.folder.join("INDEX.tsv")).unwrap();
        let mut lines = index.lines();
        let header: Vec<&str> = lines.next().unwrap().split('\t').collect();
        let row = |line: &str| {
            header.iter().map(|name| name.to_string()).zip(line.split('\t').map(str::to_string)).collect()
        };
        let rows: Vec<Row> = lines.map(row).collect();
        assert!(rows.len() >= self.rows_min, "the index is not what it was: {} rows", rows.len());
        rows
    }

    pub(crate) fn body(&self, row: &Row) -> Vec<u8> {
        std::fs::read(self.folder.join(&row["file"])).unwrap()
    }
}

/// The bytes with one text in place of another.
pub(crate) fn replaced(stream: &[u8], from: &str, to: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(stream.len()), stream);
    while let Some(at) = memmem::find(rest, from.as_bytes()) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to.as_bytes());
        rest = &rest[at + from.len()..];
    }
    [out, rest.to_vec()].concat()
}
