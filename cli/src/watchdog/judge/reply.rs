//! What a judge's replies say. What cannot be read says nothing: no verdict is guessed.

use serde_json::{Map, Value};

/// The answer that a judge prefers, as it saw them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Letter {
    /// The first.
    A,
    /// The second.
    B,
    /// Neither.
    Tie,
}

/// Whether an answer meets a criterion.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Met {
    /// It does.
    pub(crate) is_met: bool,
    /// How far, from 0 to 1.
    pub(crate) score: f64,
    /// Why.
    pub(crate) reason: Option<String>,
}

/// A reply is looked through for objects in at most so many places.
const OBJECTS_MAX: usize = 1_000;

/// The text of a response of chat completions, without what a model thought before. `None`: there is none.
pub(crate) fn content(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    let message = body.get("choices")?.get(0)?.get("message")?;
    match message.get("content")? {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            Some(parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect())
        }
        _ => None,
    }
}

/// Names under which judges say which answer they prefer.
const BETTER: &[&str] =
    &["better", "winner", "verdict", "choice", "preferred", "preference", "vote", "answer"];

/// The preferred answer: of JSON, or of one letter.
pub(crate) fn letter(reply: &str) -> Option<Letter> {
    let said = answered(reply);
    match last_object(said, BETTER) {
        Some((Value::String(word), _)) => of_word(&word),
        Some(_) => None,
        None => of_word(said),
    }
}

fn of_word(word: &str) -> Option<Letter> {
    let word = bare(word);
    let noun = ["answer ", "response ", "assistant "].iter().find_map(|noun| word.strip_prefix(noun));
    match noun.unwrap_or(&word) {
        "a" | "1" | "first" => Some(Letter::A),
        "b" | "2" | "second" => Some(Letter::B),
        "c" | "tie" | "equal" | "draw" => Some(Letter::Tie),
        _ => None,
    }
}

/// Whether a criterion is met: of JSON, or of one word.
pub(crate) fn met(reply: &str) -> Option<Met> {
    let said = answered(reply);
    let of = |is_met: bool| Met { is_met, score: f64::from(u8::from(is_met)), reason: None };
    let Some((value, object)) = last_object(said, &["pass"]) else {
        return yes_or_no(said).map(of);
    };
    let is_met = match value {
        Value::Bool(is_met) => is_met,
        Value::String(word) => yes_or_no(&word)?,
        _ => return None,
    };
    let score = object.get("score").and_then(Value::as_f64).filter(|score| (0.0..=1.0).contains(score));
    let reason = object.get("reason").and_then(Value::as_str).map(str::to_owned);
    Some(Met { score: score.unwrap_or(of(is_met).score), reason, is_met })
}

fn yes_or_no(word: &str) -> Option<bool> {
    match bare(word).as_str() {
        "y" | "yes" | "pass" | "true" => Some(true),
        "n" | "no" | "fail" | "false" => Some(false),
        _ => None,
    }
}

/// A word without what stands around it, in small letters: of `**[[A]]**.`, `a`.
fn bare(word: &str) -> String {
    word.trim_matches(|char: char| !char.is_alphanumeric()).to_lowercase()
}

/// What a model answered after it thought aloud. One that never ends to think has not answered.
fn answered(reply: &str) -> &str {
    match reply.rsplit_once("</think>") {
        Some((_, answer)) => answer,
        None if reply.trim_start().starts_with("<think>") => "",
        None => reply,
    }
}

/// The last object in a text that has one of these members, and that member. A judge may repeat what an answer said before its own.
fn last_object(text: &str, names: &[&str]) -> Option<(Value, Map<String, Value>)> {
    let starts: Vec<usize> = text.char_indices().filter(|(_, char)| *char == '{').map(|(at, _)| at).collect();
    for start in starts.into_iter().rev().take(OBJECTS_MAX) {
        let rest = text.get(start..)?;
        let first = serde_json::Deserializer::from_str(rest).into_iter::<Map<String, Value>>().next();
        let Some(Ok(object)) = first else { continue };
        if let Some(value) = names.iter().find_map(|name| object.get(*name)) {
            return Some((value.clone(), object));
        }
    }
    None
}
