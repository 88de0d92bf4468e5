//! Valid header names.
//!
//! In: text of a configuration. Out: a [`HeaderName`] in lower case, as HTTP/2 sends it and Envoy compares it, or what is
//! wrong. It does not know what a header is used for, only whether the filter may set it
//! ([`HeaderName::for_output`]).

use alloc::string::String;
use core::fmt;

/// Maximum length of a header name.
pub const HEADER_NAME_BYTES_MAX: usize = 128;

/// The name of an HTTP header field in lower case (RFC 9110, section 5.1), never a pseudo header.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HeaderName(String);

/// Why a text is not a header name, or why the filter may not set that header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderNameError {
    /// The text is empty.
    Empty,
    /// Longer than [`HEADER_NAME_BYTES_MAX`].
    TooLong,
    /// Starts with a colon, such as `:path`.
    Pseudo,
    /// `host`, which Envoy gives to filters as `:authority` and not as a header.
    Host,
    /// Contains a character that is not allowed in header names.
    Character(char),
    /// HTTP or Envoy give this header a meaning, so the filter may not set or remove it.
    Reserved,
}

/// Headers that frame the message, identify the client, or control Envoy. The filter may not set or remove them.
const RESERVED: [&str; 22] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "keep-alive",
    "location",
    "proxy-authorization",
    "proxy-connection",
    "set-cookie",
    "te",
    "trailer",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-request-id",
];
const RESERVED_PREFIXES: [&str; 2] = ["x-envoy-", "x-forwarded-"];

impl HeaderName {
    /// A header that the filter reads. Upper case is accepted and becomes lower case.
    ///
    /// # Errors
    /// Why the text is not a header name.
    pub fn new(name: &str) -> Result<Self, HeaderNameError> {
        if name.is_empty() {
            return Err(HeaderNameError::Empty);
        }
        if name.len() > HEADER_NAME_BYTES_MAX {
            return Err(HeaderNameError::TooLong);
        }
        if name.starts_with(':') {
            return Err(HeaderNameError::Pseudo);
        }
        if let Some(other) = name.chars().find(|&c| !is_token_char(c)) {
            return Err(HeaderNameError::Character(other));
        }
        let name = name.to_ascii_lowercase();
        if name == "host" {
            return Err(HeaderNameError::Host);
        }
        Ok(Self(name))
    }

    /// A header that the filter sets, and removes if a client sends it.
    ///
    /// # Errors
    /// Why the text is not a header name, or why the filter may not set that header.
    pub fn for_output(name: &str) -> Result<Self, HeaderNameError> {
        let name = match Self::new(name) {
            Err(HeaderNameError::Host) => return Err(HeaderNameError::Reserved),
            other => other?,
        };
        let reserved = RESERVED.contains(&name.as_str())
            || RESERVED_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix));
        if reserved { Err(HeaderNameError::Reserved) } else { Ok(name) }
    }

    /// The name, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name, in lower case.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// `tchar` of RFC 9110, section 5.6.2.
fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".chars().any(|mark| mark == c)
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is wrong and what to write instead. It continues a sentence that begins with the name in quotes.
impl fmt::Display for HeaderNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty; write a header name such as x-conversation-id"),
            Self::TooLong => {
                write!(f, "is too long for a header name; use at most {HEADER_NAME_BYTES_MAX} characters")
            }
            Self::Pseudo => f.write_str("is a pseudo header; match hosts and paths with \"match\""),
            Self::Host => {
                f.write_str("cannot be read as a header; match it with \"match\": {\"hosts\": [...]}")
            }
            Self::Character(c) => write!(
                f,
                "is not a header name because of '{}'; use letters, digits and '-', such as x-conversation-id",
                c.escape_default()
            ),
            Self::Reserved => f.write_str(
                "has a special meaning in HTTP or Envoy and cannot be set; use a name such as x-llm-version",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{HEADER_NAME_BYTES_MAX, HeaderName, HeaderNameError};
    use proptest::prelude::*;

    fn check(name: &str, read: Result<&str, HeaderNameError>, set: Result<&str, HeaderNameError>) {
        let text = |parsed: Result<HeaderName, _>| parsed.map(|name| name.as_str().to_owned());
        assert_eq!(text(HeaderName::new(name)), read.map(str::to_owned), "reading {name:?}");
        assert_eq!(text(HeaderName::for_output(name)), set.map(str::to_owned), "setting {name:?}");
    }

    #[test]
    fn names() {
        use HeaderNameError::{Character, Empty, Host, Pseudo, Reserved, TooLong};
        check("x-llm-cluster", Ok("x-llm-cluster"), Ok("x-llm-cluster"));
        check("X-LLM-Cluster", Ok("x-llm-cluster"), Ok("x-llm-cluster"));
        check("x_under.score!", Ok("x_under.score!"), Ok("x_under.score!"));
        check("cookie", Ok("cookie"), Err(Reserved));
        check("Content-Length", Ok("content-length"), Err(Reserved));
        check("x-envoy-retry-on", Ok("x-envoy-retry-on"), Err(Reserved));
        check("x-forwarded-for", Ok("x-forwarded-for"), Err(Reserved));
        check("host", Err(Host), Err(Reserved));
        check("HOST", Err(Host), Err(Reserved));
        check("", Err(Empty), Err(Empty));
        check(":path", Err(Pseudo), Err(Pseudo));
        check("x y", Err(Character(' ')), Err(Character(' ')));
        check("x:y", Err(Character(':')), Err(Character(':')));
        check("x\ny", Err(Character('\n')), Err(Character('\n')));
        check("x-ü", Err(Character('ü')), Err(Character('ü')));
        let longest = "x".repeat(HEADER_NAME_BYTES_MAX);
        check(&longest, Ok(&longest), Ok(&longest));
        check(&format!("{longest}x"), Err(TooLong), Err(TooLong));
    }

    proptest! {
        #[test]
        fn an_accepted_name_is_a_lower_case_token(name in any::<String>()) {
            if let Ok(parsed) = HeaderName::new(&name) {
                prop_assert!(parsed.as_str().eq_ignore_ascii_case(&name));
                prop_assert!(parsed.as_bytes().iter().all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase()));
                let has_delimiter = parsed.as_str().contains([':', ',', ';', '"', '/', '(', '{', '=']);
                prop_assert!(!has_delimiter);
                prop_assert_eq!(HeaderName::new(parsed.as_str()), Ok(parsed.clone()));
            }
        }
    }
}
