//! The text of a prompt → messages.

use crate::yaml::{self, Duplicates};
use serde_json::{Value, json};

/// The messages that a text is: a list in JSON or YAML, or one of a user.
///
/// # Errors
/// A sentence without its subject.
pub fn messages(text: &str) -> Result<Vec<Value>, String> {
    let trimmed = text.trim();
    if trimmed.starts_with("- role:") {
        let value = yaml::parse(text, Duplicates::Refused)
            .map_err(|words| format!("begins like messages in YAML, and {words}"))?;
        return Ok(value.as_ref().and_then(list).unwrap_or_else(|| of_user(text)));
    }
    match serde_json::from_str::<Value>(text) {
        Ok(value) => Ok(list(&value).unwrap_or_else(|| of_user(text))),
        Err(_) => {
            let looks_like_json = trimmed.starts_with(['[', '{']) && trimmed.ends_with([']', '}']);
            if looks_like_json {
                Err("begins and ends like JSON, and is none: quote variables with | dump".to_owned())
            } else {
                Ok(of_user(text))
            }
        }
    }
}

/// One message of a user.
#[must_use]
pub fn of_user(text: &str) -> Vec<Value> {
    vec![json!({"role": "user", "content": text})]
}

fn list(value: &Value) -> Option<Vec<Value>> {
    let items = value.as_array().or_else(|| value.get("messages")?.as_array())?;
    let is_message = |item: &Value| item.get("role").is_some_and(Value::is_string);
    (!items.is_empty() && items.iter().all(is_message)).then(|| items.clone())
}
