//! What a routing decision may read of the request in the current callback.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::buffered::BufferedRequest;
use super::headers::Headers;
use super::host::Host;
use crate::pointer::Fact;
use crate::route;

/// The request in the current callback, with what is known of its body.
#[derive(Clone, Copy)]
pub(super) struct Request<'r, H> {
    pub(super) host: H,
    pub(super) headers: &'r Headers,
    pub(super) body: BodyFacts<'r>,
}

/// What is known of a request's body.
#[derive(Clone, Copy)]
pub(super) enum BodyFacts<'r> {
    /// Nothing yet.
    Unread,
    /// There is no body, or the filter does not read it.
    Absent,
    /// What has been read so far.
    Read(&'r BufferedRequest),
}

impl<H: Host> route::Request for Request<'_, H> {
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.headers.joined(name)
    }

    fn metadata(&self, path: &[String]) -> Option<Vec<u8>> {
        self.host.metadata(path)
    }

    fn body(&self, pointer: usize) -> Fact<'_> {
        match self.body {
            BodyFacts::Unread => Fact::Unknown,
            BodyFacts::Absent => Fact::Absent,
            BodyFacts::Read(buffered) => buffered.value(pointer),
        }
    }

    fn fingerprint(&self) -> Fact<'_> {
        match self.body {
            BodyFacts::Unread => Fact::Unknown,
            BodyFacts::Absent => Fact::Absent,
            BodyFacts::Read(buffered) => buffered.fingerprint(),
        }
    }
}
