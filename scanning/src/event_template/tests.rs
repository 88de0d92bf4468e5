//! Templates against events that are made from the same values.

use super::*;
use proptest::prelude::*;

const EVENT: &[u8] = b"{\"n\":12,\"i\":\"abc\",\"t\":\"x\",\"f\":null }\n";

fn template() -> EventTemplate {
    let find = |part: &[u8]| EVENT.windows(part.len()).position(|window| window == part).unwrap();
    let candidates = vec![
        Wildcard { kind: WildcardKind::Number, range: 5..7 },
        Wildcard { kind: WildcardKind::String, range: find(b"abc")..find(b"abc") + 3 },
        Wildcard { kind: WildcardKind::Spaces, range: find(b" }")..find(b" }") + 1 },
    ];
    let mut template = EventTemplate::new(EVENT, find(b"x")..find(b"x") + 1, candidates).unwrap();
    for at in [5, find(b"abc") + 1, find(b" }")] {
        assert!(template.relax(at));
    }
    template
}

/// The text, its characters, and the number of bytes after the event.
fn compare(bytes: &[u8]) -> Option<(String, u64, usize)> {
    match template().compare(bytes) {
        Comparison::Match(found) => {
            let mut text = Vec::new();
            found.pieces(|piece| text.extend_from_slice(piece));
            assert!(found.plain_text().is_none_or(|plain| plain == text));
            Some((String::from_utf8(text).unwrap(), found.chars, found.rest.len()))
        }
        Comparison::Incomplete(_) | Comparison::Mismatch(_) => None,
    }
}

proptest! {
    #[test]
    fn events_that_differ_in_wildcards_match(
        number in 0..u64::MAX, other in "[ -!#-\\[\\]-~é漢🙂]{0,40}", text in "(.|[é漢\n\"]){0,40}", is_ascii: bool, spaces in 0..20_usize, cut: prop::sample::Index,
    ) {
        let mut escaped = serde_json::to_string(&text).unwrap();
        if is_ascii {
            // Many servers write JSON in ASCII alone.
            escaped = escaped.chars().map(|char| if char.is_ascii() { char.to_string() } else {
                char.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
            }).collect();
        }
        let event = format!("{{\"n\":{number},\"i\":\"{other}\",\"t\":{escaped},\"f\":null{}}}\n", " ".repeat(spaces));
        let expected = Some((text.clone(), text.chars().count() as u64, 3));
        prop_assert_eq!(compare(format!("{event}abc").as_bytes()), expected);
        let part = &event.as_bytes()[..cut.index(event.len())];
        prop_assert!(matches!(template().compare(part), Comparison::Incomplete(_)));
    }

    #[test]
    fn events_that_differ_elsewhere_do_not_match(at in 0..EVENT.len(), byte: u8) {
        let mut other = EVENT.to_vec();
        other[at] = byte;
        let is_wildcard = template().wildcards.iter().any(|wildcard| wildcard.range.start <= at && at <= wildcard.range.end);
        prop_assume!(byte != EVENT[at] && !is_wildcard);
        prop_assert_eq!(compare(&other), None);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), at in 0..EVENT.len()) {
        compare(&bytes);
        compare(&[&EVENT[..at], &bytes].concat());
    }
}

#[test]
fn a_number_needs_a_digit_and_a_string_has_no_control_byte() {
    for event in [
        "{\"n\":,\"i\":\"abc\",\"t\":\"x\",\"f\":null }\n",
        "{\"n\":1,\"i\":\"a\nc\",\"t\":\"x\",\"f\":null }\n",
        "{\"n\":1,\"i\":\"a\",\"t\":\"x\r\",\"f\":null }\n",
    ] {
        assert_eq!(compare(event.as_bytes()), None, "{event}");
    }
}
