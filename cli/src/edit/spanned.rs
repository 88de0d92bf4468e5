//! Parses JSON or YAML into a tree whose nodes know their place in the text.
//!
//! In: a text. Out: [`SpannedNode`]s with byte ranges. Keys and scalars are kept as text, because edits look for them.

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};
use std::ops::Range;

/// The syntax of the text around a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    Json,
    Yaml,
}

/// How the text lays out a list or an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// In brackets.
    Flow,
    /// Each item or member on lines of its own, after a dash or a key.
    Block {
        /// Bytes in front of the dash or key in its line.
        column: usize,
    },
}

/// How the text quotes a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quoting {
    Plain,
    Single,
    Double,
    /// A block whose lines are kept.
    Literal,
    /// A block whose lines are joined.
    Folded,
}

/// A value, and its place in the text.
#[derive(Clone, Debug)]
pub(super) struct SpannedNode {
    /// The bytes of the value. Comments after a block are not part of it.
    pub(super) span: Range<usize>,
    pub(super) content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Scalar {
        text: String,
        quoting: Quoting,
    },
    List {
        items: Vec<SpannedNode>,
        layout: Layout,
    },
    Object {
        members: Vec<Member>,
        layout: Layout,
    },
    /// A YAML alias: the value stands elsewhere in the text.
    Alias,
}

#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) key: String,
    pub(super) key_span: Range<usize>,
    pub(super) value: SpannedNode,
}

impl SpannedNode {
    pub(super) fn member(&self, name: &str) -> Option<&Member> {
        self.members().iter().find(|member| member.key == name)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.member(name).map(|member| &member.value)
    }

    pub(super) fn members(&self) -> &[Member] {
        if let Content::Object { members, .. } = &self.content { members } else { &[] }
    }

    pub(super) fn items(&self) -> &[Self] {
        if let Content::List { items, .. } = &self.content { items } else { &[] }
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Content::Scalar { text, .. } = &self.content { Some(text) } else { None }
    }
}

/// Parses one JSON document. The text must be valid JSON: it is not checked again.
pub(super) fn json(text: &str) -> Option<SpannedNode> {
    JsonParser { text, at: 0 }.value()
}

struct JsonParser<'a> {
    text: &'a str,
    at: usize,
}

impl JsonParser<'_> {
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        self.at += rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
        self.text.as_bytes().get(self.at).copied()
    }

    /// Skips the next byte if it is this one, and says whether it was.
    fn skip_if(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn value(&mut self) -> Option<SpannedNode> {
        let first = self.peek()?;
        let start = self.at;
        let layout = Layout::Flow;
        let content = match first {
            b'{' => {
                self.at += 1;
                let mut members = Vec::new();
                while !self.skip_if(b'}') {
                    self.peek()?;
                    let key_start = self.at;
                    let key = self.string()?;
                    let key_span = key_start..self.at;
                    self.skip_if(b':').then_some(())?;
                    members.push(Member { key, key_span, value: self.value()? });
                    self.skip_if(b',');
                }
                Content::Object { members, layout }
            }
            b'[' => {
                self.at += 1;
                let mut items = Vec::new();
                while !self.skip_if(b']') {
                    items.push(self.value()?);
                    self.skip_if(b',');
                }
                Content::List { items, layout }
            }
            b'"' => Content::Scalar { text: self.string()?, quoting: Quoting::Double },
            _ => {
                let is_end = |b: &u8| b",]}".contains(b) || b.is_ascii_whitespace();
                let rest = self.text.as_bytes().get(self.at..)?;
                self.at += rest.iter().position(is_end).unwrap_or(rest.len());
                Content::Scalar { text: self.text.get(start..self.at)?.to_owned(), quoting: Quoting::Plain }
            }
        };
        Some(SpannedNode { span: start..self.at, content })
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

/// The plain scalars that YAML reads as null.
const NULLS: [&str; 5] = ["", "~", "null", "Null", "NULL"];

/// Parses every document of a YAML text. Empty documents are left out.
pub(super) fn yaml(text: &str) -> Option<Vec<SpannedNode>> {
    let mut yaml = YamlParser { parser: Parser::new_from_str(text), text };
    let mut documents = Vec::new();
    loop {
        match yaml.next()? {
            (Event::StreamEnd, _) => return Some(documents),
            (Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd, _) => {}
            (event, span) => documents.push(yaml.value(event, span)?),
        }
        let is_null = |node: &SpannedNode| match &node.content {
            Content::Scalar { text, quoting: Quoting::Plain } => NULLS.contains(&text.as_str()),
            _ => false,
        };
        documents.pop_if(|last| is_null(last));
    }
}

struct YamlParser<'a> {
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    text: &'a str,
}

impl<'a> YamlParser<'a> {
    /// The next event that is not a comment.
    fn next(&mut self) -> Option<(Event<'a>, Span)> {
        loop {
            match self.parser.next_event()?.ok()? {
                (Event::Comment(..), _) => {}
                other => return Some(other),
            }
        }
    }

    fn value(&mut self, event: Event<'a>, span: Span) -> Option<SpannedNode> {
        let range = span.byte_range()?;
        let layout = |style, column| match style {
            StructureStyle::Flow => Layout::Flow,
            StructureStyle::Block => Layout::Block { column },
        };
        match event {
            Event::Scalar(text, style, ..) => {
                let quoting = match style {
                    ScalarStyle::Plain => Quoting::Plain,
                    ScalarStyle::SingleQuoted => Quoting::Single,
                    ScalarStyle::DoubleQuoted => Quoting::Double,
                    ScalarStyle::Literal => Quoting::Literal,
                    ScalarStyle::Folded => Quoting::Folded,
                };
                let content = Content::Scalar { text: text.into_owned(), quoting };
                Some(SpannedNode { span: self.trimmed(range), content })
            }
            Event::SequenceStart(style, ..) => {
                let mut items: Vec<SpannedNode> = Vec::new();
                let end = loop {
                    match self.next()? {
                        (Event::SequenceEnd, span) => break span.byte_range()?.end,
                        (event, span) => items.push(self.value(event, span)?),
                    }
                };
                let layout = layout(style, items.first().map_or(0, |item| self.dash_column(item.span.start)));
                let last = items.last().map(|item| item.span.end);
                Some(SpannedNode {
                    span: range.start..content_end(layout, last, end),
                    content: Content::List { items, layout },
                })
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
                Some(SpannedNode {
                    span: range.start..content_end(layout, last, end),
                    content: Content::Object { members, layout },
                })
            }
            Event::Alias(_) => Some(SpannedNode { span: range, content: Content::Alias }),
            _ => None,
        }
    }

    /// The column of the dash in front of a list's first item.
    fn dash_column(&self, item: usize) -> usize {
        let before = self.text.get(..item).unwrap_or_default().trim_end();
        let line = line_start(self.text, before.len());
        indent_of(self.text, line).len()
    }

    /// A range without the blank lines at its end.
    fn trimmed(&self, range: Range<usize>) -> Range<usize> {
        let text = self.text.get(range.clone()).unwrap_or_default();
        range.start..range.start + text.trim_end().len()
    }
}

/// Where a list or an object ends. The parser ends a block where the next token begins; its last value ends it here.
fn content_end(layout: Layout, last: Option<usize>, end: usize) -> usize {
    match (layout, last) {
        (Layout::Block { .. }, Some(last)) => last,
        _ => end,
    }
}

/// Where the line that holds a byte begins.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
}

/// Where that line ends, in front of its line break.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let line = rest.split('\n').next().unwrap_or_default();
    at + line.strip_suffix('\r').unwrap_or(line).len()
}

/// The indentation of that line.
pub(super) fn indent_of(text: &str, at: usize) -> &str {
    let line = text.get(line_start(text, at)..).unwrap_or_default();
    let blanks = line.bytes().take_while(|b| matches!(b, b' ' | b'\t')).count();
    line.get(..blanks).unwrap_or_default()
}

/// Whether only indentation stands in front of a byte in its line.
pub(super) fn begins_line(text: &str, at: usize) -> bool {
    line_start(text, at) + indent_of(text, at).len() == at
}

/// The line break that a text uses.
pub(super) fn newline(text: &str) -> &'static str {
    if text.split_once('\n').is_some_and(|(line, _)| line.ends_with('\r')) { "\r\n" } else { "\n" }
}
