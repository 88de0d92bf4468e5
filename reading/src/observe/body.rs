//! The body of a response: its framing is detected, then it is read to its end.
//!
//! In: the headers, and bytes in any pieces. Out: a [`BodySummary`]. This does not know what the documents mean.

use super::documents::DocumentReader;
use super::events::Events;
use super::grpc::messages::Messages;
use super::grpc::{GrpcMethod, GrpcType};
use super::observation::{Head, Unparsed};
use super::summary::BodySummary;
use crate::defect::Asked;
use crate::dialect::Watch;
use crate::framing::aws;
use crate::json::chars;
use alloc::boxed::Box;

/// The longest beginning that is needed to detect the framing: the prelude of a binary message.
const SNIFF_BYTES_MAX: usize = aws::PRELUDE_BYTES;
const BOM: &[u8] = b"\xEF\xBB\xBF";
/// The beginnings of the first line of an event stream.
const EVENT_STREAM_STARTS: [&[u8]; 6] = [b"data:", b"event:", b"id:", b"retry:", b"error:", b":"];

/// A body, by its framing.
pub(super) enum ResponseBody {
    /// Too little has come to detect the framing.
    Unknown { start: Start, media: MediaType, wanted: Wanted },
    /// Server-sent events.
    Events(Box<Events>),
    /// Amazon's binary messages.
    Messages(aws::Framer, Box<DocumentReader>),
    /// Messages of gRPC.
    Grpc(Box<Messages>),
    /// A JSON document, or several in lines or an array.
    Json { documents: Box<DocumentReader>, is_stream: bool },
    /// Other text, of which only the characters are counted.
    Text { chars: u64 },
    /// Bytes that are not read.
    Unparsed(Unparsed),
    /// There is no response.
    Absent,
}

/// What is wanted of the answer beside its facts.
#[derive(Default)]
pub(super) struct Wanted {
    answer_prefix: bool,
    defects: bool,
    /// What the request asked for, which defects depend on.
    asked: Option<Asked>,
}

/// The first bytes of the body after any white space.
#[derive(Default)]
pub(super) struct Start {
    bytes: [u8; SNIFF_BYTES_MAX],
    len: usize,
    /// Bytes of white space before them.
    spaces: u64,
}

/// What the content type says of the framing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum MediaType {
    EventStream,
    AwsEventStream,
    Grpc,
    /// JSON in lines.
    Lines,
    /// One JSON document.
    Json,
    OtherText,
    Binary,
}

enum Framing {
    Events,
    Messages,
    Json,
    Text,
}

impl ResponseBody {
    pub(super) fn new(head: Head<'_>) -> ResponseBody {
        // The protocol is switched, and no HTTP body follows; or the status says that there is no body.
        if head.status < 200 || matches!(head.status, 204 | 205 | 304) {
            return ResponseBody::Absent;
        }
        let encoding = head.content_encoding.trim_ascii();
        if !(encoding.is_empty() || encoding.eq_ignore_ascii_case(b"identity")) {
            return ResponseBody::Unparsed(Unparsed::Encoding);
        }
        match MediaType::of(head.content_type) {
            MediaType::Binary => ResponseBody::Unparsed(Unparsed::Type),
            MediaType::Grpc => ResponseBody::Grpc(Box::default()),
            MediaType::AwsEventStream => ResponseBody::Messages(aws::Framer::default(), Box::default()),
            media @ (MediaType::EventStream | MediaType::Lines | MediaType::Json | MediaType::OtherText) => {
                ResponseBody::Unknown { start: Start::default(), media, wanted: Wanted::default() }
            }
        }
    }

    /// What the messages of gRPC are. To be called before the first byte.
    pub(super) fn expect_messages(&mut self, method: GrpcMethod) {
        if let ResponseBody::Grpc(messages) = self {
            messages.expect(method);
        }
    }

    /// Keeps the first characters of the answer. To be called before the first byte.
    pub(super) fn keep_answer_prefix(&mut self) {
        match self {
            ResponseBody::Unknown { wanted, .. } => wanted.answer_prefix = true,
            ResponseBody::Events(events) => events.keep_answer_prefix(),
            ResponseBody::Grpc(messages) => messages.keep_answer_prefix(),
            ResponseBody::Messages(_, documents) | ResponseBody::Json { documents, .. } => {
                documents.keep_answer_prefix()
            }
            ResponseBody::Text { .. } | ResponseBody::Unparsed(_) | ResponseBody::Absent => {}
        }
    }

    /// Looks for defects of the first answer. To be called before the first byte.
    pub(super) fn detect_defects(&mut self, asked: Option<Asked>) {
        let watch = |asked| Box::new(Watch::new(asked));
        match self {
            ResponseBody::Unknown { wanted, .. } => (wanted.defects, wanted.asked) = (true, asked),
            ResponseBody::Events(events) => events.watch(watch(asked)),
            ResponseBody::Grpc(messages) => messages.watch(watch(asked)),
            ResponseBody::Messages(_, documents) | ResponseBody::Json { documents, .. } => {
                documents.watch(watch(asked))
            }
            ResponseBody::Text { .. } | ResponseBody::Unparsed(_) | ResponseBody::Absent => {}
        }
    }

    /// Deltas so far, if this is a stream.
    pub(super) fn streamed_deltas(&self) -> u64 {
        match self {
            ResponseBody::Events(events) => events.facts().deltas,
            ResponseBody::Grpc(messages) => messages.streamed_deltas(),
            ResponseBody::Messages(_, documents) => documents.facts().deltas,
            ResponseBody::Json { documents, is_stream: true } if !documents.is_batch() => {
                documents.facts().deltas
            }
            ResponseBody::Json { .. } | ResponseBody::Unknown { .. } | ResponseBody::Text { .. } => 0,
            ResponseBody::Unparsed(_) | ResponseBody::Absent => 0,
        }
    }

    /// Reads the next piece.
    #[expect(clippy::arithmetic_side_effects, reason = "a count of bytes of the body")]
    pub(super) fn push(&mut self, bytes: &[u8]) {
        match self {
            ResponseBody::Events(events) => events.push(bytes),
            ResponseBody::Grpc(messages) => messages.push(bytes),
            ResponseBody::Messages(framer, documents) => framer.push(bytes, &mut **documents),
            ResponseBody::Json { documents, .. } => documents.push(bytes),
            ResponseBody::Text { chars: count } => *count += chars(bytes),
            ResponseBody::Unparsed(_) | ResponseBody::Absent => {}
            ResponseBody::Unknown { start, media, wanted } => {
                let media = *media;
                let rest = start.fill(bytes);
                if let Some(framing) = start.framing(media) {
                    let (start, wanted) = (core::mem::take(start), core::mem::take(wanted));
                    *self = start.into_body(framing, media, wanted);
                    self.push(rest);
                }
            }
        }
    }

    /// The body has ended. `is_due`: the head promised a body, so a body of nothing is not complete.
    pub(super) fn finish(self, is_due: bool) -> BodySummary {
        match self {
            ResponseBody::Events(mut events) => events.finish(),
            ResponseBody::Grpc(messages) => messages.finish(),
            ResponseBody::Messages(framer, mut documents) => documents.finish_messages(framer.is_inside()),
            ResponseBody::Json { mut documents, is_stream } => documents.finish_documents(is_stream),
            ResponseBody::Text { chars } => BodySummary { text_chars: Some(chars), ..BodySummary::default() },
            ResponseBody::Absent => BodySummary::default(),
            ResponseBody::Unparsed(unparsed) => {
                BodySummary { unparsed: Some(unparsed), ..BodySummary::default() }
            }
            ResponseBody::Unknown { start, media: media @ MediaType::EventStream, wanted } => {
                start.into_body(Framing::Events, media, wanted).finish(is_due)
            }
            ResponseBody::Unknown { start, media, .. } => BodySummary {
                text_chars: Some(0),
                is_finished: (is_due && start.is_nothing(media)).then_some(false),
                ..BodySummary::default()
            },
        }
    }
}

impl Start {
    /// Appends as many of `bytes` as there is room for. Returns the rest.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a count of bytes of the body, and an index of `self.bytes`"
    )]
    fn fill<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut rest = bytes;
        while let (Some((&byte, after)), Some(slot)) = (rest.split_first(), self.bytes.get_mut(self.len)) {
            if self.len == 0 && byte.is_ascii_whitespace() {
                self.spaces += 1;
            } else {
                *slot = byte;
                self.len += 1;
            }
            rest = after;
        }
        rest
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Whether there is only white space, which servers send while a request waits; or not even that, though JSON was
    /// announced.
    fn is_nothing(&self, media: MediaType) -> bool {
        let is_json = matches!(media, MediaType::Json | MediaType::Lines);
        self.len == 0 && (self.spaces > 0 || is_json)
    }

    /// `None` if more bytes are needed.
    fn framing(&self, media: MediaType) -> Option<Framing> {
        let bytes = self.as_bytes();
        if bytes.is_empty() || (bytes.len() < BOM.len() && BOM.starts_with(bytes)) {
            return None;
        }
        let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
        match bytes.first() {
            None => None,
            Some(b'{' | b'[') => Some(Framing::Json),
            // Text does not begin with NUL, but each message below 16 MiB does, in its length.
            Some(0) if bytes.len() < SNIFF_BYTES_MAX => None,
            Some(0) if aws::is_prelude(bytes) => Some(Framing::Messages),
            _ if media == MediaType::EventStream => Some(Framing::Events),
            _ if EVENT_STREAM_STARTS.iter().any(|start| bytes.starts_with(start)) => Some(Framing::Events),
            _ if EVENT_STREAM_STARTS.iter().any(|start| start.starts_with(bytes)) => None,
            _ => Some(Framing::Text),
        }
    }

    fn into_body(self, framing: Framing, media: MediaType, wanted: Wanted) -> ResponseBody {
        let bytes = self.as_bytes();
        let (mut body, bytes) = match framing {
            Framing::Events => (ResponseBody::Events(Box::default()), bytes),
            Framing::Messages => (ResponseBody::Messages(aws::Framer::default(), Box::default()), bytes),
            Framing::Json => {
                let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
                let is_array = media != MediaType::Lines && bytes.starts_with(b"[");
                let mut documents = Box::<DocumentReader>::default();
                if is_array {
                    documents.begin_array();
                }
                let is_stream = media == MediaType::Lines || is_array;
                (ResponseBody::Json { documents, is_stream }, bytes)
            }
            // A JSON value that is no object, or none: in either case no text of an answer.
            Framing::Text if matches!(media, MediaType::Json | MediaType::Lines) => {
                (ResponseBody::Unparsed(Unparsed::Dialect), bytes)
            }
            Framing::Text => (ResponseBody::Text { chars: self.spaces }, bytes),
        };
        if wanted.answer_prefix {
            body.keep_answer_prefix();
        }
        if wanted.defects {
            body.detect_defects(wanted.asked);
        }
        body.push(bytes);
        body
    }
}

impl MediaType {
    fn of(content_type: &[u8]) -> MediaType {
        let name = content_type.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
        // Nearly all answers have one of these, written so.
        match name {
            b"application/json" => return MediaType::Json,
            b"text/event-stream" => return MediaType::EventStream,
            _ => {}
        }
        if let Some(grpc) = GrpcType::of(content_type) {
            return if grpc.is_protobuf { MediaType::Grpc } else { MediaType::Binary };
        }
        let name = name.to_ascii_lowercase();
        let contains = |part: &[u8]| name.windows(part.len()).any(|window| window == part);
        match name.as_slice() {
            b"text/event-stream" => MediaType::EventStream,
            b"application/vnd.amazon.eventstream" => MediaType::AwsEventStream,
            b"application/stream+json" | b"application/jsonl" => MediaType::Lines,
            // Not known: the first bytes of the body tell.
            b"" | b"application/octet-stream" => MediaType::OtherText,
            _ if contains(b"ndjson") => MediaType::Lines,
            _ if contains(b"json") => MediaType::Json,
            _ if name.starts_with(b"text/") || contains(b"xml") => MediaType::OtherText,
            _ => MediaType::Binary,
        }
    }
}
