use super::{Error, of_javascript, of_python};

/// What `new RegExp(pattern).test(text)` says.
#[test]
fn patterns_match_as_in_javascript() {
    for (pattern, text, expect) in [
        ("abc", "xabcx", true),
        ("a.b", "a\nb", false),
        ("a[^]b", "a\nb", true),
        ("^b", "a\nb", false),
        ("a$", "a\n", false),
        (r"^\w$", "é", false),
        (r"\bcat\b", "a cat.", true),
        (r"\bcat\b", "écaté", true),
        (r"\Bat", "cat", true),
        (r"^\s$", "\u{feff}", true),
        (r"^\s$", "\u{85}", false),
        (r"^[\s\S]*$", "a\nb", true),
        (r"^[^\d\s]+$", "ab", true),
        (r"^[\w.-]+@[\w-]+\.\w+$", "a.b-c@d-e.fr", true),
        (r"(a)\1", "aa", true),
        (r"(?<x>a)\k<x>", "aa", true),
        ("^(?!.*bad).*$", "all good", true),
        ("^(?!.*bad).*$", "it is bad", false),
        ("(?<=€)\\d+", "€42", true),
        ("x{2}y", "xxy", true),
        ("x{,2}", "x{,2}", true),
        ("{a}", "{a}", true),
        ("a]", "a]", true),
        (r"\/\-\#\ ", "/-# ", true),
        (r"\u00e9\x41", "éA", true),
        (r"\ud83d\ude00", "😀", true),
        ("[a&&b]", "&", true),
        ("[[a]", "[", true),
        (r"[\b]", "\u{8}", true),
        (r"[a-\d]", "-", true),
        ("[-a]", "-", true),
        ("[a-]", "-", true),
        ("/foo/i", "foo", false),
        ("a+?b", "aab", true),
        ("[]", "a", false),
        (r"\p{L}", "p{L}", true),
        ("a#b c", "a#b c", true),
    ] {
        let found = of_javascript(pattern).map(|pattern| pattern.is_match(text).unwrap());
        assert_eq!(found.unwrap_or(false), expect, "{pattern} on {text:?}");
    }
}

#[test]
fn what_javascript_refuses_is_invalid() {
    for pattern in ["(", ")", "[", "*a", "a**", "a++", "(?i)a", "(?P<x>a)", "\\", "a{2}{3}", "[b-a]", "x|*"] {
        assert!(matches!(of_javascript(pattern), Err(Error::Invalid(_))), "{pattern}");
    }
}

#[test]
fn patterns_that_blow_up_end() {
    let text = "a".repeat(40) + "!";
    assert!(!of_javascript("^(a+)+$").unwrap().is_match(&text).unwrap());
    let hard = of_javascript("^(?=(a+)+b)(a|a)*\\1$").unwrap().is_match(&"a".repeat(5_000));
    assert!(hard.is_err() || hard == Ok(false));
    assert!(matches!(of_javascript("(((a{1000}){1000}){1000}){1000}"), Err(Error::Unsupported(_))));
    assert!(matches!(of_javascript(&"a".repeat(1 << 20)), Err(Error::Unsupported(_))));
}

#[test]
fn python_patterns_find_groups() {
    let found = |pattern: &str, text: &str| of_python(pattern).unwrap().find_all(text).unwrap();
    assert_eq!(found(r"(-?[$0-9.,]{2,})|(-?[0-9]+)", "is 42, or 7"), [["42,", ""], ["", "7"]]);
    assert_eq!(found(r"\d+", "1 22"), [["1"], ["22"]]);
    assert_eq!(of_python(r"(?s).*#### ").unwrap().remove_all("so\n#### 42").unwrap(), "42");
}
