//! `llm-canary ramp`: a new share for a version, or several planned ones.

use super::change::{self, Change, ChangeOptions, CurrentRollout, EXIT_CODES, ForgetOption, Urgency};
use crate::error::{Error, Problem};
use crate::io::World;
use crate::number_args::parse_percent;
use crate::plugin;
use llm_canary::split::percent;
use llm_canary::timestamp::UnixMs;

/// Give a version a share of the conversations that begin from now on, or several shares by a plan.
///
/// A ramp adds a step to the rollout. The shares of other versions stay. Conversations that are pinned, or whose id
/// contains their start time, keep their version; of all others only the difference moves. The step takes effect two
/// seconds later (with --kubectl fifteen, for a ConfigMap two minutes), so that every Envoy knows it in time. Later steps of the version are replaced,
/// and listed. A step that this machine or an Envoy named with --admin has reached by its clock is never changed.
#[derive(clap::Args)]
#[command(after_help = format!("Examples:
  llm-canary ramp envoy/ecds/llm-canary.yaml v2 1
  llm-canary ramp envoy/ecds/llm-canary.yaml v2 5 --admin http://localhost:9901
  llm-canary ramp envoy/ecds/llm-canary.yaml v2 25 --at +2h
  llm-canary ramp envoy/ecds/llm-canary.yaml v2 --plan 1%,5%@+30m,25%@+2h,100%@2026-11-24T09:00:00Z
  llm-canary ramp --kubectl wasmplugin/llm-canary -n istio-ingress v2 5
  llm-canary ramp envoy/ecds/llm-canary.yaml v2 5 --dry-run
  llm-canary ramp envoy/ecds/llm-canary.yaml v2 5 --forget-before 2026-11-01T00:00:00Z --dry-run

The difference is shown on stderr before anything is written. A \"split\" in the file becomes a step that has always been
in force, so that no running conversation moves.

{EXIT_CODES}"))]
pub(crate) struct Args {
    #[command(flatten)]
    pub(super) options: ChangeOptions,
    #[command(flatten)]
    forget: ForgetOption,
    /// The version to ramp
    version: String,
    /// Its share in percent, as fine as 0.0001
    #[arg(required_unless_present = "plan", value_parser = parse_percent, allow_negative_numbers = true)]
    percent: Option<u32>,
    /// When it takes effect: now, +10m, or RFC 3339
    #[arg(long, value_name = "TIME", conflicts_with = "plan", allow_hyphen_values = true)]
    at: Option<String>,
    /// Several shares, each with the time it takes effect, such as 5,25@+30m; without a time: as soon as possible
    #[arg(long, value_name = "PERCENT[@TIME],...", conflicts_with = "percent", allow_hyphen_values = true)]
    plan: Option<String>,
    /// Start the version again if it is stopped
    #[arg(long)]
    resume: bool,
}

/// Whether an argument that begins with one dash is meant as a share, and not as an option.
pub(super) fn is_meant_as_share(argument: &str) -> bool {
    let Some(rest) = argument.strip_prefix('-').filter(|rest| !rest.starts_with('-')) else { return false };
    let is_named = ["inf", "nan"].iter().any(|name| rest.to_ascii_lowercase().starts_with(name));
    is_named || rest.ends_with('%') || rest.starts_with(|c: char| c.is_numeric() || c == '.' || c == ',')
}

/// What is wrong with a share that begins with a dash.
pub(super) fn share_words(share: &str) -> String {
    parse_percent(share).err().unwrap_or_else(|| "write it behind --".to_owned())
}

pub(super) fn run(args: &Args, world: &mut World<'_>) -> Result<(), Error> {
    let ran = change::run(&args.options, Urgency::CanWait, Some(&args.forget), world, |current| {
        require_rampable(current, &args.version)?;
        let shares = match (&args.plan, args.percent) {
            (Some(plan), _) => parse_plan(current, plan)?,
            (None, percent) => vec![(current.start_time(args.at.as_deref())?, percent.unwrap_or_default())],
        };
        let change = ramping(current, &args.version, &shares, args.resume)?;
        Ok(Change { asked_by: args.plan.as_ref().map(|plan| format!("--plan {plan}")), ..change })
    });
    ran.map_err(|error| match (error, &args.plan) {
        (Error::WouldBeRefused(problems), Some(plan)) => {
            let by_plan = |problem: Problem| Problem {
                message: format!("{}. --plan {plan} asks for that", problem.message),
                ..problem
            };
            Error::WouldBeRefused(problems.into_iter().map(by_plan).collect())
        }
        (error, _) => error,
    })
}

/// Refuses what no command gives a share.
fn require_rampable(current: &CurrentRollout<'_>, version: &str) -> Result<(), Error> {
    current.require_version(version)?;
    if version == current.schedule.baseline {
        return Err(Error::refused(format!(
            "{version} is the baseline, and gets what the other versions leave; ramp another version, or promote \
             {version} to give it everything"
        )));
    }
    Ok(())
}

/// The change that gives a version these shares, each from its time on.
pub(super) fn ramping(
    current: &CurrentRollout<'_>,
    version: &str,
    shares: &[(UnixMs, u32)],
    resume: bool,
) -> Result<Change, Error> {
    require_rampable(current, version)?;
    let gives_any = shares.iter().any(|(_, parts)| *parts > 0);
    if current.schedule.is_stopped(version) && gives_any && !resume {
        return Err(Error::refused(format!(
            "{version} is stopped, so it would get nothing; add --resume to start it again"
        )));
    }
    let (at, _) = shares.first().copied().unwrap_or_default();
    let mut schedule = current.schedule.with_share(version, shares);
    if resume {
        schedule = schedule.with_stopped(version, false);
    }
    let before = percent(current.schedule.parts_before(version, at));
    let summary = if schedule == *current.schedule {
        format!("{version} has {before} % already")
    } else {
        let share =
            |(at, parts): &(UnixMs, u32)| format!("{} % {}", percent(*parts), current.describe_start(*at));
        let shares: Vec<String> = shares.iter().map(share).collect();
        format!("{version} has {before} %, gets {}", shares.join(", "))
    };
    Ok(Change { schedules: vec![schedule], last_resort: None, summary, at: Some(at), asked_by: None })
}

/// Reads `1%,5%@+30m,25%@+2h`.
fn parse_plan(current: &CurrentRollout<'_>, plan: &str) -> Result<Vec<(UnixMs, u32)>, Error> {
    let mut shares: Vec<(UnixMs, u32)> = Vec::new();
    for item in plan.split(',') {
        let refused = |message: String| Error::refused(format!("--plan {plan}: {message}"));
        let (share, at) = item.split_once('@').map_or((item, None), |(share, at)| (share, Some(at.trim())));
        let parts = parse_percent(share.trim()).map_err(refused)?;
        let at = current.start(at).map_err(refused)?;
        if shares.last().is_some_and(|(last, _)| *last >= at) {
            return Err(refused(format!(
                "{item:?} is not later than the share before it; write a time after each, such as 5%@+30m"
            )));
        }
        shares.push((at, parts));
    }
    Ok(shares)
}

/// The text of a file as it would be after a ramp by this plan.
pub(super) fn planned_text(
    name: &str,
    bytes: &[u8],
    rollout: Option<&str>,
    version: &str,
    plan: &str,
    now: UnixMs,
) -> Result<String, Error> {
    let text = plugin::utf8(bytes).map_err(|message| Error::problem(name, message))?;
    change::edited(name, text, rollout, now, |current| {
        ramping(current, version, &parse_plan(current, plan)?, true)
    })
}
