//! Checks paths.

use super::json::Node;
use super::messages::quoted;
use super::validator::{Empty, Validator};
use alloc::borrow::ToOwned;
use alloc::string::String;

/// A path or a prefix of paths.
pub(super) fn path(v: &mut Validator<'_>, node: &Node) -> Option<String> {
    let prefix = v.text(node, Empty::Refused)?;
    let remedy = if !prefix.starts_with('/') {
        "start it with '/'"
    } else if prefix.contains(['?', '#']) {
        "it is compared with the path without the query; leave out the query"
    } else if !prefix.bytes().all(|b| b.is_ascii_graphic()) {
        "write it as clients send it, with %XX for all but ASCII"
    } else {
        return Some(prefix.to_owned());
    };
    v.error(node, format_args!("{} can never match; {remedy}", quoted(prefix)));
    None
}
