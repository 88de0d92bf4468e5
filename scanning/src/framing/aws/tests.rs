//! Messages in every chunking; and broken messages.

use super::*;
use proptest::prelude::*;

#[derive(Debug, Default, PartialEq)]
struct Messages {
    read: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)>,
    skipped: usize,
}

impl Sink for Messages {
    fn message(&mut self, message: Message<'_>) {
        self.read.push((message.message_type.into(), message.event_type.into(), message.payload.into()));
    }

    fn skipped(&mut self) {
        self.skipped += 1;
    }
}

fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    for (name, value) in headers {
        encoded.push(name.len() as u8);
        encoded.extend_from_slice(name.as_bytes());
        encoded.push(7);
        encoded.extend_from_slice(&(value.len() as u16).to_be_bytes());
        encoded.extend_from_slice(value.as_bytes());
    }
    let total = PRELUDE_BYTES + encoded.len() + payload.len() + CRC_BYTES;
    let mut bytes = [(total as u32).to_be_bytes(), (encoded.len() as u32).to_be_bytes()].concat();
    bytes.extend_from_slice(&crc32(&bytes).to_be_bytes());
    bytes.extend_from_slice(&encoded);
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(&crc32(&bytes).to_be_bytes());
    bytes
}

fn event(kind: &str, payload: &[u8]) -> Vec<u8> {
    message(&[(":event-type", kind), (":message-type", "event")], payload)
}

fn frame<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Messages {
    let (mut framer, mut messages) = (Framer::default(), Messages::default());
    chunks.into_iter().for_each(|chunk| framer.push(chunk, &mut messages));
    messages
}

#[test]
fn the_checksum_is_the_known_one() {
    assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
}

#[test]
fn messages_are_read_at_every_cut() {
    let exception = message(&[(":message-type", "exception"), (":exception-type", "x")], b"{}");
    let stream = [event("a", b"{\"x\":1}"), event("b", b""), exception].concat();
    let row =
        |message_type: &[u8], kind: &[u8], payload: &[u8]| (message_type.into(), kind.into(), payload.into());
    let read =
        vec![row(b"event", b"a", b"{\"x\":1}"), row(b"event", b"b", b""), row(b"exception", b"", b"{}")];
    let expected = Messages { read, skipped: 0 };
    assert_eq!(frame(stream.chunks(1)), expected);
    for cut in 0..stream.len() {
        assert_eq!(frame([&stream[..cut], &stream[cut..]]), expected, "cut at {cut}");
    }
}

#[test]
fn a_broken_message_is_skipped_and_the_next_one_is_read() {
    let mut broken = event("a", b"payload");
    let at = broken.len() - 6;
    broken[at] ^= 1;
    let messages = frame([&[broken, event("b", b"fine")].concat()[..]]);
    assert_eq!((messages.skipped, messages.read.len()), (1, 1));
    // If the lengths are wrong, the next message cannot be found.
    let mut broken = event("a", b"payload");
    broken[3] ^= 1;
    for chunk in [1, 7, 1000] {
        let stream = [broken.clone(), event("b", b"lost")].concat();
        let messages = frame(stream.chunks(chunk));
        assert_eq!((messages.skipped, messages.read.len()), (1, 0), "in chunks of {chunk}");
    }
}

#[test]
fn a_long_message_is_skipped() {
    let long = event("a", &vec![b'x'; MESSAGE_BYTES_MAX]);
    let stream = [long, event("b", b"fine")].concat();
    for chunk in [1, 1000, stream.len()] {
        let messages = frame(stream.chunks(chunk));
        assert_eq!((messages.skipped, messages.read.len()), (1, 1), "in chunks of {chunk}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_the_same_in_any_chunking(
        mut stream in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..20).prop_map(|payload| event("a", &payload)),
        ], 0..4).prop_map(|messages| messages.concat()),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        cut: prop::sample::Index,
    ) {
        for (at, value) in flips {
            if !stream.is_empty() {
                let at = at.index(stream.len());
                stream[at] = value;
            }
        }
        let whole = frame([&stream[..]]);
        let (a, b) = stream.split_at(cut.index(stream.len() + 1));
        prop_assert_eq!(&frame([a, b]), &whole);
        prop_assert_eq!(&frame(stream.chunks(1)), &whole);
    }
}
