//! Paths in a configuration.

use super::json::Node;
use super::validator::{Empty, Validator};
use super::words::quoted;
use alloc::borrow::ToOwned;
use alloc::string::String;

/// A path or the beginning of one.
pub(super) fn path(r: &mut Validator<'_>, node: &Node) -> Option<String> {
    let prefix = r.text(node, Empty::Refused)?;
    let remedy = if !prefix.starts_with('/') {
        "start it with '/'"
    } else if prefix.contains(['?', '#']) {
        "it is compared with the path alone; end it before the query"
    } else if !prefix.bytes().all(|b| b.is_ascii_graphic()) {
        "write it as it is sent, with %XX for anything but ASCII"
    } else {
        return Some(prefix.to_owned());
    };
    r.error(node, format_args!("{} can never match; {remedy}", quoted(prefix)));
    None
}
