//! Conversations turn by turn, and a parser's oracle in every chunking.

use super::*;
use proptest::prelude::*;
use serde_json::{Value as Tree, json};

fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Option<Hash> {
    let mut fingerprint = Fingerprint::default();
    for chunk in chunks {
        let before = fingerprint.wants_more();
        assert_eq!(before, fingerprint.get() == Fact::Unknown);
        fingerprint.push(chunk);
        assert!(before || !fingerprint.wants_more());
    }
    fingerprint.finish();
    match fingerprint.get() {
        Fact::Found(hash) => Some(hash.try_into().unwrap()),
        Fact::Absent => None,
        Fact::Unknown => panic!("still unknown at the end"),
    }
}

fn of(body: &Tree) -> Option<Hash> {
    read([body.to_string().as_bytes()])
}

/// The hash of bytes in one piece.
fn hash(bytes: &[u8]) -> Hash {
    let mut hash = Hasher::default();
    hash.push(bytes);
    hash.finish()
}

/// The fingerprint of plain texts.
fn expected(systems: &[&str], user: &str) -> Option<Hash> {
    let systems: Vec<u8> = systems.iter().flat_map(|text| hash(text.as_bytes())).collect();
    Some(hash(&[&[1][..], &hash(&systems), &[2], &hash(user.as_bytes())].concat()))
}

/// Computed by another implementation of murmur3: these may never change.
#[test]
fn frozen() {
    for (body, hex) in [
        (json!({"messages": [{"role": "user", "content": "hi"}]}), "a42d00fb99326df2"),
        (
            json!({"messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]}),
            "7a616d3f5ddf7f9f",
        ),
        (json!({"system": "be brief", "messages": [{"role": "user", "content": "hi"}]}), "7a616d3f5ddf7f9f"),
        (
            json!({"messages": [{"role": "developer", "content": "a"}, {"role": "system", "content": "漢"},
                {"role": "user", "content": [{"type": "text", "text": "look"},
                    {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}]}),
            "0852cd1fdf568d2c",
        ),
    ] {
        let hash = of(&body).unwrap();
        assert_eq!(hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), hex, "{body}");
    }
}

type Conversation = Box<dyn Fn(usize) -> Tree>;

/// The same conversation in the format of each API, turn by turn.
fn conversations() -> Vec<(&'static str, Conversation)> {
    /// The messages of a turn, alternately the user's and the model's. The user's last one has a cache marker.
    fn messages(turn: usize, start: Vec<Tree>, message: impl Fn(&str, String, bool) -> Tree) -> Tree {
        let mut messages = start;
        for at in 0..=turn {
            let text = if at == 0 { "hi".to_string() } else { format!("question {at}") };
            messages.push(message("user", text, at == turn));
            if at < turn {
                messages.push(message("assistant", format!("answer {at}"), false));
            }
        }
        Tree::Array(messages)
    }
    let plain = |role: &str, text: String, _: bool| json!({"role": role, "content": text});
    let marked = |role: &str, text: String, is_marked: bool| {
        let part = json!({"type": "text", "text": text, "cache_control": {"type": "ephemeral"}});
        let content = if is_marked { json!([part]) } else { json!(text) };
        json!({"role": role, "content": content})
    };
    let system = |role: &str| vec![json!({"role": role, "content": "be brief"})];
    let (openai, developer) = (system("system"), system("developer"));
    vec![
        (
            "openai",
            Box::new(move |turn| {
                json!({"model": format!("m{turn}"), "stream": turn % 2 == 0, "messages": messages(turn, openai.clone(), plain),
                "metadata": {"turn": turn}, "tools": [{"type": "function", "function": {"name": "f", "description": turn.to_string()}}]})
            }),
        ),
        (
            "openai, marked",
            Box::new(move |turn| json!({"messages": messages(turn, developer.clone(), marked)})),
        ),
        (
            "anthropic",
            Box::new(move |turn| {
                json!({"max_tokens": turn, "messages": messages(turn, vec![], marked), "system":
                [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral", "ttl": turn}}]})
            }),
        ),
        (
            "anthropic, plain",
            Box::new(move |turn| json!({"messages": messages(turn, vec![], plain), "system": "be brief"})),
        ),
        (
            "bedrock",
            Box::new(move |turn| {
                json!({"system": [{"text": "be brief"}, {"cachePoint": {"type": "default"}}], "messages": messages(turn, vec![],
                |role, text, is_marked| if is_marked {
                    json!({"role": role, "content": [{"text": text}, {"cachePoint": {"type": "default"}}]})
                } else {
                    json!({"role": role, "content": [{"text": text}]})
                })})
            }),
        ),
        (
            "responses",
            Box::new(move |turn| {
                let input = if turn == 0 {
                    json!("hi")
                } else {
                    messages(turn, vec![], |role, text, _| {
                        if role == "user" {
                            json!({"role": role, "content": [{"type": "input_text", "text": text}]})
                        } else {
                            json!({"type": "message", "role": role, "content": [{"type": "output_text", "text": text, "annotations": []}]})
                        }
                    })
                };
                json!({"input": input, "instructions": "be brief", "prompt_cache_key": turn})
            }),
        ),
        (
            "gemini",
            Box::new(move |turn| {
                let contents = messages(turn, vec![], |role, text, _| {
                    if role == "user" && turn == 0 {
                        json!({"parts": [{"text": text}]})
                    } else {
                        json!({"role": if role == "user" { "user" } else { "model" }, "parts": [{"text": text}]})
                    }
                });
                json!({"contents": contents, "generationConfig": {"temperature": turn}, "system_instruction": {"parts": {"text": "be brief"}}})
            }),
        ),
        (
            "gemini, one",
            Box::new(move |turn| {
                let contents = if turn == 0 {
                    json!({"role": "user", "parts": {"text": "hi"}})
                } else {
                    messages(
                        turn,
                        vec![],
                        |role, text, _| json!({"role": role.replace("assistant", "model"), "parts": [{"text": text}]}),
                    )
                };
                json!({"contents": contents, "systemInstruction": {"role": "system", "parts": [{"text": "be brief"}]}})
            }),
        ),
        (
            "cohere v1",
            Box::new(move |turn| {
                let Tree::Array(mut history) = messages(
                    turn,
                    vec![],
                    |role, text, _| json!({"role": if role == "user" { "USER" } else { "CHATBOT" }, "message": text}),
                ) else {
                    panic!()
                };
                let last = history.pop().unwrap();
                json!({"message": last["message"], "chat_history": history, "preamble": "be brief"})
            }),
        ),
    ]
}

#[test]
fn each_turn_of_a_conversation_has_the_same_fingerprint() {
    for (name, turn) in conversations() {
        for at in 0..10 {
            let body = turn(at);
            assert_eq!(of(&body), expected(&["be brief"], "hi"), "{name}, turn {at}: {body}");
        }
    }
}

#[test]
fn text_attachments_and_roles_count() {
    let user = |content: Tree| json!({"messages": [{"role": "user", "content": content}]});
    let same = |bodies: &[Tree], expected: Option<Hash>| {
        for body in bodies {
            assert_eq!(of(body), expected, "{body}");
        }
    };
    let hi = json!({"role": "user", "content": "hi"});
    same(
        &[
            user(json!("hi")),
            user(json!([{"type": "text", "text": "hi"}])),
            user(json!([{"cache_control": {"type": "ephemeral"}, "text": "hi", "type": "text"}])),
            user(
                json!([{"type": "text", "text": "h"}, {"type": "text", "text": "i"}, {"type": "text", "text": ""}]),
            ),
            json!({"messages": [{"role": "assistant", "content": "Welcome!"}, hi, {"role": "system", "content": "x"}]}),
            json!({"messages": [{"role": "user", "content": ""}, {"role": "user", "content": null}, {"role": "User", "content": "hi"}]}),
            json!({"messages": [hi], "system": ""}),
            json!({"messages": [hi], "system": null, "instructions": {"text": "x"}}),
            json!({"input": [{"type": "reasoning", "content": [{"text": "x"}]}, {"type": "message", "role": "user", "content": "hi"}]}),
            json!({"message": "hi"}),
            json!({"contents": [{"role": "model", "parts": [{"text": "Welcome!"}]}, "hi"]}),
            json!({"message": "hi", "chat_history": [{"role": "CHATBOT", "message": "Welcome!"}]}),
        ],
        expected(&[], "hi"),
    );
    same(
        &[
            json!({"messages": [{"role": "system", "content": "a"}, {"role": "developer", "content": "b"}, hi]}),
            json!({"messages": [{"role": "system", "content": "a"}, {"role": "developer", "content": "b"}, hi], "system": "c"}),
            json!({"instructions": "c", "input": [{"role": "system", "content": "a"}, {"role": "developer", "content": "b"}, hi]}),
        ],
        expected(&["a", "b"], "hi"),
    );
    let image =
        |url: Tree| user(json!([{"type": "text", "text": "look"}, {"type": "image_url", "image_url": url}]));
    same(
        &[
            image(json!({"url": "https://example.com/a", "detail": "low"})),
            image(json!("https://example.com/a")),
        ],
        Some(hash(&[&[1][..], &hash(b""), &[2], &hash(b"lookhttps://example.com/a\xff")].concat())),
    );
    let mut all: Vec<Option<Hash>> = [
        user(json!("hi")),
        user(json!("hI")),
        user(json!([{"type": "text", "text": "hi"}, {"type": "text", "text": " "}])),
        json!({"messages": [hi], "system": "hi"}),
        json!({"messages": [hi], "system": "be brief"}),
        json!({"messages": [{"role": "user", "content": "be brief"}], "system": "hi"}),
        json!({"messages": [{"role": "system", "content": "be"}, {"role": "system", "content": " brief"}, hi]}),
        image(json!("https://example.com/a")),
        image(json!("https://example.com/b")),
        user(json!("lookhttps://example.com/a")),
        user(json!([{"type": "image", "source": {"type": "base64", "data": "AAAA"}}])),
        user(json!([{"type": "image", "source": {"type": "base64", "data": "AAAB"}}])),
        user(json!([{"type": "file", "file": {"file_id": "file-1"}}])),
        json!({"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAC"}}]}]}),
        json!({"messages": [{"role": "user", "content": "hi", "images": ["AAAA"]}]}),
    ]
    .iter()
    .map(of)
    .collect();
    let count = all.len();
    all.sort();
    all.dedup();
    assert!(all.len() == count && !all.contains(&None));
}

#[test]
fn a_body_without_a_users_message_has_no_fingerprint() {
    for body in [
        "",
        "{}",
        "[]",
        "null",
        "\"hi\"",
        "[{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}]",
        r#"{"messages":[]}"#,
        r#"{"messages":null,"system":"x"}"#,
        r#"{"messages":[{"role":"user","content":""}]}"#,
        r#"{"messages":[{"role":"user"}]}"#,
        r#"{"messages":[{"content":"hi"}]}"#,
        r#"{"messages":[{"role":"assistant","content":"hi"},{"role":"tool","content":"4"}]}"#,
        r#"{"messages":[{"role":"system","content":"hi"}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"tool_result","content":"4"}]}]}"#,
        r#"{"messages":["hi",["hi"],7]}"#,
        r#"{"messages":"hi"}"#,
        r#"{"input":[{"type":"function_call_output","output":"4"}]}"#,
        r#"{"contents":[{"role":"model","parts":[{"text":"hi"}]}]}"#,
        r#"{"prompt":"hi"}"#,
        r#"{} {"messages":[{"role":"user","content":"hi"}]}"#,
        r#"{"messages":[{"role":"user","content":"hi"}]]"#,
        "--boundary\r\n\r\n{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
    ] {
        assert_eq!(read([body.as_bytes()]), None, "{body}");
        assert_eq!(read(body.as_bytes().chunks(1)), None, "{body}");
    }
}

/// The order of members does not matter, and the fingerprint is known as early as possible.
#[test]
fn is_known_when_nothing_later_can_change_it() {
    let with = expected(&["be brief"], "hi");
    for (body, decided, expected) in [
        (r#"{"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}"#, true, with),
        (r#"{"messages":[{"content":"be brief","role":"system"},{"content":"hi","role":"user"}"#, true, with),
        (r#"{"system":"be brief","messages":[{"role":"user","content":"hi"}"#, true, with),
        (r#"{"system":[{"text":"be brief"}],"messages":[{"role":"user","content":"hi"}"#, true, with),
        (r#"{"messages":[{"role":"user","content":"hi"}],"model":"m","system":"be brief""#, true, with),
        (r#"{"input":"hi","instructions":"be brief""#, true, with),
        (r#"{"instructions":"be brief","input":"hi""#, true, with),
        (
            r#"{"system_instruction":{"parts":[{"text":"be brief"}]},"contents":[{"parts":[{"text":"hi"}]}"#,
            true,
            with,
        ),
        (r#"{"message":"hi","preamble":"be brief""#, false, None),
        (r#"{"message":"hi","preamble":"be brief"}"#, true, with),
        (
            r#"{"message":"x","preamble":"be brief","chat_history":[{"message":"hi","role":"USER"}"#,
            true,
            with,
        ),
        (r#"{"messages":[{"role":"user","content":"hi"}]"#, false, None),
        (r#"{"messages":[{"role":"user","content":"hi"}]}"#, true, self::expected(&[], "hi")),
        (r#"{"system":"be brief","messages":[{"role":"user","content":"hi""#, false, None),
        ("{\"system\":\"be brief\",\"messages\":[}", true, None),
        ("  [", true, None),
    ] {
        for cut in 0..=body.len() {
            let mut fingerprint = Fingerprint::default();
            fingerprint.push(&body.as_bytes()[..cut]);
            assert!(cut == body.len() || fingerprint.wants_more(), "{body} decided at {cut}");
            fingerprint.push(&body.as_bytes()[cut..]);
            assert_eq!(fingerprint.wants_more(), !decided, "{body} cut at {cut}");
        }
        assert_eq!(read(body.as_bytes().chunks(1)), expected, "{body}");
    }
}

/// Paths of attachments in a part.
const DATA: &[&str] = &[
    "image_url",
    "image_url.url",
    "file.file_id",
    "file_id",
    "source.data",
    "source.url",
    "inlineData.data",
];

/// The bytes of a content that are hashed.
fn content(tree: &Tree, path: &str, stream: &mut Vec<u8>) {
    match tree {
        Tree::String(text) if ["", "text"].contains(&path) => stream.extend(text.as_bytes()),
        Tree::String(text) if DATA.contains(&path) && !text.is_empty() => {
            stream.extend(text.as_bytes());
            stream.push(0xFF);
        }
        Tree::Array(parts) if path.is_empty() => parts.iter().for_each(|part| match part {
            Tree::Array(_) => {}
            Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::String(_) | Tree::Object(_) => {
                content(part, "", stream)
            }
        }),
        Tree::Object(members) => members.iter().for_each(|(key, value)| {
            content(value, &if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, stream);
        }),
        Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::String(_) | Tree::Array(_) => {}
    }
}

/// The fingerprint by way of a parsed body.
fn oracle(body: &Tree) -> Option<Hash> {
    let stream = |tree: Option<&Tree>| {
        let mut stream = Vec::new();
        // An object is a part and not content.
        tree.filter(|tree| !tree.is_object()).into_iter().for_each(|tree| content(tree, "", &mut stream));
        Some(stream).filter(|stream| !stream.is_empty())
    };
    let is_gemini = body.get("contents").is_some();
    let messages = body.get(if is_gemini { "contents" } else { "messages" })?.as_array()?;
    let (mut systems, mut user) = (Vec::new(), None);
    for message in messages {
        let text = stream(message.get(if is_gemini { "parts" } else { "content" }));
        match (message.get("role").and_then(Tree::as_str), text) {
            (Some("system" | "developer"), Some(text)) if user.is_none() => systems.extend(hash(&text)),
            (Some("user" | "USER"), text) => user = user.or(text),
            (None, text) if is_gemini => user = user.or(text),
            (Some(_) | None, _) => {}
        }
    }
    if systems.is_empty() {
        let system = if is_gemini { body["systemInstruction"].get("parts") } else { body.get("system") };
        systems.extend(stream(system).iter().flat_map(|text| hash(text)));
    }
    Some(hash(&[&[1][..], &hash(&systems), &[2], &hash(&user?)].concat()))
}

fn parts() -> impl Strategy<Value = Tree> {
    let text = "[a-c\"\\\\é漢😀\n]{0,5}";
    let part = prop_oneof![
        4 => text.prop_map(|text| json!({"type": "text", "text": text})),
        1 => text.prop_map(|text| json!({"type": "text", "text": text, "cache_control": {"type": "ephemeral", "text": "x"}})),
        1 => text.prop_map(|id| json!({"type": "tool_result", "tool_use_id": id, "content": [{"text": id}]})),
        1 => text.prop_map(|data| json!({"inlineData": {"mimeType": "image/png", "data": data}})),
        1 => (prop::sample::select(DATA), text).prop_map(|(path, data)| {
            let part = path.rsplit('.').fold(json!(data), |inner, key| json!({ key: inner }));
            json!({"type": "x", "other": [1, {"text": "x"}], path.split('.').next().unwrap(): part.as_object().unwrap().values().next()})
        }),
        1 => Just(Tree::Null),
    ];
    prop_oneof![
        text.prop_map(Tree::from),
        prop::collection::vec(part, 0..4).prop_map(Tree::from),
        Just(Tree::Null)
    ]
}

fn body() -> impl Strategy<Value = Tree> {
    let roles = vec![
        Some("system"),
        Some("developer"),
        Some("user"),
        Some("USER"),
        Some("assistant"),
        Some("tool"),
        None,
    ];
    let messages = prop::collection::vec((prop::sample::select(roles), parts()), 0..6);
    (messages, prop::option::of(parts()), any::<bool>()).prop_map(|(messages, system, is_gemini)| {
        // Gemini has no strings for parts, and of others' data only its own.
        let of_gemini = |parts: &Tree| match parts {
            Tree::Array(parts) => parts
                .iter()
                .filter(|p| p.get("text").is_some() || p.get("inlineData").is_some())
                .cloned()
                .collect(),
            Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::String(_) | Tree::Object(_) => json!([]),
        };
        let messages: Vec<Tree> = messages
            .into_iter()
            .map(|(role, content)| {
                let key = if is_gemini { "parts" } else { "content" };
                let content = if is_gemini { of_gemini(&content) } else { without_inline(content) };
                role.map_or(json!({ key: content }), |role| json!({"role": role, key: content}))
            })
            .collect();
        let mut body = json!({"model": "m", "tools": [{"content": "x", "role": "user"}]});
        body[if is_gemini { "contents" } else { "messages" }] = json!(messages);
        match system {
            Some(system) if is_gemini => body["systemInstruction"] = json!({"parts": of_gemini(&system)}),
            Some(system) => body["system"] = without_inline(system),
            None => {}
        }
        body
    })
}

/// Gemini's data do not count for the others.
fn without_inline(content: Tree) -> Tree {
    match content {
        Tree::Array(parts) => parts.into_iter().filter(|part| part.get("inlineData").is_none()).collect(),
        Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::String(_) | Tree::Object(_) => content,
    }
}

proptest! {
    #[test]
    fn agrees_with_a_parser_in_every_chunking(body in body(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&body) } else { serde_json::to_string(&body) }.unwrap();
        let (expected, text) = (oracle(&body), text.as_bytes());
        prop_assert_eq!(read([text]), expected, "{}", body);
        prop_assert_eq!(read(text.chunks(1)), expected);
        for cut in 0..text.len() {
            prop_assert_eq!(read([&text[..cut], &text[cut..]]), expected, "cut at {}", cut);
        }
    }

    #[test]
    fn any_bytes_are_read_the_same_in_every_chunking(bytes in prop::collection::vec(
        prop_oneof![3 => prop::sample::select(b"{}[]\",:\\u0 1\n".to_vec()), 1 => any::<u8>()], 0..60), start: bool) {
        let bytes = if start { [b"{\"messages\":[{\"role\":\"user\",\"content\":", &bytes[..]].concat() } else { bytes };
        let whole = read([&bytes[..]]);
        prop_assert_eq!(read(bytes.chunks(1)), whole);
        for cut in 0..bytes.len() {
            prop_assert_eq!(read([&bytes[..cut], &bytes[cut..]]), whole);
        }
    }
}

#[test]
fn every_path_is_in_the_table_and_little_is_kept() {
    assert!(TABLE.is_complete());
    assert!(size_of::<Fingerprint>() < 1024, "{} bytes", size_of::<Fingerprint>());
}
