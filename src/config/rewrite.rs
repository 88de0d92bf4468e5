//! What a configuration may say of how requests are changed for a version.

use super::Rewrite;
use super::headers::{headers, output_header};
use super::json::Node;
use super::paths::path;
use super::validator::{Empty, Validator};
use super::words::quoted;
use alloc::borrow::ToOwned;
use alloc::string::String;

pub(super) fn rewrite(r: &mut Validator<'_>, node: &Node) -> Option<Rewrite> {
    let object = r.object(node, &["host", "path_prefix", "model", "headers"])?;
    Some(Rewrite {
        host: object.get("host").and_then(|node| host(r, node)),
        path_prefix: object.get("path_prefix").and_then(|node| path_prefix(r, node)),
        model: object.get("model").and_then(|node| r.filled_text(node)),
        headers: object.get("headers").and_then(|node| headers(r, node, output_header)).unwrap_or_default(),
    })
}

/// A host, perhaps with a port, as it is sent.
fn host(r: &mut Validator<'_>, node: &Node) -> Option<String> {
    let host = r.text(node, Empty::Refused)?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    if !host.bytes().all(allowed) {
        let host = quoted(host);
        let remedy = "write \"llm.example.com\" or \"llm.example.com:8080\", without scheme or path";
        r.error(node, format_args!("{host} is not a host; {remedy}"));
        return None;
    }
    Some(host.to_owned())
}

fn path_prefix(r: &mut Validator<'_>, node: &Node) -> Option<(String, String)> {
    let object = r.object(node, &["from", "to"])?;
    let mut part = |name, what| r.required(object, name, what).and_then(|node| path(r, node));
    let from = part("from", "write what the path starts with, such as \"/v2/models/chat/\"");
    let to = part("to", "write what it shall start with, such as \"/v2/models/chat/versions/2/\"");
    Some((from?, to?))
}
