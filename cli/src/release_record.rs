//! A transition of a release, as it is told: a sentence for people, and the same as JSON for programs.
//!
//! The names are an interface. A body with `text` is also what Slack, and what speaks as it does, shows.

use crate::controller::{Hold, State};
use llm_canary::timestamp::{UnixMs, rfc3339};
use serde_json::{Value, json};

/// A sentence has at most so many reasons; the journal has all.
const REASONS_MAX: usize = 4;

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) at: UnixMs,
    pub(crate) rollout: String,
    pub(crate) version: String,
    pub(crate) baseline: String,
    /// The name of the state, or of another event.
    pub(crate) event: String,
    /// The name of the state before.
    pub(crate) from: String,
    pub(crate) hold: Option<&'static str>,
    /// The version's share in percent.
    pub(crate) percent: String,
    pub(crate) verdict: &'static str,
    pub(crate) why: Vec<String>,
    pub(crate) text: String,
    /// The command that undoes it.
    pub(crate) undo: Option<String>,
    pub(crate) exit_code: Option<u8>,
    /// Whether nothing was written, because the run is a dry one.
    pub(crate) is_dry: bool,
}

impl Record {
    /// Fills in what the state tells.
    pub(crate) fn of_state(mut self, state: &State) -> Self {
        self.event = state.name().to_owned();
        self.hold = if let State::Held(_, hold) = state { Some(Hold::name(hold)) } else { None };
        self.exit_code = state.exit_code();
        let (dry, why) = (if self.is_dry { "(dry run) " } else { "" }, &self.why);
        let mut reasons: Vec<&str> = why.iter().take(REASONS_MAX).map(String::as_str).collect();
        let more = format!("and {} more reasons", why.len().saturating_sub(REASONS_MAX));
        if why.len() > REASONS_MAX {
            reasons.push(&more);
        }
        let colon = if reasons.is_empty() { "" } else { ": " };
        self.text = format!(
            "{dry}{}: {} {}{colon}{}",
            self.rollout,
            self.version,
            state.describe(&self.percent),
            reasons.join("; ")
        );
        self
    }

    /// As JSON.
    pub(crate) fn value(&self) -> Value {
        json!({
            "at": rfc3339(self.at),
            "rollout": self.rollout,
            "version": self.version,
            "baseline": self.baseline,
            "event": self.event,
            "from": self.from,
            "hold": self.hold,
            "percent": self.percent.parse::<f64>().ok(),
            "verdict": self.verdict,
            "text": self.text,
            "why": self.why,
            "undo": self.undo,
            "exit_code": self.exit_code,
            "dry_run": self.is_dry,
        })
    }
}
