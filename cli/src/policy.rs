//! The text of a policy → a [`Policy`], or everything that is wrong with it at once.
//!
//! In: YAML or JSON. Out: the policy, or a problem for each mistake, with its path and what to write instead. Unknown fields
//! are mistakes. `reader` reads single values, the other modules a part of the policy each.

mod limits;
mod margins;
mod reader;
mod signals;

use crate::error::Error;
use crate::plugin;
use crate::suggest::is_misspelled;
use llm_canary::config::json::Node;
use llm_canary_verdict::policy::{Goal, Policy, Price};
use llm_canary_verdict::signal::Direction;
use reader::{Place, Reader};
pub(crate) use signals::{parse as parse_signal, suggest as suggest_signal};
use std::collections::BTreeMap;

/// The default policy, with a comment a line.
pub(crate) const DEFAULT: &str = include_str!("policy/default.yaml");

/// Versions with prices: more than any rollout can have.
const PRICES_MAX: usize = 64;

const FIELDS: [&str; 11] = [
    "alpha",
    "beta",
    "tolerance",
    "signals",
    "margins",
    "warmup",
    "settle",
    "limits",
    "health",
    "goal",
    "prices",
];

/// The policy in a text; `name` is the file's.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn parse(name: &str, bytes: &[u8]) -> Result<Policy, Error> {
    let documents = plugin::plain_documents(name, bytes)?;
    match documents.as_slice() {
        [document] => read(name, document, bytes),
        [] => Err(Error::problem(name, "is empty; llm-canary policy prints a policy to begin with")),
        documents => {
            let count = documents.len();
            Err(Error::problem(name, format!("has {count} documents; keep the one with the policy")))
        }
    }
}

/// The only document of a text, if it is meant as a policy: no field of it is a configuration's, and at least half are a policy's, as
/// far as one can tell.
pub(crate) fn is_policy(bytes: &[u8]) -> bool {
    let documents = plugin::plain_documents("", bytes);
    let Ok([document]) = documents.as_deref() else { return false };
    let members = document.members();
    let fields = count_fields(document);
    fields > 0 && fields * 2 >= members.len() && document.get("rollouts").is_none()
}

/// The same where any file may be given: at least two fields are a policy's, by their full names.
pub(crate) fn is_surely_policy(bytes: &[u8]) -> bool {
    let documents = plugin::plain_documents("", bytes);
    let Ok([document]) = documents.as_deref() else { return false };
    let is_field = |(name, _): &&(String, Node)| FIELDS.contains(&name.as_str());
    is_policy(bytes) && document.members().iter().filter(is_field).count() >= 2
}

/// How many of a document's fields are a policy's, or nearly.
fn count_fields(document: &Node) -> usize {
    let is_field = |name: &str| FIELDS.iter().any(|field| is_misspelled(name, field));
    document.members().iter().filter(|(name, _)| is_field(name)).count()
}

fn read(name: &str, document: &Node, bytes: &[u8]) -> Result<Policy, Error> {
    if !document.members().is_empty() && count_fields(document) == 0 {
        let message = "holds no policy: none of its fields is a policy's; llm-canary policy prints a policy to begin with";
        return Err(Error::problem(name, message));
    }
    let mut reader = Reader::default();
    let policy = policy(&mut reader, &Place::root(document));
    reader.doubtful(bytes);
    let problems = reader.into_problems(name);
    if problems.is_empty() { Ok(policy) } else { Err(Error::invalid(problems)) }
}

/// Reads what can be read. Where there is a problem, the value is the default's.
fn policy(reader: &mut Reader, root: &Place<'_>) -> Policy {
    let mut policy = Policy::default();
    let Some(fields) = reader.object(root, &FIELDS) else { return policy };
    let part = |reader: &mut Reader, name: &str, default: f64| {
        fields.get(name).and_then(|place| reader.part(&place)).unwrap_or(default)
    };
    policy.alpha = part(reader, "alpha", policy.alpha);
    policy.beta = part(reader, "beta", policy.beta);
    if let Some(place) = fields.get("tolerance") {
        policy.tolerance = reader.ratio(&place).unwrap_or(policy.tolerance);
    }
    if let Some(place) = fields.get("signals") {
        policy.signals = signals::read(reader, &place);
    }
    if let Some(place) = fields.get("margins") {
        policy.margins = margins::tiers(reader, &place).unwrap_or(policy.margins);
    }
    if let Some(place) = fields.get("warmup") {
        policy.warmup_ms = reader.duration_ms(&place, 0).unwrap_or(policy.warmup_ms);
    }
    if let Some(place) = fields.get("settle") {
        policy.settle_ms = reader.duration_ms(&place, 0).unwrap_or(policy.settle_ms);
    }
    if let Some(place) = fields.get("limits") {
        policy.limits = limits::limits(reader, &place, policy.limits);
    }
    if let Some(place) = fields.get("health") {
        policy.health = limits::health(reader, &place);
    }
    if let Some(place) = fields.get("goal") {
        policy.goal = goal(reader, &place);
    }
    if let Some(place) = fields.get("prices") {
        policy.prices = prices(reader, &place);
    }
    signals::some_guard(reader, root, &policy);
    policy
}

fn goal(reader: &mut Reader, place: &Place<'_>) -> Option<Goal> {
    let fields = reader.object(place, &["signal", "better"])?;
    let signal = reader.required(&fields, "signal", "write the signal that the test is about");
    let signal = signal.and_then(|place| signals::named(reader, &place));
    let better = reader.required(&fields, "better", "write up or down");
    let better =
        better.and_then(|place| reader.choice(&place, &[("up", Direction::Up), ("down", Direction::Down)]));
    Some(Goal { signal: signal?, better: better? })
}

fn prices(reader: &mut Reader, place: &Place<'_>) -> BTreeMap<String, Price> {
    let mut prices = BTreeMap::new();
    for (version, place) in reader.members(place, PRICES_MAX).unwrap_or_default() {
        let Some(fields) = reader.object(&place, &["input", "cached_input", "output"]) else { continue };
        let what = "write the price of a million tokens";
        let input = reader.required(&fields, "input", what).and_then(|place| reader.price(&place));
        let cached_input = fields.get("cached_input").and_then(|place| reader.price(&place));
        let output = reader.required(&fields, "output", what).and_then(|place| reader.price(&place));
        if let (Some(input), Some(output)) = (input, output) {
            prices.insert(version.to_owned(), Price { input, cached_input, output });
        }
    }
    prices
}

#[cfg(test)]
mod tests;
