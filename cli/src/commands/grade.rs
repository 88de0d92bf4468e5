//! `llm-canary grade`: what a set's checks say about answers that are there.

use super::input;
use crate::error::{Error, io_words};
use crate::io::World;
use crate::io::set_files::OpenVariables;
use llm_canary_sets::check::Answer;
use llm_canary_sets::grade::{self, Grade};
use llm_canary_sets::js;
use llm_canary_sets::limits::{CASES_MAX, SET_BYTES_MAX};
use llm_canary_sets::template::{Dialect, Templates};
use serde_json::{Map, Value, json};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Check answers by the checks of reference sets, without a model.
///
/// Each line of CASES is an object. It has `output` (a text, or a value such as tool calls) and `assert` (a list of checks, as promptfoo
/// writes them). It may have `vars` (for templates in values), `threshold`, `tools`, `tool_calls`, `finish_reason`, `logprobs`, and
/// `latency_ms` and `cost` (0 unless given). For each line there is one of output: {"pass", "score", "error"}. An error is a check that is written
/// wrongly, of an unknown type, or that needs a judge or code: it is neither a pass nor a fail.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary grade cases.jsonl
  echo '{\"output\": \"Paris.\", \"assert\": [{\"type\": \"contains\", \"value\": \"Paris\"}]}' | llm-canary grade -
  {\"pass\":true,\"score\":1,\"error\":null}

The rules are those of promptfoo 0.123; docs/watchdog.md has the types. Nothing of a line is ever run, and no file is read.

Exit codes: 0 every line was graded, whatever the grades; 2 usage or input error.")]
pub(crate) struct Args {
    /// A line of JSON for each answer; - reads standard input
    #[arg(value_name = "CASES")]
    cases: PathBuf,
    /// Print errors as JSON, too; grades always are
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(args: &Args, world: &mut World<'_>) -> Result<(), Error> {
    let name = args.cases.display().to_string();
    // One more byte shows that it is too long.
    let bytes = input::read(world, &args.cases, SET_BYTES_MAX as u64 + 1)
        .map_err(|error| Error::problem(&name, io_words(&error)))?;
    if bytes.len() > SET_BYTES_MAX {
        return Err(Error::problem(&name, format!("is larger than {} MiB; split it", SET_BYTES_MAX >> 20)));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| Error::problem(&name, "is not text in UTF-8"))?;
    let templates = Templates::new(Dialect::Nunjucks, Map::new(), Arc::new(OpenVariables));
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    for (count, (at, line)) in lines.enumerate() {
        if count >= CASES_MAX {
            return Err(Error::problem(&name, format!("has more than {CASES_MAX} lines; split it")));
        }
        let case: Value = serde_json::from_str(line)
            .map_err(|_| Error::problem(&name, format!("is not JSON in line {}", at + 1)))?;
        let Value::Object(case) = case else {
            return Err(Error::problem(&name, format!("has no object in line {}", at + 1)));
        };
        let grade = graded(&case, &templates)
            .map_err(|words| Error::problem(&name, format!("line {}: {words}", at + 1)))?;
        let line =
            json!({"pass": grade.is_passed, "score": js::to_number(grade.score), "error": grade.error});
        world.print(&serde_json::to_string(&line).map_err(io::Error::from)?)?;
    }
    Ok(())
}

/// # Errors
/// The line is no case.
fn graded(case: &Map<String, Value>, templates: &Templates) -> Result<Grade, String> {
    let list = match case.get("assert") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => list.clone(),
        Some(_) => return Err("assert is no list".to_owned()),
    };
    let variables = match case.get("vars") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(variables)) => variables.clone(),
        Some(_) => return Err("vars is no object".to_owned()),
    };
    let checks = match grade::checks_of(&list) {
        Ok(checks) => checks,
        Err(words) => return Ok(Grade { error: Some(words), ..Grade::default() }),
    };
    let values = |name: &str| case.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let number = |name: &str| case.get(name).and_then(Value::as_f64);
    let answer = Answer {
        output: case.get("output").cloned().unwrap_or_default(),
        tool_calls: values("tool_calls"),
        tools: values("tools"),
        finish_reason: case.get("finish_reason").and_then(Value::as_str).map(str::to_owned),
        latency_ms: Some(number("latency_ms").unwrap_or(0.0)),
        cost: Some(number("cost").unwrap_or(0.0)),
        log_probs: values("logprobs").iter().filter_map(Value::as_f64).collect(),
    };
    Ok(grade::grade(&checks, number("threshold"), &answer, &variables, templates))
}
