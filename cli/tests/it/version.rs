//! Which build this is. `tests/scripts/test_version.py` tries the build script without git, in an archive, and with changes.

use crate::tool::Folder;

#[test]
fn it_says_its_version_and_commit() {
    let said = Folder::shared().fine(&["--version"]).out;
    let commit = said.trim_end().strip_prefix(concat!("llm-canary ", env!("CARGO_PKG_VERSION")));
    let commit = commit.unwrap_or_else(|| panic!("{said}"));
    if commit.is_empty() {
        return; // The source is an archive.
    }
    let hash = commit.strip_prefix(" (").and_then(|rest| rest.strip_suffix(')')).expect("it is in brackets");
    let hash = hash.strip_suffix("-dirty").unwrap_or(hash);
    assert!(hash.len() >= 12 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{said}");
}
