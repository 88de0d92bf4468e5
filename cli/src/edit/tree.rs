//! A configuration's text as a tree that knows where each value stands.
//!
//! In: JSON or YAML. Out: a [`Tree`] of byte ranges. Values are kept only where something is found by
//! them: keys and scalars, as text.

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};
use std::ops::Range;

/// How the text around a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    Json,
    Yaml,
}

/// How a list or an object is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Between brackets.
    Flow,
    /// One line or more each, behind dashes or keys in this column.
    Block {
        /// Bytes before the first dash or key of its line.
        column: usize,
    },
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
    Literal,
    /// A way that is not edited: folded text.
    Other,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    /// From its first byte to after its last; a block's comments are not part of it.
    pub(super) span: Range<usize>,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Scalar {
        text: String,
        style: Style,
    },
    List {
        items: Vec<Tree>,
        layout: Layout,
    },
    Object {
        members: Vec<Member>,
        layout: Layout,
    },
    /// What stands elsewhere.
    Alias,
}

#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) key: String,
    pub(super) key_span: Range<usize>,
    pub(super) value: Tree,
}

impl Tree {
    pub(super) fn member(&self, name: &str) -> Option<&Member> {
        self.members().iter().find(|member| member.key == name)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.member(name).map(|member| &member.value)
    }

    pub(super) fn members(&self) -> &[Member] {
        if let Kind::Object { members, .. } = &self.kind { members } else { &[] }
    }

    pub(super) fn items(&self) -> &[Self] {
        if let Kind::List { items, .. } = &self.kind { items } else { &[] }
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Kind::Scalar { text, .. } = &self.kind { Some(text) } else { None }
    }
}

/// One JSON document that is known to be one.
pub(super) fn json(text: &str) -> Option<Tree> {
    let mut reader = Json { text, at: 0 };
    reader.value()
}

struct Json<'a> {
    text: &'a str,
    at: usize,
}

impl Json<'_> {
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        self.at += rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
        self.text.as_bytes().get(self.at).copied()
    }

    /// Whether the next byte is this one, which is then passed.
    fn passes(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn value(&mut self) -> Option<Tree> {
        let first = self.peek()?;
        let start = self.at;
        let layout = Layout::Flow;
        let kind = match first {
            b'{' => {
                self.at += 1;
                let mut members = Vec::new();
                while !self.passes(b'}') {
                    self.peek()?;
                    let key_start = self.at;
                    let key = self.string()?;
                    let key_span = key_start..self.at;
                    self.passes(b':').then_some(())?;
                    members.push(Member { key, key_span, value: self.value()? });
                    self.passes(b',');
                }
                Kind::Object { members, layout }
            }
            b'[' => {
                self.at += 1;
                let mut items = Vec::new();
                while !self.passes(b']') {
                    items.push(self.value()?);
                    self.passes(b',');
                }
                Kind::List { items, layout }
            }
            b'"' => Kind::Scalar { text: self.string()?, style: Style::Double },
            _ => {
                let is_end = |b: &u8| b",]}".contains(b) || b.is_ascii_whitespace();
                let rest = self.text.as_bytes().get(self.at..)?;
                self.at += rest.iter().position(is_end).unwrap_or(rest.len());
                Kind::Scalar { text: self.text.get(start..self.at)?.to_owned(), style: Style::Plain }
            }
        };
        Some(Tree { span: start..self.at, kind })
    }

    fn string(&mut self) -> Option<String> {
        let start = self.at;
        let mut bytes = self.text.as_bytes().get(start..)?.iter().enumerate().skip(1);
        loop {
            match bytes.next()? {
                (_, b'\\') => {
                    bytes.next();
                }
                (end, b'"') => {
                    self.at = start + end + 1;
                    return serde_json::from_str(self.text.get(start..self.at)?).ok();
                }
                _ => {}
            }
        }
    }
}

/// How nothing is written in YAML.
const NULLS: [&str; 5] = ["", "~", "null", "Null", "NULL"];

/// The documents of a YAML text, but for empty ones.
pub(super) fn yaml(text: &str) -> Option<Vec<Tree>> {
    let mut reader = Yaml { parser: Parser::new_from_str(text), text };
    let mut documents = Vec::new();
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => return Some(documents),
            (Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd, _) => {}
            (event, span) => documents.push(reader.value(event, span)?),
        }
        let is_null = |tree: &Tree| match &tree.kind {
            Kind::Scalar { text, style: Style::Plain } => NULLS.contains(&text.as_str()),
            _ => false,
        };
        documents.pop_if(|last| is_null(last));
    }
}

struct Yaml<'a> {
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    text: &'a str,
}

impl<'a> Yaml<'a> {
    /// The next event that is not a comment.
    fn next(&mut self) -> Option<(Event<'a>, Span)> {
        loop {
            match self.parser.next_event()?.ok()? {
                (Event::Comment(..), _) => {}
                found => return Some(found),
            }
        }
    }

    fn value(&mut self, event: Event<'a>, span: Span) -> Option<Tree> {
        let range = span.byte_range()?;
        let layout = |style, column| match style {
            StructureStyle::Flow => Layout::Flow,
            StructureStyle::Block => Layout::Block { column },
        };
        match event {
            Event::Scalar(text, style, ..) => {
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted => Style::Single,
                    ScalarStyle::DoubleQuoted => Style::Double,
                    ScalarStyle::Literal => Style::Literal,
                    _ => Style::Other,
                };
                let kind = Kind::Scalar { text: text.into_owned(), style };
                Some(Tree { span: self.trimmed(range), kind })
            }
            Event::SequenceStart(style, ..) => {
                let mut items: Vec<Tree> = Vec::new();
                let end = loop {
                    match self.next()? {
                        (Event::SequenceEnd, span) => break span.byte_range()?.end,
                        (event, span) => items.push(self.value(event, span)?),
                    }
                };
                let layout = layout(style, items.first().map_or(0, |item| self.dash_column(item.span.start)));
                let last = items.last().map(|item| item.span.end);
                Some(Tree { span: range.start..ended(layout, last, end), kind: Kind::List { items, layout } })
            }
            Event::MappingStart(style, ..) => {
                let layout = layout(style, range.start - line_start(self.text, range.start));
                let mut members = Vec::new();
                let end = loop {
                    let (event, span) = self.next()?;
                    if matches!(event, Event::MappingEnd) {
                        break span.byte_range()?.end;
                    }
                    let key = self.value(event, span)?;
                    let (event, span) = self.next()?;
                    let value = self.value(event, span)?;
                    let name = key.text().unwrap_or_default().to_owned();
                    members.push(Member { key: name, key_span: key.span, value });
                };
                let last = members.last().map(|member: &Member| member.value.span.end);
                Some(Tree {
                    span: range.start..ended(layout, last, end),
                    kind: Kind::Object { members, layout },
                })
            }
            Event::Alias(_) => Some(Tree { span: range, kind: Kind::Alias }),
            _ => None,
        }
    }

    /// Where the dash before a list's first item stands in its line.
    fn dash_column(&self, item: usize) -> usize {
        let before = self.text.get(..item).unwrap_or_default().trim_end();
        let line = line_start(self.text, before.len());
        indent_of(self.text, line).len()
    }

    /// A range without the blank lines that end it, which belong to nothing.
    fn trimmed(&self, range: Range<usize>) -> Range<usize> {
        let text = self.text.get(range.clone()).unwrap_or_default();
        range.start..range.start + text.trim_end().len()
    }
}

/// A block ends with its last value; the parser's own end is where the next thing begins.
fn ended(layout: Layout, last: Option<usize>, end: usize) -> usize {
    match (layout, last) {
        (Layout::Block { .. }, Some(last)) => last,
        _ => end,
    }
}

/// Where the line of a place begins.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
}

/// Where the line of a place ends, before its line break.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let line = rest.split('\n').next().unwrap_or_default();
    at + line.strip_suffix('\r').unwrap_or(line).len()
}

/// The blanks a line begins with.
pub(super) fn indent_of(text: &str, at: usize) -> &str {
    let line = text.get(line_start(text, at)..).unwrap_or_default();
    let blanks = line.bytes().take_while(|b| matches!(b, b' ' | b'\t')).count();
    line.get(..blanks).unwrap_or_default()
}

/// Whether only blanks stand before a place in its line.
pub(super) fn begins_line(text: &str, at: usize) -> bool {
    line_start(text, at) + indent_of(text, at).len() == at
}

/// The line break a text uses.
pub(super) fn newline(text: &str) -> &'static str {
    if text.split_once('\n').is_some_and(|(line, _)| line.ends_with('\r')) { "\r\n" } else { "\n" }
}
