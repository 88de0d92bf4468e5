//! The headers of a request or a response, read in one call.
//!
//! In Envoy's VM, reading one header costs nearly as much as reading all of them. So the header map is copied once, as
//! proxy-wasm serialises it, and searched in that form.

use alloc::borrow::Cow;
use alloc::vec;
use alloc::vec::Vec;

use crate::key::{self, LINES_MAX};

/// The headers of a request or a response, pseudo headers included.
#[derive(Default)]
pub struct Headers {
    /// The number of headers; the length of each name and value; then each name and value, followed by a NUL. Numbers
    /// are 32-bit little-endian.
    map: Vec<u8>,
    /// The [`mark`]s of all names. Most searches are for a header that is not there, and end with it.
    marks: u64,
}

const WORD_BYTES: usize = size_of::<u32>();

impl Headers {
    /// A map as proxy-wasm serialises it; empty if the host did not provide it.
    #[must_use]
    pub fn from_map(map: Vec<u8>) -> Headers {
        let mut marks = 0;
        for Line { name, .. } in Lines::of(&map) {
            marks |= mark(name);
        }
        Headers { map, marks }
    }

    /// A map of these names, in lower case, and values.
    #[must_use]
    pub fn from_pairs<'a>(pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone) -> Headers {
        let lengths_bytes = pairs.len().saturating_mul(2 * WORD_BYTES);
        let bytes = pairs.clone().fold(lengths_bytes.saturating_add(WORD_BYTES), |bytes, (name, value)| {
            bytes.saturating_add(name.len()).saturating_add(value.len()).saturating_add(2)
        });
        // Each NUL is there already.
        let mut map = vec![0; bytes];
        let mut marks = 0;
        if let Some((count, rest)) = map.split_first_chunk_mut()
            && let Some((lengths, mut texts)) = rest.split_at_mut_checked(lengths_bytes)
        {
            *count = to_word(pairs.len());
            for ([name_length, value_length], (name, value)) in words(lengths).zip(pairs) {
                marks |= mark(name);
                (*name_length, *value_length) = (to_word(name.len()), to_word(value.len()));
                texts = write(write(texts, name), value);
            }
        }
        Headers { map, marks }
    }

    /// The bytes of all names and values; `None` if the host did not provide the headers.
    #[must_use]
    pub fn byte_size(&self) -> Option<u64> {
        let count = word(self.map.first_chunk()?);
        // Besides names and values, the map has their number, their lengths and a NUL behind each.
        let other_bytes = count.saturating_mul(2 * (WORD_BYTES + 1)).saturating_add(WORD_BYTES);
        self.map
            .len()
            .checked_sub(other_bytes)
            .and_then(|size| u64::try_from(size).ok())
            .filter(|&size| size > 0)
    }

    /// The value of the first header with this name, in lower case.
    pub(super) fn get(&self, name: &str) -> Option<&[u8]> {
        self.line(name, 0)
    }

    /// The value of all headers with this name, in lower case, as [`key::joined`].
    pub(super) fn joined(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        // A pseudo header has one line.
        let lines_max = if name.starts_with(':') { 1 } else { LINES_MAX };
        key::joined(name, (0..lines_max).map_while(|at| self.line(name, at)))
    }

    /// The value of a header with this name, after so many others with it. This is the only search, so that it is compiled
    /// into one loop: the head of a request is searched a score of times.
    fn line(&self, name: &str, mut before: usize) -> Option<&[u8]> {
        let name = name.as_bytes();
        if self.marks & mark(name) == 0 {
            return None;
        }
        for line in Lines::of(&self.map) {
            if line.name != name {
                continue;
            }
            match before.checked_sub(1) {
                None => return line.value(&self.map),
                Some(left) => before = left,
            }
        }
        None
    }

    /// Whether there may be a header with this name: there is one, or the host did not provide the headers.
    pub(super) fn may_contain(&self, name: &str) -> bool {
        self.map.is_empty() || self.get(name).is_some()
    }

    /// Whether a request with this head can have a body that the filter reads.
    pub(super) fn announce_readable_body(&self) -> bool {
        // The body of an upgrade follows the response, and a gRPC client may wait for a response before it sends.
        matches!(self.get(":method"), Some(b"POST" | b"PUT" | b"PATCH"))
            && self.get("content-encoding").is_none_or(|coding| coding.eq_ignore_ascii_case(b"identity"))
            && !self.get("content-type").is_some_and(|kind| is_media_type(kind, b"application/grpc"))
            && self.get("upgrade").is_none()
    }

    /// Whether `content-length` is more than this many bytes.
    pub(super) fn content_length_exceeds(&self, bytes: usize) -> bool {
        self.get("content-length").and_then(content_length).is_some_and(|length| length > bytes)
    }
}

/// One header of a map.
struct Line<'h> {
    name: &'h [u8],
    value_at: usize,
    value_length: usize,
}

impl Line<'_> {
    fn value<'h>(&self, map: &'h [u8]) -> Option<&'h [u8]> {
        map.get(self.value_at..)?.get(..self.value_length)
    }
}

/// The headers of a map, up to the first whose name is not whole.
struct Lines<'h> {
    map: &'h [u8],
    lengths: core::slice::Iter<'h, [u8; 2 * WORD_BYTES]>,
    at: usize,
}

impl<'h> Lines<'h> {
    #[inline(always)]
    fn of(map: &'h [u8]) -> Lines<'h> {
        let (count, rest) = map.split_first_chunk().unwrap_or((&[0; WORD_BYTES], &[]));
        let lengths_bytes = word(count).saturating_mul(2 * WORD_BYTES);
        let lengths = rest.get(..lengths_bytes).unwrap_or_default();
        Lines { map, lengths: lengths.as_chunks().0.iter(), at: WORD_BYTES.saturating_add(lengths.len()) }
    }
}

impl<'h> Iterator for Lines<'h> {
    type Item = Line<'h>;

    #[inline(always)]
    fn next(&mut self) -> Option<Line<'h>> {
        let (name_length, value_length) = pair(self.lengths.next()?);
        let name = self.map.get(self.at..)?.get(..name_length)?;
        // Each is followed by a NUL.
        let value_at = self.at.saturating_add(name_length).saturating_add(1);
        self.at = value_at.saturating_add(value_length).saturating_add(1);
        Some(Line { name, value_at, value_length })
    }
}

/// A bit for a name. Different names may have the same.
#[inline(always)]
fn mark(name: &[u8]) -> u64 {
    let end = |byte: Option<&u8>| byte.copied().map_or(0, u32::from);
    let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
    let sum = length.wrapping_mul(7).wrapping_add(end(name.first())).wrapping_add(end(name.last()) << 2);
    1 << (sum % u64::BITS)
}

/// The number of bytes in a `content-length`.
pub(super) fn content_length(value: &[u8]) -> Option<usize> {
    str::from_utf8(value).ok().and_then(|length| length.trim().parse().ok())
}

/// Whether a `content-type` begins with these bytes, ignoring case.
pub(super) fn is_media_type(content_type: &[u8], start: &[u8]) -> bool {
    content_type.get(..start.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(start))
}

fn word(bytes: &[u8; WORD_BYTES]) -> usize {
    u32::from_le_bytes(*bytes) as usize
}

fn to_word(number: usize) -> [u8; WORD_BYTES] {
    u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes()
}

/// Pairs of words.
fn words(bytes: &mut [u8]) -> impl Iterator<Item = &mut [[u8; WORD_BYTES]; 2]> {
    bytes.as_chunks_mut().0.as_chunks_mut().0.iter_mut()
}

/// Writes a text and leaves a byte behind it. Returns what is left of the room.
fn write<'m>(room: &'m mut [u8], text: &[u8]) -> &'m mut [u8] {
    let Some((to, rest)) = room.split_at_mut_checked(text.len()) else { return &mut [] };
    to.copy_from_slice(text);
    rest.get_mut(1..).unwrap_or_default()
}

/// Two numbers.
fn pair([a, b, c, d, rest @ ..]: &[u8; 2 * WORD_BYTES]) -> (usize, usize) {
    (word(&[*a, *b, *c, *d]), word(rest))
}

#[cfg(test)]
mod tests {
    use super::{Headers, LINES_MAX, key};
    use proptest::prelude::*;

    fn written(pairs: &[(Vec<u8>, Vec<u8>)]) -> Headers {
        Headers::from_pairs(pairs.iter().map(|(name, value)| (name.as_slice(), value.as_slice())))
    }

    proptest! {
        #[test]
        fn each_written_header_is_found(pairs in prop::collection::vec(("[a-c]{0,2}", any::<Vec<u8>>()), 0..8)) {
            let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| (name.into_bytes(), value)).collect();
            let headers = written(&pairs);
            for name in ["", "a", "ab", "c", "d"] {
                let first = pairs.iter().find(|(header, _)| header == name.as_bytes());
                prop_assert_eq!(headers.get(name), first.map(|(_, value)| value.as_slice()));
                let lines = pairs.iter().filter(|(header, _)| header == name.as_bytes()).take(LINES_MAX);
                let joined = key::joined(name, lines.map(|(_, value)| value.as_slice()));
                prop_assert_eq!(headers.joined(name), joined);
            }
            let bytes: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
            prop_assert_eq!(headers.byte_size(), (bytes > 0).then_some(bytes as u64));
        }

        #[test]
        fn any_bytes_can_be_searched(bytes in any::<Vec<u8>>(), cut in 0..64_usize) {
            let _ = Headers::from_map(bytes).get("a");
            let mut map = written(&[(b"b".to_vec(), b"1".to_vec()), (b"a".to_vec(), b"2".to_vec())]).map;
            map.truncate(cut);
            let headers = Headers::from_map(map);
            prop_assert_eq!(headers.get("a"), (cut >= 27).then_some(b"2".as_slice()), "{}", cut);
        }
    }
}
