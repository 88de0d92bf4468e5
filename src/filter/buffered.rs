//! A request that waits for its body, because its version is told by it.
//!
//! As much of the body is read as the configuration needs. The request goes on as soon as its version is known.

use super::headers::Headers;
use super::host::{Action, Body, Host};
use super::loaded::LoadedConfig;
use crate::fingerprint::Fingerprint;
use crate::observe::Micros;
use crate::pointer::{Fact, Values};
use crate::timestamp::UnixMs;
use crate::turn::Turn;

/// What has been read of a body while its request waits.
pub(super) struct BufferedRequest {
    /// When the request came, on the monotonic clock.
    pub(super) requested: Micros,
    /// The same by the time of day.
    pub(super) now: UnixMs,
    values: Values,
    fingerprint: Option<Fingerprint>,
    window: Window,
    /// The turn that the body shows, where the body is readable once only.
    turn: Turn,
    /// When the last piece of the body came, or else the head.
    last: Micros,
    read_bytes: usize,
}

/// How much of a body that waits is readable in a callback.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Window {
    /// All that has come, because it may have to be edited.
    All,
    /// The same, but the body will be too long to wait for its end.
    AllTooLong,
    /// The last piece.
    Piece,
}

impl BufferedRequest {
    pub(super) fn new<H: Host>(
        loaded: &LoadedConfig<H>,
        headers: &Headers,
        requested: Micros,
        now: UnixMs,
    ) -> BufferedRequest {
        let window = match loaded.may_edit(headers.get(":path")) {
            false => Window::Piece,
            true if headers.tell_more_than(H::BUFFERED_BYTES_MAX) => Window::AllTooLong,
            true => Window::All,
        };
        BufferedRequest {
            requested,
            now,
            values: Values::new(&loaded.pointers),
            fingerprint: loaded.reads_fingerprints.then(Fingerprint::default),
            window,
            turn: Turn::default(),
            last: requested,
            read_bytes: 0,
        }
    }

    /// How the request waits for more of its body. Envoy holds back no more than its buffer limit. Under
    /// [`Action::Pause`] it answers 413 past that, before a callback could let the body go; under
    /// [`Action::PauseUnbuffered`] it reads no further.
    pub(super) fn pause(&self) -> Action {
        if self.window == Window::Piece { Action::PauseUnbuffered } else { Action::Pause }
    }

    /// How many of the bytes that are readable have been read.
    pub(super) fn window_read_bytes(&self) -> usize {
        if self.window == Window::Piece { 0 } else { self.read_bytes }
    }

    /// Since when the request waits for the first piece of its body, or for the next where Envoy may read no further.
    pub(super) fn waits_since(&self) -> Option<Micros> {
        (self.read_bytes == 0 || self.window == Window::Piece).then_some(self.last)
    }

    /// The turn that the body shows, where the body is readable once only.
    pub(super) fn turn(self) -> Option<Turn> {
        (self.window == Window::Piece).then_some(self.turn)
    }

    /// More of the body came: `size` bytes are readable.
    pub(super) fn push<H: Host>(&mut self, host: H, loaded: &LoadedConfig<H>, size: usize, is_end: bool) {
        let start = self.window_read_bytes();
        let room = H::BUFFERED_BYTES_MAX.saturating_sub(self.read_bytes);
        let end = size.min(start.saturating_add(room));
        let mut at = start;
        let is_read = host.read_body(Body::Request, start, size, |bytes| {
            let is_readable_once = self.window == Window::Piece;
            if is_readable_once {
                self.turn.push(bytes);
            }
            let wanted = bytes.get(..end.saturating_sub(at)).unwrap_or(bytes);
            self.values.push(&loaded.pointers, wanted);
            if let Some(fingerprint) = &mut self.fingerprint {
                fingerprint.push(wanted);
            }
            at = at.saturating_add(bytes.len());
            at < end || (is_readable_once && self.turn.wants_more())
        });
        self.read_bytes = self.read_bytes.saturating_add(end.saturating_sub(start));
        self.last = host.now();
        if is_end || size > end || !is_read || self.window == Window::AllTooLong {
            self.finish(loaded);
        }
    }

    /// No more of the body is read: what was not found is absent.
    pub(super) fn finish<H: Host>(&mut self, loaded: &LoadedConfig<H>) {
        self.values.finish(&loaded.pointers);
        if let Some(fingerprint) = &mut self.fingerprint {
            fingerprint.finish();
        }
    }

    /// The value in the body at one of the configuration's pointers.
    pub(super) fn value(&self, pointer: usize) -> Fact<'_> {
        self.values.get(pointer)
    }

    /// The conversation's fingerprint, where any rollout asks for it.
    pub(super) fn fingerprint(&self) -> Fact<'_> {
        self.fingerprint.as_ref().map_or(Fact::Absent, Fingerprint::get)
    }
}
