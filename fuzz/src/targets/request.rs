//! Any bytes as a request's body, and as a response's that is edited: read and edited the same however they are
//! cut, with nothing lost; and what was JSON is the same JSON, but for what the edit is there to change.

use std::cell::OnceCell;

use llm_canary::config::json::{self, Node};
use llm_canary::config::{Config, Feedback};
use llm_canary::edit::{Chain, Editor};
use llm_canary::feedback;
use llm_canary::fingerprint::Fingerprint;
use llm_canary::pin::{self, TagIds, Token, UntagIds};
use llm_canary::pointer::{Fact, Pointers, VALUE_BYTES_MAX, Values};
use llm_canary::request_facts::RequestReader;
use llm_canary::rewrite::{Model, ModelName};
use llm_canary::usage::{InjectUsage, StripUsage};

use super::input::{Cuts, Input};

const POINTERS: [&[&str]; 8] = [
    &["model"],
    &["previous_response_id"],
    &["conversation"],
    &["conversation", "id"],
    &["metadata", "a/b~c", "0"],
    &["messages", "0", "content"],
    &["user"],
    &["model"],
];
const MODEL: &str = "m\"2\u{e9}";
const KNOWN: &[u8] = b"1a2b3c4d";

/// The body, then how it is cut.
pub(crate) fn request(bytes: &[u8]) {
    let mut input = Input(bytes);
    let cuts = Cuts::of(&mut input);
    let body = input.rest();
    let tree = json::parse(body).ok().filter(|tree| matches!(tree, Node::Object(_)));
    finds_values(body, &cuts, tree.as_ref());
    reads_alike(body, &cuts);
    asks_for_usage(body, &cuts, tree.as_ref());
    names_the_model(body, &cuts, tree.as_ref());
    unmarks(body, &cuts);
    marks(body, &cuts, tree.as_ref());
    edited(body, &cuts, StripUsage::default);
    edited(body, &cuts, || {
        Chain(
            UntagIds::new([known()].into()),
            Chain(Model::new(ModelName::new(MODEL)), InjectUsage::default()),
        )
    });
}

fn known() -> Token {
    Token::parse(KNOWN).unwrap()
}

/// What an editor makes of a body in pieces, which is what it makes of it whole.
fn edited<E: Editor>(body: &[u8], cuts: &Cuts, editor: impl Fn() -> E) -> Vec<u8> {
    let run = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut editor = editor();
        let mut sent = Vec::new();
        for piece in pieces {
            let was_settled = editor.is_settled();
            match editor.push(piece) {
                Some(edited) => {
                    assert!(!was_settled || edited == piece, "a settled editor edits");
                    sent.extend(edited);
                }
                None => sent.extend_from_slice(piece),
            }
        }
        sent.extend(editor.finish());
        sent
    };
    let whole = run(&mut std::iter::once(body));
    let cut = run(&mut cuts.pieces(body));
    assert!(cut == whole, "cut: {}\nwhole: {}", cut.escape_ascii(), whole.escape_ascii());
    whole
}

fn finds_values(body: &[u8], cuts: &Cuts, tree: Option<&Node>) {
    let pointers: Vec<Vec<String>> =
        POINTERS.iter().map(|keys| keys.iter().map(|&key| key.to_owned()).collect()).collect();
    let compiled = Pointers::compile(&pointers);
    let read = |pieces: &mut dyn Iterator<Item = &[u8]>| -> Vec<Option<Vec<u8>>> {
        let mut values = Values::new(&compiled);
        pieces.for_each(|piece| values.push(&compiled, piece));
        values.finish(&compiled);
        let found = |at| match values.get(at) {
            Fact::Found(value) => Some(value.to_vec()),
            Fact::Absent => None,
            Fact::Unknown => unreachable!("nothing is unknown at the end"),
        };
        (0..pointers.len()).map(found).collect()
    };
    let whole = read(&mut std::iter::once(body));
    assert_eq!(read(&mut cuts.pieces(body)), whole);
    let Some(tree) = tree else { return };
    for (keys, found) in pointers.iter().zip(whole) {
        match first_at(tree, keys) {
            Some(Node::String(text)) => {
                let text = &text.as_bytes()[..text.len().min(VALUE_BYTES_MAX)];
                assert_eq!(found.as_deref(), Some(text).filter(|text| !text.is_empty()), "{keys:?}");
            }
            Some(Node::Number(_) | Node::Bool(_)) => assert!(found.is_some(), "{keys:?}"),
            Some(Node::Null | Node::List(_) | Node::Object(_)) | None => assert_eq!(found, None, "{keys:?}"),
        }
    }
}

/// The first value at a pointer, in the order of the text.
fn first_at<'t>(tree: &'t Node, keys: &[String]) -> Option<&'t Node> {
    let Some((key, rest)) = keys.split_first() else { return Some(tree) };
    let members = tree.members().iter().filter(|(name, _)| name == key).map(|(_, value)| value);
    let item = key.parse::<usize>().ok().and_then(|at| tree.items().get(at));
    members.chain(item).find_map(|value| first_at(value, rest))
}

fn reads_alike(body: &[u8], cuts: &Cuts) {
    thread_local! {
        static FEEDBACK: OnceCell<Feedback> = const { OnceCell::new() };
    }
    let turn = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut reader = RequestReader::new(false);
        pieces.for_each(|piece| reader.push(piece));
        reader.facts()
    };
    assert_eq!(turn(&mut cuts.pieces(body)), turn(&mut std::iter::once(body)));
    let opening = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut opening = Fingerprint::default();
        pieces.for_each(|piece| opening.push(piece));
        opening.finish();
        format!("{:?}", opening.get())
    };
    assert_eq!(opening(&mut cuts.pieces(body)), opening(&mut std::iter::once(body)));
    FEEDBACK.with(|config| {
        let config = config.get_or_init(|| {
            let text = include_bytes!("../../../tests/data/configs/good-everything.json");
            Config::parse(text).unwrap().rollouts[0].feedback.clone().unwrap()
        });
        let rating = |pieces: &mut dyn Iterator<Item = &[u8]>| {
            let mut body = feedback::Body::new(config);
            pieces.for_each(|piece| body.push(config, piece));
            format!("{:?}", body.finish(config))
        };
        assert_eq!(rating(&mut cuts.pieces(body)), rating(&mut std::iter::once(body)));
    });
}

/// Of what is no JSON object, not a byte changes. Of one, usage is asked for where it streams, and no other member changes.
fn asks_for_usage(body: &[u8], cuts: &Cuts, tree: Option<&Node>) {
    let sent = edited(body, cuts, InjectUsage::default);
    if body.trim_ascii_start().first() != Some(&b'{') {
        assert!(sent == body);
    }
    let Some(tree) = tree else { return };
    let asked = json::parse(&sent).unwrap();
    let others = |tree: &Node| {
        let members = tree.members().iter().filter(|(name, _)| name != "stream_options");
        members.cloned().collect::<Vec<_>>()
    };
    assert_eq!(others(&asked), others(tree), "{}", sent.escape_ascii());
    let is_double = |name| tree.members().iter().filter(|(other, _)| other == name).count() > 1;
    if is_double("stream") || is_double("stream_options") {
        return; // nobody sends that; it stays JSON, as was seen
    }
    if tree.get("stream") == Some(&Node::Bool(true)) {
        let options = asked.get("stream_options").unwrap();
        let is_object = matches!(tree.get("stream_options"), None | Some(Node::Null | Node::Object(_)));
        let is_double = options.members().iter().filter(|(name, _)| name == "include_usage").count() > 1;
        // The end of the options tells whether they name it, and null may be known to be a stream's only after it.
        let is_early = tree.members().iter().position(|(name, _)| name == "stream")
            > tree.members().iter().position(|(name, _)| name == "stream_options");
        if is_object && !is_double && !(is_early && options == &Node::Null) {
            let include = options.get("include_usage").unwrap();
            assert!(!matches!(include, Node::Bool(false) | Node::Null), "{}", sent.escape_ascii());
        }
    }
}

/// Each member `model` that is a string is the new name, and all else is as it was.
fn names_the_model(body: &[u8], cuts: &Cuts, tree: Option<&Node>) {
    let sent = edited(body, cuts, || Model::new(ModelName::new(MODEL)));
    let Some(Node::Object(members)) = tree else { return };
    let mut members = members.clone();
    for (_, model) in members.iter_mut().filter(|(name, _)| name == "model") {
        if matches!(model, Node::String(_)) {
            *model = Node::String(MODEL.to_owned());
        }
    }
    assert_eq!(json::parse(&sent).unwrap(), Node::Object(members), "{}", sent.escape_ascii());
}

/// Marks are taken out, and nothing else: what is left is a part of the body, in order, and the rest is marks.
fn unmarks(body: &[u8], cuts: &Cuts) {
    let sent = edited(body, cuts, || UntagIds::new([known()].into()));
    let taken_out = body.len() - sent.len();
    assert!(taken_out.is_multiple_of(pin::TAG_BYTES));
    let mark = [b"-llm-", KNOWN].concat();
    // Without any marks both are the same.
    assert_eq!(without(&sent, &mark), without(body, &mark), "{}", sent.escape_ascii());
}

/// Marks are put in, and nothing else changes: without them it is the body again.
fn marks(body: &[u8], cuts: &Cuts, tree: Option<&Node>) {
    let mark = [b"-llm-", KNOWN].concat();
    for kind in [pin::Body::Whole, pin::Body::Stream] {
        let sent = edited(body, cuts, || TagIds::new(kind, known()));
        if body.windows(mark.len()).any(|window| window == mark) {
            continue;
        }
        assert!(without(&sent, &mark) == body, "{}", sent.escape_ascii());
        if kind == pin::Body::Whole && tree.is_some() {
            assert!(json::parse(&sent).is_ok(), "{}", sent.escape_ascii());
        }
    }
}

fn without(bytes: &[u8], mark: &[u8]) -> Vec<u8> {
    let mut left = Vec::new();
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        rest = rest.strip_prefix(mark).unwrap_or_else(|| {
            left.push(byte);
            after
        });
    }
    left
}
