//! Bytes of a fuzzer as choices. A choice is taken from the end, so that a body in front of them is what it looks
//! like: a recording is a seed as it is, and a fuzzer's dictionary fits.

/// What is left of a fuzzer's bytes.
pub(super) struct Input<'b>(pub(super) &'b [u8]);

impl<'b> Input<'b> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The last byte; 0 where none is left.
    pub(super) fn byte(&mut self) -> u8 {
        let Some((&last, rest)) = self.0.split_last() else { return 0 };
        self.0 = rest;
        last
    }

    /// A number below `end`, which is at most 256.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    pub(super) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub(super) fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    pub(super) fn u32(&mut self) -> u32 {
        u32::from(self.u16()) << 16 | u32::from(self.u16())
    }

    pub(super) fn u64(&mut self) -> u64 {
        u64::from(self.u32()) << 32 | u64::from(self.u32())
    }

    /// The first `count` bytes, or as many as are left.
    pub(super) fn bytes(&mut self, count: usize) -> &'b [u8] {
        let (bytes, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'b [u8] {
        std::mem::take(&mut self.0)
    }
}

/// Where a body is cut: byte by byte, in pieces of one size, or in pieces of many sizes.
pub(super) struct Cuts {
    max: usize,
    state: u64,
}

impl Cuts {
    pub(super) fn of(input: &mut Input<'_>) -> Cuts {
        let max = input.pick(&[1, 2, 7, 16, 61, 300, 1460]);
        Cuts { max, state: u64::from(input.u16()) << 1 | 1 }
    }

    /// The pieces of a body; now and then an empty one.
    pub(super) fn pieces<'b>(&self, body: &'b [u8]) -> impl Iterator<Item = &'b [u8]> + use<'b> {
        let (max, mut state, mut rest) = (self.max, self.state, body);
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let random = (state >> 33) as usize;
            let length = if max == 1 { 1 } else { random % (max + 1) };
            let (piece, after) = rest.split_at(length.min(rest.len()));
            rest = after;
            Some(piece)
        })
    }
}
