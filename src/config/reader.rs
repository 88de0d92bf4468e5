//! Walks a tree with the path in hand, so that every wrong place is found in one go.
//!
//! Each accessor notes what is wrong and returns `None`; the caller goes on with the rest.

use super::decimal::Decimal;
use super::errors::Errors;
use super::json::Node;
use super::{POINTER_PARTS_MAX, POINTERS, TEXT_BYTES_MAX};

/// Longest piece of a configuration repeated in an error.
const QUOTE_CHARS_MAX: usize = 60;
/// Fields of one object; no two of ours are near it, and each is compared with all before it.
const MEMBERS_MAX: usize = 256;
/// Names longer than this are not taken for a misspelling of anything.
const MISSPELLED_BYTES_MAX: usize = 64;
/// A field is taken for a misspelling of another up to this many edits apart.
const MISSPELLED_EDITS_MAX: usize = 2;

/// A value and where it is.
#[derive(Clone)]
pub(super) struct Field<'a> {
    pub(super) path: String,
    pub(super) node: &'a Node,
}

/// An object whose fields are all known, or noted.
pub(super) struct Object<'a> {
    pub(super) path: String,
    members: &'a [(String, Node)],
}

impl<'a> Object<'a> {
    pub(super) fn get(&self, name: &str) -> Option<Field<'a>> {
        let (_, node) = self.members.iter().find(|(key, _)| key == name)?;
        Some(Field { path: member(&self.path, name), node })
    }
}

/// Whether a text may be empty.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Empty {
    Allowed,
    Refused,
}

/// Collects the errors of a walk, and the places in request bodies that it meets.
pub(super) struct Reader {
    pub(super) errors: Errors,
    pointers: Vec<Vec<String>>,
}

impl Default for Reader {
    fn default() -> Self {
        Self { errors: Errors::default(), pointers: POINTERS.into_iter().filter_map(pointer_keys).collect() }
    }
}

impl Reader {
    pub(super) fn error(&mut self, path: &str, message: impl Into<String>) {
        self.errors.push(path, message);
    }

    /// An object, with each unknown or repeated field noted.
    pub(super) fn object<'a>(&mut self, field: &Field<'a>, known: &[&str]) -> Option<Object<'a>> {
        let members = self.members(field)?;
        for (name, _) in members {
            let path = member(&field.path, name);
            if known.contains(&name.as_str()) {
                continue;
            }
            if let Some(nearest) = nearest(name, known) {
                self.error(&path, format!("is not a known field; did you mean {nearest}?"));
            } else {
                let known = listed(known);
                self.error(&path, format!("is not a known field; the fields here are {known}"));
            }
        }
        Some(Object { path: field.path.clone(), members })
    }

    /// An object whose fields the user names, with each repeated one noted.
    pub(super) fn members<'a>(&mut self, field: &Field<'a>) -> Option<&'a [(String, Node)]> {
        let Node::Object(members) = field.node else {
            self.wrong_type(field, "an object {...}");
            return None;
        };
        if members.len() > MEMBERS_MAX {
            let message = format!("has {} fields, but at most {MEMBERS_MAX} are allowed", members.len());
            self.error(&field.path, message);
            return None;
        }
        for (i, (name, _)) in members.iter().enumerate() {
            if members.iter().take(i).any(|(earlier, _)| earlier == name) {
                self.error(&member(&field.path, name), "is given twice; keep one");
            }
        }
        Some(members)
    }

    /// A list of at most `max` items.
    pub(super) fn list<'a>(&mut self, field: &Field<'a>, max: usize) -> Option<Vec<Field<'a>>> {
        let Node::List(items) = field.node else {
            self.wrong_type(field, "a list [...]");
            return None;
        };
        if items.len() > max {
            self.error(&field.path, format!("has {} items, but at most {max} are allowed", items.len()));
            return None;
        }
        let item = |(i, node)| Field { path: format!("{}[{i}]", field.path), node };
        Some(items.iter().enumerate().map(item).collect())
    }

    pub(super) fn string<'a>(&mut self, field: &Field<'a>) -> Option<&'a str> {
        let text = field.node.as_str();
        if text.is_none() {
            self.wrong_type(field, "a string \"...\"");
        }
        text
    }

    /// A text of at most [`TEXT_BYTES_MAX`].
    pub(super) fn text<'a>(&mut self, field: &Field<'a>, empty: Empty) -> Option<&'a str> {
        let text = self.string(field)?;
        if text.is_empty() && empty == Empty::Refused {
            self.error(&field.path, "is empty; write something, or leave it out");
            return None;
        }
        if text.len() > TEXT_BYTES_MAX {
            let message = format!("is {} bytes long, but at most {TEXT_BYTES_MAX} are allowed", text.len());
            self.error(&field.path, message);
            return None;
        }
        Some(text)
    }

    /// A JSON pointer (RFC 6901) as its keys.
    pub(super) fn pointer(&mut self, field: &Field<'_>) -> Option<Vec<String>> {
        let pointer = self.text(field, Empty::Refused)?;
        let Some(keys) = pointer_keys(pointer) else {
            let message =
                format!("{} is not a JSON pointer; start it with '/', such as \"/user\"", quoted(pointer));
            self.error(&field.path, message);
            return None;
        };
        if keys.len() > POINTER_PARTS_MAX {
            let message = format!("has {} parts, but at most {POINTER_PARTS_MAX} are followed", keys.len());
            self.error(&field.path, message);
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

    pub(super) fn bool(&mut self, field: &Field<'_>) -> Option<bool> {
        if let Node::Bool(value) = field.node {
            return Some(*value);
        }
        self.wrong_type(field, "true or false");
        None
    }

    pub(super) fn number<'a>(&mut self, field: &Field<'a>) -> Option<&'a Decimal> {
        if let Node::Number(value) = field.node {
            return Some(value);
        }
        self.wrong_type(field, "a number such as 10 or 0.5");
        None
    }

    /// A field that must be there.
    pub(super) fn required<'a>(&mut self, object: &Object<'a>, name: &str, what: &str) -> Option<Field<'a>> {
        let field = object.get(name);
        if field.is_none() {
            self.error(&member(&object.path, name), format!("is missing; {what}"));
        }
        field
    }

    fn wrong_type(&mut self, field: &Field<'_>, wanted: &str) {
        let found = match field.node {
            Node::Null => "null; leave the field out, or".to_owned(),
            Node::Bool(value) => format!("{value};"),
            Node::Number(value) => format!("the number {value};"),
            Node::String(text) => format!("the string {};", quoted(text)),
            Node::List(_) => "a list;".to_owned(),
            Node::Object(_) => "an object;".to_owned(),
        };
        self.error(&field.path, format!("is {found} write {wanted}"));
    }
}

/// A JSON pointer's keys; `None` where it is none, or the whole document's.
pub(super) fn pointer_keys(pointer: &str) -> Option<Vec<String>> {
    let keys = pointer.strip_prefix('/')?.split('/');
    Some(keys.map(|key| key.replace("~1", "/").replace("~0", "~")).collect())
}

/// The path of an object's member.
pub(super) fn member(path: &str, name: &str) -> String {
    let plain = (1..=QUOTE_CHARS_MAX).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    match (path.is_empty(), plain) {
        (true, true) => name.to_owned(),
        (false, true) => format!("{path}.{name}"),
        (_, false) => format!("{path}[{}]", quoted(name)),
    }
}

/// A piece of the configuration, safe to print and not too long.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTE_CHARS_MAX) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}...", text.get(..end).unwrap_or_default()),
    }
}

/// `a, b and c`, each as it is written in JSON.
pub(super) fn listed<T: AsRef<str>>(names: &[T]) -> String {
    let names: Vec<String> = names.iter().map(|name| quoted(name.as_ref())).collect();
    match names.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The name that was probably meant.
pub(super) fn nearest<T: AsRef<str>>(name: &str, known: &[T]) -> Option<String> {
    let (edits, nearest) =
        known.iter().map(|known| (edits(name, known.as_ref()), known)).min_by_key(|(n, _)| *n)?;
    // Two edits turn any two-letter name into any other.
    let few = edits <= MISSPELLED_EDITS_MAX && edits < name.chars().count().min(nearest.as_ref().len());
    few.then(|| quoted(nearest.as_ref()))
}

/// Levenshtein's distance, without regard to case; the same letters in another order are one edit. Very
/// long names are not compared.
fn edits(a: &str, b: &str) -> usize {
    if a.len().max(b.len()) > MISSPELLED_BYTES_MAX {
        return usize::MAX;
    }
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    if a != b && is_anagram(&a, &b) {
        return 1;
    }
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i.saturating_add(1)];
        let mut left = i.saturating_add(1);
        for (y, above) in b.chars().zip(row.windows(2)) {
            let [diagonal, above] = *above else { continue };
            let replaced = diagonal.saturating_add(usize::from(x != y));
            left = replaced.min(above.saturating_add(1)).min(left.saturating_add(1));
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

fn is_anagram(a: &str, b: &str) -> bool {
    let count = |text: &str, letter| text.chars().filter(|&c| c == letter).count();
    a.len() == b.len() && a.chars().all(|letter| count(a, letter) == count(b, letter))
}

#[cfg(test)]
mod tests {
    use super::{edits, listed, member, nearest, quoted};
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
        assert_eq!(nearest("nmae", &known).as_deref(), Some("\"name\""));
        assert_eq!(nearest("keys", &known).as_deref(), Some("\"key\""));
        assert_eq!(nearest("v2", &known).as_deref(), Some("\"v1\""));
        assert_eq!(nearest("x", &known), None);
        assert_eq!(nearest("something else", &known), None);
        assert_eq!(nearest(&"x".repeat(1 << 20), &known), None);
    }

    #[test]
    fn words() {
        assert_eq!(listed(&["a", "b", "c"]), "\"a\", \"b\" and \"c\"");
        assert_eq!(member("rollouts[0]", "salt"), "rollouts[0].salt");
        assert_eq!(member("", "salt"), "salt");
        assert_eq!(member("split", "v1.2"), "split[\"v1.2\"]");
        assert_eq!(member("", &"x".repeat(1000)).len(), 67, "a path stays short");
        assert_eq!(quoted("a\nb"), "\"a\\nb\"");
        assert_eq!(quoted(&"é".repeat(100)), format!("\"{}\"...", "é".repeat(60)));
    }
}
