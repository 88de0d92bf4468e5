//! What a configuration may say of how requests are changed for a version.

use super::Rewrite;
use super::pin::output_header;
use super::reader::{Empty, Field, Reader, quoted};
use super::requests::{headers, path};
use crate::headers::HeaderName;

pub(super) fn rewrite(r: &mut Reader, field: &Field<'_>, removed: &[HeaderName]) -> Option<Rewrite> {
    let object = r.object(field, &["host", "path_prefix", "model", "headers"])?;
    let host = match object.get("host") {
        Some(field) => host(r, &field).map(Some),
        None => Some(None),
    };
    let path_prefix = match object.get("path_prefix") {
        Some(field) => path_prefix(r, &field).map(Some),
        None => Some(None),
    };
    let model = match object.get("model") {
        Some(field) => r.text(&field, Empty::Refused).map(|model| Some(model.to_owned())),
        None => Some(None),
    };
    let headers = match object.get("headers") {
        Some(field) => headers(r, &field, |r, path, name| output_header(r, path, name, removed)),
        None => Some(Vec::new()),
    };
    Some(Rewrite { host: host?, path_prefix: path_prefix?, model: model?, headers: headers? })
}

/// A host, perhaps with a port, as it is sent.
fn host(r: &mut Reader, field: &Field<'_>) -> Option<String> {
    let host = r.text(field, Empty::Refused)?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    if !host.bytes().all(allowed) {
        let message = format!(
            "{} is not a host; write \"llm.example.com\" or \"llm.example.com:8080\", without scheme or path",
            quoted(host)
        );
        r.error(&field.path, message);
        return None;
    }
    Some(host.to_owned())
}

fn path_prefix(r: &mut Reader, field: &Field<'_>) -> Option<(String, String)> {
    let object = r.object(field, &["from", "to"])?;
    let mut part = |name, what| r.required(&object, name, what).and_then(|field| path(r, &field));
    let from = part("from", "write what the path starts with, such as \"/v2/models/chat/\"");
    let to = part("to", "write what it shall start with, such as \"/v2/models/chat/versions/2/\"");
    Some((from?, to?))
}
