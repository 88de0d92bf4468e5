//! Recorded responses against the facts that an independent reader took from them.
//!
//! The recordings live beside the repository, in `../shared/corpus`; without them the test says so
//! and passes, with `CI` set it fails.

use std::collections::BTreeMap;
use std::path::PathBuf;

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
        "finish reason content_filter counts as a refusal here",
    ),
    (
        "openai-completions/openinference__test_async_prompt_template__i0_d5a771.json",
        "indexed by its path; the body is a chat completion",
    ),
];

fn corpus() -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    if path.is_dir() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "no recordings at {}", path.display());
    eprintln!("SKIPPED: no recordings at {}", path.display());
    None
}

type Row = BTreeMap<String, String>;

fn rows(corpus: &std::path::Path, dialects: &[&str]) -> Vec<Row> {
    let index = std::fs::read_to_string(corpus.join("INDEX.tsv")).unwrap();
    let mut lines = index.lines();
    let header: Vec<&str> = lines.next().unwrap().split('\t').collect();
    lines
        .map(|line| header.iter().map(|h| h.to_string()).zip(line.split('\t').map(str::to_string)).collect())
        .filter(|row: &Row| dialects.contains(&row["dialect"].as_str()))
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
    let mut differences = Vec::new();
    let mut check = |what: &str, expected: String, found: String| {
        if expected != found {
            differences.push(format!("{what}: expected {expected}, found {found}"));
        }
    };
    let number = |value: Option<u64>| value.map(|v| v.to_string()).unwrap_or_default();
    let yes_no = |value: bool| if value { "y" } else { "n" }.to_string();
    let is_error = row["error"] == "y";
    if let Some(dialect) = seen.dialect {
        check("dialect", row["dialect"].clone(), dialect.into());
    } else if !is_error {
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
    if row["streaming"] == "y" {
        check("events", row["n_events"].clone(), number(seen.events));
    }
    let outcome = match seen.outcome {
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
    let rows = rows(&corpus, &["openai-chat", "openai-completions"]);
    assert!(rows.len() > 400, "the index is not what it was: {} rows", rows.len());
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
