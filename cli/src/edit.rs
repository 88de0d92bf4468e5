//! Changes a rollout in the text that holds it, and nothing else in that text.
//!
//! In: the text, the place of the configuration in it, the schedule before and after. Out: the changed text. The result
//! is read again: it must give the new schedule, and apart from that the same configuration as before.

pub(crate) mod history;
pub(crate) mod schedule;
mod spanned;
mod text_edit;
mod writer;

use crate::plugin::{self, PathSegment, PluginConfig};
use llm_canary::config::json::Node;
use schedule::Schedule;
use spanned::Syntax;
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
    let by_hand = || {
        "uses a notation that this tool cannot edit, such as an alias; write the configuration as JSON in a block \
         \"value: |\", or as plain YAML, or change it by hand"
            .to_owned()
    };
    let changed = edits(text, &plugin.path, rollout, old, new, spacing).and_then(|edits| apply(text, edits));
    let changed = changed.ok_or_else(by_hand)?;
    reads_as(text, &changed, plugin, rollout, new).then_some(changed).ok_or_else(by_hand)
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
                (a, b) => a == b,
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
    before.zip(after).is_some_and(|((_, before), (schedule, after))| schedule == *new && before == after)
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
#[path = "edit/tests.rs"]
mod tests;
