//! lm-evaluation-harness: a task in YAML, with local data and texts made by Jinja templates.

use super::{Source, files, lines};
use crate::limits::CASES_MAX;
use crate::set::{Ask, Assertion, Case, Check, Set};
use crate::table;
use crate::template::{Dialect, NoVariables, Templates};
use crate::tree;
use crate::yaml::{self, Duplicates};
use serde_json::{Map, Value, json};
use std::sync::Arc;

type Fields = Map<String, Value>;

const FORMAT: &str = "lm-eval-task-yaml";
/// Files that include each other.
const INCLUDES_MAX: usize = 8;

/// Whether a document is a task or a group of tasks.
pub(super) fn is_task(document: &Fields) -> bool {
    let has = |name: &str| document.contains_key(name);
    let is_named = has("task") || has("group") || has("include") || has("tag");
    is_named
        && !has("prompts")
        && [
            "dataset_path",
            "doc_to_text",
            "class",
            "include",
            "output_type",
            "metric_list",
            "task",
            "dataset_name",
        ]
        .iter()
        .any(|name| has(name))
}

/// # Errors
/// A sentence without its subject.
pub(super) fn read(document: Fields, source: &Source<'_, '_>) -> Result<Set, String> {
    let mut set = Set::of_messages(FORMAT);
    let task = with_includes(document, "", source, &mut set, INCLUDES_MAX);
    let functions = functions_in(&Value::Object(task.clone()));
    set.leave_out("!function", functions);
    if functions > 0 {
        set.warn("parts of the task are functions in Python (!function), which are never run");
    }
    if task.contains_key("group") || task.get("task").is_some_and(Value::is_array) {
        set.leave_out("group", 1);
        set.warn("is a group of tasks; give the files of its tasks");
        return Ok(set);
    }
    if task.contains_key("class") {
        return Ok(set);
    }
    let output_type = task.get("output_type").and_then(Value::as_str).unwrap_or("generate_until");
    if output_type != "generate_until" {
        set.leave_out(output_type, 1);
        set.warn(format!("output_type {output_type} needs the probabilities of tokens, which no chat API gives; the task is left out"));
    }
    let ways = ways(&task, &mut set);
    let is_left_out = functions > 0 || output_type != "generate_until";
    let documents = documents(&task, source, &mut set)?;
    if is_left_out || documents.is_none() {
        if !is_left_out {
            set.declared.insert("exact_match".to_owned(), ways.len() as u64);
        }
        return Ok(set);
    }
    cases(&task, &documents.unwrap_or_default(), &ways, &mut set)?;
    Ok(set)
}

fn with_includes(task: Fields, folder: &str, source: &Source<'_, '_>, set: &mut Set, left: usize) -> Fields {
    let Some(path) = task.get("include").and_then(Value::as_str).map(str::to_owned) else { return task };
    let Some(left) = left.checked_sub(1) else {
        set.warn("include: files include each other in a circle");
        return task;
    };
    let read = source.tree.text(folder, &path).and_then(|text| yaml::parse(&text, Duplicates::LastCounts));
    let parent = match read {
        Ok(Some(Value::Object(parent))) => parent,
        Ok(_) => Fields::new(),
        Err(words) => {
            set.warn(format!("include {path} {words}"));
            Fields::new()
        }
    };
    let (above, _) = tree::split(&path);
    let mut merged = with_includes(parent, &tree::join(folder, above), source, set, left);
    merged.extend(task);
    merged.remove("include");
    merged
}

/// How many values are marked `!function`.
fn functions_in(value: &Value) -> u64 {
    match value {
        Value::Object(fields) => {
            fields.iter().map(|(name, item)| u64::from(name == "!function") + functions_in(item)).sum()
        }
        Value::Array(items) => items.iter().map(functions_in).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// The ways in which an answer is compared: metric by pipeline of filters.
fn ways(task: &Fields, set: &mut Set) -> Vec<Value> {
    let metrics: Vec<Value> = match task.get("metric_list").and_then(Value::as_array) {
        Some(metrics) => metrics.clone(),
        None => vec![json!({"metric": "exact_match"})],
    };
    let pipelines: Vec<Value> = match task.get("filter_list").and_then(Value::as_array) {
        Some(pipelines) if !pipelines.is_empty() => pipelines.clone(),
        _ => vec![json!({"name": "none", "filter": []})],
    };
    let mut ways = Vec::new();
    for metric in &metrics {
        let name = metric.get("metric").map(crate::js::text).unwrap_or_default();
        if name != "exact_match" {
            let is_function = metric.get("metric").is_some_and(Value::is_object);
            if !is_function {
                set.leave_out(&name, pipelines.len() as u64);
                set.warn(format!("metric {name} is not computed"));
            }
            continue;
        }
        for pipeline in &pipelines {
            let filters = pipeline.get("filter").and_then(Value::as_array).cloned().unwrap_or_default();
            ways.push(json!({
                "name": pipeline.get("name"), "filters": filters, "regexes_to_ignore": metric.get("regexes_to_ignore"),
                "ignore_case": metric.get("ignore_case"), "ignore_punctuation": metric.get("ignore_punctuation"),
                "ignore_numbers": metric.get("ignore_numbers"),
            }));
        }
    }
    let repeats = task.get("repeats").and_then(Value::as_u64).unwrap_or(1);
    if repeats > 1 {
        set.warn(format!(
            "repeats: {repeats} answers would be asked for; one is, and a majority of one is that one"
        ));
    }
    ways
}

/// The documents of the data; `None` if they are not local.
fn documents(task: &Fields, source: &Source<'_, '_>, set: &mut Set) -> Result<Option<Vec<Value>>, String> {
    let path = task.get("dataset_path").and_then(Value::as_str).unwrap_or_default();
    let listed = task.get("dataset_kwargs").and_then(|kwargs| kwargs.get("data_files"));
    let splits = ["test_split", "validation_split", "training_split"];
    let split = splits.iter().find_map(|name| task.get(*name).and_then(Value::as_str));
    let chosen = match listed {
        Some(Value::Object(by_split)) => {
            split.and_then(|split| by_split.get(split)).or_else(|| by_split.values().next())
        }
        other => other,
    };
    let names: Vec<&str> = match chosen {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is_local = matches!(path, "json" | "csv" | "jsonl")
        && !names.is_empty()
        && !names.iter().any(|name| name.contains("://"));
    if !is_local {
        set.leave_out("network", 1);
        set.warn(format!("data set {path:?} is in the network, which is not read; give a local file: dataset_path: json, dataset_kwargs: {{data_files: FILE}}"));
        return Ok(None);
    }
    let mut found = Vec::new();
    for name in names {
        let text = match source.tree.text("", name) {
            Ok(text) => text,
            Err(words) => {
                set.warn(format!("data_files {name} {words}"));
                continue;
            }
        };
        let read = match files::extension(name) {
            "csv" => table::rows(&text).map(|rows| rows.into_iter().map(Value::Object).collect()),
            _ => match serde_json::from_str::<Value>(&text) {
                Ok(Value::Array(items)) => Ok(items),
                _ => lines::values(&text),
            },
        };
        found.extend(read.map_err(|words| format!("names data {name}, which {words}"))?);
        if found.len() > CASES_MAX {
            return Err(format!("has more than {CASES_MAX} documents"));
        }
    }
    Ok(Some(found))
}

fn cases(task: &Fields, documents: &[Value], ways: &[Value], set: &mut Set) -> Result<(), String> {
    let templates = Templates::new(Dialect::Jinja, Fields::new(), Arc::new(NoVariables));
    let text = |name: &str, usual: &str| task.get(name).and_then(Value::as_str).unwrap_or(usual).to_owned();
    let description = text("description", "");
    let (between, before_target) = (text("fewshot_delimiter", "\n\n"), text("target_delimiter", " "));
    let wanted = task.get("num_fewshot").and_then(Value::as_u64).unwrap_or(0);
    let samples =
        task.get("fewshot_config").and_then(|config| config.get("samples")).and_then(Value::as_array);
    let shots = samples
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .take(usize::try_from(wanted).unwrap_or(usize::MAX));
    let mut head = description;
    for shot in shots {
        let Value::Object(shot) = shot else { continue };
        let asked = one(&templates, task.get("doc_to_text"), shot)?;
        let target =
            targets(&templates, task.get("doc_to_target"), shot)?.into_iter().next().unwrap_or_default();
        head.push_str(&format!("{asked}{before_target}{target}{between}"));
    }
    if wanted > 0 && samples.is_none() {
        set.warn(format!(
            "num_fewshot: {wanted} examples would come from another split, which is not read; there are none"
        ));
    }
    let generation = task.get("generation_kwargs").and_then(Value::as_object).cloned().unwrap_or_default();
    let until: Vec<Value> = match generation.get("until") {
        Some(Value::Array(marks)) => marks.clone(),
        Some(mark @ Value::String(_)) => vec![mark.clone()],
        _ => Vec::new(),
    };
    let mut body = Fields::new();
    for (theirs, ours) in [("temperature", "temperature"), ("max_gen_toks", "max_tokens"), ("top_p", "top_p")]
    {
        if let Some(value) = generation.get(theirs) {
            body.insert(ours.to_owned(), value.clone());
        }
    }
    if !until.is_empty() {
        body.insert("stop".to_owned(), Value::Array(until.clone()));
    }
    for (at, document) in documents.iter().enumerate() {
        let Value::Object(document) = document else {
            return Err(format!("has no object as document {}", at + 1));
        };
        let asked = one(&templates, task.get("doc_to_text"), document)
            .map_err(|words| format!("has doc_to_text, which {words}"))?;
        let references = targets(&templates, task.get("doc_to_target"), document)
            .map_err(|words| format!("has doc_to_target, which {words}"))?;
        let checks = ways.iter().map(|way| {
            let mut value = way.clone();
            if let Some(fields) = value.as_object_mut() {
                fields.insert("references".to_owned(), json!(references));
                fields.insert("until".to_owned(), json!(until));
            }
            Arc::new(Check::One(Assertion::new("exact_match", Some(value))))
        });
        set.cases.push(Case {
            name: format!("document {}", at + 1),
            ask: Ask::Messages(vec![crate::chat::of_user(&format!("{head}{asked}"))]),
            checks: checks.collect(),
            reference: references.first().map(|reference| Value::from(reference.as_str())),
            body: body.clone(),
            ..Case::default()
        });
    }
    Ok(())
}

/// A column, or a template.
fn one(templates: &Templates, spec: Option<&Value>, document: &Fields) -> Result<String, String> {
    match spec {
        Some(Value::String(spec)) => match document.get(spec) {
            Some(column) => Ok(crate::js::text(column)),
            None => templates.render(spec, document),
        },
        Some(Value::Number(number)) => Ok(number.to_string()),
        _ => Err("is not there".to_owned()),
    }
}

fn targets(templates: &Templates, spec: Option<&Value>, document: &Fields) -> Result<Vec<String>, String> {
    if let Some(Value::Array(items)) = spec.and_then(Value::as_str).and_then(|spec| document.get(spec)) {
        return Ok(items.iter().map(crate::js::text).collect());
    }
    let rendered = one(templates, spec, document)?;
    if rendered.starts_with('[') && rendered.ends_with(']') {
        // A list, as Python prints it.
        let as_json = rendered.replace('\'', "\"");
        if let Ok(Value::Array(items)) = serde_json::from_str(&as_json) {
            return Ok(items.iter().map(crate::js::text).collect());
        }
    }
    Ok(vec![rendered])
}
