//! Walks a tree so that every wrong place is found in one go.
//!
//! Each accessor notes what is wrong and returns `None`; the caller goes on with the rest. A place is its node;
//! the path to it is looked up only where something is wrong.

use super::decimal::Decimal;
use super::errors::Errors;
use super::json::Node;
use super::{POINTER_PARTS_MAX, POINTERS, TEXT_BYTES_MAX};
use crate::headers::HeaderName;
use std::fmt::{self, Write};

/// Longest piece of a configuration repeated in an error.
const QUOTE_CHARS_MAX: usize = 60;
/// Fields of one object; no two of ours are near it, and each is compared with all before it.
const MEMBERS_MAX: usize = 256;
/// Names longer than this are not taken for a misspelling of anything.
const MISSPELLED_BYTES_MAX: usize = 64;
/// A field is taken for a misspelling of another up to this many edits apart.
const MISSPELLED_EDITS_MAX: usize = 2;

/// Whether a text may be empty.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Empty {
    Allowed,
    Refused,
}

/// Collects the errors of a walk, and the places in request bodies that it meets.
pub(super) struct Reader<'t> {
    root: &'t Node,
    pub(super) errors: Errors,
    pointers: Vec<Vec<String>>,
    /// Headers the filter sets, and removes where a client sent them.
    pub(super) removed: Vec<HeaderName>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(root: &'t Node) -> Self {
        let pointers = POINTERS.into_iter().filter_map(pointer_keys).collect();
        Self { root, errors: Errors::default(), pointers, removed: Vec::new() }
    }

    pub(super) fn error(&mut self, at: &Node, message: fmt::Arguments<'_>) {
        self.error_below(at, "", message);
    }

    /// An error of a member that may be missing; of the object itself where it has no name.
    pub(super) fn error_below(&mut self, object: &Node, name: &str, message: fmt::Arguments<'_>) {
        // Looking for a path takes time, which a great many errors shall not take each.
        if self.errors.is_full() {
            self.errors.push("", "");
            return;
        }
        let mut path = String::new();
        for part in way(self.root, object).unwrap_or_default().iter().rev() {
            match part {
                Part::Member(name) => push_member(&mut path, name),
                // Writing to a string does not fail.
                Part::Item(i) => _ = write!(path, "[{i}]"),
            }
        }
        if !name.is_empty() {
            push_member(&mut path, name);
        }
        self.errors.push(path, fmt::format(message));
    }

    /// An object, with each unknown or repeated field noted.
    pub(super) fn object<'a>(&mut self, node: &'a Node, known: &[&str]) -> Option<&'a Node> {
        for (name, member) in self.members(node)? {
            if known.contains(&name.as_str()) {
                continue;
            }
            match nearest(name, known) {
                Some(nearest) => {
                    let nearest = quoted(nearest);
                    self.error(member, format_args!("is not a known field; did you mean {nearest}?"));
                }
                None => {
                    let known = listed(known);
                    self.error(member, format_args!("is not a known field; the fields here are {known}"));
                }
            }
        }
        Some(node)
    }

    /// An object whose fields the user names, with each repeated one noted.
    pub(super) fn members<'a>(&mut self, node: &'a Node) -> Option<&'a [(String, Node)]> {
        let Node::Object(members) = node else {
            self.wrong_type(node, "an object {...}");
            return None;
        };
        self.is_within(node, members.len(), MEMBERS_MAX, "fields")?;
        for (i, (name, member)) in members.iter().enumerate() {
            if members.iter().take(i).any(|(earlier, _)| earlier == name) {
                self.error(member, format_args!("is given twice; keep one"));
            }
        }
        Some(members)
    }

    /// A list of at most `max` items.
    pub(super) fn list<'a>(&mut self, node: &'a Node, max: usize) -> Option<&'a [Node]> {
        let Node::List(items) = node else {
            self.wrong_type(node, "a list [...]");
            return None;
        };
        self.is_within(node, items.len(), max, "items")?;
        Some(items)
    }

    /// A list with something in it.
    pub(super) fn filled_list<'a>(&mut self, node: &'a Node, max: usize, remedy: &str) -> Option<&'a [Node]> {
        let items = self.list(node, max)?;
        if items.is_empty() {
            self.error(node, format_args!("is empty; {remedy}"));
        }
        Some(items)
    }

    /// What each item says, if all are right.
    pub(super) fn each<'a, T>(
        &mut self,
        items: &'a [Node],
        mut read: impl FnMut(&mut Self, &'a Node) -> Option<T>,
    ) -> Option<Vec<T>> {
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            values.extend(read(self, item));
        }
        (values.len() == items.len()).then_some(values)
    }

    pub(super) fn is_within(&mut self, node: &Node, count: usize, max: usize, what: &str) -> Option<()> {
        if count > max {
            self.error(node, format_args!("has {count} {what}, but at most {max} are allowed"));
        }
        (count <= max).then_some(())
    }

    pub(super) fn string<'a>(&mut self, node: &'a Node) -> Option<&'a str> {
        let text = node.as_str();
        if text.is_none() {
            self.wrong_type(node, "a string \"...\"");
        }
        text
    }

    /// A text of at most [`TEXT_BYTES_MAX`].
    pub(super) fn text<'a>(&mut self, node: &'a Node, empty: Empty) -> Option<&'a str> {
        let text = self.string(node)?;
        if text.is_empty() && empty == Empty::Refused {
            self.error(node, format_args!("is empty; write something, or leave it out"));
            return None;
        }
        if text.len() > TEXT_BYTES_MAX {
            let found = text.len();
            self.error(node, format_args!("is {found} bytes long, but at most {TEXT_BYTES_MAX} are allowed"));
            return None;
        }
        Some(text)
    }

    /// The same, to keep, and never empty.
    pub(super) fn filled_text(&mut self, node: &Node) -> Option<String> {
        self.text(node, Empty::Refused).map(str::to_owned)
    }

    /// One of two words; whether it is the second.
    pub(super) fn is_second(&mut self, node: &Node, first: &str, second: &str) -> Option<bool> {
        let word = self.string(node)?;
        let is_second = word == second;
        if !is_second && word != first {
            let word = quoted(word);
            self.error(node, format_args!("is {word}; write \"{first}\" or \"{second}\""));
            return None;
        }
        Some(is_second)
    }

    /// A JSON pointer (RFC 6901) as its keys.
    pub(super) fn pointer(&mut self, node: &Node) -> Option<Vec<String>> {
        let pointer = self.text(node, Empty::Refused)?;
        let Some(keys) = pointer_keys(pointer) else {
            let pointer = quoted(pointer);
            self.error(
                node,
                format_args!("{pointer} is not a JSON pointer; start it with '/', such as \"/user\""),
            );
            return None;
        };
        if keys.len() > POINTER_PARTS_MAX {
            let found = keys.len();
            self.error(node, format_args!("has {found} parts, but at most {POINTER_PARTS_MAX} are followed"));
            return None;
        }
        Some(keys)
    }

    /// A place in request bodies, as an index into the configuration's.
    pub(super) fn pointer_index(&mut self, keys: Vec<String>) -> usize {
        let known = self.pointers.iter().position(|known| *known == keys);
        known.unwrap_or_else(|| {
            self.pointers.push(keys);
            self.pointers.len().saturating_sub(1)
        })
    }

    pub(super) fn take_pointers(&mut self) -> Vec<Vec<String>> {
        std::mem::take(&mut self.pointers)
    }

    pub(super) fn bool(&mut self, node: &Node) -> Option<bool> {
        if let Node::Bool(value) = node {
            return Some(*value);
        }
        self.wrong_type(node, "true or false");
        None
    }

    pub(super) fn number<'a>(&mut self, node: &'a Node) -> Option<&'a Decimal> {
        if let Node::Number(value) = node {
            return Some(value);
        }
        self.wrong_type(node, "a number such as 10 or 0.5");
        None
    }

    /// A field that must be there.
    pub(super) fn required<'a>(&mut self, object: &'a Node, name: &str, what: &str) -> Option<&'a Node> {
        let field = object.get(name);
        if field.is_none() {
            self.error_below(object, name, format_args!("is missing; {what}"));
        }
        field
    }

    fn wrong_type(&mut self, node: &Node, wanted: &str) {
        let mut error =
            |found: fmt::Arguments<'_>| self.error(node, format_args!("is {found} write {wanted}"));
        match node {
            Node::Null => error(format_args!("null; leave the field out, or")),
            Node::Bool(value) => error(format_args!("{value};")),
            Node::Number(value) => error(format_args!("the number {value};")),
            Node::String(text) => error(format_args!("the string {};", quoted(text))),
            Node::List(_) => error(format_args!("a list;")),
            Node::Object(_) => error(format_args!("an object;")),
        }
    }
}

/// What a field says that may be left out: `None` where it is wrong, `Some(None)` where it is not there.
pub(super) fn given<T>(field: Option<Option<T>>) -> Option<Option<T>> {
    match field {
        Some(value) => value.map(Some),
        None => Some(None),
    }
}

/// A step on the way to a node.
enum Part<'a> {
    Member(&'a str),
    Item(usize),
}

/// The way from a node to one below it, which is told by its address; the last step is first.
fn way<'a>(from: &'a Node, to: &Node) -> Option<Vec<Part<'a>>> {
    if std::ptr::eq(from, to) {
        return Some(Vec::new());
    }
    let members = from.members().iter().map(|(name, node)| (Part::Member(name), node));
    let items = from.items().iter().enumerate().map(|(i, node)| (Part::Item(i), node));
    members.chain(items).find_map(|(part, node)| {
        let mut way = way(node, to)?;
        way.push(part);
        Some(way)
    })
}

/// A JSON pointer's keys; `None` where it is none, or the whole document's.
pub(super) fn pointer_keys(pointer: &str) -> Option<Vec<String>> {
    let keys = pointer.strip_prefix('/')?.split('/');
    Some(keys.map(unescaped).collect())
}

fn unescaped(key: &str) -> String {
    let mut plain = String::with_capacity(key.len());
    let mut rest = key.chars();
    while let Some(c) = rest.next() {
        let escaped = if c == '~' { rest.clone().next() } else { None };
        plain.push(match escaped {
            Some('0') => '~',
            Some('1') => '/',
            _ => c,
        });
        if matches!(escaped, Some('0' | '1')) {
            rest.next();
        }
    }
    plain
}

/// Adds an object's member to its path.
fn push_member(path: &mut String, name: &str) {
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

/// A piece of the configuration in quotes, safe to print and not too long.
pub(super) fn quoted(text: &str) -> Quoted<'_> {
    Quoted { text, mark: "\"" }
}

/// The same without quotes.
pub(super) fn plain(text: &str) -> Quoted<'_> {
    Quoted { text, mark: "" }
}

/// What these two give.
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

/// Whether a character could be taken for the end of a quote, or does something else than be seen.
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

/// `a, b and c`, each as it is written in JSON.
pub(super) fn listed(names: &[&str]) -> String {
    let mut list = String::from(if names.is_empty() { "none" } else { "" });
    for (i, name) in names.iter().enumerate() {
        let is_last = i.saturating_add(1) == names.len();
        let between = if i == 0 {
            ""
        } else if is_last {
            " and "
        } else {
            ", "
        };
        // Writing to a string does not fail.
        _ = write!(list, "{between}{}", quoted(name));
    }
    list
}

/// The name that was probably meant.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let (edits, nearest) = known.iter().map(|known| (edits(name, known), *known)).min_by_key(|(n, _)| *n)?;
    // Two edits turn any two-letter name into any other.
    let few = edits <= MISSPELLED_EDITS_MAX && edits < name.chars().count().min(nearest.len());
    few.then_some(nearest)
}

/// Levenshtein's distance in bytes, without regard to case; the same letters in another order are one edit. Very
/// long names are not compared.
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
        let mut left = i.saturating_add(1);
        let mut diagonal = std::mem::replace(row.first_mut().unwrap_or(&mut 0), left);
        for (above, y) in row.iter_mut().skip(1).zip(b) {
            let replaced = diagonal.saturating_add(usize::from(x != y));
            left = replaced.min(above.saturating_add(1)).min(left.saturating_add(1));
            diagonal = std::mem::replace(above, left);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{edits, listed, nearest, pointer_keys, push_member, quoted};

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

    #[test]
    fn pointers() {
        let keys = |pointer: &str| pointer_keys(pointer).map(|keys| keys.join("|"));
        assert_eq!(keys("/a~1b~0c/~01/~/~2/"), Some("a/b~c|~1|~|~2|".to_owned()));
        assert_eq!((keys(""), keys("a/b")), (None, None));
    }
}
