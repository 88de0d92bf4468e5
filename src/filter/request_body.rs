//! The body of a request that is routed to a version. The filter reads it to detect a first turn and what the request
//! asks for, and edits it where the configuration asks for that.
//!
//! The body passes without waiting, with one exception: if an edit may make `content-length` wrong, the request waits
//! until the edit is done, within limits. That is at the body's end, because a key may occur again. Where the request cannot
//! wait, the filter removes `content-length`.

use super::edit::{Edited, edit};
use super::first_piece::FirstPiece;
use super::headers::{self, Headers};
use super::host::{Action, Body, Head, Host};
use crate::config::{Rollout, Usage, Version};
use crate::defect::Asked;
use crate::edit::{Chain, Editor};
use crate::observe::Micros;
use crate::pin::{Endpoint, UntagIds};
use crate::request_facts::{RequestFacts, RequestReader};
use crate::rewrite::{Model, ModelName};
use crate::usage::InjectUsage;
use alloc::boxed::Box;
use alloc::string::ToString;

const CONTENT_LENGTH: &str = "content-length";
/// The longest first piece that is read later. A copy of it is kept as long as the model takes until it answers.
const FIRST_BYTES_MAX: usize = 4 * 1024;

/// The edits of a request's body, in this order.
type Edits = Chain<Option<UntagIds>, Chain<Option<Model>, Option<InjectUsage>>>;

/// The body of one request whose version is known.
pub(super) struct RequestBody {
    /// It is also read for what the request asks for.
    reads_asked: bool,
    first: FirstPiece,
    /// `None` until something is read.
    reader: Option<Box<RequestReader>>,
    edits: Option<Box<Edits>>,
    held: Option<Held>,
    has_ended: bool,
    /// The answer began before the body ended.
    is_answered_early: bool,
}

/// The body of a request that waits until the edits are done.
struct Held {
    since: Micros,
    edited: Edited,
    /// Whether the request waits until the edits are done: it has a `content-length`, and that is not too long.
    has_to_wait: bool,
}

impl RequestBody {
    /// The request's version is known. `waits`: the request waits already, and part of its body may have arrived.
    pub(super) fn new<H: Host>(
        host: H,
        rollout: &Rollout,
        version: &Version,
        headers: &Headers,
        now: Micros,
        may_wait: bool,
        waits: bool,
    ) -> RequestBody {
        let edits = edits(rollout, version, headers);
        let injects_usage = edits.1.1.is_some();
        let is_edited = injects_usage || edits.0.is_some() || edits.1.0.is_some();
        let has_length = is_edited && headers.get(CONTENT_LENGTH).is_some();
        let has_to_wait = has_length && !headers.content_length_exceeds(H::BUFFERED_BYTES_MAX);
        // A request for usage may go on without its length, so it does not wait.
        let holds = waits || (has_to_wait && !injects_usage && may_wait);
        if is_edited && !holds {
            host.remove_header(Head::Request, CONTENT_LENGTH);
        }
        let held = Held { since: now, edited: Edited::default(), has_to_wait };
        RequestBody {
            edits: is_edited.then(|| Box::new(edits)),
            held: holds.then_some(held),
            ..RequestBody::observed(rollout)
        }
    }

    /// The body of a request that is only observed. It passes as it is.
    pub(super) fn observed(rollout: &Rollout) -> RequestBody {
        RequestBody {
            reads_asked: rollout.defects,
            first: FirstPiece::default(),
            reader: None,
            edits: None,
            held: None,
            has_ended: false,
            is_answered_early: false,
        }
    }

    /// Whether the request waits for more of its body.
    pub(super) fn waits(&self) -> bool {
        self.held.is_some()
    }

    /// When the request began to wait for the first piece of its body; `None` if it does not.
    pub(super) fn waits_since(&self) -> Option<Micros> {
        self.held.as_ref().filter(|held| held.edited.read_bytes == 0).map(|held| held.since)
    }

    /// How many bytes of the body have been read; 0 unless the request waits.
    pub(super) fn held_bytes(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.edited.read_bytes)
    }

    /// Stops waiting for the body, which has not arrived.
    pub(super) fn give_up_waiting(&mut self, host: impl Host) {
        if self.held.take().is_some() && self.edits.is_some() {
            host.remove_header(Head::Request, CONTENT_LENGTH);
        }
    }

    /// A piece of the body has arrived. `size` bytes are readable: all of the body so far while the request waits, else
    /// the latest piece.
    pub(super) fn push<H: Host>(&mut self, host: H, size: usize, is_end: bool) -> Action {
        self.has_ended |= is_end;
        if let Some(held) = self.held.take() {
            return self.push_held(host, held, size, is_end);
        }
        if let Some(edits) = self.edits.take() {
            let reader = self.reader();
            self.edits = edit(host, Body::Request, edits, size, is_end, |bytes| reader.push(bytes));
        } else if size > 0 && !self.first.keep(host, Body::Request, size, FIRST_BYTES_MAX) {
            let reader = self.reader();
            if reader.wants_more() {
                host.read_body(Body::Request, 0, size, |bytes| {
                    reader.push(bytes);
                    reader.wants_more()
                });
            }
        }
        Action::Continue
    }

    fn push_held<H: Host>(&mut self, host: H, mut held: Held, size: usize, is_end: bool) -> Action {
        let mut edits = self.edits.take();
        let reader = self.reader();
        let is_read = host.read_body(Body::Request, held.edited.read_bytes, size, |bytes| {
            reader.push(bytes);
            let Some(edits) = &mut edits else { return reader.wants_more() };
            held.edited.push(bytes, edits.push(bytes));
            true
        });
        let Some(mut edits) = edits else { return Action::Continue };
        if !is_read {
            // The host did not provide the bytes, so they pass unchanged.
            return Action::Continue;
        }
        if !is_end
            && !edits.is_settled()
            && size <= H::BUFFERED_BYTES_MAX
            && held.has_to_wait
            && host.has_room()
        {
            self.edits = Some(edits);
            self.held = Some(held);
            return Action::Pause;
        }
        if is_end {
            held.edited.append(edits.finish());
        }
        if !held.edited.put(host, Body::Request) {
            return Action::Continue;
        }
        if !is_end && !edits.is_settled() {
            host.remove_header(Head::Request, CONTENT_LENGTH);
        } else if held.edited.bytes.len() != size {
            adjust_content_length(host, size, held.edited.bytes.len());
        }
        self.edits = Some(edits);
        Action::Continue
    }

    /// The request resumes. The body so far passes unchanged, and `reader` has read it. `is_end`: that is all.
    pub(super) fn continue_from(&mut self, reader: RequestReader, is_end: bool) {
        self.has_ended = is_end;
        self.reader = Some(Box::new(reader));
        self.held = None;
    }

    /// Whether the filter asked for usage on behalf of the client.
    pub(super) fn has_injected_usage(&self) -> bool {
        self.edits.as_ref().and_then(|edits| edits.1.1.as_ref()).is_some_and(InjectUsage::is_injected)
    }

    /// What the body has shown so far.
    pub(super) fn facts(&mut self) -> RequestFacts {
        self.reader().facts()
    }

    /// The answer begins.
    pub(super) fn answer_begins(&mut self) {
        self.is_answered_early = !self.has_ended;
    }

    /// What the request asks for. `None` if the answer began before that was known.
    pub(super) fn asked(&mut self) -> Option<Asked> {
        if self.is_answered_early { None } else { self.reader().asked() }
    }

    /// What is kept of the body, to be read later.
    pub(super) fn kept(&self) -> Option<&[u8]> {
        self.first.kept()
    }

    /// The reader, which has read the first piece.
    fn reader(&mut self) -> &mut RequestReader {
        let reads_asked = self.reads_asked;
        let reader = self.reader.get_or_insert_with(|| Box::new(RequestReader::new(reads_asked)));
        if let Some(bytes) = self.first.take() {
            reader.push(&bytes);
        }
        reader
    }
}

/// The edits that the body of a request with these headers needs.
fn edits(rollout: &Rollout, version: &Version, headers: &Headers) -> Edits {
    let mut edits = Chain(None, Chain(None, None));
    let model = version.rewrite.model.as_deref();
    let (untags, injects_usage) = (rollout.pin.response_id, rollout.usage == Usage::Request);
    if (model.is_some() || untags || injects_usage) && headers.announce_readable_body() {
        let path = headers.get(":path").unwrap_or_default();
        if untags && Endpoint::of(path).is_some() {
            edits.0 = Some(UntagIds::new(rollout.versions.iter().map(|version| version.token).collect()));
        }
        edits.1.0 = model.map(|model| Model::new(ModelName::new(model)));
        if injects_usage && is_completion(headers, path) {
            edits.1.1 = Some(InjectUsage::default());
        }
    }
    edits
}

/// Adjusts `content-length` after a part of the body changed from `old_bytes` to `new_bytes`.
fn adjust_content_length(host: impl Host, old_bytes: usize, new_bytes: usize) {
    match host.header(Head::Request, CONTENT_LENGTH, headers::content_length) {
        None => {} // there is no `content-length`
        Some(None) => {
            host.remove_header(Head::Request, CONTENT_LENGTH);
        }
        Some(Some(length)) => {
            let length = length.saturating_sub(old_bytes).saturating_add(new_bytes);
            host.replace_header(Head::Request, CONTENT_LENGTH, length.to_string().as_bytes());
        }
    }
}

/// Whether a request asks for a completion, with a JSON body.
fn is_completion(headers: &Headers, path: &[u8]) -> bool {
    path.split(|&b| b == b'?').next().is_some_and(|path| path.ends_with(b"/completions"))
        && headers.get(":method") == Some(b"POST")
        && headers.get("content-type").is_some_and(|kind| headers::is_media_type(kind, b"application/json"))
}
