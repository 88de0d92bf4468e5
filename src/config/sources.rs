//! Where a configuration may look for something in a request: a key, or when a conversation began.

use super::reader::{Empty, Field, Object, Reader, listed, pointer_keys, quoted};
use super::{
    DEFAULT_BODY_KEYS, DEFAULT_KEYS, DEFAULT_USER_BODY_KEYS, DEFAULT_USER_KEY, KEYS_MAX, KeySource, Kind,
    METADATA_DEPTH_MAX, Source,
};
use crate::headers::HeaderName;

/// The fields that name a place.
const PLACES: [&str; 5] = ["header", "cookie", "query", "body", "metadata"];
const FIRST_MESSAGE: &str = "first_message";

pub(super) fn default_keys(r: &mut Reader) -> Vec<KeySource> {
    let header = |name: &str| HeaderName::new(name).ok().map(Source::Header);
    let mut body = |pointer: &str| pointer_keys(pointer).map(|keys| Source::Body(r.pointer_index(keys)));
    let mut conversations: Vec<Option<Source>> = DEFAULT_KEYS.into_iter().map(header).collect();
    conversations.extend(DEFAULT_BODY_KEYS.into_iter().map(&mut body));
    let mut users: Vec<Option<Source>> = DEFAULT_USER_BODY_KEYS.into_iter().map(&mut body).collect();
    users.push(header(DEFAULT_USER_KEY));
    let of_kind = |kind| move |source| KeySource { source, kind };
    let conversations = conversations.into_iter().flatten().map(of_kind(Kind::Conversation));
    conversations.chain(users.into_iter().flatten().map(of_kind(Kind::User))).collect()
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
    let [header, cookie, query, body, metadata] = PLACES;
    let object = r.object(field, &[header, cookie, query, body, metadata, FIRST_MESSAGE, "kind"])?;
    let kind = match object.get("kind") {
        Some(field) => kind(r, &field),
        None => Some(Kind::Conversation),
    };
    let places = [header, cookie, query, body, metadata, FIRST_MESSAGE];
    let source = source(r, &object, &places, removed, "x-conversation-id");
    Some(KeySource { source: source?, kind: kind? })
}

/// Where a request says when its conversation began.
pub(super) fn started_at(r: &mut Reader, field: &Field<'_>, removed: &[HeaderName]) -> Option<Source> {
    let object = r.object(field, &PLACES)?;
    source(r, &object, &PLACES, removed, "x-conversation-started-at")
}

/// The one place that an object names.
fn source(
    r: &mut Reader,
    object: &Object<'_>,
    places: &[&str],
    removed: &[HeaderName],
    example: &str,
) -> Option<Source> {
    let given: Vec<(&str, Field<'_>)> =
        places.iter().filter_map(|name| Some((*name, object.get(name)?))).collect();
    let (name, field) = match given.as_slice() {
        [one] => one,
        [] => {
            r.error(&object.path, format!("names no place; write one such as {{\"header\": \"{example}\"}}"));
            return None;
        }
        several => {
            let names: Vec<&str> = several.iter().map(|(name, _)| *name).collect();
            let message =
                format!("names several places, {}; write each as an item of its own", listed(&names));
            r.error(&object.path, message);
            return None;
        }
    };
    match *name {
        "header" => input_header(r, field, removed).map(Source::Header),
        "cookie" => cookie_name(r, field).map(Source::Cookie),
        "query" => r.text(field, Empty::Refused).map(|name| Source::Query(name.to_owned())),
        "body" => r.pointer(field).map(|keys| Source::Body(r.pointer_index(keys))),
        FIRST_MESSAGE => first_message(r, field),
        _ => metadata_path(r, field).map(Source::Metadata),
    }
}

fn first_message(r: &mut Reader, field: &Field<'_>) -> Option<Source> {
    let is_wanted = r.bool(field)?;
    if !is_wanted {
        r.error(&field.path, "is false, so this item names no place; write true, or remove the item");
    }
    is_wanted.then_some(Source::FirstMessage)
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
pub(super) fn input_header(r: &mut Reader, field: &Field<'_>, removed: &[HeaderName]) -> Option<HeaderName> {
    let text = r.string(field)?;
    checked_input_header(r, &field.path, text, removed)
}

pub(super) fn checked_input_header(
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

pub(super) fn cookie_name(r: &mut Reader, field: &Field<'_>) -> Option<String> {
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
