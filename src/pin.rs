//! Pins: tokens that a client sends back and that name the version of its conversation.
//!
//! In: bodies and paths. Out: the same with tagged or untagged ids, and tokens. It does not know the versions: the caller
//! tells which tokens are known, and an id with an unknown token does not change.
//!
//! A [`Token`] is the value of the pin cookie and the pin header. In the Responses API a request continues an id, and
//! only the version that made the id knows it. So [`TagIds`] appends a tag with the version's token to ids in
//! responses: `resp_abc` becomes `resp_abc-llm-1a2b3c4d`. [`UntagIds`] removes it from bodies of requests, and
//! [`untag_path`] from paths. A tag at the end can be inserted at the id's closing quote, so nothing is held back.

mod path;
mod tag;
#[cfg(test)]
mod tests;
mod untag;

use core::fmt;

pub use path::{Endpoint, untag_path};
pub use tag::{Body, TagIds};
pub use untag::UntagIds;

use crate::bucket;

/// What a tag has before its token.
const INFIX: &[u8] = b"-llm-";
/// Hexadecimal digits of a token.
const DIGITS: usize = 8;
/// Length of a tag.
pub const TAG_BYTES: usize = INFIX.len() + DIGITS;

/// What clients see instead of a version's name. Every Envoy computes the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(u32);

impl Token {
    /// The token of a version of a rollout.
    #[must_use]
    pub fn of(rollout: &str, version: &str) -> Token {
        Token(bucket::token(rollout.as_bytes(), version.as_bytes()))
    }

    /// Reads a token as [`fmt::Display`] writes it.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Token> {
        if text.len() != DIGITS {
            return None;
        }
        let value = text.iter().try_fold(0_u32, |value, &byte| {
            let digit = match byte {
                b'0'..=b'9' | b'a'..=b'f' => char::from(byte).to_digit(16)?,
                _ => return None,
            };
            Some(value << 4 | digit)
        })?;
        Some(Token(value))
    }
}

/// Eight lower-case hexadecimal digits.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// The id without its tag, and the tag's token. `None`: the id has no tag.
#[must_use]
pub fn untag_id(id: &[u8]) -> Option<(&[u8], Token)> {
    let (id, tag) = id.split_at_checked(id.len().checked_sub(TAG_BYTES)?)?;
    Some((id, parse_tag(tag)?)).filter(|(id, _)| !id.is_empty())
}

fn parse_tag(tag: &[u8]) -> Option<Token> {
    Token::parse(tag.strip_prefix(INFIX)?)
}
