//! What a configuration may say: one function a thing, each noting every error it finds.

use super::errors::Errors;
use super::json::Node;
use super::reader::{Field, Object, Reader, listed, member, nearest, quoted};
use super::{
    Config, DEFAULT_KEYS, DEFAULT_USER_KEY, HOSTS_MAX, HostPattern, KEYS_MAX, KeySource, Keyless, Kind,
    MATCH_HEADERS_MAX, METADATA_DEPTH_MAX, Match, NAME_CHARS_MAX, OVERRIDE_VALUES_MAX, OVERRIDES_MAX,
    Override, ROLLOUTS_MAX, Rollout, Source, TEXT_BYTES_MAX, VERSIONS_MAX, Version,
};
use crate::bucket::PARTS;
use crate::headers::HeaderName;
use crate::split::{Share, Split, percent};

const CLUSTER_HEADER: &str = "x-llm-cluster";
const VERSION_HEADER: &str = "x-llm-version";

/// Fields of later versions of llm-canary, and what to do until then.
const ROLLOUT_LATER: [(&str, &str); 4] = [
    ("steps", "write the percentages that hold now as \"split\" and change them with each step"),
    ("started_at", "remove it; the split now in force decides"),
    ("pin", "remove it; the key alone decides"),
    ("feedback", "remove it; route feedback to your own service"),
];
const MATCH_LATER: [(&str, &str); 1] = [("models", "match by hosts, path_prefix or headers")];
const VERSION_LATER: [(&str, &str); 1] =
    [("rewrite", "rewrite on the Envoy route that matches the version header")];
const KEY_LATER: [(&str, &str); 2] = [
    ("body", "use a header, or \"metadata\" filled by Envoy's json_to_metadata filter"),
    ("first_message", "use a header, a cookie or a query parameter"),
];

/// Words after which a dot makes Envoy's or Istio's own tag rules cut a label's value to pieces.
const LABEL_WORDS: [&str; 4] = ["cache", "component", "tag", "wasm_filter"];

/// A percentage's parts per million.
const PARTS_PER_PERCENT: f64 = 10_000.0;
/// How far from whole a percentage's parts may be, to forgive what a decimal loses as a binary number.
const PARTS_TOLERANCE: f64 = 1e-6;

pub(super) fn config(tree: &Node) -> Result<Config, Errors> {
    let mut reader = Reader::default();
    let root = Field { path: String::new(), node: tree };
    let config = read_config(&mut reader, &root);
    match config {
        Some(config) if reader.errors.is_empty() => Ok(config),
        _ => Err(reader.errors),
    }
}

fn read_config(r: &mut Reader, root: &Field<'_>) -> Option<Config> {
    let known = ["cluster_header", "version_header", "version_on_response", "rollouts"];
    let object = r.object(root, &known, &[])?;
    let cluster_header = output_header(r, &object, "cluster_header", CLUSTER_HEADER);
    let version_header = output_header(r, &object, "version_header", VERSION_HEADER);
    if cluster_header.is_some() && cluster_header == version_header {
        let path = member(&object.path, "version_header");
        r.error(&path, "is the same as cluster_header; give each a name of its own");
    }
    let version_on_response = match object.get("version_on_response") {
        Some(field) => r.bool(&field),
        None => Some(true),
    };
    let removed: Vec<HeaderName> =
        [&cluster_header, &version_header].into_iter().flatten().cloned().collect();
    let rollouts = r
        .required(&object, "rollouts", "write a list of rollouts, or [] to route nothing")
        .and_then(|field| r.list(&field, ROLLOUTS_MAX))
        .map(|fields| rollouts(r, &fields, &removed));
    Some(Config {
        cluster_header: cluster_header?,
        version_header: version_header?,
        version_on_response: version_on_response?,
        rollouts: rollouts?,
    })
}

fn output_header(r: &mut Reader, object: &Object<'_>, name: &str, default: &str) -> Option<HeaderName> {
    let Some(field) = object.get(name) else { return HeaderName::for_output(default).ok() };
    let text = r.string(&field)?;
    HeaderName::for_output(text).map_err(|e| r.error(&field.path, format!("{} {e}", quoted(text)))).ok()
}

fn rollouts(r: &mut Reader, fields: &[Field<'_>], removed: &[HeaderName]) -> Vec<Rollout> {
    let mut names: Vec<&str> = Vec::new();
    let mut rollouts = Vec::new();
    for field in fields {
        let name = field.node.get("name").and_then(Node::as_str);
        if let Some(name) = name {
            if names.contains(&name) {
                let path = member(&field.path, "name");
                r.error(&path, format!("{} names an earlier rollout too; give each its own", quoted(name)));
            }
            names.push(name);
        }
        rollouts.extend(rollout(r, field, removed));
    }
    rollouts
}

fn rollout(r: &mut Reader, field: &Field<'_>, removed: &[HeaderName]) -> Option<Rollout> {
    let known = [
        "name",
        "match",
        "salt",
        "key",
        "keyless",
        "baseline",
        "versions",
        "split",
        "overrides",
        "usage",
        "refusal_phrases",
    ];
    let object = r.object(field, &known, &ROLLOUT_LATER)?;
    let name = r
        .required(&object, "name", "write a short name such as \"chat\"; it is a label of every metric")
        .and_then(|field| rollout_name(r, &field));
    let matcher = match object.get("match") {
        Some(field) => matcher(r, &field, removed),
        None => Some(Match::default()),
    };
    let salt = match object.get("salt") {
        Some(field) => text(r, &field, Empty::Allowed).map(|salt| salt.as_bytes().to_vec()),
        None => name.as_ref().map(|name| name.as_bytes().to_vec()),
    };
    let keys = match object.get("key") {
        Some(field) => keys(r, &field, removed),
        None => Some(default_keys()),
    };
    let keyless = match object.get("keyless") {
        Some(field) => keyless(r, &field),
        None => Some(Keyless::Baseline),
    };
    let versions = r
        .required(&object, "versions", "write a list such as [{\"name\": \"v1\", \"cluster\": \"llm-v1\"}]")
        .and_then(|field| versions(r, &field));
    // What names a version is checked against the names that were written, right or wrong: one error each.
    let names = version_names(&object);
    let baseline = r
        .required(&object, "baseline", "write the name of the version that gets what no other is given")
        .and_then(|field| version_index(r, &field, &names));
    if let Some((baseline, versions)) = baseline.zip(versions.as_ref())
        && versions.get(baseline).is_some_and(|version| version.stopped)
    {
        let path = member(&object.path, "baseline");
        let name = names.get(baseline).copied().unwrap_or_default();
        r.error(&path, format!("{} is stopped; conversations must have somewhere to go", quoted(name)));
    }
    let split = match object.get("split") {
        Some(field) => split(r, &field, &names, baseline),
        None => baseline.map(Split::baseline),
    };
    let overrides = match object.get("overrides") {
        Some(field) => overrides(r, &field, &names, removed),
        None => Some(Vec::new()),
    };
    only_default(r, &object, "usage", &Node::String("as_is".to_owned()), "\"as_is\"");
    only_default(r, &object, "refusal_phrases", &Node::Bool(false), "false");
    Some(Rollout {
        name: name?,
        matcher: matcher?,
        salt: salt?,
        keys: keys?,
        keyless: keyless?,
        baseline: baseline?,
        versions: versions?,
        split: split?,
        overrides: overrides?,
    })
}

/// A field of which this version knows but one value.
fn only_default(r: &mut Reader, object: &Object<'_>, name: &str, default: &Node, written: &str) {
    if let Some(field) = object.get(name).filter(|field| field.node != default) {
        let message =
            format!("can only be {written} in this version of llm-canary; write that or leave the field out");
        r.error(&field.path, message);
    }
}

fn rollout_name(r: &mut Reader, field: &Field<'_>) -> Option<String> {
    let name = r.string(field)?;
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || !name.chars().all(allowed) {
        let message = format!(
            "{} is not a rollout name; use 1 to {NAME_CHARS_MAX} of a-z, 0-9, '_' and '-'",
            quoted(name)
        );
        r.error(&field.path, message);
        return None;
    }
    Some(name.to_owned())
}

fn versions(r: &mut Reader, field: &Field<'_>) -> Option<Vec<Version>> {
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
        versions.push(version(r, field));
    }
    versions.into_iter().collect()
}

fn version(r: &mut Reader, field: &Field<'_>) -> Option<Version> {
    let object = r.object(field, &["name", "cluster", "stopped"], &VERSION_LATER)?;
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
    Some(Version { name: name?, cluster: cluster?, stopped: stopped? })
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
    let cluster = text(r, field, Empty::Refused)?;
    if !cluster.bytes().all(|b| b.is_ascii_graphic()) {
        let message = format!("{} cannot be sent as a header; use ASCII without spaces", quoted(cluster));
        r.error(&field.path, message);
        return None;
    }
    Some(cluster.to_owned())
}

/// The names in `versions` as they were written; empty where there is none.
fn version_names<'a>(rollout: &Object<'a>) -> Vec<&'a str> {
    let Some(field) = rollout.get("versions") else { return Vec::new() };
    let name = |version: &'a Node| version.get("name").and_then(Node::as_str).unwrap_or_default();
    field.node.items().iter().take(VERSIONS_MAX).map(name).collect()
}

/// The version a field names.
fn version_index(r: &mut Reader, field: &Field<'_>, names: &[&str]) -> Option<usize> {
    let name = r.string(field)?;
    find_version(r, &field.path, name, names)
}

fn find_version(r: &mut Reader, path: &str, name: &str, names: &[&str]) -> Option<usize> {
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

fn split(r: &mut Reader, field: &Field<'_>, names: &[&str], baseline: Option<usize>) -> Option<Split> {
    let members = r.members(field)?;
    let mut shares = Vec::new();
    let mut terms = Vec::new();
    let mut sum: u32 = 0;
    for (name, node) in members {
        let field = Field { path: member(&field.path, name), node };
        let version = find_version(r, &field.path, name, names);
        let parts = parts(r, &field);
        if version.is_some() && version == baseline {
            r.error(&field.path, "is the baseline, which gets what no other version is given; remove it");
            continue;
        }
        if let Some(parts) = parts {
            sum = sum.saturating_add(parts);
            terms.push(format!("{} {}", name.escape_debug(), percent(parts)));
        }
        shares.extend(version.zip(parts).map(|(version, parts)| Share { version, parts }));
    }
    if sum > PARTS {
        let message = format!(
            "{} = {} percent, but versions can be given at most 100; lower one",
            terms.join(" + "),
            percent(sum)
        );
        r.error(&field.path, message);
        return None;
    }
    Some(Split::baseline(baseline?).then(&shares))
}

/// A percentage as parts per million, exactly.
fn parts(r: &mut Reader, field: &Field<'_>) -> Option<u32> {
    let percent = r.number(field)?;
    if !(0.0..=100.0).contains(&percent) {
        r.error(&field.path, format!("is {percent}, but a percentage is from 0 to 100"));
        return None;
    }
    let exact = percent * PARTS_PER_PERCENT;
    let parts = exact.round();
    if (exact - parts).abs() > PARTS_TOLERANCE {
        r.error(&field.path, format!("is {percent}, but the finest percentage is 0.0001; round it"));
        return None;
    }
    Some(parts as u32)
}

fn keyless(r: &mut Reader, field: &Field<'_>) -> Option<Keyless> {
    match r.string(field)? {
        "baseline" => Some(Keyless::Baseline),
        "random" => Some(Keyless::Random),
        other => {
            r.error(&field.path, format!("is {}; write \"baseline\" or \"random\"", quoted(other)));
            None
        }
    }
}

fn default_keys() -> Vec<KeySource> {
    let conversations = DEFAULT_KEYS.iter().map(|name| (*name, Kind::Conversation));
    conversations
        .chain([(DEFAULT_USER_KEY, Kind::User)])
        .filter_map(|(name, kind)| {
            Some(KeySource { source: Source::Header(HeaderName::new(name).ok()?), kind })
        })
        .collect()
}

fn keys(r: &mut Reader, field: &Field<'_>, removed: &[HeaderName]) -> Option<Vec<KeySource>> {
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
        "query" => text(r, field, Empty::Refused).map(|name| Source::Query(name.to_owned())),
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
    let name = text(r, field, Empty::Refused)?;
    if let Some(c) = name.chars().find(|c| !c.is_ascii_graphic() || "()<>@,;:\\\"/[]?={}".contains(*c)) {
        r.error(&field.path, format!("{} is not a cookie name because of {c:?}", quoted(name)));
        return None;
    }
    Some(name.to_owned())
}

fn metadata_path(r: &mut Reader, field: &Field<'_>) -> Option<Vec<String>> {
    let path = text(r, field, Empty::Refused)?;
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

fn matcher(r: &mut Reader, field: &Field<'_>, removed: &[HeaderName]) -> Option<Match> {
    let object = r.object(field, &["hosts", "path_prefix", "headers"], &MATCH_LATER)?;
    let hosts = match object.get("hosts") {
        Some(field) => hosts(r, &field),
        None => Some(Vec::new()),
    };
    let path_prefix = match object.get("path_prefix") {
        Some(field) => path_prefix(r, &field).map(Some),
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
    let written = text(r, field, Empty::Refused)?;
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

fn path_prefix(r: &mut Reader, field: &Field<'_>) -> Option<String> {
    let prefix = text(r, field, Empty::Refused)?;
    let remedy = if !prefix.starts_with('/') {
        "start it with '/'"
    } else if prefix.contains(['?', '#']) {
        "a prefix is compared with the path alone; end it before the query"
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
    let value = text(r, field, Empty::Refused)?;
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

fn overrides(
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

#[derive(Clone, Copy, PartialEq)]
enum Empty {
    Allowed,
    Refused,
}

/// A text of at most [`TEXT_BYTES_MAX`].
fn text<'a>(r: &mut Reader, field: &Field<'a>, empty: Empty) -> Option<&'a str> {
    let text = r.string(field)?;
    if text.is_empty() && empty == Empty::Refused {
        r.error(&field.path, "is empty; write something, or leave it out");
        return None;
    }
    if text.len() > TEXT_BYTES_MAX {
        r.error(
            &field.path,
            format!("is {} bytes long, but at most {TEXT_BYTES_MAX} are allowed", text.len()),
        );
        return None;
    }
    Some(text)
}
