//! `llm-canary plan`: how long a test must run.

use super::input::read_policy;
use crate::error::Error;
use crate::io::World;
use crate::policy::{self, suggest_signal};
use crate::test_plan::{Expected, parse_design_effect, parse_part, parse_rate, parse_ratio};
use llm_canary_verdict::signal::{Kind, Signal};
use std::path::PathBuf;

/// Say how many requests and hours a test takes, before it begins.
///
/// The test is that of `analyze --ab`, or with --release that of a guard: it may be looked at any time, and ends when the difference is
/// found. Half of all tests end within the first number, and nine in ten within the second, if the difference is as large as
/// --detect says. A larger one is found sooner.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary plan --rate 20/s --share 50 --signal refusals --base 1% --detect 1.5
  llm-canary plan --rate 5000/h --share 10 --signal errors --base 0.5% --detect 3 --release

Rates only: for lengths and times there is no plan, because it would need their distribution. Run the test, and read
detectable_ratio in analyze --json: the smallest difference that would have been found by now.

Some signals are not rates of requests: retries are of decisions, feedback_up and feedback_down of ratings, tool_responses of
responses that were offered tools. For these --rate is the rate of those.

With --json it prints signal, base, detect, share, requests_per_second, test, alpha, tolerance, design_effect, and for median and
nine_in_ten: requests, version_requests, hours.

Exit codes: 0 planned, 2 usage error, or the difference cannot be found within a year.")]
pub(crate) struct Args {
    /// The traffic of both versions: 20/s, 1200/min, 5000/h
    #[arg(long, value_name = "RATE", value_parser = parse_rate, allow_hyphen_values = true)]
    rate: f64,
    /// The version's share of it, in percent
    #[arg(long, value_name = "PERCENT", value_parser = parse_part, allow_hyphen_values = true)]
    share: f64,
    /// The signal that the test is about
    #[arg(long, value_name = "SIGNAL", value_parser = parse_signal, allow_hyphen_values = true)]
    signal: Signal,
    /// The baseline's rate of it, in percent
    #[arg(long, value_name = "PERCENT", value_parser = parse_part, allow_hyphen_values = true)]
    base: f64,
    /// The ratio of rates that is to be found: 1.5 is half as many again, 0.8 a fifth less
    #[arg(long, value_name = "RATIO", value_parser = parse_ratio, allow_hyphen_values = true)]
    detect: f64,
    /// Plan for a guard of a release, with the policy's tolerance and the guard's part of alpha
    #[arg(long)]
    release: bool,
    /// How much more rates vary than those of independent requests. 32 shards show 1.2 of independent ones. Conversations of many
    /// turns have more: see design_effect in analyze --json
    #[arg(long, value_name = "N", default_value = "1.2", value_parser = parse_design_effect, allow_hyphen_values = true)]
    design_effect: f64,
    /// A policy, for its alpha, tolerance and weights; `llm-canary policy` prints the default
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

fn parse_signal(text: &str) -> Result<Signal, String> {
    let unknown = || format!("there is no such signal; {}", suggest_signal(text));
    let signal = policy::parse_signal(text).ok_or_else(unknown)?;
    if signal.kind() == Kind::Distribution {
        return Err(
            "this is a distribution, and a plan can be made for rates only, such as refusals or errors; \
             run the test, and read detectable_ratio in analyze --json"
                .to_owned(),
        );
    }
    Ok(signal)
}

pub(super) fn run(args: &Args, world: &mut World<'_>) -> Result<(), Error> {
    let policy = read_policy(world, args.policy.as_deref())?;
    if args.base * args.detect > 1.0 {
        let most = llm_canary_verdict::words::short((1.0 / args.base * 100.0).floor() / 100.0);
        let message = format!(
            "--detect {}: so many times --base is more than 100 %; write at most {most}",
            args.detect
        );
        return Err(Error::refused(message));
    }
    let expected = Expected {
        signal: args.signal.clone(),
        base: args.base,
        ratio: args.detect,
        share: args.share,
        requests_per_second: args.rate,
        design_effect: args.design_effect,
        is_release: args.release,
    };
    let plan = expected.plan(&policy).map_err(Error::refused)?;
    if args.json {
        world.print_json(&plan.json())?;
    } else {
        world.print(&plan.text())?;
    }
    Ok(())
}
