//! `llm-canary watchdog`: a reference set, asked of both versions. As yet it shows what it would ask.

mod shown;

use crate::error::{Error, Problem};
use crate::io::World;
use crate::io::set_files::{OpenVariables, SetFolder, set_file};
use crate::time_args::parse_duration;
use llm_canary_sets::import::{self, Source};
use llm_canary_sets::limits::FILE_BYTES_MAX;
use llm_canary_sets::report::{self, Report};
use llm_canary_sets::request;
use llm_canary_sets::set::Set;
use llm_canary_sets::template::Variables;
use llm_canary_sets::tree::{Neighbours, Tree};
use serde_json::Map;
use shown::{Totals, entry, lines, request_line, request_text};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Read reference sets of other tools, and show what they would ask and check.
///
/// Reads promptfoo configurations and tests (YAML, JSON, JSONL, CSV), OpenAI evals, DeepEval goldens, Inspect data sets, lm-eval tasks with local
/// data, MT-Bench questions, BFCL, and lines of chats, requests and batches, as they are. What it cannot do is named and
/// counted: code is never run, and nothing is fetched.
///
/// Only --dry-run works as yet: it sends nothing.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary watchdog --set promptfooconfig.yaml --dry-run
  llm-canary watchdog --set evals/ --set questions.jsonl --dry-run --show
  llm-canary watchdog --set promptfooconfig.yaml --dry-run --strict --json

A set reads files only in its own folder and below, unless --allow-outside is given. {{env.NAME}} in a template gets the variable
of the environment, but for names and values that look like a secret (KEY, TOKEN, PASS, ...): those are empty.

With --json: {\"files\": [{\"file\", \"format\", \"cases\", \"prompts\", \"requests\", \"checks\", \"judge\", \"left_out\", \"warnings\"}],
\"requests_per_round\", \"calls_per_day\"}; with --show before it a line for each request: {\"set\", \"case\", \"messages\", \"vars\"}.
`requests` are to one version, and a round asks both. docs/watchdog.md has the formats and the checks.

Exit codes: 0 read; 2 usage error, a set that cannot be read, or with --strict one of which something is left out.")]
pub(crate) struct Args {
    /// A set: a file, or a folder with a promptfooconfig.yaml; repeat it for several
    #[arg(long = "set", value_name = "SET", required = true)]
    sets: Vec<PathBuf>,
    /// Send nothing: show cases, prompts, requests, checks by type and what is left out
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: show each request as it would be sent
    #[arg(long, requires = "dry_run")]
    show: bool,
    /// Refuse a set of which something is left out
    #[arg(long)]
    strict: bool,
    /// Let sets read files outside of their folders
    #[arg(long)]
    allow_outside: bool,
    /// The time from one round to the next, for calls a day
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_duration)]
    every: Duration,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// A set that was read, and its files.
struct Read {
    name: String,
    set: Set,
    report: Report,
    folder: SetFolder,
}

pub(super) fn run(args: &Args, world: &mut World<'_>) -> Result<(), Error> {
    if !args.dry_run {
        return Err(Error::refused("watchdog can only show as yet what it would ask; add --dry-run"));
    }
    let mut problems = Vec::new();
    let mut found = Vec::new();
    for given in &args.sets {
        let name = given.display().to_string();
        match read(given, args.allow_outside) {
            Ok((set, report, folder)) => found.push(Read { name, set, report, folder }),
            Err(words) => problems.push(Problem::new(&name, "", &words)),
        }
    }
    let mut totals = Totals::default();
    for read in &mut found {
        ask(read, args, &mut totals, world)?;
    }
    let rounds_per_day = 86_400.0 / args.every.as_secs_f64().max(1.0);
    for read in &found {
        if args.strict && !read.report.left_out.is_empty() {
            let left_out: Vec<String> =
                read.report.left_out.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
            let words = format!("left out: {}; without --strict the rest is used", left_out.join(", "));
            problems.push(Problem::new(&read.name, "", &words));
        }
    }
    let mut json = Map::new();
    let entries: Vec<_> = found.iter().map(|read| entry(&read.name, &read.report)).collect();
    json.insert("files".to_owned(), entries.into());
    totals.add_to(&mut json, rounds_per_day);
    if !problems.is_empty() {
        return Err(Error::Invalid { problems, report: json });
    }
    if args.json {
        return Ok(world.print(&serde_json::Value::Object(json).to_string())?);
    }
    for read in &found {
        for line in lines(&read.name, &read.report) {
            world.print(&line)?;
        }
        for warning in &read.report.warnings {
            world.say(&format!("warning: {}: {warning}", read.name));
        }
    }
    Ok(world.print(&totals.words(rounds_per_day))?)
}

fn read(given: &std::path::Path, may_leave: bool) -> Result<(Set, Report, SetFolder), String> {
    let path = set_file(given)?;
    let folder = SetFolder::of(&path);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let bytes = folder.read(&name, None).map_err(|error| error.words())?;
    debug_assert!(bytes.len() <= FILE_BYTES_MAX);
    let tree = Tree::new(&folder, may_leave);
    let process: Arc<dyn Variables> = Arc::new(OpenVariables);
    let source = Source { path: &path.to_string_lossy(), tree: &tree, process: &process };
    let set = import::read(&bytes, &source)?;
    let report = report::report(&set)?;
    Ok((set, report, folder))
}

/// Makes every request of a set: to count them and their texts, and to show them.
fn ask(read: &mut Read, args: &Args, totals: &mut Totals, world: &mut World<'_>) -> Result<(), Error> {
    let tree = Tree::new(&read.folder, args.allow_outside);
    let (mut unmade, mut first) = (0_usize, None);
    for number in 0..read.set.cases.len() {
        for made in request::of_case(&read.set, number, &tree) {
            match made {
                Ok(request) => {
                    totals.add(&request);
                    if args.show && args.json {
                        world.print(&request_line(&read.name, &read.set, &request).to_string())?;
                    } else if args.show {
                        world.print(&request_text(&read.name, &read.set, &request))?;
                    }
                }
                Err(error) => {
                    unmade += 1;
                    first.get_or_insert(error.words);
                }
            }
        }
    }
    if let Some(words) = first {
        read.report.warnings.push(format!("{unmade} requests cannot be made; the first {words}"));
    }
    Ok(())
}
