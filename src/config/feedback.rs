//! Checks `feedback`.

use super::json::Node;
use super::messages::quoted;
use super::paths::path;
use super::validator::{Empty, Validator};
use super::{FEEDBACK_VALUE_BYTES_MAX, FEEDBACK_VALUES_MAX, Feedback, Rollout};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

const RATING: &str = "rating";
const RATINGS: [&str; 3] = ["up", "down", "escalation"];

pub(super) fn feedback(v: &mut Validator<'_>, node: &Node) -> Option<Feedback> {
    let object = v.object(node, &["path", "rating", "up", "down", "escalation", "respond"])?;
    let path = v
        .required(object, "path", "write the path that feedback is sent to, such as \"/v1/feedback\"")
        .and_then(|node| path(v, node));
    let rating = match object.get("rating") {
        Some(node) => v.pointer(node),
        None => Some(vec![RATING.to_owned()]),
    };
    let mut known: Vec<(&str, &str)> = Vec::new();
    let [up, down, escalation] = RATINGS.map(|name| {
        let values = object.get(name).and_then(|node| values(v, node, name, &mut known));
        values.unwrap_or_default()
    });
    if !RATINGS.iter().any(|name| object.get(name).is_some()) {
        let remedy = "write the values of at least one of \"up\", \"down\" and \"escalation\"";
        v.error(object, format_args!("has no values to count; {remedy}"));
    }
    let respond = object.get("respond").map_or(Some(true), |node| v.bool(node));
    Some(Feedback { path: path?, rating: rating?, up, down, escalation, respond: respond? })
}

/// The values of one rating. `known` has the values of the ratings before, each with its rating.
fn values<'n>(
    v: &mut Validator<'_>,
    node: &'n Node,
    name: &'n str,
    known: &mut Vec<(&'n str, &'n str)>,
) -> Option<Vec<String>> {
    let items = v.filled_list(node, FEEDBACK_VALUES_MAX, "write at least one value, or leave it out")?;
    v.each(items, |v, node| {
        let value = v.text(node, Empty::Refused)?;
        if value.len() > FEEDBACK_VALUE_BYTES_MAX {
            let found = value.len();
            let message =
                format_args!("is {found} bytes long, but at most {FEEDBACK_VALUE_BYTES_MAX} are compared");
            v.error(node, message);
        }
        if let Some((_, earlier)) = known.iter().find(|(known, _)| *known == value) {
            let (value, earlier) = (quoted(value), quoted(earlier));
            v.error(node, format_args!("{value} is a value of {earlier} too; keep one"));
        }
        known.push((value, name));
        Some(value.to_owned())
    })
}

/// The earlier rollout that would receive all feedback for this one.
pub(super) fn shadowing<'r>(earlier: &'r [Rollout], rollout: &Rollout) -> Option<&'r str> {
    let path = &rollout.feedback.as_ref()?.path;
    let same = |other: &&Rollout| {
        let is_same_path = other.feedback.as_ref().is_some_and(|feedback| feedback.path == *path);
        is_same_path
            && other.matcher.hosts == rollout.matcher.hosts
            && other.matcher.headers == rollout.matcher.headers
    };
    earlier.iter().find(same).map(|other| other.name.as_str())
}
