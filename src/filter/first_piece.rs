//! The first piece of a body, if it is read later.
//!
//! To read a body for the first time takes longer than to read more of it: code and tables are not in the processor's caches
//! yet. So a host that counts later ([`Host::COUNTS_LATER`]) passes the first piece on, and keeps a copy. It is read when the next
//! one comes, or when the exchange is counted.

use alloc::vec::Vec;
use core::mem;

use super::host::{Body, Host};

/// The first piece of a body.
#[derive(Default)]
pub(super) struct FirstPiece {
    has_come: bool,
    unread: Option<Vec<u8>>,
}

impl FirstPiece {
    /// A piece of the body has come. If it is the first, and no longer than `bytes_max`, it is kept as far as the host
    /// provides it. Returns whether it was; then it is not to be read now.
    pub(super) fn keep<H: Host>(&mut self, host: H, body: Body, size: usize, bytes_max: usize) -> bool {
        if !H::COUNTS_LATER || size == 0 || mem::replace(&mut self.has_come, true) || size > bytes_max {
            return false;
        }
        let mut piece = Vec::with_capacity(size);
        host.read_body(body, 0, size, |bytes| {
            piece.extend_from_slice(bytes);
            true
        });
        self.unread = Some(piece);
        true
    }

    /// Takes the piece, to read it. To be called before anything that came later is read.
    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        self.unread.take()
    }

    /// The piece, if it is kept.
    pub(super) fn kept(&self) -> Option<&[u8]> {
        self.unread.as_deref()
    }
}
