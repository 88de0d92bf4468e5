//! What stands at the places where a configuration looks.

use super::{BodyNeeded, Request};
use crate::config::Source;
use crate::pointer::Fact;
use crate::{bucket, key};
use alloc::vec::Vec;

/// Headers in which a caller's credential is, in the order they are tried.
const CREDENTIAL_HEADERS: [&str; 4] = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];

/// What is at a place, unless it is empty.
pub(super) fn value(request: &impl Request, source: &Source) -> Result<Option<Vec<u8>>, BodyNeeded> {
    let value = match source {
        Source::Header(name) => request.header(name.as_str()).and_then(key::value),
        Source::Cookie(name) => {
            request.header("cookie").and_then(|cookies| key::cookie(cookies, name.as_bytes()))
        }
        Source::Query(name) => {
            return Ok(request.header(":path").and_then(|path| key::query(path, name.as_bytes())));
        }
        Source::Metadata(path) => return Ok(request.metadata(path).filter(|value| !value.is_empty())),
        Source::Body(pointer) => body(request, *pointer)?,
        Source::FirstMessage => {
            let credential = || CREDENTIAL_HEADERS.into_iter().find_map(|name| request.header(name));
            return Ok(known(request.fingerprint())?.map(|opening| fingerprint_key(opening, credential())));
        }
    };
    Ok(value.filter(|value| !value.is_empty()).map(<[u8]>::to_vec))
}

/// The value at one of the configuration's pointers.
pub(super) fn body(request: &impl Request, pointer: usize) -> Result<Option<&[u8]>, BodyNeeded> {
    known(request.body(pointer))
}

/// The key of a conversation that has no id: the hashes of its opening and of its caller's credential, in hexadecimal.
fn fingerprint_key(opening: &[u8], credential: Option<&[u8]>) -> Vec<u8> {
    let credential = bucket::credential(credential.unwrap_or_default()).to_be_bytes();
    let digit = |nibble: u8| if nibble < 10 { b'0' | nibble } else { nibble.wrapping_add(b'a' - 10) };
    let digits = |byte: &u8| [digit(byte >> 4), digit(byte & 0x0f)];
    opening.iter().chain(&credential).flat_map(digits).collect()
}

/// A value of the body, or that it has to be read first.
fn known(fact: Fact<'_>) -> Result<Option<&[u8]>, BodyNeeded> {
    match fact {
        Fact::Found(value) => Ok(Some(value)),
        Fact::Absent => Ok(None),
        Fact::Unknown => Err(BodyNeeded),
    }
}
