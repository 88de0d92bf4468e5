//! Checks names of rollouts and versions, and finds the version that a name means.

use super::VERSIONS_MAX;
use super::json::Node;
use super::messages::{listed, nearest, quoted};
use super::validator::Validator;
use alloc::vec::Vec;

/// Notes an error if an earlier one has the same name. `names` collects the names.
pub(super) fn unique_name<'n>(v: &mut Validator<'_>, node: &'n Node, names: &mut Vec<&'n str>, what: &str) {
    let Some(field) = node.get("name") else { return };
    let Some(name) = field.as_str() else { return };
    if names.contains(&name) {
        let name = quoted(name);
        v.error(field, format_args!("{name} is the name of an earlier {what}; give each its own name"));
    }
    names.push(name);
}

/// The names in `versions` as written; an empty text for a version without a name.
pub(super) fn version_names(rollout: &Node) -> Vec<&str> {
    let versions = rollout.get("versions").map(Node::items).unwrap_or_default();
    let name = |version| Node::get(version, "name").and_then(Node::as_str).unwrap_or_default();
    versions.iter().take(VERSIONS_MAX).map(name).collect()
}

/// The version that a field names, as an index into `names`.
pub(super) fn version_index(v: &mut Validator<'_>, node: &Node, names: &[&str]) -> Option<usize> {
    let name = v.string(node)?;
    find_version(v, node, name, names)
}

/// The version with a name, as an index into `names`.
pub(super) fn find_version(v: &mut Validator<'_>, node: &Node, name: &str, names: &[&str]) -> Option<usize> {
    let found = names.iter().position(|known| *known == name && !known.is_empty());
    // If no version has a name, that is the error. It is not repeated for each field that names a version.
    let named: Vec<&str> = names.iter().copied().filter(|known| !known.is_empty()).collect();
    if found.is_none() && !named.is_empty() {
        let name_quoted = quoted(name);
        match nearest(name, &named) {
            Some(nearest) => {
                let nearest = quoted(nearest);
                v.error(node, format_args!("there is no version {name_quoted}; did you mean {nearest}?"));
            }
            None => {
                let known = listed(&named);
                v.error(node, format_args!("there is no version {name_quoted}; the versions are {known}"));
            }
        }
    }
    found
}
