//! Recorded responses: what is read of them, tagged in them, and kept of them.
//!
//! Each check runs on the small corpus of our own, in `tests/data/corpus/`. It runs on a large one as well, where that is
//! beside the repository (`../shared/corpus`) or where `LLM_CANARY_CORPUS` says; else the report says `ignored`, and with `CI`
//! set it fails. The standard harness cannot ignore a test while it runs, so this is a harness of its own.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod cases;
mod corpus;
#[path = "../it/counting.rs"]
mod counting;
mod defects;
mod facts;
mod framing;
mod json;
mod long;
mod pairs;
mod tags;

use std::sync::Arc;

use corpus::Corpus;
use counting::{STREAM_BYTES_MAX, peak_bytes};
use libtest_mimic::{Arguments, Trial};

type Check = (&'static str, fn(&Corpus));

const CHECKS: &[Check] = &[
    ("facts_are_those_of_the_index", facts::are_those_of_the_index),
    ("facts_are_the_same_rewritten", facts::are_the_same_rewritten),
    ("facts_only_grow", facts::only_grow),
    ("tags_are_on_every_id", tags::are_on_every_id),
    ("a_recording_keeps_little", keeps_little),
    ("no_dialect_takes_the_documents_of_another", pairs::no_dialect_takes_anothers_documents),
    ("a_recording_says_the_same_at_any_length", long::says_the_same_at_any_length),
    ("a_recording_says_the_same_in_any_order", long::says_the_same_in_any_order),
    ("a_document_of_many_dialects_keeps_little", long::keeps_little_of_a_document_of_many_dialects),
    ("defects_are_those_of_the_list", defects::are_those_of_the_list),
];

fn main() {
    let (own, recordings) = (Corpus::own(), Corpus::recordings());
    let is_ignored = !recordings.is_there() && std::env::var_os("CI").is_none();
    let mut trials = trials("own", own, ("framing_conforms", framing::conforms), false);
    let framing: Check = ("framing_conforms_to_the_browsers_tests", framing::conforms_to_the_browsers_tests);
    trials.extend(self::trials("recordings", recordings, framing, is_ignored));
    trials.push(cases_trial());
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn trials(name: &str, corpus: Corpus, framing: Check, is_ignored: bool) -> Vec<Trial> {
    let corpus = Arc::new(corpus);
    let trial = |(check, run): Check| {
        let corpus = corpus.clone();
        let run = move || {
            assert!(corpus.is_there(), "no recordings in {}", corpus.folder.display());
            run(&corpus);
            Ok(())
        };
        let kind = if is_ignored { "no recordings beside the repository" } else { "" };
        Trial::test(format!("{name}::{check}"), run).with_kind(kind).with_ignored_flag(is_ignored)
    };
    CHECKS.iter().copied().chain([framing]).map(trial).collect()
}

/// Ignored where the cases are not at hand. With `CI` set it fails there.
fn cases_trial() -> Trial {
    let folder = cases::folder();
    let is_ignored = !folder.join("cases.jsonl").is_file() && std::env::var_os("CI").is_none();
    let run = move || {
        assert!(folder.join("cases.jsonl").is_file(), "no cases in {}", folder.display());
        cases::are_read_as_expected(&folder);
        Ok(())
    };
    let kind = if is_ignored { "no cases beside the repository" } else { "" };
    Trial::test("cases::are_read_as_expected", run).with_kind(kind).with_ignored_flag(is_ignored)
}

fn keeps_little(corpus: &Corpus) {
    for row in corpus.rows() {
        let bytes = corpus.body(&row);
        for size in [bytes.len().max(1), 1000] {
            let peak = peak_bytes(&row["content_type"], bytes.chunks(size));
            assert!(peak <= STREAM_BYTES_MAX, "{} keeps {peak} bytes", row["file"]);
        }
    }
}
