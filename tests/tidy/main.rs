//! The shape of the repository, held by tests.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a few of the many kinds of syntax are looked at")]

mod abi;
mod bad;
mod crates;
mod resolve;
mod rules;
mod syntax;

use std::path::{Path, PathBuf};

use crates::{Files, Workspace};
use rules::{Breaches, Tables, breaches};

/// A longer file holds two things. Tests do not count.
const FILE_LINES_MAX: usize = 420;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn files(ends: &[&str]) -> Files {
    let root = root();
    let mut found = Files::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !["target", ".git", "__pycache__", "node_modules"].contains(&&*name) {
                folders.push(path);
            } else if ends.iter().any(|end| name.ends_with(end)) {
                let short = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
                found.insert(short, std::fs::read_to_string(&path).unwrap_or_default());
            }
        }
    }
    found
}

fn words(found: &Breaches) -> String {
    found.iter().map(|(what, place)| format!("{what}  {place}\n")).collect()
}

#[test]
fn imports_are_as_the_architecture_says() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let found = breaches(&Workspace::read(&files(&[".rs", "Cargo.toml"])), &Tables::read(&text));
    assert!(found.is_empty(), "{}", words(&found));
}

#[test]
fn a_file_holds_one_thing() {
    for (path, text) in files(&[".rs"]).iter().filter(|(path, _)| !crates::is_test(path)) {
        let lines = text.lines().count();
        assert!(lines <= FILE_LINES_MAX, "{path} has {lines} lines; at most {FILE_LINES_MAX}");
    }
}

#[test]
fn the_architecture_names_what_exists() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let words = text.split('`').skip(1).step_by(2);
    let paths = words.filter(|word| word.contains('/') && !word.contains([' ', '<', '*', '$']));
    let mut count = 0;
    for path in paths.filter(|path| !path.starts_with(['/', '.', '~']) && !path.contains("://")) {
        assert!(root().join(path).exists(), "ARCHITECTURE.md names {path}, which does not exist");
        count += 1;
    }
    assert!(count > 10, "{count} paths found");
}

#[test]
fn the_documents_name_no_machine() {
    for (path, text) in files(&[".md", ".rs", ".sh", ".py", ".yaml", ".yml", ".json", ".toml"]) {
        for word in ["/work/", "/root/"] {
            let is_start =
                |at: usize| text[..at].chars().next_back().is_none_or(|c| " \n\t=:('`".contains(c));
            let named = text.match_indices(word).any(|(at, _)| is_start(at));
            assert!(!named, "{path} names a folder of a machine: {word}");
        }
    }
}
