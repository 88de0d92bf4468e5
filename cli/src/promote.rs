//! `llm-canary promote`: a version becomes what everybody gets.

use crate::operate::{self, Change, Found, Options};
use crate::{Failure, moment};
use llm_canary::bucket::PARTS;
use llm_canary::split::percent;
use llm_canary::timestamp::rfc3339;
use std::time::Duration;

/// Give a version all new conversations; later, with --finish, make it the baseline.
///
/// A promotion is a step of 100 %. Conversations whose id tells when they began, and pinned ones, finish on the version
/// they are on. When those are over, finish: the version becomes the baseline and the steps begin anew, which
/// forgets who began when. A conversation that is still on another version then moves to the new baseline, so
/// --finish wants the 100 % to have held for a day, or for --held. Promoting the baseline takes every other
/// version to 0 %.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary promote envoy/ecds/llm-canary.yaml v2
  llm-canary promote envoy/ecds/llm-canary.yaml v2 --finish
  llm-canary promote envoy/ecds/llm-canary.yaml v2 --finish --held 2h

Until it is finished, the old version needs its servers. Exit code 0: done, or nothing to do; 2: refused, or an Envoy
does not run it.")]
pub(crate) struct Args {
    #[command(flatten)]
    options: Options,
    /// The version.
    version: String,
    /// When it takes effect: now, +10m, or RFC 3339.
    #[arg(long, value_name = "MOMENT", conflicts_with = "finish")]
    at: Option<String>,
    /// Make the version the baseline, once all others have drained.
    #[arg(long)]
    finish: bool,
    /// How long the version must have had everything before --finish; longer than conversations last.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = moment::parse_duration)]
    held: Duration,
}

pub(crate) fn run(args: &Args) -> Result<u8, Failure> {
    operate::run(&args.options, |found| {
        let version = args.version.as_str();
        found.version(version)?;
        if found.plan.is_stopped(version) {
            return Err(Failure::new(format!(
                "{version} is stopped; start it again first: llm-canary ramp {} {version} 1 --resume",
                args.options.target()
            )));
        }
        if args.finish {
            finish(found, version, args.held)
        } else {
            promote(found, version, args.at.as_deref())
        }
    })
}

fn promote(found: &Found<'_>, version: &str, at: Option<&str>) -> Result<Change, Failure> {
    let at = found.from(at)?;
    let plan = found.plan.promoted(version, at);
    let words = if plan == *found.plan {
        format!("{version} has everything already")
    } else {
        let before = percent(found.plan.parts_at(version, at.saturating_sub(1)));
        format!("{version} has {before} %, gets all conversations begun {}", found.beginning_in_words(at))
    };
    Ok(Change { plan, words, at: Some(at) })
}

fn finish(found: &Found<'_>, version: &str, held: Duration) -> Result<Change, Failure> {
    let (plan, now) = (found.plan, found.now);
    if version == plan.baseline {
        let words = format!("{version} is the baseline already");
        return Ok(Change { plan: plan.clone(), words, at: None });
    }
    let Some(since) = plan.whole_since(version, now) else {
        let share = percent(plan.parts_at(version, now));
        return Err(Failure::new(format!(
            "{version} has {share} % now, not everything; promote it without --finish first"
        )));
    };
    if plan.steps.iter().any(|step| step.at > now && plan.parts_at(version, step.at) < PARTS) {
        return Err(Failure::new(format!(
            "a later step takes something from {version} again; promote it without --finish to drop what is planned"
        )));
    }
    let had = now.saturating_sub(since);
    if had < moment::ms(held) {
        return Err(Failure::new(format!(
            "{version} has had everything for {} only, and conversations begun before that would change their version. \
             Wait until {}, or say with --held how long conversations last",
            moment::words(had),
            rfc3339(since.saturating_add(moment::ms(held)))
        )));
    }
    let words = format!(
        "{version} is the baseline, after {} with everything; the steps begin anew",
        moment::words(had)
    );
    Ok(Change { plan: plan.finished(version, moment::full_second(now)), words, at: None })
}
