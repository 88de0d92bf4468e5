//! Changes a rollout in the text that holds it, and nothing else in that text.
//!
//! In: the text, the place of the configuration in it, the schedule before and after. Out: the changed text. The result
//! is read again: it must give the new schedule, and apart from that the same configuration as before.

mod aliases;
pub(crate) mod history;
pub(crate) mod schedule;
mod spanned;
mod text_edit;
mod writer;

use crate::base64;
use crate::plugin::{self, PathSegment, PluginConfig};
use aliases::Scope;
use llm_canary::config::json::Node;
use schedule::Schedule;
use spanned::{Content, Quoting, SpannedNode, Syntax};
use text_edit::{EmbeddedText, TextEdit, apply, compact};
use writer::RolloutWriter;

/// What an edit does with the blanks and line breaks of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spacing {
    /// It keeps them.
    Kept,
    /// It drops those that mean nothing. Only JSON can be written so.
    Compact,
}

/// The text after a change of one rollout in one of its configurations.
///
/// # Errors
/// A sentence without its subject, if the text uses a notation that cannot be edited.
pub(crate) fn edit(
    text: &str,
    plugin: &PluginConfig,
    rollout: usize,
    old: &Schedule,
    new: &Schedule,
    spacing: Spacing,
) -> Result<String, String> {
    let attempt = |attempted: &str| {
        let edits = edits(attempted, &plugin.path, rollout, old, new, spacing)?;
        apply(attempted, edits).filter(|changed| reads_as(text, changed, plugin, rollout, new))
    };
    let with_written_out = |scope| attempt(&aliases::written_out(text, &plugin.path, rollout, scope)?);
    let changed = attempt(text)
        .or_else(|| with_written_out(Scope::Rollout))
        .or_else(|| with_written_out(Scope::Document));
    changed.ok_or_else(|| {
        "uses a notation of YAML that this tool cannot edit, such as a tag (!name); write the configuration as JSON in a block \
         \"value: |\", or as plain YAML, or change it by hand"
            .to_owned()
    })
}

/// The edits of a text; `path` begins with one of its documents.
fn edits(
    text: &str,
    path: &[PathSegment],
    rollout: usize,
    old: &Schedule,
    new: &Schedule,
    spacing: Spacing,
) -> Option<Vec<TextEdit>> {
    let (syntax, documents) = if plugin::is_json(text.as_bytes()) {
        (Syntax::Json, vec![spanned::json(text)?])
    } else {
        (Syntax::Yaml, spanned::yaml(&plugin::readable(text))?)
    };
    let (PathSegment::Document(document), path) = path.split_first()? else { return None };
    let mut node = documents.get(*document)?;
    for (at, segment) in path.iter().enumerate() {
        node = match segment {
            PathSegment::Member(name) => node.get(name)?,
            PathSegment::Item(index) => node.items().get(*index)?,
            PathSegment::Base64 => {
                let inner = String::from_utf8(base64::decode(node.text()?)?).ok()?;
                let changed = apply(&inner, edits(&inner, path.get(at + 1..)?, rollout, old, new, spacing)?)?;
                return Some(vec![replace_base64(text, node, &changed)?]);
            }
            PathSegment::Document(_) => {
                let embedded = EmbeddedText::new(text, node)?;
                let inner = edits(&embedded.text, path.get(at..)?, rollout, old, new, spacing)?;
                return inner.iter().map(|edit| embedded.to_outer(edit)).collect();
            }
        };
    }
    let rollout = node.get("rollouts")?.items().get(rollout)?;
    let edits = RolloutWriter { text, syntax }.edits(rollout, old, new)?;
    // Inside of a larger document the blanks do not count.
    if spacing == Spacing::Compact && syntax == Syntax::Json && path.is_empty() {
        let text_after = compact(&apply(text, edits)?);
        return Some(vec![TextEdit { range: 0..text.len(), text: text_after }]);
    }
    Some(edits)
}

/// Replaces a text in base64 by another.
fn replace_base64(outer: &str, scalar: &SpannedNode, text: &str) -> Option<TextEdit> {
    let encoded = base64::encode(text.as_bytes());
    let Content::Scalar { quoting, .. } = &scalar.content else { return None };
    match quoting {
        Quoting::Plain => Some(TextEdit { range: scalar.span.clone(), text: encoded }),
        Quoting::Single | Quoting::Double => {
            let inside = scalar.span.start + 1..scalar.span.end.checked_sub(1)?;
            Some(TextEdit { range: inside, text: encoded })
        }
        // A block may have several lines. The last line break stays.
        Quoting::Literal | Quoting::Folded => {
            let embedded = EmbeddedText::new(outer, scalar)?;
            embedded.to_outer(&TextEdit { range: 0..embedded.text.trim_end().len(), text: encoded })
        }
    }
}

/// Whether a changed text gives the new schedule, and apart from that the same configurations. Whether the filter takes it
/// is not asked here.
fn reads_as(text: &str, changed: &str, plugin: &PluginConfig, rollout: usize, new: &Schedule) -> bool {
    let read = |text: &str| plugin::parse("", text.as_bytes()).unwrap_or_default();
    let (before, after) = (read(text), read(changed));
    before.len() == after.len()
        && before.iter().zip(&after).all(|(before, after)| {
            let is_changed = before.path == plugin.path;
            match (&before.tree, &after.tree) {
                (Ok(a), Ok(b)) if is_changed => differs_by(a, b, rollout, new),
                // It has become too long, and the filter's words about that are clearer than any here.
                (Ok(_), Err(_)) if is_changed => true,
                // No edit is made outside of the configuration. The line in an error may be another.
                (Err(_), Err(_)) => true,
                (Ok(a), Ok(b)) => is_same(a, b),
                _ => false,
            }
        })
}

fn differs_by(before: &Node, after: &Node, rollout: usize, new: &Schedule) -> bool {
    let split = |configuration: &Node| {
        let mut rest = configuration.clone();
        let Some(Node::List(rollouts)) = member_mut(&mut rest, "rollouts") else { return None };
        let inner = rollouts.get_mut(rollout)?;
        let schedule = Schedule::read(inner);
        if let Some(Node::List(versions)) = member_mut(inner, "versions") {
            versions.iter_mut().for_each(|version| remove(version, &["stopped"]));
        }
        remove(inner, &["baseline", "split", "steps"]);
        Some((schedule, rest))
    };
    let (before, after) = (split(before), split(after));
    before
        .zip(after)
        .is_some_and(|((_, before), (schedule, after))| schedule == *new && is_same(&before, &after))
}

/// Whether two trees differ in the order of members at most.
fn is_same(a: &Node, b: &Node) -> bool {
    a == b || sorted(a) == sorted(b)
}

/// A tree whose members are in the order of their names. Their order in the text means nothing, and that of merged members is
/// the parser's.
fn sorted(node: &Node) -> Node {
    match node {
        Node::List(items) => Node::List(items.iter().map(sorted).collect()),
        Node::Object(members) => {
            let mut members: Vec<(String, Node)> =
                members.iter().map(|(name, value)| (name.clone(), sorted(value))).collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            Node::Object(members)
        }
        scalar => scalar.clone(),
    }
}

fn member_mut<'a>(node: &'a mut Node, name: &str) -> Option<&'a mut Node> {
    let Node::Object(members) = node else { return None };
    members.iter_mut().find(|(key, _)| key == name).map(|(_, value)| value)
}

fn remove(node: &mut Node, names: &[&str]) {
    if let Node::Object(members) = node {
        members.retain(|(key, _)| !names.contains(&key.as_str()));
    }
}

#[cfg(test)]
mod tests;
