//! The prompts of a configuration: texts, files and patterns for files.

use super::{is_code, is_remote};
use crate::import::{Source, files};
use crate::js;
use crate::limits::PROMPTS_MAX;
use crate::set::{Prompt, Set};
use crate::table;
use crate::yaml::{self, Duplicates};
use serde_json::Value;

/// A line that separates prompts in one file.
const SEPARATOR: &str = "---";

const EXTENSIONS: &[&str] = &[
    ".cjs", ".cts", ".j2", ".js", ".json", ".jsonl", ".md", ".mjs", ".mts", ".py", ".ts", ".txt", ".yml",
    ".yaml",
];

/// # Errors
/// A sentence without its subject.
pub(super) fn read(
    value: Option<&Value>,
    source: &Source<'_, '_>,
    set: &mut Set,
) -> Result<Vec<Prompt>, String> {
    let mut reader = Reader { source, set, found: Vec::new() };
    match value {
        None | Some(Value::Null) => reader.text("{{prompt}}", None)?,
        Some(Value::String(text)) => reader.prompt(text, None)?,
        Some(Value::Array(items)) => {
            let mut texts: Vec<&str> = Vec::new();
            for item in items {
                match item {
                    // Texts that are the same are one prompt; objects are not.
                    Value::String(text) if texts.contains(&text.as_str()) => {}
                    Value::String(text) => {
                        texts.push(text);
                        reader.prompt(text, None)?;
                    }
                    Value::Object(fields) => {
                        let text = fields
                            .get("raw")
                            .or(fields.get("id"))
                            .or(fields.get("label"))
                            .and_then(Value::as_str);
                        let label = fields.get("label").and_then(Value::as_str);
                        match text {
                            Some(text) => reader.prompt(text, label)?,
                            None => {
                                reader.set.warn("prompts: an item has neither raw nor id, so it is no prompt")
                            }
                        }
                    }
                    _ => reader
                        .set
                        .warn("prompts: an item is neither a text nor an object, so it is no prompt"),
                }
            }
        }
        Some(Value::Object(labels)) => {
            for (text, label) in labels {
                reader.prompt(text, label.as_str())?;
            }
        }
        Some(_) => return Err("has prompts that are neither a text nor a list".to_owned()),
    }
    Ok(reader.found)
}

struct Reader<'r, 'a, 't> {
    source: &'r Source<'a, 't>,
    set: &'r mut Set,
    found: Vec<Prompt>,
}

impl Reader<'_, '_, '_> {
    fn prompt(&mut self, raw: &str, label: Option<&str>) -> Result<(), String> {
        if is_remote(raw) {
            self.set.leave_out("network", 1);
            self.set.warn(format!(
                "prompt {raw} is kept by a service, which is not asked; write its text into a file"
            ));
            return self.left_out(raw, label);
        }
        if raw.starts_with("exec:") {
            return self.code(raw, label);
        }
        if raw.is_empty() || !may_be_path(raw) {
            return self.text(raw, label);
        }
        if is_pattern(raw) || self.is_folder(raw) {
            let pattern =
                if is_pattern(raw) { raw.to_owned() } else { format!("{}/*", raw.trim_end_matches('/')) };
            let names = self.source.tree.matching("", &pattern).unwrap_or_else(|words| {
                self.set.warn(format!("prompt {raw} {words}"));
                Vec::new()
            });
            if names.is_empty() {
                return self.text(raw, label);
            }
            return names.iter().try_for_each(|name| self.file(name, name, None));
        }
        let is_certain = raw.starts_with("file://");
        if is_code(raw) {
            return self.code(raw, label);
        }
        if !is_certain && !self.source.tree.has("", raw) {
            if EXTENSIONS.iter().any(|ext| raw.ends_with(ext)) && !raw.contains(' ') {
                self.set.warn(format!("prompt {raw} looks like a file that does not exist; it is left out"));
                return self.left_out(raw, label);
            }
            self.set.warn(format!(
                "prompt {:?} is taken as text; promptfoo would look for a file of this name",
                short(raw)
            ));
            return self.text(raw, label);
        }
        self.file(raw, raw, label)
    }

    fn file(&mut self, path: &str, shown: &str, label: Option<&str>) -> Result<(), String> {
        if is_code(path) {
            return self.code(path, label);
        }
        let text = match self.source.tree.text("", path) {
            Ok(text) => text,
            Err(words) => {
                self.set.warn(format!("prompt {shown} {words}; it is left out"));
                return self.left_out(shown, label);
            }
        };
        match files::extension(path) {
            "txt" => self.texts(&text, path, label),
            "jsonl" => {
                text.lines().filter(|line| !line.is_empty()).try_for_each(|line| self.text(line, label))
            }
            "csv" => self.rows(&text, label),
            "json" => match serde_json::from_str::<Value>(&text) {
                Ok(value) => self.value(&value, label),
                Err(_) => self.text(&text, label),
            },
            "yaml" | "yml" => match yaml::parse(&text, Duplicates::Refused) {
                Ok(Some(value)) => self.value(&value, label),
                Ok(None) | Err(_) => self.text(&text, label),
            },
            _ => self.text(&text, label),
        }
    }

    /// A prompt for each part of a text.
    fn texts(&mut self, text: &str, path: &str, label: Option<&str>) -> Result<(), String> {
        let lines: Vec<&str> = text.lines().collect();
        for part in lines.split(|line| js::trim(line) == SEPARATOR) {
            let part = part.join("\n");
            let part = js::trim(&part);
            if !part.is_empty() {
                let name = label
                    .map_or_else(|| format!("{path}: {part}"), |label| format!("{label}: {path}: {part}"));
                self.text(part, Some(&name))?;
            }
        }
        Ok(())
    }

    /// A prompt for each row: its column `prompt`, or the whole line.
    fn rows(&mut self, text: &str, label: Option<&str>) -> Result<(), String> {
        let rows = if text.contains(',') { table::rows(text).unwrap_or_default() } else { Vec::new() };
        if !rows.is_empty() {
            for row in &rows {
                let cell = |name: &str| {
                    row.get(name).and_then(Value::as_str).map(js::trim).filter(|cell| !cell.is_empty())
                };
                if let Some(prompt) = cell("prompt") {
                    self.text(prompt, cell("label").or(label))?;
                }
            }
            return Ok(());
        }
        let mut lines = text.lines().filter(|line| !js::trim(line).is_empty()).peekable();
        if lines.peek().is_some_and(|line| js::trim(line).eq_ignore_ascii_case("prompt")) {
            lines.next();
        }
        lines.try_for_each(|line| self.text(line, label))
    }

    /// A prompt that is a value: texts in it that name files are replaced by these.
    fn value(&mut self, value: &Value, label: Option<&str>) -> Result<(), String> {
        let mut warnings = Vec::new();
        let value = files::with_files(value, "", self.source.tree, &mut warnings);
        warnings.into_iter().for_each(|words| self.set.warn(words));
        self.text(&js::stringify(&value), label)
    }

    fn code(&mut self, raw: &str, label: Option<&str>) -> Result<(), String> {
        self.set.leave_out("prompt.code", 1);
        self.set.warn(format!("prompt {raw} is code, which is never run; write the prompt as text"));
        self.left_out(raw, label)
    }

    fn text(&mut self, text: &str, label: Option<&str>) -> Result<(), String> {
        self.push(Prompt {
            text: text.to_owned(),
            label: label.unwrap_or(text).to_owned(),
            is_left_out: false,
        })
    }

    fn left_out(&mut self, text: &str, label: Option<&str>) -> Result<(), String> {
        self.push(Prompt {
            text: text.to_owned(),
            label: label.unwrap_or(text).to_owned(),
            is_left_out: true,
        })
    }

    fn push(&mut self, prompt: Prompt) -> Result<(), String> {
        if self.found.len() >= PROMPTS_MAX {
            return Err(format!("has more than {PROMPTS_MAX} prompts"));
        }
        self.found.push(prompt);
        Ok(())
    }

    fn is_folder(&self, raw: &str) -> bool {
        !raw.contains(' ')
            && raw.starts_with("file://")
            && files::extension(raw).is_empty()
            && self.source.tree.matching("", &format!("{raw}/*")).is_ok_and(|names| !names.is_empty())
    }
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

fn is_pattern(raw: &str) -> bool {
    // A template has braces of its own.
    raw.contains(['*', '?', '[']) && !raw.contains("{{")
        || (raw.contains('{') && !raw.contains("{{") && raw.contains(','))
}

/// Whether promptfoo looks for a file of this name.
fn may_be_path(raw: &str) -> bool {
    if raw.contains('\n') {
        return false;
    }
    let parts: Vec<&str> = raw.split(':').collect();
    let has_extension =
        |part: Option<&&str>| part.is_some_and(|part| EXTENSIONS.iter().any(|ext| part.ends_with(ext)));
    let from_end = |n: usize| raw.chars().rev().nth(n) == Some('.');
    raw.starts_with("file://")
        || has_extension(parts.last())
        || has_extension(parts.len().checked_sub(2).and_then(|at| parts.get(at)))
        || from_end(2)
        || from_end(3)
        || raw.contains(['*', '/', '\\'])
}
