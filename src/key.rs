//! Values of headers, cookies and query parameters, which may be a conversation's key.
//!
//! In: the bytes of a header or of `:path`. Out: the value's bytes, which need not be UTF-8.
//!
//! Keys have no maximum length. A key that was cut could equal another, a key that was refused would be lost, and
//! Envoy has limited the size of the head already.

use alloc::borrow::Cow;
use alloc::vec::Vec;

/// How many lines of one header count.
pub const LINES_MAX: usize = 32;

/// What languages and templates write where a variable has no value, in any case.
///
/// `null`, `undefined`, `[object …]`: JavaScript. `None`, `nan`: Python. `nil`: Ruby, Lua, Swift. `<nil>`, `%!s(<nil>)`: Go.
/// `(null)`, `<null>`: C and Objective-C. `Optional.empty`: Java. The last one is the UUID for no UUID (RFC 9562).
const NO_IDS: [&[u8]; 17] = [
    b"null",
    b"undefined",
    b"none",
    b"nil",
    b"nan",
    b"[object object]",
    b"[object promise]",
    b"[object undefined]",
    b"[object null]",
    b"<nil>",
    b"%!s(<nil>)",
    b"(null)",
    b"<null>",
    b"optional.empty",
    b"{}",
    b"\"\"",
    b"00000000-0000-0000-0000-000000000000",
];

/// An id without the white space around it; `None` if nothing is left, or only what stands for no id.
#[must_use]
pub fn id(text: &[u8]) -> Option<&[u8]> {
    value(text).filter(|id| !NO_IDS.iter().any(|none| id.eq_ignore_ascii_case(none)))
}

/// The value of a header that may have several lines. Equal lines count once; others are joined in order, cookies by `; `
/// (RFC 9113, section 8.2.3) and others by `,` (RFC 9110, section 5.3). White space around a line does not count, nor do
/// empty lines, nor lines past [`LINES_MAX`]. A single line is lent as it is. `None`: there is no line.
#[must_use]
pub fn joined<'a>(name: &str, lines: impl Iterator<Item = &'a [u8]>) -> Option<Cow<'a, [u8]>> {
    let mut lines = lines.take(LINES_MAX);
    let first = lines.next()?;
    let Some(second) = lines.next() else { return Some(Cow::Borrowed(first)) };
    let mut different: Vec<&[u8]> = Vec::new();
    for line in [first, second].into_iter().chain(lines).filter_map(value) {
        if !different.contains(&line) {
            different.push(line);
        }
    }
    let separator: &[u8] = if name == "cookie" { b"; " } else { b"," };
    Some(match different.as_slice() {
        [line] => Cow::Borrowed(*line),
        lines => Cow::Owned(lines.join(separator)),
    })
}

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
    cookies(header, name).next().filter(|value| !value.is_empty())
}

/// The values of all cookies of this name, in their order. Browsers send several where a cookie of another domain or path has
/// the same name.
pub fn cookies<'a>(header: &'a [u8], name: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    header.split(|&b| b == b';').filter_map(move |pair| {
        let (key, value) = split_once(pair, b'=')?;
        let value = (key.trim_ascii() == name).then(|| value.trim_ascii())?;
        Some(value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value))
    })
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

/// Decodes `application/x-www-form-urlencoded`. An invalid escape stays as it is.
pub(crate) fn decoded(mut text: &[u8]) -> impl Iterator<Item = u8> {
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
    use super::{LINES_MAX, NO_IDS, cookie, id, joined, query, value};
    use proptest::prelude::*;
    use std::borrow::Cow;

    #[test]
    fn ids() {
        for (text, expected) in [
            ("c-42", Some("c-42")),
            (" \t\r\n\x0cc 42 \n", Some("c 42")),
            ("nulls", Some("nulls")),
            ("undefined-1", Some("undefined-1")),
            ("no", Some("no")),
            ("0", Some("0")),
            ("false", Some("false")),
            ("00000000-0000-0000-0000-000000000001", Some("00000000-0000-0000-0000-000000000001")),
            ("", None),
            (" \t\r\n\x0c", None),
            // As each language writes it.
            ("null", None),
            ("NULL", None),
            ("undefined", None),
            ("None", None),
            ("nil", None),
            ("NaN", None),
            ("[object Object]", None),
            ("[object Promise]", None),
            ("[object Undefined]", None),
            ("[object Null]", None),
            ("<nil>", None),
            ("%!s(<nil>)", None),
            ("(null)", None),
            ("<null>", None),
            ("Optional.empty", None),
            ("{}", None),
            ("\"\"", None),
            ("00000000-0000-0000-0000-000000000000", None),
        ] {
            for text in [text.to_owned(), format!(" {text}\t")] {
                assert_eq!(id(text.as_bytes()), expected.map(str::as_bytes), "{text:?}");
            }
        }
        assert_eq!(id(b"\xff "), Some(&b"\xff"[..]));
        assert!(NO_IDS.iter().all(|none| none.to_ascii_lowercase() == *none));
    }

    #[test]
    fn lines_are_joined() {
        for (name, lines, expected) in [
            ("x-id", &[][..], None),
            ("x-id", &["a"], Some("a")),
            ("x-id", &[" a "], Some(" a ")), // a single line is lent as it is
            ("x-id", &[""], Some("")),
            ("x-id", &["a", "a"], Some("a")),
            ("x-id", &["a", " a\t", "a"], Some("a")),
            ("x-id", &["a", "b"], Some("a,b")),
            ("x-id", &["b", "a", "b", "c"], Some("b,a,c")),
            ("x-id", &["", "a"], Some("a")),
            ("x-id", &["a", " "], Some("a")),
            ("x-id", &["", ""], Some("")),
            ("x-id", &["a,b", "a"], Some("a,b,a")), // lines are compared, not items
            ("cookie", &["a=1", "b=2", "a=1"], Some("a=1; b=2")),
        ] {
            let found = joined(name, lines.iter().map(|line| line.as_bytes()));
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{name} {lines:?}");
        }
        assert!(matches!(joined("x", [&b"a"[..], b"a"].into_iter()), Some(Cow::Borrowed(b"a"))));
        let many: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
        let found = joined("x", many.iter().map(String::as_bytes)).unwrap();
        assert_eq!(found.split(|&b| b == b',').count(), LINES_MAX);
    }

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
        fn joined_lines_are_the_different_ones_in_order(lines in prop::collection::vec("[ab ]{0,2}", 0..8)) {
            let mut expected: Vec<&str> = Vec::new();
            for line in lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()) {
                if !expected.contains(&line) {
                    expected.push(line);
                }
            }
            let found = joined("x", lines.iter().map(String::as_bytes));
            let trimmed = found.as_deref().map(|found| found.trim_ascii().to_vec());
            prop_assert_eq!(trimmed, (!lines.is_empty()).then(|| expected.join(",").into_bytes()));
        }

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
