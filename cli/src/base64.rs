//! Base64, as Kubernetes writes bytes (RFC 4648, with padding).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The bytes of a text in base64, which may be broken over lines; `None` if it is none.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let text: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    STANDARD.decode(text).ok()
}

/// Bytes in base64, in one line.
pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
