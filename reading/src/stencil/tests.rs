//! The matcher against one that goes byte by byte.

use super::*;
use proptest::prelude::*;

const SAMPLE: &[u8] = b"{\"n\":12,\"i\":\"abc\",\"t\":\"x\",\"f\":null }\n";

fn stencil() -> Stencil {
    let find = |part: &[u8]| SAMPLE.windows(part.len()).position(|window| window == part).unwrap();
    let free = vec![
        Hole { kind: Kind::Number, range: 5..7 },
        Hole { kind: Kind::String, range: find(b"abc")..find(b"abc") + 3 },
        Hole { kind: Kind::Spaces, range: find(b" }")..find(b" }") + 1 },
    ];
    let mut stencil = Stencil::new(SAMPLE, find(b"x")..find(b"x") + 1, free).unwrap();
    for at in [5, find(b"abc") + 1, find(b" }")] {
        assert!(stencil.widen(at));
    }
    stencil
}

/// Text, characters, and bytes behind.
fn compare(bytes: &[u8]) -> Option<(String, u64, usize)> {
    match stencil().compare(bytes) {
        Comparison::Like(like) => {
            let mut text = Vec::new();
            like.pieces(|piece| text.extend_from_slice(piece));
            assert!(like.plain_text().is_none_or(|plain| plain == text));
            Some((String::from_utf8(text).unwrap(), like.chars, like.rest.len()))
        }
        Comparison::Cut(_) | Comparison::Different(_) => None,
    }
}

proptest! {
    #[test]
    fn what_differs_in_its_holes_is_alike(
        number in 0..u64::MAX, other in "[ -!#-\\[\\]-~é漢🙂]{0,40}", text in "(.|[é漢\n\"]){0,40}", is_ascii: bool, spaces in 0..20_usize, cut: prop::sample::Index,
    ) {
        let mut escaped = serde_json::to_string(&text).unwrap();
        if is_ascii {
            // As many servers write it.
            escaped = escaped.chars().map(|char| if char.is_ascii() { char.to_string() } else {
                char.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
            }).collect();
        }
        let like = format!("{{\"n\":{number},\"i\":\"{other}\",\"t\":{escaped},\"f\":null{}}}\n", " ".repeat(spaces));
        let has_pair = is_ascii && text.chars().any(|char| char > '\u{ffff}');
        let expected = (!has_pair).then(|| (text.clone(), text.chars().count() as u64, 3));
        prop_assert_eq!(compare(format!("{like}abc").as_bytes()), expected);
        let part = &like.as_bytes()[..cut.index(like.len())];
        if !has_pair {
            prop_assert!(matches!(stencil().compare(part), Comparison::Cut(_)));
        }
    }

    #[test]
    fn what_differs_elsewhere_is_not(at in 0..SAMPLE.len(), byte: u8) {
        let mut other = SAMPLE.to_vec();
        other[at] = byte;
        let is_hole = stencil().holes.iter().any(|hole| hole.range.start <= at && at <= hole.range.end);
        prop_assume!(byte != SAMPLE[at] && !is_hole);
        prop_assert_eq!(compare(&other), None);
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..60), at in 0..SAMPLE.len()) {
        compare(&bytes);
        compare(&[&SAMPLE[..at], &bytes].concat());
    }
}

#[test]
fn a_number_needs_a_digit_and_a_string_no_control_byte() {
    for like in [
        "{\"n\":,\"i\":\"abc\",\"t\":\"x\",\"f\":null }\n",
        "{\"n\":1,\"i\":\"a\nc\",\"t\":\"x\",\"f\":null }\n",
        "{\"n\":1,\"i\":\"a\",\"t\":\"x\r\",\"f\":null }\n",
    ] {
        assert_eq!(compare(like.as_bytes()), None, "{like}");
    }
}
