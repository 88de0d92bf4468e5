//! A request of which each header is read at most once.

use super::{BodyNeeded, Request};
use crate::config::Source;
use crate::pointer::Fact;
use crate::{bucket, key};

/// Headers in which a caller's credential is, in the order they are tried.
const CREDENTIAL_HEADERS: [&str; 4] = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];

/// A request, and what has been read of it.
pub(super) struct Seen<'a, R> {
    request: &'a R,
    headers: Vec<(&'a str, Option<Vec<u8>>)>,
}

impl<'a, R: Request> Seen<'a, R> {
    pub(super) fn new(request: &'a R) -> Self {
        Seen { request, headers: Vec::new() }
    }

    pub(super) fn header(&mut self, name: &'a str) -> Option<&[u8]> {
        let at = self.headers.iter().position(|(read, _)| *read == name).unwrap_or_else(|| {
            self.headers.push((name, self.request.header(name)));
            self.headers.len().saturating_sub(1)
        });
        self.headers.get(at)?.1.as_deref()
    }

    /// The value at one of the configuration's pointers.
    pub(super) fn body(&self, pointer: usize) -> Result<Option<&'a [u8]>, BodyNeeded> {
        known(self.request.body(pointer))
    }

    /// What is at a place, unless it is empty.
    pub(super) fn value(&mut self, source: &'a Source) -> Result<Option<Vec<u8>>, BodyNeeded> {
        let value = match source {
            Source::Header(name) => self.header(name.as_str()).and_then(key::value),
            Source::Cookie(name) => {
                self.header("cookie").and_then(|cookies| key::cookie(cookies, name.as_bytes()))
            }
            Source::Query(name) => {
                return Ok(self.header(":path").and_then(|path| key::query(path, name.as_bytes())));
            }
            Source::Metadata(path) => {
                return Ok(self.request.metadata(path).filter(|value| !value.is_empty()));
            }
            Source::Body(pointer) => self.body(*pointer)?,
            Source::FirstMessage => {
                let opening = known(self.request.opening())?;
                return Ok(opening.map(|opening| opening_key(opening, self.credential())));
            }
        };
        Ok(value.filter(|value| !value.is_empty()).map(<[u8]>::to_vec))
    }

    fn credential(&mut self) -> Option<&[u8]> {
        let name = CREDENTIAL_HEADERS.into_iter().find(|name| self.header(name).is_some())?;
        self.header(name)
    }
}

/// The key of a conversation that has no id: the hashes of its opening and of its caller's credential, in hexadecimal.
fn opening_key(opening: &[u8], credential: Option<&[u8]>) -> Vec<u8> {
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
