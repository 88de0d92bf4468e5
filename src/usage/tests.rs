//! Every cut against naive edits of the whole.

use super::*;
use crate::edit::Editor;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// What is sent for a body in these chunks.
fn sent<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    mut push: impl FnMut(&[u8]) -> Option<Vec<u8>>,
) -> Vec<u8> {
    pieces.into_iter().flat_map(|piece| push(piece).unwrap_or_else(|| piece.to_vec())).collect()
}

fn inject<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (String, bool) {
    let mut editor = InjectUsage::default();
    let mut all = sent(pieces, |piece| editor.push(piece));
    all.extend(editor.finish());
    (String::from_utf8(all).unwrap(), editor.is_injected())
}

fn strip<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut editor = StripUsage::default();
    let mut all = sent(pieces, |piece| {
        let sent = editor.push(piece);
        assert!(editor.held.len() <= EVENT_BYTES_HELD_MAX);
        sent
    });
    all.extend(editor.finish());
    all
}

/// Bodies, and the edited ones; `None`: not edited.
const REQUESTS: &[(&str, Option<&str>)] = &[
    (r#"{"stream":true}"#, Some(r#"{"stream":true,"stream_options":{"include_usage":true}}"#)),
    (
        "{\"messages\":[{\"content\":\"a:}{\"}],\n \"stream\" : true \n}\n",
        Some(
            "{\"messages\":[{\"content\":\"a:}{\"}],\n \"stream\" : true \n,\"stream_options\":{\"include_usage\":true}}\n",
        ),
    ),
    (
        r#"{"stream":true,"stream_options":{"x":{"y":1}},"n":1}"#,
        Some(r#"{"stream":true,"stream_options":{"x":{"y":1},"include_usage":true},"n":1}"#),
    ),
    (
        r#"{"stream_options": { } ,"stream":true}"#,
        Some(r#"{"stream_options": { "include_usage":true} ,"stream":true}"#),
    ),
    (
        r#"{"stream_options":{"include_usage": false},"stream":true}"#,
        Some(r#"{"stream_options":{"include_usage": true},"stream":true}"#),
    ),
    (
        r#"{"stream_options":{"include_usage":null,"continuous_usage_stats":true},"stream":true}"#,
        Some(r#"{"stream_options":{"include_usage":true,"continuous_usage_stats":true},"stream":true}"#),
    ),
    (
        r#"{"stream":true,"stream_options": null ,"tools":[{"include_usage":false}]}"#,
        Some(
            r#"{"stream":true,"stream_options": {"include_usage":true} ,"tools":[{"include_usage":false}]}"#,
        ),
    ),
    (r#"{"stream":true,"stream_options":{"include_usage":true}}"#, None),
    (r#"{"stream":false}"#, None),
    (r#"{"stream":false,"stream_options":null}"#, None),
    (r#"{"stream_options":null,"stream":false}"#, None),
    (r#"{"stream_options":null,"stream":true}"#, None), // see the documentation of the module
    (r#"{"stream":"true"}"#, None),
    (r#"{"messages":[{"role":"user","content":"\"stream\":true"}]}"#, None),
    (r#"{"x":{"stream":true}}"#, None),
    (r#"{"stream":true"#, None),
    (r#"{"x": nul"#, None),
    (r#"{"x": null"#, None),
    ("{}", None),
    ("", None),
    ("[{\"stream\":true}]", None),
    ("\u{feff}{\"stream\":true}", None),
    ("--x\r\n: false\r\n", None),
];

#[test]
fn usage_is_injected_where_it_is_absent_and_nothing_else_changes() {
    for (body, expected) in REQUESTS {
        let expected = (expected.unwrap_or(body).to_string(), expected.is_some());
        assert_eq!(inject([body.as_bytes()]), expected);
        assert_eq!(inject(body.as_bytes().chunks(1)), expected);
        for cut in 0..=body.len() {
            let (a, b) = body.as_bytes().split_at(cut);
            assert_eq!(inject([a, b]), expected, "{body} at {cut}");
        }
        if expected.1 {
            let edited: Json = serde_json::from_str(&expected.0).unwrap();
            assert_eq!(edited["stream_options"]["include_usage"], json!(true), "{body}");
        }
    }
}

#[test]
fn an_unchanged_chunk_is_not_copied() {
    for (body, expected) in REQUESTS {
        assert_eq!(
            InjectUsage::default().push(body.as_bytes()).is_some(),
            expected.is_some() || body.contains(": nul"),
            "{body}"
        );
    }
    let mut editor = StripUsage::default();
    for event in
        ["data: {\"id\":\"a\",\"choices\":[{\"index\":0}]}\n\n", ": ping", "\n\n", "data: [DONE]\n\n"]
    {
        assert_eq!(editor.push(event.as_bytes()), None, "{event}");
    }
}

#[test]
fn a_request_is_settled_at_the_end_of_its_document() {
    for (body, _) in REQUESTS.iter().filter(|(body, _)| body.ends_with('}')) {
        let mut editor = InjectUsage::default();
        let (last, most) = body.as_bytes().split_last().unwrap();
        editor.push(most);
        let is_object = body.starts_with('{');
        assert_eq!(editor.is_settled(), !is_object, "{body}");
        editor.push(&[*last]);
        assert!(editor.is_settled(), "{body}");
    }
}

#[test]
fn a_request_past_the_limit_is_not_edited() {
    let mut editor = InjectUsage::default();
    let piece = format!("{{\"stream\":true,\"x\":\"{}", "x".repeat(1 << 20));
    for _ in 0..9 {
        assert_eq!(editor.push(piece.as_bytes()), None);
    }
    assert_eq!(editor.push(b"\"}"), None);
    assert!(!editor.is_injected());
}

const TEXT: &str = r#"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"usage \"choices\":[] é"}}],"usage":null}"#;
const RUNNING: &str = r#"{"choices":[{"index":0,"delta":{"content":"x"}}],"usage":{"completion_tokens":1}}"#;
const USAGE: &str = r#"{"id":"c","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":0}}}"#;
const USAGE_FIRST: &str = r#" { "usage" : {"completion_tokens":5} , "model":"m", "choices" : [ ] } "#;
const PRELUDE: &str = r#"{"choices":[],"prompt_filter_results":[{"prompt_index":0}],"usage":null}"#;
const NO_CHOICES: &str = r#"{"usage":{"completion_tokens":5}}"#;
const ERROR: &str = r#"{"error":{"message":"x"},"usage":{}}"#;

/// The stream without its usage, event by event: for streams whose events have one line of data each.
fn naive(stream: &str, line_end: &str) -> String {
    let blank = format!("{line_end}{line_end}");
    let events = stream.split_inclusive(&blank).filter(|event| {
        let data =
            event.lines().flat_map(|line| line.split('\r')).find_map(|line| line.strip_prefix("data:"));
        let document: Json = data.and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default();
        let is_usage = document["choices"] == json!([]) && document["usage"].is_object();
        !(is_usage && event.ends_with(&blank))
    });
    events.collect()
}

fn streams() -> Vec<(String, &'static str)> {
    let events = [
        format!("data: {TEXT}\n\ndata: {RUNNING}\n\ndata: {USAGE}\n\ndata: [DONE]\n\n"),
        format!("data:{TEXT}\n\ndata:{USAGE_FIRST}\n\n"),
        format!(
            "data: {PRELUDE}\n\ndata: {NO_CHOICES}\n\ndata: {ERROR}\n\ndata: null\n\ndata:\n\n\n\ndata: {USAGE}\n\n: end\n\n"
        ),
        format!("event: x\nid: 7\ndata: {USAGE}\nretry: 5\n\nevent: x\ndata: {TEXT}\n\n: ping\n\nid: 8\n\n"),
        format!("data: {USAGE}\n\ndata: {USAGE}"), // the last event does not end, so no client reads it
        format!("data: {TEXT}\n\ndata: {}", &USAGE[..60]),
        "no event stream".into(),
        String::new(),
    ];
    let ends = ["\n", "\r\n", "\r"];
    events.iter().flat_map(|events| ends.map(|end| (events.replace('\n', end), end))).collect()
}

#[test]
fn the_usage_is_removed_and_nothing_else_in_every_chunking() {
    for (stream, line_end) in streams() {
        let expected = naive(&stream, line_end).into_bytes();
        let bytes = stream.as_bytes();
        assert_eq!(strip([bytes]).escape_ascii().to_string(), expected.escape_ascii().to_string());
        assert_eq!(strip(bytes.chunks(1)), expected, "{stream:?}");
        for first in 0..=bytes.len() {
            assert_eq!(strip([&bytes[..first], &bytes[first..]]), expected, "{stream:?} cut at {first}");
            for second in (first..=bytes.len()).step_by(41) {
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(strip(pieces), expected, "{stream:?} cut at {first} and {second}");
            }
        }
    }
}

#[test]
fn an_event_is_held_back_until_its_choices_are_read() {
    let mut editor = StripUsage::default();
    assert_eq!(editor.push(b"data: {\"id\":\"a\",\"cho"), Some(Vec::new()));
    assert_eq!(editor.push(b"ices\":[{"), Some(b"data: {\"id\":\"a\",\"choices\":[{".to_vec()));
    assert_eq!(editor.push(b"\"index\":0}"), None);
    assert_eq!(editor.push(b"]}\n"), None);
    assert_eq!(editor.push(b"\n"), None);
    // Comments and the end of the stream are sent at once.
    assert_eq!(editor.push(b": still"), None);
    assert_eq!(editor.push(b" there\n"), None);
    assert_eq!(editor.push(b"\n"), None);
    assert_eq!(editor.push(b"data: ["), None);
    assert_eq!(editor.push(b"DONE]\n\n"), None);
    assert_eq!(editor.finish(), b"");
}

#[test]
fn a_long_event_is_not_held_back() {
    let long = format!("data: {{\"x\":\"{}\",{}\n\n", "x".repeat(EVENT_BYTES_HELD_MAX), &USAGE[1..]);
    for size in [1, 100, 5000] {
        assert_eq!(strip(long.as_bytes().chunks(size)), long.as_bytes());
    }
}

#[test]
fn an_event_that_may_not_be_held_back_is_sent_whole() {
    let stream = [TEXT, USAGE, TEXT].map(|event| format!("data: {event}\r\n\r\n")).concat().into_bytes();
    let begin = format!("data: {TEXT}\r\n\r\n").len();
    let end = begin + format!("data: {USAGE}\r\n\r\n").len();
    for cut in 0..=stream.len() {
        let (mut editor, mut sent) = (StripUsage::default(), Vec::new());
        for piece in [&stream[..cut], &stream[cut..]] {
            sent.extend(editor.push(piece).unwrap_or_else(|| piece.to_vec()));
            sent.extend(editor.finish());
        }
        let is_cut = begin < cut && cut < end - 1;
        let expected = if is_cut { stream.clone() } else { [&stream[..begin], &stream[end..]].concat() };
        assert_eq!(sent.escape_ascii().to_string(), expected.escape_ascii().to_string(), "cut at {cut}");
    }
}

proptest! {
    #[test]
    fn any_pieces_are_edited_alike_in_any_chunking(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "data: ", "data:", "\n", "\n\n", "\r\n", "\r", USAGE, TEXT, "{\"choices\":[", "]", "}", "[DONE]", ":", "id: 1",
            "\u{feff}", "error: x", "\"usage\":{", ",", "{}", "null", "é",
        ]), 0..16),
        size in 1..40_usize,
    ) {
        let stream = pieces.concat().into_bytes();
        prop_assert_eq!(strip(stream.chunks(size)), strip([&stream[..]]));
    }

    #[test]
    fn any_request_is_edited_alike_in_any_chunking(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", " ", "\"stream\":true", "\"stream\":", "false", "null", "\"stream_options\":", "{}",
            "\"include_usage\":", "\"a\":\"\\\":}\"", "1",
        ]), 0..16),
        size in 1..20_usize,
    ) {
        let body = pieces.concat().into_bytes();
        prop_assert_eq!(inject(body.chunks(size)), inject([&body[..]]));
    }
}
