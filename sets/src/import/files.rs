//! Files that values name: `file://schema.json`.

use crate::tree::Tree;
use crate::yaml::{self, Duplicates};
use serde_json::{Map, Value};

/// The extension of a path, in lower case, without its dot.
pub(crate) fn extension(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// The value of a file: JSON and YAML are parsed, anything else is its text.
///
/// # Errors
/// A sentence without its subject.
pub(crate) fn value(folder: &str, reference: &str, tree: &Tree<'_>) -> Result<Value, String> {
    let text = tree.text(folder, reference)?;
    match extension(reference) {
        "json" => serde_json::from_str(&text).map_err(|_| "is not JSON".to_owned()),
        "yaml" | "yml" => Ok(yaml::parse(&text, Duplicates::Refused)?.unwrap_or(Value::Null)),
        _ => Ok(Value::from(text)),
    }
}

/// A value in which texts that name files are replaced by what these hold. One that cannot be read stays, with a warning.
pub(crate) fn with_files(
    value_in: &Value,
    folder: &str,
    tree: &Tree<'_>,
    warnings: &mut Vec<String>,
) -> Value {
    match value_in {
        Value::String(text) if text.starts_with("file://") => {
            value(folder, text, tree).unwrap_or_else(|words| {
                warnings.push(format!("{text} {words}"));
                value_in.clone()
            })
        }
        Value::Array(items) => items.iter().map(|item| with_files(item, folder, tree, warnings)).collect(),
        Value::Object(fields) => {
            let fields =
                fields.iter().map(|(name, item)| (name.clone(), with_files(item, folder, tree, warnings)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value_in.clone(),
    }
}
