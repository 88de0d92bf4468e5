//! Reads values of a tree and collects all errors.
//!
//! A method that finds an error notes it and returns `None`; the caller goes on with other values. The path of a node is
//! needed only for an error, so it is searched only then, by the node's address.

use super::decimal::Decimal;
use super::errors::Errors;
use super::json::Node;
use super::messages::{either, listed, nearest, push_member, quoted};
use super::{HostKind, POINTER_PARTS_MAX, POINTERS, TEXT_BYTES_MAX};
use crate::headers::HeaderName;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

/// Fields of one object. Each is compared with all before it, so their number needs a limit.
const MEMBERS_MAX: usize = 256;

/// Whether a text may be empty.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Empty {
    Allowed,
    Refused,
}

/// Collects the errors of a tree, and the pointers into requests' bodies that it contains.
pub(super) struct Validator<'t> {
    root: &'t Node,
    pub(super) host: HostKind,
    pub(super) errors: Errors,
    pointers: Vec<Vec<String>>,
    /// Headers that the filter sets, and removes if a client sends them.
    pub(super) own_headers: Vec<HeaderName>,
}

impl<'t> Validator<'t> {
    pub(super) fn new(root: &'t Node, host: HostKind) -> Self {
        let pointers = POINTERS.into_iter().filter_map(pointer_keys).collect();
        Self { root, host, errors: Errors::default(), pointers, own_headers: Vec::new() }
    }

    /// Whether no error was noted since there were so many.
    pub(super) fn has_no_error_since(&self, count: usize) -> bool {
        self.errors.count() == count
    }

    pub(super) fn error(&mut self, at: &Node, message: fmt::Arguments<'_>) {
        self.error_below(at, "", message);
    }

    /// Notes an error of a member, which may be missing; with an empty name, an error of the object itself.
    pub(super) fn error_below(&mut self, object: &Node, name: &str, message: fmt::Arguments<'_>) {
        // Many errors must not take the time to search a path each.
        if self.errors.is_full() {
            self.errors.push("", "");
            return;
        }
        let mut path = String::new();
        for part in path_to(self.root, object).unwrap_or_default().iter().rev() {
            match part {
                PathPart::Member(name) => push_member(&mut path, name),
                // Writing to a string does not fail.
                PathPart::Item(i) => _ = write!(path, "[{i}]"),
            }
        }
        if !name.is_empty() {
            push_member(&mut path, name);
        }
        self.errors.push(path, alloc::fmt::format(message));
    }

    /// An object. An unknown or repeated field is an error.
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

    /// An object with any fields. A repeated field is an error.
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

    /// A list of 1 to `max` items.
    pub(super) fn filled_list<'a>(&mut self, node: &'a Node, max: usize, remedy: &str) -> Option<&'a [Node]> {
        let items = self.list(node, max)?;
        if items.is_empty() {
            self.error(node, format_args!("is empty; {remedy}"));
        }
        Some(items)
    }

    /// The values of all items; `None` if one has an error.
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

    /// A text of at most [`TEXT_BYTES_MAX`] bytes.
    pub(super) fn text<'a>(&mut self, node: &'a Node, empty: Empty) -> Option<&'a str> {
        let text = self.string(node)?;
        if text.is_empty() && empty == Empty::Refused {
            self.error(node, format_args!("is empty; write a value, or leave it out"));
            return None;
        }
        if text.len() > TEXT_BYTES_MAX {
            let found = text.len();
            self.error(node, format_args!("is {found} bytes long, but at most {TEXT_BYTES_MAX} are allowed"));
            return None;
        }
        Some(text)
    }

    /// A text of 1 to [`TEXT_BYTES_MAX`] bytes.
    pub(super) fn filled_text(&mut self, node: &Node) -> Option<String> {
        self.text(node, Empty::Refused).map(str::to_owned)
    }

    /// The value of one of these words.
    pub(super) fn choice<T: Copy, const N: usize>(
        &mut self,
        node: &Node,
        choices: [(&str, T); N],
    ) -> Option<T> {
        let index = self.word(node, &choices.map(|(word, _)| word))?;
        choices.get(index).map(|(_, value)| *value)
    }

    /// The part of [`Self::choice`] that does not depend on a type, so that the module has it only once.
    fn word(&mut self, node: &Node, words: &[&str]) -> Option<usize> {
        let found = self.string(node)?;
        let index = words.iter().position(|word| *word == found);
        if index.is_none() {
            let (found, words) = (quoted(found), either(words));
            self.error(node, format_args!("is {found}; write {words}"));
        }
        index
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

    /// The index of a pointer among all of the configuration.
    pub(super) fn pointer_index(&mut self, keys: Vec<String>) -> usize {
        let known = self.pointers.iter().position(|known| *known == keys);
        known.unwrap_or_else(|| {
            let index = self.pointers.len();
            self.pointers.push(keys);
            index
        })
    }

    pub(super) fn take_pointers(&mut self) -> Vec<Vec<String>> {
        core::mem::take(&mut self.pointers)
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

    /// A field that must not be missing. `what` says what to write.
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

/// A part of a path.
enum PathPart<'a> {
    Member(&'a str),
    Item(usize),
}

/// The path from a node to a node below it, which is recognised by its address. The last part comes first.
fn path_to<'a>(from: &'a Node, to: &Node) -> Option<Vec<PathPart<'a>>> {
    if core::ptr::eq(from, to) {
        return Some(Vec::new());
    }
    let members = from.members().iter().map(|(name, node)| (PathPart::Member(name), node));
    let items = from.items().iter().enumerate().map(|(i, node)| (PathPart::Item(i), node));
    members.chain(items).find_map(|(part, node)| {
        let mut path = path_to(node, to)?;
        path.push(part);
        Some(path)
    })
}

/// The keys of a JSON pointer; `None` if this is not one, or the one of the whole document.
pub(super) fn pointer_keys(pointer: &str) -> Option<Vec<String>> {
    let keys = pointer.strip_prefix('/')?.split('/');
    Some(keys.map(unescaped).collect())
}

/// A key with `~0` and `~1` decoded.
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

#[cfg(test)]
mod tests {
    use super::pointer_keys;

    #[test]
    fn pointers() {
        let keys = |pointer: &str| pointer_keys(pointer).map(|keys| keys.join("|"));
        assert_eq!(keys("/a~1b~0c/~01/~/~2/"), Some("a/b~c|~1|~|~2|".to_owned()));
        assert_eq!((keys(""), keys("a/b")), (None, None));
    }
}
