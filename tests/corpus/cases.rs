//! Small responses with what a reader must find in them: a folder that is not part of the repository.

use std::path::{Path, PathBuf};

use llm_canary::observe::{End, Head, Observation, Observer, Timing};
use serde_json::{Value, json};

/// Cases that are read otherwise as yet. A case that comes to be read as expected must leave this list.
const NOT_YET: &[(&str, &str)] = &[];

/// The sizes of pieces in which every case is read.
const PIECE_BYTES: [usize; 10] = [1, 2, 3, 5, 7, 16, 61, 256, 1000, usize::MAX];
/// A case of at most so many bytes is also cut in two at each place.
const CUT_BYTES_MAX: usize = 4096;

/// The folder of the cases: beside the repository, or where `LLM_CANARY_CASES` says.
pub(crate) fn folder() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases");
    std::env::var_os("LLM_CANARY_CASES").map_or_else(beside, PathBuf::from)
}

pub(crate) fn are_read_as_expected(folder: &Path) {
    let list = std::fs::read_to_string(folder.join("cases.jsonl")).unwrap();
    let cases: Vec<Value> = list.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!cases.is_empty(), "the list of cases is empty");
    let mut wrong = Vec::new();
    for case in &cases {
        let file = case["file"].as_str().unwrap();
        let differences = differences(folder, case);
        let is_excused = NOT_YET.iter().any(|&(name, _)| name == file);
        match differences.first() {
            Some(difference) if !is_excused => wrong.push(format!("{file}: {difference}")),
            None if is_excused => wrong.push(format!("{file}: is read now, so NOT_YET must not name it")),
            Some(_) | None => {}
        }
    }
    for (name, _) in NOT_YET {
        assert!(cases.iter().any(|case| case["file"] == *name), "NOT_YET names {name}, which is no case");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is found otherwise than expected, in any chunking.
fn differences(folder: &Path, case: &Value) -> Vec<String> {
    let body = std::fs::read(folder.join(case["file"].as_str().unwrap())).unwrap();
    let expected = case["expect"].as_object().unwrap();
    let mut differences = Vec::new();
    let mut check = |what: String, pieces: &mut dyn Iterator<Item = &[u8]>| {
        let found = facts(&observe(case, pieces));
        for (name, expected) in expected {
            if found[name] != *expected {
                differences.push(format!("{name}: expected {expected}, found {}, {what}", found[name]));
            }
        }
    };
    for size in PIECE_BYTES {
        check(format!("in pieces of {size} bytes"), &mut body.chunks(size));
    }
    for cut in (1..body.len()).filter(|_| body.len() <= CUT_BYTES_MAX) {
        let (first, second) = body.split_at(cut);
        check(format!("cut at {cut}"), &mut [first, second].into_iter());
    }
    differences
}

fn observe(case: &Value, pieces: &mut dyn Iterator<Item = &[u8]>) -> Observation {
    let head = Head {
        status: case["status"].as_u64().and_then(|status| status.try_into().ok()).unwrap(),
        content_type: case["content_type"].as_str().unwrap().as_bytes(),
        ..Head::default()
    };
    let mut observer = Observer::new(head, 0, 0);
    observer.detect_defects(None);
    pieces.for_each(|piece| observer.push(1, piece));
    Observation { timing: Timing::default(), ..observer.finish(End::Complete, 2) }
}

/// An observation, by the names of the list of cases.
fn facts(seen: &Observation) -> Value {
    json!({
        "dialect": seen.dialect,
        "outcome": seen.outcome.as_str(),
        "finish": seen.finish.as_str(),
        "text_chars": seen.text_chars,
        "input_tokens": seen.usage.input,
        "cached_input_tokens": seen.usage.cached_input,
        "output_tokens": seen.usage.output,
        "reasoning_tokens": seen.usage.reasoning,
        "tool_calls": seen.tool_calls,
        "refusal": seen.refusal.map(|refusal| refusal.as_str()),
        "error": seen.error,
        "unread": seen.unparsed.map(|unparsed| unparsed.as_str()),
    })
}
