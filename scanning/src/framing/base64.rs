//! Base64: text in any pieces in, bytes out. Bedrock's invoke streams have the model's documents in base64.
//!
//! Specification: RFC 4648, section 4.

use alloc::vec::Vec;

/// The state between two pieces.
#[derive(Default)]
pub struct Decoder {
    /// Bits that are not a whole byte yet are the lowest `bit_count` of this.
    bits: u32,
    /// Below 8 between two characters.
    bit_count: u32,
}

impl Decoder {
    /// Decodes a piece of text and appends the bytes. Characters outside of the alphabet are skipped.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "`bit_count` is below 14, and each letter is in its range"
    )]
    pub fn push(&mut self, text: &[u8], bytes: &mut Vec<u8>) {
        for &character in text {
            let value = match character {
                b'A'..=b'Z' => character - b'A',
                b'a'..=b'z' => character - b'a' + 26,
                b'0'..=b'9' => character - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => continue,
            };
            self.bits = (self.bits << 6) | u32::from(value);
            self.bit_count += 6;
            if self.bit_count >= 8 {
                self.bit_count -= 8;
                let byte = (self.bits >> self.bit_count) & 0xFF;
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
