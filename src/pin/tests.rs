//! Every cut against serde_json's view of the whole.

use std::sync::Arc;

use super::*;
use crate::edit::Editor;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

const TOKEN: &str = "1a2b3c4d";
const TAG: &str = "-llm-1a2b3c4d";
const OTHER_TAG: &str = "-llm-00000001";

fn token() -> Token {
    Token::parse(TOKEN.as_bytes()).unwrap()
}

fn is_known(other: Token) -> bool {
    other == token()
}

fn edit<'a>(mut editor: impl Editor, pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut all = Vec::new();
    for piece in pieces {
        all.extend(editor.push(piece).unwrap_or_else(|| piece.to_vec()));
    }
    all.extend(editor.finish());
    String::from_utf8(all).unwrap()
}

/// The edited body, which must be the same in every chunking.
fn edit_in_every_cut<E: Editor>(new: impl Fn() -> E, body: &str) -> String {
    let bytes = body.as_bytes();
    let edited = edit(new(), [bytes]);
    assert_eq!(edit(new(), bytes.chunks(1)), edited);
    for first in 0..=bytes.len() {
        assert_eq!(edit(new(), [&bytes[..first], &bytes[first..]]), edited, "{body} cut at {first}");
        for second in (first..=bytes.len()).step_by(37) {
            let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
            assert_eq!(edit(new(), pieces), edited, "{body} cut at {first} and {second}");
        }
    }
    edited
}

fn tag_whole(body: &str) -> String {
    edit_in_every_cut(|| TagIds::new(Body::Whole, token()), body)
}

fn tag_stream(body: &str) -> String {
    edit_in_every_cut(|| TagIds::new(Body::Stream, token()), body)
}

fn untag() -> UntagIds {
    UntagIds::new(Arc::new([token()]))
}

#[test]
fn a_token_reads_as_it_is_written() {
    for value in [0, 1, 0x1a2b_3c4d, u32::MAX] {
        let written = Token(value).to_string();
        assert_eq!(Token::parse(written.as_bytes()), Some(Token(value)), "{written}");
    }
    for wrong in [
        "",
        "1",
        "1a2b3c4",
        "1a2b3c4d5",
        "1A2B3C4D",
        "1a2b3c4g",
        "+1a2b3c4",
        " 1a2b3c4",
        "1a2b3c4\n",
        "é2b3c4d",
    ] {
        assert_eq!(Token::parse(wrong.as_bytes()), None, "{wrong}");
    }
    assert_eq!(Token::of("chat", "v1").to_string(), "d7bba268");
    assert_ne!(Token::of("chat", "v1"), Token::of("chatv", "1"));
}

#[test]
fn an_id_and_its_tag_are_separated() {
    assert_eq!(untag_id(b"resp_abc-llm-1a2b3c4d"), Some((&b"resp_abc"[..], token())));
    assert_eq!(untag_id(b"a-llm-00000001-llm-1a2b3c4d"), Some((&b"a-llm-00000001"[..], token())));
    for other in [
        "",
        "resp_abc",
        "-llm-1a2b3c4d",
        "resp_abc-llm-1a2b3c4",
        "resp_abc-llm-1a2b3c4d ",
        "resp_abc-LLM-1a2b3c4d",
    ] {
        assert_eq!(untag_id(other.as_bytes()), None, "{other}");
    }
}

#[test]
fn paths_of_the_responses_api() {
    use Endpoint::{Inside, Stored};
    for (path, expected) in [
        ("/v1/responses", Some(Stored)),
        ("/v1/responses?stream=true", Some(Stored)),
        ("/v1/responses/", Some(Stored)),
        ("/v1/responses/resp_1", Some(Stored)),
        ("/openai/v1/responses/resp_1?api-version=preview", Some(Stored)),
        ("/openai/deployments/responses/responses/resp_1", Some(Stored)),
        ("/v1/responses/resp_1/cancel", Some(Stored)),
        ("/v1/responses/resp_1/input_items", Some(Inside)),
        ("/v1/responses/resp_1/cancel/x", Some(Inside)),
        ("/v1/responses/a/b/c/d/e/f", Some(Inside)),
        ("/v1/conversations", Some(Stored)),
        ("/v1/conversations/conv_1", Some(Stored)),
        ("/v1/conversations/conv_1/items", Some(Inside)),
        ("/v1/conversations/conv_1/items?after=msg_1", Some(Inside)),
        ("/v1/conversations/conv_1/items/msg_1", Some(Inside)),
        ("/v1/chat/completions", None),
        ("/v1/chat/completions?x=/responses", None),
        ("/v1/myresponses/x", None),
        ("", None),
        ("?", None),
    ] {
        assert_eq!(Endpoint::of(path.as_bytes()), expected, "{path}");
    }
}

#[test]
fn ids_in_paths_are_untagged() {
    for (path, expected) in [
        ("/v1/responses/resp_1-llm-1a2b3c4d", Some("/v1/responses/resp_1")),
        ("/v1/responses/resp_1-llm-1a2b3c4d/", Some("/v1/responses/resp_1/")),
        (
            "/v1/responses/r-llm-1a2b3c4d/input_items?after=a-llm-1a2b3c4d",
            Some("/v1/responses/r/input_items?after=a-llm-1a2b3c4d"),
        ),
        (
            "/v1/conversations/c-llm-1a2b3c4d/items/m-llm-1a2b3c4d",
            Some("/v1/conversations/c/items/m-llm-1a2b3c4d"),
        ),
        ("/conversations/c-llm-1a2b3c4d/responses/r-llm-1a2b3c4d?", Some("/conversations/c/responses/r?")),
        ("/v1/responses/resp_1-llm-00000001", None),
        ("/v1/responses/-llm-1a2b3c4d", None),
        ("/v1/responses/resp_1", None),
        ("/v1/responses?x=/responses/resp_1-llm-1a2b3c4d", None),
        ("/v1/files/file_1-llm-1a2b3c4d", None),
        ("/v1/responses-llm-1a2b3c4d", None),
        ("", None),
    ] {
        let expected = expected.map(|path| (path.as_bytes().to_vec(), token()));
        assert_eq!(untag_path(path.as_bytes(), is_known), expected, "{path}");
        assert_eq!(untag_path(path.as_bytes(), |_| false), None, "{path}");
    }
}

/// `#` stands where a tag is inserted.
const WHOLE: &[&str] = &[
    r#"{"id":"resp_1#","object":"response","output":[{"id":"msg_1","content":[{"text":"\"id\":\"x\""}]}],"previous_response_id":null}"#,
    "{\n \"previous_response_id\" : \"resp_0#\" ,\n \"id\"\n:\n\"resp_1#\"\n}\n",
    r#"{"conversation":"conv_1#","id":"r#"}"#,
    r#"{"conversation":{"id":"conv_1#","x":{"id":"x"}},"metadata":{"id":"x","conversation":"x"},"id":"resp-2#"}"#,
    r#"{"id":"a\"b\\#","\u0069d":"\u00e9#","id":"\ud83d\ude00é#"}"#,
    r#"{"id":"","previous_response_id":"","conversation":{},"conversation":[],"conversation":{"id":7}}"#,
    r#"{"id":"resp_1-llm-00000001","previous_response_id":"resp_0-llm-1a2b3c4d"}"#,
    r#"{"id":"-llm-00000001#","previous_response_id":"x-llm-0000000#","conversation":"x-llm-0000000g#"}"#,
    r#"{"error":{"message":"Previous response with id 'resp_1' not found.","id":"x"}}"#,
    r#"{"object":"list","data":[{"id":"x"}],"first_id":"x","response":{"id":"x"},"response_id":"x"}"#,
    r#"{"id":"resp_1#"} {"id":"x"}"#,
    r#"{"id":"resp_1#","output":"#,
    r#"{"id":"resp_1#","output":@,"previous_response_id":"x"}"#,
    r#"{"id":"resp_1"#,
    r#"[{"id":"x"}]"#,
    "\u{feff}{\"id\":\"x\"}",
    "{}",
    "",
    "no \"id\":\"x\"",
];

#[test]
fn ids_of_a_whole_response_are_tagged_and_nothing_else_changes() {
    for pattern in WHOLE {
        assert_eq!(tag_whole(&pattern.replace('#', "")), pattern.replace('#', TAG));
    }
    for length in [100, 127, 128, 129, 300] {
        let id = "x".repeat(length);
        let tagged = format!("{{\"id\":\"{id}{TAG}\",\"previous_response_id\":\"{id}{OTHER_TAG}\"}}");
        assert_eq!(tag_whole(&tagged.replace(TAG, "")), tagged);
    }
}

const STREAM: &str = r#"event: response.created
data: {"type":"response.created","response":{"id":"resp_1#","object":"response","conversation":{"id":"conv_1#"},"previous_response_id":"resp_0#","output":[{"id":"msg_0"}]},"sequence_number":0}

: {"response":{"id":"comment"}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","item_id":"msg_1","delta":"{\"response\":{\"id\":\"x\"}}","response_id":"resp_1#"}

data: {"response":{
data: "id" :
data: "resp_1#","conversation":"conv_1#","previous_response_id":null}}

id: {"response":{"id":"x"}}
data:{"response":{"id":""},"id":"x","conversation":"x"}

data: {"response":{"id":"resp_1-llm-00000001"},"response_id":"cut

data: {"response":{"id":"resp_1#"}}

data: [DONE]

data: [{"response":{"id":"x"}}]

data: {"response":{"id":"resp_1#"#;

#[test]
fn ids_of_a_stream_are_tagged_in_every_event_and_nothing_else_changes() {
    for line_end in ["\n", "\r\n", "\r"] {
        let pattern = STREAM.replace('\n', line_end);
        // The last event is cut, inside its id.
        let (whole, last) = pattern.rsplit_once('#').unwrap();
        assert_eq!(last, "");
        assert_eq!(tag_stream(&whole.replace('#', "")), whole.replace('#', TAG));
    }
}

#[test]
fn a_response_is_never_held_back() {
    for (body, text) in [(Body::Whole, WHOLE[0].replace('#', "")), (Body::Stream, STREAM.replace('#', ""))] {
        let mut editor = TagIds::new(body, token());
        for byte in text.as_bytes() {
            let sent = editor.push(&[*byte]);
            assert!(sent.is_none_or(|sent| sent.ends_with(&[*byte])));
        }
        assert_eq!(editor.finish(), b"");
        assert_eq!(editor.is_settled(), body == Body::Whole);
    }
}

/// Requests; `#` stands for the tag that is removed.
const REQUESTS: &[&str] = &[
    r#"{"model":"m","previous_response_id":"resp_1#","input":"hello"}"#,
    "{\n\"conversation\" : \"conv_1#\"\n}\n",
    r#"{"conversation":{"x":1,"id":"conv_1#"},"id":"x-llm-1a2b3c4d"}"#,
    r#"{"input":"a \"-llm-1a2b3c4d\" -llm-1a2b3c4","previous_response_id":"\"\\\u00e9#"}"#,
    r#"{"input":[{"previous_response_id":"x-llm-1a2b3c4d"}],"previous_response_id":"x-llm-00000001"}"#,
    r#"{"previous_response_id":"-llm-1a2b3c4d"}"#,
    r#"{"previous_response_id":"x-llm-1a2b3c4d "}"#,
    r#"{"previous_response_id":"x\u002dllm-1a2b3c4d"}"#,
    r#"{"previous_response_id":null,"conversation":{"id":"a-llm-00000001#"},"input":"-llm-1a2b3c4d"}"#,
    r#"{"previous_response_id":"x-llm-1a2b3c4d"#,
    r#"{"previous_response_id":"x-llm-1a2b"#,
    r#"[{"previous_response_id":"x-llm-1a2b3c4d"}]"#,
    r#"{"input":@,"previous_response_id":"x-llm-1a2b3c4d"}"#,
    r#"{"previous_response_id":"a#","input":"x-llm-1a2b3c4d","previous_response_id":"b#"}"#,
    r#"{"previous_response_id":"a","previous_response_id":"b#","previou\u0073_response_id":"c#"}"#,
    r#"{"conversation":"a#","conversation":{"id":"b#","i\u0064":"c#"},"conversation":"d-llm-00000001"}"#,
    r#"{"previous_response_id":"a#","conversation":{"id":"b#"}}"#,
    r#"{"previous_response_id":"a#","input":@,"previous_response_id":"b-llm-1a2b3c4d"}"#,
    r#"{"input":"x"}{"previous_response_id":"x-llm-1a2b3c4d"}"#,
    "{}",
    "",
];

#[test]
fn the_id_a_request_continues_is_untagged_and_nothing_else_changes() {
    for pattern in REQUESTS {
        let tagged = pattern.replace('#', TAG);
        assert_eq!(edit_in_every_cut(untag, &tagged), pattern.replace('#', ""));
        // Without the token not one byte changes.
        assert_eq!(edit_in_every_cut(|| UntagIds::new(Arc::new([])), &tagged), tagged);
        let mut editor = untag();
        editor.push(tagged.as_bytes());
        assert_eq!(editor.token(), pattern.contains('#').then_some(token()), "{tagged}");
    }
}

#[test]
fn a_request_is_settled_with_its_end() {
    for (body, at) in [
        (r#"{"previous_response_id":"resp_1-llm-1a2b3c4d","input":"hello"}"#, 62),
        (r#"{"previous_response_id":"resp_1-llm-1a2b3c4d","input":@,"x":1}"#, 55),
        (r#"{"previous_response_id":"resp_1-llm-00000001","input":"hello"}"#, 62),
        (r#"[{"previous_response_id":"resp_1-llm-1a2b3c4d"}]"#, 1),
    ] {
        let mut editor = untag();
        for (index, byte) in body.bytes().enumerate() {
            assert_eq!(editor.is_settled(), index >= at, "{body} at {index}");
            editor.push(&[byte]);
            assert!(editor.held.len() <= TAG_BYTES);
        }
        assert!(editor.is_settled());
    }
    let mut editor = untag();
    assert_eq!(editor.push(b"{\"input\":\"-llm-"), Some(b"{\"input\":\"".to_vec()));
    assert!(!editor.is_settled());
    assert_eq!(editor.finish(), b"-llm-");
    assert!(editor.is_settled());
}

#[test]
fn an_unchanged_chunk_is_not_copied() {
    assert_eq!(untag().push(br#"{"previous_response_id":"resp_1"}"#), None);
    assert_eq!(TagIds::new(Body::Whole, token()).push(br#"{"object":"response"}"#), None);
    assert_eq!(TagIds::new(Body::Stream, token()).push(b"data: {\"id\":\"x\"}\n\n"), None);
}

/// Appends the tag to the strings at these paths.
fn tag_tree(document: &mut Json, paths: &[&str]) {
    for path in paths {
        if let Some(Json::String(id)) = document.pointer_mut(path)
            && !id.is_empty()
            && untag_id(id.as_bytes()).is_none()
        {
            id.push_str(TAG);
        }
    }
}

const WHOLE_PATHS: &[&str] = &["/id", "/previous_response_id", "/conversation", "/conversation/id"];
const EVENT_PATHS: &[&str] = &[
    "/response/id",
    "/response/previous_response_id",
    "/response/conversation",
    "/response/conversation/id",
    "/response_id",
];

/// Documents made of the keys and strings that matter.
fn document() -> impl Strategy<Value = Json> {
    let string = prop::sample::select(vec![
        "",
        "resp_1",
        "resp_1-llm-00000001",
        "x-llm-1a2b3c4d",
        "-llm-1a2b3c4d",
        "x-llm-1a2b3c4",
        "a\"b",
        "\\",
        "é😀\n",
        "id",
        "{}",
        "-",
        "-llm-",
    ]);
    let key = prop::sample::select(vec![
        "id",
        "response",
        "previous_response_id",
        "conversation",
        "response_id",
        "output",
        "x\"",
        "é",
    ]);
    let leaf = prop_oneof![
        string.prop_map(|text| json!(text)),
        Just(Json::Null),
        any::<i32>().prop_map(|n| json!(n))
    ];
    let tree = leaf.prop_recursive(3, 24, 6, move |inner| {
        prop_oneof![
            3 => prop::collection::btree_map(key.clone(), inner.clone(), 0..6)
                .prop_map(|map| map.into_iter().map(|(key, value)| (key.to_string(), value)).collect::<Json>()),
            1 => prop::collection::vec(inner, 0..4).prop_map(Json::Array),
        ]
    });
    tree.prop_filter("an object", Json::is_object)
}

proptest! {
    #[test]
    fn a_tagged_document_agrees_with_serde_json(document in document(), size in 1..40_usize, is_pretty in any::<bool>()) {
        let text = if is_pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) }.unwrap();
        for (body, paths) in [(Body::Whole, WHOLE_PATHS), (Body::Stream, EVENT_PATHS)] {
            let sent = match body {
                Body::Whole => text.clone(),
                Body::Stream => text.lines().map(|line| format!("data: {line}\n")).collect::<String>() + "\n",
            };
            let tagged = edit(TagIds::new(body, token()), sent.as_bytes().chunks(size));
            let read: String = match body {
                Body::Whole => tagged.clone(),
                Body::Stream => tagged.lines().map(|line| line.strip_prefix("data: ").unwrap_or(line)).collect(),
            };
            let mut expected = document.clone();
            tag_tree(&mut expected, paths);
            prop_assert_eq!(serde_json::from_str::<Json>(&read).unwrap(), expected);
            // Without the tags no byte differs.
            prop_assert_eq!(tagged.replace(TAG, ""), sent.replace(TAG, ""));
        }
    }

    #[test]
    fn tagging_and_untagging_gives_the_same_body(id in "[a-zA-Z0-9_=é\"\\\\-]{1,200}", key in 0..3_usize, size in 1..40_usize) {
        prop_assume!(untag_id(id.as_bytes()).is_none());
        let body = [json!({"previous_response_id": id}), json!({"conversation": id}), json!({"conversation": {"id": id}})][key].to_string();
        let tagged = edit(TagIds::new(Body::Whole, token()), body.as_bytes().chunks(size));
        prop_assert_ne!(&tagged, &body);
        prop_assert_eq!(edit(untag(), tagged.as_bytes().chunks(size)), body);
    }

    #[test]
    fn an_untagged_request_agrees_with_serde_json(document in document(), size in 1..40_usize) {
        let text = serde_json::to_string(&document).unwrap();
        let sent = edit(untag(), text.as_bytes().chunks(size));
        prop_assert_eq!(&sent, &edit(untag(), [text.as_bytes()]));
        let mut expected = document.clone();
        for path in ["/conversation", "/conversation/id", "/previous_response_id"] {
            if let Some(Json::String(id)) = expected.pointer_mut(path)
                && let Some(length) = untag_id(id.as_bytes()).filter(|(_, token)| is_known(*token)).map(|(id, _)| id.len())
            {
                id.truncate(length);
            }
        }
        prop_assert_eq!(serde_json::from_str::<Json>(&sent).unwrap(), expected);
    }

    #[test]
    fn any_pieces_are_edited_alike_in_any_chunking(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", " ", "\"id\":", "\"response\":{", "\"conversation\":", "\"previous_response_id\":", "\"resp_1\"",
            "\"resp_1-llm-1a2b3c4d\"", "\"", "-llm-", "1a2b3c4d", "-", "\\", "\\u002d", "null", "data: ", "data:", "\n", "\n\n", "\r\n", "\r", "é",
            "\u{feff}", "[DONE]",
        ]), 0..24),
        size in 1..20_usize,
    ) {
        let body = pieces.concat();
        let body = body.as_bytes();
        for kind in [Body::Whole, Body::Stream] {
            prop_assert_eq!(edit(TagIds::new(kind, token()), body.chunks(size)), edit(TagIds::new(kind, token()), [body]));
        }
        prop_assert_eq!(edit(untag(), body.chunks(size)), edit(untag(), [body]));
        prop_assert_eq!(edit(UntagIds::new(Arc::new([])), body.chunks(size)).into_bytes(), body);
    }

    #[test]
    fn any_bytes_stay(body in any::<Vec<u8>>(), path in any::<Vec<u8>>()) {
        for kind in [Body::Whole, Body::Stream] {
            prop_assert_eq!(TagIds::new(kind, token()).push(&body), None);
        }
        let mut editor = untag();
        let mut sent = editor.push(&body).unwrap_or_else(|| body.clone());
        sent.extend(editor.finish());
        prop_assert_eq!(sent, body);
        let _ = Endpoint::of(&path);
        prop_assert_eq!(untag_path(&path, is_known), None);
    }
}
