//! Recorded answers are ordinary: the defects that are found in their texts are those of a list.
//!
//! The texts are found by a simple walk over the documents, which knows more fields than a dialect would allow at a
//! place; the filter's own reading is not used.

use std::collections::BTreeMap;

use llm_canary::defect::{AnswerEnd, Arguments, Defect, Defects};
use llm_canary::framing::{aws, base64, sse};
use serde_json::Value;

use crate::corpus::{Corpus, Row};
use crate::facts::observe;

/// True finds, each with what was seen there when it was looked at.
const TRUE_FINDS: &str = include_str!("../data/defects/recordings.tsv");
/// Of the ordinary answers, so many in a thousand may have each defect wrongly.
const FALSE_PER_THOUSAND: usize = 3;

#[expect(clippy::print_stdout, reason = "the false finds, for whoever changes a rule")]
pub(crate) fn are_those_of_the_list(corpus: &Corpus) {
    let rows = corpus.rows();
    let ordinary: Vec<&Row> = rows.iter().filter(|row| row["error"] != "y").collect();
    let mut listed: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for line in TRUE_FINDS.lines().skip(1) {
        let [file, defect, why] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        listed.insert((file, defect), why);
    }
    let mut false_finds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let (mut with_text, mut seen, mut differ) = (0, Vec::new(), Vec::new());
    for row in &ordinary {
        let body = corpus.body(row);
        let parts = parts(&row["file"], &body);
        with_text += usize::from(parts.iter().any(|part| matches!(part, Part::Answer(_))));
        let is_cut = matches!(&*row["finish_norm"], "length" | "filter");
        let found = defects(&parts, usize::MAX, is_cut);
        assert_eq!(defects(&parts, 1, is_cut), found, "{}", row["file"]);
        let observed = observed(row, &body);
        if observed.iter().copied().filter(is_content).ne(found.iter().copied()) {
            differ.push(format!("{}: {observed:?} by the filter, {found:?} by the walk", row["file"]));
        }
        let found = observed;
        for defect in found {
            let find = (&*row["file"], defect.as_str());
            if listed.contains_key(&find) {
                seen.push(find);
            } else {
                false_finds.entry(defect.as_str()).or_default().push(&row["file"]);
            }
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    println!("{} ordinary answers, {with_text} with text; false finds: {false_finds:?}", ordinary.len());
    for (defect, files) in &false_finds {
        assert!(files.len() * 1000 <= FALSE_PER_THOUSAND * ordinary.len(), "{defect}: {files:?}");
    }
    for ((file, defect), _) in listed {
        let is_here = rows.iter().any(|row| row["file"] == file);
        assert!(!is_here || seen.contains(&(file, defect)), "{defect} is not found any more in {file}");
    }
}

fn is_content(defect: &Defect) -> bool {
    !matches!(defect, Defect::Empty | Defect::ReasoningOnly)
}

/// What the filter finds.
fn observed(row: &Row, body: &[u8]) -> Vec<Defect> {
    observe(row, [body]).defects.iter().collect()
}

/// What a walk over a response finds.
#[derive(Debug)]
enum Part {
    Answer(String),
    Reasoning(String),
    EndItem,
    /// The call, and a fragment of its arguments.
    Arguments(String, String),
}

fn defects(parts: &[Part], piece_bytes: usize, is_cut: bool) -> Vec<Defect> {
    let (mut defects, mut item) = (Defects::new(None), 0);
    let mut calls: BTreeMap<(usize, &str), Arguments> = BTreeMap::new();
    for (at, part) in parts.iter().enumerate() {
        match part {
            Part::Answer(text) => text.as_bytes().chunks(piece_bytes).for_each(|piece| defects.answer(piece)),
            Part::Reasoning(text) => {
                text.as_bytes().chunks(piece_bytes).for_each(|piece| defects.reasoning(piece));
            }
            Part::EndItem => {
                defects.end_item();
                item = at;
            }
            Part::Arguments(call, fragment) => {
                calls.entry((item, call)).or_default().push(fragment.as_bytes());
            }
        }
    }
    calls.values().for_each(|arguments| defects.end_call(arguments));
    // Most recordings do not say how they ended, so what is missing does not count.
    defects.finish(AnswerEnd { is_complete: true, is_cut }).iter().filter(is_content).collect()
}

#[derive(Default)]
struct Documents(Vec<Value>, Vec<u8>);

impl Documents {
    fn add(&mut self, json: &[u8]) {
        self.0.extend(serde_json::from_slice::<Value>(json));
    }
}

impl sse::Sink for Documents {
    fn data(&mut self, piece: &[u8]) {
        self.1.extend_from_slice(piece);
    }

    fn dispatch(&mut self, _kind: &[u8]) {
        let json = std::mem::take(&mut self.1);
        self.add(&json);
    }

    fn error_line(&mut self) {}
}

impl aws::Sink for Documents {
    fn message(&mut self, message: aws::Message<'_>) {
        let document = serde_json::from_slice::<Value>(message.payload).unwrap_or_default();
        match document["bytes"].as_str() {
            Some(encoded) => {
                let mut json = Vec::new();
                base64::Decoder::default().push(encoded.as_bytes(), &mut json);
                self.add(&json);
            }
            None => self.0.push(document),
        }
    }

    fn skipped(&mut self) {}
}

fn parts(file: &str, body: &[u8]) -> Vec<Part> {
    let mut documents = Documents::default();
    match file.rsplit('.').next().unwrap() {
        "sse" => {
            let mut framer = sse::Framer::default();
            framer.push(body, &mut documents);
            framer.push(b"\n\n", &mut documents);
        }
        "bin" => aws::Framer::default().push(body, &mut documents),
        "ndjson" => body.split(|&byte| byte == b'\n').for_each(|line| documents.add(line)),
        _ => documents.add(body),
    }
    let mut parts = Vec::new();
    documents.0.iter().for_each(|document| walk(document, &mut parts));
    parts
}

/// Finds texts at the places where the dialects have them. Of several choices, only the first counts.
fn walk(document: &Value, parts: &mut Vec<Part>) {
    if let Some(items) = document.as_array() {
        items.iter().for_each(|item| walk(item, parts));
        return;
    }
    let kind = document["type"].as_str().or(document["event_type"].as_str()).unwrap_or_default();
    match kind {
        "response.output_text.delta" => answer(&document["delta"], parts),
        "response.reasoning_text.delta" | "response.reasoning_summary_text.delta" => {
            reasoning(&document["delta"], parts)
        }
        "response.function_call_arguments.delta" => {
            arguments(&document["item_id"], &document["delta"], parts)
        }
        "response.output_item.done" | "response.content_part.done" | "content_block_stop" | "content-end" => {
            parts.push(Part::EndItem);
        }
        // They repeat what came before.
        "response.completed" | "response.incomplete" | "stream-end" | "message-end" => return,
        "content_block_start" => {
            parts.push(Part::EndItem);
            return;
        }
        _ if kind.starts_with("response.") => return,
        "content_block_delta" => {
            let delta = &document["delta"];
            answer(&delta["text"], parts);
            reasoning(&delta["thinking"], parts);
            arguments(&document["index"], &delta["partial_json"], parts);
            return;
        }
        _ => {}
    }
    for choice in document["choices"].as_array().into_iter().flatten() {
        if choice["index"].as_u64().unwrap_or(0) == 0 {
            answer(&choice["text"], parts);
            message(&choice["delta"], parts);
            message(&choice["message"], parts);
        }
    }
    for candidate in document["candidates"].as_array().into_iter().flatten().take(1) {
        blocks(&candidate["content"]["parts"], parts);
    }
    let delta = &document["contentBlockDelta"]["delta"];
    for at in [delta, &document["delta"]] {
        answer(&at["text"], parts);
        reasoning(&at["reasoningContent"]["text"], parts);
    }
    answer(&document["delta"]["message"]["content"]["text"], parts);
    reasoning(&document["delta"]["message"]["content"]["thinking"], parts);
    message(&document["message"], parts);
    message(&document["output"]["message"], parts);
    for output in document["output"].as_array().into_iter().flatten() {
        blocks(&output["content"], parts);
        blocks(&output["summary"], parts);
        arguments(&output["call_id"], &output["arguments"], parts);
        parts.push(Part::EndItem);
    }
    for output in document["outputs"].as_array().into_iter().flatten() {
        answer(&output["text"], parts);
    }
    blocks(&document["content"], parts);
    for name in ["completion", "response", "text", "generation", "outputText", "generated_text"] {
        answer(&document[name], parts);
    }
    if document["token"]["special"] != true {
        answer(&document["token"]["text"], parts);
    }
    reasoning(&document["thinking"], parts);
}

fn message(message: &Value, parts: &mut Vec<Part>) {
    for name in ["reasoning_content", "reasoning", "thinking"] {
        reasoning(&message[name], parts);
    }
    answer(&message["content"], parts);
    blocks(&message["content"], parts);
    let calls = message["tool_calls"].as_array().into_iter().flatten();
    for (at, call) in calls.enumerate() {
        let index = if call["index"].is_null() { Value::from(at) } else { call["index"].clone() };
        arguments(&index, &call["function"]["arguments"], parts);
    }
}

fn blocks(blocks: &Value, parts: &mut Vec<Part>) {
    for block in blocks.as_array().into_iter().flatten() {
        let is_reasoning = block["thought"] == true
            || block["type"]
                .as_str()
                .is_some_and(|kind| kind.contains("reasoning") || kind.contains("summary"));
        if is_reasoning {
            reasoning(&block["text"], parts)
        } else {
            answer(&block["text"], parts)
        }
        reasoning(&block["thinking"], parts);
        reasoning(&block["reasoningContent"]["reasoningText"]["text"], parts);
    }
}

fn answer(text: &Value, parts: &mut Vec<Part>) {
    parts.extend(text.as_str().map(|text| Part::Answer(text.to_string())));
}

fn reasoning(text: &Value, parts: &mut Vec<Part>) {
    parts.extend(text.as_str().filter(|text| !text.is_empty()).map(|text| Part::Reasoning(text.to_string())));
}

fn arguments(call: &Value, fragment: &Value, parts: &mut Vec<Part>) {
    parts.extend(fragment.as_str().map(|fragment| Part::Arguments(call.to_string(), fragment.to_string())));
}
