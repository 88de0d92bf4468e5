//! What is known of one exchange, as a JSON object for the access log. It holds names of the configuration, words of fixed
//! lists, numbers and times; nothing that a client or a server wrote. What is unknown is null.
//!
//! In: a decision and an observation. Out: text.

use crate::config::Config;
use crate::defect::{Defect, DefectSet};
use crate::metrics::ms;
use crate::observe::{Finish, Observation};
use crate::request_facts::RequestFacts;
use crate::route::Decision;
use alloc::string::String;
use core::fmt::{self, Display, Write};
use core::iter;

/// Writes the object. `status`: the response's, if its head arrived. `request`: what the request's body shows. The fields of
/// the response are those of `llm-canary replay --json`. Defects are null where they are not looked for.
#[must_use]
pub fn observation_json(
    config: &Config,
    decision: &Decision,
    status: Option<u16>,
    request: RequestFacts,
    observation: &Observation,
) -> String {
    let rollout = config.rollouts.get(decision.rollout);
    let version = rollout.and_then(|rollout| rollout.versions.get(decision.version));
    let Observation { usage, timing, .. } = observation;
    let mut object = Object(String::with_capacity(768));
    object.word("rollout", rollout.map(|rollout| &*rollout.name));
    object.word("version", version.map(|version| &*version.name));
    object.word("reason", Some(decision.reason.as_str()));
    object.value("compare", Some(decision.compare));
    object.value("shard", decision.shard);
    object.value("status", status);
    object.value("first_turn", request.is_first_turn);
    object.word("dialect", observation.dialect);
    object.word("outcome", Some(observation.outcome.as_str()));
    object.word("finish", (observation.finish != Finish::None).then(|| observation.finish.as_str()));
    object.value("text_chars", observation.text_chars);
    object.value("reasoning_chars", Some(observation.reasoning_chars));
    object.value("output_tokens", usage.output);
    object.value("input_tokens", usage.input);
    object.value("cached_input_tokens", usage.cached_input);
    object.value("reasoning_tokens", usage.reasoning);
    object.value("tool_calls", Some(observation.tool_calls));
    object.value("tools_offered", request.offers_tools);
    object.value("json_asked", request.asks_for_json);
    object.value("refusal", Some(observation.refusal.is_some()));
    let looks_for_defects = rollout.is_some_and(|rollout| rollout.defects);
    object.value("defects", looks_for_defects.then_some(DefectNames(observation.defects)));
    object.value("error", Some(observation.error));
    object.value("events", observation.events);
    object.word("unread", observation.unparsed.map(|unparsed| unparsed.as_str()));
    object.value("first_byte_ms", timing.first_byte_us.map(ms));
    object.value("first_token_ms", timing.first_token_us.map(ms));
    object.value("longest_gap_ms", timing.longest_gap_us.map(ms));
    object.value("duration_ms", Some(ms(timing.duration_us)));
    object.finish()
}

struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

/// The names of defects, sorted.
pub fn defect_names(defects: DefectSet) -> impl Iterator<Item = &'static str> {
    let next = move |last: &str| defects.iter().map(Defect::as_str).filter(|name| *name > last).min();
    iter::successors(next(""), move |last| next(last))
}

/// A list of the names of defects.
struct DefectNames(DefectSet);

impl Display for DefectNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('[')?;
        for (at, name) in defect_names(self.0).enumerate() {
            write!(f, "{}{}", if at == 0 { "" } else { "," }, Quoted(name))?;
        }
        f.write_char(']')
    }
}

/// An object of which some fields are written.
struct Object(String);

impl Object {
    /// Writes a field with a number or a truth value.
    fn value(&mut self, name: &str, value: Option<impl Display>) {
        let separator = if self.0.is_empty() { '{' } else { ',' };
        // Writing to a String does not fail.
        let _ = match value {
            Some(value) => write!(self.0, "{separator}\"{name}\":{value}"),
            None => write!(self.0, "{separator}\"{name}\":null"),
        };
    }

    /// Writes a field with a word that needs no escapes.
    fn word(&mut self, name: &str, word: Option<&str>) {
        self.value(name, word.map(Quoted));
    }

    fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}
