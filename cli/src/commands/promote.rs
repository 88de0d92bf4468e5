//! `llm-canary promote`: a version gets everything, and becomes the baseline.

use super::change::{self, Change, ChangeOptions, CurrentRollout, EXIT_CODES, ForgetOption, Urgency};
use crate::error::Error;
use crate::io::World;
use crate::time_args::{format_duration, millis, next_full_second, parse_duration};
use llm_canary::bucket::PARTS;
use llm_canary::split::percent;
use llm_canary::timestamp::rfc3339;
use std::time::Duration;

/// Give a version all new conversations; later, with --finish, make it the baseline.
///
/// A promotion is a step of 100 %. Conversations that are pinned, or whose id contains their start time, finish on their
/// version. When they are over, finish: the version becomes the baseline, and one step replaces all others. The file then
/// no longer knows which conversation began when, so one that is still on another version moves to the new baseline.
/// Therefore --finish requires that the version has had 100 % for a day, or for --held. Promoting the baseline takes every
/// other version to 0 %.
#[derive(clap::Args)]
#[command(after_help = format!("Examples:
  llm-canary promote envoy/ecds/llm-canary.yaml v2
  llm-canary promote envoy/ecds/llm-canary.yaml v2 --finish
  llm-canary promote envoy/ecds/llm-canary.yaml v2 --finish --held 2h

Until it is finished, the old version needs its servers.

{EXIT_CODES}"))]
pub(crate) struct Args {
    #[command(flatten)]
    pub(super) options: ChangeOptions,
    #[command(flatten)]
    forget: ForgetOption,
    /// The version to promote
    version: String,
    /// When it takes effect: now, +10m, or RFC 3339
    #[arg(long, value_name = "TIME", conflicts_with = "finish", allow_hyphen_values = true)]
    at: Option<String>,
    /// Make the version the baseline, once all others have drained
    #[arg(long, conflicts_with = "forget_before")]
    finish: bool,
    /// How long the version must have had 100 % before --finish; longer than conversations last
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = parse_duration, allow_hyphen_values = true)]
    held: Duration,
}

pub(super) fn run(args: &Args, world: &mut World<'_>) -> Result<(), Error> {
    change::run(&args.options, Urgency::CanWait, Some(&args.forget), world, |current| {
        let version = args.version.as_str();
        current.require_version(version)?;
        if current.schedule.is_stopped(version) {
            return Err(Error::refused(format!(
                "{version} is stopped; start it again first: llm-canary ramp {} {version} 1 --resume",
                args.options.target()
            )));
        }
        if args.finish {
            finish(current, version, args.held)
        } else {
            promote(current, version, args.at.as_deref())
        }
    })
}

fn promote(current: &CurrentRollout<'_>, version: &str, at: Option<&str>) -> Result<Change, Error> {
    let at = current.start_time(at)?;
    let schedule = current.schedule.promoted(version, at);
    let summary = if schedule == *current.schedule {
        format!("{version} has 100 % already")
    } else {
        let before = percent(current.schedule.parts_before(version, at));
        format!("{version} has {before} %, gets all new conversations {}", current.describe_start(at))
    };
    Ok(Change { schedules: vec![schedule], last_resort: None, summary, at: Some(at), asked_by: None })
}

fn finish(current: &CurrentRollout<'_>, version: &str, held: Duration) -> Result<Change, Error> {
    let (schedule, now) = (current.schedule, current.present.earliest);
    if version == schedule.baseline {
        let summary = format!("{version} is the baseline already");
        return Ok(Change {
            schedules: vec![schedule.clone()],
            last_resort: None,
            summary,
            at: None,
            asked_by: None,
        });
    }
    let Some(since) = schedule.full_since(version, now) else {
        let share = percent(schedule.parts_at(version, now));
        return Err(Error::refused(format!(
            "{version} has {share} % now, not 100 %; promote it without --finish first"
        )));
    };
    if schedule.steps.iter().any(|step| step.at > now && schedule.parts_at(version, step.at) < PARTS) {
        return Err(Error::refused(format!(
            "{version} loses share again at a later step; promote it without --finish to drop the later steps"
        )));
    }
    // `since` is a time up to now.
    let (had_ms, required_ms) = (now - since, millis(held));
    let had = format_duration(had_ms);
    if had_ms < required_ms {
        return Err(Error::refused(format!(
            "{version} has had 100 % for {had} only, and conversations that began before would change their version. Wait \
             until {}, or say with --held how long conversations last",
            rfc3339(since + required_ms)
        )));
    }
    let summary = format!("{version} is the baseline, after {had} with 100 %; one step replaces all others");
    let finished = schedule.finished(version, next_full_second(current.present.latest));
    Ok(Change { schedules: vec![finished], last_resort: None, summary, at: None, asked_by: None })
}
