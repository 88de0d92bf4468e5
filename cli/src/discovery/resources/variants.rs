//! The same resource in other bytes.

use crate::plugin::{PathSegment, write_json};
use llm_canary::config::json::{INPUT_BYTES_MAX, Node};

/// A text, as Envoy's protobuf has it.
const TEXT_TYPE: &str = "type.googleapis.com/google.protobuf.StringValue";
/// Room for blanks. A configuration that needs it gets none, because it is at the filter's limit.
const BLANKS_BYTES_MAX: usize = u16::BITS as usize;

/// A resource as JSON, and where blanks may stand in it. `inside` leads to the filter's configuration.
///
/// A configuration that is an object becomes a text, in which blanks can stand. Envoy would make one of it, too, before it hands it to the
/// filter.
pub(super) fn prepared(item: &Node, inside: &[PathSegment]) -> (String, Option<usize>) {
    let path = match inside {
        [outer @ .., PathSegment::Document(_)] => outer,
        inside => inside,
    };
    let mut item = item.clone();
    let Some(text) = configuration(&mut item, path) else { return (json(&item), None) };
    let plain = json(&item);
    if text.len().saturating_add(BLANKS_BYTES_MAX) > INPUT_BYTES_MAX {
        return (plain, None);
    }
    // With one more character the two are alike up to that.
    if let Some(node) = at(&mut item, path) {
        *node = Node::String(text + " ");
    }
    let alike = plain.bytes().zip(json(&item).bytes()).take_while(|(one, other)| one == other).count();
    (plain, Some(alike))
}

/// Makes a text of the configuration at this path, with its type, and returns it; `None` if there is none.
fn configuration(item: &mut Node, path: &[PathSegment]) -> Option<String> {
    let (_, outer) = path.split_last()?;
    let value = at(item, path)?;
    let text = value.as_str().map_or_else(|| json(value), str::to_owned);
    *value = Node::String(text.clone());
    if let Some(kind) =
        at(item, outer).and_then(|config| at(config, &[PathSegment::Member("@type".to_owned())]))
    {
        *kind = Node::String(TEXT_TYPE.to_owned());
    }
    Some(text)
}

/// Blanks in a text of JSON that stands in a text of JSON: a pattern for each number.
pub(super) fn blanks(number: u16) -> String {
    (0..u16::BITS).map(|bit| if number >> bit & 1 == 1 { "\\n" } else { " " }).collect()
}

fn json(node: &Node) -> String {
    let mut text = String::new();
    write_json(node, &mut text);
    text
}

fn at<'n>(node: &'n mut Node, path: &[PathSegment]) -> Option<&'n mut Node> {
    path.iter().try_fold(node, |node, segment| match (node, segment) {
        (Node::Object(members), PathSegment::Member(name)) => {
            members.iter_mut().find(|(own, _)| own == name).map(|(_, node)| node)
        }
        (Node::List(items), PathSegment::Item(index)) => items.get_mut(*index),
        _ => None,
    })
}
