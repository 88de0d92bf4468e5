//! `$ref: '#/a/b'` anywhere in a configuration is replaced by that part of it.

use crate::limits::{DEPTH_MAX, TEXT_BYTES_MAX, VALUES_MAX};
use serde_json::{Map, Value};

/// How many references may lead to further references.
const CHAIN_MAX: usize = 16;

/// # Errors
/// A sentence without its subject: the references lead in a circle, or add up to too much.
pub(super) fn with_references(document: Map<String, Value>) -> Result<Map<String, Value>, String> {
    let root = Value::Object(document);
    let mut left = Left { values: VALUES_MAX, bytes: TEXT_BYTES_MAX };
    match resolve(&root, &root, 0, 0, &mut left)? {
        Value::Object(document) => Ok(document),
        _ => Err("is no object".to_owned()),
    }
}

/// What the result may still hold.
struct Left {
    values: usize,
    bytes: usize,
}

fn resolve(
    value: &Value,
    root: &Value,
    depth: usize,
    chain: usize,
    left: &mut Left,
) -> Result<Value, String> {
    let too_much = || "has references ($ref) that add up to too much".to_owned();
    left.values = left.values.checked_sub(1).ok_or_else(too_much)?;
    if depth > DEPTH_MAX * 2 || chain > CHAIN_MAX {
        return Err("has references ($ref) that lead in a circle".to_owned());
    }
    match value {
        Value::Object(fields) => {
            if let Some(target) =
                fields.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'))
                && let Some(found) = root.pointer(&percent_decoded(target))
            {
                return resolve(found, root, depth + 1, chain + 1, left);
            }
            let mut resolved = Map::new();
            for (name, item) in fields {
                left.bytes = left.bytes.checked_sub(name.len()).ok_or_else(too_much)?;
                // The schemas of tools have references of their own.
                let item = if name == "parameters" && fields.contains_key("name") {
                    item.clone()
                } else {
                    resolve(item, root, depth + 1, chain, left)?
                };
                resolved.insert(name.clone(), item);
            }
            Ok(Value::Object(resolved))
        }
        Value::Array(items) => {
            let items = items.iter().map(|item| resolve(item, root, depth + 1, chain, left));
            Ok(Value::Array(items.collect::<Result<_, _>>()?))
        }
        Value::String(text) => {
            left.bytes = left.bytes.checked_sub(text.len()).ok_or_else(too_much)?;
            Ok(value.clone())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(value.clone()),
    }
}

fn percent_decoded(path: &str) -> String {
    path.replace("%20", " ").replace("%22", "\"").replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use super::with_references;
    use serde_json::{Value, json};

    fn resolved(document: Value) -> Result<Value, String> {
        let Value::Object(document) = document else { unreachable!() };
        with_references(document).map(Value::Object)
    }

    #[test]
    fn references_are_replaced() {
        let found = resolved(json!({"t": {"a": {"type": "contains"}}, "tests": [{"assert": [{"$ref": "#/t/a"}, {"$ref": "#/none"}]}]})).unwrap();
        assert_eq!(found["tests"][0]["assert"], json!([{"type": "contains"}, {"$ref": "#/none"}]));
    }

    #[test]
    fn circles_and_bombs_are_refused() {
        assert!(resolved(json!({"a": {"$ref": "#/a"}})).unwrap_err().contains("circle"));
        assert!(resolved(json!({"a": {"b": {"$ref": "#/a"}}})).unwrap_err().contains("circle"));
        let mut document = json!({"l0": ["x", "x", "x", "x", "x", "x", "x", "x", "x", "x"]});
        for level in 1..12 {
            let reference = json!({"$ref": format!("#/l{}", level - 1)});
            document[format!("l{level}")] = Value::Array(vec![reference; 10]);
        }
        assert!(resolved(document).unwrap_err().contains("too much"));
    }
}
