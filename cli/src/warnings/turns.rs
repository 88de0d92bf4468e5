//! Lists of keys by which a conversation's key changes from turn to turn, and so perhaps its version.
//!
//! The first turn of a conversation has no id that only the server's answer gives. Then a later key of the list counts, and from
//! the second turn on the id. Each has its own bucket.

use crate::describe;
use llm_canary::config::{Config, Error, Keyless, Rollout};

/// An id that the server gives.
struct GivenId {
    /// As [`describe::key_source`] writes it.
    source: &'static str,
    /// Whether each turn has another one.
    is_of_one_turn: bool,
    /// Whether it belongs to the Responses API, so that `pin.response_id` holds its conversation.
    is_tagged: bool,
}

const fn conversation(source: &'static str) -> GivenId {
    GivenId { source, is_of_one_turn: false, is_tagged: false }
}

const GIVEN_IDS: [GivenId; 6] = [
    GivenId { is_tagged: true, ..conversation("body /conversation") },
    GivenId { is_tagged: true, ..conversation("body /conversation/id") },
    GivenId { is_tagged: true, is_of_one_turn: true, ..conversation("body /previous_response_id") },
    // Gemini's interactions.
    GivenId { is_of_one_turn: true, ..conversation("body /previous_interaction_id") },
    // Dify.
    conversation("body /conversation_id"),
    // The Model Context Protocol.
    conversation("header mcp-session-id"),
];

/// Parts of paths of APIs without conversations on the server.
const OTHER_APIS: [&str; 5] = ["/chat", "/completions", "/messages", "/models/", "/generate"];

/// The warning about a rollout's keys, if one of them is given by the server and no pin holds the conversation.
/// `has_keys`: the configuration lists them, rather than using the default.
pub(super) fn find(config: &Config, rollout: &Rollout, has_keys: bool) -> Option<Error> {
    if rollout.versions.iter().filter(|version| !version.stopped).count() < 2 {
        return None; // there is nothing to change to
    }
    let path = rollout.matcher.path_prefix.as_deref().unwrap_or_default();
    let is_other_api = OTHER_APIS.iter().any(|other| path.contains(other));
    let sources: Vec<String> =
        rollout.keys.iter().map(|key| describe::key_source(config, &key.source)).collect();
    let given = |source: &String| GIVEN_IDS.iter().find(|id| id.source == source);
    sources.iter().enumerate().find_map(|(at, source)| {
        let id = given(source).filter(|id| !(id.is_tagged && is_other_api))?;
        // What the first turn may have. (An earlier key would count in every turn.)
        let first = sources.iter().skip(at).find(|later| given(later).is_none());
        if is_held(rollout, id, first.is_some()) {
            return None;
        }
        let first = first.map(String::as_str);
        let message = message(source, id, first, at > 0, has_keys);
        let path = if has_keys { format!(".key[{at}]") } else { ".key".to_owned() };
        Some(Error { path, message })
    })
}

/// A request without a key that goes to the baseline gets no pin in a header or a cookie.
fn is_held(rollout: &Rollout, id: &GivenId, has_first: bool) -> bool {
    let pin = &rollout.pin;
    let is_pinned = has_first || rollout.keyless == Keyless::Random;
    (pin.response_id && id.is_tagged) || (is_pinned && (pin.header.is_some() || pin.cookie.is_some()))
}

fn message(source: &str, id: &GivenId, first: Option<&str>, has_earlier: bool, has_keys: bool) -> String {
    let begin = if has_keys { String::new() } else { "is missing, so the default list counts: ".to_owned() };
    let given =
        if id.is_of_one_turn { "is another id in each turn" } else { "is an id that the server gives" };
    let then = match first {
        Some(first) => {
            format!("so the first turn of a conversation goes by another key, such as {first}")
        }
        None if has_earlier => {
            "so the first turn of a conversation has no key but an earlier one of the list".to_owned()
        }
        None => "so the first turn of a conversation has no key".to_owned(),
    };
    let tagged = if id.is_tagged { "\"pin\": {\"response_id\": true} or " } else { "" };
    let remedy = match first {
        Some(_) => format!("hold it with {tagged}\"pin\": {{\"header\": \"x-llm-pin\"}}"),
        None if id.is_tagged => "hold it with \"pin\": {\"response_id\": true}".to_owned(),
        None => "add a key that every turn has, and \"pin\": {\"header\": \"x-llm-pin\"}".to_owned(),
    };
    let without = if has_keys { "remove this key" } else { "list keys that every turn has" };
    format!(
        "{begin}{source} {given}, {then}, and the conversation may change its version; {remedy}, or {without}"
    )
}
