//! Base64 in pieces: what a message of an invoke stream wraps a model's document in. RFC 4648, section 4.

use alloc::vec::Vec;

/// Decodes as far as the pieces have come.
#[derive(Default)]
pub struct Decoder {
    bits: u32,
    bit_count: u32,
}

impl Decoder {
    /// Decodes a piece, and appends the bytes. Characters that are not of the alphabet are passed over.
    pub fn push(&mut self, text: &[u8], bytes: &mut Vec<u8>) {
        for &character in text {
            let value = match character {
                b'A'..=b'Z' => character.wrapping_sub(b'A'),
                b'a'..=b'z' => character.wrapping_sub(b'a').wrapping_add(26),
                b'0'..=b'9' => character.wrapping_sub(b'0').wrapping_add(52),
                b'+' => 62,
                b'/' => 63,
                _ => continue,
            };
            self.bits = self.bits.wrapping_shl(6) | u32::from(value);
            self.bit_count = self.bit_count.wrapping_add(6);
            if self.bit_count >= 8 {
                self.bit_count = self.bit_count.wrapping_sub(8);
                let byte = self.bits.wrapping_shr(self.bit_count) & 0xFF;
                bytes.push(u8::try_from(byte).unwrap_or_default());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_the_rfc_in_every_chunking() {
        let vectors = [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
        ];
        for (text, expected) in vectors {
            for cut in 0..=text.len() {
                let (mut decoder, mut bytes) = (Decoder::default(), Vec::new());
                let (a, b) = text.split_at(cut);
                decoder.push(a.as_bytes(), &mut bytes);
                decoder.push(b.as_bytes(), &mut bytes);
                assert_eq!(bytes, expected.as_bytes(), "{text} cut at {cut}");
            }
        }
    }
}
