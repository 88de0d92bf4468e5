//! Recorded responses against the facts that an independent reader took from them.
//!
//! The recordings live beside the repository, in `../shared/corpus`; without them the test says so
//! and passes, with `CI` set it fails.

use std::collections::BTreeMap;
use std::path::PathBuf;

use llm_canary::framing::{base64, sse};
use llm_canary::observe::{End, Finish, Head, Observation, Observer, Outcome, Timing};

/// Recordings whose facts we read otherwise, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "openai-chat/ai__groq-transcription-text__i0_6bc8ca.json",
        "a transcription, no answer of a model: read as unknown JSON, whose length is the body's",
    ),
    (
        "openai-chat/pydantic-ai__test_openai-test_text_response__i0_c827d9.txt",
        "plain text that a mock sent: read as unknown text, whose length is the body's",
    ),
    (
        "openai-chat/lmnr-python__test_azure-test_chat_content_filtering__i0_2ab77f.json",
        "finish reason content_filter counts as a refusal here, as it does in other dialects",
    ),
    (
        "openai-completions/openinference__test_async_prompt_template__i0_d5a771.json",
        "indexed by its path; the body is a chat completion",
    ),
    (
        "bedrock-invoke/pydantic-ai__test_embeddings-TestBedrock.test_inference_profile_embed__i0_5f8abf.json",
        "embeddings, no answer of a model: read as unknown JSON",
    ),
    (
        "cohere-v1/kong__llm-v1-chat-responses-bad_upstream_response__i0_4bee59.json",
        "a body of no API: read as unknown JSON",
    ),
    (
        "gemini/vertexai-sdk-test-data__mock-responses-vertexai-streaming-failure-invalid-json__i0_cb2eeb.sse",
        "an event of no API: read as unknown JSON",
    ),
    (
        "gemini-interactions/openinference__test_interactions_instrumentation-test_agent_stream__i0_1f4413.json",
        "a status that says the answer has not come yet is no finish reason here",
    ),
];

pub(crate) fn corpus() -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    if path.is_dir() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "no recordings at {}", path.display());
    eprintln!("SKIPPED: no recordings at {}", path.display());
    None
}

pub(crate) type Row = BTreeMap<String, String>;

pub(crate) fn rows(corpus: &std::path::Path) -> Vec<Row> {
    let index = std::fs::read_to_string(corpus.join("INDEX.tsv")).unwrap();
    let mut lines = index.lines();
    let header: Vec<&str> = lines.next().unwrap().split('\t').collect();
    lines
        .map(|line| header.iter().map(|h| h.to_string()).zip(line.split('\t').map(str::to_string)).collect())
        .collect()
}

fn observe<'a>(row: &Row, chunks: impl IntoIterator<Item = &'a [u8]>) -> Observation {
    let head = Head {
        status: row["status"].parse().unwrap(),
        content_type: row["content_type"].as_bytes(),
        content_encoding: b"",
    };
    let mut observer = Observer::new(head, 0, 0);
    for chunk in chunks {
        observer.push(1, chunk);
    }
    // When deltas came depends on the chunks, and is not among the facts.
    Observation { timing: Timing::default(), ..observer.finish(End::Complete, 2) }
}

/// Differences between an observation and the index, in words.
fn differences(row: &Row, seen: &Observation) -> Vec<String> {
    // The index was made by a strict reader; this is what a last event without its blank line adds.
    let lenient = row.get("lenient_diff").cloned().unwrap_or_default().replace("\"\"", "\"");
    let lenient: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(lenient.trim_matches('"')).unwrap_or_default();
    let mut row = row.clone();
    for (field, value) in &lenient {
        row.insert(field.clone(), value.as_str().map_or(value.to_string(), str::to_string));
    }
    if lenient.contains_key("finish_reason") {
        row.insert("finish_norm".into(), "stop".into());
    }
    let mut differences = Vec::new();
    let mut check = |what: &str, expected: String, found: String| {
        if expected != found {
            differences.push(format!("{what}: expected {expected}, found {found}"));
        }
    };
    let number = |value: Option<u64>| value.map(|v| v.to_string()).unwrap_or_default();
    let yes_no = |value: bool| if value { "y" } else { "n" }.to_string();
    let is_error = row["error"] == "y";
    // A whole body that Bedrock's invoke passes on does not show the way it came.
    let is_passed_on = row["dialect"] == "bedrock-invoke" && row["streaming"] == "n";
    if let Some(dialect) = seen.dialect.filter(|_| !is_passed_on) {
        check("dialect", row["dialect"].clone(), dialect.into());
    } else if !is_error && !is_passed_on {
        check("dialect", row["dialect"].clone(), "none".into());
    }
    check("text_chars", row["text_chars"].clone(), number(seen.text_chars));
    check("output_tokens", row["output_tokens"].clone(), number(seen.usage.output));
    check("input_tokens", row["input_tokens"].clone(), number(seen.usage.input));
    check("cached_tokens", row["cached_tokens"].clone(), number(seen.usage.cached_input));
    check("reasoning_tokens", row["reasoning_tokens"].clone(), number(seen.usage.reasoning));
    check("tool_calls", row["tool_calls"].clone(), seen.tool_calls.to_string());
    check("refusal", row["refusal"].clone(), yes_no(seen.refusal.is_some()));
    check("error", row["error"].clone(), yes_no(seen.error));
    let finish = match seen.finish {
        Finish::None => "",
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool",
        Finish::ContentFilter => "filter",
        Finish::Error => "error",
        Finish::Other => "other",
    };
    let known: Vec<&str> = row["finish_norm"].split('|').collect();
    if !known.contains(&finish) {
        check("finish", row["finish_norm"].clone(), finish.into());
    }
    if row["streaming"] == "y" && lenient.is_empty() {
        check("events", row["n_events"].clone(), number(seen.events));
    }
    // What was recorded without its end.
    let is_cut = row["terminal"] == "n" && !is_error;
    let outcome = match seen.outcome {
        Outcome::Truncated if is_cut => "fine",
        Outcome::HttpError | Outcome::StreamError => "error",
        Outcome::Complete => "fine",
        Outcome::Truncated => "truncated",
        Outcome::UpstreamReset | Outcome::LocalReply => "impossible",
        Outcome::ClientAbort | Outcome::ClientAbortAfterToolCall => "impossible",
    };
    check("outcome", if is_error { "error" } else { "fine" }.into(), outcome.into());
    differences
}

fn random_chunks(bytes: &[u8], mut seed: u64) -> Vec<&[u8]> {
    let mut rest = bytes;
    let mut chunks = Vec::new();
    while !rest.is_empty() {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let size = 1 + (seed >> 33) as usize % if seed >> 62 == 0 { 3 } else { 700 };
        let (chunk, after) = rest.split_at(size.min(rest.len()));
        chunks.push(chunk);
        rest = after;
    }
    chunks
}

#[test]
fn recordings_give_their_facts_in_any_chunking() {
    let Some(corpus) = corpus() else { return };
    let mut wrong = Vec::new();
    let rows = rows(&corpus);
    assert!(rows.len() > 1000, "the index is not what it was: {} rows", rows.len());
    for row in &rows {
        let bytes = std::fs::read(corpus.join(&row["file"])).unwrap();
        let whole = observe(row, [&bytes[..]]);
        assert_eq!(whole, observe(row, bytes.chunks(1)), "{}: byte by byte", row["file"]);
        for seed in 0..4 {
            assert_eq!(whole, observe(row, random_chunks(&bytes, seed)), "{}: seed {seed}", row["file"]);
        }
        let differences = differences(row, &whole);
        let excepted = EXCEPTIONS.iter().any(|(file, _)| *file == row["file"]);
        if differences.is_empty() == excepted {
            wrong.push(format!("{}\n    {}", row["file"], differences.join("\n    ")));
        }
    }
    assert!(wrong.is_empty(), "{} of {} recordings:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

/// Each event stream of the corpus, rewritten so that nothing it says changes.
#[test]
fn what_says_the_same_is_read_the_same() {
    let Some(corpus) = corpus() else { return };
    let replace = |stream: &[u8], from: &[u8], to: &[u8]| {
        let mut out = Vec::with_capacity(stream.len());
        let mut rest = stream;
        while let Some((&byte, after)) = rest.split_first() {
            match rest.strip_prefix(from) {
                Some(after) => {
                    out.extend_from_slice(to);
                    rest = after;
                }
                None => {
                    out.push(byte);
                    rest = after;
                }
            }
        }
        out
    };
    let unix = |stream: &[u8]| replace(stream, b"\r\n", b"\n");
    type Rewrite<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;
    let rewrites: [(&str, Rewrite<'_>); 7] = [
        ("lines end in CR LF", &|s| replace(&unix(s), b"\n", b"\r\n")),
        ("lines end in CR", &|s| replace(&unix(s), b"\n", b"\r")),
        ("a byte order mark", &|s| [b"\xEF\xBB\xBF", s].concat()),
        ("comments between events", &|s| replace(&unix(s), b"\n\n", b"\n\n: c\n\n")),
        ("no space after the colon", &|s| replace(&unix(s), b"\ndata: ", b"\ndata:")),
        ("documents over several lines", &|s| replace(&unix(s), b"\ndata: {\"", b"\ndata: {\ndata:   \"")),
        ("a field nobody knows", &|s| replace(&unix(s), b"\n\n", b"\nfoo: bar\nid: 7\n\n")),
    ];
    let mut count = 0;
    for row in rows(&corpus).iter().filter(|row| row["file"].ends_with(".sse")) {
        let bytes = std::fs::read(corpus.join(&row["file"])).unwrap();
        let facts = observe(row, [&bytes[..]]);
        for (what, rewrite) in rewrites {
            let rewritten = rewrite(&bytes);
            assert_eq!(observe(row, [&rewritten[..]]), facts, "{}: {what}", row["file"]);
            assert_eq!(
                observe(row, random_chunks(&rewritten, 7)),
                facts,
                "{}: {what}, in pieces",
                row["file"]
            );
            count += 1;
        }
    }
    assert!(count > 2000, "{count} streams");
}

/// A stream cut anywhere never says more than the whole, and never less than a shorter cut did.
#[test]
fn a_prefix_says_no_more_than_the_whole() {
    let Some(corpus) = corpus() else { return };
    for row in &rows(&corpus) {
        let bytes = std::fs::read(corpus.join(&row["file"])).unwrap();
        let whole = observe(row, [&bytes[..]]);
        if whole.dialect.is_none() {
            continue; // the length of what nobody knows is that of its complete documents
        }
        let mut longest = 0;
        for cut in (0..24).map(|part| bytes.len() * part / 24 + part % 7).filter(|&cut| cut <= bytes.len()) {
            let prefix = observe(row, [&bytes[..cut]]);
            let chars = prefix.text_chars.unwrap_or(0);
            assert!(
                Some(chars) <= whole.text_chars,
                "{} cut at {cut}: {chars} of {:?}",
                row["file"],
                whole.text_chars
            );
            assert!(chars >= longest, "{} cut at {cut}: {chars} after {longest}", row["file"]);
            assert!(prefix.tool_calls <= whole.tool_calls, "{} cut at {cut}", row["file"]);
            longest = chars;
        }
    }
}

/// The event-stream cases of the browsers' own tests and others: whole, byte by byte, and at every cut.
#[test]
fn the_framing_conforms() {
    let Some(corpus) = corpus() else { return };
    let cases = std::fs::read_to_string(corpus.join("sse_conformance.json")).unwrap();
    let cases: Vec<serde_json::Value> = serde_json::from_str(&cases).unwrap();
    assert!(cases.len() >= 45, "{} cases", cases.len());
    for case in &cases {
        let (mut decoder, mut input) = (base64::Decoder::default(), Vec::new());
        decoder.push(case["input_b64"].as_str().unwrap().as_bytes(), &mut input);
        let event = |event: &serde_json::Value| {
            let text = |field: &str| event[field].as_str().unwrap().to_string();
            (text("event"), text("data"))
        };
        let expected: Vec<_> = case["expected"].as_array().unwrap().iter().map(event).collect();
        assert_eq!(events([&input[..]]), expected, "{}", case["name"]);
        assert_eq!(events(input.chunks(1)), expected, "{}: byte by byte", case["name"]);
        for cut in 0..input.len() {
            assert_eq!(events([&input[..cut], &input[cut..]]), expected, "{}: cut at {cut}", case["name"]);
        }
    }
}

fn events<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<(String, String)> {
    #[derive(Default)]
    struct Events(Vec<(String, String)>, Vec<u8>);
    impl sse::Sink for Events {
        fn data(&mut self, piece: &[u8]) {
            self.1.extend_from_slice(piece);
        }
        fn dispatch(&mut self, kind: &[u8]) {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let kind = if kind.is_empty() { "message".to_string() } else { text(kind) };
            self.0.push((kind, text(&std::mem::take(&mut self.1))));
        }
        fn error_line(&mut self) {}
    }
    let (mut framer, mut events) = (sse::Framer::default(), Events::default());
    chunks.into_iter().for_each(|chunk| framer.push(chunk, &mut events));
    events.0
}
