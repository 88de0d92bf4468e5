//! Every cut against naive edits of the whole.

use super::*;
use crate::edit::Editor;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// Everything that is sent when `body` comes in these pieces.
fn sent<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    mut push: impl FnMut(&[u8]) -> Option<Vec<u8>>,
) -> Vec<u8> {
    pieces.into_iter().flat_map(|piece| push(piece).unwrap_or_else(|| piece.to_vec())).collect()
}

fn ask<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (String, bool) {
    let mut ask = InjectUsage::default();
    let mut all = sent(pieces, |piece| ask.push(piece));
    all.extend(ask.finish());
    (String::from_utf8(all).unwrap(), ask.is_injected())
}

fn hide<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut hide = StripUsage::default();
    let mut all = sent(pieces, |piece| {
        let sent = hide.push(piece);
        assert!(hide.held.len() <= EVENT_BYTES_HELD_MAX);
        sent
    });
    all.extend(hide.finish());
    all
}

/// Bodies, and what becomes of them; `None`: nothing.
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
    (r#"{"stream_options":null,"stream":true}"#, None), // as the module says
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
fn usage_is_asked_for_where_it_was_not_and_nothing_else_changes() {
    for (body, expected) in REQUESTS {
        let expected = (expected.unwrap_or(body).to_string(), expected.is_some());
        assert_eq!(ask([body.as_bytes()]), expected);
        assert_eq!(ask(body.as_bytes().chunks(1)), expected);
        for cut in 0..=body.len() {
            let (a, b) = body.as_bytes().split_at(cut);
            assert_eq!(ask([a, b]), expected, "{body} at {cut}");
        }
        if expected.1 {
            let asked: Json = serde_json::from_str(&expected.0).unwrap();
            assert_eq!(asked["stream_options"]["include_usage"], json!(true), "{body}");
        }
    }
}

#[test]
fn a_piece_that_does_not_change_is_not_copied() {
    for (body, expected) in REQUESTS {
        assert_eq!(
            InjectUsage::default().push(body.as_bytes()).is_some(),
            expected.is_some() || body.contains(": nul"),
            "{body}"
        );
    }
    let mut hide = StripUsage::default();
    for event in
        ["data: {\"id\":\"a\",\"choices\":[{\"index\":0}]}\n\n", ": ping", "\n\n", "data: [DONE]\n\n"]
    {
        assert_eq!(hide.push(event.as_bytes()), None, "{event}");
    }
}

#[test]
fn a_request_is_settled_when_nothing_can_change_any_more() {
    for (body, _) in REQUESTS.iter().filter(|(body, _)| body.ends_with('}')) {
        let mut ask = InjectUsage::default();
        let (last, most) = body.as_bytes().split_last().unwrap();
        ask.push(most);
        let is_object = body.starts_with('{');
        assert_eq!(ask.is_settled(), !is_object, "{body}");
        ask.push(&[*last]);
        assert!(ask.is_settled(), "{body}");
    }
}

#[test]
fn a_request_past_the_limit_goes_on_as_it_came() {
    let mut ask = InjectUsage::default();
    let piece = format!("{{\"stream\":true,\"x\":\"{}", "x".repeat(1 << 20));
    for _ in 0..9 {
        assert_eq!(ask.push(piece.as_bytes()), None);
    }
    assert_eq!(ask.push(b"\"}"), None);
    assert!(!ask.is_injected());
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
        format!("data: {USAGE}\n\ndata: {USAGE}"), // the last is not ended, so no client reads it
        format!("data: {TEXT}\n\ndata: {}", &USAGE[..60]),
        "no event stream".into(),
        String::new(),
    ];
    let ends = ["\n", "\r\n", "\r"];
    events.iter().flat_map(|events| ends.map(|end| (events.replace('\n', end), end))).collect()
}

#[test]
fn the_usage_goes_and_every_other_byte_stays_in_every_cut() {
    for (stream, line_end) in streams() {
        let expected = naive(&stream, line_end).into_bytes();
        let bytes = stream.as_bytes();
        assert_eq!(hide([bytes]).escape_ascii().to_string(), expected.escape_ascii().to_string());
        assert_eq!(hide(bytes.chunks(1)), expected, "{stream:?}");
        for first in 0..=bytes.len() {
            assert_eq!(hide([&bytes[..first], &bytes[first..]]), expected, "{stream:?} cut at {first}");
            for second in (first..=bytes.len()).step_by(41) {
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(hide(pieces), expected, "{stream:?} cut at {first} and {second}");
            }
        }
    }
}

#[test]
fn an_event_is_held_only_until_it_is_told() {
    let mut hide = StripUsage::default();
    assert_eq!(hide.push(b"data: {\"id\":\"a\",\"cho"), Some(Vec::new()));
    assert_eq!(hide.push(b"ices\":[{"), Some(b"data: {\"id\":\"a\",\"choices\":[{".to_vec()));
    assert_eq!(hide.push(b"\"index\":0}"), None);
    assert_eq!(hide.push(b"]}\n"), None);
    assert_eq!(hide.push(b"\n"), None);
    // What keeps a connection alive passes at once, as does the end of the stream.
    assert_eq!(hide.push(b": still"), None);
    assert_eq!(hide.push(b" there\n"), None);
    assert_eq!(hide.push(b"\n"), None);
    assert_eq!(hide.push(b"data: ["), None);
    assert_eq!(hide.push(b"DONE]\n\n"), None);
    assert_eq!(hide.finish(), b"");
}

#[test]
fn a_long_event_is_let_go() {
    let long = format!("data: {{\"x\":\"{}\",{}\n\n", "x".repeat(EVENT_BYTES_HELD_MAX), &USAGE[1..]);
    for size in [1, 100, 5000] {
        assert_eq!(hide(long.as_bytes().chunks(size)), long.as_bytes());
    }
}

#[test]
fn of_an_event_that_could_not_wait_nothing_is_lost() {
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
        prop_assert_eq!(hide(stream.chunks(size)), hide([&stream[..]]));
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
        prop_assert_eq!(ask(body.chunks(size)), ask([&body[..]]));
    }
}
