//! YAML 1.2 → JSON, as js-yaml reads it: `yes` and `12:30` are texts, `0o17` is 15, `<<` merges.
//!
//! In: a text. Out: the value of its only document. The parser's events are put together here, because aliases multiply:
//! what they add up to is limited before it exists. A date becomes an empty object, which is what promptfoo makes of it. A tag
//! that is not known stays a mark on the value: it names code, and code is never run.

mod scalar;
#[cfg(test)]
mod tests;

use crate::limits::{DEPTH_MAX, TEXT_BYTES_MAX, VALUES_MAX};
use granit_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Map, Value};

/// The field by which a value with an unknown tag is known: `!function utils.f` is `{"!function": "utils.f"}`.
pub const TAG_MARK: char = '!';

/// What is done with a name that an object has twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// The text is refused, as js-yaml does.
    Refused,
    /// The last one counts, as in Python.
    LastCounts,
}

/// The value of a text's only document; `None` if it has none.
///
/// # Errors
/// A sentence without its subject.
pub fn parse(text: &str, duplicates: Duplicates) -> Result<Option<Value>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("is larger than {} MiB", TEXT_BYTES_MAX >> 20));
    }
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        anchors: Vec::new(),
        duplicates,
        size: Size::default(),
        depth: 0,
    };
    let mut found = None;
    loop {
        let Some(event) = reader.next()? else { return Ok(found) };
        match event {
            Event::StreamEnd => return Ok(found),
            Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
            _ if found.is_some() => return Err("has more than one document; keep one".to_owned()),
            event => found = Some(reader.node(event)?.value),
        }
    }
}

/// What a value and all within it amount to.
#[derive(Clone, Copy, Default)]
struct Size {
    values: usize,
    bytes: usize,
}

#[derive(Clone)]
struct Node {
    value: Value,
    size: Size,
    /// `<<`, unquoted, as a name.
    is_merge: bool,
}

struct Reader<'a> {
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    /// By the parser's number of the anchor.
    anchors: Vec<(usize, Node)>,
    duplicates: Duplicates,
    /// Of all that was made so far.
    size: Size,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// The next event that is no comment.
    fn next(&mut self) -> Result<Option<Event<'a>>, String> {
        loop {
            match self.parser.next_event() {
                None => return Ok(None),
                Some(Ok((Event::Comment(..) | Event::Anchor(..), _))) => {}
                Some(Ok((event, span))) => {
                    let _: Span = span;
                    return Ok(Some(event));
                }
                Some(Err(error)) => {
                    let at = error.marker();
                    return Err(format!(
                        "is not YAML: it breaks off or breaks a rule at line {} column {}",
                        at.line(),
                        at.col() + 1
                    ));
                }
            }
        }
    }

    fn expect(&mut self) -> Result<Event<'a>, String> {
        self.next()?.ok_or_else(|| "is not YAML: it ends too early".to_owned())
    }

    fn grow(&mut self, by: Size) -> Result<(), String> {
        self.size.values = self.size.values.saturating_add(by.values);
        self.size.bytes = self.size.bytes.saturating_add(by.bytes);
        if self.size.values > VALUES_MAX || self.size.bytes > TEXT_BYTES_MAX {
            return Err(format!(
                "is too large with its aliases written out: over {VALUES_MAX} values or {} MiB",
                TEXT_BYTES_MAX >> 20
            ));
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'a>) -> Result<Node, String> {
        let before = self.size;
        let (value, anchor, tag, is_merge) = match event {
            Event::Alias(id) => {
                let found = self.anchors.iter().rev().find(|(anchor, _)| *anchor == id);
                let size = found.map(|(_, node)| node.size);
                // An anchor is known when its value is whole, so that no value holds itself.
                let size = size.ok_or("has an alias (*name) that stands within its own anchor (&name)")?;
                self.grow(size)?;
                let node =
                    self.anchors.iter().rev().find(|(anchor, _)| *anchor == id).map(|(_, node)| node.clone());
                return node.ok_or_else(|| "has an alias (*name) without an anchor (&name)".to_owned());
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.grow(Size { values: 1, bytes: text.len() })?;
                let is_plain = style == ScalarStyle::Plain && tag.is_none();
                let core = tag.as_ref().and_then(|tag| tag.core_suffix());
                let value = scalar::value(&text, is_plain, core)?;
                (value, anchor, tag, is_plain && text == "<<")
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.grow(Size { values: 1, bytes: 0 })?;
                (self.sequence()?, anchor, tag, false)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.grow(Size { values: 1, bytes: 0 })?;
                (self.mapping()?, anchor, tag, false)
            }
            _ => return Err("is not YAML: something stands where a value should".to_owned()),
        };
        let value = match tag.filter(|tag| tag.core_suffix().is_none()) {
            Some(tag) => {
                let mut marked = Map::new();
                marked.insert(format!("{TAG_MARK}{}", tag.suffix()), value);
                Value::Object(marked)
            }
            None => value,
        };
        let size = Size { values: self.size.values - before.values, bytes: self.size.bytes - before.bytes };
        let node = Node { value, size, is_merge };
        if anchor != 0 {
            self.anchors.push((anchor, node.clone()));
        }
        Ok(node)
    }

    fn deeper(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("is nested deeper than {DEPTH_MAX}"));
        }
        Ok(())
    }

    fn sequence(&mut self) -> Result<Value, String> {
        self.deeper()?;
        let mut items = Vec::new();
        loop {
            match self.expect()? {
                Event::SequenceEnd => break,
                event => items.push(self.node(event)?.value),
            }
        }
        self.depth -= 1;
        Ok(Value::Array(items))
    }

    fn mapping(&mut self) -> Result<Value, String> {
        self.deeper()?;
        let mut fields = Map::new();
        let mut merged = Vec::new();
        loop {
            let key = match self.expect()? {
                Event::MappingEnd => break,
                event => self.node(event)?,
            };
            let event = self.expect()?;
            let value = self.node(event)?.value;
            if key.is_merge {
                merged.push(value);
                continue;
            }
            let name = name_of(&key.value)?;
            if fields.contains_key(&name) && self.duplicates == Duplicates::Refused {
                return Err(format!("has {name:?} twice in one object"));
            }
            fields.insert(name, value);
        }
        self.depth -= 1;
        for value in merged {
            merge(&mut fields, value)?;
        }
        Ok(Value::Object(fields))
    }
}

/// A name in an object is a text, whatever it was.
fn name_of(key: &Value) -> Result<String, String> {
    match key {
        Value::Array(_) | Value::Object(_) => {
            Err("has a list or an object as a name; write names as texts".to_owned())
        }
        key => Ok(crate::js::text(key)),
    }
}

/// Fields of their own win over merged ones, and earlier merged ones over later.
fn merge(fields: &mut Map<String, Value>, value: Value) -> Result<(), String> {
    match value {
        Value::Object(more) => {
            for (name, value) in more {
                fields.entry(name).or_insert(value);
            }
            Ok(())
        }
        Value::Array(items) => items.into_iter().try_for_each(|item| merge_object(fields, item)),
        _ => Err("has a merge (<<) of something that is no object".to_owned()),
    }
}

fn merge_object(fields: &mut Map<String, Value>, value: Value) -> Result<(), String> {
    if value.is_object() {
        merge(fields, value)
    } else {
        Err("has a merge (<<) of something that is no object".to_owned())
    }
}
