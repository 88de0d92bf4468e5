//! What a configuration may say of feedback.

use super::reader::{Empty, Field, Reader, quoted};
use super::requests::path;
use super::{FEEDBACK_VALUE_BYTES_MAX, FEEDBACK_VALUES_MAX, Feedback, Rollout};

const RATING: &str = "rating";
const RATINGS: [&str; 3] = ["up", "down", "escalation"];

pub(super) fn feedback(r: &mut Reader, field: &Field<'_>) -> Option<Feedback> {
    let object = r.object(field, &["path", "rating", "up", "down", "escalation", "respond"])?;
    let path = r
        .required(&object, "path", "write the path that feedback is sent to, such as \"/v1/feedback\"")
        .and_then(|field| path(r, &field));
    let rating = match object.get("rating") {
        Some(field) => r.pointer(&field),
        None => Some(vec![RATING.to_owned()]),
    };
    let mut known: Vec<(String, &str)> = Vec::new();
    let [up, down, escalation] = RATINGS.map(|name| match object.get(name) {
        Some(field) => values(r, &field, name, &mut known),
        None => Some(Vec::new()),
    });
    if !RATINGS.iter().any(|name| object.get(name).is_some()) {
        r.error(
            &object.path,
            "counts nothing; write the values of at least one of \"up\", \"down\" and \"escalation\"",
        );
    }
    let respond = match object.get("respond") {
        Some(field) => r.bool(&field),
        None => Some(true),
    };
    Some(Feedback {
        path: path?,
        rating: rating?,
        up: up?,
        down: down?,
        escalation: escalation?,
        respond: respond?,
    })
}

/// The values of one rating. `known` are those of the ratings before.
fn values<'n>(
    r: &mut Reader,
    field: &Field<'_>,
    name: &'n str,
    known: &mut Vec<(String, &'n str)>,
) -> Option<Vec<String>> {
    let fields = r.list(field, FEEDBACK_VALUES_MAX)?;
    if fields.is_empty() {
        r.error(&field.path, "is empty; write at least one value, or leave it out");
    }
    let mut values = Vec::new();
    for field in &fields {
        let Some(value) = r.text(field, Empty::Refused) else { continue };
        if value.len() > FEEDBACK_VALUE_BYTES_MAX {
            let message =
                format!("is {} bytes long, but at most {FEEDBACK_VALUE_BYTES_MAX} are compared", value.len());
            r.error(&field.path, message);
        }
        if let Some((_, earlier)) = known.iter().find(|(known, _)| known == value) {
            r.error(&field.path, format!("{} is given in {} too; keep one", quoted(value), quoted(earlier)));
        }
        known.push((value.to_owned(), name));
        values.push(value.to_owned());
    }
    (values.len() == fields.len()).then_some(values)
}

/// The earlier rollout that would get all feedback meant for this one.
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
