//! What a configuration may say of a request: what it matches, and what it may ask for.

use super::reader::{Empty, Field, Reader, member, quoted};
use super::sources::{checked_input_header, input_header};
use super::versions::version_index;
use super::{
    HEADERS_MAX, HOSTS_MAX, HostPattern, MODELS_MAX, Match, OVERRIDE_VALUES_MAX, OVERRIDES_MAX, Override,
};
use crate::headers::HeaderName;

pub(super) fn matcher(r: &mut Reader, field: &Field<'_>, removed: &[HeaderName]) -> Option<Match> {
    let object = r.object(field, &["hosts", "path_prefix", "headers", "models"])?;
    let hosts = match object.get("hosts") {
        Some(field) => hosts(r, &field),
        None => Some(Vec::new()),
    };
    let path_prefix = match object.get("path_prefix") {
        Some(field) => path(r, &field).map(Some),
        None => Some(None),
    };
    let headers = match object.get("headers") {
        Some(field) => headers(r, &field, |r, path, name| checked_input_header(r, path, name, removed)),
        None => Some(Vec::new()),
    };
    let models = match object.get("models") {
        Some(field) => models(r, &field),
        None => Some(Vec::new()),
    };
    Some(Match { hosts: hosts?, path_prefix: path_prefix?, headers: headers?, models: models? })
}

fn models(r: &mut Reader, field: &Field<'_>) -> Option<Vec<String>> {
    let fields = r.list(field, MODELS_MAX)?;
    if fields.is_empty() {
        r.error(&field.path, "is empty; name a model, or leave the field out to match every body");
    }
    let models: Vec<Option<String>> =
        fields.iter().map(|field| r.text(field, Empty::Refused).map(str::to_owned)).collect();
    models.into_iter().collect()
}

fn hosts(r: &mut Reader, field: &Field<'_>) -> Option<Vec<HostPattern>> {
    let fields = r.list(field, HOSTS_MAX)?;
    if fields.is_empty() {
        r.error(&field.path, "is empty; name a host, or leave the field out to match every host");
    }
    let hosts: Vec<Option<HostPattern>> = fields.iter().map(|field| host(r, field)).collect();
    hosts.into_iter().collect()
}

fn host(r: &mut Reader, field: &Field<'_>) -> Option<HostPattern> {
    let written = r.text(field, Empty::Refused)?;
    let host = written.to_ascii_lowercase();
    let is_name = |name: &str| {
        !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.')
    };
    let is_ipv6 = |name: &str| {
        let inner = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        inner.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
    };
    if let Some(parent) = host.strip_prefix("*.").filter(|parent| is_name(parent)) {
        return Some(HostPattern::Below(format!(".{parent}")));
    }
    if is_name(&host) || is_ipv6(&host) {
        return Some(HostPattern::Exact(host));
    }
    let remedy = if host == "*" {
        "leave \"hosts\" out to match every host"
    } else {
        "write \"llm.example.com\" or \"*.example.com\", without scheme, port or path"
    };
    r.error(&field.path, format!("{} is not a host; {remedy}", quoted(written)));
    None
}

/// A path or the beginning of one.
pub(super) fn path(r: &mut Reader, field: &Field<'_>) -> Option<String> {
    let prefix = r.text(field, Empty::Refused)?;
    let remedy = if !prefix.starts_with('/') {
        "start it with '/'"
    } else if prefix.contains(['?', '#']) {
        "it is compared with the path alone; end it before the query"
    } else if !prefix.bytes().all(|b| b.is_ascii_graphic()) {
        "write it as it is sent, with %XX for anything but ASCII"
    } else {
        return Some(prefix.to_owned());
    };
    r.error(&field.path, format!("{} can never match; {remedy}", quoted(prefix)));
    None
}

/// Headers, each once, with their values. `check` says what their names may be.
pub(super) fn headers(
    r: &mut Reader,
    field: &Field<'_>,
    check: impl Fn(&mut Reader, &str, &str) -> Option<HeaderName>,
) -> Option<Vec<(HeaderName, String)>> {
    let members = r.members(field)?;
    if members.len() > HEADERS_MAX {
        let message = format!("has {} headers, but at most {HEADERS_MAX} are allowed", members.len());
        r.error(&field.path, message);
        return None;
    }
    let mut headers = Vec::new();
    for (i, (name, node)) in members.iter().enumerate() {
        let field = Field { path: member(&field.path, name), node };
        // The same spelling twice has been noted already.
        let mut earlier = members.iter().take(i).map(|(earlier, _)| earlier);
        if let Some(other) = earlier.find(|other| *other != name && other.eq_ignore_ascii_case(name)) {
            r.error(&field.path, format!("is the same header as {}; keep one", quoted(other)));
        }
        let header = check(r, &field.path, name);
        headers.extend(header.zip(header_value(r, &field)));
    }
    Some(headers)
}

/// A value that a header can have.
fn header_value(r: &mut Reader, field: &Field<'_>) -> Option<String> {
    let value = r.text(field, Empty::Refused)?;
    if value.trim() != value || value.contains(char::is_control) {
        let message = format!(
            "{} is no header's value; these have no spaces around them and no control characters",
            quoted(value)
        );
        r.error(&field.path, message);
        return None;
    }
    Some(value.to_owned())
}

pub(super) fn overrides(
    r: &mut Reader,
    field: &Field<'_>,
    names: &[&str],
    removed: &[HeaderName],
) -> Option<Vec<Override>> {
    let fields = r.list(field, OVERRIDES_MAX)?;
    let overrides: Vec<Option<Override>> =
        fields.iter().map(|field| override_(r, field, names, removed)).collect();
    overrides.into_iter().collect()
}

fn override_(r: &mut Reader, field: &Field<'_>, names: &[&str], removed: &[HeaderName]) -> Option<Override> {
    let object = r.object(field, &["header", "values", "version"])?;
    let header = r
        .required(&object, "header", "write the header that asks for a version, such as \"x-llm-cohort\"")
        .and_then(|field| input_header(r, &field, removed));
    let values = r
        .required(&object, "values", "write the values that count, such as [\"staff\"]")
        .and_then(|field| override_values(r, &field));
    let version = r
        .required(&object, "version", "write the name of the version to route to")
        .and_then(|field| version_index(r, &field, names));
    Some(Override { header: header?, values: values?, version: version? })
}

fn override_values(r: &mut Reader, field: &Field<'_>) -> Option<Vec<String>> {
    let fields = r.list(field, OVERRIDE_VALUES_MAX)?;
    if fields.is_empty() {
        r.error(&field.path, "is empty; write at least one value, or remove the override");
    }
    let values: Vec<Option<String>> = fields.iter().map(|field| header_value(r, field)).collect();
    values.into_iter().collect()
}
