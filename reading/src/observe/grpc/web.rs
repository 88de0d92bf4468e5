//! The trailers of gRPC-Web, which are the last frame of the body: lines as in HTTP/1.

use super::GrpcStatus;
use crate::framing::grpc::{Frame, Framer, Sink};

const NAME: &[u8] = b"grpc-status";
/// What is kept of a line. The line with the status is shorter.
const LINE_BYTES_MAX: usize = 32;

/// Finds the status.
#[derive(Default)]
pub(super) struct WebTrailers {
    framer: Framer,
    found: Found,
}

#[derive(Default)]
struct Found {
    has_message: bool,
    status: Option<GrpcStatus>,
    is_in_trailers: bool,
    /// The line so far, cut to its length.
    line: [u8; LINE_BYTES_MAX],
    line_bytes: usize,
}

impl WebTrailers {
    /// Reads the next piece of the body.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.framer.push(bytes, &mut self.found);
    }

    /// Whether a message has begun.
    pub(super) fn has_message(&self) -> bool {
        self.found.has_message
    }

    pub(super) fn status(&self) -> Option<GrpcStatus> {
        self.found.status
    }
}

impl Found {
    fn end_line(&mut self) {
        let line = self.line.get(..self.line_bytes).unwrap_or_default();
        let mut parts = line.splitn(2, |&byte| byte == b':');
        if let (Some(name), Some(value)) = (parts.next(), parts.next())
            && name.trim_ascii().eq_ignore_ascii_case(NAME)
        {
            self.status = Some(GrpcStatus::parse(value));
        }
        self.line_bytes = 0;
    }
}

impl Sink for Found {
    fn begin(&mut self, frame: Frame, _: u32) {
        self.has_message |= matches!(frame, Frame::Message | Frame::CompressedMessage);
        self.is_in_trailers = frame == Frame::Trailers;
        self.line_bytes = 0;
    }

    #[expect(clippy::arithmetic_side_effects, reason = "`line_bytes` is an index of `line`")]
    fn data(&mut self, piece: &[u8]) {
        if !self.is_in_trailers {
            return;
        }
        for &byte in piece {
            if byte == b'\n' {
                self.end_line();
            } else if let Some(slot) = self.line.get_mut(self.line_bytes) {
                *slot = byte;
                self.line_bytes += 1;
            }
        }
    }

    fn end(&mut self) {
        if self.is_in_trailers {
            self.end_line();
        }
    }

    fn skipped(&mut self) {
        self.has_message = true;
    }
}
