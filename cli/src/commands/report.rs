//! `llm-canary report`: one page about a release, as a file.

use super::feed::{Feed, Next, SourceFeed};
use super::input::read;
use super::judged::{Judged, SubjectArgs};
use super::results::Results;
use super::source::SourceArgs;
use crate::analysis::Analysis;
use crate::error::{Error, io_words};
use crate::io::World;
use crate::io::access::cannot_read;
use crate::page::{Journal, Life, Page, html, journal_line, quoted};
use crate::table::Canvas;
use crate::time_args::parse_duration;
use crate::verdict_table::headline;
use llm_canary_verdict::policy::Policy;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest journal.
const JOURNAL_BYTES_MAX: u64 = 64 << 20;

/// Write a page about a release: what was decided and why, with charts and all numbers.
///
/// The page is one file. It needs no server and asks nobody for anything, so it can be kept, sent and printed. Its first line is the
/// decision and the reason for it. Then come the signals that are worse, those that hold the version, and the rest; the share over time;
/// health, defects, cost, how to undo it, and all numbers.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary report envoy/ecds/llm-canary.yaml --prometheus http://localhost:9090 -o release.html
  llm-canary report envoy/ecds/llm-canary.yaml --prometheus http://localhost:9090 --journal release.jsonl -o release.html
  llm-canary report envoy/ecds/llm-canary.yaml --prometheus http://localhost:9090 --watchdog results.jsonl -o release.html
  llm-canary report --from metrics.txt --baseline v1 --version v2 -o release.html
  llm-canary report --admin http://localhost:9901 --for 30m -o release.html

The journal is what `run --journal` writes: a line of JSON for each event. Its events are marked on the share and listed, with why they
happened and the command that undoes them. A line that cannot be read is named on the page, and stops nothing.

The page has the numbers of `analyze --json` and what was known over time as JSON, in the element with the id data.

With --json it prints an object when the page is written: output (the file), bytes, versions (version, verdict, because).

Exit codes: 0 written, whatever the verdict; 2 usage or input error, or the page cannot be written.")]
pub(crate) struct Args {
    #[command(flatten)]
    subject: SubjectArgs,
    /// The journal of the release; - is standard input
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// What `watchdog --out` wrote: the page shows which prompts changed, with both answers side by side
    #[arg(long, value_name = "RESULTS")]
    watchdog: Option<PathBuf>,
    /// The page's file; - is standard output. A file that is there is replaced as a whole
    #[arg(short, long, value_name = "FILE", required = true)]
    output: PathBuf,
    /// Print JSON about what was written
    #[arg(long)]
    pub(super) json: bool,
    /// With --admin: watch for so long; the page is written after the first window, and at the end
    #[arg(long = "for", value_name = "DURATION", default_value = "10m", value_parser = parse_duration, allow_hyphen_values = true)]
    at_most: Duration,
    #[command(flatten)]
    source: SourceArgs,
}

/// A release that is being followed.
struct Following<'a> {
    args: &'a Args,
    policy: Policy,
    judged: Judged,
    journal: Journal,
    results: Option<Results>,
}

pub(super) fn run(args: &Args, world: &mut World<'_>) -> Result<(), Error> {
    if args.json && args.output == Path::new("-") {
        let words =
            "--json and --output - both write to standard output; give the page a file, or leave out --json";
        return Err(Error::refused(words));
    }
    let policy = args.subject.policy(world)?;
    let config = args.subject.config(world)?;
    let lines = args.journal.as_deref().map(|path| read_journal(world, path)).transpose()?;
    let results = args.watchdog.as_deref().map(|path| read_results(path, world)).transpose()?;
    let begins = args.subject.begins(config.as_ref(), world.clock.now())?;
    let rollout = args.subject.rollout(config.as_ref());
    let mut feed = SourceFeed::open(&args.source, begins, rollout, world)?;
    let judged = Judged::choose(&args.subject, config.as_ref(), &policy, None, &feed, world)?;
    let judged = judged.with_tracks();
    let following = Following {
        journal: Journal::read(&lines.unwrap_or_default(), judged.rollout()),
        args,
        policy,
        judged,
        results,
    };
    // Other sources reach back, and are asked again by the next run.
    let at_most = if args.source.is_polled() { args.at_most } else { Duration::ZERO };
    following.watch(at_most, &mut feed, world)
}

impl Following<'_> {
    /// Takes in windows until the time is over, or the source.
    fn watch(mut self, at_most: Duration, feed: &mut dyn Feed, world: &mut World<'_>) -> Result<(), Error> {
        let began = world.clock.elapsed();
        let mut is_first = true;
        loop {
            let next = self.judged.next(feed, world)?;
            let is_over = next == Next::Over || world.clock.elapsed().saturating_sub(began) >= at_most;
            // So a page that cannot be written is found at once, and not after half an hour.
            if is_over || is_first {
                let analyses = self.judged.analyses(feed, world);
                let bytes = self.write(&analyses, world)?;
                if is_over {
                    return self.tell(&analyses, bytes, world);
                }
            }
            is_first = false;
        }
    }

    /// Writes the page; returns how long it is.
    fn write(&self, analyses: &[Analysis], world: &mut World<'_>) -> Result<usize, Error> {
        let failed = |error| Error::refused(format!("the page cannot be made: {error}"));
        let html = html(&self.page(analyses, world), Life::File).map_err(failed)?;
        let output = &self.args.output;
        if output == Path::new("-") {
            world.out.write_all(html.as_bytes())?;
            return Ok(html.len());
        }
        let refused = |error| {
            let (name, why) = (output.display(), io_words(&error));
            Error::refused(format!(
                "--output {name}: {why}; give a file in a folder that is there and that you may write to"
            ))
        };
        world.files.replace(output, html.as_bytes()).map_err(refused)?;
        Ok(html.len())
    }

    /// Says what was written.
    fn tell(&self, analyses: &[Analysis], bytes: usize, world: &mut World<'_>) -> Result<(), Error> {
        let name = self.args.output.display().to_string();
        if self.args.json {
            let version = |one: &Analysis| {
                let decision = journal_line(&self.journal, &one.version);
                json!({"version": one.version, "verdict": one.verdict_name(), "because": one.judgement.because, "decision": decision})
            };
            let versions: Vec<Value> = analyses.iter().map(version).collect();
            world.print_json(&json!({"output": name, "bytes": bytes, "versions": versions}))?;
        } else if name != "-" {
            for analysis in analyses {
                // What was done comes before what the last window says.
                let decision = journal_line(&self.journal, &analysis.version);
                let words = match decision {
                    Some(decision) => format!("{}: {decision}", analysis.rollout),
                    None => headline(analysis, &Canvas::default()),
                };
                world.say(&format!("{name}: {words}"));
            }
        }
        Ok(())
    }

    fn page(&self, analyses: &[Analysis], world: &World<'_>) -> Page {
        let target = self.args.subject.file_name().map(|file| quoted(&file));
        let journal = self.journal.clone();
        Page::new(
            self.judged.rollout(),
            self.judged.found(analyses),
            &self.policy,
            journal,
            target.as_deref(),
            world.clock.now(),
        )
        .with_watchdog(self.results.as_ref().and_then(Results::summary).as_ref())
    }
}

/// RESULTS of a reference set, as far as they go.
fn read_results(path: &Path, world: &World<'_>) -> Result<Results, Error> {
    let mut results = Results::new(path);
    results.read(world)?;
    if results.summary().is_none() {
        let words = "has no round that has ended; give the file that `llm-canary watchdog --out` writes";
        return Err(Error::refused(format!("--watchdog {}: {words}", path.display())));
    }
    Ok(results)
}

/// The lines of a journal.
///
/// # Errors
/// It cannot be read, or is too long.
pub(super) fn read_journal(world: &World<'_>, path: &Path) -> Result<Vec<u8>, Error> {
    let wrong = |words: String| Error::refused(format!("--journal {}: {words}", path.display()));
    // One more byte shows that it is too long.
    let bytes = read(world, path, JOURNAL_BYTES_MAX + 1).map_err(|error| wrong(cannot_read(path, &error)))?;
    if bytes.len() as u64 > JOURNAL_BYTES_MAX {
        return Err(wrong("is longer than 64 MiB; give the lines of this release alone".to_owned()));
    }
    Ok(bytes)
}
