//! Says which commit the tool is built from: `LLM_CANARY_VERSION` is `0.1.0 (1a2b3c4d5e6f)`, with `-dirty` behind the commit where what
//! the tool is built from differs from it. Without git it is the version alone.
//!
//! It depends on nothing but the source, so two builds of one commit are the same. The crates that do this (vergen, built) look at the
//! whole working tree: there a note beside the code makes a build dirty, or a change of the code is not seen until the next commit.

use std::path::Path;
use std::process::Command;

/// What the tool is built from, seen from the repository's root.
const SOURCES: [&str; 9] = [
    "Cargo.toml",
    "Cargo.lock",
    "cli/src",
    "cli/templates",
    "reading/src",
    "scanning/src",
    "sets/src",
    "src",
    "verdict/src",
];

/// Names the commit where there is no repository, as in an image of a builder; it wins over git.
const COMMIT: &str = "LLM_CANARY_COMMIT";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={COMMIT}");
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let named = std::env::var(COMMIT).ok().filter(|commit| !commit.is_empty());
    let text = match named.or_else(commit) {
        Some(commit) => format!("{version} ({commit})"),
        None => version,
    };
    println!("cargo::rustc-env=LLM_CANARY_VERSION={text}");
}

/// The commit of the repository whose root is the folder above, and whether the sources differ from it.
fn commit() -> Option<String> {
    let root = Path::new("..").canonicalize().ok()?;
    // An archive that was unpacked within another repository has none of its own.
    let top = Path::new(&git(&["rev-parse", "--show-toplevel"])?).canonicalize().ok()?;
    if top != root {
        return None;
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    for path in SOURCES {
        println!("cargo::rerun-if-changed=../{path}");
    }
    // A commit or another branch changes one of these; what does not exist would run this at each build.
    for name in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", name])?;
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let top = root.to_string_lossy();
    let changed = git(&[&["-C", &top, "status", "--porcelain", "--"], &SOURCES[..]].concat())?;
    Some(if changed.is_empty() { commit } else { format!("{commit}-dirty") })
}

/// What git prints; `None` if there is no git, or it fails.
fn git(arguments: &[&str]) -> Option<String> {
    // Locks nothing: a build may run beside somebody's git.
    let ran = Command::new("git").args(arguments).env("GIT_OPTIONAL_LOCKS", "0").output().ok()?;
    let text = String::from_utf8(ran.stdout).ok()?;
    ran.status.success().then(|| text.trim_end().to_owned())
}
