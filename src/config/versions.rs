//! What a configuration may say of versions.

use super::json::Node;
use super::reader::{Empty, Field, Object, Reader, listed, member, nearest, quoted};
use super::{NAME_CHARS_MAX, Rewrite, VERSIONS_MAX, Version, rewrite};
use crate::headers::HeaderName;
use crate::pin::Token;

/// Words after which a dot makes Envoy's or Istio's own tag rules cut a label's value to pieces.
const LABEL_WORDS: [&str; 4] = ["cache", "component", "tag", "wasm_filter"];

pub(super) fn versions(
    r: &mut Reader,
    field: &Field<'_>,
    rollout: Option<&str>,
    removed: &[HeaderName],
) -> Option<Vec<Version>> {
    let fields = r.list(field, VERSIONS_MAX)?;
    if fields.is_empty() {
        r.error(&field.path, "is empty; a rollout needs at least its baseline");
    }
    let mut names: Vec<&str> = Vec::new();
    let mut versions = Vec::new();
    for field in &fields {
        if let Some(name) = field.node.get("name").and_then(Node::as_str) {
            if names.contains(&name) {
                let path = member(&field.path, "name");
                r.error(&path, format!("{} names an earlier version too; give each its own", quoted(name)));
            }
            names.push(name);
        }
        versions.push(version(r, field, rollout, removed));
    }
    versions.into_iter().collect()
}

fn version(
    r: &mut Reader,
    field: &Field<'_>,
    rollout: Option<&str>,
    removed: &[HeaderName],
) -> Option<Version> {
    let object = r.object(field, &["name", "cluster", "stopped", "rewrite"])?;
    let name = r
        .required(&object, "name", "write a short name such as \"v1\"; it is a label of every metric")
        .and_then(|field| version_name(r, &field));
    let cluster = r
        .required(
            &object,
            "cluster",
            "write the Envoy cluster that serves this version (its name again where routes match the version header)",
        )
        .and_then(|field| cluster(r, &field));
    let stopped = match object.get("stopped") {
        Some(field) => r.bool(&field),
        None => Some(false),
    };
    let rewrite = match object.get("rewrite") {
        Some(field) => rewrite::rewrite(r, &field, removed),
        None => Some(Rewrite::default()),
    };
    let (name, cluster) = (name?, cluster?);
    let token = Token::of(rollout?, &name);
    Some(Version { name, cluster, stopped: stopped?, token, rewrite: rewrite? })
}

fn version_name(r: &mut Reader, field: &Field<'_>) -> Option<String> {
    let name = r.string(field)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_' || c == '-';
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || !name.chars().all(allowed) {
        let message = format!(
            "{} is not a version name; use 1 to {NAME_CHARS_MAX} letters, digits, '.', '_' and '-'",
            quoted(name)
        );
        r.error(&field.path, message);
        return None;
    }
    let cut = LABEL_WORDS.iter().find(|word| name.contains(&format!("{word}.")));
    if let Some(word) = cut {
        let message = format!(
            "{} would be taken apart in metrics, where \"{word}.\" has a meaning of its own; write {}",
            quoted(name),
            quoted(&name.replace(&format!("{word}."), &format!("{word}-")))
        );
        r.error(&field.path, message);
        return None;
    }
    Some(name.to_owned())
}

fn cluster(r: &mut Reader, field: &Field<'_>) -> Option<String> {
    let cluster = r.text(field, Empty::Refused)?;
    if !cluster.bytes().all(|b| b.is_ascii_graphic()) {
        let message = format!("{} cannot be sent as a header; use ASCII without spaces", quoted(cluster));
        r.error(&field.path, message);
        return None;
    }
    Some(cluster.to_owned())
}

/// The names in `versions` as they were written; empty where there is none.
pub(super) fn version_names<'a>(rollout: &Object<'a>) -> Vec<&'a str> {
    let Some(field) = rollout.get("versions") else { return Vec::new() };
    let name = |version: &'a Node| version.get("name").and_then(Node::as_str).unwrap_or_default();
    field.node.items().iter().take(VERSIONS_MAX).map(name).collect()
}

/// The version a field names.
pub(super) fn version_index(r: &mut Reader, field: &Field<'_>, names: &[&str]) -> Option<usize> {
    let name = r.string(field)?;
    find_version(r, &field.path, name, names)
}

pub(super) fn find_version(r: &mut Reader, path: &str, name: &str, names: &[&str]) -> Option<usize> {
    let found = names.iter().position(|known| *known == name && !known.is_empty());
    // Where no version has a name, that is the error; what names one need not say so again.
    let named: Vec<&str> = names.iter().copied().filter(|known| !known.is_empty()).collect();
    if found.is_none() && !named.is_empty() {
        let remedy = match nearest(name, &named) {
            Some(nearest) => format!("did you mean {nearest}?"),
            None => format!("the versions are {}", listed(&named)),
        };
        r.error(path, format!("there is no version {}; {remedy}", quoted(name)));
    }
    found
}
