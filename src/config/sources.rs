//! Checks sources of values in a request: `key` and `started_at`.

use super::headers::{cookie_name, input_header};
use super::json::Node;
use super::messages::{listed, quoted};
use super::validator::{Empty, Validator, pointer_keys};
use super::{
    DEFAULT_BODY_KEYS, DEFAULT_KEYS, DEFAULT_USER_BODY_KEYS, DEFAULT_USER_KEY, HostKind, KEYS_MAX, KeyKind,
    KeySource, METADATA_DEPTH_MAX, NATIVE_METADATA_DEPTH_MAX, Source,
};
use crate::headers::HeaderName;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// The fields that name a source.
const SOURCES: [&str; 5] = ["header", "cookie", "query", "body", "metadata"];
const FIRST_MESSAGE: &str = "first_message";

pub(super) fn default_keys(v: &mut Validator<'_>) -> Vec<KeySource> {
    let header = |name: &str| HeaderName::new(name).ok().map(Source::Header);
    let mut body = |pointer: &str| pointer_keys(pointer).map(|keys| Source::Body(v.pointer_index(keys)));
    let mut conversations: Vec<Option<Source>> = DEFAULT_KEYS.into_iter().map(header).collect();
    conversations.extend(DEFAULT_BODY_KEYS.into_iter().map(&mut body));
    let mut users: Vec<Option<Source>> = DEFAULT_USER_BODY_KEYS.into_iter().map(&mut body).collect();
    users.push(header(DEFAULT_USER_KEY));
    let of_kind = |kind| move |source| KeySource { source, kind };
    let conversations = conversations.into_iter().flatten().map(of_kind(KeyKind::Conversation));
    conversations.chain(users.into_iter().flatten().map(of_kind(KeyKind::User))).collect()
}

pub(super) fn keys(v: &mut Validator<'_>, node: &Node) -> Option<Vec<KeySource>> {
    let remedy = "name at least one source, or leave the field out to use the defaults";
    let items = v.filled_list(node, KEYS_MAX, remedy)?;
    v.each(items, key)
}

fn key(v: &mut Validator<'_>, node: &Node) -> Option<KeySource> {
    let [header, cookie, query, body, metadata] = SOURCES;
    let object = v.object(node, &[header, cookie, query, body, metadata, FIRST_MESSAGE, "kind"])?;
    let kind = match object.get("kind") {
        Some(node) => v.choice(node, [("conversation", KeyKind::Conversation), ("user", KeyKind::User)]),
        None => Some(KeyKind::Conversation),
    };
    let sources = [header, cookie, query, body, metadata, FIRST_MESSAGE];
    let source = source(v, object, &sources, "x-conversation-id");
    Some(KeySource { source: source?, kind: kind? })
}

/// The source of the time at which a conversation began.
pub(super) fn started_at(v: &mut Validator<'_>, node: &Node) -> Option<Source> {
    let object = v.object(node, &SOURCES)?;
    source(v, object, &SOURCES, "x-conversation-started-at")
}

/// The one source that an object names. `fields` are the fields that may name it.
fn source(v: &mut Validator<'_>, object: &Node, fields: &[&str], example: &str) -> Option<Source> {
    let given: Vec<&str> = fields.iter().copied().filter(|name| object.get(name).is_some()).collect();
    let [name] = given.as_slice() else {
        if given.is_empty() {
            v.error(object, format_args!("names no source; write one such as {{\"header\": \"{example}\"}}"));
        } else {
            let names = listed(&given);
            v.error(object, format_args!("names several sources, {names}; write each as an item of its own"));
        }
        return None;
    };
    let node = object.get(name)?;
    match *name {
        "header" => input_header(v, node).map(Source::Header),
        "cookie" => cookie_name(v, node).map(Source::Cookie),
        "query" => v.filled_text(node).map(Source::Query),
        "body" => v.pointer(node).map(|keys| Source::Body(v.pointer_index(keys))),
        FIRST_MESSAGE => first_message(v, node),
        _ => metadata_path(v, node).map(Source::Metadata),
    }
}

fn first_message(v: &mut Validator<'_>, node: &Node) -> Option<Source> {
    let is_wanted = v.bool(node)?;
    if !is_wanted {
        let remedy = "write true, or remove the item";
        v.error(node, format_args!("is false, so this item names no source; {remedy}"));
    }
    is_wanted.then_some(Source::FirstMessage)
}

fn metadata_path(v: &mut Validator<'_>, node: &Node) -> Option<Vec<String>> {
    let path = v.text(node, Empty::Refused)?;
    let parts: Vec<String> = path.split('/').map(str::to_owned).collect();
    let (depth_max, example) = match v.host {
        HostKind::WebAssembly => (METADATA_DEPTH_MAX, "envoy.filters.http.jwt_authn/payload/sub"),
        HostKind::Native => (NATIVE_METADATA_DEPTH_MAX, "com.example.session/id"),
    };
    let is_complete = parts.len() >= 2 && !parts.iter().any(String::is_empty);
    if is_complete && parts.len() <= depth_max {
        return Some(parts);
    }
    let path = quoted(path);
    if is_complete && v.host == HostKind::Native {
        let keys = parts.len().saturating_sub(1);
        let remedy = "have that filter put the value into a header (jwt_authn: claim_to_headers), and write \"header\"";
        let message =
            format_args!("{path} has {keys} keys, but Envoy can give a native module one only; {remedy}");
        v.error(node, message);
    } else {
        let remedy = format_args!("write both, such as \"{example}\", at most {depth_max} parts");
        v.error(node, format_args!("{path} is not the name of a filter and a key; {remedy}"));
    }
    None
}
