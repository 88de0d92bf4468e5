//! Ids of recorded responses: every one is tagged, and nothing else changes.

use llm_canary::edit::Editor;
use llm_canary::framing::sse;
use llm_canary::pin::{Body, TagIds, Token};
use serde_json::Value as Json;

use crate::corpus::{Corpus, replaced};

fn tagged<'a>(body: Body, token: Token, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut editor = TagIds::new(body, token);
    let mut all = Vec::new();
    for piece in pieces {
        match editor.push(piece) {
            Some(edited) => all.extend(edited),
            None => all.extend_from_slice(piece),
        }
    }
    assert_eq!(editor.finish(), b"");
    all
}

/// The data of each event, and of the event that the end of the stream cuts off.
#[derive(Default)]
struct Events(Vec<Vec<u8>>, Vec<u8>);

impl sse::Sink for Events {
    fn data(&mut self, piece: &[u8]) {
        self.1.extend_from_slice(piece);
    }

    fn dispatch(&mut self, _kind: &[u8]) {
        self.0.push(std::mem::take(&mut self.1));
    }

    fn error_line(&mut self) {}
}

fn documents(body: Body, bytes: &[u8]) -> Vec<Option<Json>> {
    let mut events = Events::default();
    match body {
        Body::Whole => events.0.push(bytes.to_vec()),
        Body::Stream => sse::Framer::default().push(bytes, &mut events),
    }
    let all = events.0.into_iter().chain([events.1]);
    all.map(|data| serde_json::from_slice(&data).ok().filter(Json::is_object)).collect()
}

/// Tags the ids of parsed documents, and returns how many there are.
fn tag_documents(documents: &mut [Option<Json>], body: Body, tag: &str) -> usize {
    let paths: &[&str] = match body {
        Body::Whole => &["/id", "/previous_response_id", "/conversation", "/conversation/id"],
        Body::Stream => &[
            "/response/id",
            "/response/previous_response_id",
            "/response/conversation",
            "/response/conversation/id",
            "/response_id",
        ],
    };
    let mut count = 0;
    for document in documents.iter_mut().flatten() {
        for path in paths {
            if let Some(Json::String(id)) = document.pointer_mut(path).filter(|id| *id != "") {
                id.push_str(tag);
                count += 1;
            }
        }
    }
    count
}

/// Tags a recording in several chunkings, and returns how many ids it has.
fn check(name: &str, body: Body, bytes: &[u8]) -> usize {
    let token = Token::of("chat", "v2");
    let tag = format!("-llm-{token}");
    let all = tagged(body, token, [bytes]);
    for size in [1, 7, 61, 1460] {
        assert_eq!(tagged(body, token, bytes.chunks(size)), all, "{name} in chunks of {size}");
    }
    let mut expected = documents(body, bytes);
    let count = tag_documents(&mut expected, body, &tag);
    assert_eq!(documents(body, &all), expected, "{name}");
    // Without the tags no byte differs.
    assert_eq!(all.len(), bytes.len() + count * tag.len(), "{name}");
    assert!(replaced(&all, &tag, "") == bytes, "{name}");
    count
}

/// Every id of the Responses API is tagged, no other byte changes, and event streams of other dialects have none.
pub(crate) fn are_on_every_id(corpus: &Corpus) {
    let mut ids = 0;
    for row in corpus.rows() {
        let (file, is_stream) = (&row["file"], row["file"].ends_with(".sse"));
        let bytes = corpus.body(&row);
        if row["dialect"] == "openai-responses" {
            ids += check(file, if is_stream { Body::Stream } else { Body::Whole }, &bytes);
        } else if is_stream {
            let token = Token::of("chat", "v2");
            assert!(tagged(Body::Stream, token, [&bytes[..]]) == bytes, "{file}");
        }
    }
    assert!(ids >= corpus.ids_min, "{ids} ids");
}
