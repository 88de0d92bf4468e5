//! A body's framing: told by its first bytes, then read to its end.

use super::reader::Reader;
use super::{Head, Unread};
use crate::dialect::Seen;
use crate::framing::sse;
use crate::json::chars;

/// The longest beginning that has to be seen: a byte order mark and `event:`.
const SNIFF_BYTES_MAX: usize = 9;
const BOM: &[u8] = b"\xEF\xBB\xBF";
/// How the first line of an event stream begins.
const EVENT_STREAM_STARTS: [&[u8]; 6] = [b"data:", b"event:", b"id:", b"retry:", b"error:", b":"];

pub(super) enum Body {
    Unknown {
        start: Start,
        is_event_stream: bool,
    },
    Events(sse::Framer, Box<Reader>),
    Json(Box<Reader>),
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

enum Framing {
    Events,
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
        let media_type = head.content_type.split(|&byte| byte == b';').next().unwrap_or_default();
        let media_type = media_type.trim_ascii().to_ascii_lowercase();
        if !is_readable(&media_type) {
            return Body::Unread(Unread::Type);
        }
        Body::Unknown { start: Start::default(), is_event_stream: media_type == b"text/event-stream" }
    }

    /// Deltas so far, if they come one by one.
    pub(super) fn streamed_deltas(&self) -> u64 {
        match self {
            Body::Events(_, reader) => reader.seen().deltas,
            Body::Unknown { .. } | Body::Json(_) | Body::Text { .. } => 0,
            Body::Unread(_) | Body::Absent => 0,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        match self {
            Body::Events(framer, reader) => framer.push(bytes, &mut **reader),
            Body::Json(reader) => reader.push(bytes),
            Body::Text { chars: count } => *count = count.saturating_add(chars(bytes)),
            Body::Unread(_) | Body::Absent => {}
            Body::Unknown { start, is_event_stream } => {
                let rest = start.fill(bytes);
                if let Some(framing) = start.framing(*is_event_stream) {
                    let start = std::mem::take(start);
                    *self = start.into_body(framing);
                    self.push(rest);
                }
            }
        }
    }

    pub(super) fn finish(self) -> Facts {
        match self {
            Body::Events(framer, reader) => reader.finish_events(framer.is_inside()),
            Body::Json(reader) => reader.finish_whole(),
            Body::Text { chars } => Facts { text_chars: Some(chars), ..Facts::default() },
            Body::Absent => Facts::default(),
            Body::Unread(unread) => Facts { unread: Some(unread), ..Facts::default() },
            Body::Unknown { start, is_event_stream: true } => start.into_body(Framing::Events).finish(),
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
    fn framing(&self, is_event_stream: bool) -> Option<Framing> {
        let bytes = self.as_bytes();
        if bytes.is_empty() || (bytes.len() < BOM.len() && BOM.starts_with(bytes)) {
            return None;
        }
        let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
        match bytes.first() {
            None => None,
            Some(b'{' | b'[') => Some(Framing::Json),
            _ if is_event_stream => Some(Framing::Events),
            _ if EVENT_STREAM_STARTS.iter().any(|start| bytes.starts_with(start)) => Some(Framing::Events),
            _ if EVENT_STREAM_STARTS.iter().any(|start| start.starts_with(bytes)) => None,
            _ => Some(Framing::Text),
        }
    }

    fn into_body(self, framing: Framing) -> Body {
        let bytes = self.as_bytes();
        let (mut body, bytes) = match framing {
            Framing::Events => (Body::Events(sse::Framer::default(), Box::default()), bytes),
            Framing::Json => (Body::Json(Box::default()), bytes.strip_prefix(BOM).unwrap_or(bytes)),
            Framing::Text => (Body::Text { chars: self.spaces }, bytes),
        };
        body.push(bytes);
        body
    }
}

/// Whether a body of this media type may hold text that a model wrote.
fn is_readable(media_type: &[u8]) -> bool {
    let contains = |part: &[u8]| media_type.windows(part.len()).any(|window| window == part);
    media_type.is_empty() || media_type.starts_with(b"text/") || contains(b"json") || contains(b"xml")
}
