//! `--watchdog`: a reference set that is asked beside the traffic, while the version has a share.
//!
//! The set is asked by `llm-canary watchdog`, which runs beside this command, so that no slow model holds a stop up. Each of its
//! lines is a round.

use crate::commands::results::Results;
use crate::commands::watchdog::check_sets;
use crate::error::Error;
use crate::io::World;
use crate::io::beside::Program;
use crate::time_args::{format_duration, millis, parse_duration};
use crate::watchdog::guard;
use crate::watchdog::results::{Line, Round, Sides};
use crate::watchdog::summary::Summary;
use llm_canary_verdict::outside::Outside;
use llm_canary_verdict::policy::Policy;
use llm_canary_verdict::verdict::Finding;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A round counts for three times the time between rounds, and so much longer: what a slow model takes.
const SLOW_ROUND: Duration = Duration::from_secs(600);

/// A reference set beside the traffic.
#[derive(clap::Args)]
#[command(next_help_heading = "Reference set, asked beside the traffic")]
#[group(skip)]
pub(super) struct WatchdogArgs {
    /// A reference set, which is asked of both versions while VERSION has a share, and is a guard of its own: if its answers are worse,
    /// VERSION is stopped. May be repeated. docs/watchdog.md
    #[arg(long = "watchdog", value_name = "SET")]
    sets: Vec<PathBuf>,
    /// Ask through this Envoy, with the header of an override that FILE has for each of the two versions
    #[arg(long = "watchdog-via", alias = "via", value_name = "URL", requires = "sets")]
    via: Option<String>,
    /// Ask a version's servers themselves; once for VERSION and once for the baseline
    #[arg(
        long = "watchdog-target",
        alias = "target",
        value_name = "NAME=URL",
        requires = "sets",
        conflicts_with = "via"
    )]
    targets: Vec<String>,
    /// The time from one round to the next
    #[arg(id = "watchdog-every", long = "watchdog-every", value_name = "DURATION", default_value = "5m", value_parser = parse_duration)]
    every: Duration,
    /// The API that is spoken: chat, responses, messages, completions or ollama
    #[arg(long = "watchdog-api", alias = "api", value_name = "API", requires = "sets")]
    api: Option<String>,
    /// The model that requests name
    #[arg(long = "watchdog-model", alias = "model", value_name = "MODEL", requires = "sets")]
    model: Option<String>,
    /// A header of each request, such as 'x-team: a'; may be repeated
    #[arg(id = "watchdog-header", long = "watchdog-header", value_name = "HEADER", requires = "sets")]
    headers: Vec<String>,
    /// A file with the key of the models' API
    #[arg(long = "watchdog-key-file", alias = "key-file", value_name = "FILE", requires = "sets")]
    key_file: Option<PathBuf>,
    /// At most so many requests a day: each round asks its share of the set
    #[arg(
        long = "watchdog-max-calls-per-day",
        alias = "max-calls-per-day",
        value_name = "N",
        requires = "sets"
    )]
    max_calls_per_day: Option<u64>,
    /// Add answers, votes and rounds to this file, for report --watchdog
    #[arg(long = "watchdog-out", value_name = "FILE", requires = "sets")]
    out: Option<PathBuf>,
    /// A server of chat completions that judges answers
    #[arg(long, value_name = "URL", requires = "sets")]
    judge: Option<String>,
    /// The model that judges
    #[arg(long, value_name = "MODEL", requires = "judge")]
    judge_model: Option<String>,
    /// A file with the key of the judge's API
    #[arg(long, value_name = "FILE", requires = "judge")]
    judge_key_file: Option<PathBuf>,
}

/// What is watched, and what was found.
pub(super) struct Watched {
    arguments: Vec<String>,
    every: Duration,
    policy: Policy,
    program: Option<Box<dyn Program>>,
    /// When it was started, or the last round ended, on the clock's time since the start.
    heard: Duration,
    outside: Outside,
    /// Why no more rounds come.
    ended: Option<String>,
    /// The names of both versions, and the last round.
    names: Sides<String>,
    round: Option<Round>,
    /// The file with all lines, if they are kept.
    results: Option<Results>,
}

impl WatchdogArgs {
    /// Whether there is a set.
    pub(super) fn is_given(&self) -> bool {
        !self.sets.is_empty()
    }

    /// What will be watched, once the version has a share; `None` without a set.
    ///
    /// # Errors
    /// It is not said where to ask.
    pub(super) fn watched(
        &self,
        file: Option<&Path>,
        rollout: Option<&str>,
        version: &str,
        baseline: &str,
        policy: &Policy,
    ) -> Result<Option<Watched>, Error> {
        if !self.is_given() {
            return Ok(None);
        }
        if self.via.is_none() && self.targets.is_empty() {
            return Err(Error::refused(format!(
                "--watchdog needs to know where to ask: --watchdog-via URL of an Envoy whose FILE has an override for each version, or \
                 --watchdog-target {version}=URL --watchdog-target {baseline}=URL"
            )));
        }
        check_sets(&self.sets)?;
        if self.via.is_some() && file.is_none() {
            return Err(Error::refused(
                "--watchdog-via needs the overrides in FILE, and with --kubectl there is no file; use --watchdog-target",
            ));
        }
        Ok(Some(Watched {
            arguments: self.arguments(file, rollout, version, baseline, policy),
            every: self.every,
            program: None,
            heard: Duration::ZERO,
            outside: guard::before_first(policy),
            ended: None,
            names: Sides { version: version.to_owned(), baseline: baseline.to_owned() },
            round: None,
            results: self.out.as_deref().map(Results::new),
            policy: policy.clone(),
        }))
    }

    /// A release that begins must not be judged by the answers of one before.
    ///
    /// # Errors
    /// The file of --watchdog-out has something in it.
    pub(super) fn check_fresh(&self, world: &World<'_>) -> Result<(), Error> {
        let Some(out) = &self.out else { return Ok(()) };
        let has_any = world.files.open(out).and_then(|mut file| Ok(!file.fill_buf()?.is_empty()));
        match has_any {
            Ok(true) => Err(Error::refused(format!(
                "--watchdog-out {}: has answers of another release in it; give another file, or move this one away",
                out.display()
            ))),
            // What cannot be read is found when it is written.
            Ok(false) | Err(_) => Ok(()),
        }
    }

    /// The arguments of `watchdog`.
    fn arguments(
        &self,
        file: Option<&Path>,
        rollout: Option<&str>,
        version: &str,
        baseline: &str,
        policy: &Policy,
    ) -> Vec<String> {
        let chances = guard::chances(policy);
        let mut arguments = vec!["watchdog".to_owned()];
        // After a name that begins with a dash, nothing would be understood.
        arguments.extend(file.map(|file| file.display().to_string()));
        let mut add = |name: &str, value: Option<String>| {
            arguments.extend(value.map(|value| format!("--{name}={value}")));
        };
        let path = |path: &PathBuf| path.display().to_string();
        self.sets.iter().for_each(|set| add("set", Some(path(set))));
        add("rollout", rollout.map(str::to_owned));
        add("via", self.via.clone());
        self.targets.iter().for_each(|target| add("target", Some(target.clone())));
        add("version", Some(version.to_owned()));
        add("baseline", Some(baseline.to_owned()));
        add("every", Some(format!("{}ms", millis(self.every))));
        add("api", self.api.clone());
        add("model", self.model.clone());
        self.headers.iter().for_each(|header| add("header", Some(header.clone())));
        add("key-file", self.key_file.as_ref().map(path));
        add("max-calls-per-day", self.max_calls_per_day.map(|calls| calls.to_string()));
        add("out", self.out.as_ref().map(path));
        add("judge", self.judge.clone());
        add("judge-model", self.judge_model.clone());
        add("judge-key-file", self.judge_key_file.as_ref().map(path));
        add("alpha", Some(chances.alpha.to_string()));
        add("beta", Some(chances.beta.to_string()));
        arguments.push("--json".to_owned());
        arguments
    }
}

impl Watched {
    /// Starts the set when the version has a share, and ends it when it has none any more; takes in rounds. Returns whether one of them
    /// found the version to be worse.
    pub(super) fn attend(&mut self, has_share: bool, world: &World<'_>) -> bool {
        if !has_share {
            self.program = None;
            return false;
        }
        let now = world.clock.elapsed();
        if self.program.is_none() && self.ended.is_none() {
            self.heard = now;
            match world.beside.start(&self.arguments) {
                Ok(program) => self.program = Some(program),
                Err(words) => self.ended = Some(format!("it {words}")),
            }
        }
        let Some(program) = &mut self.program else { return false };
        // First how it ended: what it wrote before is there then.
        let ended = program.ended();
        let lines = program.lines();
        if ended.is_some() {
            self.ended = ended;
            self.program = None;
        }
        let was_worse = self.outside.finding == Finding::Worse;
        for line in lines {
            self.take(&line, now, world);
        }
        self.outside.finding == Finding::Worse && !was_worse
    }

    fn take(&mut self, line: &str, now: Duration, world: &World<'_>) {
        // With or without the name of the line: RESULTS has it.
        let round = match Line::parse(line) {
            Ok(Line::Round(round)) => Some(*round),
            _ => serde_json::from_str::<Round>(line).ok(),
        };
        // Round 0 compares nothing yet.
        let Some(round) = round.filter(|round| round.round > 0) else { return };
        self.heard = now;
        let at_ms = i64::try_from(world.clock.now()).unwrap_or(i64::MAX);
        if self.outside.finding != Finding::Worse {
            self.outside = guard::after(&round, &self.policy, at_ms);
        }
        self.round = Some(round);
        if let Some(results) = &mut self.results {
            // Only the page needs it. What cannot be read is not shown.
            let _ = results.read_if_there(world);
        }
    }

    /// What the set says.
    pub(super) fn outside(&self) -> &Outside {
        &self.outside
    }

    /// What the set showed last: with answers, where they are kept.
    pub(super) fn summary(&self) -> Option<Summary> {
        let of_file = self.results.as_ref().and_then(Results::summary);
        of_file.or_else(|| self.round.clone().map(|round| Summary::of_round(self.names.clone(), round)))
    }

    /// Why nothing may go on.
    pub(super) fn trouble(&self, world: &World<'_>) -> Option<String> {
        if let Some(words) = &self.ended {
            return Some(format!("the reference set is not asked any more: {words}"));
        }
        let silent = world.clock.elapsed().saturating_sub(self.heard);
        let limit = self.every.saturating_mul(3).saturating_add(SLOW_ROUND);
        (self.program.is_some() && silent > limit).then(|| {
            let silent = Duration::from_secs(silent.as_secs());
            format!("no round of the reference set has ended for {}", format_duration(millis(silent)))
        })
    }
}
