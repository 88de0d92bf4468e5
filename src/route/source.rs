//! Values of a request at the sources that a configuration names.

use super::{BodyNeeded, Request, metadata};
use crate::config::Source;
use crate::pointer::Fact;
use crate::{bucket, key};
use alloc::vec::Vec;

/// Headers that may contain a caller's credential; the first that is there counts.
const CREDENTIAL_HEADERS: [&str; 4] = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];
const HEX: &[u8; 16] = b"0123456789abcdef";

/// The id at a source, unless what is there stands for none.
pub(super) fn id(request: &impl Request, source: &Source) -> Result<Option<Vec<u8>>, BodyNeeded> {
    if let Source::Metadata(path) = source {
        return Ok(request.metadata(path).and_then(metadata::id));
    }
    Ok(text(request, source)?.filter(|text| key::id(text).is_some()))
}

/// The text at a source, trimmed alike at all sources, unless it is empty.
pub(super) fn text(request: &impl Request, source: &Source) -> Result<Option<Vec<u8>>, BodyNeeded> {
    let text = |value: &[u8]| key::value(value).map(<[u8]>::to_vec);
    Ok(match source {
        Source::Header(name) => request.header(name.as_str()).and_then(|value| text(&value)),
        Source::Cookie(name) => {
            request.header("cookie").and_then(|cookies| text(key::cookie(&cookies, name.as_bytes())?))
        }
        Source::Query(name) => {
            request.header(":path").and_then(|path| text(&key::query(&path, name.as_bytes())?))
        }
        Source::Metadata(path) => request.metadata(path).and_then(|value| text(&metadata::text(value))),
        Source::Body(pointer) => body(request, *pointer)?.and_then(text),
        Source::FirstMessage => {
            let credential = || CREDENTIAL_HEADERS.into_iter().find_map(|name| request.header(name));
            let fingerprint = known(request.fingerprint())?;
            fingerprint.map(|fingerprint| fingerprint_key(fingerprint, credential().as_deref()))
        }
    })
}

/// The value at one of the configuration's pointers.
pub(super) fn body(request: &impl Request, pointer: usize) -> Result<Option<&[u8]>, BodyNeeded> {
    known(request.body(pointer))
}

/// The key of a conversation without an id: its fingerprint and the hash of the caller's credential, in hexadecimal.
fn fingerprint_key(fingerprint: &[u8], credential: Option<&[u8]>) -> Vec<u8> {
    let credential = bucket::credential(credential.unwrap_or_default()).to_be_bytes();
    let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or_default();
    let digits = |byte: &u8| [digit(byte >> 4), digit(byte & 0x0f)];
    fingerprint.iter().chain(&credential).flat_map(digits).collect()
}

/// The value of a fact.
///
/// # Errors
/// It is not known yet.
fn known(fact: Fact<'_>) -> Result<Option<&[u8]>, BodyNeeded> {
    match fact {
        Fact::Found(value) => Ok(Some(value)),
        Fact::Absent => Ok(None),
        Fact::Unknown => Err(BodyNeeded),
    }
}
