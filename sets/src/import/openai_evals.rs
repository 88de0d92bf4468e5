//! OpenAI evals: samples, and the registry that says how they are marked.
//!
//! The samples are in `data/`, the registry's YAML files in `evals/` beside it, or in `registry/evals/`. What marks them is a class of
//! Python: those of `evals.elsuite.basic` are known by name, and a graded one needs a judge.

use super::{Source, lines};
use crate::kind::{self, Place};
use crate::set::{Ask, Assertion, Case, Check, Set};
use crate::tree;
use crate::yaml::{self, Duplicates};
use serde_json::{Map, Value, json};
use std::sync::Arc;

const FORMAT: &str = "openai-evals-jsonl";
const REGISTRY: &str = "openai-evals-registry";

/// How an eval marks its samples.
#[derive(Clone)]
struct Eval {
    name: String,
    class: String,
    args: Map<String, Value>,
}

/// Where the registry of a file of samples is.
struct Registry {
    /// The path of the samples below `data/`.
    samples: String,
    /// `data/`, from the folder of the samples.
    data: String,
    /// The folder that holds `data/`.
    within: String,
}

/// Whether an object is a sample by its own names.
pub(super) fn is_sample(line: &Map<String, Value>) -> bool {
    let has = |name: &str| line.contains_key(name);
    (has("input") && (has("ideal") || has("criteria")))
        || (has("input1") && has("input2"))
        || (has("completion") && has("choice"))
}

/// Whether a document is a part of the registry.
pub(super) fn is_registry(document: &Map<String, Value>) -> bool {
    document.values().any(|value| {
        let class = value.get("class").and_then(Value::as_str);
        class.is_some_and(|class| class.contains(':')) && value.get("args").is_none_or(Value::is_object)
    })
}

/// Whether a registry names this file.
pub(super) fn is_in_registry(source: &Source<'_, '_>) -> bool {
    !evals_of(source).is_empty()
}

/// # Errors
/// A sentence without its subject.
pub(super) fn samples(lines: &[Value], source: &Source<'_, '_>) -> Result<Set, String> {
    let mut set = Set::of_messages(FORMAT);
    let evals = evals_of(source);
    if evals.is_empty() {
        set.warn("no registry (evals/*.yaml beside data/) names this file, so it is not known how answers are marked; they are compared");
    }
    let data = place(source).map(|place| (place.data, place.within));
    add(lines, &evals, data.as_ref(), source, &mut set)?;
    Ok(set)
}

/// # Errors
/// A sentence without its subject.
pub(super) fn registry(document: &Map<String, Value>, source: &Source<'_, '_>) -> Result<Set, String> {
    let mut set = Set::of_messages(REGISTRY);
    let evals = evals_in(document);
    let mut files: Vec<&str> =
        evals.iter().filter_map(|eval| eval.args.get("samples_jsonl")?.as_str()).collect();
    files.sort_unstable();
    files.dedup();
    for file in files {
        let found = ["../data", "../../data"].iter().find_map(|data| {
            let text = source.tree.text_of_format(&tree::join(data, file), "../..").ok()?;
            Some((lines::values(&text), (*data).to_owned()))
        });
        let Some((lines, data)) = found else {
            set.warn(format!(
                "samples {file} do not exist in data/ beside the registry, or are Git LFS pointers"
            ));
            continue;
        };
        let lines = lines.map_err(|words| format!("names samples {file}, which {words}"))?;
        let of_file: Vec<Eval> = evals
            .iter()
            .filter(|eval| eval.args.get("samples_jsonl").and_then(Value::as_str) == Some(file))
            .cloned()
            .collect();
        add(&lines, &of_file, Some(&(data, "../..".to_owned())), source, &mut set)?;
    }
    for eval in evals.iter().filter(|eval| !eval.args.contains_key("samples_jsonl")) {
        set.leave_out(&eval.class, 1);
        set.warn(format!("{} has no samples of its own: {} makes them in code", eval.name, eval.class));
    }
    Ok(set)
}

fn evals_in(document: &Map<String, Value>) -> Vec<Eval> {
    let evals = document.iter().filter_map(|(name, spec)| {
        let (_, class) = spec.get("class")?.as_str()?.rsplit_once(':')?;
        let args = spec.get("args").and_then(Value::as_object).cloned().unwrap_or_default();
        Some(Eval { name: name.clone(), class: class.to_owned(), args })
    });
    evals.collect()
}

fn place(source: &Source<'_, '_>) -> Option<Registry> {
    let parts: Vec<&str> = source.path.split('/').collect();
    let at = parts.iter().rposition(|part| *part == "data")?;
    let below = parts.get(at + 1..)?;
    let up = vec![".."; below.len().checked_sub(1)?];
    let data = up.join("/");
    Some(Registry { samples: below.join("/"), within: tree::join(&data, ".."), data })
}

/// The evals of the registry that are about this file.
fn evals_of(source: &Source<'_, '_>) -> Vec<Eval> {
    let Some(place) = place(source) else { return Vec::new() };
    let mut found = Vec::new();
    for folder in ["evals", "registry/evals"] {
        let folder = tree::join(&place.within, folder);
        for name in source.tree.names_of_format(&folder, &place.within) {
            if !name.ends_with(".yaml") && !name.ends_with(".yml") {
                continue;
            }
            let Ok(text) = source.tree.text_of_format(&tree::join(&folder, &name), &place.within) else {
                continue;
            };
            if !text.contains(&place.samples) {
                continue;
            }
            if let Ok(Some(Value::Object(document))) = yaml::parse(&text, Duplicates::LastCounts) {
                let evals = evals_in(&document).into_iter();
                found.extend(evals.filter(|eval| {
                    eval.args.get("samples_jsonl").and_then(Value::as_str) == Some(&place.samples)
                }));
            }
        }
    }
    found
}

fn add(
    samples: &[Value],
    evals: &[Eval],
    data: Option<&(String, String)>,
    source: &Source<'_, '_>,
    set: &mut Set,
) -> Result<(), String> {
    let mut ways: Vec<&Eval> = Vec::new();
    for eval in evals {
        match ways.iter().find(|way| way.class == eval.class) {
            Some(first) if first.args != eval.args => {
                set.warn(format!(
                    "{} marks the same samples as {}, with other settings; those of {} are used",
                    eval.name, first.name, first.name
                ));
            }
            Some(_) => {}
            None => ways.push(eval),
        }
    }
    let shots: Vec<Value> = ways.iter().flat_map(|eval| few_shots(eval, data, source, set)).collect();
    for eval in &ways {
        if let Place::LeftOut(_) = kind::place(&eval.class) {
            set.leave_out(&eval.class, samples.len() as u64);
            set.warn(format!("{} is marked by {}, which is code of its own", eval.name, eval.class));
        }
    }
    let graded = ways.iter().any(|eval| kind::place(&eval.class) == Place::Judge);
    for (at, sample) in samples.iter().enumerate() {
        let Value::Object(sample) = sample else { return Err(format!("has no object in line {}", at + 1)) };
        let number = set.cases.len() + 1;
        let mut case = Case {
            name: format!("sample {number}"),
            reference: sample.get("ideal").cloned(),
            ..Case::default()
        };
        case.ask = match (sample.get("input"), sample.get("input1"), sample.get("input2")) {
            // The answer is given, and only its marking is tried.
            _ if sample.contains_key("completion") && (sample.contains_key("choice") || graded) => {
                Ask::Nothing
            }
            (Some(input), ..) => Ask::Messages(vec![with_shots(messages(input), &shots)]),
            (None, Some(first), Some(second)) => Ask::Messages(vec![messages(first), messages(second)]),
            _ => return Err(format!("has no input in line {}", at + 1)),
        };
        case.given = sample.get("completion").cloned();
        let checks = ways.iter().filter(|eval| !matches!(kind::place(&eval.class), Place::LeftOut(_)));
        case.checks = checks.map(|eval| Arc::new(Check::One(of_eval(eval, sample)))).collect();
        set.cases.push(case);
    }
    Ok(())
}

fn of_eval(eval: &Eval, sample: &Map<String, Value>) -> Assertion {
    let ignore_case = eval.args.get("ignore_case").and_then(Value::as_bool).unwrap_or(false);
    let value = json!({"ideal": sample.get("ideal"), "ignore_case": ignore_case, "criteria": sample.get("criteria"), "spec": eval.args.get("modelgraded_spec")});
    Assertion::new(&eval.class, Some(value))
}

fn messages(input: &Value) -> Vec<Value> {
    match input {
        Value::Array(messages) => messages.clone(),
        other => crate::chat::of_user(&crate::js::text(other)),
    }
}

/// Turns that `num_few_shot` puts before the last message.
fn few_shots(
    eval: &Eval,
    data: Option<&(String, String)>,
    source: &Source<'_, '_>,
    set: &mut Set,
) -> Vec<Value> {
    let count = eval.args.get("num_few_shot").and_then(Value::as_u64).unwrap_or(0);
    let path = eval.args.get("few_shot_jsonl").and_then(Value::as_str);
    let (Some(path), Some((data, within)), true) = (path, data, count > 0) else { return Vec::new() };
    let read =
        source.tree.text_of_format(&tree::join(data, path), within).and_then(|text| lines::values(&text));
    match read {
        Ok(lines) => {
            let lines = lines.into_iter().take(usize::try_from(count).unwrap_or(usize::MAX));
            lines.filter_map(|line| line.get("sample")?.as_array().cloned()).flatten().collect()
        }
        Err(words) => {
            set.warn(format!("few_shot_jsonl {path} {words}; samples are asked without examples"));
            Vec::new()
        }
    }
}

fn with_shots(mut messages: Vec<Value>, shots: &[Value]) -> Vec<Value> {
    let last = messages.len().saturating_sub(1);
    messages.splice(last..last, shots.iter().cloned());
    messages
}
