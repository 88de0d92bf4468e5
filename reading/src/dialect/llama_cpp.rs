//! llama.cpp's own `/completion` and `/infill`, streamed and whole. Its other APIs are those of OpenAI and Anthropic.
//!
//! tools/server/README.md; server-task.cpp, `to_json_non_oaicompat`. The last event repeats no text. For several prompts events
//! have an `index`, and a whole body is an array. `tokens_cached` is the size of the cache; what was read from it is
//! `timings.cache_n`.

use super::definition::{Dialect, when_done_or_each_finished};
use super::finish::Finish;
use super::meaning::Meaning;
use super::vocabulary::{LENGTH, NONE, STOP};
use crate::json::PathTable;

pub(super) static DIALECT: Dialect = Dialect {
    name: |_| "llama-cpp",
    signatures: &[
        "tokens_predicted",
        "tokens_evaluated",
        "id_slot",
        "slot_id",
        "stop_type",
        "stopped_eos",
        "stopped_limit",
        "generation_settings",
    ],
    table: PathTable::new(&[PATHS]),
    finish_reasons: &[("none", NONE), ("eos", STOP), ("word", STOP), ("limit", LENGTH)],
    types: &[],
    is_finished: when_done_or_each_finished,
    is_answer: |_| true,
};

const PATHS: &[(&str, Meaning)] = &[
    ("index", Meaning::ChoiceIndex),
    ("content", Meaning::Text(0)),
    ("stop_type", Meaning::Finish),
    // Also the sign of an end alone, in servers that follow an older version.
    ("stop", Meaning::FinishIf(Finish::Stop)),
    ("stopped_eos", Meaning::FinishIf(Finish::Stop)),
    ("stopped_word", Meaning::FinishIf(Finish::Stop)),
    ("stopped_limit", Meaning::FinishIf(Finish::Length)),
    ("tokens_evaluated", Meaning::InputTokens),
    ("tokens_predicted", Meaning::OutputTokens),
    ("timings.cache_n", Meaning::CachedInputTokens),
    ("model", Meaning::Model),
    ("error", Meaning::Error),
];
