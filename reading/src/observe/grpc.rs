//! gRPC and gRPC-Web: which of their responses are read, and how one ended. That is told by its status, which comes
//! after the messages, or in the head if there is none.

mod inference;
pub(super) mod messages;
mod tensor;
#[cfg(test)]
mod tests;
mod web;

use super::observation::{End, Head, Outcome};
use alloc::boxed::Box;
use web::WebTrailers;

const GRPC: &[u8] = b"application/grpc";
const WEB: &[u8] = b"-web";
const PROTOBUF: &[u8] = b"+proto";
/// What may follow in the content type: how the messages are coded, or parameters.
const SEPARATORS: &[u8] = b"+; ";

const SERVICE: &[u8] = b"GRPCInferenceService";
/// By the end of the path. Each request is compared with these, so this must cost nothing.
const METHODS: &[(&[u8], GrpcMethod)] = &[
    (b"/ModelInfer", GrpcMethod::ModelInfer),
    (b"/ModelInferStream", GrpcMethod::ModelInferStream),
    (b"/ModelStreamInfer", GrpcMethod::ModelStreamInfer),
];

/// A method whose responses are read. A message of protobuf does not say what it is, so the method has to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrpcMethod {
    /// One answer, in a `ModelInferResponse` of KServe's protocol, version 2 (`grpc_predict_v2.proto`). Triton, MLServer,
    /// OpenVINO's model server and Dynamo have it too.
    ModelInfer,
    /// The same, streamed in messages of that type.
    ModelInferStream,
    /// Triton's stream, in a `ModelStreamInferResponse` each (`grpc_service.proto`), or in a `ModelInferResponse` as
    /// MLServer sends it.
    ModelStreamInfer,
}

impl GrpcMethod {
    /// The method that a request's path names, behind any prefix and in any package.
    pub fn of(path: &[u8]) -> Option<GrpcMethod> {
        let (package, method) =
            METHODS.iter().find_map(|(name, method)| Some((path.strip_suffix(*name)?, *method)))?;
        matches!(package.strip_suffix(SERVICE)?.last(), None | Some(b'.' | b'/')).then_some(method)
    }
}

/// What a content type says of gRPC.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct GrpcType {
    /// The trailers are in the body.
    pub(super) is_web: bool,
    /// The messages are protobuf.
    pub(super) is_protobuf: bool,
}

impl GrpcType {
    /// `None` if it is another protocol. The text of `application/grpc-web-text` is one: it is base64.
    pub(super) fn of(content_type: &[u8]) -> Option<GrpcType> {
        let rest = after(content_type.trim_ascii_start(), GRPC)?;
        let web = after(rest, WEB);
        let rest = web.unwrap_or(rest);
        if rest.first().is_some_and(|separator| !SEPARATORS.contains(separator)) {
            return None;
        }
        let coding = after(rest, PROTOBUF).unwrap_or(rest).trim_ascii_start();
        Some(GrpcType { is_web: web.is_some(), is_protobuf: matches!(coding.first(), None | Some(b';')) })
    }
}

/// What follows a beginning, in which upper and lower case are the same.
#[inline(never)]
fn after<'a>(bytes: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    let (begin, rest) = bytes.split_at_checked(start.len())?;
    begin.eq_ignore_ascii_case(start).then_some(rest)
}

/// The end of one response of gRPC.
pub(super) struct GrpcEnd {
    status: Option<GrpcStatus>,
    has_message: bool,
    /// Of gRPC-Web only.
    web: Option<Box<WebTrailers>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        let GrpcType { is_web, .. } = GrpcType::of(head.content_type)?;
        (head.status < 400).then(|| GrpcEnd {
            status: head.grpc_status.map(GrpcStatus::parse),
            has_message: false,
            web: is_web.then(Box::default),
        })
    }

    /// A piece of the body has come.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        match &mut self.web {
            None => self.has_message |= !bytes.is_empty(),
            Some(web) => {
                web.push(bytes);
                self.has_message |= web.has_message();
                self.status = web.status().or(self.status);
            }
        }
    }

    /// The trailers have come.
    pub(super) fn trailers(&mut self, status: Option<&[u8]>) {
        self.status = status.map(GrpcStatus::parse).or(self.status);
    }

    pub(super) fn has_status(&self) -> bool {
        self.status.is_some()
    }

    /// `has_error`: a message reported an error. `is_cut`: the last message is not complete.
    pub(super) fn outcome(&self, end: End, has_error: bool, is_cut: bool) -> Outcome {
        match (end, self.status) {
            (End::LocalReply, _) => Outcome::LocalReply,
            (_, Some(GrpcStatus::Error)) if !self.has_message => Outcome::HttpError,
            (_, Some(GrpcStatus::Error)) => Outcome::StreamError,
            _ if has_error => Outcome::StreamError,
            (_, Some(GrpcStatus::Ok)) if is_cut => Outcome::Truncated,
            (_, Some(GrpcStatus::Ok)) => Outcome::Complete,
            (End::ClientAbort, None) => Outcome::ClientAbort,
            (End::Complete | End::UpstreamReset, None) => Outcome::UpstreamReset,
        }
    }
}
