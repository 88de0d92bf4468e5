//! `llm-canary simulate`: what each step gives each version, and how many conversations it moves.

mod table;

use crate::{FINE, Failure, INPUT_ERROR, moment, now, source};
use llm_canary::bucket;
use llm_canary::config::{KeyKind, Rollout};
use llm_canary::timestamp::{UnixMs, of_id, rfc3339};
use serde::Serialize;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// Keys that are made up at most; the shares of ten million are exact to a thousandth of a point.
const COUNT_MAX: u64 = 10_000_000;
/// The longest line of a file of keys.
const KEY_BYTES_MAX: u64 = 64 << 10;

/// Show what each step of a rollout gives each version, and how many conversations it moves.
///
/// Keys are made up, the same ones each time, or read from a file of real ones. Their buckets are the filter's own. A
/// key that tells when its conversation began (UUIDv7, ULID, TypeID) stays where it is, as does a pinned one; of
/// all others a step moves those whose bucket changes hands.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary simulate envoy/ecds/llm-canary.yaml
  llm-canary simulate envoy/ecds/llm-canary.yaml --keys ids.txt
  kubectl logs gateway | grep -o 'conv_[a-z0-9]*' | sort -u | llm-canary simulate config.json --keys -
  llm-canary ramp config.json v2 50 --at +1h && llm-canary simulate config.json

The row marked > is in force. Exit code 0: simulated; 2: usage or input error.")]
pub(crate) struct Args {
    /// A file with one llm-canary configuration, of any kind that `check` reads.
    #[arg(value_name = "FILE")]
    config: PathBuf,
    /// The rollout, instead of all of them.
    #[arg(long, value_name = "NAME")]
    rollout: Option<String>,
    /// Real keys, one a line; - reads standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["count", "seed"])]
    keys: Option<PathBuf>,
    /// How many keys are made up.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=COUNT_MAX))]
    count: u64,
    /// Makes up other keys.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// The moment whose row is marked: now, +10m, or RFC 3339.
    #[arg(long, value_name = "MOMENT", default_value = "now")]
    at: String,
    /// Print JSON: a list of rollouts, each with its steps.
    #[arg(long)]
    json: bool,
}

/// What the steps of one rollout do to a set of keys.
#[derive(Serialize)]
struct Simulation<'a> {
    rollout: &'a str,
    baseline: &'a str,
    stopped: Vec<&'a str>,
    keys: u64,
    /// Keys that tell when their conversation began.
    timed_keys: u64,
    steps: Vec<Row<'a>>,
}

/// A stretch of time.
#[derive(Serialize)]
struct Row<'a> {
    /// `None`: from the beginning of time.
    from: Option<String>,
    in_force: bool,
    versions: Vec<Share<'a>>,
    /// Keys whose bucket changes hands with the step, but for those that tell when they began.
    moves: u64,
    /// Those that do, and therefore stay.
    held: u64,
}

/// What one version serves of conversations begun in that time.
#[derive(Serialize)]
struct Share<'a> {
    version: &'a str,
    /// What the step says.
    percent: f64,
    /// What the keys give.
    measured_percent: f64,
    keys: u64,
}

pub(crate) fn run(args: &Args) -> Result<u8, Failure> {
    let at = moment::parse_from(&args.at, now()).map_err(|words| Failure::new(format!("--at {words}")))?;
    let Some(config) = source::config(&args.config)? else { return Ok(INPUT_ERROR) };
    let wanted = |rollout: &&Rollout| args.rollout.as_ref().is_none_or(|name| *name == rollout.name);
    let rollouts: Vec<&Rollout> = config.rollouts.iter().filter(wanted).collect();
    if rollouts.is_empty() {
        let names: Vec<&str> = config.rollouts.iter().map(|rollout| rollout.name.as_str()).collect();
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(Failure::new(format!(
            "there is no such rollout in {}; it has {known}",
            args.config.display()
        )));
    }
    let mut counts: Vec<Counts<'_>> = rollouts.into_iter().map(Counts::new).collect();
    match &args.keys {
        Some(file) => each_line(file, |key| counts.iter_mut().for_each(|counts| counts.add(key)))?,
        None => (0..args.count).for_each(|number| {
            let key = made_up(args.seed, number);
            counts.iter_mut().for_each(|counts| counts.add(key.as_bytes()));
        }),
    }
    if counts.iter().any(|counts| counts.keys == 0) {
        return Err(Failure::new("--keys: there is not one key; write one a line"));
    }
    let simulations: Vec<Simulation<'_>> = counts.iter().map(|counts| counts.simulation(at)).collect();
    let text = if args.json {
        serde_json::to_string_pretty(&simulations).map_err(io::Error::from)?
    } else {
        let kind = if args.keys.is_some() { "real" } else { "made-up" };
        simulations.iter().map(|simulation| table::text(simulation, kind)).collect::<Vec<_>>().join("\n\n")
    };
    writeln!(io::stdout(), "{text}")?;
    Ok(FINE)
}

fn each_line(file: &Path, mut each: impl FnMut(&[u8])) -> Result<(), Failure> {
    let cannot_read = |error: io::Error| Failure::new(format!("--keys {}: {error}", file.display()));
    let mut lines: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(file).map_err(cannot_read)?))
    };
    let mut line = Vec::new();
    while io::Read::take(&mut lines, KEY_BYTES_MAX).read_until(b'\n', &mut line).map_err(cannot_read)? > 0 {
        let key = line.strip_suffix(b"\n").unwrap_or(&line);
        let key = key.strip_suffix(b"\r").unwrap_or(key);
        if !key.is_empty() {
            each(key);
        }
        line.clear();
    }
    Ok(())
}

/// A key as random as a real one, and the same each time: `SplitMix64` of its number.
fn made_up(seed: u64, number: u64) -> String {
    let mut z = seed.rotate_left(32).wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    format!("c-{:016x}", z ^ (z >> 31))
}

/// Counts keys, one at a time.
struct Counts<'a> {
    rollout: &'a Rollout,
    /// A user's key lives for years, so its time is never read.
    reads_time: bool,
    keys: u64,
    timed: u64,
    /// For each stretch of time: keys of each version, moved keys, held keys.
    stretches: Vec<(Vec<u64>, u64, u64)>,
}

impl<'a> Counts<'a> {
    fn new(rollout: &'a Rollout) -> Self {
        let stretch = (vec![0; rollout.versions.len()], 0, 0);
        Self {
            rollout,
            reads_time: rollout.keys.iter().any(|key| key.kind == KeyKind::Conversation),
            keys: 0,
            timed: 0,
            stretches: vec![stretch; rollout.steps.count() + 1],
        }
    }

    fn add(&mut self, key: &[u8]) {
        let bucket = bucket::bucket(&self.rollout.salt, key);
        let is_timed = self.reads_time && of_id(key).is_some();
        self.keys += 1;
        self.timed += u64::from(is_timed);
        let mut before = None;
        for (taken, (versions, moved, held)) in self.stretches.iter_mut().enumerate() {
            let version = served(self.rollout, self.rollout.steps.split(taken).version(bucket));
            if let Some(count) = versions.get_mut(version) {
                *count += 1;
            }
            if before.is_some_and(|before| before != version) {
                *if is_timed { held } else { moved } += 1;
            }
            before = Some(version);
        }
    }

    fn simulation(&self, at: UnixMs) -> Simulation<'a> {
        let rollout = self.rollout;
        let in_force = rollout.steps.taken_by(at);
        let row = |(taken, (versions, moves, held)): (usize, &(Vec<u64>, u64, u64))| Row {
            from: taken
                .checked_sub(1)
                .and_then(|step| rollout.steps.steps().get(step))
                .map(|step| rfc3339(step.at)),
            in_force: taken == in_force,
            versions: self.shares(taken, versions),
            moves: *moves,
            held: *held,
        };
        // Nothing can have begun before 1970, which is what "always" is written as.
        let is_always = rollout.steps.steps().first().is_some_and(|step| step.at == 0);
        let mut steps: Vec<Row<'a>> =
            self.stretches.iter().enumerate().skip(usize::from(is_always)).map(row).collect();
        if let Some(first) = steps.first_mut() {
            (first.from, first.moves, first.held) = (None, 0, 0);
        }
        let name = |version: usize| rollout.versions.get(version).map_or("", |version| version.name.as_str());
        Simulation {
            rollout: &rollout.name,
            baseline: name(rollout.baseline),
            stopped: rollout.versions.iter().filter(|v| v.stopped).map(|v| v.name.as_str()).collect(),
            keys: self.keys,
            timed_keys: self.timed,
            steps,
        }
    }

    fn shares(&self, taken: usize, counts: &[u64]) -> Vec<Share<'a>> {
        let split = self.rollout.steps.split(taken);
        let share = |(index, version): (usize, &'a llm_canary::config::Version)| {
            let owners = 0..self.rollout.versions.len();
            let served_by = owners.filter(|&owner| served(self.rollout, owner) == index);
            let parts: u32 = served_by.map(|owner| split.parts(owner)).sum();
            let keys = counts.get(index).copied().unwrap_or_default();
            Share {
                version: &version.name,
                percent: f64::from(parts) / 10_000.0,
                measured_percent: keys as f64 * 100.0 / self.keys.max(1) as f64,
                keys,
            }
        };
        self.rollout.versions.iter().enumerate().map(share).collect()
    }
}

/// The version that serves what another owns.
fn served(rollout: &Rollout, owner: usize) -> usize {
    let is_stopped = rollout.versions.get(owner).is_none_or(|version| version.stopped);
    if is_stopped { rollout.baseline } else { owner }
}
