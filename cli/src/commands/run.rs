//! `llm-canary run`: takes a version through a plan, by the evidence, and stops it if it is worse.

mod conductor;
mod evidence;
mod outlets;
mod progress;
mod steady;
mod watched;
mod ways;
mod writer;

use super::change::{self, ChangeOptions, Found};
use super::feed::SourceFeed;
use super::input::read_policy;
use super::listening;
use super::report::read_journal;
use super::source::SourceArgs;
use crate::controller::{Advance, OnTimeout, Rules};
use crate::error::{Error, Problem};
use crate::io::World;
use crate::io::audience::{Audience, Nobody};
use crate::io::claim::Claim;
use crate::io::lease::{Lease, Place};
use crate::io::notices::Receiver;
use crate::io::post::check_url;
use crate::page::Journal;
use crate::release::{obstacles, present};
use crate::release_plan::Plan;
use crate::time_args::{millis, parse_duration};
use crate::verdict_json;
use conductor::{Beginning, Conductor};
use core::net::SocketAddr;
use evidence::Gathered;
use llm_canary::timestamp::UnixMs;
use outlets::Outlets;
use std::path::{Path, PathBuf};
use std::time::Duration;
use watched::WatchdogArgs;
use ways::Commands;
use writer::Writer;

/// Before the first step the source is read back so far, to see that the baseline has requests.
const LOOK_BACK_MS: u64 = 300_000;
/// A step that this tool wrote takes effect within this time: for a ConfigMap two minutes, and a second to round up.
const SETTLES_MS: u64 = 121_000;
/// Envoys have so long to run a stop, before those that do not are named: where they are polled, and where Prometheus asks them.
const LAG_POLLED_MS: i64 = 30_000;
const LAG_SCRAPED_MS: i64 = 120_000;
/// A live resource is read this often, to see whether somebody else changes it.
const KUBECTL_EVERY: Duration = Duration::from_secs(10);

/// Take a version through a plan by the evidence; stop it if it is worse.
///
/// The plan says the shares: 1%,5%@10m,25%@30m,wait,100%. A step such as 25%@30m comes no sooner than 30 minutes after the step before
/// began (10 minutes without a time; the first at once), and only if the verdict is `fine` and at least 20 requests of the version have
/// ended in the step. `wait` asks for an approval. The plan is finished when its last step was in order as well; at 100 %, two minutes
/// after all Envoys run it.
///
/// A regression stops the version in every state, as `llm-canary stop` does. Where samples are missing or old, or the source is silent,
/// the share stays as it is. A stop that cannot be written is tried again every second.
///
/// The steps in FILE are the state: started again, the command goes on where they are. With --prometheus it has all its evidence again; with
/// --admin evidence begins anew, and with it the chance of a false alarm. If somebody else changes the release meanwhile, the command
/// ends and shows the difference.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary run llm.yaml v2 --plan 1%,5%,25%@30m,50%@1h,100% --prometheus http://localhost:9090
  llm-canary run llm.yaml v2 --plan 10%,50%@5m --admin http://envoy-1:9901 --admin http://envoy-2:9901 --dry-run
  llm-canary run llm.yaml v2 --plan 1%,100% --prometheus http://localhost:9090 --notify https://hooks.example.com/x --journal release.jsonl
  llm-canary run llm.yaml v2 --plan 5%,wait,50% --prometheus http://localhost:9090 --listen
  llm-canary run wasmplugin/llm-canary v2 --kubectl -n istio-ingress --plan 1%,100% --prometheus http://localhost:9090

What was wrong is mended? A stopped version starts again with --again REASON, each reason once.

On standard error it says what it waits for, at least each minute: which signals need how much more, and how long that takes.

With --json it prints a line for each transition, and not what it waits for: at, rollout, version, baseline, event (starting, ramping, held, waiting, at_100, finishing, stopping,
stopped, ended), from, hold (missing, health, unwritten, timeout), percent, verdict, text, why, undo, exit_code, dry_run; the last line is the
verdict as `analyze --json` prints it. --notify and --on-event get the same objects. The journal adds the figures of the look.

Exit codes: 0 the plan is finished; 1 the version is stopped; 2 usage or input error, or somebody else has changed the release; 130, 143 ended by
SIGINT or SIGTERM, and the share is as it was.")]
pub(crate) struct Args {
    /// The file that Envoy or kubectl reads; with --kubectl a live resource, such as wasmplugin/llm-canary
    #[arg(value_name = "FILE")]
    target: String,
    /// The version to release
    version: String,
    /// The shares one after the other, such as 1%,5%@10m,wait,100%
    #[arg(long, value_name = "PERCENT[@DURATION],...", allow_hyphen_values = true)]
    plan: String,
    /// The rollout, if FILE has several: NAME, or PLACE/NAME where several have this name
    #[arg(long, value_name = "NAME")]
    rollout: Option<String>,
    /// A policy; `llm-canary policy` prints the default
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// What leads to the next step: the verdict fine, or time alone where nothing is worse
    #[arg(long, value_enum, value_name = "BY", default_value_t = AdvanceArg::Fine)]
    advance: AdvanceArg,
    /// How long a step may last before --on-timeout
    #[arg(long, value_name = "DURATION", default_value = "6h", value_parser = parse_duration, allow_hyphen_values = true)]
    timeout: Duration,
    /// What becomes of a step that lasts too long: it stays until the verdict is fine, the version is stopped, or the next step comes where
    /// nothing is worse
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = OnTimeoutArg::Hold)]
    on_timeout: OnTimeoutArg,
    /// Start a stopped version again, on new evidence. Say what was mended: a reason counts once
    #[arg(long, value_name = "REASON")]
    again: Option<String>,
    /// Watch, say what would be done and when, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Send each transition to this address as JSON, by POST; its field `text` is what Slack shows. May be repeated
    #[arg(long, value_name = "URL")]
    notify: Vec<String>,
    /// Run this command of the shell at each transition, with the JSON on its standard input. May be repeated
    #[arg(long, value_name = "COMMAND", allow_hyphen_values = true)]
    on_event: Vec<String>,
    /// Add a line of JSON to this file for each transition and each look that found something new
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Change a live WasmPlugin, TrafficExtension, EnvoyFilter, EnvoyExtensionPolicy or ConfigMap with kubectl
    #[arg(long)]
    kubectl: bool,
    /// The namespace of the resource, with --kubectl
    #[arg(long, short, requires = "kubectl", value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// The context in kubectl's configuration, with --kubectl: which cluster
    #[arg(long, requires = "kubectl", value_name = "CONTEXT")]
    context: Option<String>,
    /// Serve a page, an API, metrics and probes at this address, and take approvals there
    #[arg(
        long,
        value_name = "IP:PORT",
        value_parser = listening::parse_address,
        num_args = 0..=1,
        default_missing_value = listening::DEFAULT_ADDRESS
    )]
    listen: Option<SocketAddr>,
    /// A file with the token that an approval must have; needed beyond this machine's own addresses
    #[arg(long, requires = "listen", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Print a line of JSON for each transition, and the verdict last
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    watchdog: WatchdogArgs,
    #[command(flatten)]
    source: SourceArgs,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum AdvanceArg {
    Fine,
    Time,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum OnTimeoutArg {
    Hold,
    Stop,
    Advance,
}

pub(super) fn run(args: &Args, world: &mut World<'_>) -> Result<u8, Error> {
    let Some(address) = args.listen else { return run_before(args, &Nobody, world) };
    let good_for = listening::good_for(&args.source);
    match listening::open(address, args.token_file.as_deref(), true, good_for, world) {
        Ok((board, _server)) => run_before(args, &board, world),
        Err(error) => {
            args.not_started(&mut args.outlets()?, &error, world);
            Err(error)
        }
    }
}

/// Runs with somebody who watches and may approve.
fn run_before(args: &Args, audience: &dyn Audience, world: &mut World<'_>) -> Result<u8, Error> {
    let mut outlets = args.outlets()?;
    let begun = begin(args, audience, world);
    let (mut beginning, mut feed) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            args.not_started(&mut outlets, &error, world);
            return Err(error);
        }
    };
    beginning.outlets = outlets;
    let mut conductor = Conductor::new(beginning, world);
    let code = conductor.conduct(&mut feed, world);
    if args.json {
        let analysis = conductor.analysis(&feed, world);
        let verdict = verdict_json::object(&analysis).to_string();
        conductor.outlets.print(&verdict, world);
    }
    conductor.outlets.finish(world);
    Ok(code)
}

/// Checks everything, claims the rollout and opens the source. Nothing is written to the rollout.
fn begin<'a, 'w: 'a>(
    args: &'a Args,
    audience: &'a dyn Audience,
    world: &mut World<'w>,
) -> Result<(Beginning<'a>, SourceFeed), Error> {
    let rules = args.rules()?;
    let mut policy = read_policy(world, args.policy.as_deref())?;
    if args.watchdog.is_given() {
        policy = policy.with_watchdog();
    }
    if args.source.is_file() {
        return Err(Error::refused(
            "--from is a file, and run needs a source that goes on: --prometheus or --admin. To judge a file, use analyze",
        ));
    }
    // A wait would never end.
    if rules.plan.has_wait() && !audience.can_approve() {
        return Err(Error::refused(format!(
            "--plan {}: wait needs somebody who can approve; add --listen, or leave it out and end the plan there: run goes on later with a longer \
             plan",
            args.plan
        )));
    }
    let options = args.change_options();
    let found = change::find(&options, world)?;
    for warning in &found.warnings {
        world.say(&format!("warning: {warning}"));
    }
    check_version(&found, &args.version)?;
    let file = (!args.kubectl).then(|| Path::new(&args.target));
    let rollout = args.rollout.as_ref().map(|_| found.rollout.as_str());
    let watched = args.watchdog.watched(file, rollout, &args.version, &found.schedule.baseline, &policy)?;
    let now = world.clock.now();
    let obstacles =
        obstacles(&found.schedule, &args.version, &rules.plan, now, SETTLES_MS, args.again.is_some());
    if !obstacles.is_empty() {
        let problem = |words: &String| Problem::new(&args.target, "", words);
        return Err(Error::invalid(obstacles.iter().map(problem).collect()));
    }
    let claim = args.claim(&found.rollout, world)?;
    // Until here the system ends the command at once, and there is nothing to say.
    world.signals.watch().map_err(Error::refused)?;
    let is_stopped = found.schedule.is_stopped(&args.version);
    let again = args.again.clone().filter(|_| is_stopped);
    if let (Some(reason), Some(claim)) = (&again, &claim)
        && claim.reasons().contains(reason)
    {
        return Err(Error::refused(format!(
            "--again {reason:?} has started {} before, and it was stopped again; say what was mended since then",
            args.version
        )));
    }
    let present = present(&found.schedule, &args.version, now.saturating_add(SETTLES_MS));
    let parts = if is_stopped { 0 } else { present.parts };
    if parts == 0 {
        args.watchdog.check_fresh(world)?;
    }
    let step_began = if parts == 0 { now } else { present.since.unwrap_or(now) };
    let state = rules
        .found(parts, signed(step_began))
        .map_err(|_| Error::refused("the share is no step of the plan"))?;
    // Before the first step nothing is judged, and the source is only looked at.
    let (read_since, judged_since) = match parts {
        0 => (Some(now.saturating_sub(LOOK_BACK_MS)), Some(UnixMs::MAX)),
        _ => (present.risen, present.risen),
    };
    // A source that is silent for now is waited for: it is asked again at each look.
    let feed = SourceFeed::unread(&args.source, read_since, Some(&found.rollout), world)?;
    if parts > 0 && args.source.is_polled() {
        world.say(
            "note: evidence begins now: the chance of a false alarm (alpha) is spent anew. With --prometheus it would reach back",
        );
    }
    let beginning = Beginning {
        gathered: Gathered::new(
            &found.rollout,
            &args.version,
            &found.schedule,
            policy,
            judged_since,
            step_began,
        ),
        writer: Writer::new(options, &args.version, &found, args.dry_run),
        rules,
        state,
        outlets: Outlets::new(args.json, Vec::new(), None),
        claim,
        watched,
        audience,
        commands: args.commands(),
        again,
        is_dry: args.dry_run,
        parts,
        shown: args.earlier_events(&found.rollout, world),
        read_every: if args.kubectl { KUBECTL_EVERY } else { Duration::ZERO },
    };
    Ok((beginning, feed))
}

fn check_version(found: &Found, version: &str) -> Result<(), Error> {
    let names: Vec<&str> = found.schedule.versions.iter().map(|(name, _)| name.as_str()).collect();
    if names.contains(&version) {
        return Ok(());
    }
    let suggestion = crate::suggest::suggest(version, &names);
    Err(Error::refused(format!("rollout {} has no version {version:?}; {suggestion}", found.rollout)))
}

impl Args {
    fn rules(&self) -> Result<Rules, Error> {
        let wrong = |mistakes: Vec<String>| {
            let problems = mistakes.iter().map(|words| Problem::new("--plan", "", words));
            Error::invalid(problems.collect())
        };
        let polled = self.source.is_polled();
        Ok(Rules {
            plan: Plan::parse(&self.plan).map_err(wrong)?,
            advance: match self.advance {
                AdvanceArg::Fine => Advance::Fine,
                AdvanceArg::Time => Advance::Time,
            },
            timeout_ms: signed(millis(self.timeout)),
            on_timeout: match self.on_timeout {
                OnTimeoutArg::Hold => OnTimeout::Hold,
                OnTimeoutArg::Stop => OnTimeout::Stop,
                OnTimeoutArg::Advance => OnTimeout::Advance,
            },
            lag_ms: if polled { LAG_POLLED_MS } else { LAG_SCRAPED_MS },
        })
    }

    fn outlets(&self) -> Result<Outlets, Error> {
        for url in &self.notify {
            check_url(url).map_err(|words| Error::refused(format!("--notify {words}")))?;
        }
        let urls = self.notify.iter().map(|url| Receiver::Url(url.clone()));
        let commands = self.on_event.iter().map(|command| Receiver::Command(command.clone()));
        Ok(Outlets::new(self.json, urls.chain(commands).collect(), self.journal.clone()))
    }

    /// What the journal says of an earlier run, for the page alone: what cannot be read holds nothing up.
    fn earlier_events(&self, rollout: &str, world: &World<'_>) -> Journal {
        let journal = self.journal.as_deref().filter(|_| self.listen.is_some());
        let lines = journal.and_then(|path| read_journal(world, path).ok());
        lines.map(|lines| Journal::read(&lines, rollout)).unwrap_or_default()
    }

    fn not_started(&self, outlets: &mut Outlets, error: &Error, world: &mut World<'_>) {
        let text = format!("llm-canary run {} {} did not start: {error}", self.target, self.version);
        outlets.not_started(&text, world);
    }

    fn change_options(&self) -> ChangeOptions {
        let kubectl = self.kubectl.then_some((self.namespace.as_deref(), self.context.as_deref()));
        let rollout = self.rollout.as_deref();
        ChangeOptions::without_waiting(&self.target, rollout, kubectl, self.source.admins(), self.dry_run)
    }

    /// Keeps other runs away. A dry one keeps nobody away.
    fn claim<'a, 'w: 'a>(
        &'a self,
        rollout: &str,
        world: &mut World<'w>,
    ) -> Result<Option<Box<dyn Claim + 'a>>, Error> {
        if self.dry_run {
            return Ok(None);
        }
        if !self.kubectl {
            return world
                .files
                .claim(Path::new(&self.target), rollout)
                .map(|claim| Some(claim as Box<dyn Claim + 'a>));
        }
        let (namespace, context) = (self.namespace.as_deref(), self.context.as_deref());
        let place = Place { resource: &self.target, namespace, context, rollout: rollout.to_owned() };
        let (kubectl, clock, random) = (world.kubectl, world.clock, (world.random)());
        let lease = Lease::claim(kubectl, place, random, clock, &mut |line| world.say(line))?;
        Ok(Some(Box::new(lease)))
    }

    fn commands(&self) -> Commands {
        let mut target = self.target.clone();
        let mut add = |name: &str, value: Option<&String>| {
            if let Some(value) = value {
                target = format!("{target} {name} {value}");
            }
        };
        add("--rollout", self.rollout.as_ref());
        add("-n", self.namespace.as_ref());
        add("--context", self.context.as_ref());
        if self.kubectl {
            target = format!("--kubectl {target}");
        }
        Commands { target, version: self.version.clone() }
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
