//! Every cut against serde_json's view of the whole.

use super::*;
use crate::edit::Chain;
use crate::pin::{Body, TagIds, Token, UntagIds};
use crate::usage::InjectUsage;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn edit<'a>(mut editor: impl Editor, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut all = Vec::new();
    for piece in pieces {
        let was_settled = editor.is_settled();
        let edited = editor.push(piece);
        assert!(!was_settled || edited.is_none());
        all.extend(edited.unwrap_or_else(|| piece.to_vec()));
    }
    all.extend(editor.finish());
    assert!(editor.is_settled());
    all
}

fn model() -> Model {
    Model::new(ModelName::new("new \"m\"\\\n"))
}

const NEW: &str = r#""new \"m\"\\\u000a""#;

/// Bodies; `<` and `>` surround each name that is replaced.
const BODIES: &[&str] = &[
    r#"{"model":<"m">,"input":"x"}"#,
    "{\"messages\":[{\"content\":\"\\\"model\\\":\\\"x\\\"\",\"model\":\"x\"}],\n \"model\"\n:\t <\"a\\\"b\\\\\"> , \"n\":1}\n",
    r#"{"x":{"model":"x"},"model":<"">}"#,
    r#"{"\u006dodel":<"m\u0041">}"#,
    r#"{"model":<"m">,"model":<"second">}"#,
    r#"{"model":<"m">,"x":{"model":"x"},"mod\u0065l":<"se\"cond">,"\u006d\u006F\u0064\u0065\u006C":<"">}"#,
    r#"{"model":<"m">} {"model":"m"}"#,
    r#"{"model":7,"model":<"m">,"model":null}"#,
    r#"{"model":{"model":"m"},"model":["m"],"model":<"m">}"#,
    r#"{"model":<"m">,"x":@,"model":"m"}"#,
    r#"{"model":<"m\u00g0\"\u">,"model":"m"}"#,
    r#"{"model":<"\x\\">,"model":"m"}"#,
    r#"{"model":null}"#,
    r#"{"model":{"model":"m"}}"#,
    r#"{"model":["m"]}"#,
    r#"{"x":1}{"model":"m"}"#,
    r#"[{"model":"m"}]"#,
    r#"{"x":@,"model":"m"}"#,
    r#"{"model""#,
    "\u{feff}{\"model\":\"m\"}",
    "--x\r\n\"model\":\"m\"",
    "{}",
    "",
];

#[test]
fn the_model_is_replaced_and_nothing_else_in_every_chunking() {
    for pattern in BODIES {
        let body = pattern.replace(['<', '>'], "");
        // Between `>` and `<` is what stays.
        let mut expected = String::new();
        for part in pattern.split_inclusive('>') {
            match part.split_once('<') {
                Some((before, _)) => expected.extend([before, NEW]),
                None => expected.push_str(part),
            }
        }
        let bytes = body.as_bytes();
        assert_eq!(
            edit(model(), [bytes]).escape_ascii().to_string(),
            expected.as_bytes().escape_ascii().to_string()
        );
        assert_eq!(edit(model(), bytes.chunks(1)), expected.as_bytes(), "{body}");
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(edit(model(), pieces), expected.as_bytes(), "{body} cut at {first} and {second}");
            }
        }
    }
}

#[test]
fn a_request_is_settled_at_its_end() {
    for (body, at) in [
        (r#"{"model":"m","input":"x"}"#, 25),
        (r#"{"model":7 ,"input":"x"}"#, 24),
        (r#"{"model":"m","x":@ }"#, 18),
        (r#"{"input":"x"}"#, 13),
        (r#"["model"]"#, 1),
    ] {
        let mut model = model();
        for (index, byte) in body.bytes().enumerate() {
            assert_eq!(model.is_settled(), index >= at, "{body} at {index}");
            model.push(&[byte]);
        }
        assert!(model.is_settled());
    }
}

#[test]
fn a_name_of_any_length_is_left_out_chunk_by_chunk() {
    let mut model = model();
    assert_eq!(model.push(b"{\"model\":\"m"), Some(format!("{{\"model\":{NEW}").into_bytes()));
    for _ in 0..1000 {
        assert_eq!(model.push(&[b'm'; 1 << 14]), Some(Vec::new()));
    }
    assert!(!model.is_settled());
    // The limit was passed inside the name. It is left out to its end, and the rest does not change.
    assert_eq!(model.push(b"m\",\"model\":\"m\"}"), Some(b",\"model\":\"m\"}".to_vec()));
    assert_eq!(model.push(b"{\"model\":\"m\"}"), None);
    assert!(model.is_settled());
}

#[test]
fn a_request_past_the_limit_is_not_edited() {
    let mut model = model();
    for _ in 0..9 {
        assert_eq!(model.push(format!("{{\"x\":\"{}", "x".repeat(1 << 20)).as_bytes()), None);
    }
    assert!(model.is_settled());
}

#[test]
fn prefixes_of_paths_are_replaced() {
    let (from, to) = ("/v2/models/chat/", "/v2/models/chat/versions/2/");
    for (path, from, to, expected) in [
        ("/v2/models/chat/infer?x=1", from, to, Some("/v2/models/chat/versions/2/infer?x=1")),
        ("/v2/models/chat/", from, to, Some("/v2/models/chat/versions/2/")),
        ("/v2/models/chat", from, to, None),
        ("/v2/models/chat?/", from, to, None),
        ("/V2/models/chat/infer", from, to, None),
        ("/x/v2/models/chat/infer", from, to, None),
        ("/v1/x?y", "/v1", "", Some("/x?y")),
        ("/v1?y", "/v1?", "/v2?", None),
        ("/v1", "", "/x", Some("/x/v1")),
        ("", "", "", Some("")),
    ] {
        let rewritten = path_prefix(path.as_bytes(), from.as_bytes(), to.as_bytes());
        assert_eq!(rewritten, expected.map(|path| path.as_bytes().to_vec()), "{path} {from} {to}");
    }
}

/// All edits of requests in one chain.
fn chain(name: &str, token: Token) -> impl Editor {
    let model = Some(Model::new(ModelName::new(name)));
    Chain(Some(UntagIds::new([token].into())), Chain(model, Some(InjectUsage::default())))
}

proptest! {
    #[test]
    fn a_name_is_escaped_as_json(name in any::<String>()) {
        let string = ModelName::new(&name).0;
        prop_assert_eq!(serde_json::from_slice::<String>(&string).unwrap(), name);
    }

    #[test]
    fn all_edits_together_agree_with_serde_json(
        name in any::<String>(),
        old in any::<String>(),
        id in "[a-z\"é_-]{1,20}",
        input in any::<String>(),
        is_first in any::<bool>(),
        size in 1..50_usize,
    ) {
        let token = Token::of("chat", "v2");
        let head = json!({"model": old, "previous_response_id": id}).to_string();
        let tail = json!({"input": input, "stream": true}).to_string();
        // In either order.
        let (first, last) = if is_first { (head, tail) } else { (tail, head) };
        let body = format!("{},{}", first.strip_suffix('}').unwrap(), last.strip_prefix('{').unwrap());
        let tag = TagIds::new(Body::Whole, token);
        let tagged = edit(tag, [body.as_bytes()]);
        let edited = edit(chain(&name, token), tagged.chunks(size));
        let mut expected: Json = serde_json::from_str(&body).unwrap();
        expected["model"] = json!(name);
        expected["stream_options"] = json!({"include_usage": true});
        prop_assert_eq!(serde_json::from_slice::<Json>(&edited).unwrap(), expected);
    }

    #[test]
    fn any_pieces_are_edited_alike_in_any_chunking(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", " ", "\"model\":", "\"model\"", "\"m\"", "\"", "\\", "\\u006d", "\\u00", "null", "\"x\":", "é", "-llm-",
            "\"stream\":true", "\"previous_response_id\":", "1",
        ]), 0..24),
        size in 1..20_usize,
    ) {
        let body = pieces.concat().into_bytes();
        prop_assert_eq!(edit(model(), body.chunks(size)), edit(model(), [&body[..]]));
        let token = Token::of("chat", "v2");
        prop_assert_eq!(edit(chain("n", token), body.chunks(size)), edit(chain("n", token), [&body[..]]));
    }

    #[test]
    fn any_bytes_are_sent_unchanged(body in any::<Vec<u8>>()) {
        prop_assert_eq!(model().push(&body), None);
    }
}
