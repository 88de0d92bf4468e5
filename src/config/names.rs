//! Names of rollouts and versions: that each is given once, and the version that a name means.

use super::VERSIONS_MAX;
use super::json::Node;
use super::validator::Validator;
use super::words::{listed, nearest, quoted};
use alloc::vec::Vec;

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
