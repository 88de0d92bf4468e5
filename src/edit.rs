//! The interface of editors of bodies.
//!
//! An [`Editor`] edits a body that arrives in chunks of any size. [`Chain`] combines two editors, and an `Option` of an
//! editor may be absent. What is edited is up to the modules that implement the trait.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// Maximum length of a request's body that is edited. Past it, the rest of the body is not changed.
pub const REQUEST_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Edits a body, chunk by chunk.
pub trait Editor {
    /// Takes the next chunk and returns what to send instead. `None`: send the chunk unchanged; nothing is held back.
    fn push(&mut self, chunk: &[u8]) -> Option<Vec<u8>>;
    /// Ends the edit, mostly because the body has ended, and returns the bytes that were held back.
    fn finish(&mut self) -> Vec<u8>;
    /// Whether nothing is held back and no later chunk will change. From then on, the difference of the body's length is
    /// known.
    fn is_settled(&self) -> bool;
}

impl<T: Editor + ?Sized> Editor for Box<T> {
    fn push(&mut self, chunk: &[u8]) -> Option<Vec<u8>> {
        (**self).push(chunk)
    }

    fn finish(&mut self) -> Vec<u8> {
        (**self).finish()
    }

    fn is_settled(&self) -> bool {
        (**self).is_settled()
    }
}

/// An edit that may be absent.
impl<T: Editor> Editor for Option<T> {
    fn push(&mut self, chunk: &[u8]) -> Option<Vec<u8>> {
        self.as_mut()?.push(chunk)
    }

    fn finish(&mut self) -> Vec<u8> {
        self.as_mut().map(T::finish).unwrap_or_default()
    }

    fn is_settled(&self) -> bool {
        self.as_ref().is_none_or(T::is_settled)
    }
}

/// Two edits, one after the other: the second one edits the output of the first.
#[derive(Default)]
pub struct Chain<A, B>(pub A, pub B);

impl<A: Editor, B: Editor> Editor for Chain<A, B> {
    fn push(&mut self, chunk: &[u8]) -> Option<Vec<u8>> {
        match self.0.push(chunk) {
            Some(edited) => Some(self.1.push(&edited).unwrap_or(edited)),
            None => self.1.push(chunk),
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

/// Whether a request's body may be edited: it must be a JSON object of at most [`REQUEST_BYTES_MAX`].
#[derive(Default)]
pub struct EditCheck {
    read_bytes: u64,
    /// `None` until the body's first byte.
    is_object: Option<bool>,
}

impl EditCheck {
    /// Takes the next chunk and tells whether it may be edited. If it may not, later ones may not either.
    #[expect(clippy::arithmetic_side_effects, reason = "no body has 2^64 bytes")]
    pub fn allows(&mut self, chunk: &[u8]) -> bool {
        self.read_bytes += chunk.len() as u64;
        let first = chunk.iter().find(|byte| !byte.is_ascii_whitespace());
        self.is_object = self.is_object.or(first.map(|&byte| byte == b'{'));
        self.is_object != Some(false) && self.read_bytes <= REQUEST_BYTES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Replaces each of one byte by another. It holds back the last byte of each chunk until the next one.
    struct Swap(u8, u8, Vec<u8>);

    impl Editor for Swap {
        fn push(&mut self, chunk: &[u8]) -> Option<Vec<u8>> {
            let all = [std::mem::take(&mut self.2).as_slice(), chunk].concat();
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
    fn the_second_edits_the_output_of_the_first_and_nothing_is_lost() {
        for size in 1..8 {
            let mut chain = Chain(
                Some(Swap(b'a', b'b', Vec::new())),
                Chain(None::<Swap>, Box::new(Swap(b'b', b'c', Vec::new()))),
            );
            let body = b"abcab-a";
            let mut sent: Vec<u8> = body
                .chunks(size)
                .flat_map(|chunk| chain.push(chunk).unwrap_or_else(|| chunk.to_vec()))
                .collect();
            assert!(!chain.is_settled());
            sent.extend(chain.finish());
            assert_eq!(sent.escape_ascii().to_string(), "ccccc-c", "chunks of {size}");
            assert!(chain.is_settled());
        }
    }

    #[test]
    fn an_absent_edit_changes_nothing_and_is_settled() {
        let mut none = Chain(None::<Swap>, None::<Swap>);
        assert_eq!(none.push(b"a"), None);
        assert_eq!(none.finish(), b"");
        assert!(none.is_settled());
    }

    #[test]
    fn only_objects_up_to_the_limit_are_edited() {
        assert!(EditCheck::default().allows(b" \n"));
        assert!(EditCheck::default().allows(b" {"));
        assert!(!EditCheck::default().allows(b"[{"));
        assert!(!EditCheck::default().allows("\u{feff}{".as_bytes()));
        let mut check = EditCheck::default();
        let allowed = (0..9).filter(|_| check.allows(&[b'{'; 1 << 20])).count();
        assert_eq!(allowed, 8);
    }
}
