//! Types of checks: which we evaluate, which need a judge, and which are left out.

/// What becomes of a type of check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Evaluated from the answer alone.
    Offline,
    /// Needs a model that judges.
    Judge,
    /// Needs embeddings, code, the network or a person; or nobody knows the type.
    LeftOut(&'static str),
}

/// promptfoo's types that need nothing but the answer, and what was measured of it.
const OFFLINE: &[&str] = &[
    "bleu",
    "contains",
    "contains-all",
    "contains-any",
    "contains-html",
    "contains-json",
    "contains-xml",
    "cost",
    "equals",
    "finish-reason",
    "gleu",
    "icontains",
    "icontains-all",
    "icontains-any",
    "is-html",
    "is-json",
    "is-refusal",
    "is-valid-function-call",
    "is-valid-openai-function-call",
    "is-valid-openai-tools-call",
    "is-xml",
    "latency",
    "levenshtein",
    "perplexity",
    "perplexity-score",
    "regex",
    "rouge-n",
    "starts-with",
    "tool-call-f1",
    "word-count",
];

/// Types of other tools. These names have no `not-`.
const OF_OTHERS: &[&str] = &[
    "FuzzyMatch",
    "Includes",
    "JsonMatch",
    "JsonValidator",
    "Match",
    "exact_match",
    "no-tool-call",
    "tool-call-ast",
    "tool-call-schema",
];

const JUDGED: &[&str] = &[
    "agent-rubric",
    "answer-relevance",
    "context-faithfulness",
    "context-recall",
    "context-relevance",
    "conversation-relevance",
    "factuality",
    "g-eval",
    "llm-rubric",
    "model-graded-closedqa",
    "model-graded-factuality",
    "pi",
    "search-rubric",
    "select-best",
    "ModelBasedClassify",
];

const CODE: &[&str] = &["javascript", "python", "ruby", "webhook"];

const EMBEDDINGS: &[&str] = &["similar", "similar:cosine", "similar:dot", "similar:euclidean"];

const EXTERNAL: &[&str] = &[
    "classifier",
    "guardrails",
    "human",
    "max-score",
    "meteor",
    "moderation",
    "skill-used",
    "is-sql",
    "contains-sql",
];

/// Types that promptfoo knows, for cells of CSV files; in other places unknown types are named.
pub fn is_of_csv(base: &str) -> bool {
    let is_special = matches!(base, "select-best" | "human" | "max-score" | "ModelBasedClassify");
    let known = [OFFLINE, JUDGED, CODE, EMBEDDINGS, EXTERNAL].into_iter().flatten();
    !is_special && (known.copied().any(|kind| kind == base) || is_trace(base))
}

fn is_trace(base: &str) -> bool {
    matches!(
        base,
        "trajectory:goal-success"
            | "trajectory:tool-args-match"
            | "trajectory:step-count"
            | "trajectory:tool-sequence"
            | "trajectory:tool-used"
            | "trace-error-spans"
            | "trace-span-count"
            | "trace-span-duration"
    )
}

/// A type without `not-`, and whether it had it.
#[must_use]
pub fn base(kind: &str) -> (&str, bool) {
    match kind.strip_prefix("not-") {
        Some(base) => (base, true),
        None => (kind, false),
    }
}

/// What becomes of a type of check.
#[must_use]
pub fn place(kind: &str) -> Place {
    if OF_OTHERS.contains(&kind) {
        return Place::Offline;
    }
    let (base, _) = base(kind);
    if OFFLINE.contains(&base) {
        Place::Offline
    } else if JUDGED.contains(&base) {
        Place::Judge
    } else if CODE.contains(&base) {
        Place::LeftOut("code is never run")
    } else if EMBEDDINGS.contains(&base) {
        Place::LeftOut("needs embeddings")
    } else if EXTERNAL.contains(&base) || is_trace(base) || base.starts_with("promptfoo:redteam:") {
        Place::LeftOut("needs something outside of the answer")
    } else {
        Place::LeftOut("unknown type")
    }
}
