//! What a browser may do with the page: nothing but to use the style and the script that stand in it.
//!
//! The policy names both by their hashes. So whatever might get into the page, it does not run.

use crate::base64;
use ring::digest::{SHA256, digest};

/// The content of the page's meta element, and of the header that a server sends with it.
pub(super) fn content_policy(style: &str, script: &str, connects: bool) -> String {
    let connects = if connects { "'self'" } else { "'none'" };
    format!(
        "default-src 'none'; style-src {}; script-src {}; connect-src {connects}; img-src data:; base-uri 'none'; form-action 'none'",
        source(style),
        source(script)
    )
}

/// A name of this very text, for a browser that asks whether there is another one.
pub(crate) fn tag(text: &str) -> String {
    format!("\"{}\"", hash(text))
}

fn source(text: &str) -> String {
    format!("'sha256-{}'", hash(text))
}

fn hash(text: &str) -> String {
    base64::encode(digest(&SHA256, text.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::source;

    #[test]
    fn the_hash_is_the_one_that_browsers_compute() {
        // FIPS 180-4's example; the browser's tests show the rest.
        assert_eq!(source("abc"), "'sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0='");
    }
}
