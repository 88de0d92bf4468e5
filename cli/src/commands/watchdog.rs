//! `llm-canary watchdog`: a reference set, asked of both versions.

mod judging;
mod results_file;
mod rounds;
mod shown;
mod targets;

use crate::error::{Error, Problem};
use crate::io::World;
use crate::io::set_files::{OpenVariables, SetFolder, set_file};
use crate::number_args::parse_whole;
use crate::time_args::parse_duration;
use crate::watchdog::api::Api;
use crate::watchdog::judging::Judge;
use crate::watchdog::prompts::Prompt;
use judging::JudgeArgs;
use llm_canary_sets::import::{self, Source};
use llm_canary_sets::limits::FILE_BYTES_MAX;
use llm_canary_sets::report::{self, Report};
use llm_canary_sets::request;
use llm_canary_sets::set::Set;
use llm_canary_sets::template::Variables;
use llm_canary_sets::tree::{Neighbours, Tree};
use llm_canary_verdict::looks::Chances;
use serde_json::Map;
use shown::{Totals, entry, lines, request_line, request_text};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Requests at once are at most so many.
const CONCURRENCY_MAX: u64 = 256;

/// Ask reference sets of both versions, again and again, and say whether the new one answers worse.
///
/// Reads promptfoo configurations and tests (YAML, JSON, JSONL, CSV), OpenAI evals, DeepEval goldens, Inspect data sets, lm-eval tasks with local
/// data, MT-Bench questions, BFCL, and lines of chats, requests and batches, as they are. What it cannot do is named and
/// counted: code is never run, and nothing is fetched.
///
/// Each round asks every prompt of both versions, side by side and in random order. Through Envoy (--via) a request chooses its version by the
/// header of an override, which is found in FILE, so it is not compared with the users' requests. With --target the servers are asked
/// themselves.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary watchdog --set promptfooconfig.yaml --dry-run
  llm-canary watchdog --set promptfooconfig.yaml --target v1=http://localhost:8001 --target v2=http://localhost:8002 --once
  llm-canary watchdog envoy/ecds/llm-canary.yaml --set envoy/reference-set.yaml --via http://localhost:10000 --every 5m --out results.jsonl
  llm-canary watchdog --set evals/ --set questions.jsonl --dry-run --show

A set reads files only in its own folder and below, unless --allow-outside is given. {{env.NAME}} in a template gets the variable
of the environment, but for names and values that look like a secret (KEY, TOKEN, PASS, ...): those are empty.

The key is that of --key-file, else of the variable LLM_CANARY_KEY. It is sent as `authorization: Bearer KEY`, and to the API messages as
`x-api-key` as well; it is never shown.

Before round 1 the baseline is asked twice: prompts whose two answers differ are listed as unstable, and count all the same. With --out a command
that is started again goes on with the next round. Ctrl-C ends after the requests in flight, with what is known.

With --json an object for each round, the last of which is the result: {\"verdict\", \"round\", \"prompts\": {\"total\", \"better\", \"worse\",
\"same\", \"quarantined\", \"unknown\"}, \"pass_share\", \"log_e\", \"threshold\", \"judge\", \"prompt_tokens\", \"defects\", \"changed\", \"unknown_because\"}.
With --dry-run --json: {\"files\": [{\"file\", \"format\", \"cases\", \"prompts\", \"requests\", \"checks\", \"judge\", \"left_out\", \"warnings\"}],
\"requests_per_round\", \"calls_per_day\"}; with --show before it a line for each request: {\"set\", \"case\", \"messages\", \"vars\"}.
`requests` are to one version, and a round asks both. docs/watchdog.md has the formats, the checks and the method.

Exit codes: 0 fine, or shown; 1 regression; 3 not enough data; 2 usage error, a set that cannot be read, or with --strict one of which
something is left out.")]
pub(crate) struct Args {
    /// The file with the configuration in force, in any format that `check` reads: it tells the versions, and with --via the headers that choose
    /// them
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// A set: a file, or a folder with a promptfooconfig.yaml; repeat it for several
    #[arg(long = "set", value_name = "SET", required = true)]
    sets: Vec<PathBuf>,
    /// Envoy's address: requests go through it, and choose their version by the header of an override
    #[arg(long, value_name = "URL", conflicts_with = "targets")]
    via: Option<String>,
    /// A version and the address of its server; give two: the baseline, then the version, unless --version or --baseline says otherwise
    #[arg(long = "target", value_name = "NAME=URL")]
    targets: Vec<String>,
    /// The version that is compared [default: the one with a share in FILE, or the second --target]
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// The version to compare with [default: FILE's, or the first --target]
    #[arg(long, value_name = "VERSION")]
    baseline: Option<String>,
    /// The rollout in FILE; needed where there are several
    #[arg(long, value_name = "NAME")]
    rollout: Option<String>,
    /// The time from the beginning of one round to that of the next
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_duration)]
    every: Duration,
    /// End after one round
    #[arg(long, conflicts_with = "rounds")]
    once: bool,
    /// End after so many rounds [default: go on until Ctrl-C]
    #[arg(long, value_name = "N", value_parser = parse_rounds, allow_hyphen_values = true)]
    rounds: Option<u32>,
    /// What the servers speak: chat, responses, messages, completions or ollama
    #[arg(long, value_name = "API", default_value = "chat", value_parser = Api::parse)]
    api: Api,
    /// The model's name in requests; without it they have none
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// A header of each request; may be repeated
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// A file with the key of the servers, in one line
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Requests at once
    #[arg(long, value_name = "N", default_value = "4", value_parser = parse_concurrency, allow_hyphen_values = true)]
    concurrency: usize,
    /// So many requests a day at most, to both versions together: each round asks the next prompts in turn, a fixed share of all
    #[arg(long, value_name = "N", value_parser = parse_calls, allow_hyphen_values = true)]
    max_calls_per_day: Option<u64>,
    /// Keep every answer and every round here, a line of JSON each; the file is for its owner alone
    #[arg(long, value_name = "RESULTS")]
    out: Option<PathBuf>,
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
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    /// The chance that a harmless version ever has an alarm; `run` gives the guard's part of its own
    #[arg(long, hide = true, value_name = "CHANCE", default_value_t = Chances::default().alpha, value_parser = parse_chance)]
    alpha: f64,
    /// The chance that a version at the margin is ever fine
    #[arg(long, hide = true, value_name = "CHANCE", default_value_t = Chances::default().beta, value_parser = parse_chance)]
    beta: f64,
    #[command(flatten)]
    judge: JudgeArgs,
}

impl Args {
    fn chances(&self) -> Chances {
        Chances { alpha: self.alpha, beta: self.beta }
    }
}

fn parse_chance(text: &str) -> Result<f64, String> {
    let chance = text.parse::<f64>().ok().filter(|chance| *chance > 0.0 && *chance < 1.0);
    chance.ok_or_else(|| "write a chance above 0 and below 1, such as 0.05".to_owned())
}

fn parse_rounds(text: &str) -> Result<u32, String> {
    Ok(u32::try_from(parse_whole(text, 1..=1_000_000_000)?).unwrap_or(u32::MAX))
}

fn parse_concurrency(text: &str) -> Result<usize, String> {
    Ok(usize::try_from(parse_whole(text, 1..=CONCURRENCY_MAX)?).unwrap_or(1))
}

fn parse_calls(text: &str) -> Result<u64, String> {
    parse_whole(text, 1..=u64::MAX)
}

/// A set that was read, and its files.
struct Read {
    name: String,
    set: Set,
    report: Report,
    folder: SetFolder,
}

/// Returns the exit code.
pub(super) fn run(args: &Args, world: &mut World<'_>) -> Result<u8, Error> {
    let mut problems = Vec::new();
    let mut found = Vec::new();
    for given in &args.sets {
        let name = given.display().to_string();
        match read(given, args.allow_outside) {
            Ok((set, report, folder)) => found.push(Read { name, set, report, folder }),
            Err(words) => problems.push(Problem::new(&name, "", &words)),
        }
    }
    if args.strict {
        problems.extend(found.iter().filter_map(left_out));
    }
    if args.dry_run {
        return show(args, found, problems, world).map(|()| 0);
    }
    if !problems.is_empty() {
        return Err(Error::invalid(problems));
    }
    let prompts = prompts(&found, args, world)?;
    let mut judge = args.judge.judge(args.concurrency, world)?;
    let judge = judge.as_mut().map(|judge| judge as &mut dyn Judge);
    rounds::run(args, &prompts, judge, world)
}

/// Reads sets, for a command that asks them later.
///
/// # Errors
/// They cannot be read: each with its reason.
pub(super) fn check_sets(sets: &[PathBuf]) -> Result<(), Error> {
    let problem = |given: &PathBuf| {
        let words = read(given, false).err()?;
        Some(Problem::new(&given.display().to_string(), "", &words))
    };
    let problems: Vec<Problem> = sets.iter().filter_map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(Error::invalid(problems)) }
}

/// What --strict refuses.
fn left_out(read: &Read) -> Option<Problem> {
    let left_out = &read.report.left_out;
    let listed: Vec<String> = left_out.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    let words = format!("left out: {}; without --strict the rest is used", listed.join(", "));
    (!listed.is_empty()).then(|| Problem::new(&read.name, "", &words))
}

/// Shows what the sets would ask, and sends nothing.
fn show(
    args: &Args,
    mut found: Vec<Read>,
    problems: Vec<Problem>,
    world: &mut World<'_>,
) -> Result<(), Error> {
    let mut totals = Totals::default();
    for read in &mut found {
        ask(read, args, &mut totals, world)?;
    }
    let rounds_per_day = 86_400.0 / args.every.as_secs_f64().max(1.0);
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

/// The prompts of all sets, in their order. What is left out is said.
fn prompts<'a>(found: &'a [Read], args: &Args, world: &mut World<'_>) -> Result<Vec<Prompt<'a>>, Error> {
    let mut prompts = Vec::new();
    for read in found {
        let tree = Tree::new(&read.folder, args.allow_outside);
        let (mut unmade, mut first) = (0_usize, None);
        for (number, case) in read.set.cases.iter().enumerate() {
            for made in request::of_case(&read.set, number, &tree) {
                match made {
                    Ok(request) => prompts.push(Prompt { set: &read.name, of: &read.set, case, request }),
                    Err(error) => {
                        unmade += 1;
                        first.get_or_insert(error.words);
                    }
                }
            }
        }
        if let Some(words) = first {
            world
                .say(&format!("warning: {}: {unmade} requests cannot be made; the first {words}", read.name));
        }
        let left_out = shown::listed(&read.report.left_out);
        if !left_out.is_empty() {
            world.say(&format!("warning: {}: left out: {left_out}", read.name));
        }
        for warning in &read.report.warnings {
            world.say(&format!("warning: {}: {warning}", read.name));
        }
    }
    if prompts.is_empty() {
        return Err(Error::refused("the sets ask nothing; look at them with --dry-run"));
    }
    Ok(prompts)
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
