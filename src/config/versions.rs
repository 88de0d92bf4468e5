//! What a configuration may say of versions.

use super::json::Node;
use super::validator::{Empty, Validator};
use super::words::{listed, nearest, quoted};
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

/// Notes a name that another has already.
pub(super) fn first_of_its_name<'n>(
    r: &mut Validator<'_>,
    node: &'n Node,
    names: &mut Vec<&'n str>,
    what: &str,
) {
    let Some(field) = node.get("name") else { return };
    let Some(name) = field.as_str() else { return };
    if names.contains(&name) {
        let name = quoted(name);
        r.error(field, format_args!("{name} names an earlier {what} too; give each its own"));
    }
    names.push(name);
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

/// The names in `versions` as they were written; empty where there is none.
pub(super) fn version_names(rollout: &Node) -> Vec<&str> {
    let versions = rollout.get("versions").map(Node::items).unwrap_or_default();
    let name = |version| Node::get(version, "name").and_then(Node::as_str).unwrap_or_default();
    versions.iter().take(VERSIONS_MAX).map(name).collect()
}

/// The version a field names.
pub(super) fn version_index(r: &mut Validator<'_>, node: &Node, names: &[&str]) -> Option<usize> {
    let name = r.string(node)?;
    find_version(r, node, name, names)
}

pub(super) fn find_version(r: &mut Validator<'_>, node: &Node, name: &str, names: &[&str]) -> Option<usize> {
    let found = names.iter().position(|known| *known == name && !known.is_empty());
    // Where no version has a name, that is the error; what names one need not say so again.
    let named: Vec<&str> = names.iter().copied().filter(|known| !known.is_empty()).collect();
    if found.is_none() && !named.is_empty() {
        let name_quoted = quoted(name);
        match nearest(name, &named) {
            Some(nearest) => {
                let nearest = quoted(nearest);
                r.error(node, format_args!("there is no version {name_quoted}; did you mean {nearest}?"));
            }
            None => {
                let known = listed(&named);
                r.error(node, format_args!("there is no version {name_quoted}; the versions are {known}"));
            }
        }
    }
    found
}
