//! How a response of gRPC ended: by its status, which comes after the messages, or in the head if there is none.

use super::observation::{End, Head, Outcome};

const CONTENT_TYPE: &[u8] = b"application/grpc";
/// What may follow in the content type. gRPC-Web is another protocol: its status is in the body.
const SEPARATORS: &[u8] = b"+; ";

/// The end of one response of gRPC.
pub(super) struct GrpcEnd {
    status: Option<GrpcStatus>,
    has_message: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum GrpcStatus {
    Ok,
    Error,
}

impl GrpcStatus {
    fn parse(status: &[u8]) -> GrpcStatus {
        if status.trim_ascii() == b"0" { GrpcStatus::Ok } else { GrpcStatus::Error }
    }
}

impl GrpcEnd {
    /// `None` if the response is not gRPC, or if its HTTP status already says that it failed.
    pub(super) fn new(head: Head<'_>) -> Option<GrpcEnd> {
        let (kind, rest) = head.content_type.trim_ascii_start().split_at_checked(CONTENT_TYPE.len())?;
        let is_grpc = kind.eq_ignore_ascii_case(CONTENT_TYPE)
            && rest.first().is_none_or(|separator| SEPARATORS.contains(separator));
        (is_grpc && head.status < 400)
            .then(|| GrpcEnd { status: head.grpc_status.map(GrpcStatus::parse), has_message: false })
    }

    /// A piece of the body has come.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.has_message |= !bytes.is_empty();
    }

    /// The trailers have come.
    pub(super) fn trailers(&mut self, status: Option<&[u8]>) {
        self.status = status.map(GrpcStatus::parse).or(self.status);
    }

    pub(super) fn has_status(&self) -> bool {
        self.status.is_some()
    }

    pub(super) fn outcome(&self, end: End) -> Outcome {
        match (end, self.status) {
            (End::LocalReply, _) => Outcome::LocalReply,
            (_, Some(GrpcStatus::Ok)) => Outcome::Complete,
            (_, Some(GrpcStatus::Error)) if self.has_message => Outcome::StreamError,
            (_, Some(GrpcStatus::Error)) => Outcome::HttpError,
            (End::ClientAbort, None) => Outcome::ClientAbort,
            (End::Complete | End::UpstreamReset, None) => Outcome::UpstreamReset,
        }
    }
}
