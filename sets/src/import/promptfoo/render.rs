//! A prompt and variables → the text that is asked.

use super::is_code;
use crate::import::files;
use crate::js;
use crate::template::Templates;
use crate::tree::Tree;
use crate::yaml::{self, Duplicates};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

type Fields = Map<String, Value>;

/// So often variables may lead to variables.
const PASSES_MAX: usize = 5;

/// Variables as templates see them: files are read, and variables within variables are replaced.
///
/// # Errors
/// A sentence without its subject.
pub(crate) fn prepared(variables: &Fields, tree: &Tree<'_>) -> Result<Fields, String> {
    let mut prepared = Fields::new();
    for (name, value) in variables {
        let value = match value {
            Value::String(path) if path.starts_with("file://") => Value::from(
                of_file(path, tree).map_err(|words| format!("has a variable {name}: {path} {words}"))?,
            ),
            Value::String(text) => Value::from(text.strip_suffix('\n').unwrap_or(text)),
            value => value.clone(),
        };
        prepared.insert(name.clone(), value);
    }
    resolve(&mut prepared);
    Ok(prepared)
}

fn of_file(path: &str, tree: &Tree<'_>) -> Result<String, String> {
    if is_code(path) {
        return Err("is code, which is never run".to_owned());
    }
    let extension = files::extension(path).to_ascii_lowercase();
    match extension.as_str() {
        "yaml" | "yml" => {
            let text = tree.text("", path)?;
            Ok(yaml::parse(&text, Duplicates::Refused)?
                .map(|value| js::stringify(&value))
                .unwrap_or_default())
        }
        "pdf" => Err("is a PDF, which is not read; save it as text".to_owned()),
        "jpg" | "jpeg" | "png" | "gif" | "bmp" | "webp" | "svg" | "tif" | "tiff" | "ico" | "avif"
        | "heic" | "heif" => {
            let bytes = tree.bytes("", path)?;
            let kind = match extension.as_str() {
                "jpg" => "jpeg",
                "svg" => "svg+xml",
                "tif" => "tiff",
                "ico" => "x-icon",
                other => other,
            };
            Ok(format!("data:image/{kind};base64,{}", STANDARD.encode(bytes)))
        }
        "wav" | "mp3" | "ogg" | "aac" | "m4a" | "flac" | "mp4" | "webm" | "mov" | "avi" | "mkv" | "wmv"
        | "m4v" => Ok(STANDARD.encode(tree.bytes("", path)?)),
        _ => Ok(js::trim(&tree.text("", path)?).to_owned()),
    }
}

/// Replaces `{{name}}` in texts by other variables, one a pass.
fn resolve(variables: &mut Fields) {
    let names: Vec<String> = variables.keys().cloned().collect();
    for _ in 0..PASSES_MAX {
        let mut is_done = true;
        for name in &names {
            let Some(Value::String(text)) = variables.get(name) else { continue };
            let Some((range, other)) = placeholder(text) else { continue };
            let Some(value) = variables.get(other) else { continue };
            let replaced = with_replacement(text, range, &js::text(value));
            variables.insert(name.clone(), Value::from(replaced));
            is_done = false;
        }
        if is_done {
            return;
        }
    }
}

/// `text.replace(placeholder, value)` of JavaScript, in which `$$`, `$&`, `` $` `` and `$'` of the value have a meaning.
fn with_replacement(text: &str, range: std::ops::Range<usize>, value: &str) -> String {
    let (before, after) =
        (text.get(..range.start).unwrap_or_default(), text.get(range.end..).unwrap_or_default());
    let mut out = String::from(before);
    let mut rest = value;
    while let Some((head, tail)) = rest.split_once('$') {
        out.push_str(head);
        let (meant, length) = match tail.chars().next() {
            Some('$') => ("$", 1),
            Some('&') => (text.get(range.clone()).unwrap_or_default(), 1),
            Some('`') => (before, 1),
            Some('\'') => (after, 1),
            _ => ("$", 0),
        };
        out.push_str(meant);
        rest = tail.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    out.push_str(after);
    out
}

/// A value of a configuration in which what asks for the environment alone is rendered, as promptfoo does when it reads one.
pub(crate) fn with_environment(templates: &Templates, value: &Value) -> Value {
    match value {
        Value::String(text) if text.contains("env") => Value::from(environment_in(templates, text)),
        Value::Array(items) => items.iter().map(|item| with_environment(templates, item)).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, item)| (name.clone(), with_environment(templates, item)));
            Value::Object(fields.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn environment_in(templates: &Templates, text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once("{{") {
        out.push_str(head);
        let Some((code, after)) = tail.split_once("}}") else {
            out.push_str("{{");
            rest = tail;
            continue;
        };
        let whole = format!("{{{{{code}}}}}");
        let asks = code.contains("env.") || code.contains("env[");
        let rendered = asks.then(|| templates.render(&whole, &Fields::new()).ok()).flatten();
        // What is not set stays, unless a filter has a value for it.
        match rendered.filter(|text| !text.is_empty() || code.contains('|')) {
            Some(rendered) => out.push_str(&rendered),
            None => out.push_str(&whole),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The first `{{ name }}`: where it is, and the name.
fn placeholder(text: &str) -> Option<(std::ops::Range<usize>, &str)> {
    let mut from = 0;
    loop {
        let start = from + text.get(from..)?.find("{{")?;
        let rest = text.get(start + 2..)?;
        let end = rest.find("}}");
        let name = end.and_then(|end| rest.get(..end)).map(|inner| inner.trim_matches(js::is_space));
        let is_name =
            |name: &&str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if let (Some(end), Some(name)) = (end, name.filter(is_name)) {
            return Some((start..start + 2 + end + 2, name));
        }
        from = start + 1;
    }
}

/// The text of a prompt with [`prepared`] variables.
///
/// # Errors
/// A sentence without its subject.
pub(crate) fn prompt(templates: &Templates, raw: &str, variables: &Fields) -> Result<String, String> {
    if let Ok(value) = serde_json::from_str::<Value>(raw)
        && let Ok(rendered) = strings(templates, &value, variables)
    {
        return Ok(js::stringify(&rendered));
    }
    let mut rendered = Fields::new();
    for (name, value) in variables {
        let value = match value {
            Value::String(text) if !asks_for_unknown(text, variables) => {
                Value::from(templates.render(&raw_if_partial(text), variables)?)
            }
            value => value.clone(),
        };
        rendered.insert(name.clone(), value);
    }
    templates.render(&raw_if_partial(raw), &rendered)
}

/// A value with every text in it rendered on its own.
fn strings(templates: &Templates, value: &Value, variables: &Fields) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => Value::from(templates.render(text, variables)?),
        Value::Array(items) => Value::Array(
            items.iter().map(|item| strings(templates, item, variables)).collect::<Result<_, _>>()?,
        ),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, item)| Ok::<_, String>((name.clone(), strings(templates, item, variables)?)));
            Value::Object(fields.collect::<Result<_, _>>()?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    })
}

/// A text with a mark that is opened and not closed before the end of a line is no template.
fn raw_if_partial(text: &str) -> String {
    let is_open = |mark: &str, closing: char| {
        text.match_indices(mark).any(|(at, _)| {
            let rest = text.get(at + 2..).unwrap_or_default();
            let is_line_end = |c: char| matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}');
            rest.find(|c| c == closing || is_line_end(c))
                .is_none_or(|end| rest.get(end..).is_some_and(|rest| rest.starts_with(is_line_end)))
        })
    };
    let is_partial = is_open("{%", '%') || is_open("{{", '}') || is_open("{#", '#');
    let is_wrapped = text.contains("raw") && text.contains("endraw");
    if is_partial && !is_wrapped { format!("{{% raw %}}{text}{{% endraw %}}") } else { text.to_owned() }
}

/// Whether a text asks for a variable that is not there: it stays as it is.
fn asks_for_unknown(text: &str, variables: &Fields) -> bool {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('{') {
        rest = after;
        let name = if let Some(code) = after.strip_prefix('{') {
            code.trim_start_matches(js::is_space)
        } else if let Some(code) = after.strip_prefix('%') {
            let code = code.trim_start_matches(js::is_space);
            match code.strip_prefix("if ").or_else(|| code.strip_prefix("for ")) {
                // A loop's own name is no variable: what stands behind `in` is.
                Some(code) => code.split_once(" in ").map_or(code, |(_, over)| over).trim_start(),
                None => continue,
            }
        } else {
            continue;
        };
        let name: String = name.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if is_name && name != "env" && !variables.contains_key(&name) {
            return true;
        }
    }
    false
}
