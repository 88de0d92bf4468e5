//! The shape of the repository, held by a test: who may import whom, and that what the documents name exists.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Who may import whom, in `src/` and `reading/src/`. `src/filter/` may import all, and nobody imports it.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("bucket", &[]),
    ("headers", &[]),
    ("key", &[]),
    ("label", &[]),
    ("timestamp", &[]),
    ("retry", &[]),
    ("fnv", &[]),
    ("word", &[]),
    ("json", &["word"]),
    ("framing", &[]),
    ("edit", &[]),
    ("pin", &["bucket", "edit", "framing", "json"]),
    ("rewrite", &["edit", "json"]),
    ("usage", &["edit", "framing", "json"]),
    ("split", &["bucket"]),
    ("steps", &["timestamp", "split"]),
    ("pointer", &["json"]),
    ("turn", &["json"]),
    ("fingerprint", &["bucket", "json", "pointer"]),
    ("config", &["bucket", "headers", "timestamp", "pin", "split", "steps"]),
    ("route", &["bucket", "config", "key", "label", "timestamp", "pin", "pointer", "split"]),
    ("feedback", &["config", "json", "label"]),
    ("dialect", &["fnv", "json", "label", "word"]),
    ("refusal", &[]),
    ("event_template", &["word"]),
    ("observe", &["dialect", "event_template", "framing", "json", "label", "refusal"]),
    ("metrics", &["bucket", "config", "feedback", "observe", "refusal", "route"]),
];
/// Crates, and the only modules that may name them.
const CRATES: &[(&str, &[&str])] = &[
    ("serde", &["config"]),
    ("serde_json", &[]),
    ("memchr", &["json", "framing", "pin", "rewrite", "usage"]),
];
/// A file that is longer holds two things. Tests do not count.
const FILE_LINES_MAX: usize = 450;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files of the repository below a folder, by their path from its root.
fn files(below: &str, ends: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root().join(below)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !["target", ".git", "__pycache__", "node_modules"].contains(&&*name) {
                folders.push(path);
            } else if name.ends_with(ends) {
                let short = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                found.insert(short, std::fs::read_to_string(&path).unwrap_or_default());
            }
        }
    }
    found
}

/// A module's source without comments and tests.
fn sources() -> Vec<(String, String, String)> {
    let module = |path: &str| {
        let below = path.trim_start_matches("reading/").strip_prefix("src/").unwrap();
        below.split(['/', '.']).next().unwrap().to_string()
    };
    let code = |text: &str| {
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
    };
    let all = files("src", ".rs").into_iter().chain(files("reading/src", ".rs"));
    let sources = all.filter(|(path, _)| !path.ends_with("/tests.rs"));
    sources.map(|(path, text)| (module(&path), path, code(&text))).collect()
}

/// The names that follow `prefix` in `code`.
fn names_after<'a>(code: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(prefix)
        .filter(move |(at, _)| !code[..*at].ends_with(is_name))
        .map(move |(at, _)| code[at + prefix.len()..].split(|c| !is_name(c)).next().unwrap())
}

/// What breaks the wall in one file.
fn trespasses(module: &str, code: &str) -> Vec<String> {
    let mut found = Vec::new();
    if module == "filter" || module == "lib" {
        return found;
    }
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == module) else {
        return vec![format!("{module} is in no line of MAY_IMPORT")];
    };
    for name in names_after(code, "crate::").chain(names_after(code, "crate::{")) {
        if name != module && !allowed.contains(&name) && !name.is_empty() {
            found.push(format!("{module} imports {name}"));
        }
    }
    for (name, modules) in CRATES {
        if names_after(code, &format!("{name}::")).next().is_some() && !modules.contains(&module) {
            found.push(format!("{module} uses the crate {name}"));
        }
    }
    for word in
        ["proxy_", "extern \"C\"", "unsafe ", "std::time::Instant", "SystemTime", "std::env", "std::fs"]
    {
        if code.contains(word) {
            found.push(format!("{module} knows a host: {word}"));
        }
    }
    found
}

#[test]
fn only_the_filter_knows_the_host_and_imports_point_at_leaves() {
    let found: Vec<_> = sources().iter().flat_map(|(module, _, code)| trespasses(module, code)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_wall_is_seen_when_broken() {
    for (module, code) in [
        ("json", "use crate::config::Config;"),
        ("key", "let x = crate::route::decide();"),
        ("route", "use serde_json::Value;"),
        ("observe", "let now = std::time::Instant::now();"),
        ("dialect", "unsafe extern \"C\" { fn proxy_log(); }"),
        ("split", "use crate::filter::host;"),
        ("unheard_of", ""),
    ] {
        assert!(!trespasses(module, code).is_empty(), "{module}: {code}");
    }
}

#[test]
fn a_file_holds_one_thing() {
    for (_, path, _) in sources() {
        let lines = std::fs::read_to_string(root().join(&path)).unwrap().lines().count();
        assert!(lines <= FILE_LINES_MAX, "{path} has {lines} lines; at most {FILE_LINES_MAX}");
    }
}

#[test]
fn the_architecture_names_what_exists() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let paths = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.contains('/') && !word.contains([' ', '<', '*', '$']));
    let mut count = 0;
    for path in paths.filter(|path| !path.starts_with(['/', '.', '~']) && !path.contains("://")) {
        assert!(root().join(path).exists(), "ARCHITECTURE.md names {path}, which does not exist");
        count += 1;
    }
    assert!(count > 10, "{count} paths found");
    // Its table of imports is this one.
    for (module, allowed) in MAY_IMPORT {
        let allowed = if allowed.is_empty() { "nothing of ours".into() } else { allowed.join(", ") };
        let line = format!("| {module} | {allowed} |");
        assert!(text.contains(&line), "ARCHITECTURE.md lacks the line {line}");
    }
}

#[test]
fn the_documents_name_no_machine() {
    let all =
        ["md", "rs", "sh", "py", "yaml", "yml", "json", "toml"].map(|end| files("", &format!(".{end}")));
    for (path, text) in all.into_iter().flatten() {
        for word in ["/work/", "/root/"] {
            let is_start =
                |at: usize| text[..at].chars().next_back().is_none_or(|c| " \n\t=:('`".contains(c));
            let named = text.match_indices(word).any(|(at, _)| is_start(at));
            assert!(!named, "{path} names a machine's folder {word}");
        }
    }
}
