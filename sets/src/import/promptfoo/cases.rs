//! Tests, defaults and scenarios → cases: every combination of a test's variables is one.

use super::tests::{self, Test};
use super::{asserts, declared, is_code, transform};
use crate::import::{Source, files};
use crate::js;
use crate::limits::{CASES_MAX, CHECKS_MAX, VARIABLES_BYTES_MAX};
use crate::set::{Ask, Case, Check, Set};
use crate::yaml::{self, Duplicates};
use serde_json::{Map, Value};
use std::sync::Arc;

type Fields = Map<String, Value>;

/// # Errors
/// A sentence without its subject.
pub(super) fn read(document: &Fields, source: &Source<'_, '_>, set: &mut Set) -> Result<(), String> {
    let default = default_test(document.get("defaultTest"), source, set);
    let default_checks = asserts::read(default.get("assert"), "defaultTest", source, set);
    let mut adder = Adder {
        source,
        default: &default,
        default_checks: &default_checks,
        repeat: repeat(document.get("evaluateOptions"), 1),
        checks: 0,
        bytes: 0,
    };
    let left_out_before = set.left_out.len();
    let listed = document.get("tests").unwrap_or(&Value::Null);
    let found = tests::read(listed, source, set)?;
    let scenarios = document.get("scenarios").filter(|value| !value.is_null());
    let is_unread = set.left_out.len() > left_out_before || !set.warnings.is_empty() && !is_empty(listed);
    if found.is_empty() && scenarios.is_none() && !is_unread {
        adder.add(&Fields::new(), "", set)?;
    }
    for Test { fields, folder } in &found {
        declared::of_test(fields, set);
        adder.add(fields, folder, set)?;
    }
    if let Some(scenarios) = scenarios {
        for scenario in list(scenarios, source, set) {
            adder.scenario(&scenario, set)?;
        }
    }
    Ok(())
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// The items of a list, or of the file that is named in its place.
fn list(value: &Value, source: &Source<'_, '_>, set: &mut Set) -> Vec<Value> {
    let mut warnings = Vec::new();
    let loaded = match value {
        Value::String(_) => files::with_files(value, "", source.tree, &mut warnings),
        Value::Array(items) => {
            let items = items.iter().map(|item| {
                if item.is_string() {
                    files::with_files(item, "", source.tree, &mut warnings)
                } else {
                    item.clone()
                }
            });
            items.flat_map(|item| if let Value::Array(inner) = item { inner } else { vec![item] }).collect()
        }
        value => value.clone(),
    };
    warnings.into_iter().for_each(|words| set.warn(words));
    match loaded {
        Value::Array(items) => items,
        Value::Null => Vec::new(),
        item => vec![item],
    }
}

fn default_test(value: Option<&Value>, source: &Source<'_, '_>, set: &mut Set) -> Fields {
    let loaded = match value {
        Some(Value::String(path)) => files::value("", path, source.tree).unwrap_or_else(|words| {
            set.warn(format!("defaultTest {path} {words}"));
            Value::Null
        }),
        Some(value) => value.clone(),
        None => Value::Null,
    };
    let Value::Object(mut fields) = loaded else { return Fields::new() };
    let vars = variables(fields.get("vars"), "", source, set);
    fields.insert("vars".to_owned(), Value::Object(vars));
    fields
}

/// The variables of a test: an object, or files that hold some each.
fn variables(value: Option<&Value>, folder: &str, source: &Source<'_, '_>, set: &mut Set) -> Fields {
    let paths: Vec<&str> = match value {
        Some(Value::Object(fields)) => return fields.clone(),
        Some(Value::String(path)) => vec![path],
        Some(Value::Array(paths)) => paths.iter().filter_map(Value::as_str).collect(),
        _ => return Fields::new(),
    };
    let mut merged = Fields::new();
    for path in paths {
        let names = source.tree.matching(folder, path).unwrap_or_default();
        if names.is_empty() {
            set.warn(format!("vars {path} does not exist"));
        }
        for name in names {
            let read = source.tree.text("", &name).and_then(|text| yaml::parse(&text, Duplicates::Refused));
            match read {
                Ok(Some(Value::Object(fields))) => merged.extend(fields),
                Ok(_) => set.warn(format!("vars {name} is no object")),
                Err(words) => set.warn(format!("vars {name} {words}")),
            }
        }
    }
    merged
}

fn repeat(options: Option<&Value>, usual: usize) -> usize {
    let count = options.and_then(|options| options.get("repeat")).and_then(Value::as_u64);
    count.and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 0).unwrap_or(usual)
}

struct Adder<'a, 's, 't> {
    source: &'a Source<'s, 't>,
    default: &'a Fields,
    default_checks: &'a [Arc<Check>],
    repeat: usize,
    checks: usize,
    bytes: usize,
}

impl Adder<'_, '_, '_> {
    fn scenario(&mut self, scenario: &Value, set: &mut Set) -> Result<(), String> {
        let Value::Object(scenario) = scenario else {
            set.warn("scenarios: an item is no object, so it is no scenario");
            return Ok(());
        };
        let rows = list(scenario.get("config").unwrap_or(&Value::Null), self.source, set);
        let tests = match scenario.get("tests") {
            None | Some(Value::Null) => {
                set.warn("a scenario has no tests, so it has no cases");
                Vec::new()
            }
            Some(listed) => tests::read(listed, self.source, set)?,
        };
        tests.iter().for_each(|test| declared::of_test(&test.fields, set));
        for row in &rows {
            let Value::Object(row) = row else { continue };
            for test in &tests {
                let mut merged = row.clone();
                merged.extend(test.fields.clone());
                let mut vars = variables(row.get("vars"), "", self.source, set);
                vars.extend(variables(test.fields.get("vars"), &test.folder, self.source, set));
                merged.insert("vars".to_owned(), Value::Object(vars));
                let lists = [row.get("assert"), test.fields.get("assert")]
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_array);
                merged.insert("assert".to_owned(), Value::Array(lists.flatten().cloned().collect()));
                merged.insert(
                    "options".to_owned(),
                    Value::Object(options([row.get("options"), test.fields.get("options")])),
                );
                self.add(&merged, "", set)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, test: &Fields, folder: &str, set: &mut Set) -> Result<(), String> {
        let number = set.cases.len() + 1;
        let mut vars = self.default.get("vars").and_then(Value::as_object).cloned().unwrap_or_default();
        vars.extend(variables(test.get("vars"), folder, self.source, set));
        if vars.contains_key("assert") {
            set.warn(
                "a test has `assert` under `vars`: it is a variable, and checks nothing; indent it less",
            );
        }
        let options = options([self.default.get("options"), test.get("options")]);
        let own = asserts::read(test.get("assert"), &format!("test {number}"), self.source, set);
        let keeps_default = options_of(test).and_then(|options| options.get("disableDefaultAsserts"))
            != Some(&Value::Bool(true));
        let default = if keeps_default { self.default_checks } else { &[] };
        let either = |name: &str| test.get(name).filter(|value| !value.is_null()).or(self.default.get(name));
        let text = |name: &str| {
            // An empty prefix is none: then the default's counts.
            let parts = [Some(&options), options_of(self.default)].into_iter().flatten();
            let mut texts =
                parts.filter_map(|options| options.get(name)?.as_str()).filter(|text| !text.is_empty());
            texts.next().unwrap_or_default().to_owned()
        };
        let given = test.get("providerOutput").filter(|output| js::is_truthy(Some(output))).cloned();
        let only = either("prompts").and_then(Value::as_array).map(|names| allowed(names, set));
        let ask = Ask::Prompts { only, prefix: text("prefix"), suffix: text("suffix") };
        let case = Case {
            name: test
                .get("description")
                .and_then(Value::as_str)
                .map_or_else(|| format!("test {number}"), str::to_owned),
            variables: Map::new(),
            ask: if given.is_some() { Ask::Nothing } else { ask },
            checks: default.iter().chain(&own).cloned().collect(),
            threshold: either("threshold").and_then(Value::as_f64),
            given,
            transform: transform::of(options.get("transform").or(options.get("postprocess"))),
            is_scored_by_code: either("assertScoringFunction").is_some(),
            ..Case::default()
        };
        let keeps_lists = options.get("disableVarExpansion") == Some(&Value::Bool(true));
        let values = self.values(&vars, keeps_lists, set);
        let repeat = repeat(test.get("options"), self.repeat);
        self.expand(&case, &values, repeat, set)
    }

    /// The values that each variable takes.
    fn values(&self, vars: &Fields, keeps_lists: bool, set: &mut Set) -> Vec<(String, Vec<Value>)> {
        let mut found = Vec::new();
        for (name, value) in vars {
            let values = match value {
                Value::String(path) if path.starts_with("file://") && !keeps_lists => {
                    if is_code(path) {
                        set.leave_out("var.code", 1);
                        set.warn(format!("variable {name} is code ({path}), which is never run"));
                    }
                    let matching = self.source.tree.matching("", path).unwrap_or_default();
                    match matching.len() {
                        0 => {
                            if !is_code(path) {
                                let words = self
                                    .source
                                    .tree
                                    .bytes("", path)
                                    .err()
                                    .unwrap_or_else(|| "does not exist".to_owned());
                                set.warn(format!("variable {name}: {path} {words}"));
                            }
                            vec![value.clone()]
                        }
                        1 => vec![value_of_file(path, matching.first())],
                        _ => matching.iter().map(|path| Value::from(format!("file://{path}"))).collect(),
                    }
                }
                Value::Array(items) if items.first().is_some_and(Value::is_string) && !keeps_lists => {
                    items.clone()
                }
                value => vec![value.clone()],
            };
            found.push((name.clone(), values));
        }
        found
    }

    fn expand(
        &mut self,
        case: &Case,
        values: &[(String, Vec<Value>)],
        repeat: usize,
        set: &mut Set,
    ) -> Result<(), String> {
        let lengths = values.iter().map(|(_, values)| values.len() as u128);
        let count = lengths.fold(repeat as u128, u128::saturating_mul);
        let left = (CASES_MAX - set.cases.len()) as u128;
        if count > left {
            return Err(format!(
                "has a test with {count} combinations of its variables; a set may have {CASES_MAX} cases. Shorten the lists, or switch \
                 expansion off (options.disableVarExpansion)"
            ));
        }
        let bytes: usize = values
            .iter()
            .flat_map(|(_, values)| values.iter().map(size))
            .max()
            .unwrap_or_default()
            .saturating_mul(values.len());
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        self.bytes = self.bytes.saturating_add(bytes.saturating_mul(count));
        if self.bytes > VARIABLES_BYTES_MAX {
            return Err(format!(
                "has more than {} MiB of variables with all combinations written out",
                VARIABLES_BYTES_MAX >> 20
            ));
        }
        self.checks = self.checks.saturating_add(case.checks.len().saturating_mul(count));
        if self.checks > CHECKS_MAX {
            return Err(format!("has more than {CHECKS_MAX} checks over all its cases"));
        }
        let combinations = count / repeat.max(1);
        for _ in 0..repeat {
            for number in 0..combinations {
                let mut case = case.clone();
                // The first variable changes last.
                let mut rest = number;
                let mut chosen = Vec::new();
                for (name, values) in values.iter().rev() {
                    chosen.push((name.clone(), values.get(rest % values.len()).cloned().unwrap_or_default()));
                    rest /= values.len();
                }
                case.variables = chosen.into_iter().rev().collect();
                if combinations > 1 {
                    case.name = format!("{} ({} of {combinations})", case.name, number + 1);
                }
                set.cases.push(case);
            }
        }
        Ok(())
    }
}

/// A pattern that matches one file stands for it.
fn value_of_file(path: &str, found: Option<&String>) -> Value {
    match found {
        Some(found) if path.contains(['*', '?', '[', '{']) => Value::from(format!("file://{found}")),
        _ => Value::from(path),
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 32,
        Value::Array(items) => items.iter().map(size).sum::<usize>() + 32,
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| name.len() + size(value)).sum::<usize>() + 32
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 32,
    }
}

fn options_of(test: &Fields) -> Option<&Fields> {
    test.get("options").and_then(Value::as_object)
}

/// Options, of which later ones win.
fn options(parts: [Option<&Value>; 2]) -> Fields {
    let parts = parts.into_iter().flatten().filter_map(Value::as_object);
    parts.flat_map(|fields| fields.iter().map(|(name, value)| (name.clone(), value.clone()))).collect()
}

/// The prompts that a test allows: by label, by the beginning of one, or with a star.
fn allowed(names: &[Value], set: &mut Set) -> Vec<usize> {
    let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
    let is_meant = |label: &str| {
        names.iter().any(|name| {
            let begins = name.strip_suffix('*').is_some_and(|prefix| label.starts_with(prefix));
            label == *name || begins || label.strip_prefix(name).is_some_and(|rest| rest.starts_with(':'))
        })
    };
    let found: Vec<usize> = set
        .prompts
        .iter()
        .enumerate()
        .filter(|(_, prompt)| is_meant(&prompt.label))
        .map(|(at, _)| at)
        .collect();
    if found.is_empty() {
        set.warn(format!("a test allows only prompts that are not there: {}", names.join(", ")));
    }
    found
}
