//! What a configuration may say of a request: what it matches, where its key is, what it may ask for.

use super::reader::{Empty, Field, Reader, listed, member, quoted};
use super::versions::version_index;
use super::{
    DEFAULT_KEYS, DEFAULT_USER_KEY, HOSTS_MAX, HostPattern, KEYS_MAX, KeySource, Kind, MATCH_HEADERS_MAX,
    METADATA_DEPTH_MAX, Match, OVERRIDE_VALUES_MAX, OVERRIDES_MAX, Override, Source,
};
use crate::headers::HeaderName;

/// Fields of later versions of llm-canary, and what to do until then.
const MATCH_LATER: [(&str, &str); 1] = [("models", "match by hosts, path_prefix or headers")];
const KEY_LATER: [(&str, &str); 2] = [
    ("body", "use a header, or \"metadata\" filled by Envoy's json_to_metadata filter"),
    ("first_message", "use a header, a cookie or a query parameter"),
];

pub(super) fn default_keys() -> Vec<KeySource> {
    let conversations = DEFAULT_KEYS.iter().map(|name| (*name, Kind::Conversation));
    conversations
        .chain([(DEFAULT_USER_KEY, Kind::User)])
        .filter_map(|(name, kind)| {
            Some(KeySource { source: Source::Header(HeaderName::new(name).ok()?), kind })
        })
        .collect()
}

pub(super) fn keys(r: &mut Reader, field: &Field<'_>, removed: &[HeaderName]) -> Option<Vec<KeySource>> {
    let fields = r.list(field, KEYS_MAX)?;
    if fields.is_empty() {
        r.error(
            &field.path,
            "is empty; name at least one place, or leave the field out for the usual headers",
        );
    }
    let keys: Vec<Option<KeySource>> = fields.iter().map(|field| key(r, field, removed)).collect();
    keys.into_iter().collect()
}

fn key(r: &mut Reader, field: &Field<'_>, removed: &[HeaderName]) -> Option<KeySource> {
    const SOURCES: [&str; 4] = ["header", "cookie", "query", "metadata"];
    let object = r.object(field, &["header", "cookie", "query", "metadata", "kind"], &KEY_LATER)?;
    let kind = match object.get("kind") {
        Some(field) => kind(r, &field),
        None => Some(Kind::Conversation),
    };
    let given: Vec<(&str, Field<'_>)> =
        SOURCES.iter().filter_map(|name| Some((*name, object.get(name)?))).collect();
    let (name, field) = match given.as_slice() {
        [one] => one,
        [] => {
            let later = KEY_LATER.iter().any(|(name, _)| object.get(name).is_some());
            if !later {
                r.error(&field.path, "names no place; write one such as {\"header\": \"x-conversation-id\"}");
            }
            return None;
        }
        several => {
            let names: Vec<&str> = several.iter().map(|(name, _)| *name).collect();
            let message =
                format!("names several places, {}; write each as an item of its own", listed(&names));
            r.error(&field.path, message);
            return None;
        }
    };
    let source = match *name {
        "header" => input_header(r, field, removed).map(Source::Header),
        "cookie" => cookie_name(r, field).map(Source::Cookie),
        "query" => r.text(field, Empty::Refused).map(|name| Source::Query(name.to_owned())),
        _ => metadata_path(r, field).map(Source::Metadata),
    };
    Some(KeySource { source: source?, kind: kind? })
}

fn kind(r: &mut Reader, field: &Field<'_>) -> Option<Kind> {
    match r.string(field)? {
        "conversation" => Some(Kind::Conversation),
        "user" => Some(Kind::User),
        other => {
            r.error(&field.path, format!("is {}; write \"conversation\" or \"user\"", quoted(other)));
            None
        }
    }
}

/// A header the filter reads from the request.
fn input_header(r: &mut Reader, field: &Field<'_>, removed: &[HeaderName]) -> Option<HeaderName> {
    let text = r.string(field)?;
    checked_input_header(r, &field.path, text, removed)
}

fn checked_input_header(
    r: &mut Reader,
    path: &str,
    text: &str,
    removed: &[HeaderName],
) -> Option<HeaderName> {
    let name = HeaderName::new(text).map_err(|e| r.error(path, format!("{} {e}", quoted(text)))).ok()?;
    if removed.contains(&name) {
        let message = format!(
            "{} is set by the filter, which removes a client's own value first; use another header",
            quoted(text)
        );
        r.error(path, message);
        return None;
    }
    Some(name)
}

fn cookie_name(r: &mut Reader, field: &Field<'_>) -> Option<String> {
    let name = r.text(field, Empty::Refused)?;
    if let Some(c) = name.chars().find(|c| !c.is_ascii_graphic() || "()<>@,;:\\\"/[]?={}".contains(*c)) {
        r.error(&field.path, format!("{} is not a cookie name because of {c:?}", quoted(name)));
        return None;
    }
    Some(name.to_owned())
}

fn metadata_path(r: &mut Reader, field: &Field<'_>) -> Option<Vec<String>> {
    let path = r.text(field, Empty::Refused)?;
    let parts: Vec<String> = path.split('/').map(str::to_owned).collect();
    if parts.len() < 2 || parts.len() > METADATA_DEPTH_MAX || parts.iter().any(String::is_empty) {
        let message = format!(
            "{} is not a filter and a key; write them as \"envoy.filters.http.jwt_authn/payload/sub\", \
             at most {METADATA_DEPTH_MAX} parts",
            quoted(path)
        );
        r.error(&field.path, message);
        return None;
    }
    Some(parts)
}

pub(super) fn matcher(r: &mut Reader, field: &Field<'_>, removed: &[HeaderName]) -> Option<Match> {
    let object = r.object(field, &["hosts", "path_prefix", "headers"], &MATCH_LATER)?;
    let hosts = match object.get("hosts") {
        Some(field) => hosts(r, &field),
        None => Some(Vec::new()),
    };
    let path_prefix = match object.get("path_prefix") {
        Some(field) => path(r, &field).map(Some),
        None => Some(None),
    };
    let headers = match object.get("headers") {
        Some(field) => match_headers(r, &field, removed),
        None => Some(Vec::new()),
    };
    Some(Match { hosts: hosts?, path_prefix: path_prefix?, headers: headers? })
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

fn match_headers(
    r: &mut Reader,
    field: &Field<'_>,
    removed: &[HeaderName],
) -> Option<Vec<(HeaderName, String)>> {
    let members = r.members(field)?;
    if members.len() > MATCH_HEADERS_MAX {
        let message =
            format!("has {} headers, but at most {MATCH_HEADERS_MAX} can be matched", members.len());
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
        let header = checked_input_header(r, &field.path, name, removed);
        headers.extend(header.zip(header_value(r, &field)));
    }
    Some(headers)
}

/// A value to compare with a header's.
fn header_value(r: &mut Reader, field: &Field<'_>) -> Option<String> {
    let value = r.text(field, Empty::Refused)?;
    if value.trim() != value || value.contains(char::is_control) {
        let message = format!(
            "{} can never match; header values have no spaces around them and no control characters",
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
    let object = r.object(field, &["header", "values", "version"], &[])?;
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
