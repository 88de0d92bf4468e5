//! The framer against a naive reader that joins all bytes first, and against the conformance cases.

use super::*;
use proptest::prelude::*;

type Event = (Vec<u8>, Vec<u8>);

#[derive(Debug, Default, PartialEq)]
struct Events {
    data: Vec<u8>,
    events: Vec<Event>,
    error_lines: u32,
}

impl Sink for Events {
    fn data(&mut self, piece: &[u8]) {
        self.data.extend_from_slice(piece);
    }

    fn dispatch(&mut self, kind: &[u8]) {
        self.events.push((kind.to_vec(), std::mem::take(&mut self.data)));
    }

    fn error_line(&mut self) {
        self.error_lines += 1;
    }
}

fn frame<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    let mut events = Events::default();
    let mut framer = Framer::default();
    for chunk in chunks {
        framer.push(chunk, &mut events);
    }
    events.events
}

/// The algorithm of the standard, step by step, on the whole stream at once.
fn naive(stream: &[u8]) -> Vec<Event> {
    let stream = stream.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(stream);
    let mut lines = Vec::new();
    let mut line = Vec::new();
    let mut bytes = stream.iter().peekable();
    while let Some(&byte) = bytes.next() {
        if byte == b'\r' {
            bytes.next_if(|&&next| next == b'\n');
        }
        if byte == b'\r' || byte == b'\n' {
            lines.push(std::mem::take(&mut line));
        } else {
            line.push(byte);
        }
    }
    let (mut events, mut kind, mut data) = (Vec::new(), Vec::new(), None::<Vec<u8>>);
    for line in lines {
        if line.is_empty() {
            let kind = std::mem::take(&mut kind);
            events.extend(data.take().map(|data| (kind, data)));
            continue;
        }
        let colon = line.iter().position(|&byte| byte == b':');
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"event" => kind = value[..value.len().min(TYPE_BYTES_MAX)].to_vec(),
            b"data" => match &mut data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => data = Some(value.to_vec()),
            },
            _ => {}
        }
    }
    events
}

fn check(stream: &[u8], expected: &[Event]) {
    assert_eq!(frame([stream]), expected, "whole: {:?}", String::from_utf8_lossy(stream));
    assert_eq!(frame(stream.chunks(1)), expected, "byte by byte: {:?}", String::from_utf8_lossy(stream));
}

fn check_every_cut(stream: &[u8], expected: &[Event]) {
    check(stream, expected);
    for cut in 0..stream.len() {
        let (a, b) = stream.split_at(cut);
        assert_eq!(frame([a, b]), expected, "cut at {cut}: {:?}", String::from_utf8_lossy(stream));
    }
}

proptest! {
    #[test]
    fn reads_like_the_standard_in_every_chunking(pieces in prop::collection::vec(prop::sample::select(vec![
        &b"data"[..], b"data:", b"data: ", b"event", b"event: x", b"id:1", b"error: {}", b"retry", b":", b" ", b"\n", b"\n",
        b"\r", b"\r\n", b"\n\n", b"\xEF\xBB\xBF", b"\xEF", b"{\"a\":1}", b"\xC3", b"\xA9", b"dat", b"datax", b"events:",
    ]), 0..24)) {
        let stream = pieces.concat();
        check_every_cut(&stream, &naive(&stream));
    }
}

#[test]
fn small_streams() {
    let event = |kind: &str, data: &str| (kind.as_bytes().to_vec(), data.as_bytes().to_vec());
    check_every_cut(b"data: a\n\ndata: b\n\n", &[event("", "a"), event("", "b")]);
    check_every_cut(b"event: x\r\ndata: a\r\n\r\n", &[event("x", "a")]);
    check_every_cut(b"data: a\rdata:  b\r\r", &[event("", "a\n b")]);
    check_every_cut(b"\xEF\xBB\xBFdata: a\n\n", &[event("", "a")]);
    check_every_cut(b": ping\n\nevent: only\n\ndata\n\n", &[event("", "")]);
    check_every_cut(b"event: x\nevent: y\ndata: a\n\ndata: cut", &[event("y", "a")]);
}

#[test]
fn an_error_line_is_reported() {
    let mut events = Events::default();
    Framer::default().push(b"error: {\"code\":500}\n\nerrors: no\n\n", &mut events);
    assert_eq!(events.error_lines, 1);
}

#[test]
fn a_long_type_is_cut() {
    let stream = format!("event: {}\ndata: a\n\n", "x".repeat(TYPE_BYTES_MAX * 2));
    check(stream.as_bytes(), &[(vec![b'x'; TYPE_BYTES_MAX], b"a".to_vec())]);
}
