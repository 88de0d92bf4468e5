//! The scanner against serde_json as the oracle, in every chunking.

use super::*;
use proptest::prelude::*;
use serde_json::Value as Tree;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    Long(u8),
    Brief(u8),
}

impl Field for Want {
    fn is_text(self) -> bool {
        matches!(self, Want::Long(_))
    }
}

const PATHS: &[(&str, Want)] = &[
    ("a", Want::Long(0)),
    ("b", Want::Brief(1)),
    ("c[]", Want::Brief(2)),
    ("c[].a", Want::Long(3)),
    ("c[].b[]", Want::Brief(4)),
    ("d.a", Want::Brief(5)),
    ("d.b.c", Want::Long(6)),
];

/// What the scanner reported. The pieces of a text are joined.
#[derive(Debug, Default, PartialEq)]
struct Found(Vec<(String, Vec<u8>)>);

impl Found {
    fn push(&mut self, field: Want, kind: &str, bytes: &[u8]) {
        self.0.push((format!("{field:?} {kind}"), bytes.to_vec()));
    }

    /// As text, one line each: `field kind bytes`.
    fn lines(&self) -> Vec<String> {
        let line = |(what, bytes): &(String, Vec<u8>)| format!("{what} {}", String::from_utf8_lossy(bytes));
        self.0.iter().map(|found| line(found).trim_end().to_string()).collect()
    }
}

impl Sink<Want> for Found {
    fn value(&mut self, field: Want, value: Value<'_>) {
        match value {
            Value::Text(piece) => match self.0.last_mut() {
                Some((what, text)) if *what == format!("{field:?} text") => text.extend_from_slice(piece),
                _ => self.push(field, "text", piece),
            },
            Value::Short(whole) => self.push(field, "short", whole),
            Value::Scalar(word) => self.push(field, "scalar", word),
            Value::Open => self.push(field, "open", b""),
            Value::Close => self.push(field, "close", b""),
        }
    }

    fn document(&mut self) {
        self.0.push(("document".into(), Vec::new()));
    }
}

fn scan<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Found, DocumentEnd) {
    let mut scanner = Scanner::default();
    let table = Table::compile(PATHS);
    let mut found = Found::default();
    for chunk in chunks {
        scanner.push(&table, chunk, &mut found);
    }
    let end = scanner.end(&table, &mut found);
    (found, end)
}

/// What the scanner should report, computed from a parsed tree.
fn expect(tree: &Tree, path: &str, found: &mut Found) {
    let field = PATHS.iter().find(|(p, _)| *p == path).map(|(_, field)| *field);
    let inside =
        |step: &str| PATHS.iter().any(|(p, _)| p.strip_prefix(path).is_some_and(|p| p.starts_with(step)));
    let mut push = |kind: &str, bytes: &str| {
        if let Some(field) = field {
            found.push(field, kind, bytes.as_bytes());
        }
    };
    match tree {
        Tree::String(text) if matches!(field, Some(Want::Long(_))) => push("text", text),
        Tree::String(text) => push("short", text.get(..SHORT_BYTES_MAX).unwrap_or(text)),
        Tree::Null | Tree::Bool(_) | Tree::Number(_) => push("scalar", &tree.to_string()),
        Tree::Array(items) => {
            push("open", "");
            if inside("[]") {
                items.iter().for_each(|item| expect(item, &format!("{path}[]"), found));
                field.iter().for_each(|&field| found.push(field, "close", b""));
            }
        }
        Tree::Object(members) => {
            push("open", "");
            let dot = if path.is_empty() { "" } else { "." };
            if path.is_empty() || inside(dot) {
                members.iter().for_each(|(key, value)| expect(value, &format!("{path}{dot}{key}"), found));
                field.iter().for_each(|&field| found.push(field, "close", b""));
            }
        }
    }
}

/// The items of an array are documents, at any depth.
fn expect_documents(tree: &Tree, found: &mut Found) {
    if let Tree::Array(items) = tree {
        items.iter().for_each(|item| expect_documents(item, found));
    } else {
        expect(tree, "", found);
        found.document();
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    let key = prop_oneof![Just("a"), Just("b"), Just("c"), Just("d"), Just("é\n\"😀"), Just("other")];
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::from),
        any::<i64>().prop_map(Tree::from),
        "[a-z{}\\[\\]:,\"\\\\/\n\t é漢😀\u{1}]{0,24}".prop_map(Tree::from),
        "[a\n]{100,300}".prop_map(Tree::from),
    ];
    leaf.prop_recursive(5, 48, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Tree::from),
            prop::collection::vec((key.clone(), inner), 0..5)
                .prop_map(|members| Tree::Object(members.into_iter().map(|(k, v)| (k.into(), v)).collect())),
        ]
    })
}

/// Writes the characters of a string as `\uXXXX`, which makes no difference.
fn escape_everything(json: &str) -> String {
    let mut out = String::new();
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

/// Parts of strings, and what they stand for.
const ESCAPED: &[(&str, &str)] = &[
    ("long enough for a vector", "long enough for a vector"),
    ("é文", "é文"),
    (r"\n", "\n"),
    (r#"\"x"#, "\"x"),
    (r"\\\/", "\\/"),
    (r"\u0041", "A"),
    (r"\u4e2D", "中"),
    (r"\ud83d\ude00", "😀"),
    (r"\ud83d.", "\u{fffd}."),
    (r"\ud83d\t", "\u{fffd}\t"),
    (r"\ud83d\u00e9", "\u{fffd}é"),
    (r"\ude00", "\u{fffd}"),
];

proptest! {
    #[test]
    fn finds_what_a_parser_finds_at_every_cut(tree in tree(), pretty: bool, escaped: bool) {
        let mut json = if pretty { serde_json::to_string_pretty(&tree) } else { serde_json::to_string(&tree) }.unwrap();
        if escaped {
            json = escape_everything(&json);
        }
        let mut expected = Found::default();
        expect_documents(&tree, &mut expected);
        let expected = (expected, DocumentEnd::Between);
        let json = json.as_bytes();
        prop_assert_eq!(&scan([json]), &expected);
        prop_assert_eq!(&scan(json.chunks(1)), &expected);
        for cut in 0..json.len() {
            prop_assert_eq!(&scan([&json[..cut], &json[cut..]]), &expected, "cut at {}", cut);
        }
        if matches!(tree, Tree::Object(_) | Tree::Array(_)) {
            for cut in 1..json.len() {
                prop_assert_eq!(scan([&json[..cut]]).1, DocumentEnd::Cut, "a prefix of {} bytes", cut);
            }
        }
    }

    /// Also where a text is longer than what is decoded at once.
    #[test]
    fn escapes_are_what_they_stand_for(
        parts in prop::collection::vec(prop::sample::select(ESCAPED), 0..400),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let (escaped, text): (Vec<&str>, Vec<&str>) = parts.into_iter().unzip();
        let (escaped, text) = (escaped.concat(), text.concat());
        let json = format!(r#"{{"{escaped}":1,"a":"{escaped}","b":"{escaped}","\u0062":2}}"#);
        let mut expected = Found::default();
        expected.push(Want::Long(0), "text", text.as_bytes());
        expected.push(Want::Brief(1), "short", text.as_bytes().get(..SHORT_BYTES_MAX).unwrap_or(text.as_bytes()));
        expected.push(Want::Brief(1), "scalar", b"2");
        expected.0.push(("document".into(), Vec::new()));
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.index(json.len())).collect();
        cuts.sort_unstable();
        let mut at = 0;
        let pieces = cuts.into_iter().chain([json.len()]).map(|cut| &json.as_bytes()[std::mem::replace(&mut at, cut)..cut]);
        prop_assert_eq!(scan(pieces).0, expected);
    }

    #[test]
    fn any_bytes_are_read_the_same_in_any_chunking(bytes in prop::collection::vec(
        prop_oneof![3 => prop::sample::select(b"{}[]\",:\\abcdun0 1-\n".to_vec()), 1 => any::<u8>()], 0..80)) {
        let whole = scan([&bytes[..]]);
        prop_assert_eq!(&scan(bytes.chunks(1)), &whole);
        for cut in 0..bytes.len() {
            prop_assert_eq!(&scan([&bytes[..cut], &bytes[cut..]]), &whole);
        }
    }

    #[test]
    fn counts_characters_at_any_cut(text in ".{0,40}", cut: prop::sample::Index) {
        let (a, b) = text.as_bytes().split_at(cut.index(text.len() + 1));
        prop_assert_eq!(chars(a) + chars(b), text.chars().count() as u64);
    }

    #[test]
    fn continuation_bytes_are_not_counted(bytes in prop::collection::vec(any::<u8>(), 0..64), times in 1..128_usize) {
        let bytes = bytes.repeat(times);
        let begin = bytes.iter().filter(|&byte| byte & 0xC0 != 0x80).count();
        prop_assert_eq!(chars(&bytes), begin as u64);
        prop_assert_eq!(chars(&vec![0x80; bytes.len()]), 0);
    }
}

#[test]
fn documents_may_follow_each_other() {
    let (found, end) = scan([&b"{\"b\":1}{\"b\":2}\n [ ] 3 \"x\"{\"b\":4"[..]]);
    let expected = ["Brief(1) scalar 1", "document", "Brief(1) scalar 2", "document", "document", "document"];
    assert_eq!((found.lines(), end), (expected.map(String::from).to_vec(), DocumentEnd::Cut));
}

#[test]
fn surrogates_pair_or_are_replaced() {
    for (json, text) in [
        (r#"{"a":"\ud83d\ude00"}"#, "😀"),
        (r#"{"a":"\ud83dx"}"#, "\u{fffd}x"),
        (r#"{"a":"\ud83d"}"#, "\u{fffd}"),
        (r#"{"a":"\ude00"}"#, "\u{fffd}"),
        (r#"{"a":"\ud83d\ud83d\ude00"}"#, "\u{fffd}😀"),
        (r#"{"a":"\ud83d\n"}"#, "\u{fffd}\n"),
    ] {
        let (found, _) = scan([json.as_bytes()]);
        assert_eq!(found.lines(), [format!("Long(0) text {text}").trim_end(), "document"], "{json}");
        assert_eq!(scan(json.as_bytes().chunks(1)).0, found, "{json}");
    }
}

#[test]
fn an_incomplete_or_broken_text_is_reported_up_to_there() {
    for (json, text, end) in [
        (r#"{"a":"x\ny\q"#, "x\ny", DocumentEnd::Broken),
        (r#"{"a":"x\ny\u00g"#, "x\ny", DocumentEnd::Broken),
        (r#"{"a":"x\ny"#, "x\ny", DocumentEnd::Cut),
        (r#"{"a":"x\ny\"#, "x\ny", DocumentEnd::Cut),
        (r#"{"a":"x\ny\u00"#, "x\ny", DocumentEnd::Cut),
        (r#"{"a":""#, "", DocumentEnd::Cut),
    ] {
        let found = scan([json.as_bytes()]);
        assert_eq!(
            (found.0.lines(), found.1),
            (vec![format!("Long(0) text {text}").trim_end().into()], end),
            "{json}"
        );
        assert_eq!(scan(json.as_bytes().chunks(1)), found, "{json}");
    }
}

#[test]
fn a_long_key_or_short_value_is_cut_the_same_in_any_chunking() {
    let key = "a".repeat(SHORT_BYTES_MAX + 1);
    let json = format!(r#"{{"{key}":1,"b":"{key}"}}"#);
    let short = "a".repeat(SHORT_BYTES_MAX);
    let (found, end) = scan([json.as_bytes()]);
    assert_eq!(
        (found.lines(), end),
        (vec![format!("Brief(1) short {short}"), "document".into()], DocumentEnd::Between)
    );
    assert_eq!(scan(json.as_bytes().chunks(1)).0, found);
}

#[test]
fn deep_nesting_costs_nothing() {
    let json = format!(r#"{{"d":{{"b":{}{}}},"b":7}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let (found, end) = scan(json.as_bytes().chunks(999));
    assert_eq!(
        (found.lines(), end),
        (vec!["Brief(1) scalar 7".to_string(), "document".into()], DocumentEnd::Between)
    );
    assert!(size_of::<Scanner>() < 512, "{} bytes", size_of::<Scanner>());
}

#[test]
fn a_path_of_any_keys_is_found() {
    #[derive(Clone, Copy)]
    struct Here;
    impl Field for Here {
        fn is_text(self) -> bool {
            false
        }
    }
    struct Found(Vec<String>);
    impl Sink<Here> for Found {
        fn value(&mut self, _: Here, value: Value<'_>) {
            self.0.push(format!("{value:?}"));
        }
        fn document(&mut self) {}
    }
    let found = |keys: &[&str], document: &str| {
        let (table, mut found) = (Table::of_keys(keys.iter().copied(), Here), Found(Vec::new()));
        Scanner::default().push(&table, document.as_bytes(), &mut found);
        found.0
    };
    let number = [format!("{:?}", Value::Scalar(b"1"))];
    assert_eq!(found(&["a.b", "c[]", ""], r#"{"a":{"b":2},"a.b":{"c[]":{"":1,"x":3}}} "#), number);
    assert_eq!(found(&[], "1 "), number);
    assert_eq!(Table::of_keys(["k"; DEPTH_MAX + 5], Here).tree.child(0, b"k"), Some(1));
}

/// Each value at a pointer, and the end of each text there.
fn at_pointers(pointers: &[&[&str]], document: &[u8], cut: usize) -> Vec<String> {
    #[derive(Clone, Copy)]
    struct Pointer(usize);
    impl Field for Pointer {
        fn is_text(self) -> bool {
            true
        }
        fn wants_text_end(self) -> bool {
            true
        }
    }
    #[derive(Default)]
    struct Found(Vec<String>, String);
    impl Sink<Pointer> for Found {
        fn value(&mut self, field: Pointer, value: Value<'_>) {
            match value {
                Value::Text(piece) => self.1.push_str(str::from_utf8(piece).unwrap()),
                Value::Close => self.0.push(format!("{} {}.", field.0, std::mem::take(&mut self.1))),
                Value::Open => self.0.push(format!("{} open", field.0)),
                Value::Short(bytes) | Value::Scalar(bytes) => {
                    self.0.push(format!("{} {}", field.0, str::from_utf8(bytes).unwrap()));
                }
            }
        }
        fn document(&mut self) {}
    }
    let keys: Vec<Vec<String>> =
        pointers.iter().map(|keys| keys.iter().map(|key| key.to_string()).collect()).collect();
    let table = Table::of_pointers(keys.iter().enumerate().map(|(at, keys)| (&keys[..], Pointer(at))));
    let (mut scanner, mut found) = (Scanner::default(), Found::default());
    scanner.push(&table, &document[..cut], &mut found);
    scanner.push(&table, &document[cut..], &mut found);
    found.0
}

#[test]
fn pointers_lead_into_arrays_and_objects() {
    let pointers: [&[&str]; 6] =
        [&["m", "0", "c"], &["m", "10"], &["m", "01"], &["m", "2"], &["0"], &["m", ""]];
    for (document, expected) in [
        (r#"{"m":[{"c":"x\n"},{"c":"y"},7]}"#, &["0 x\n.", "3 7"][..]),
        (r#"{"m":[0,1,[[]],[],4,"",6,7,8,9,"ten",11]}"#, &["3 open", "1 ten."]),
        (
            r#"{"m":{"0":{"c":1},"10":2,"01":3,"2":"","":5},"0":6}"#,
            &["0 1", "1 2", "2 3", "3 .", "5 5", "4 6"],
        ),
        (r#"{"m":[[0,1],{"c":1}],"n":[1]}"#, &[]),
        (r#"{"m":[],"0":[1]}"#, &["4 open"]),
        // Two texts with the same path are two, even directly after each other.
        (r#"{"0":"a","0":"b"}"#, &["4 a.", "4 b."]),
    ] {
        for cut in 0..=document.len() {
            assert_eq!(at_pointers(&pointers, document.as_bytes(), cut), expected, "{document} cut at {cut}");
        }
    }
}

#[test]
fn a_pointer_that_cannot_be_followed_is_left_out() {
    let of = |keys: &[String]| Table::of_pointers([(keys, Want::Long(0))]).is_complete();
    assert!(of(&vec!["k".into(); DEPTH_MAX]) && of(&["k".repeat(SHORT_BYTES_MAX)]));
    assert!(!of(&vec!["k".into(); DEPTH_MAX + 1]) && !of(&["k".repeat(SHORT_BYTES_MAX + 1)]));
}

/// In whatever pieces, though only its first bytes are kept then.
#[test]
fn a_longer_key_than_the_longest_is_another() {
    let longest = "k".repeat(SHORT_BYTES_MAX);
    let document = format!(r#"{{"{longest}":1,"{longest}k":2}}"#);
    for cut in 0..=document.len() {
        assert_eq!(at_pointers(&[&[&longest]], document.as_bytes(), cut), ["0 1"], "cut at {cut}");
    }
}

#[test]
fn bytes_that_are_not_json_are_reported() {
    let is_broken = |bytes: &[u8]| {
        let mut scanner = Scanner::default();
        scanner.push(&Table::compile(PATHS), bytes, &mut Found::default());
        scanner.is_broken()
    };
    assert!(is_broken(b"{]") && is_broken(b"x") && is_broken(b"{\"a\" \"b\"}"));
    assert!(!is_broken(b"") && !is_broken(b"{\"a\":") && !is_broken(b"{}{}"));
}
