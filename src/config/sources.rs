//! Where a configuration may look for something in a request: a key, or when a conversation began.

use super::headers::{cookie_name, input_header};
use super::json::Node;
use super::validator::{Empty, Validator, pointer_keys};
use super::words::{listed, quoted};
use super::{
    DEFAULT_BODY_KEYS, DEFAULT_KEYS, DEFAULT_USER_BODY_KEYS, DEFAULT_USER_KEY, KEYS_MAX, KeyKind, KeySource,
    METADATA_DEPTH_MAX, Source,
};
use crate::headers::HeaderName;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// The fields that name a place.
const PLACES: [&str; 5] = ["header", "cookie", "query", "body", "metadata"];
const FIRST_MESSAGE: &str = "first_message";

pub(super) fn default_keys(r: &mut Validator<'_>) -> Vec<KeySource> {
    let header = |name: &str| HeaderName::new(name).ok().map(Source::Header);
    let mut body = |pointer: &str| pointer_keys(pointer).map(|keys| Source::Body(r.pointer_index(keys)));
    let mut conversations: Vec<Option<Source>> = DEFAULT_KEYS.into_iter().map(header).collect();
    conversations.extend(DEFAULT_BODY_KEYS.into_iter().map(&mut body));
    let mut users: Vec<Option<Source>> = DEFAULT_USER_BODY_KEYS.into_iter().map(&mut body).collect();
    users.push(header(DEFAULT_USER_KEY));
    let of_kind = |kind| move |source| KeySource { source, kind };
    let conversations = conversations.into_iter().flatten().map(of_kind(KeyKind::Conversation));
    conversations.chain(users.into_iter().flatten().map(of_kind(KeyKind::User))).collect()
}

pub(super) fn keys(r: &mut Validator<'_>, node: &Node) -> Option<Vec<KeySource>> {
    let remedy = "name at least one place, or leave the field out for the usual headers";
    let items = r.filled_list(node, KEYS_MAX, remedy)?;
    r.each(items, key)
}

fn key(r: &mut Validator<'_>, node: &Node) -> Option<KeySource> {
    let [header, cookie, query, body, metadata] = PLACES;
    let object = r.object(node, &[header, cookie, query, body, metadata, FIRST_MESSAGE, "kind"])?;
    let is_user = object.get("kind").map_or(Some(false), |node| r.is_second(node, "conversation", "user"));
    let places = [header, cookie, query, body, metadata, FIRST_MESSAGE];
    let source = source(r, object, &places, "x-conversation-id");
    let kind = if is_user? { KeyKind::User } else { KeyKind::Conversation };
    Some(KeySource { source: source?, kind })
}

/// Where a request says when its conversation began.
pub(super) fn started_at(r: &mut Validator<'_>, node: &Node) -> Option<Source> {
    let object = r.object(node, &PLACES)?;
    source(r, object, &PLACES, "x-conversation-started-at")
}

/// The one place that an object names.
fn source(r: &mut Validator<'_>, object: &Node, places: &[&str], example: &str) -> Option<Source> {
    let given: Vec<&str> = places.iter().copied().filter(|name| object.get(name).is_some()).collect();
    let [name] = given.as_slice() else {
        if given.is_empty() {
            r.error(object, format_args!("names no place; write one such as {{\"header\": \"{example}\"}}"));
        } else {
            let names = listed(&given);
            r.error(object, format_args!("names several places, {names}; write each as an item of its own"));
        }
        return None;
    };
    let node = object.get(name)?;
    match *name {
        "header" => input_header(r, node).map(Source::Header),
        "cookie" => cookie_name(r, node).map(Source::Cookie),
        "query" => r.filled_text(node).map(Source::Query),
        "body" => r.pointer(node).map(|keys| Source::Body(r.pointer_index(keys))),
        FIRST_MESSAGE => first_message(r, node),
        _ => metadata_path(r, node).map(Source::Metadata),
    }
}

fn first_message(r: &mut Validator<'_>, node: &Node) -> Option<Source> {
    let is_wanted = r.bool(node)?;
    if !is_wanted {
        let remedy = "write true, or remove the item";
        r.error(node, format_args!("is false, so this item names no place; {remedy}"));
    }
    is_wanted.then_some(Source::FirstMessage)
}

fn metadata_path(r: &mut Validator<'_>, node: &Node) -> Option<Vec<String>> {
    let path = r.text(node, Empty::Refused)?;
    let parts: Vec<String> = path.split('/').map(str::to_owned).collect();
    if parts.len() < 2 || parts.len() > METADATA_DEPTH_MAX || parts.iter().any(String::is_empty) {
        let path = quoted(path);
        let remedy = "write them as \"envoy.filters.http.jwt_authn/payload/sub\"";
        let message =
            format_args!("{path} is not a filter and a key; {remedy}, at most {METADATA_DEPTH_MAX} parts");
        r.error(node, message);
        return None;
    }
    Some(parts)
}
