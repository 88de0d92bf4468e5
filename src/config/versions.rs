//! Checks `versions`.

use super::json::Node;
use super::messages::quoted;
use super::names::unique_name;
use super::validator::{Empty, Validator};
use super::{NAME_CHARS_MAX, VERSIONS_MAX, Version, rewrite};
use crate::pin::Token;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// Envoy and Istio have rules that find labels in names of metrics by one of these words and a dot. They would cut a
/// version's name.
const LABEL_WORDS: [&str; 4] = ["cache", "component", "tag", "wasm_filter"];

pub(super) fn versions(v: &mut Validator<'_>, node: &Node, rollout: Option<&str>) -> Option<Vec<Version>> {
    let items = v.filled_list(node, VERSIONS_MAX, "write at least the baseline")?;
    let mut names: Vec<&str> = Vec::new();
    v.each(items, |v, node| {
        unique_name(v, node, &mut names, "version");
        version(v, node, rollout)
    })
}

fn version(v: &mut Validator<'_>, node: &Node, rollout: Option<&str>) -> Option<Version> {
    let object = v.object(node, &["name", "cluster", "stopped", "rewrite"])?;
    let name = v
        .required(object, "name", "write a short name such as \"v1\"; it is a label of every metric")
        .and_then(|node| version_name(v, node));
    let cluster = v
        .required(
            object,
            "cluster",
            "write the Envoy cluster of this version (or its name again, if routes match the version header)",
        )
        .and_then(|node| cluster(v, node));
    let stopped = object.get("stopped").map_or(Some(false), |node| v.bool(node));
    let rewrite = object.get("rewrite").and_then(|node| rewrite::rewrite(v, node)).unwrap_or_default();
    let (name, stopped) = (name?, stopped?);
    Some(Version { cluster: cluster?, stopped, token: Token::of(rollout?, &name), name, rewrite })
}

fn version_name(v: &mut Validator<'_>, node: &Node) -> Option<String> {
    let name = v.string(node)?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.bytes().all(allowed) {
        let name = quoted(name);
        let remedy = "letters, digits, '.', '_' and '-'";
        v.error(node, format_args!("{name} is not a version name; use 1 to {NAME_CHARS_MAX} {remedy}"));
        return None;
    }
    let is_cut = |before: &str| LABEL_WORDS.iter().copied().find(|word| before.ends_with(word));
    let mut dots = name.bytes().enumerate().filter(|(_, byte)| *byte == b'.');
    if let Some((before, word, after)) = dots.find_map(|(at, _)| {
        let (before, after) = name.split_at_checked(at)?;
        Some((before, is_cut(before)?, after))
    }) {
        let after = after.get(1..).unwrap_or_default();
        let remedy = format!("{before}-{after}");
        let message = format_args!(
            "{} would be cut in metrics, because \"{word}.\" begins a label there; write {}",
            quoted(name),
            quoted(&remedy)
        );
        v.error(node, message);
        return None;
    }
    Some(name.to_owned())
}

fn cluster(v: &mut Validator<'_>, node: &Node) -> Option<String> {
    let cluster = v.text(node, Empty::Refused)?;
    if !cluster.bytes().all(|b| b.is_ascii_graphic()) {
        let cluster = quoted(cluster);
        v.error(node, format_args!("{cluster} cannot be sent as a header; use ASCII without spaces"));
        return None;
    }
    Some(cluster.to_owned())
}
