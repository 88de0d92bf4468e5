//! WebSocket (RFC 6455): bytes of one direction, in any pieces, in; whether a Close frame has come out.
//!
//! Only the headers of frames are read. Payloads are skipped, so nothing of them is kept.

/// The bit of a frame's second byte that says that a masking key follows the length.
const MASKED: u8 = 0x80;
const MASK_BYTES: u64 = 4;
/// A frame's length is in 7 bits. These two values say that it is in the next 2 or 8 bytes.
const LENGTH_IN_2: u8 = 126;
const LENGTH_IN_8: u8 = 127;
const OPCODE: u8 = 0x0f;
const CLOSE: u8 = 0x8;

/// The frames of one direction.
#[derive(Default)]
pub struct Frames {
    state: State,
    /// The frame that has begun is a Close frame.
    is_close: bool,
    has_close: bool,
}

#[derive(Clone, Copy, Default)]
enum State {
    /// A frame begins.
    #[default]
    Start,
    /// The byte with the length follows.
    Length,
    /// So many more bytes of the length follow.
    LongLength { left: u8, length: u64, mask_bytes: u64 },
    /// So many bytes of the frame follow.
    Rest(u64),
}

impl Frames {
    /// Reads the next piece.
    pub fn push(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while let Some((&byte, after)) = rest.split_first() {
            if let State::Rest(length) = self.state {
                let skipped = usize::try_from(length).map_or(rest.len(), |length| length.min(rest.len()));
                rest = rest.get(skipped..).unwrap_or_default();
                self.enter(State::rest(length.saturating_sub(skipped as u64)));
            } else {
                self.header_byte(byte);
                rest = after;
            }
        }
    }

    /// Whether a whole Close frame has come. What follows it is not read, by the standard.
    #[must_use]
    pub fn has_close(&self) -> bool {
        self.has_close
    }

    fn header_byte(&mut self, byte: u8) {
        let next = match self.state {
            State::Start => {
                self.is_close = byte & OPCODE == CLOSE;
                State::Length
            }
            State::Length => {
                let mask_bytes = if byte & MASKED == 0 { 0 } else { MASK_BYTES };
                match byte & !MASKED {
                    LENGTH_IN_2 => State::LongLength { left: 2, length: 0, mask_bytes },
                    LENGTH_IN_8 => State::LongLength { left: 8, length: 0, mask_bytes },
                    length => State::rest(u64::from(length).saturating_add(mask_bytes)),
                }
            }
            State::LongLength { left, length, mask_bytes } => {
                let length = (length << 8) | u64::from(byte);
                match left.saturating_sub(1) {
                    0 => State::rest(length.saturating_add(mask_bytes)),
                    left => State::LongLength { left, length, mask_bytes },
                }
            }
            State::Rest(length) => State::Rest(length),
        };
        self.enter(next);
    }

    fn enter(&mut self, state: State) {
        self.has_close |= self.is_close && matches!(state, State::Start);
        self.state = state;
    }
}

impl State {
    fn rest(length: u64) -> State {
        if length == 0 { State::Start } else { State::Rest(length) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// A frame as a client (with a mask) or a server sends it.
    fn frame(opcode: u8, payload: &[u8], is_masked: bool) -> Vec<u8> {
        let mask = if is_masked { MASKED } else { 0 };
        let mut bytes = vec![0x80 | opcode];
        match payload.len() {
            0..126 => bytes.push(mask | payload.len() as u8),
            126..65536 => {
                bytes.push(mask | 126);
                bytes.extend((payload.len() as u16).to_be_bytes());
            }
            _ => {
                bytes.push(mask | 127);
                bytes.extend((payload.len() as u64).to_be_bytes());
            }
        }
        if is_masked {
            bytes.extend([0x88; 4]);
        }
        bytes.extend(payload);
        bytes
    }

    proptest! {
        #[test]
        fn a_close_frame_is_found_in_every_chunking(
            frames in prop::collection::vec((0_u8..3, prop_oneof![0..200_usize, 65_500..65_600_usize]), 0..4),
            is_masked in any::<bool>(),
            closes in any::<bool>(),
            chunk in 1..70_usize,
        ) {
            // Payloads are full of bytes that look like Close frames.
            let mut stream: Vec<u8> =
                frames.iter().flat_map(|&(opcode, length)| frame(opcode, &vec![0x88; length], is_masked)).collect();
            if closes {
                stream.extend(frame(CLOSE, &[3, 0xe8], is_masked));
            }
            let mut read = Frames::default();
            stream.chunks(chunk).for_each(|piece| read.push(piece));
            prop_assert_eq!(read.has_close(), closes);
            prop_assert!(matches!(read.state, State::Start));
        }

        #[test]
        fn any_bytes_are_read(bytes in any::<Vec<u8>>(), chunk in 1..9_usize) {
            let mut whole = Frames::default();
            whole.push(&bytes);
            let mut read = Frames::default();
            bytes.chunks(chunk).for_each(|piece| read.push(piece));
            prop_assert_eq!(read.has_close(), whole.has_close());
        }
    }

    #[test]
    fn a_close_frame_that_is_cut_does_not_count() {
        for is_masked in [false, true] {
            for payload in [&b""[..], &[3, 0xe8], &[b'a'; 123]] {
                let frame = frame(CLOSE, payload, is_masked);
                for cut in 0..=frame.len() {
                    let mut frames = Frames::default();
                    frames.push(&frame[..cut]);
                    assert_eq!(frames.has_close(), cut == frame.len(), "{cut}");
                }
            }
        }
    }

    #[test]
    fn the_longest_length_does_not_overflow() {
        let mut frames = Frames::default();
        frames.push(&[0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        frames.push(&[0x88; 100]);
        assert!(!frames.has_close());
    }
}
