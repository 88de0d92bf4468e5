//! `llm-canary ramp`: gives a version a share, now or by a plan.

use crate::Failure;
use crate::edit::plan::parse_percent;
use crate::operate::{self, Change, Found, Options};
use llm_canary::split::percent;
use llm_canary::timestamp::UnixMs;

/// Give a version a share of the conversations that begin from now on, or by a plan.
///
/// A ramp appends a step to the rollout, and keeps what other versions have. Conversations whose id tells when they
/// began, and pinned ones, stay where they are; of all others only the difference moves. The step takes effect
/// two seconds later (fifteen with --kubectl), so that every Envoy knows of it in time. What was planned for the
/// version after that is replaced, and said.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary ramp envoy/ecds/llm-canary.yaml v2 1
  llm-canary ramp envoy/ecds/llm-canary.yaml v2 5 --admin http://localhost:9901
  llm-canary ramp envoy/ecds/llm-canary.yaml v2 25 --at +2h
  llm-canary ramp envoy/ecds/llm-canary.yaml v2 --plan 1%,5%@+30m,25%@+2h,100%@2026-11-24T09:00:00Z
  llm-canary ramp --kubectl wasmplugin/llm-canary -n istio-ingress v2 5
  llm-canary ramp envoy/ecds/llm-canary.yaml v2 5 --dry-run

The difference goes to stderr before anything is written. Where the file has \"split\", that becomes a step that has
always held, so every running conversation stays. Exit code 0: done, or nothing to do; 2: refused, or an Envoy does
not run it.")]
pub(crate) struct Args {
    #[command(flatten)]
    options: Options,
    /// The version.
    version: String,
    /// Its share in percent, as fine as 0.0001.
    #[arg(required_unless_present = "plan", value_parser = parse_percent)]
    percent: Option<u32>,
    /// When it takes effect: now, +10m, or RFC 3339.
    #[arg(long, value_name = "MOMENT", conflicts_with = "plan")]
    at: Option<String>,
    /// Several shares, each from a moment on.
    #[arg(long, value_name = "PERCENT[@MOMENT],...", conflicts_with = "percent")]
    plan: Option<String>,
    /// Start the version again if it is stopped.
    #[arg(long)]
    resume: bool,
}

pub(crate) fn run(args: &Args) -> Result<u8, Failure> {
    operate::run(&args.options, |found| {
        let version = args.version.as_str();
        found.version(version)?;
        if version == found.plan.baseline {
            return Err(Failure::new(format!(
                "{version} is the baseline, which gets what no other version is given; ramp another one, \
                 or promote {version} to give it everything"
            )));
        }
        let shares = match (&args.plan, args.percent) {
            (Some(plan), _) => planned(found, plan)?,
            (None, percent) => vec![(found.from(args.at.as_deref())?, percent.unwrap_or_default())],
        };
        let gives = shares.iter().any(|(_, parts)| *parts > 0);
        if found.plan.is_stopped(version) && gives && !args.resume {
            return Err(Failure::new(format!(
                "{version} is stopped, so it would get nothing; add --resume to start it again"
            )));
        }
        let (at, _) = shares.first().copied().unwrap_or_default();
        let mut plan = found.plan.with_share(version, &shares);
        if args.resume {
            plan = plan.with_stopped(version, false);
        }
        let told: Vec<String> = shares
            .iter()
            .map(|(at, parts)| format!("{} % {}", percent(*parts), found.beginning_in_words(*at)))
            .collect();
        let before = percent(found.plan.parts_at(version, at.saturating_sub(1)));
        let words = if plan == *found.plan {
            format!("{version} has {before} % already")
        } else {
            format!("{version} has {before} %, gets {}", told.join(", "))
        };
        Ok(Change { plan, words, at: Some(at) })
    })
}

/// `1%,5%@+30m,25%@+2h`
fn planned(found: &Found<'_>, plan: &str) -> Result<Vec<(UnixMs, u32)>, Failure> {
    let mut shares: Vec<(UnixMs, u32)> = Vec::new();
    for item in plan.split(',') {
        let (share, at) = item.split_once('@').map_or((item, None), |(share, at)| (share, Some(at.trim())));
        let parts = parse_percent(share.trim()).map_err(|words| Failure::new(format!("--plan {words}")))?;
        let at = found.from(at)?;
        if shares.last().is_some_and(|(last, _)| *last >= at) {
            return Err(Failure::new(format!(
                "--plan {plan}: {item:?} is not after the one before it; write a moment for each, such as 5%@+30m"
            )));
        }
        shares.push((at, parts));
    }
    Ok(shares)
}
