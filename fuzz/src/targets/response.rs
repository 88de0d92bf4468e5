//! Any bytes as any response: what is seen of them is the same however they are cut, and never more than there is.

use llm_canary::framing::websocket::Frames;
use llm_canary::observe::{End, GrpcMethod, Head, Observation, Observer};

use super::input::{Cuts, Input};

const TYPES: [&str; 10] = [
    "text/event-stream",
    "application/json",
    "application/x-ndjson",
    "application/vnd.amazon.eventstream",
    "text/plain",
    "",
    "text/event-stream; charset=utf-8",
    "image/png",
    "application/grpc",
    "application/grpc-web",
];
const GRPC_METHODS: [Option<GrpcMethod>; 4] = [
    Some(GrpcMethod::ModelInfer),
    Some(GrpcMethod::ModelStreamInfer),
    Some(GrpcMethod::ModelInferStream),
    None,
];
const ENDS: [End; 4] = [End::Complete, End::ClientAbort, End::UpstreamReset, End::LocalReply];
const STATUSES: [u16; 8] = [200, 200, 200, 200, 204, 503, 404, 0];
const GRPC_STATUSES: [Option<&[u8]>; 4] = [None, Some(b"0"), Some(b"14"), Some(b"")];
const ENCODINGS: [&str; 8] = ["", "", "", "", "", "", "identity", "gzip"];

struct Case<'b> {
    head: Head<'b>,
    end: End,
    detects_phrases: bool,
    expects_answer: bool,
    grpc_status: Option<&'b [u8]>,
    grpc_method: Option<GrpcMethod>,
    body: &'b [u8],
}

impl<'b> Case<'b> {
    fn observed<'p>(&self, pieces: impl IntoIterator<Item = &'p [u8]>) -> Observation {
        let mut observer = Observer::new(self.head, 0, 0);
        observer.detect_defects(None);
        if self.detects_phrases {
            observer.detect_refusal_phrases();
        }
        if !self.expects_answer {
            observer.expect_no_answer();
        }
        if let Some(method) = self.grpc_method {
            observer.expect_messages(method);
        }
        pieces.into_iter().for_each(|piece| observer.push(0, piece));
        observer.trailers(self.grpc_status);
        let mut seen = observer.finish(self.end, 0);
        // Two deltas in one piece came at one moment, and no gap was seen.
        seen.timing.longest_gap_us = None;
        seen
    }
}

fn has_close<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> bool {
    let mut frames = Frames::default();
    pieces.into_iter().for_each(|piece| frames.push(piece));
    frames.has_close()
}

/// The body, then as the last bytes: how it is cut, and what its head says.
pub(crate) fn response(bytes: &[u8]) {
    let mut input = Input(bytes);
    let content_type = input.pick(&TYPES).as_bytes();
    let status = input.pick(&STATUSES);
    let content_encoding = input.pick(&ENCODINGS).as_bytes();
    let end = input.pick(&ENDS);
    let detects_phrases = input.flag();
    let cuts = Cuts::of(&mut input);
    let head = Head { status, content_type, content_encoding, grpc_status: input.pick(&GRPC_STATUSES) };
    let (expects_answer, grpc_status) = (!input.flag(), input.pick(&GRPC_STATUSES));
    let is_grpc = content_type.starts_with(b"application/grpc");
    let grpc_method = if is_grpc { input.pick(&GRPC_METHODS) } else { None };
    let case =
        Case { head, end, detects_phrases, expects_answer, grpc_status, grpc_method, body: input.rest() };
    assert_eq!(has_close(cuts.pieces(case.body)), has_close([case.body]), "of WebSocket");

    let whole = case.observed([case.body]);
    assert_eq!(case.observed(cuts.pieces(case.body)), whole, "cut, it shows something else than whole");
    let length = case.body.len() as u64;
    // An answer that is yet to be fetched has no text, and anything else that is no answer has no length.
    let has_nothing = (whole.text_chars.unwrap_or(0), whole.unparsed) == (0, None);
    assert!(whole.is_answer || has_nothing, "{whole:?}");
    assert!(whole.text_chars.unwrap_or(0) <= length, "{whole:?}");
    assert!(whole.tool_calls <= length && whole.events.unwrap_or(0) <= length, "{whole:?}");
    assert!(whole.model.as_ref().is_none_or(|model| model.len() <= case.body.len()), "{whole:?}");
}
