//! `ORACLE_*.tsv`: what promptfoo 0.123.1 says about checks, cells of CSV files and templates.

use libtest_mimic::{Failed, Trial};
use llm_canary_sets::check::Answer;
use llm_canary_sets::grade;
use llm_canary_sets::import::{self, Source};
use llm_canary_sets::request;
use llm_canary_sets::template::{Dialect, NoVariables, Templates, Variables};
use llm_canary_sets::tree::{Entry, Neighbours, Tree, Unreadable};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Rows that are graded otherwise, and why.
const EXCEPTIONS: &[(&str, &str)] = &[(
    "render c4 text {\"k\": \"{{s}}\"}",
    "the row shows a space in {\"z\": 1} that its variable {\"z\":1} has not",
)];

pub(crate) fn trials(folder: &Path) -> Vec<Trial> {
    let rows = |name: &str| -> Vec<Vec<String>> {
        let text = fs::read_to_string(folder.join(name)).unwrap_or_default();
        text.lines()
            .skip(1)
            .filter(|line| !line.is_empty())
            .map(|line| line.split('\t').map(str::to_owned).collect())
            .collect()
    };
    let asserts = rows("ORACLE_ASSERTS.tsv")
        .into_iter()
        .map(|row| trial(format!("assert {} {}", cell(&row, 0), cell(&row, 2)), row, assert));
    let cells = rows("ORACLE_CSV_EXPECTED.tsv")
        .into_iter()
        .map(|row| trial(format!("cell {}", cell(&row, 0)), row, csv_cell));
    let renders = rows("ORACLE_RENDER.tsv").into_iter().map(|row| {
        let template: String = json(&row, 2).as_str().unwrap_or_default().to_owned();
        trial(format!("render {} {} {template}", cell(&row, 0), cell(&row, 1)), row, render)
    });
    asserts.chain(cells).chain(renders).collect()
}

fn trial(name: String, row: Vec<String>, check: fn(&[String]) -> Result<(), Failed>) -> Trial {
    let is_exception = EXCEPTIONS.iter().any(|(exception, _)| name.replace(" 0 text", " text") == *exception);
    Trial::test(name, move || check(&row)).with_ignored_flag(is_exception)
}

fn cell(row: &[String], at: usize) -> String {
    row.get(at).cloned().unwrap_or_default()
}

fn json(row: &[String], at: usize) -> Value {
    serde_json::from_str(&cell(row, at)).unwrap_or(Value::Null)
}

fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(fields) = value { fields } else { Map::new() }
}

fn assert(row: &[String]) -> Result<(), Failed> {
    let list = json(row, 2);
    let checks = grade::checks_of(list.as_array().ok_or("no list")?)?;
    let templates = Templates::new(Dialect::Nunjucks, Map::new(), Arc::new(NoVariables));
    // promptfoo's echo provider takes no time and costs nothing.
    let answer = Answer { output: json(row, 1), latency_ms: Some(0.0), cost: Some(0.0), ..Answer::default() };
    let found = grade::grade(&checks, cell(row, 4).parse().ok(), &answer, &object(json(row, 3)), &templates);
    let verdict = match (&found.error, found.is_passed) {
        (Some(_), _) => "ERROR",
        (None, true) => "pass",
        (None, false) => "fail",
    };
    let score: f64 = cell(row, 6).parse().map_err(|_| "no score")?;
    if verdict == cell(row, 5) && (found.score - score).abs() < 1e-4 {
        return Ok(());
    }
    Err(format!("output {}: expected {} {score}, found {verdict} {found:?}", cell(row, 1), cell(row, 5))
        .into())
}

/// A file in memory, and three that the templates' variables name.
struct Files;

impl Neighbours for Files {
    fn read(&self, path: &str, _: Option<&str>) -> Result<Vec<u8>, Unreadable> {
        let text = match path {
            "v/1.txt" => "one\n",
            "v/2.txt" => "two\n",
            "v/data.yaml" => "k: [1, 2]\n",
            _ => return Err(Unreadable::Missing),
        };
        Ok(text.as_bytes().to_vec())
    }

    fn list(&self, folder: &str, _: Option<&str>) -> Result<Vec<Entry>, Unreadable> {
        let names: &[&str] = if folder == "v" { &["1.txt", "2.txt", "data.yaml"] } else { &[] };
        Ok(names.iter().map(|name| Entry { name: (*name).to_owned(), is_folder: false }).collect())
    }
}

#[derive(Debug)]
struct Env;

impl Variables for Env {
    fn get(&self, name: &str) -> Option<String> {
        (name == "PFTEST").then(|| "envval".to_owned())
    }
}

fn csv_cell(row: &[String]) -> Result<(), Failed> {
    let text = json(row, 0);
    let text = text.as_str().ok_or("no text")?;
    let quoted = format!("a,__expected\nx,\"{}\"\n", text.replace('"', "\"\""));
    let tree = Tree::new(&Files, false);
    let process: Arc<dyn Variables> = Arc::new(NoVariables);
    let set = import::read(quoted.as_bytes(), &Source { path: "tests.csv", tree: &tree, process: &process })?;
    let checks = set.cases.first().map(|case| case.checks.clone()).unwrap_or_default();
    let found: Vec<Value> = checks
        .iter()
        .flat_map(|check| check.assertions())
        .map(|one| {
            let mut fields = Map::new();
            fields.insert("type".to_owned(), json!(one.kind));
            fields.extend(one.value.clone().map(|value| ("value".to_owned(), value)));
            fields.extend(one.threshold.map(|threshold| ("threshold".to_owned(), json!(threshold))));
            Value::Object(fields)
        })
        .collect();
    let expected = json(row, 1);
    if llm_canary_sets::js::is_equal(&expected, &Value::from(found.clone())) {
        Ok(())
    } else {
        Err(format!("expected {expected}, found {found:?}").into())
    }
}

fn render(row: &[String]) -> Result<(), Failed> {
    let vars = json(row, 3);
    let document = json!({"prompts": [{"raw": json(row, 2), "label": "p"}], "providers": ["echo"], "tests": [{"vars": vars, "options": {"disableVarExpansion": true}}]});
    let tree = Tree::new(&Files, false);
    let process: Arc<dyn Variables> = Arc::new(Env);
    let source = Source { path: "promptfooconfig.json", tree: &tree, process: &process };
    let set = import::read(document.to_string().as_bytes(), &source)?;
    let requests = request::of_case(&set, 0, &tree);
    let request = requests.into_iter().next().ok_or("no request")?.map_err(|unmade| unmade.words)?;
    let expected = json(row, 4);
    let expected = expected.as_str().ok_or("no text")?;
    let found = match request.messages.as_slice() {
        [one] if one.get("role") == Some(&json!("user")) && !expected.starts_with('[') => {
            one.get("content").and_then(Value::as_str).unwrap_or_default().to_owned()
        }
        messages => Value::from(messages.to_vec()).to_string(),
    };
    if found == expected { Ok(()) } else { Err(format!("expected {expected:?}, found {found:?}").into()) }
}
