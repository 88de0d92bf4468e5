//! `llm-canary status`: how the versions do, side by side, as it happens; and which Envoys run which version.

mod fleet;

use super::feed::{Feed, Next, SourceFeed};
use super::judged::{Judged, SubjectArgs};
use super::source::SourceArgs;
use crate::error::Error;
use crate::io::World;
use crate::status;
use llm_canary_verdict::policy::Policy;

/// To the upper left, and to the end of each line and of the screen.
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";
const CLEAR_ALL: &str = "\x1b[2J";

/// Show the versions of a rollout side by side, and the verdict of each.
///
/// On a terminal the table is written anew with each window, until Ctrl-C. With --once, or where the output is no terminal, it is
/// printed once, after the first window.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary status envoy/ecds/llm-canary.yaml --admin http://localhost:9901
  llm-canary status --prometheus http://localhost:9090 --once
  llm-canary status --from metrics.txt --policy policy.yaml --json
  llm-canary status --xds http://localhost:9902

share is the configured share, and seen what requests show since the last step. Rates, means and quantiles are of all compared
requests in the evidence. The time to the first token is shown as the buckets in which its median and its 95th percentile lie. tokens/s is
how fast an answer grows. The cost of 1,000 requests needs prices in the policy; what a cache holds is counted at the full price.

With --json it prints one object, once: rollout, baseline, since, until, versions (version, share, requests, requests_per_second, errors,
refusals, defects, response_chars, time_to_first_token_ms, tokens_per_second, cost_per_1000_requests, verdict, because).

With --xds it shows no numbers, but which Envoy runs which version of the configuration, as `llm-canary xds` knows it; with FILE, of the resources in
FILE, and whether they are served as FILE has them. An Envoy `refused` a version if it was given it, and asked twice more with another one. One that is
`silent` has not asked for 30 s, or for three times as long as it usually takes; it is forgotten after 10 minutes. With --json it prints files (file, error, resources
with name and version), envoys (id, cluster, address, envoy, resource, runs, state, seen_seconds_ago) and not_served, the resources of FILE that are
served otherwise.

Exit codes: 0 shown, whatever the verdict; 2 usage or input error.")]
pub(crate) struct Args {
    #[command(flatten)]
    subject: SubjectArgs,
    #[command(flatten)]
    source: SourceArgs,
    /// Show which Envoys run which version, by the server of `xds` at this address, such as http://127.0.0.1:9902
    #[arg(long, value_name = "URL", group = "source", conflicts_with_all = ["rollout", "versions", "baseline", "since", "policy"])]
    xds: Option<String>,
    /// Print the table once
    #[arg(long)]
    once: bool,
    /// Print JSON, once
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(args: &Args, world: &mut World<'_>) -> Result<(), Error> {
    if let Some(url) = &args.xds {
        return fleet::run(args, url, world);
    }
    let policy = args.subject.policy(world)?;
    let config = args.subject.config(world)?;
    let begins = args.subject.begins(config.as_ref(), world.clock.now())?;
    let rollout = args.subject.rollout(config.as_ref());
    let mut feed = SourceFeed::open(&args.source, begins, rollout, world)?;
    let judged = Judged::choose(&args.subject, config.as_ref(), &policy, None, &feed, world)?;
    show(args, &policy, judged, &mut feed, world)
}

fn show(
    args: &Args,
    policy: &Policy,
    mut judged: Judged,
    feed: &mut dyn Feed,
    world: &mut World<'_>,
) -> Result<(), Error> {
    let mut is_first = true;
    loop {
        let next = judged.next(feed, world)?;
        let analyses = judged.analyses(feed, world);
        // Its width may have changed.
        let canvas = (world.canvas)();
        if args.json {
            world.print_json(&status::value(&analyses, policy))?;
            return Ok(());
        }
        let table = status::text(&analyses, policy, &canvas);
        if args.once || !canvas.is_terminal || next == Next::Over {
            world.print(&table)?;
            return Ok(());
        }
        let start = if is_first { CLEAR_ALL } else { "" };
        let lines: String = table.lines().map(|line| format!("{line}{CLEAR_LINE}\n")).collect();
        world.print(&format!("{start}{HOME}{lines}{CLEAR_BELOW}"))?;
        world.out.flush()?;
        is_first = false;
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
