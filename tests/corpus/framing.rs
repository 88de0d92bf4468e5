//! Event streams against the standard: whole, byte by byte, and in two at every cut.

use llm_canary::framing::{base64, sse};

use crate::corpus::Corpus;

struct Case {
    name: String,
    input: Vec<u8>,
    /// Type and data of each event.
    expected: Vec<(String, String)>,
}

/// A name, the bytes, and the type and data of each event.
type OwnCase = (&'static str, &'static [u8], &'static [(&'static str, &'static str)]);

/// Cases of our own, from the standard's text (WHATWG HTML, 9.2.6).
const OWN: &[OwnCase] = &[
    ("a comment says nothing", b": c\n\n:\n\ndata: a\n\n", &[("message", "a")]),
    ("lines end in CR LF", b"data: a\r\n\r\ndata: b\r\n\r\n", &[("message", "a"), ("message", "b")]),
    ("lines end in CR", b"data: a\r\rdata: b\r\r", &[("message", "a"), ("message", "b")]),
    (
        "lines end in each way",
        b"data: a\ndata: b\r\ndata: c\r\r\ndata: d\n\r",
        &[("message", "a\nb\nc"), ("message", "d")],
    ),
    ("one byte order mark is taken off", b"\xEF\xBB\xBFdata: a\n\n", &[("message", "a")]),
    (
        "a second one is part of a name",
        b"\xEF\xBB\xBF\xEF\xBB\xBFdata: a\n\ndata: b\n\n",
        &[("message", "b")],
    ),
    ("and so is a later one", b"data: a\n\n\xEF\xBB\xBFdata: b\n\n", &[("message", "a")]),
    ("lines of data are joined", b"data: a\ndata:\ndata: b\n\n", &[("message", "a\n\nb")]),
    ("one space is taken off", b"data:a\ndata: b\ndata:  c\ndata:\td\n\n", &[("message", "a\nb\n c\n\td")]),
    ("a name without a colon has no value", b"data\ndata\n\ndata\n\n", &[("message", "\n"), ("message", "")]),
    (
        "a type holds for one event",
        b"event: ping\ndata: a\n\ndata: b\n\n",
        &[("ping", "a"), ("message", "b")],
    ),
    ("an empty type is the usual one", b"event: \ndata: a\n\n", &[("message", "a")]),
    ("the last type counts", b"event: a\nevent: b\ndata: c\n\n", &[("b", "c")]),
    ("without data there is no event", b"event: ping\n\nid: 7\n\ndata: a\n\n", &[("message", "a")]),
    (
        "unknown fields are passed over",
        b"foo: b\nData: c\n data: d\ndata : e\ndata: a\nretry: 1\nid\n\n",
        &[("message", "a")],
    ),
    ("a value may hold colons", b"data: a: b:c\n\n", &[("message", "a: b:c")]),
    ("what no blank line ends is no event", b"data: a\n\ndata: b\n", &[("message", "a")]),
    ("nor is half a line", b"data: a\n\ndata: b", &[("message", "a")]),
    ("blank lines say nothing", b"\n\n\n\ndata: a\n\n\n\n", &[("message", "a")]),
    (
        "characters of several bytes",
        "data: Gr\u{fc}\u{df}e \u{1f30d}\u{2028}\u{85}\n\n".as_bytes(),
        &[("message", "Gr\u{fc}\u{df}e \u{1f30d}\u{2028}\u{85}")],
    ),
    ("bytes that are no characters", b"data: a\xFFb\n\n", &[("message", "a\u{fffd}b")]),
    ("no character ends a line but CR and LF", b"data: a\x0bb\x0cc\0d\n\n", &[("message", "a\x0bb\x0cc\0d")]),
];

/// A long line, too, which no buffer holds in one piece.
const LONG: usize = 70_000;

pub(crate) fn conforms(_: &Corpus) {
    let text = |(kind, data): &(&str, &str)| (kind.to_string(), data.to_string());
    for (name, input, expected) in OWN {
        let expected = expected.iter().map(text).collect();
        check(&Case { name: name.to_string(), input: input.to_vec(), expected });
    }
    let data = "x".repeat(LONG);
    let input = format!("data: {data}\n\n").into_bytes();
    check(&Case { name: "a long line".into(), input, expected: vec![("message".into(), data)] });
}

/// The cases of the browsers' own tests and others, where they are at hand.
pub(crate) fn conforms_to_the_browsers_tests(corpus: &Corpus) {
    let cases = std::fs::read_to_string(corpus.folder.join("sse_conformance.json")).unwrap();
    let cases: Vec<serde_json::Value> = serde_json::from_str(&cases).unwrap();
    assert!(cases.len() >= 45, "{} cases", cases.len());
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_string();
    for case in &cases {
        let (mut decoder, mut input) = (base64::Decoder::default(), Vec::new());
        decoder.push(text(&case["input_b64"]).as_bytes(), &mut input);
        let event = |event: &serde_json::Value| (text(&event["event"]), text(&event["data"]));
        let expected = case["expected"].as_array().unwrap().iter().map(event).collect();
        check(&Case { name: text(&case["name"]), input, expected });
    }
}

fn check(Case { name, input, expected }: &Case) {
    assert_eq!(events([&input[..]]), *expected, "{name}");
    assert_eq!(events(input.chunks(1)), *expected, "{name}: byte by byte");
    for cut in (0..input.len()).filter(|&cut| !is_within_a_run(input, cut)) {
        assert_eq!(events([&input[..cut], &input[cut..]]), *expected, "{name}: cut at {cut}");
    }
}

/// A cut between equal bytes with equal bytes on both sides shows nothing that its neighbours do not.
fn is_within_a_run(input: &[u8], cut: usize) -> bool {
    let around = input.get(cut.saturating_sub(4)..cut + 4);
    cut >= 4 && around.is_some_and(|around| around.iter().all(|byte| *byte == around[0]))
}

fn events<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<(String, String)> {
    #[derive(Default)]
    struct Events(Vec<(String, String)>, Vec<u8>);
    impl sse::Sink for Events {
        fn data(&mut self, piece: &[u8]) {
            self.1.extend_from_slice(piece);
        }
        fn dispatch(&mut self, kind: &[u8]) {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let kind = if kind.is_empty() { "message".to_string() } else { text(kind) };
            self.0.push((kind, text(&std::mem::take(&mut self.1))));
        }
        fn error_line(&mut self) {}
    }
    let (mut framer, mut events) = (sse::Framer::default(), Events::default());
    chunks.into_iter().for_each(|chunk| framer.push(chunk, &mut events));
    events.0
}
