//! Changes a rollout in the text an operator keeps it in, and nothing else of that text.
//!
//! In: the text, where the configuration stands in it, the plan before and after. Out: the changed text. It is read
//! again before anyone gets it: it must give the new plan, and otherwise just what it gave before.

pub(crate) mod plan;
mod rewrite;
mod splice;
mod tree;

use crate::source::{self, Part, Plugin};
use llm_canary::config::json::Node;
use plan::Plan;
use rewrite::Writer;
use splice::{Embedded, apply};
use tree::{Syntax, Tree};

/// The text with one rollout of one of its configurations changed.
///
/// # Errors
/// In words, where the text is written in a way that is not edited.
pub(crate) fn edit(
    text: &str,
    plugin: &Plugin,
    rollout: usize,
    old: &Plan,
    new: &Plan,
) -> Result<String, String> {
    let by_hand = || {
        "is written in a way that is not edited here, such as an alias or a folded text; write the configuration as JSON \
         in a block \"value: |\", or as plain YAML, or change it by hand"
            .to_owned()
    };
    let changed = changed(text, plugin, rollout, old, new).ok_or_else(by_hand)?;
    is_meant(text, &changed, plugin, rollout, new).then_some(changed).ok_or_else(by_hand)
}

fn changed(text: &str, plugin: &Plugin, rollout: usize, old: &Plan, new: &Plan) -> Option<String> {
    let (syntax, documents) = if source::is_json(text.as_bytes()) {
        (Syntax::Json, vec![tree::json(text)?])
    } else {
        (Syntax::Yaml, tree::yaml(text)?)
    };
    let configuration = walk(documents.get(plugin.document)?, &plugin.path)?;
    if !plugin.is_text {
        let splices = splices(text, syntax, configuration, rollout, old, new)?;
        return apply(text, splices);
    }
    let embedded = Embedded::new(text, configuration)?;
    let inner = tree::json(&embedded.text)?;
    let splices = splices(&embedded.text, Syntax::Json, &inner, rollout, old, new)?;
    apply(text, splices.iter().map(|splice| embedded.outward(splice)).collect::<Option<_>>()?)
}

fn splices(
    text: &str,
    syntax: Syntax,
    configuration: &Tree,
    rollout: usize,
    old: &Plan,
    new: &Plan,
) -> Option<Vec<splice::Splice>> {
    let rollout = configuration.get("rollouts")?.items().get(rollout)?;
    Writer { text, syntax }.splices(rollout, old, new)
}

fn walk<'a>(tree: &'a Tree, path: &[Part]) -> Option<&'a Tree> {
    path.iter().try_fold(tree, |tree, part| match part {
        Part::Member(name) => tree.get(name),
        Part::Item(index) => tree.items().get(*index),
    })
}

/// Whether a changed text gives the new plan, and is the same otherwise.
fn is_meant(text: &str, changed: &str, plugin: &Plugin, rollout: usize, new: &Plan) -> bool {
    let read = |text: &str| source::parse("", text.as_bytes()).unwrap_or_default();
    let (before, after) = (read(text), read(changed));
    before.len() == after.len()
        && before.iter().zip(&after).all(|(before, after)| match (&before.tree, &after.tree) {
            (Ok(a), Ok(b)) if before.document == plugin.document && before.path == plugin.path => {
                is_changed_so(a, b, rollout, new)
            }
            (a, b) => a == b,
        })
}

fn is_changed_so(before: &Node, after: &Node, rollout: usize, new: &Plan) -> bool {
    let split = |configuration: &Node| {
        let mut rest = configuration.clone();
        let Some(Node::List(rollouts)) = member_mut(&mut rest, "rollouts") else { return None };
        let inner = rollouts.get_mut(rollout)?;
        let plan = Plan::read(inner);
        if let Some(Node::List(versions)) = member_mut(inner, "versions") {
            versions.iter_mut().for_each(|version| remove(version, &["stopped"]));
        }
        remove(inner, &["baseline", "split", "steps"]);
        Some((plan, rest))
    };
    let (before, after) = (split(before), split(after));
    before.zip(after).is_some_and(|((_, before), (plan, after))| plan == *new && before == after)
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
