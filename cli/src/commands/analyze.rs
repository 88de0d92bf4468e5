//! `llm-canary analyze`: is the version worse than its baseline, or which of the two is better?

use super::feed::{Feed, Next, SourceFeed};
use super::judged::{Judged, SubjectArgs};
use super::source::SourceArgs;
use crate::analysis::{Analysis, worst_exit_code};
use crate::error::Error;
use crate::io::World;
use crate::time_args::parse_duration;
use crate::{verdict_json, verdict_table};
use llm_canary_verdict::policy::{Goal, Policy};
use std::time::Duration;

/// Between two lines about what is still open.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(30);

/// Say whether a version is worse than its baseline, and how sure that is.
///
/// It compares what the filter counted of both versions in the same windows of time. The verdict may be looked at any time, as often
/// as you like: docs/verdict.md says why, and what it cannot tell.
///
/// regression: a guard has found harm, a hard limit was passed, or the release is not in order. fine: for every guard, harm beyond
/// its margin is excluded, and nothing holds. not enough data: neither, with what is missing.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary analyze envoy/ecds/llm-canary.yaml --prometheus http://localhost:9090
  llm-canary analyze --admin http://localhost:9901 --for 30m
  llm-canary analyze --from metrics.txt --baseline v1 --version v2 --json
  llm-canary analyze --prometheus http://localhost:9090 --ab --policy policy.yaml

ln E is the evidence of harm, and what it needs. ratio is the version's value relative to the baseline's, with the interval that holds at
any look. A value that is a time or a length is a mean; below the table stand the buckets in which quantiles lie.

With --json it prints an object, or a list where there are several versions: rollout, version, baseline, verdict (regression, fine,
not_enough_data; with --ab version_better, baseline_better, no_difference, not_enough_data), since, until, windows, missing_windows,
requests, share, signals, health, because. Rates and shares are parts of 1, points are percentage points, what is not known or has no
bound is null.

Exit codes: 0 fine, or with --ab decided; 1 regression; 2 usage or input error; 3 not enough data. Of several versions the worst.")]
pub(crate) struct Args {
    #[command(flatten)]
    subject: SubjectArgs,
    #[command(flatten)]
    source: SourceArgs,
    /// Ask which version is better, on the policy's goal
    #[arg(long)]
    ab: bool,
    /// With --admin: watch for so long at most; the verdict ends it
    #[arg(long = "for", value_name = "DURATION", default_value = "10m", value_parser = parse_duration, allow_hyphen_values = true)]
    at_most: Duration,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(args: &Args, world: &mut World<'_>) -> Result<u8, Error> {
    let policy = args.subject.policy(world)?;
    let goal = if args.ab { Some(goal(&policy)?) } else { None };
    let config = args.subject.config(world)?;
    let begins = args.subject.begins(config.as_ref(), world.clock.now())?;
    let rollout = args.subject.rollout(config.as_ref());
    let mut feed = SourceFeed::open(&args.source, begins, rollout, world)?;
    let judged = Judged::choose(&args.subject, config.as_ref(), &policy, goal, &feed, world)?;
    // Other sources reach back, and are asked again by the next run.
    let at_most = if args.source.is_polled() { args.at_most } else { Duration::ZERO };
    watch(args, at_most, judged, &mut feed, world)
}

/// Watches until everything is decided, or the time is over, or the source.
fn watch(
    args: &Args,
    at_most: Duration,
    mut judged: Judged,
    feed: &mut dyn Feed,
    world: &mut World<'_>,
) -> Result<u8, Error> {
    let began = world.clock.elapsed();
    let mut said = began;
    loop {
        let next = judged.next(feed, world)?;
        let analyses = judged.analyses(feed, world);
        let elapsed = world.clock.elapsed();
        let is_over = next == Next::Over || elapsed.saturating_sub(began) >= at_most;
        if is_over || analyses.iter().all(Analysis::is_decided) {
            print(args, &analyses, world)?;
            return Ok(worst_exit_code(&analyses));
        }
        if elapsed.saturating_sub(said) >= PROGRESS_INTERVAL {
            said = elapsed;
            for analysis in &analyses {
                world.say(&verdict_table::headline(analysis, &crate::table::Canvas::default()));
            }
        }
    }
}

fn print(args: &Args, analyses: &[Analysis], world: &mut World<'_>) -> Result<(), Error> {
    if args.json {
        world.print_json(&verdict_json::value(analyses))?;
    } else {
        let canvas = (world.canvas)();
        world.print(&verdict_table::text(analyses, &canvas))?;
    }
    Ok(())
}

/// What an A/B test is about.
fn goal(policy: &Policy) -> Result<&Goal, Error> {
    let missing = "--ab needs a goal: write goal: {signal: feedback_up, better: up} into a policy, and give it with --policy";
    policy.goal.as_ref().ok_or_else(|| Error::refused(missing))
}

#[cfg(test)]
#[path = "analyze_tests.rs"]
mod tests;
