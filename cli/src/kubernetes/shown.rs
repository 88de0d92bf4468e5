//! A resource as a text that people can read in a diff, and that this tool edits.
//!
//! In: the resource's JSON. Out: YAML, in which a text of several lines is a block. The YAML reads as the JSON.

use crate::yaml;
use serde_json::{Map, Value, json};

/// The kind, the name, and what of the resource may hold a configuration.
pub(crate) fn text(resource: &Value) -> String {
    let mut shown = Map::new();
    let at = |pointer| resource.pointer(pointer).cloned().unwrap_or(Value::Null);
    shown.insert("kind".to_owned(), at("/kind"));
    shown.insert("metadata".to_owned(), json!({"name": at("/metadata/name")}));
    for name in ["spec", "data", "binaryData"] {
        shown.extend(resource.get(name).map(|value| (name.to_owned(), value.clone())));
    }
    let shown = Value::Object(shown);
    let mut text = String::new();
    write(&shown, 0, &mut text);
    let text = format!("{}\n", text.trim_start_matches('\n'));
    // JSON is YAML, and can hold what a block cannot.
    if yaml::json(&text).as_ref() == Some(&shown) { text } else { format!("{shown:#}\n") }
}

/// Writes a value behind its name or dash.
fn write(value: &Value, indent: usize, out: &mut String) {
    let line = |indent: usize| format!("\n{}", " ".repeat(indent));
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                out.push_str(&format!("{}{}:", line(indent), key(name)));
                write(value, indent + 2, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&format!("{}-", line(indent)));
                let mut inner = String::new();
                write(item, indent + 2, &mut inner);
                // The first member stands beside the dash.
                let beside = inner.strip_prefix(&line(indent + 2));
                out.push_str(&beside.map_or(inner.clone(), |beside| format!(" {beside}")));
            }
        }
        Value::String(text) if text.trim_end_matches('\n').contains('\n') => {
            let (body, chomp) = match text.strip_suffix('\n') {
                Some(body) => (body, ""),
                None => (text.as_str(), "-"),
            };
            out.push_str(&format!(" |{chomp}"));
            for inner in body.split('\n') {
                out.push_str(&if inner.is_empty() {
                    "\n".to_owned()
                } else {
                    format!("{}{inner}", line(indent))
                });
            }
        }
        other => out.push_str(&format!(" {other}")),
    }
}

/// A name, in quotes if it is not plain in any version of YAML.
fn key(name: &str) -> String {
    let is_plain = name.len() > 3
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && !["null", "true", "false"].contains(&name.to_ascii_lowercase().as_str());
    if is_plain { name.to_owned() } else { Value::from(name).to_string() }
}

#[cfg(test)]
mod tests {
    use super::text;
    use crate::yaml;
    use serde_json::{Value, json};

    #[test]
    fn a_text_of_several_lines_is_a_block() {
        let resource = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "llm", "uid": "u"},
            "data": {"a.yaml": "x: 1\n\ny: |\n  z\n", "b": "one", "list": [{"k": 1, "name": [true, null]}, []]}
        });
        assert_eq!(
            text(&resource),
            "kind: \"ConfigMap\"\nmetadata:\n  name: \"llm\"\ndata:\n  a.yaml: |\n    x: 1\n\n    y: |\n      z\n  \"b\": \"one\"\n  \
             list:\n    - \"k\": 1\n      name:\n        - true\n        - null\n    - []\n"
        );
    }

    #[test]
    fn what_is_shown_reads_as_the_resource() {
        let texts = [
            "",
            "\n",
            " x\ny",
            "x\n\n",
            "x\ny\n\n",
            "x\r\ny\n",
            "\tx\ny\n",
            "x \n y\n",
            "# x\ny\n",
            "---\ny: 1\n",
            "a\u{85}b\nc\n",
        ];
        for one in texts {
            let data = json!({"a.json": one, "y": [one, {"null": one}], "": {}, "1.5": 12.5, "on": 1e300});
            let resource = json!({"kind": "ConfigMap", "metadata": {"name": "n"}, "data": data});
            let shown: Option<Value> = yaml::json(&text(&resource));
            assert_eq!(shown, Some(resource), "{one:?}");
        }
    }
}
