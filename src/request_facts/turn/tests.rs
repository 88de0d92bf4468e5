//! Bodies of every API, whole and cut.

use crate::request_facts::RequestReader;
use proptest::prelude::*;

/// The same whether or not the body is also read for what it asks for.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]> + Clone) -> Option<bool> {
    let [turn, all] = [false, true].map(|reads_asked| {
        let mut reader = RequestReader::new(reads_asked);
        pieces.clone().into_iter().for_each(|piece| reader.push(piece));
        reader.facts().is_first_turn
    });
    assert_eq!(turn, all);
    turn
}

fn is_first(body: &[u8]) -> Option<bool> {
    read([body])
}

const FIRST: &[&str] = &[
    r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#,
    r#"{"messages":[{"role":"system","content":"be brief"},{"role":"developer","content":"x"},{"role":"user","content":[{"type":"text","text":"\"role\":\"assistant\""}]}],"stream":true}"#,
    r#"{"messages":[{"content":"\",\"role\":\"assistant\"","role":"user"}],"system":"you are an assistant"}"#,
    r#"{"model":"m","input":"hello"}"#,
    r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"x"}]}],"previous_response_id":null,"conversation":null}"#,
    r#"{"input":[{"type":"message","role":"user","content":"x"}]}"#,
    r#"{"contents":[{"role":"user","parts":[{"text":"x"}]}]}"#,
    r#"{"contents":[{"parts":[{"text":"x"}]}]}"#,
    r#"{"contents":{"parts":{"text":"x"}}}"#,
    r#"{"message":"hi","chat_history":[]}"#,
    r#"{"message":"hi","chat_history":[{"role":"USER","message":"x"},{"role":"SYSTEM","message":"x"}]}"#,
    "\n {\"messages\" : [ { \"role\" : \"user\" } ] } \n",
];

const NOT_FIRST: &[&str] = &[
    r#"{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"hello"},{"role":"user","content":"x"}]}"#,
    r#"{"messages":[{"role":"user","content":"hi"},{"role":"tool","content":"4","tool_call_id":"a"}]}"#,
    r#"{"messages":[{"role":"\u0061ssistant"}]}"#,
    r#"{"input":"more","previous_response_id":"resp_1"}"#,
    r#"{"previous_response_id":"resp_1","input":"more"}"#,
    r#"{"input":"more","conversation":"conv_1"}"#,
    r#"{"input":"more","conversation":{"id":"conv_1"}}"#,
    r#"{"input":[{"role":"user","content":"x"},{"type":"function_call","name":"f"},{"type":"function_call_output","output":"4"}]}"#,
    r#"{"input":[{"type":"message","role":"assistant","content":"x"}]}"#,
    r#"{"contents":[{"role":"user"},{"role":"model","parts":[]},{"role":"user"}]}"#,
    r#"{"message":"hi","chat_history":[{"role":"CHATBOT","message":"x"}]}"#,
    r#"{"message":"hi","conversation_id":"c"}"#,
    r#"{"input":"x","previous_interaction_id":"i"}"#,
    // No history.
    r#"{"prompt":"hi"}"#,
    r#"{"messages":[]}"#,
    r#"{"messages":null}"#,
    r#"{}"#,
    "",
    "[]",
    "null",
    "\"messages\"",
    "--boundary\r\ncontent-disposition: form-data\r\n\r\n{\"messages\":[{\"role\":\"user\"}]}",
    "\x1f\x08 {\"messages\":[{\"role\":\"user\"}]}",
];

#[test]
fn a_body_is_a_first_turn_or_not() {
    for body in FIRST {
        assert_eq!(is_first(body.as_bytes()), Some(true), "{body}");
    }
    for body in NOT_FIRST {
        assert_ne!(is_first(body.as_bytes()), Some(true), "{body}");
    }
}

#[test]
fn a_cut_body_is_no_first_turn() {
    for body in FIRST.iter().map(|body| body.trim_end()) {
        for cut in 0..body.len() {
            assert_eq!(is_first(&body.as_bytes()[..cut]), None, "{}", &body[..cut]);
        }
    }
}

#[test]
fn chunks_do_not_change_the_result() {
    for body in FIRST.iter().chain(NOT_FIRST).map(|body| body.as_bytes()) {
        for cut in 0..=body.len() {
            let pieces = [&body[..cut], &body[cut..]];
            assert_eq!(read(pieces), is_first(body), "{} at {cut}", body.escape_ascii());
        }
    }
}

#[test]
fn a_decided_body_is_not_read_on() {
    let wants_more = |body: &[u8]| {
        let mut reader = RequestReader::new(false);
        reader.push(body);
        reader.wants_more()
    };
    assert!(wants_more(b""));
    assert!(wants_more(b" \n"));
    assert!(wants_more(br#"{"messages":[{"role":"user"#));
    for body in [
        &b"--boundary"[..],
        b"[1,",
        b"\x1f\x8b",
        br#"{"messages":[]}"#,
        br#"{"messages":[{"role":"assistant","#,
    ] {
        assert!(!wants_more(body), "{}", body.escape_ascii());
    }
}

#[test]
fn a_body_past_the_limit_is_no_first_turn() {
    for reads_asked in [false, true] {
        let mut reader = RequestReader::new(reads_asked);
        reader.push(br#"{"messages":[{"role":"user","content":""#);
        let piece = [b'x'; 1 << 20];
        for _ in 0..9 {
            reader.push(&piece);
        }
        reader.push(br#""}]}"#);
        assert_eq!((reader.wants_more(), reader.facts().is_first_turn), (false, None));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_accepted(bytes in any::<Vec<u8>>(), cut: prop::sample::Index) {
        let (a, b) = bytes.split_at(cut.index(bytes.len() + 1));
        prop_assert_eq!(read([a, b]), is_first(&bytes));
    }
}

#[test]
fn what_follows_the_document_does_not_count() {
    for body in [
        r#"{"messages":[{"role":"user"}]},{"messages":[{"role":"assistant"}]}"#,
        r#"{"prompt":"x"}{"messages":[{"role":"user"}]}"#,
    ] {
        let cut = read(body.as_bytes().chunks(1));
        assert_eq!(is_first(body.as_bytes()), cut, "{body}");
        assert_eq!(cut, Some(body.contains("assistant")), "{body}");
    }
}
