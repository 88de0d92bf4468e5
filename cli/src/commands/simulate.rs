//! `llm-canary simulate`: what each step gives each version, and how many conversations it moves.

use super::input::{Keys, read_config, read_file};
use super::ramp;
use crate::error::Error;
use crate::io::World;
use crate::number_args::parse_whole;
use crate::plugin;
use crate::simulation::{KeyCounts, Simulation, synthetic_key, table};
use crate::time_args;
use llm_canary::config::{Config, Rollout};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most synthetic keys. The shares of ten million are exact to a thousandth of a percentage point.
const COUNT_MAX: u64 = 10_000_000;
/// How often a long run says how far it is.
const PROGRESS: Duration = Duration::from_secs(5);
/// The clock is read once for so many keys.
const KEYS_PER_LOOK: u64 = 1 << 16;

/// Show what each step of a rollout gives each version, and how many conversations it moves.
///
/// The keys are synthetic and the same in each run, or come from a file of real ones. The filter's own code finds their
/// buckets. A step moves a conversation when its bucket gets another version, unless the conversation is pinned or
/// its id contains its start time (UUIDv7, ULID, TypeID).
///
/// With VERSION and --plan it shows what FILE would do after `llm-canary ramp FILE VERSION --plan ...`, and writes nothing.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary simulate envoy/ecds/llm-canary.yaml
  llm-canary simulate envoy/ecds/llm-canary.yaml --keys ids.txt
  llm-canary simulate envoy/ecds/llm-canary.yaml v2 --plan 1%,5%@+30m,25%@+2h --keys ids.txt
  kubectl logs gateway | grep -o 'conv_[a-z0-9]*' | sort -u | llm-canary simulate config.json --keys -
  llm-canary ramp config.json v2 50 --at +1h && llm-canary simulate config.json

The row marked > is in force.

A file of keys has one a line, of any bytes, and may be as long as you like: it is read once, as it comes. A million lines take
less than a second, in which case nothing is said; a longer run says every 5 s how far it is. Each line counts, so give each
conversation once (sort -u) for shares of conversations, and once for each request for shares of requests.

Exit codes: 0 simulated, 2 usage or input error.")]
pub(crate) struct Args {
    /// A file with one llm-canary configuration, in any format that `check` reads
    #[arg(value_name = "FILE")]
    config: PathBuf,
    /// The version that --plan gives shares
    #[arg(value_name = "VERSION", requires = "plan")]
    version: Option<String>,
    /// Shares that are not in FILE yet, each with the time it takes effect, such as 5%,25%@+30m
    #[arg(long, value_name = "PERCENT[@TIME],...", requires = "version", allow_hyphen_values = true)]
    plan: Option<String>,
    /// Simulate only this rollout
    #[arg(long, value_name = "NAME")]
    rollout: Option<String>,
    /// Real keys, one a line; - reads standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["count", "seed"])]
    keys: Option<PathBuf>,
    /// How many synthetic keys to use
    #[arg(long, value_name = "N", default_value = "100000", value_parser = parse_count, allow_hyphen_values = true)]
    count: u64,
    /// The seed of the synthetic keys
    #[arg(long, value_name = "N", default_value = "0", value_parser = parse_seed, allow_hyphen_values = true)]
    seed: u64,
    /// Mark the row in force at this time: now, +10m, or RFC 3339
    #[arg(long, value_name = "TIME", default_value = "now", allow_hyphen_values = true)]
    at: String,
    /// Print JSON: a list of rollouts, each with its steps
    #[arg(long)]
    pub(super) json: bool,
}

fn parse_count(text: &str) -> Result<u64, String> {
    parse_whole(text, 1..=COUNT_MAX)
}

fn parse_seed(text: &str) -> Result<u64, String> {
    parse_whole(text, 0..=u64::MAX)
}

pub(super) fn run(args: &Args, world: &mut World<'_>) -> Result<(), Error> {
    let at = time_args::parse_time(&args.at, world.clock.now())
        .map_err(|message| Error::refused(format!("--at {message}")))?;
    let config = match (&args.version, &args.plan) {
        (Some(version), Some(plan)) => read_planned(world, args, version, plan)?,
        _ => read_config(world, &args.config)?,
    };
    let is_wanted = |rollout: &&Rollout| args.rollout.as_ref().is_none_or(|name| *name == rollout.name);
    let mut counts: Vec<KeyCounts<'_>> =
        config.rollouts.iter().filter(is_wanted).map(KeyCounts::new).collect();
    if counts.is_empty() {
        let names: Vec<&str> = config.rollouts.iter().map(|rollout| rollout.name.as_str()).collect();
        let names = if names.is_empty() { "no rollouts".to_owned() } else { names.join(", ") };
        let file = args.config.display();
        return Err(Error::refused(match &args.rollout {
            Some(name) => format!("--rollout {name:?} is not in {file}, which has {names}"),
            None => format!("{file} has {names}"),
        }));
    }
    if let Some(file) = &args.keys {
        count_keys(world, file, &mut counts)?;
        if counts.iter().any(KeyCounts::is_empty) {
            let message = format!("--keys {}: has no keys; write one a line", file.display());
            return Err(Error::refused(message));
        }
    } else {
        for number in 0..args.count {
            let key = synthetic_key(args.seed, number);
            counts.iter_mut().for_each(|counts| counts.add(key.as_bytes()));
        }
    }
    let simulations: Vec<Simulation<'_>> = counts.iter().map(|counts| counts.simulation(at)).collect();
    if args.json {
        world.print_json(&simulations)?;
    } else {
        let kind = if args.keys.is_some() { "real" } else { "synthetic" };
        let tables: Vec<String> =
            simulations.iter().map(|simulation| table::text(simulation, kind)).collect();
        world.print(&tables.join("\n\n"))?;
    }
    Ok(())
}

/// When it was last said how far a run is.
struct Progress {
    said_at: Duration,
}

impl Progress {
    fn is_due(&mut self, now: Duration) -> bool {
        let is_due = now >= self.said_at + PROGRESS;
        if is_due {
            self.said_at = now;
        }
        is_due
    }
}

/// Counts the keys of a file, and says now and then how many there were.
fn count_keys(world: &mut World<'_>, file: &Path, counts: &mut [KeyCounts<'_>]) -> Result<(), Error> {
    let mut keys = Keys::open(world, file)?;
    let mut lines = 0;
    let mut progress = Progress { said_at: world.clock.elapsed() };
    while let Some(key) = keys.next()? {
        if !key.is_empty() {
            counts.iter_mut().for_each(|counts| counts.add(key));
        }
        lines += 1;
        if lines % KEYS_PER_LOOK == 0 && progress.is_due(world.clock.elapsed()) {
            world.say(&format!("note: {lines} lines so far"));
        }
    }
    Ok(())
}

/// The configuration as it would be with a plan. Nothing is written.
fn read_planned(world: &mut World<'_>, args: &Args, version: &str, plan: &str) -> Result<Config, Error> {
    let name = args.config.display().to_string();
    let bytes = read_file(world, &args.config)?;
    let text = ramp::planned_text(&name, &bytes, args.rollout.as_deref(), version, plan, world.clock.now())?;
    plugin::parse_one(&name, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::Progress;
    use std::time::Duration;

    #[test]
    fn progress_is_told_every_five_seconds() {
        let mut progress = Progress { said_at: Duration::from_secs(1) };
        let told = (1..20).filter(|now| progress.is_due(Duration::from_secs(*now)));
        assert_eq!(told.collect::<Vec<u64>>(), [6, 11, 16]);
    }
}
