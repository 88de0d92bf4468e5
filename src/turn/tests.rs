//! Bodies of every API, whole and cut.

use super::*;
use proptest::prelude::*;

fn is_first(body: &[u8]) -> Option<bool> {
    let mut turn = Turn::default();
    turn.push(body);
    turn.is_first()
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
            let mut turn = Turn::default();
            turn.push(&body[..cut]);
            turn.push(&body[cut..]);
            assert_eq!(turn.is_first(), is_first(body), "{} at {cut}", body.escape_ascii());
        }
    }
}

#[test]
fn a_decided_body_is_not_read_on() {
    let wants_more = |body: &[u8]| {
        let mut turn = Turn::default();
        turn.push(body);
        turn.wants_more()
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
    let mut turn = Turn::default();
    turn.push(br#"{"messages":[{"role":"user","content":""#);
    let piece = [b'x'; 1 << 20];
    for _ in 0..9 {
        turn.push(&piece);
    }
    turn.push(br#""}]}"#);
    assert_eq!((turn.wants_more(), turn.is_first()), (false, None));
}

proptest! {
    #[test]
    fn any_bytes_are_accepted(bytes in any::<Vec<u8>>(), cut: prop::sample::Index) {
        let (a, b) = bytes.split_at(cut.index(bytes.len() + 1));
        let mut turn = Turn::default();
        turn.push(a);
        turn.push(b);
        prop_assert_eq!(turn.is_first(), is_first(&bytes));
    }
}

#[test]
fn what_follows_the_document_does_not_count() {
    for body in [
        r#"{"messages":[{"role":"user"}]},{"messages":[{"role":"assistant"}]}"#,
        r#"{"prompt":"x"}{"messages":[{"role":"user"}]}"#,
    ] {
        let mut cut = Turn::default();
        body.as_bytes().chunks(1).for_each(|byte| cut.push(byte));
        assert_eq!(is_first(body.as_bytes()), cut.is_first(), "{body}");
        assert_eq!(cut.is_first(), Some(body.contains("assistant")), "{body}");
    }
}
