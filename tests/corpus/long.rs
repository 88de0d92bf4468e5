//! The length of a value, the order of keys and members that nobody reads change nothing of what a response says.
//!
//! In each recording each string is made longer, and the keys of all objects are put in other orders. Both are done to whole
//! bodies and to the first and last documents of streams.

use llm_canary::observe::{End, Head, Observation, Observer, Timing};

use crate::corpus::{Corpus, Row};
use crate::counting::{STREAM_BYTES_MAX, peak_bytes};
use crate::json::Json;

/// Characters that are added to a string. The first two tell how many of them count as text: all, or none. They are longer
/// than what is kept of short values, so those are cut in either case.
const ADDED_CHARS: [usize; 5] = [300, 600, 15 << 10, 17 << 10, 200 << 10];
/// The same, for one string of each recording.
const MOST_ADDED_CHARS: usize = 2 << 20;
/// Of longer recordings there are many alike.
const BODY_BYTES_MAX: usize = 20_000;
/// Of a large corpus about so many recordings, because each is read hundreds of times.
const ROWS: usize = 150;
/// So many documents at the beginning of a stream, and as many at its end.
const DOCUMENTS: usize = 2;

/// A body as text around documents.
pub(crate) struct Body {
    pub(crate) parts: Vec<Part>,
}

pub(crate) enum Part {
    Text(String),
    Document(Json),
}

impl Body {
    /// `None` if it is no text, or has a document that is no JSON.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Body> {
        let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= BODY_BYTES_MAX)?;
        let mut parts = Vec::new();
        if let Some(document) = Json::parse(text) {
            return Some(Body { parts: vec![Part::Document(document)] });
        }
        for line in text.split_inclusive('\n') {
            let data = line.strip_prefix("data:").unwrap_or(line);
            match Json::parse(data) {
                Some(document @ Json::Object(_)) => {
                    let blank = data.len() - data.trim_end().len();
                    parts.push(Part::Text(line[..line.len() - data.len()].into()));
                    parts.push(Part::Document(document));
                    parts.push(Part::Text(data[data.len() - blank..].into()));
                }
                _ => parts.push(Part::Text(line.into())),
            }
        }
        Some(Body { parts })
    }

    /// Which of the parts are changed.
    fn documents(&self) -> Vec<usize> {
        let is_document = |&index: &usize| matches!(self.parts[index], Part::Document(_));
        let all: Vec<usize> = (0..self.parts.len()).filter(is_document).collect();
        let last = all.len().saturating_sub(DOCUMENTS).max(DOCUMENTS.min(all.len()));
        [&all[..DOCUMENTS.min(all.len())], &all[last..]].concat()
    }

    /// The body with a document in place of one.
    fn with(&self, index: usize, document: &Json) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (at, part) in self.parts.iter().enumerate() {
            match part {
                Part::Document(_) if at == index => document.write(&mut bytes),
                Part::Document(document) => document.write(&mut bytes),
                Part::Text(text) => bytes.extend_from_slice(text.as_bytes()),
            }
        }
        bytes
    }
}

/// The facts of a body, which are the same in one piece and in many.
fn facts(row: &Row, body: &[u8]) -> Observation {
    let observe = |size: usize| {
        let head = Head {
            status: row["status"].parse().unwrap(),
            content_type: row["content_type"].as_bytes(),
            ..Head::default()
        };
        let mut observer = Observer::new(head, 0, 0);
        observer.detect_defects(None);
        body.chunks(size).for_each(|piece| observer.push(0, piece));
        // The name of the model may be the string that is longer, and is cut.
        Observation { timing: Timing::default(), model: None, ..observer.finish(End::Complete, 0) }
    };
    let whole = observe(body.len().max(1));
    assert_eq!(observe(1000), whole, "{}: in pieces", row["file"]);
    whole
}

/// Each string of a document may have any length.
pub(crate) fn says_the_same_at_any_length(corpus: &Corpus) {
    let mut wrong = Vec::new();
    let rows = corpus.rows();
    for row in rows.iter().step_by(1 + rows.len() / ROWS) {
        let Some(body) = Body::parse(&corpus.body(row)) else { continue };
        let mut is_first_text = true;
        for index in body.documents() {
            let Part::Document(document) = &body.parts[index] else { continue };
            for string in 0..document.strings() {
                let facts = |chars: usize| facts(row, &body.with(index, &document.lengthened(string, chars)));
                let [first, second] = [ADDED_CHARS[0], ADDED_CHARS[1]].map(facts);
                let counted = second.text_chars.unwrap_or(0) - first.text_chars.unwrap_or(0) != 0;
                let is_reasoning = second.reasoning_chars != first.reasoning_chars;
                let added =
                    |chars: usize, is_counted| if is_counted { (chars - ADDED_CHARS[0]) as u64 } else { 0 };
                let is_long = counted && std::mem::take(&mut is_first_text);
                for chars in ADDED_CHARS[1..].iter().copied().chain(is_long.then_some(MOST_ADDED_CHARS)) {
                    let seen = facts(chars);
                    let expected = Observation {
                        text_chars: first.text_chars.map(|text_chars| text_chars + added(chars, counted)),
                        reasoning_chars: first.reasoning_chars + added(chars, is_reasoning),
                        // What is added repeats itself.
                        defects: seen.defects,
                        ..first.clone()
                    };
                    if seen != expected {
                        wrong.push(format!("{}: string {string} of part {index}, {chars} characters longer:\n    {seen:?}\n    {expected:?}", row["file"]));
                        break;
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

/// The keys of a document may have any order, and there may be members of any length that nobody reads.
pub(crate) fn says_the_same_in_any_order(corpus: &Corpus) {
    const STRANGE: [&str; 3] = [
        r#""context":[1,2,3,[4]],"x_long":"@""#,
        r#""logprobs":{"content":[{"token":"a","logprob":-0.1,"bytes":[97]}],"x":["@"]}"#,
        r#""echo":{"tools":[{"type":"function","function":{"name":"f","description":"@"}}]}"#,
    ];
    let mut wrong = Vec::new();
    for row in corpus.rows() {
        let Some(body) = Body::parse(&corpus.body(&row)) else { continue };
        let expected = facts(&row, &corpus.body(&row));
        let mut check = |what: &str, changed: Vec<u8>| {
            let seen = facts(&row, &changed);
            if seen != expected {
                wrong.push(format!("{}: {what}\n    {seen:?}\n    {expected:?}", row["file"]));
            }
        };
        for index in body.documents() {
            let Part::Document(document) = &body.parts[index] else { continue };
            for shift in 0..4 {
                check("other order", body.with(index, &document.reordered(shift)));
                for length in [0, 20_000] {
                    for strange in STRANGE {
                        let strange = format!("{{{}}}", strange.replace('@', &"y".repeat(length)));
                        let Some(Json::Object(strange)) = Json::parse(&strange) else { unreachable!() };
                        check(
                            "with what is not read",
                            body.with(index, &document.reordered(shift).extended(strange)),
                        );
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

/// What is kept of documents that may be of many dialects.
pub(crate) fn keeps_little_of_a_document_of_many_dialects(corpus: &Corpus) {
    let mut all = Vec::new();
    for row in corpus.rows() {
        let Some(body) = Body::parse(&corpus.body(&row)) else { continue };
        for part in body.parts {
            if let Part::Document(Json::Object(members)) = part {
                all.extend(members);
            }
        }
    }
    let calls = |call: &str| format!("[{}]", vec![call; 2000].join(","));
    let extra = format!(
        r#"{{"message":{{"tool_calls":{},"content":"{}"}},"tool_calls":{},"text":"{}"}}"#,
        calls(r#"{"id":"a","function":{"name":"f","arguments":"{}"}}"#),
        "é".repeat(100_000),
        calls(r#"{"name":"f"}"#),
        "é".repeat(100_000)
    );
    let Some(Json::Object(extra)) = Json::parse(&extra) else { unreachable!() };
    let Some(Json::Object(alone)) = Json::parse("{}") else { unreachable!() };
    // In front of all marks, behind them, and without any.
    for members in
        [[extra.clone(), all.clone()].concat(), [all, extra.clone()].concat(), [alone, extra].concat()]
    {
        let mut body = Vec::new();
        Json::Object(members).write(&mut body);
        for (content_type, start) in [("application/json", ""), ("text/event-stream", "data: ")] {
            let body = [start.as_bytes(), &body, b"\n\n"].concat();
            for size in [body.len(), 1000] {
                peak_bytes(content_type, body.chunks(size)); // the first one compiles the tables
                let peak = peak_bytes(content_type, body.chunks(size));
                assert!(peak <= STREAM_BYTES_MAX, "{content_type} in pieces of {size}: {peak} bytes");
            }
        }
    }
}
