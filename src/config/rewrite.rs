//! Checks `rewrite` of a version.

use super::Rewrite;
use super::headers::{headers, output_header_name};
use super::json::Node;
use super::messages::quoted;
use super::paths::path;
use super::validator::{Empty, Validator};
use alloc::borrow::ToOwned;
use alloc::string::String;

pub(super) fn rewrite(v: &mut Validator<'_>, node: &Node) -> Option<Rewrite> {
    let object = v.object(node, &["host", "path_prefix", "model", "headers"])?;
    Some(Rewrite {
        host: object.get("host").and_then(|node| host(v, node)),
        path_prefix: object.get("path_prefix").and_then(|node| path_prefix(v, node)),
        model: object.get("model").and_then(|node| v.filled_text(node)),
        headers: object
            .get("headers")
            .and_then(|node| headers(v, node, output_header_name))
            .unwrap_or_default(),
    })
}

/// A host with or without a port.
fn host(v: &mut Validator<'_>, node: &Node) -> Option<String> {
    let host = v.text(node, Empty::Refused)?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    if !host.bytes().all(allowed) {
        let host = quoted(host);
        let remedy = "write \"llm.example.com\" or \"llm.example.com:8080\", without scheme or path";
        v.error(node, format_args!("{host} is not a host; {remedy}"));
        return None;
    }
    Some(host.to_owned())
}

fn path_prefix(v: &mut Validator<'_>, node: &Node) -> Option<(String, String)> {
    let object = v.object(node, &["from", "to"])?;
    let mut part = |name, what| v.required(object, name, what).and_then(|node| path(v, node));
    let from = part("from", "write the prefix of the path, such as \"/v2/models/chat/\"");
    let to = part("to", "write the new prefix, such as \"/v2/models/chat/versions/2/\"");
    Some((from?, to?))
}
