//! `INDEX.tsv`: what an importer must get out of each file.

use crate::disk::Disk;
use libtest_mimic::{Failed, Trial};
use llm_canary_sets::import::{self, Source};
use llm_canary_sets::report::{self, Report};
use llm_canary_sets::set::Counts;
use llm_canary_sets::template::{NoVariables, Variables};
use llm_canary_sets::tree::Tree;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Files that are read otherwise, and why.
const EXCEPTIONS: &[(&str, &str)] = &[];

pub(crate) fn report(folder: &Path, file: &str) -> Result<Report, String> {
    let path = folder.join(file);
    let bytes = fs::read(&path).map_err(|error| error.to_string())?;
    let disk = Disk(path.parent().ok_or("has no folder")?.to_owned());
    let tree = Tree::new(&disk, false);
    let process: Arc<dyn Variables> = Arc::new(NoVariables);
    let source = Source { path: &path.to_string_lossy(), tree: &tree, process: &process };
    report::report(&import::read(&bytes, &source)?)
}

pub(crate) fn trials(folder: &Path) -> Vec<Trial> {
    let text = fs::read_to_string(folder.join("INDEX.tsv")).unwrap_or_default();
    let mut lines = text.lines();
    let names: Vec<String> = lines.next().unwrap_or_default().split('\t').map(str::to_owned).collect();
    let row = |line: &str| -> Vec<(String, String)> {
        names.iter().cloned().zip(line.split('\t').map(str::to_owned)).collect()
    };
    let trial = |line: &str| {
        let (row, folder) = (row(line), folder.to_owned());
        let cell = move |name: &str| {
            row.iter().find(|(n, _)| n == name).map(|(_, cell)| cell.clone()).unwrap_or_default()
        };
        let file = cell("file");
        let is_exception = EXCEPTIONS.iter().any(|(name, _)| file.ends_with(name));
        Trial::test(format!("index {file}"), move || check(&folder, &cell)).with_ignored_flag(is_exception)
    };
    lines.filter(|line| !line.is_empty()).map(trial).collect()
}

fn check(folder: &Path, cell: &dyn Fn(&str) -> String) -> Result<(), Failed> {
    let found = report(folder, &cell("file"));
    if cell("format").starts_with("NOT ") {
        return match found {
            Err(words) if words.contains("unknown format") => Ok(()),
            other => Err(format!("is of no known format, and was read as {other:?}").into()),
        };
    }
    let found = found?;
    let format = cell("format");
    let mut differences = Vec::new();
    let mut differ = |what: &str, expected: String, found: String| {
        if expected != found {
            differences.push(format!("{what}: expected {expected}, found {found}"));
        }
    };
    differ("format", format.split(' ').next().unwrap_or_default().to_owned(), found.format.to_owned());
    for (name, found) in
        [("n_cases", found.cases), ("n_prompts", found.prompts), ("requests_per_version", found.requests)]
    {
        if !cell(name).is_empty() {
            differ(name, cell(name), found.to_string());
        }
    }
    let merge = |names: &[&str]| names.iter().flat_map(|name| counts(&cell(name))).collect::<Counts>();
    let has_counts = |name: &str| cell(name).is_empty() || cell(name).contains('=');
    if has_counts("deterministic_offline") {
        differ(
            "checks",
            format!("{:?}", merge(&["deterministic_offline", "runtime_measures"])),
            format!("{:?}", found.checks),
        );
    }
    if has_counts("needs_judge") {
        differ("judge", format!("{:?}", merge(&["needs_judge"])), format!("{:?}", found.judge));
    }
    let is_of_promptfoo = format.starts_with("promptfoo");
    if is_of_promptfoo {
        let expected = merge(&["needs_embeddings", "needs_code_refuse", "refuse_external_or_unknown"]);
        // Files of code and the network are named there, and counted here.
        let left_out: Counts = found
            .left_out
            .clone()
            .into_iter()
            .filter(|(name, _)| name != "prompt.code" && name != "network")
            .collect();
        differ("left out", format!("{expected:?}"), format!("{left_out:?}"));
        let names = |mark: &str| {
            cell("needs_code_refuse").contains(mark) || cell("refuse_external_or_unknown").contains(mark)
        };
        differ(
            "code prompts",
            names("prompt:").to_string(),
            found.left_out.contains_key("prompt.code").to_string(),
        );
        differ("network", names("network").to_string(), found.left_out.contains_key("network").to_string());
    }
    if differences.is_empty() {
        Ok(())
    } else {
        Err(format!("{}\nwarnings: {:#?}", differences.join("\n"), found.warnings).into())
    }
}

/// `contains=3 is-json=1`, with words before some.
fn counts(cell: &str) -> Counts {
    let pairs = cell.split([' ', ';']).filter_map(|word| word.rsplit_once('='));
    pairs.filter_map(|(name, count)| Some((name.to_owned(), count.parse().ok()?))).collect()
}
