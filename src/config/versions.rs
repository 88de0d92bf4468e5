//! What a configuration may say of versions.

use super::json::Node;
use super::names::first_of_its_name;
use super::validator::{Empty, Validator};
use super::words::quoted;
use super::{NAME_CHARS_MAX, VERSIONS_MAX, Version, rewrite};
use crate::pin::Token;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// Words after which a dot makes Envoy's or Istio's own tag rules cut a label's value to pieces.
const LABEL_WORDS: [&str; 4] = ["cache", "component", "tag", "wasm_filter"];

pub(super) fn versions(r: &mut Validator<'_>, node: &Node, rollout: Option<&str>) -> Option<Vec<Version>> {
    let items = r.filled_list(node, VERSIONS_MAX, "a rollout needs at least its baseline")?;
    let mut names: Vec<&str> = Vec::new();
    r.each(items, |r, node| {
        first_of_its_name(r, node, &mut names, "version");
        version(r, node, rollout)
    })
}

fn version(r: &mut Validator<'_>, node: &Node, rollout: Option<&str>) -> Option<Version> {
    let object = r.object(node, &["name", "cluster", "stopped", "rewrite"])?;
    let name = r
        .required(object, "name", "write a short name such as \"v1\"; it is a label of every metric")
        .and_then(|node| version_name(r, node));
    let cluster = r
        .required(
            object,
            "cluster",
            "write the Envoy cluster that serves this version (its name again where routes match the version header)",
        )
        .and_then(|node| cluster(r, node));
    let stopped = object.get("stopped").map_or(Some(false), |node| r.bool(node));
    let rewrite = object.get("rewrite").and_then(|node| rewrite::rewrite(r, node)).unwrap_or_default();
    let (name, stopped) = (name?, stopped?);
    Some(Version { cluster: cluster?, stopped, token: Token::of(rollout?, &name), name, rewrite })
}

fn version_name(r: &mut Validator<'_>, node: &Node) -> Option<String> {
    let name = r.string(node)?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.bytes().all(allowed) {
        let name = quoted(name);
        let remedy = "letters, digits, '.', '_' and '-'";
        r.error(node, format_args!("{name} is not a version name; use 1 to {NAME_CHARS_MAX} {remedy}"));
        return None;
    }
    let is_cut = |before: &str| LABEL_WORDS.iter().copied().find(|word| before.ends_with(word));
    let mut dots = name.bytes().enumerate().filter(|(_, byte)| *byte == b'.');
    if let Some((before, word)) = dots.find_map(|(at, _)| {
        let before = name.get(..at)?;
        Some((before, is_cut(before)?))
    }) {
        let after = name.get(before.len().saturating_add(1)..).unwrap_or_default();
        let remedy = format!("{before}-{after}");
        let message = format_args!(
            "{} would be taken apart in metrics, where \"{word}.\" has a meaning of its own; write {}",
            quoted(name),
            quoted(&remedy)
        );
        r.error(node, message);
        return None;
    }
    Some(name.to_owned())
}

fn cluster(r: &mut Validator<'_>, node: &Node) -> Option<String> {
    let cluster = r.text(node, Empty::Refused)?;
    if !cluster.bytes().all(|b| b.is_ascii_graphic()) {
        let cluster = quoted(cluster);
        r.error(node, format_args!("{cluster} cannot be sent as a header; use ASCII without spaces"));
        return None;
    }
    Some(cluster.to_owned())
}
