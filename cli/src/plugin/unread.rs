//! Parts of a text that were not read, though they may be meant for llm-canary.
//!
//! In: the text. Out: a sentence for each part.

use super::{ACCEPTED_FILES, Documents, ENVELOPE_FIELDS, find, is_configuration};
use llm_canary::config::json::Node;

/// The parts of a text that were not read, though they may be meant for llm-canary, as sentences. If a text has one part
/// only, that is an error already.
pub(crate) fn unread_parts(name: &str, bytes: &[u8]) -> Vec<String> {
    let mut unread = Vec::new();
    let Ok(documents) = Documents::new(bytes) else { return unread };
    let is_alone = documents.read.len() == 1 && documents.broken.is_empty();
    for (index, document) in documents.read.iter().enumerate() {
        let document_number = documents.number(index);
        let mut check = |part: &Node, place: String| {
            if may_be_meant(part) && !holds_any(part) {
                unread.push(format!(
                    "{name}: document {document_number}{place} was not read, though it may be meant for llm-canary: it is none \
                     of what this tool reads; {ACCEPTED_FILES}"
                ));
            }
        };
        let is_list = document.get("kind").and_then(Node::as_str).is_some_and(|kind| kind.ends_with("List"));
        let list = if is_list { "items" } else { "resources" };
        match document.get(list) {
            Some(Node::List(items)) => {
                // Kustomize lists names of files there.
                let items = items.iter().enumerate().filter(|(_, item)| is_list || item.as_str().is_none());
                items.for_each(|(at, item)| check(item, format!(", {list}[{at}]")));
            }
            _ if !is_alone => check(document, String::new()),
            _ => {}
        }
    }
    unread
}

/// Whether a part of a text is a configuration, or holds one.
fn holds_any(part: &Node) -> bool {
    let mut plugins = Vec::new();
    find(part, &mut Vec::new(), &mut plugins);
    is_configuration(part, false) || !plugins.is_empty()
}

/// Whether a part of a text without a configuration should hold one: it is no resource, or has rollouts somewhere.
fn may_be_meant(part: &Node) -> bool {
    fn has_rollouts(node: &Node) -> bool {
        node.get("rollouts").is_some()
            || node.as_str().is_some_and(|text| text.contains("\"rollouts\""))
            || node.members().iter().any(|(_, inner)| has_rollouts(inner))
            || node.items().iter().any(has_rollouts)
    }
    let is_resource = ENVELOPE_FIELDS.iter().chain(&["@type"]).any(|name| part.get(name).is_some());
    !is_resource || has_rollouts(part)
}
