//! A request that waits for its body, because the body decides its version.
//!
//! The filter reads as much of the body as the configuration needs. It resumes the request as soon as the version is
//! known.

use super::headers::Headers;
use super::host::{Action, Body, Host};
use super::loaded::LoadedConfig;
use crate::fingerprint::Fingerprint;
use crate::observe::Micros;
use crate::pointer::{Fact, Values};
use crate::request_facts::RequestReader;
use crate::timestamp::UnixMs;

/// What the filter has read of a waiting request's body.
pub(super) struct BufferedRequest {
    /// When the request arrived, on the monotonic clock.
    pub(super) requested: Micros,
    /// When the request arrived, on the wall clock.
    pub(super) now: UnixMs,
    values: Values,
    fingerprint: Option<Fingerprint>,
    window: Window,
    /// Reads what the body shows. Used under [`Window::Piece`] only: otherwise the body is read again for that.
    reader: RequestReader,
    /// When the latest piece of the body arrived; before the first piece, when the head arrived.
    last: Micros,
    read_bytes: usize,
    /// The request must not wait for more of its body.
    is_full: bool,
}

/// Which part of a waiting request's body is readable in a callback.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Window {
    /// All of the body so far, because the filter may have to edit it.
    All,
    /// The same, but `content-length` is too large to wait for the end: the request waits for the first piece only.
    AllTooLong,
    /// The latest piece.
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
            true if headers.content_length_exceeds(H::BUFFERED_BYTES_MAX) => Window::AllTooLong,
            true => Window::All,
        };
        BufferedRequest {
            requested,
            now,
            values: Values::new(&loaded.pointers),
            fingerprint: loaded.reads_fingerprints.then(Fingerprint::default),
            window,
            reader: RequestReader::new(loaded.reads_asked),
            last: requested,
            read_bytes: 0,
            is_full: false,
        }
    }

    /// The action that waits for more of the body. Envoy buffers no more than its buffer limit. Past the limit it
    /// answers 413 under [`Action::Pause`], before the filter could resume the request. Under
    /// [`Action::PauseUnbuffered`] it stops reading from the client.
    pub(super) fn pause(&self) -> Action {
        if self.window == Window::Piece { Action::PauseUnbuffered } else { Action::Pause }
    }

    /// How many of the readable bytes have been read already.
    pub(super) fn window_read_bytes(&self) -> usize {
        if self.window == Window::Piece { 0 } else { self.read_bytes }
    }

    /// When the request began to wait for the first piece of its body or, under [`Window::Piece`], for the next one:
    /// there Envoy may have stopped reading. `None` if it waits for neither.
    pub(super) fn waits_since(&self) -> Option<Micros> {
        (self.read_bytes == 0 || self.window == Window::Piece).then_some(self.last)
    }

    /// The reader that has read the body so far, under [`Window::Piece`].
    pub(super) fn reader(self) -> Option<RequestReader> {
        (self.window == Window::Piece).then_some(self.reader)
    }

    /// More of the body has arrived; `size` bytes are readable.
    pub(super) fn push<H: Host>(&mut self, host: H, loaded: &LoadedConfig<H>, size: usize, is_end: bool) {
        let start = self.window_read_bytes();
        let room = H::BUFFERED_BYTES_MAX.saturating_sub(self.read_bytes);
        let end = size.min(start.saturating_add(room));
        let mut at = start;
        let is_read = host.read_body(Body::Request, start, size, |bytes| {
            let is_readable_once = self.window == Window::Piece;
            if is_readable_once {
                self.reader.push(bytes);
            }
            let wanted = bytes.get(..end.saturating_sub(at)).unwrap_or(bytes);
            self.values.push(&loaded.pointers, wanted);
            if let Some(fingerprint) = &mut self.fingerprint {
                fingerprint.push(wanted);
            }
            at = at.saturating_add(bytes.len());
            at < end || (is_readable_once && self.reader.wants_more())
        });
        self.read_bytes = self.read_bytes.saturating_add(end.saturating_sub(start));
        self.last = host.now();
        let has_rest = !is_end && (self.window == Window::AllTooLong || !host.has_room());
        self.is_full = size > end || has_rest;
        if !is_read || (is_end && !self.is_full) {
            self.finish(loaded);
        }
    }

    /// Whether the request must not wait for more of its body, though more may come: it has reached a limit.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Stops reading the body. Values not found so far are absent.
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

    /// The conversation's fingerprint, if any rollout uses it as a key.
    pub(super) fn fingerprint(&self) -> Fact<'_> {
        self.fingerprint.as_ref().map_or(Fact::Absent, Fingerprint::get)
    }
}
