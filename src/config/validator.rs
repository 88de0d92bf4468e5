//! Walks a tree so that every wrong place is found in one go.
//!
//! Each accessor notes what is wrong and returns `None`; the caller goes on with the rest. A place is its node;
//! the path to it is looked up only where something is wrong.

use super::decimal::Decimal;
use super::errors::Errors;
use super::json::Node;
use super::words::{listed, nearest, push_member, quoted};
use super::{POINTER_PARTS_MAX, POINTERS, TEXT_BYTES_MAX};
use crate::headers::HeaderName;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

/// Fields of one object; no two of ours are near it, and each is compared with all before it.
const MEMBERS_MAX: usize = 256;

/// Whether a text may be empty.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Empty {
    Allowed,
    Refused,
}

/// Collects the errors of a walk, and the places in request bodies that it meets.
pub(super) struct Validator<'t> {
    root: &'t Node,
    pub(super) errors: Errors,
    pointers: Vec<Vec<String>>,
    /// Headers the filter sets, and removes where a client sent them.
    pub(super) removed: Vec<HeaderName>,
}

impl<'t> Validator<'t> {
    pub(super) fn new(root: &'t Node) -> Self {
        let pointers = POINTERS.into_iter().filter_map(pointer_keys).collect();
        Self { root, errors: Errors::default(), pointers, removed: Vec::new() }
    }

    /// Whether no error has been noted since there were so many.
    pub(super) fn is_right_since(&self, count: usize) -> bool {
        self.errors.count() == count
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
        self.errors.push(path, alloc::fmt::format(message));
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

/// A step on the way to a node.
enum Part<'a> {
    Member(&'a str),
    Item(usize),
}

/// The way from a node to one below it, which is told by its address; the last step is first.
fn way<'a>(from: &'a Node, to: &Node) -> Option<Vec<Part<'a>>> {
    if core::ptr::eq(from, to) {
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
