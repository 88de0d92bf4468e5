//! CSV → rows of named cells.

use crate::limits::CASES_MAX;
use serde_json::{Map, Value};

/// The rows of a CSV file; the first row has the names. Every cell is a text.
///
/// # Errors
/// A sentence without its subject.
pub fn rows(text: &str) -> Result<Vec<Map<String, Value>>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let names = reader.headers().map_err(|error| words(&error))?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| words(&error))?;
        if rows.len() >= CASES_MAX {
            return Err(format!("has more than {CASES_MAX} rows"));
        }
        rows.push(
            names
                .iter()
                .zip(record.iter())
                .map(|(name, cell)| (name.trim().to_owned(), Value::from(cell)))
                .collect(),
        );
    }
    Ok(rows)
}

fn words(error: &csv::Error) -> String {
    let line = error.position().map(|at| format!(" in line {}", at.line())).unwrap_or_default();
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("is not CSV{line}: a row has {len} cells, and the first has {expected_len}")
        }
        _ => format!("is not CSV{line}"),
    }
}
