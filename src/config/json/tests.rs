use super::super::decimal::Decimal;
use super::{DEPTH_MAX, INPUT_BYTES_MAX, Node, parse};
use proptest::prelude::*;

fn check(text: &str, expect: &str) {
    let found = parse(text.as_bytes()).map_or_else(|errors| errors.to_string(), |node| format!("{node:?}"));
    assert_eq!(found, format!("configuration: is not JSON: {expect}"), "{text:?}");
}

#[test]
fn errors_have_a_position() {
    check("{", "the text ends too early at line 1 column 2");
    check("[1,\n 2", "the text ends too early at line 2 column 3");
    check("[1 2]", "',' or ']' is missing at line 1 column 4");
    check("{\"a\" 1}", "':' is missing at line 1 column 6");
    check("{\"a\": 1 \"b\": 2}", "',' or '}' is missing at line 1 column 9");
    check("{a: 1}", "a name in quotes is missing at line 1 column 2");
    check("[1,\n 2,\n]", "a comma after the last item at line 2 column 3");
    check("{\"a\": 1,}", "a comma after the last item at line 1 column 8");
    check("{} {}", "more text follows the end of the document at line 1 column 4");
    check("nul", "a value is missing at line 1 column 1");
    check("[01]", "',' or ']' is missing at line 1 column 3");
    check("[-]", "a digit is missing at line 1 column 3");
    check("[1.]", "a digit is missing at line 1 column 4");
    check("\"a\tb\"", "a control character in a string must be escaped at line 1 column 3");
    check("\"ab\\x\"", "JSON has no such escape at line 1 column 4");
    check("\"ab\\u00g0\"", "JSON has no such escape at line 1 column 4");
    check("\"ab\\ud800\"", "JSON has no such escape at line 1 column 4");
    check("\"ab\\udc00\"", "JSON has no such escape at line 1 column 4");
    check(&"[".repeat(DEPTH_MAX + 1), "nested deeper than 64 at line 1 column 65");
    let errors = parse(b"[\"a\xff\"]").unwrap_err().to_string();
    assert_eq!(errors, "configuration: is not JSON: the text is not UTF-8 at line 1 column 4");
}

#[test]
fn limits() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
    assert!(parse(nested(DEPTH_MAX + 1).as_bytes()).is_err());
    let text = format!("\"{}\"", "x".repeat(INPUT_BYTES_MAX - 2));
    assert_eq!(parse(text.as_bytes()).unwrap().as_str().map(str::len), Some(INPUT_BYTES_MAX - 2));
    assert!(parse(format!("{text} ").as_bytes()).is_err());
}

/// A full configuration has room for stopping each version, and for nothing else.
#[test]
fn what_stops_a_version_is_not_counted() {
    let text = |members: &str, length: usize| format!("{{\"x\":\"{}\"{members}}}", "x".repeat(length));
    let bytes = text("", 0).len();
    let full = INPUT_BYTES_MAX - bytes;
    let stopped = r#","stopped":true"#;
    for (members, more, is_read) in [
        (String::new(), 0, true),
        (String::new(), 1, false),
        (stopped.to_owned(), 0, true),
        (stopped.to_owned(), 1, false),
        (stopped.repeat(1_024), 0, true),
        (stopped.repeat(1_025), 0, false),
        (r#","stopped":false"#.to_owned(), 0, false),
        (r#","y":"\"stopped\":true""#.to_owned(), 0, false),
    ] {
        let text = text(&members, full + more);
        assert_eq!(parse(text.as_bytes()).is_ok(), is_read, "{} {more}", &members[..members.len().min(20)]);
    }
    let found = parse(text("", full + 1).as_bytes()).unwrap_err().to_string();
    assert!(found.contains("is 1048577 bytes, but at most 1048576 are read"), "{found}");
}

#[test]
fn formatting_does_not_change_the_hash() {
    let hash = |text: &str| parse(text.as_bytes()).unwrap().hash();
    let one = hash(r#"{"a": 10, "b": ["x", true, null, 0.5]}"#);
    assert_eq!(one, hash(r#"{ "b":["\u0078",true,null,5e-1],"a":10.0 }"#));
    assert_eq!(one, hash(r#"{"b": ["x", true, null, 0.50], "a": 1e1}"#));
    assert_ne!(one, hash(r#"{"a": 1, "b": ["x", true, null, 0.5]}"#));
    assert_ne!(one, hash(r#"{"a": "10", "b": ["x", true, null, 0.5]}"#));
    assert_ne!(one, hash(r#"{"a": 10, "b": ["x", true, [null, 0.5]]}"#));
}

/// The result of serde_json; `None` if only that parser has a limit.
fn oracle(bytes: &[u8]) -> Option<Result<Node, ()>> {
    match serde_json::from_slice(bytes) {
        Ok(node) => Some(Ok(node)),
        Err(error) if error.to_string().starts_with("number out of range") => None,
        Err(_) => Some(Err(())),
    }
}

/// The tree with binary numbers, which serde_json has.
fn rounded(node: Node) -> Node {
    match node {
        Node::Number(number) => {
            let binary: f64 = number.to_string().parse().unwrap();
            Node::Number(Decimal::parse(&binary.to_string()))
        }
        Node::List(items) => Node::List(items.into_iter().map(rounded).collect()),
        Node::Object(members) => {
            Node::Object(members.into_iter().map(|(name, node)| (name, rounded(node))).collect())
        }
        other @ (Node::Null | Node::Bool(_) | Node::String(_)) => other,
    }
}

fn agrees(bytes: &[u8]) {
    if let Some(expect) = oracle(bytes) {
        let found = parse(bytes).map(rounded).map_err(|_| ());
        assert_eq!(found, expect.map(rounded), "{}", bytes.escape_ascii());
    }
}

#[test]
fn agrees_on_numbers_and_escapes() {
    let numbers = "0 -0 00 01 -01 1. .1 -.1 1.0 1.50 1e5 1E+5 1e-5 1e 1e+ - + +1 1e5.0 0x1 1_0 NaN Infinity --1 1-1 1.2.3 0e0";
    for number in numbers.split(' ') {
        for text in [number.to_owned(), format!("[{number}]"), format!("{{\"a\":{number}}}")] {
            agrees(text.as_bytes());
        }
    }
    for unit in [0, 0x22, 0x41, 0xe9, 0x7ff, 0x800, 0xd7ff, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000, 0xffff] {
        agrees(format!("\"\\u{unit:04x}\"").as_bytes());
        agrees(format!("\"\\u{unit:04X}x\"").as_bytes());
        for low in [0x41, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000] {
            agrees(format!("\"\\u{unit:04x}\\u{low:04x}\"").as_bytes());
        }
    }
    for escape in 0..=u8::MAX {
        agrees(&[b'"', b'\\', escape, b'"']);
        agrees(&[b'"', escape, b'"']);
        agrees(&[b'[', escape, b']']);
        agrees(&[escape, b'1', escape]);
    }
    for text in [
        "\u{feff}1",
        "tru",
        "truex",
        "nullnull",
        "\"\\u12\"",
        "\"\\u+123\"",
        "[,]",
        "{,}",
        "[1,,2]",
        "{\"a\":}",
        "{1:2}",
    ] {
        agrees(text.as_bytes());
    }
}

/// Pieces of JSON in any order: mostly valid, with some errors.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"{"[..],
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b" ",
        b"\n",
        b"\"a\"",
        b"\"a\":",
        b"\"\\n\\u00e9\"",
        b"1",
        b"-0",
        b"1.5e3",
        b"e",
        b".",
        b"true",
        b"false",
        b"null",
        b"\"",
        b"\\",
        b"\xc3\xa9",
        b"\xff",
        b"\0",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn tree() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| members.into_iter().collect::<Value>()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn agrees_on_any_bytes(bytes: Vec<u8>) {
        agrees(&bytes);
    }

    #[test]
    fn agrees_on_any_pieces(bytes in pieces()) {
        agrees(&bytes);
    }

    #[test]
    fn agrees_on_valid_and_on_damaged_json(tree in tree(), is_pretty: bool, cut: prop::sample::Index, byte: u8) {
        let write = if is_pretty { serde_json::to_vec_pretty } else { serde_json::to_vec };
        let mut text = write(&tree).unwrap();
        agrees(&text);
        assert!(parse(&text).is_ok());
        let at = cut.index(text.len());
        agrees(&text[..at]);
        text[at] = byte;
        agrees(&text);
    }
}
