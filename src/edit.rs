//! Bodies edited as they pass, cut anywhere: what all edits have in common.
//!
//! An [`Editor`] is one edit; [`Chain`] makes two of them one, and an `Option` of one is one that may be
//! absent. What is edited, and why, is in the modules that implement it.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// A request's body is looked at up to here; past it the request goes on as it came.
pub const REQUEST_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Edits bytes as they pass.
pub trait Editor {
    /// A piece has come. What is to be sent in its place; `None`: the piece as it is, with nothing held back.
    fn push(&mut self, piece: &[u8]) -> Option<Vec<u8>>;
    /// Nothing may be held back any longer, most likely because all has come. What was.
    fn finish(&mut self) -> Vec<u8>;
    /// Whether nothing is held back and all that is still to come goes on as it is: by how much the body's length
    /// has changed is now certain.
    fn is_settled(&self) -> bool;
}

impl<T: Editor + ?Sized> Editor for Box<T> {
    fn push(&mut self, piece: &[u8]) -> Option<Vec<u8>> {
        (**self).push(piece)
    }

    fn finish(&mut self) -> Vec<u8> {
        (**self).finish()
    }

    fn is_settled(&self) -> bool {
        (**self).is_settled()
    }
}

/// An edit that is wanted or not.
impl<T: Editor> Editor for Option<T> {
    fn push(&mut self, piece: &[u8]) -> Option<Vec<u8>> {
        self.as_mut()?.push(piece)
    }

    fn finish(&mut self) -> Vec<u8> {
        self.as_mut().map(T::finish).unwrap_or_default()
    }

    fn is_settled(&self) -> bool {
        self.as_ref().is_none_or(T::is_settled)
    }
}

/// Two edits as one: the second edits what the first makes.
#[derive(Default)]
pub struct Chain<A, B>(pub A, pub B);

impl<A: Editor, B: Editor> Editor for Chain<A, B> {
    fn push(&mut self, piece: &[u8]) -> Option<Vec<u8>> {
        match self.0.push(piece) {
            Some(edited) => Some(self.1.push(&edited).unwrap_or(edited)),
            None => self.1.push(piece),
        }
    }

    fn finish(&mut self) -> Vec<u8> {
        let held = self.0.finish();
        let mut last = self.1.push(&held).unwrap_or(held);
        last.append(&mut self.1.finish());
        last
    }

    fn is_settled(&self) -> bool {
        self.0.is_settled() && self.1.is_settled()
    }
}

/// Tells whether a request's body is one to edit: a JSON object, and not too long.
#[derive(Default)]
pub struct Gate {
    read_bytes: u64,
    /// `None` until the body's first byte.
    is_object: Option<bool>,
}

impl Gate {
    /// A piece has come. Whether it may be edited; once it may not, no later one may.
    pub fn admits(&mut self, piece: &[u8]) -> bool {
        self.read_bytes = self.read_bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        let first = piece.iter().find(|byte| !byte.is_ascii_whitespace());
        self.is_object = self.is_object.or(first.map(|&byte| byte == b'{'));
        self.is_object != Some(false) && self.read_bytes <= REQUEST_BYTES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes each of one byte as another, holding back the last byte of each piece until it knows what follows.
    struct Swap(u8, u8, Vec<u8>);

    impl Editor for Swap {
        fn push(&mut self, piece: &[u8]) -> Option<Vec<u8>> {
            let all = [std::mem::take(&mut self.2).as_slice(), piece].concat();
            let swapped: Vec<u8> = all.iter().map(|&b| if b == self.0 { self.1 } else { b }).collect();
            let (last, sent) = swapped.split_last()?;
            self.2 = vec![*last];
            Some(sent.to_vec())
        }

        fn finish(&mut self) -> Vec<u8> {
            std::mem::take(&mut self.2)
        }

        fn is_settled(&self) -> bool {
            self.2.is_empty()
        }
    }

    #[test]
    fn the_second_edits_what_the_first_makes_and_nothing_is_lost() {
        for size in 1..8 {
            let mut chain = Chain(
                Some(Swap(b'a', b'b', Vec::new())),
                Chain(None::<Swap>, Box::new(Swap(b'b', b'c', Vec::new()))),
            );
            let body = b"abcab-a";
            let mut sent: Vec<u8> = body
                .chunks(size)
                .flat_map(|piece| chain.push(piece).unwrap_or_else(|| piece.to_vec()))
                .collect();
            assert!(!chain.is_settled());
            sent.extend(chain.finish());
            assert_eq!(sent.escape_ascii().to_string(), "ccccc-c", "chunks of {size}");
            assert!(chain.is_settled());
        }
    }

    #[test]
    fn what_is_absent_changes_nothing_and_is_settled() {
        let mut none = Chain(None::<Swap>, None::<Swap>);
        assert_eq!(none.push(b"a"), None);
        assert_eq!(none.finish(), b"");
        assert!(none.is_settled());
    }

    #[test]
    fn only_objects_that_are_not_too_long_are_edited() {
        assert!(Gate::default().admits(b" \n"));
        assert!(Gate::default().admits(b" {"));
        assert!(!Gate::default().admits(b"[{"));
        assert!(!Gate::default().admits("\u{feff}{".as_bytes()));
        let mut gate = Gate::default();
        let admitted = (0..9).filter(|_| gate.admits(&[b'{'; 1 << 20])).count();
        assert_eq!(admitted, 8);
    }
}
