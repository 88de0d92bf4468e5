//! Pointers against serde_json's as the oracle, in every chunking.

use super::*;
use proptest::prelude::*;
use serde_json::{Value as Tree, json};

fn compile(pointers: &[&str]) -> Pointers {
    Pointers::compile(&pointers.iter().map(|pointer| decode(pointer)).collect::<Vec<_>>())
}

/// A pointer's keys.
fn decode(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|key| key.replace("~1", "/").replace("~0", "~")).collect()
}

/// What each pointer finds, with `None` where nothing is known.
fn facts(values: &Values, count: usize) -> Vec<Option<Option<Vec<u8>>>> {
    let fact = |at| match values.get(at) {
        Fact::Found(bytes) => Some(Some(bytes.to_vec())),
        Fact::Absent => Some(None),
        Fact::Unknown => None,
    };
    (0..count).map(fact).collect()
}

fn read<'a>(pointers: &[&str], chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Option<Vec<u8>>> {
    let compiled = compile(pointers);
    let mut values = Values::new(&compiled);
    for chunk in chunks {
        let before = facts(&values, pointers.len());
        values.push(&compiled, chunk);
        let after = facts(&values, pointers.len());
        // What was known stays.
        assert!(before.iter().zip(&after).all(|(before, after)| before.is_none() || before == after));
        assert_eq!(values.wants_more(), after.contains(&None));
    }
    values.finish(&compiled);
    assert!(!values.wants_more());
    facts(&values, pointers.len()).into_iter().map(Option::unwrap).collect()
}

/// What must be found in a tree.
fn expected(tree: &Tree, pointer: &str) -> Option<Vec<u8>> {
    match tree.pointer(pointer).filter(|_| tree.is_object())? {
        Tree::String(text) if text.is_empty() => None,
        Tree::String(text) => Some(text.as_bytes()[..text.len().min(VALUE_BYTES_MAX)].to_vec()),
        word @ (Tree::Bool(_) | Tree::Number(_)) => Some(word.to_string().into_bytes()),
        Tree::Null | Tree::Array(_) | Tree::Object(_) => None,
    }
}

const POINTERS: &[&str] = &[
    "",
    "/",
    "/user",
    "/metadata/conversation_id",
    "/metadata",
    "/messages/0/content",
    "/messages/1/content/0/text",
    "/messages/01/content",
    "/messages/-",
    "/a~1b/m~0n",
    "/0/1/0",
    "/user",
];

#[test]
fn finds_what_clients_send() {
    let tree = json!({
        "messages": [{"role": "user", "content": "hi \"\u{1F600}\""}, {"content": [{"text": "漢"}]}],
        "": 1.5, "metadata": {"conversation_id": "c-1"}, "a/b": {"m~n": true}, "user": "", "0": [7, [false]],
    });
    let body = tree.to_string();
    let found = [
        None,
        Some("1.5"),
        None,
        Some("c-1"),
        None,
        Some("hi \"\u{1F600}\""),
        Some("漢"),
        None,
        None,
        Some("true"),
        Some("false"),
        None,
    ];
    let found: Vec<_> = found.iter().map(|text| text.map(|text| text.as_bytes().to_vec())).collect();
    for cut in 0..=body.len() {
        assert_eq!(read(POINTERS, [&body.as_bytes()[..cut], &body.as_bytes()[cut..]]), found, "cut at {cut}");
    }
    assert_eq!(read(POINTERS, body.as_bytes().chunks(1)), found);
    for (pointer, found) in POINTERS.iter().zip(found) {
        assert_eq!(found, expected(&tree, pointer), "{pointer}");
    }
}

#[test]
fn a_value_is_known_as_soon_as_possible() {
    let pointers = compile(&["/a", "/b/c", "/a"]);
    let found = |text: &'static str| Some(Some(text.as_bytes().to_vec()));
    for (body, facts_then) in [
        (r#""#, [None, None, None]),
        (" {", [None, None, None]),
        (r#"{"a":"x"#, [None, None, None]),
        (r#"{"a":"x""#, [found("x"), None, found("x")]),
        (r#"{"a":12"#, [None, None, None]),
        (r#"{"a":12,"a":"x""#, [found("12"), None, found("12")]),
        (r#"{"a":null,"#, [Some(None), None, Some(None)]),
        (r#"{"a":{"#, [Some(None), None, Some(None)]),
        (r#"{"a":["#, [Some(None), None, Some(None)]),
        (r#"{"a":"","a":"x""#, [Some(None), None, Some(None)]),
        (r#"{"b":{"c":-1e9}"#, [None, found("-1e9"), None]),
        (r#"{"b":{"c":1}}"#, [Some(None), found("1"), Some(None)]),
        (r#"{} {"a":1}"#, [Some(None), Some(None), Some(None)]),
        // Not an object, or broken; what was there before stays.
        ("[", [Some(None), Some(None), Some(None)]),
        (r#"[{"a":"x"}]"#, [Some(None), Some(None), Some(None)]),
        ("\"a\"", [Some(None), Some(None), Some(None)]),
        ("--boundary\r\n\r\n{\"a\":1,", [Some(None), Some(None), Some(None)]),
        ("\x1f\u{8b}", [Some(None), Some(None), Some(None)]),
        (r#"{"a":"x",,"#, [found("x"), Some(None), found("x")]),
        (r#"{"a":"\x"#, [Some(None), Some(None), Some(None)]),
        (r#"{"a":nothing,"#, [Some(None), None, Some(None)]),
    ] {
        let mut values = Values::new(&pointers);
        for byte in body.as_bytes().chunks(1) {
            values.push(&pointers, byte);
        }
        assert_eq!(facts(&values, 3), facts_then, "{body}");
        assert_eq!(values.get(3), Fact::Absent);
        let mut whole = Values::new(&pointers);
        whole.push(&pointers, body.as_bytes());
        assert_eq!(facts(&whole, 3), facts_then, "{body}");
        // Ended here, what is open is absent.
        values.finish(&pointers);
        values.push(&pointers, br#""}}{"a":"y","b":{"c":"z"}}"#);
        let ended: Vec<_> = facts_then.into_iter().map(|fact| Some(fact.flatten())).collect();
        assert_eq!(facts(&values, 3), ended, "{body}");
    }
    assert!(!Values::new(&compile(&[])).wants_more());
}

#[test]
fn a_long_value_is_cut_at_the_limit_in_every_chunking() {
    for length in [VALUE_BYTES_MAX - 1, VALUE_BYTES_MAX, VALUE_BYTES_MAX + 1, 1 << 20] {
        let body = format!(r#"{{"a":"{}"}}"#, "x".repeat(length));
        let found = vec![Some(vec![b'x'; length.min(VALUE_BYTES_MAX)])];
        for size in [1, 7, 4096, body.len()] {
            assert_eq!(read(&["/a"], body.as_bytes().chunks(size)), found);
        }
    }
    let number = "9".repeat(json::SHORT_BYTES_MAX);
    assert_eq!(read(&["/a"], [format!(r#"{{"a":{number}9}}"#).as_bytes()]), [Some(number.into_bytes())]);
}

#[test]
fn a_pointer_past_the_limits_has_no_value() {
    for (keys, is_found) in [
        (vec!["k".to_string(); json::DEPTH_MAX], true),
        (vec!["k".to_string(); json::DEPTH_MAX + 1], false),
        (vec!["k".repeat(json::SHORT_BYTES_MAX)], true),
        (vec!["k".repeat(json::SHORT_BYTES_MAX + 1)], false),
    ] {
        let tree = keys.iter().rev().fold(json!(1), |inner, key| json!({ key: inner })).to_string();
        for size in [1, tree.len()] {
            let pointers = Pointers::compile(std::slice::from_ref(&keys));
            let mut values = Values::new(&pointers);
            tree.as_bytes().chunks(size).for_each(|chunk| values.push(&pointers, chunk));
            assert_eq!(values.get(0), if is_found { Fact::Found(b"1") } else { Fact::Absent }, "{keys:?}");
        }
    }
}

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "0", "1", "2", "10", "01", "", "a/b", "m~n", "é\"", "-"])
        .prop_map(String::from)
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::from),
        any::<i64>().prop_map(Tree::from),
        any::<f64>().prop_map(Tree::from),
        "[a-z{}\\[\\]:,\"\\\\/\n\t é漢😀\u{1}]{0,12}".prop_map(Tree::from),
    ];
    let inner = leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..12).prop_map(Tree::from),
            prop::collection::btree_map(key(), inner, 0..6)
                .prop_map(|members| Tree::Object(members.into_iter().collect())),
        ]
    });
    // Mostly an object.
    (inner, key(), 0..9).prop_map(|(tree, key, n)| if n == 0 { tree } else { json!({ key: tree }) })
}

/// Every pointer into a tree.
fn all_pointers(tree: &Tree, at: &str, found: &mut Vec<String>) {
    found.push(at.to_string());
    match tree {
        Tree::Array(items) => {
            items.iter().enumerate().for_each(|(i, item)| all_pointers(item, &format!("{at}/{i}"), found));
        }
        Tree::Object(members) => {
            for (key, value) in members {
                let key = key.replace('~', "~0").replace('/', "~1");
                all_pointers(value, &format!("{at}/{key}"), found);
            }
        }
        Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::String(_) => {}
    }
}

/// Servers disagree on keys that occur twice, so it is only said which one counts here. Escapes do not make another key.
#[test]
fn of_a_key_that_occurs_twice_the_first_counts_however_it_is_written() {
    let pointers = ["/id", "/a/id", "/model"];
    for (body, expected) in [
        (
            r#"{"id":"1","id":"2","a":{"id":"3"},"a":{"id":"4"},"model":"m","model":"n"}"#,
            [Some("1"), Some("3"), Some("m")],
        ),
        (
            r#"{"\u0069d":"1","id":"2","a":{"i\u0064":"3","id":"4"},"mod\u0065l":"m","model":"n"}"#,
            [Some("1"), Some("3"), Some("m")],
        ),
        (
            r#"{"id":"1","\u0069\u0064":"2","a":{},"a":{"id":"4"},"model":7,"model":"n"}"#,
            [Some("1"), Some("4"), Some("7")],
        ),
        (
            r#"{"id":null,"id":"2","a":1,"a":{"id":""},"a":{"id":"4"},"model":"","model":"n"}"#,
            [None, None, None],
        ),
    ] {
        let expected = expected.map(|value| value.map(|value| value.as_bytes().to_vec()));
        for cut in 0..=body.len() {
            let (first, rest) = body.as_bytes().split_at(cut);
            assert_eq!(read(&pointers, [first, rest]), expected, "{body} cut at {cut}");
        }
    }
}

proptest! {
    #[test]
    fn finds_what_a_parser_finds_in_every_chunking(
        tree in tree(), pretty: bool,
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..6),
        others in prop::collection::vec(prop::collection::vec(key(), 0..4), 0..4),
    ) {
        let body = if pretty { serde_json::to_string_pretty(&tree) } else { serde_json::to_string(&tree) }.unwrap();
        let mut there = Vec::new();
        all_pointers(&tree, "", &mut there);
        let escape = |key: &String| format!("/{}", key.replace('~', "~0").replace('/', "~1"));
        let mut pointers: Vec<String> = picks.iter().map(|pick| pick.get(&there).clone()).collect();
        pointers.extend(others.iter().map(|keys| keys.iter().map(escape).collect::<String>()));
        let pointers: Vec<&str> = pointers.iter().map(String::as_str).collect();
        let expected: Vec<_> = pointers.iter().map(|pointer| expected(&tree, pointer)).collect();
        let body = body.as_bytes();
        prop_assert_eq!(&read(&pointers, [body]), &expected);
        prop_assert_eq!(&read(&pointers, body.chunks(1)), &expected);
        for cut in 0..body.len() {
            prop_assert_eq!(&read(&pointers, [&body[..cut], &body[cut..]]), &expected, "cut at {}", cut);
        }
    }

    #[test]
    fn any_bytes_are_read_the_same_in_every_chunking(bytes in prop::collection::vec(
        prop_oneof![3 => prop::sample::select(b"{}[]\",:\\abcdun0 1-\n".to_vec()), 1 => any::<u8>()], 0..60), brace: bool) {
        let bytes = if brace { [b"{\"a\":", &bytes[..]].concat() } else { bytes };
        let pointers = ["/a", "/a/0", "/0", "/a/a", "/b"];
        let whole = read(&pointers, [&bytes[..]]);
        prop_assert_eq!(&read(&pointers, bytes.chunks(1)), &whole);
        for cut in 0..bytes.len() {
            prop_assert_eq!(&read(&pointers, [&bytes[..cut], &bytes[cut..]]), &whole);
        }
    }
}
