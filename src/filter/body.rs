//! A request's body on its way to a version: read, and where its version or its client's wishes ask for it edited.
//!
//! It passes without waiting, with one exception: where an edit changes a length that the head tells, it waits
//! until the edit is done, as long as that is within its limits. Where it cannot wait, the head tells no length.

use super::abi::Map;
use super::headers::Headers;
use super::host::{self, Action, Buffer};
use super::intake;
use crate::config::{Rollout, Usage, Version};
use crate::edit::{Chain, Editor};
use crate::observe::Micros;
use crate::pin::{Endpoint, UntagIds};
use crate::rewrite::{Model, ModelName};
use crate::turn::Turn;
use crate::usage::InjectUsage;
use alloc::string::ToString;
use alloc::vec::Vec;

/// The longest piece that is edited. Envoy hands over up to its buffer limit at once, 1 MiB if not told otherwise.
const EDIT_BYTES_MAX: usize = 4 * 1024 * 1024;
const CONTENT_LENGTH: &str = "content-length";

/// What may be done to a request's body, in this order.
type Edits = Chain<Option<UntagIds>, Chain<Option<Model>, Option<InjectUsage>>>;

pub(super) struct RequestBody {
    turn: Turn,
    edits: Option<Edits>,
    held: Option<Held>,
}

/// A body that waits until its edits are done.
struct Held {
    since: Micros,
    read_bytes: usize,
    /// What has been read, as it will go on.
    edited: Vec<u8>,
    is_changed: bool,
    is_too_long: bool,
}

impl RequestBody {
    /// The request's version is known, and a body follows, or is there in part where the request `waits` already.
    pub(super) fn new(
        rollout: &Rollout,
        version: &Version,
        headers: &Headers,
        now: Micros,
        may_wait: bool,
        waits: bool,
    ) -> RequestBody {
        let edits = edits(rollout, version, headers);
        let asks = edits.1.1.is_some();
        let is_edited = asks || edits.0.is_some() || edits.1.0.is_some();
        let has_length = is_edited && headers.get(CONTENT_LENGTH).is_some();
        // Whether usage has to be asked for is known only at the end, and no request waits for that long.
        let is_too_long = is_edited && intake::is_too_long(headers);
        let holds = waits || (has_length && !is_too_long && !asks && may_wait);
        if is_edited && !holds {
            host::remove_header(Map::Request, CONTENT_LENGTH);
        }
        let held = Held { since: now, read_bytes: 0, edited: Vec::new(), is_changed: false, is_too_long };
        RequestBody { turn: Turn::default(), edits: is_edited.then_some(edits), held: holds.then_some(held) }
    }

    /// Whether the request waits for more of it.
    pub(super) fn waits(&self) -> bool {
        self.held.is_some()
    }

    /// Since when it waits for the first of it.
    pub(super) fn waits_since(&self) -> Option<Micros> {
        self.held.as_ref().filter(|held| held.read_bytes == 0).map(|held| held.since)
    }

    /// How much of it has been read while it waits; 0 where it does not.
    pub(super) fn held_bytes(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.read_bytes)
    }

    /// It goes on without having been read.
    pub(super) fn give_up_waiting(&mut self) {
        if self.held.take().is_some() && self.edits.is_some() {
            host::remove_header(Map::Request, CONTENT_LENGTH);
        }
    }

    /// Of it, `size` bytes are there: since the head while the request waits, since the last call while it passes.
    pub(super) fn push(&mut self, size: usize, is_end: bool) -> Action {
        if let Some(held) = self.held.take() {
            return self.push_held(held, size, is_end);
        }
        match self.edits.take() {
            Some(edits) => {
                self.edits = edit(Buffer::RequestBody, edits, size, is_end, |bytes| self.turn.push(bytes));
            }
            None if self.turn.wants_more() => {
                host::slices(Buffer::RequestBody, 0, size, |bytes| {
                    self.turn.push(bytes);
                    self.turn.wants_more()
                });
            }
            None => {}
        }
        Action::Continue
    }

    fn push_held(&mut self, mut held: Held, size: usize, is_end: bool) -> Action {
        let (turn, edits) = (&mut self.turn, &mut self.edits);
        let is_read = host::slices(Buffer::RequestBody, held.read_bytes, size, |bytes| {
            turn.push(bytes);
            let Some(edits) = edits else { return turn.wants_more() };
            let edited = edits.push(bytes);
            held.is_changed |= edited.is_some();
            held.edited.extend_from_slice(edited.as_deref().unwrap_or(bytes));
            true
        });
        let Some(mut edits) = self.edits.take() else { return Action::Continue };
        held.read_bytes = size;
        if !is_read {
            // What the host does not hand over goes on as it came.
            return Action::Continue;
        }
        if !is_end && !edits.is_settled() && size <= intake::BYTES_MAX && !held.is_too_long {
            self.edits = Some(edits);
            self.held = Some(held);
            return Action::Pause;
        }
        if is_end {
            let last = edits.finish();
            held.is_changed |= !last.is_empty();
            held.edited.extend(last);
        }
        if held.is_changed && !host::replace_buffer(Buffer::RequestBody, size, &held.edited) {
            return Action::Continue;
        }
        if !is_end && !edits.is_settled() {
            host::remove_header(Map::Request, CONTENT_LENGTH);
        } else if held.edited.len() != size {
            tell_length(size, held.edited.len());
        }
        self.edits = Some(edits);
        Action::Continue
    }

    /// What has come so far goes on as it is, and has shown this.
    pub(super) fn goes_on_after(&mut self, turn: Turn) {
        self.turn = turn;
        self.held = None;
    }

    /// Whether usage was asked for in the client's place.
    pub(super) fn is_injected(&self) -> bool {
        self.edits.as_ref().and_then(|edits| edits.1.1.as_ref()).is_some_and(InjectUsage::is_injected)
    }

    pub(super) fn is_first_turn(&self) -> bool {
        self.turn.is_first()
    }
}

/// What is to be done to the body of a request with this head.
fn edits(rollout: &Rollout, version: &Version, headers: &Headers) -> Edits {
    let mut edits = Chain(None, Chain(None, None));
    let model = version.rewrite.model.as_deref();
    let (unmarks, asks) = (rollout.pin.response_id, rollout.usage == Usage::Request);
    if (model.is_some() || unmarks || asks) && intake::is_readable(headers) {
        let path = headers.get(":path").unwrap_or_default();
        if unmarks && Endpoint::of(path).is_some() {
            edits.0 = Some(UntagIds::new(rollout.versions.iter().map(|version| version.token).collect()));
        }
        edits.1.0 = model.map(|model| Model::new(ModelName::new(model)));
        if asks && is_completion(headers, path) {
            edits.1.1 = Some(InjectUsage::default());
        }
    }
    edits
}

/// A part of the body, `old` bytes long, is `new` bytes long now.
fn tell_length(old: usize, new: usize) {
    match host::header(Map::Request, CONTENT_LENGTH, intake::length) {
        None => {} // none was told
        Some(None) => {
            host::remove_header(Map::Request, CONTENT_LENGTH);
        }
        Some(Some(length)) => {
            let length = length.saturating_sub(old).saturating_add(new);
            host::replace_header(Map::Request, CONTENT_LENGTH, length.to_string());
        }
    }
}

/// Shows a piece of a body to `see` and puts what the editor makes of it in its place. `None`: no more is to be
/// edited, and what was held back has gone on.
pub(super) fn edit<E: Editor>(
    buffer: Buffer,
    mut editor: E,
    size: usize,
    is_end: bool,
    mut see: impl FnMut(&[u8]),
) -> Option<E> {
    if size > EDIT_BYTES_MAX {
        host::slices(buffer, 0, size, |bytes| {
            see(bytes);
            true
        });
        host::replace_buffer(buffer, 0, &editor.finish());
        return None;
    }
    let mut edited = None;
    if size > 0 {
        let read = |bytes: &[u8]| {
            see(bytes);
            editor.push(bytes)
        };
        let Some(read) = host::buffer(buffer, size, read) else {
            // The piece goes on unseen, behind what was held back.
            host::replace_buffer(buffer, 0, &editor.finish());
            return None;
        };
        edited = read;
    }
    let held = if is_end { editor.finish() } else { Vec::new() };
    if edited.is_none() && held.is_empty() {
        return Some(editor);
    }
    let bytes = [edited.unwrap_or_default(), held].concat();
    // Refused, the piece went on as it was, and no more may be held back.
    host::replace_buffer(buffer, size, &bytes).then_some(editor)
}

/// Whether a request that can be read asks for a completion, in JSON.
fn is_completion(headers: &Headers, path: &[u8]) -> bool {
    path.split(|&b| b == b'?').next().is_some_and(|path| path.ends_with(b"/completions"))
        && headers.get(":method") == Some(b"POST")
        && headers.get("content-type").is_some_and(|kind| intake::is_kind(kind, b"application/json"))
}
