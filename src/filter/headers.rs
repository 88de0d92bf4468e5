//! A head, read in one call.
//!
//! Reading one header costs the host nearly as much as reading all of them, because it asks the VM for room each time.

use alloc::vec::Vec;

/// The headers of a request or a response, pseudo headers included.
#[derive(Default)]
pub(super) struct Headers {
    /// As the ABI writes them: how many there are, the lengths of each one's name and value, then each
    /// one's name and value, with a NUL behind either.
    bytes: Vec<u8>,
}

const WORD_BYTES: usize = size_of::<u32>();

impl Headers {
    pub(super) fn new(bytes: Vec<u8>) -> Headers {
        Headers { bytes }
    }

    /// The value of the first header of this name, which is in lower case.
    pub(super) fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(header, _)| *header == name.as_bytes()).map(|(_, value)| value)
    }

    /// Whether there may be a header of this name: there is one, or the host did not tell.
    pub(super) fn may_hold(&self, name: &str) -> bool {
        self.bytes.is_empty() || self.get(name).is_some()
    }

    /// The names and the values, as far as the bytes make sense.
    fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let (count, rest) = self.bytes.split_first_chunk().unwrap_or((&[0; WORD_BYTES], &[]));
        let lengths_bytes = word(count).saturating_mul(2).saturating_mul(WORD_BYTES);
        let (lengths, mut rest) = rest.split_at_checked(lengths_bytes).unwrap_or_default();
        lengths.as_chunks::<{ 2 * WORD_BYTES }>().0.iter().map_while(move |lengths| {
            let (name, value) = lengths.split_first_chunk()?;
            Some((text(&mut rest, word(name))?, text(&mut rest, word(value.first_chunk()?))?))
        })
    }
}

fn word(bytes: &[u8; WORD_BYTES]) -> usize {
    u32::from_le_bytes(*bytes) as usize
}

/// Takes a text and the NUL behind it.
fn text<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after.get(1..)?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::Headers;
    use proptest::prelude::*;

    fn written(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
        let length = |bytes: &Vec<u8>| u32::try_from(bytes.len()).unwrap().to_le_bytes();
        let mut bytes = u32::try_from(pairs.len()).unwrap().to_le_bytes().to_vec();
        bytes.extend(pairs.iter().flat_map(|(name, value)| [length(name), length(value)].concat()));
        bytes.extend(pairs.iter().flat_map(|(name, value)| [name.as_slice(), b"\0", value, b"\0"].concat()));
        bytes
    }

    proptest! {
        #[test]
        fn what_is_written_is_found(pairs in prop::collection::vec(("[a-c]{0,2}", any::<Vec<u8>>()), 0..8)) {
            let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| (name.into_bytes(), value)).collect();
            let headers = Headers::new(written(&pairs));
            for name in ["", "a", "ab", "c", "d"] {
                let first = pairs.iter().find(|(header, _)| header == name.as_bytes());
                prop_assert_eq!(headers.get(name), first.map(|(_, value)| value.as_slice()));
            }
        }

        #[test]
        fn any_bytes_are_read(bytes in any::<Vec<u8>>(), cut in 0..64_usize) {
            let _ = Headers::new(bytes).get("a");
            let mut whole = written(&[(b"b".to_vec(), b"1".to_vec()), (b"a".to_vec(), b"2".to_vec())]);
            whole.truncate(cut);
            let found = Headers::new(whole.clone()).get("a").map(<[u8]>::to_vec);
            prop_assert!(found.is_none() || cut >= 28, "{cut}: {:?}", whole);
        }
    }
}
