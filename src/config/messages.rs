//! Parts of error messages: paths, quotes that are safe to print, lists of names, and suggestions for misspelled names.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

/// Maximum length of a quote.
const QUOTE_CHARS_MAX: usize = 60;
/// Maximum length of a name that can be a misspelling.
const MISSPELLED_BYTES_MAX: usize = 64;
/// Maximum number of edits between a misspelling and the right name.
const MISSPELLED_EDITS_MAX: usize = 2;

/// Appends a member to the path of its object.
pub(super) fn push_member(path: &mut String, name: &str) {
    let is_plain = (1..=QUOTE_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if is_plain {
        path.push_str(if path.is_empty() { "" } else { "." });
        path.push_str(name);
    } else {
        // Writing to a string does not fail.
        _ = write!(path, "[{}]", quoted(name));
    }
}

/// A text of the configuration in quotes, escaped and not too long.
pub(super) fn quoted(text: &str) -> Quoted<'_> {
    Quoted { text, mark: "\"" }
}

/// Like [`quoted`], without quotes.
pub(super) fn plain(text: &str) -> Quoted<'_> {
    Quoted { text, mark: "" }
}

/// Displays a text as [`quoted`] and [`plain`] say.
#[derive(Clone, Copy)]
pub(super) struct Quoted<'a> {
    text: &'a str,
    mark: &'static str,
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chars = self.text.chars();
        f.write_str(self.mark)?;
        for c in chars.by_ref().take(QUOTE_CHARS_MAX) {
            if !is_unsafe(c) { f.write_char(c) } else { write!(f, "{}", c.escape_default()) }?;
        }
        f.write_str(self.mark)?;
        f.write_str(if chars.as_str().is_empty() { "" } else { "..." })
    }
}

/// Whether a character looks like the end of a quote, is invisible, or controls the terminal.
fn is_unsafe(c: char) -> bool {
    matches!(
        c,
        '"' | '\\'
            | '\0'..='\x1f'
            | '\x7f'..='\u{9f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e000}'..='\u{f8ff}'
            | '\u{e0000}'..
    )
}

/// `"a", "b" and "c"`.
pub(super) fn listed(names: &[&str]) -> String {
    joined(names, " and ")
}

/// `"a", "b" or "c"`.
pub(super) fn either(names: &[&str]) -> String {
    joined(names, " or ")
}

#[expect(clippy::arithmetic_side_effects, reason = "an index within the list")]
fn joined(names: &[&str], last: &str) -> String {
    let mut list = String::from(if names.is_empty() { "none" } else { "" });
    for (i, name) in names.iter().enumerate() {
        let is_last = i + 1 == names.len();
        let between = if i == 0 {
            ""
        } else if is_last {
            last
        } else {
            ", "
        };
        // Writing to a string does not fail.
        _ = write!(list, "{between}{}", quoted(name));
    }
    list
}

/// The known name that was probably meant.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let (edits, nearest) = known.iter().map(|known| (edits(name, known), *known)).min_by_key(|(n, _)| *n)?;
    // With two edits any name of two letters becomes any other one.
    let few = edits <= MISSPELLED_EDITS_MAX && edits < name.chars().count().min(nearest.len());
    few.then_some(nearest)
}

/// The Levenshtein distance in bytes. Case does not matter. The same letters in another order count as one edit. Long
/// names are not compared.
#[expect(clippy::arithmetic_side_effects, reason = "names have at most MISSPELLED_BYTES_MAX")]
fn edits(a: &str, b: &str) -> usize {
    if a.len().max(b.len()) > MISSPELLED_BYTES_MAX {
        return usize::MAX;
    }
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let count = |bytes: &[u8], byte: u8| bytes.iter().filter(|other| **other == byte).count();
    if a != b && a.len() == b.len() && a.iter().all(|&byte| count(a, byte) == count(b, byte)) {
        return 1;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut left = i + 1;
        let mut diagonal = core::mem::replace(row.first_mut().unwrap_or(&mut 0), left);
        for (above, y) in row.iter_mut().skip(1).zip(b) {
            let replaced = diagonal + usize::from(x != y);
            left = replaced.min(*above + 1).min(left + 1);
            diagonal = core::mem::replace(above, left);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{edits, listed, nearest, push_member, quoted};

    #[test]
    fn distances() {
        for (a, b, expect) in [
            ("", "", 0),
            ("a", "", 1),
            ("kitten", "sitting", 3),
            ("Split", "split", 0),
            ("split", "spilt", 1),
            ("split", "salt", 2),
        ] {
            assert_eq!(edits(a, b), expect, "{a} {b}");
            assert_eq!(edits(b, a), expect, "{b} {a}");
        }
    }

    #[test]
    fn suggestions() {
        let known = ["name", "salt", "key", "v1"];
        assert_eq!(nearest("nmae", &known), Some("name"));
        assert_eq!(nearest("keys", &known), Some("key"));
        assert_eq!(nearest("v2", &known), Some("v1"));
        assert_eq!(nearest("x", &known), None);
        assert_eq!(nearest("something else", &known), None);
        assert_eq!(nearest(&"x".repeat(1 << 20), &known), None);
    }

    #[test]
    fn words() {
        assert_eq!(listed(&["a", "b", "c"]), "\"a\", \"b\" and \"c\"");
        let member = |path: &str, name: &str| {
            let mut path = path.to_owned();
            push_member(&mut path, name);
            path
        };
        assert_eq!(member("rollouts[0]", "salt"), "rollouts[0].salt");
        assert_eq!(member("", "salt"), "salt");
        assert_eq!(member("split", "v1.2"), "split[\"v1.2\"]");
        assert_eq!(member("", &"x".repeat(1000)).len(), 67, "a path stays short");
        let quoted = |text: &str| quoted(text).to_string();
        assert_eq!(quoted("a\nb"), "\"a\\nb\"");
        assert_eq!(quoted("\"it's\" \\ \u{7f}\u{202e}"), r#""\"it's\" \\ \u{7f}\u{202e}""#);
        assert_eq!(quoted(&"é".repeat(60)), format!("\"{}\"", "é".repeat(60)));
        assert_eq!(quoted(&"é".repeat(100)), format!("\"{}\"...", "é".repeat(60)));
    }
}
