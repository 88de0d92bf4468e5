//! JSON, a value on each line.

use crate::limits::CASES_MAX;
use serde_json::Value;

/// The values of lines that are not empty.
///
/// # Errors
/// A sentence without its subject, with the number of the line.
pub(crate) fn values(text: &str) -> Result<Vec<Value>, String> {
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        if found.len() >= CASES_MAX {
            return Err(format!("has more than {CASES_MAX} lines"));
        }
        found.push(serde_json::from_str(line).map_err(|_| format!("is not JSON in line {}", at + 1))?);
    }
    Ok(found)
}
