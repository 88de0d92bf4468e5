//! The prompts of all sets: what is asked once of each version in a round.

use llm_canary_sets::request::Request;
use llm_canary_sets::set::{Case, Set};
use serde_json::Value;

/// A prompt, and the case that it comes from.
pub(crate) struct Prompt<'a> {
    /// The set, as it was given.
    pub(crate) set: &'a str,
    /// What the set is.
    pub(crate) of: &'a Set,
    /// Its case.
    pub(crate) case: &'a Case,
    /// What is sent.
    pub(crate) request: Request,
}

impl Prompt<'_> {
    /// Requests to one version: one for each turn.
    pub(crate) fn calls(&self) -> u64 {
        u64::try_from(self.request.turns.len()).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// The tools that it offers, as chat completions list them.
    pub(crate) fn tools(&self) -> &[Value] {
        self.request.body.get("tools").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }
}
