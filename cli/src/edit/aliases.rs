//! Writes out aliases (`*name`) and merges (`<<: *name`) of YAML, so that what they stand for can be changed in one place.
//!
//! In: a text, and the place of a rollout in it. Out: the text in which the values stand in place of the aliases, as JSON on one
//! line, which YAML reads. It reads the same. Nothing else in it changes: not the anchors, and no comment.

use super::spanned::{self, Content, Layout, SpannedNode, begins_line, indent_of, newline};
use super::text_edit::{EmbeddedText, TextEdit, apply};
use crate::base64;
use crate::plugin::{self, PathSegment};
use crate::yaml;
use llm_canary::config::json::Node;

/// The key of YAML 1.1 under which the members of other objects are merged into an object.
const MERGE: &str = "<<";
/// How deep texts may stand in one another.
const TEXTS_MAX: usize = 8;

/// Which aliases are written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Those in the rollout, and on the way to it.
    Rollout,
    /// All of the document: others may stand for a part of the rollout.
    Document,
}

/// The text without the aliases of a scope; `None` if there are none, or they cannot be written out.
pub(super) fn written_out(text: &str, path: &[PathSegment], rollout: usize, scope: Scope) -> Option<String> {
    let mut written = None::<String>;
    // The aliases of a text are written out before those of the texts in it.
    for _ in 0..TEXTS_MAX {
        let current = written.as_deref().unwrap_or(text);
        let edits = edits(current, path, rollout, scope)?;
        if edits.is_empty() {
            break;
        }
        written = Some(apply(current, edits)?);
    }
    written
}

/// The edits of the outermost text that has aliases.
fn edits(text: &str, path: &[PathSegment], rollout: usize, scope: Scope) -> Option<Vec<TextEdit>> {
    if plugin::is_json(text.as_bytes()) {
        return Some(Vec::new());
    }
    let readable = plugin::readable(text);
    let (documents, values) = (spanned::yaml(&readable)?, yaml::documents(&readable).ok()?);
    let (PathSegment::Document(document), path) = path.split_first()? else { return None };
    let (mut node, mut value) = (documents.get(*document)?, values.get(*document)?);
    let mut writer = AliasWriter { text, edits: Vec::new() };
    if scope == Scope::Document {
        writer.all(node, value)?;
        if !writer.edits.is_empty() {
            return Some(writer.edits);
        }
    }
    let is_done = |writer: &AliasWriter<'_>| !writer.edits.is_empty();
    let own = [PathSegment::Member("rollouts".to_owned()), PathSegment::Item(rollout)];
    let whole: Vec<&PathSegment> = path.iter().chain(&own).collect();
    for (at, segment) in whole.iter().enumerate() {
        writer.this(node, value)?;
        if is_done(&writer) {
            return Some(writer.edits);
        }
        match segment {
            PathSegment::Member(name) => (node, value) = (node.get(name)?, value.get(name)?),
            PathSegment::Item(index) => {
                (node, value) = (node.items().get(*index)?, value.items().get(*index)?)
            }
            PathSegment::Base64 => {
                let inner = String::from_utf8(base64::decode(node.text()?)?).ok()?;
                let edits = edits(&inner, path.get(at + 1..)?, rollout, scope)?;
                let is_empty = edits.is_empty();
                let edit = super::replace_base64(text, node, &apply(&inner, edits)?)?;
                return Some(if is_empty { Vec::new() } else { vec![edit] });
            }
            PathSegment::Document(_) => {
                let embedded = EmbeddedText::new(text, node)?;
                let inner = edits(&embedded.text, path.get(at..)?, rollout, scope)?;
                return inner.iter().map(|edit| embedded.to_outer(edit)).collect();
            }
        }
    }
    writer.all(node, value)?;
    Some(writer.edits)
}

struct AliasWriter<'a> {
    text: &'a str,
    edits: Vec<TextEdit>,
}

impl AliasWriter<'_> {
    /// Writes out the aliases of a node and of all below it.
    fn all(&mut self, node: &SpannedNode, value: &Node) -> Option<()> {
        self.this(node, value)?;
        for member in node.members().iter().filter(|member| member.key != MERGE) {
            self.all(&member.value, value.get(&member.key)?)?;
        }
        for (item, value) in node.items().iter().zip(value.items()) {
            self.all(item, value)?;
        }
        Some(())
    }

    /// Writes out a node that is an alias, or into which others are merged.
    fn this(&mut self, node: &SpannedNode, value: &Node) -> Option<()> {
        match &node.content {
            Content::Alias => self.edits.push(TextEdit { range: node.span.clone(), text: flow(value) }),
            Content::Object { members, layout } => {
                let Some(merge) = members.iter().find(|member| member.key == MERGE) else { return Some(()) };
                let is_own = |name: &str| members.iter().any(|member| member.key == name);
                let merged: Vec<String> = value
                    .members()
                    .iter()
                    .filter(|(name, _)| !is_own(name))
                    .map(|(name, value)| format!("{}: {}", quoted(name), flow(value)))
                    .collect();
                let range = merge.key_span.start..merge.value.span.end;
                // Nothing is merged, so nothing has to be written out.
                if !merged.is_empty() {
                    let line_break = match layout {
                        Layout::Block { column } => format!("{}{}", newline(self.text), " ".repeat(*column)),
                        Layout::Flow if begins_line(self.text, range.start) => {
                            format!(",{}{}", newline(self.text), indent_of(self.text, range.start))
                        }
                        Layout::Flow => ", ".to_owned(),
                    };
                    self.edits.push(TextEdit { range, text: merged.join(&line_break) });
                }
            }
            Content::Scalar { .. } | Content::List { .. } => {}
        }
        Some(())
    }
}

/// A value as JSON on one line.
fn flow(value: &Node) -> String {
    let joined = |parts: Vec<String>| parts.join(", ");
    match value {
        Node::Null => "null".to_owned(),
        Node::Bool(value) => value.to_string(),
        Node::Number(number) => number.to_string(),
        Node::String(text) => quoted(text),
        Node::List(items) => format!("[{}]", joined(items.iter().map(flow).collect())),
        Node::Object(members) => {
            let member = |(name, value): &(String, Node)| format!("{}: {}", quoted(name), flow(value));
            format!("{{{}}}", joined(members.iter().map(member).collect()))
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
