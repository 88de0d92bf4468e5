//! Values of headers, cookies and query parameters, which may be a conversation's key.
//!
//! In: the bytes of a header or of `:path`. Out: the value's bytes, which need not be UTF-8.
//!
//! Keys have no maximum length. A key that was cut could equal another, a key that was refused would be lost, and
//! Envoy has limited the size of the head already.

use alloc::vec::Vec;

/// A header's value without the white space around it; `None` if it is empty then.
#[must_use]
pub fn value(header: &[u8]) -> Option<&[u8]> {
    let value = header.trim_ascii();
    (!value.is_empty()).then_some(value)
}

/// The value of the first cookie of this name, without quotes around it (RFC 6265, section 5.4: names are case
/// sensitive). `None` if there is no such cookie or it is empty.
#[must_use]
pub fn cookie<'a>(header: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let found = header.split(|&b| b == b';').find_map(|pair| {
        let (key, value) = split_once(pair, b'=')?;
        (key.trim_ascii() == name).then(|| value.trim_ascii())
    })?;
    let unquoted = found.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(found);
    (!unquoted.is_empty()).then_some(unquoted)
}

/// The value of the first query parameter of this name in a request's path, decoded like a form: `%20` and `+` are
/// spaces. So it equals the same value in a header. An invalid escape stays as it is. `None` if there is no such
/// parameter or it is empty.
#[must_use]
pub fn query(path: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let (_, query) = split_once(path, b'?')?;
    let query = query.split(|&b| b == b'#').next()?;
    let value = query.split(|&b| b == b'&').find_map(|pair| {
        let (key, value) = split_once(pair, b'=')?;
        decoded(key).eq(name.iter().copied()).then_some(value)
    })?;
    (!value.is_empty()).then(|| decoded(value).collect())
}

fn split_once(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|&b| b == separator)?;
    let (before, rest) = bytes.split_at_checked(at)?;
    Some((before, rest.get(1..)?))
}

/// Decodes `application/x-www-form-urlencoded`.
fn decoded(mut text: &[u8]) -> impl Iterator<Item = u8> {
    core::iter::from_fn(move || match text {
        [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            text = rest;
            Some(nibble(*high) << 4 | nibble(*low))
        }
        [b'+', rest @ ..] => {
            text = rest;
            Some(b' ')
        }
        [byte, rest @ ..] => {
            text = rest;
            Some(*byte)
        }
        [] => None,
    })
}

/// The value of a hexadecimal digit.
#[expect(clippy::arithmetic_side_effects, reason = "at most 15 + 9")]
fn nibble(digit: u8) -> u8 {
    let letter_offset = if digit.is_ascii_digit() { 0 } else { 9 };
    (digit & 0x0f) + letter_offset
}

#[cfg(test)]
mod tests {
    use super::{cookie, query, value};
    use proptest::prelude::*;

    fn check_cookie(header: &[u8], expect: Option<&[u8]>) {
        assert_eq!(cookie(header, b"id"), expect, "{}", header.escape_ascii());
    }

    #[test]
    fn cookies() {
        check_cookie(b"id=abc", Some(b"abc"));
        check_cookie(b"a=1; id=abc; b=2", Some(b"abc"));
        check_cookie(b"a=1;id=abc;b=2", Some(b"abc"));
        check_cookie(b"a=1;\t id = abc ", Some(b"abc"));
        check_cookie(b"id=first; id=second", Some(b"first"));
        check_cookie(b"id=\"a b\"", Some(b"a b"));
        check_cookie(b"id=\"", Some(b"\""));
        check_cookie(b"id=a=b==", Some(b"a=b=="));
        check_cookie(b"id=\xff\xfe", Some(b"\xff\xfe"));
        check_cookie(b"xid=1; ids=2; ID=3; id", None);
        check_cookie(b"id=", None);
        check_cookie(b"id=\"\"", None);
        check_cookie(b"", None);
        check_cookie(b";;=;", None);
    }

    fn check_query(path: &[u8], expect: Option<&[u8]>) {
        assert_eq!(query(path, b"id").as_deref(), expect, "{}", path.escape_ascii());
    }

    #[test]
    fn queries() {
        check_query(b"/v1?id=abc", Some(b"abc"));
        check_query(b"/v1?a=1&id=abc&b=2", Some(b"abc"));
        check_query(b"/v1?id=first&id=second", Some(b"first"));
        check_query(b"/v1?id=a%20b", Some(b"a b"));
        check_query(b"/v1?id=a+b", Some(b"a b"));
        check_query(b"/v1?id=a%2Bb%2b", Some(b"a+b+"));
        check_query(b"/v1?%69d=abc", Some(b"abc"));
        check_query(b"/v1?id=%FF%00", Some(b"\xff\x00"));
        check_query(b"/v1?id=%", Some(b"%"));
        check_query(b"/v1?id=%4", Some(b"%4"));
        check_query(b"/v1?id=%zz%41", Some(b"%zzA"));
        check_query(b"/v1?id=a?b=c", Some(b"a?b=c"));
        check_query(b"/v1?id=abc#id=d", Some(b"abc"));
        check_query(b"/v1?id=", None);
        check_query(b"/v1?id", None);
        check_query(b"/v1?", None);
        check_query(b"/id=abc", None);
        check_query(b"", None);
    }

    #[test]
    fn values() {
        assert_eq!(value(b" a b\t"), Some(b"a b".as_slice()));
        assert_eq!(value(b" \t"), None);
        assert_eq!(value(b""), None);
    }

    proptest! {
        #[test]
        fn any_escaped_value_is_decoded(id in prop::collection::vec(any::<u8>(), 1..40)) {
            let escaped: String = id.iter().map(|b| format!("%{b:02x}")).collect();
            prop_assert_eq!(query(format!("/p?x=1&id={escaped}").as_bytes(), b"id"), Some(id));
        }

        #[test]
        fn any_bytes_are_read(bytes in any::<Vec<u8>>(), name in any::<Vec<u8>>()) {
            let _ = (cookie(&bytes, &name), query(&bytes, &name), value(&bytes));
        }
    }
}
