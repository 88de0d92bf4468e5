use super::*;
use alloc::vec::Vec;
use proptest::prelude::*;

#[derive(Debug, Default, PartialEq)]
struct Seen {
    frames: Vec<(Frame, u32, Vec<u8>)>,
    ended: usize,
    skipped: usize,
}

impl Sink for Seen {
    fn begin(&mut self, frame: Frame, length: u32) {
        assert_eq!(self.ended, self.frames.len(), "one frame at a time");
        self.frames.push((frame, length, Vec::new()));
    }

    fn data(&mut self, piece: &[u8]) {
        self.frames.last_mut().unwrap().2.extend_from_slice(piece);
    }

    fn end(&mut self) {
        self.ended += 1;
    }

    fn skipped(&mut self) {
        self.skipped += 1;
    }
}

fn read(bytes: &[u8], chunk: usize) -> (Seen, bool) {
    let (mut framer, mut seen) = (Framer::default(), Seen::default());
    bytes.chunks(chunk).for_each(|piece| framer.push(piece, &mut seen));
    (seen, framer.is_inside())
}

fn frame(flags: u8, content: &[u8]) -> Vec<u8> {
    [&[flags], &(content.len() as u32).to_be_bytes()[..], content].concat()
}

fn kind(flags: u8) -> Frame {
    [Frame::Message, Frame::CompressedMessage, Frame::Trailers, Frame::CompressedTrailers]
        [usize::from(flags & 1 | flags >> 6)]
}

proptest! {
    #[test]
    fn frames_are_found_in_every_chunking(
        frames in prop::collection::vec((prop::sample::select(vec![0_u8, 1, 0x80, 0x81]), any::<Vec<u8>>()), 0..6),
        cut in 0..8_usize,
        chunk in 1..40_usize,
    ) {
        let stream: Vec<u8> = frames.iter().flat_map(|(flags, content)| frame(*flags, content)).collect();
        let expected: Vec<_> = frames
            .iter()
            .map(|(flags, content)| {
                let read = if flags & 1 == 0 { content.clone() } else { Vec::new() };
                (kind(*flags), content.len() as u32, read)
            })
            .collect();
        let (seen, is_inside) = read(&stream, chunk);
        prop_assert_eq!(&seen.frames, &expected);
        prop_assert_eq!((seen.ended, seen.skipped, is_inside), (frames.len(), 0, false));

        // What was cut off is missed, and nothing else.
        let last = frames.last().map_or(0, |(_, content)| content.len() + HEADER_BYTES);
        let cut = cut.min(last);
        let (seen, is_inside) = read(&stream[..stream.len() - cut], chunk);
        prop_assert_eq!(seen.ended, frames.len() - usize::from(cut > 0));
        prop_assert_eq!(is_inside, cut > 0 && cut < last);
    }

    #[test]
    fn any_bytes_are_read_alike_in_every_chunking(bytes in any::<Vec<u8>>(), chunk in 1..9_usize) {
        prop_assert_eq!(read(&bytes, chunk), read(&bytes, bytes.len().max(1)));
    }
}

#[test]
fn a_message_that_is_too_long_is_skipped() {
    let length = MESSAGE_BYTES_MAX + 1;
    let (mut framer, mut seen) = (Framer::default(), Seen::default());
    framer.push(&[&[0], &length.to_be_bytes()[..]].concat(), &mut seen);
    let piece = vec![0; 1 << 20];
    for _ in 0..length >> 20 {
        assert!(framer.is_inside());
        framer.push(&piece, &mut seen);
    }
    assert!(!framer.is_inside());
    framer.push(&frame(0, b"next"), &mut seen);
    assert_eq!(seen.frames, [(Frame::Message, 4, b"next".to_vec())]);
    assert_eq!((seen.ended, seen.skipped), (1, 1));
}

#[test]
fn after_unknown_flags_nothing_is_read() {
    for flags in [0x02, 0x40, 0xff, b'{'] {
        let (seen, is_inside) = read(&[frame(flags, b"a"), frame(0, b"b")].concat(), 3);
        assert_eq!(seen, Seen { skipped: 1, ..Seen::default() });
        assert!(is_inside);
    }
}
