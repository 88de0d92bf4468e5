//! Values of a request at the sources that a configuration names.

use super::{BodyNeeded, Request};
use crate::config::Source;
use crate::pointer::Fact;
use crate::{bucket, key};
use alloc::vec::Vec;

/// Headers that may contain a caller's credential; the first that is there counts.
const CREDENTIAL_HEADERS: [&str; 4] = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];
const HEX: &[u8; 16] = b"0123456789abcdef";

/// The value at a source, trimmed alike at all sources, unless it stands for none.
pub(super) fn value(request: &impl Request, source: &Source) -> Result<Option<Vec<u8>>, BodyNeeded> {
    let id = |value: &[u8]| key::id(value).map(<[u8]>::to_vec);
    Ok(match source {
        Source::Header(name) => request.header(name.as_str()).and_then(|value| id(&value)),
        Source::Cookie(name) => {
            request.header("cookie").and_then(|cookies| id(key::cookie(&cookies, name.as_bytes())?))
        }
        Source::Query(name) => {
            request.header(":path").and_then(|path| id(&key::query(&path, name.as_bytes())?))
        }
        Source::Metadata(path) => request.metadata(path).and_then(|value| id(&value)),
        Source::Body(pointer) => body(request, *pointer)?.and_then(id),
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
