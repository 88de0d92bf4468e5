//! What recordings say: against their index, in any chunking, rewritten, and cut off.

use std::collections::BTreeMap;

use llm_canary::observe::{End, Finish, Head, Observation, Observer, Outcome, Timing};

use crate::corpus::{Corpus, Row, replaced};

/// Recordings whose facts we read otherwise, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "openai-chat/ai__groq-transcription-text__i0_6bc8ca.json",
        "a transcription, no answer of a model: read as unknown JSON, which has no length",
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
        "openai-chat/pydantic-ai__test_snowflake-test_snowflake_thinking__i0_314ac2.json",
        "a function_call without a name beside a tool call: it is no call",
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

pub(crate) fn observe<'a>(row: &Row, chunks: impl IntoIterator<Item = &'a [u8]>) -> Observation {
    let head = Head {
        status: row["status"].parse().unwrap(),
        content_type: row["content_type"].as_bytes(),
        ..Head::default()
    };
    let mut observer = Observer::new(head, 0, 0);
    observer.detect_defects(None);
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

/// A recording gives the facts of the index, in any chunking.
pub(crate) fn are_those_of_the_index(corpus: &Corpus) {
    let mut wrong = Vec::new();
    let rows = corpus.rows();
    for row in &rows {
        let bytes = corpus.body(row);
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

/// Each event stream, rewritten so that nothing it says changes, is read the same.
pub(crate) fn are_the_same_rewritten(corpus: &Corpus) {
    let unix = |stream: &[u8]| replaced(stream, "\r\n", "\n");
    type Rewrite<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;
    let rewrites: [(&str, Rewrite<'_>); 7] = [
        ("lines end in CR LF", &|s| replaced(&unix(s), "\n", "\r\n")),
        ("lines end in CR", &|s| replaced(&unix(s), "\n", "\r")),
        ("a byte order mark", &|s| [b"\xEF\xBB\xBF", s].concat()),
        ("comments between events", &|s| replaced(&unix(s), "\n\n", "\n\n: c\n\n")),
        ("no space after the colon", &|s| replaced(&unix(s), "\ndata: ", "\ndata:")),
        ("documents over several lines", &|s| replaced(&unix(s), "\ndata: {\"", "\ndata: {\ndata:   \"")),
        ("an unknown field", &|s| replaced(&unix(s), "\n\n", "\nfoo: bar\nid: 7\n\n")),
    ];
    for row in corpus.rows().iter().filter(|row| row["file"].ends_with(".sse")) {
        let bytes = corpus.body(row);
        let facts = observe(row, [&bytes[..]]);
        for (what, rewrite) in rewrites {
            let rewritten = rewrite(&bytes);
            assert_eq!(observe(row, [&rewritten[..]]), facts, "{}: {what}", row["file"]);
            let pieces = random_chunks(&rewritten, 7);
            assert_eq!(observe(row, pieces), facts, "{}: {what}, in pieces", row["file"]);
        }
    }
}

/// A recording that is cut anywhere never says more than the whole, and never less than a shorter cut did.
pub(crate) fn only_grow(corpus: &Corpus) {
    for row in &corpus.rows() {
        let bytes = corpus.body(row);
        let whole = observe(row, [&bytes[..]]);
        if whole.dialect.is_none() || whole.text_chars.is_none() {
            continue; // the length of an unknown body is that of its complete documents; what is no answer has none
        }
        let mut longest = 0;
        let mut cuts: Vec<usize> = (0..24).map(|part| bytes.len() * part / 24 + part % 7).collect();
        cuts.sort();
        for cut in cuts.into_iter().filter(|&cut| cut <= bytes.len()) {
            let prefix = observe(row, [&bytes[..cut]]);
            let (chars, file) = (prefix.text_chars.unwrap_or(0), &row["file"]);
            assert!(
                Some(chars) <= whole.text_chars,
                "{file} cut at {cut}: {chars} of {:?}",
                whole.text_chars
            );
            assert!(chars >= longest, "{file} cut at {cut}: {chars} after {longest}");
            assert!(prefix.tool_calls <= whole.tool_calls, "{file} cut at {cut}");
            longest = chars;
        }
    }
}
