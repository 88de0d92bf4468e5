//! Pins: what a client sends back that names the version its conversation is on.
//!
//! A version's [`Token`] is the value of the pin cookie and the pin header. OpenAI's Responses API is continued by
//! ids, which only the version that made them can resolve; so ids that leave get the token as a mark at their
//! end, `resp_abc` becomes `resp_abc-llm-1a2b3c4d`, and lose it when they come back: in responses by [`TagIds`], in
//! requests' bodies by [`UntagIds`], in their paths by [`untag_path`]. At the end, because there it can be
//! written as the id's closing quote passes, with nothing held back.
//!
//! Whether a token is that of a version is the caller's to say: an id with another's is left as it is, since it may
//! be somebody's own.

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

/// What stands between an id and its token.
const INFIX: &[u8] = b"-llm-";
/// Hex digits of a token.
const DIGITS: usize = 8;
/// By so much a mark makes an id longer.
pub const TAG_BYTES: usize = INFIX.len() + DIGITS;

/// A version's name for clients: the same on every Envoy, and without meaning to anyone else.
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
            Some(value.wrapping_shl(4) | digit)
        })?;
        Some(Token(value))
    }
}

/// Eight lower-case hex digits.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// The id without its mark, and the token in that. `None`: it has no mark.
#[must_use]
pub fn unmarked(id: &[u8]) -> Option<(&[u8], Token)> {
    let (id, mark) = id.split_at_checked(id.len().checked_sub(TAG_BYTES)?)?;
    Some((id, parse_tag(mark)?)).filter(|(id, _)| !id.is_empty())
}

fn parse_tag(mark: &[u8]) -> Option<Token> {
    Token::parse(mark.strip_prefix(INFIX)?)
}
