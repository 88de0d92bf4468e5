//! What RESULTS show to people: the last round, and of prompts that changed the answers of both sides.
//!
//! In: lines, in their order, also as they come. Out: a [`Summary`]. Only pairs of which one side passed and the other did not are kept,
//! and of long texts the beginning, so that a long RESULTS needs little memory.

use super::results::{Answer, Line, ROUND_OF_BASELINE, Round, Side, Sides};
use serde_json::Value;
use std::collections::BTreeMap;

/// So many characters of an answer or a question are kept.
const TEXT_CHARS_MAX: usize = 2_000;
/// Pairs of so many prompts are kept.
const PAIRS_MAX: usize = 2_000;
/// So many answers wait for that of the other side.
const WAITING_MAX: usize = 20_000;

/// What is shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Summary {
    /// The names of both versions.
    pub(crate) names: Sides<String>,
    /// The last round.
    pub(crate) round: Round,
    /// Answers of prompts that changed, by set and case.
    pub(crate) answers: BTreeMap<(String, String), Both>,
    /// Lines that could not be read.
    pub(crate) unread: u64,
}

/// The answers of both sides to one prompt, in the last round in which one passed and the other did not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Both {
    /// What was asked last.
    pub(crate) question: String,
    /// The answers.
    pub(crate) answers: Sides<String>,
    /// What failed, on the side that did.
    pub(crate) failed: Sides<Option<String>>,
}

/// Reads lines.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    names: Sides<String>,
    round: Option<Round>,
    /// Answers of the round that goes on, by their prompts.
    waiting: BTreeMap<usize, (Side, Half)>,
    answers: BTreeMap<(String, String), Both>,
    unread: u64,
}

/// One side's answer.
#[derive(Debug)]
struct Half {
    is_passed: bool,
    text: String,
    failed: Option<String>,
}

impl Summary {
    /// Of a round without its answers.
    pub(crate) fn of_round(names: Sides<String>, round: Round) -> Self {
        Self { names, round, answers: BTreeMap::new(), unread: 0 }
    }
}

impl Reader {
    /// Takes in the next line.
    pub(crate) fn push(&mut self, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        match Line::parse(line) {
            Ok(Line::Answer(answer)) if answer.round != ROUND_OF_BASELINE => self.answer(&answer),
            Ok(Line::Answer(_) | Line::Vote(_)) => {}
            Ok(Line::Round(round)) => {
                self.waiting.clear();
                self.round = Some(*round);
            }
            Err(_) => self.unread = self.unread.saturating_add(1),
        }
    }

    fn answer(&mut self, answer: &Answer) {
        self.names.of_mut(answer.side).clone_from(&answer.name);
        let Some(is_passed) = answer.pass else { return };
        let failed = answer.checks.iter().find(|check| !check.pass);
        let failed = failed.map(|check| match &check.why {
            Some(why) => format!("{}: {why}", check.check),
            None => check.check.clone(),
        });
        let half = Half { is_passed, text: beginning(&text_of(&answer.output)), failed };
        let Some((side, other)) = self.waiting.remove(&answer.prompt) else {
            if self.waiting.len() < WAITING_MAX {
                self.waiting.insert(answer.prompt, (answer.side, half));
            }
            return;
        };
        let key = (answer.set.clone(), answer.case.clone());
        let is_kept = self.answers.len() < PAIRS_MAX || self.answers.contains_key(&key);
        if side == answer.side || half.is_passed == other.is_passed || !is_kept {
            return;
        }
        let mut both = Both { question: beginning(&question(&answer.messages)), ..Both::default() };
        for (side, half) in [(side, other), (answer.side, half)] {
            *both.answers.of_mut(side) = half.text;
            *both.failed.of_mut(side) = half.failed.filter(|_| !half.is_passed);
        }
        self.answers.insert(key, both);
    }

    /// What is known after the last round; `None` before the first has ended.
    pub(crate) fn summary(&self) -> Option<Summary> {
        let round = self.round.clone().filter(|round| round.round > 0)?;
        let is_listed = |(set, case): &(String, String)| {
            round.changed.iter().any(|changed| changed.set == *set && changed.case == *case)
        };
        let answers = self.answers.iter().filter(|(key, _)| is_listed(key));
        Some(Summary {
            names: self.names.clone(),
            answers: answers.map(|(key, both)| (key.clone(), both.clone())).collect(),
            unread: self.unread,
            round,
        })
    }
}

/// What the user said last.
fn question(messages: &[Value]) -> String {
    let is_user = |message: &&Value| message.get("role").and_then(Value::as_str) == Some("user");
    let last = messages.iter().rfind(is_user).or(messages.last());
    last.and_then(|message| message.get("content")).map(text_of).unwrap_or_default()
}

/// A text as it is; of anything else its JSON; of nothing no text.
fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn beginning(text: &str) -> String {
    let mut beginning: String = text.chars().take(TEXT_CHARS_MAX).collect();
    if beginning.len() < text.len() {
        beginning.push('…');
    }
    beginning
}

#[cfg(test)]
mod tests;
