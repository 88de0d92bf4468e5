//! A body's framing: told by its first bytes, then read to its end.

use super::events::Events;
use super::reader::Reader;
use super::{Head, Unread};
use crate::dialect::Seen;
use crate::framing::aws;
use crate::json::chars;
use alloc::boxed::Box;

/// The longest beginning that has to be seen: the lengths of a binary message.
const SNIFF_BYTES_MAX: usize = aws::PRELUDE_BYTES;
const BOM: &[u8] = b"\xEF\xBB\xBF";
/// How the first line of an event stream begins.
const EVENT_STREAM_STARTS: [&[u8]; 6] = [b"data:", b"event:", b"id:", b"retry:", b"error:", b":"];

pub(super) enum Body {
    /// Too little has come to tell.
    Unknown {
        start: Start,
        media: Media,
        wants_opening: bool,
    },
    Events(Box<Events>),
    Messages(aws::Framer, Box<Reader>),
    /// One document, or several in lines or an array.
    Json {
        reader: Box<Reader>,
        is_stream: bool,
    },
    Text {
        chars: u64,
    },
    Unread(Unread),
    /// There is no response.
    Absent,
}

/// The first bytes after any white space, and how many of that there were.
#[derive(Default)]
pub(super) struct Start {
    bytes: [u8; SNIFF_BYTES_MAX],
    len: usize,
    spaces: u64,
}

/// What the content type says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    EventStream,
    AwsEventStream,
    Lines,
    OtherText,
    Binary,
}

enum Framing {
    Events,
    Messages,
    Json,
    Text,
}

/// What a body showed, whatever its framing.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) seen: Seen,
    pub(super) dialect: Option<&'static str>,
    pub(super) text_chars: Option<u64>,
    pub(super) events: Option<u64>,
    pub(super) unread: Option<Unread>,
    /// Whether all that was needed came; `None` where the end of the stream alone can tell.
    pub(super) is_finished: Option<bool>,
}

impl Body {
    pub(super) fn new(head: Head<'_>) -> Body {
        if head.status < 200 {
            return Body::Unread(Unread::Type); // a protocol switch: no HTTP body follows
        }
        let encoding = head.content_encoding.trim_ascii();
        if !(encoding.is_empty() || encoding.eq_ignore_ascii_case(b"identity")) {
            return Body::Unread(Unread::Encoding);
        }
        match Media::of(head.content_type) {
            Media::Binary => Body::Unread(Unread::Type),
            Media::AwsEventStream => Body::Messages(aws::Framer::default(), Box::default()),
            media @ (Media::EventStream | Media::Lines | Media::OtherText) => {
                Body::Unknown { start: Start::default(), media, wants_opening: false }
            }
        }
    }

    /// Keeps the answer's first characters. To be said before the first byte.
    pub(super) fn want_opening(&mut self) {
        match self {
            Body::Unknown { wants_opening, .. } => *wants_opening = true,
            Body::Events(events) => events.want_opening(),
            Body::Messages(_, reader) | Body::Json { reader, .. } => reader.want_opening(),
            Body::Text { .. } | Body::Unread(_) | Body::Absent => {}
        }
    }

    /// Deltas so far, if they come one by one.
    pub(super) fn streamed_deltas(&self) -> u64 {
        match self {
            Body::Events(events) => events.seen().deltas,
            Body::Messages(_, reader) => reader.seen().deltas,
            Body::Json { reader, is_stream: true } => reader.seen().deltas,
            Body::Json { .. } | Body::Unknown { .. } | Body::Text { .. } => 0,
            Body::Unread(_) | Body::Absent => 0,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        match self {
            Body::Events(events) => events.push(bytes),
            Body::Messages(framer, reader) => framer.push(bytes, &mut **reader),
            Body::Json { reader, .. } => reader.push(bytes),
            Body::Text { chars: count } => *count = count.saturating_add(chars(bytes)),
            Body::Unread(_) | Body::Absent => {}
            Body::Unknown { start, media, wants_opening } => {
                let (media, wants_opening) = (*media, *wants_opening);
                let rest = start.fill(bytes);
                if let Some(framing) = start.framing(media) {
                    let start = core::mem::take(start);
                    *self = start.into_body(framing, media, wants_opening);
                    self.push(rest);
                }
            }
        }
    }

    pub(super) fn finish(self) -> Facts {
        match self {
            Body::Events(events) => events.finish(),
            Body::Messages(framer, reader) => reader.finish_messages(framer.is_inside()),
            Body::Json { reader, is_stream } => reader.finish_documents(is_stream),
            Body::Text { chars } => Facts { text_chars: Some(chars), ..Facts::default() },
            Body::Absent => Facts::default(),
            Body::Unread(unread) => Facts { unread: Some(unread), ..Facts::default() },
            Body::Unknown { start, media: media @ Media::EventStream, .. } => {
                start.into_body(Framing::Events, media, false).finish()
            }
            Body::Unknown { .. } => Facts { text_chars: Some(0), ..Facts::default() },
        }
    }
}

impl Start {
    /// Takes what is needed of `bytes`; returns the rest.
    fn fill<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut rest = bytes;
        while let (Some((&byte, after)), Some(slot)) = (rest.split_first(), self.bytes.get_mut(self.len)) {
            if self.len == 0 && byte.is_ascii_whitespace() {
                self.spaces = self.spaces.saturating_add(1);
            } else {
                *slot = byte;
                self.len = self.len.saturating_add(1);
            }
            rest = after;
        }
        rest
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// `None` if more has to be seen.
    fn framing(&self, media: Media) -> Option<Framing> {
        let bytes = self.as_bytes();
        if bytes.is_empty() || (bytes.len() < BOM.len() && BOM.starts_with(bytes)) {
            return None;
        }
        let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
        match bytes.first() {
            None => None,
            Some(b'{' | b'[') => Some(Framing::Json),
            // No text begins with NUL, and the lengths of a message below 16 MiB do.
            Some(0) if bytes.len() < SNIFF_BYTES_MAX => None,
            Some(0) if aws::is_prelude(bytes) => Some(Framing::Messages),
            _ if media == Media::EventStream => Some(Framing::Events),
            _ if EVENT_STREAM_STARTS.iter().any(|start| bytes.starts_with(start)) => Some(Framing::Events),
            _ if EVENT_STREAM_STARTS.iter().any(|start| start.starts_with(bytes)) => None,
            _ => Some(Framing::Text),
        }
    }

    fn into_body(self, framing: Framing, media: Media, wants_opening: bool) -> Body {
        let bytes = self.as_bytes();
        let (mut body, bytes) = match framing {
            Framing::Events => (Body::Events(Box::default()), bytes),
            Framing::Messages => (Body::Messages(aws::Framer::default(), Box::default()), bytes),
            Framing::Json => {
                let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
                let is_stream = media == Media::Lines || bytes.starts_with(b"[");
                (Body::Json { reader: Box::default(), is_stream }, bytes)
            }
            Framing::Text => (Body::Text { chars: self.spaces }, bytes),
        };
        if wants_opening {
            body.want_opening();
        }
        body.push(bytes);
        body
    }
}

impl Media {
    fn of(content_type: &[u8]) -> Media {
        let name = content_type.split(|&byte| byte == b';').next().unwrap_or_default();
        let name = name.trim_ascii().to_ascii_lowercase();
        let contains = |part: &[u8]| name.windows(part.len()).any(|window| window == part);
        match name.as_slice() {
            b"text/event-stream" => Media::EventStream,
            b"application/vnd.amazon.eventstream" => Media::AwsEventStream,
            b"application/stream+json" | b"application/jsonl" => Media::Lines,
            // A file served as just bytes may be anything; its first bytes tell.
            b"" | b"application/octet-stream" => Media::OtherText,
            _ if contains(b"ndjson") => Media::Lines,
            _ if name.starts_with(b"text/") || contains(b"json") || contains(b"xml") => Media::OtherText,
            _ => Media::Binary,
        }
    }
}
