//! `llm-canary drain`: no new conversations for a version.

use super::change::{self, Change, ChangeOptions, EXIT_CODES, ForgetOption, Urgency};
use crate::error::Error;
use crate::io::World;
use llm_canary::split::percent;

/// Give a version no new conversations, and let its running ones finish there.
///
/// Conversations that are pinned, or whose id contains their start time, finish where they are. All others go to the
/// baseline with their next request. To empty a version at once, stop it. Steps that were planned for it are dropped,
/// and listed.
#[derive(clap::Args)]
#[command(after_help = format!("Examples:
  llm-canary drain envoy/ecds/llm-canary.yaml v2
  llm-canary drain envoy/ecds/llm-canary.yaml v2 --at 2026-11-23T18:00:00Z
  llm-canary drain --kubectl wasmplugin/llm-canary -n istio-ingress v2

{EXIT_CODES}"))]
pub(crate) struct Args {
    #[command(flatten)]
    pub(super) options: ChangeOptions,
    #[command(flatten)]
    forget: ForgetOption,
    /// The version to drain
    version: String,
    /// When it takes effect: now, +10m, or RFC 3339
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    at: Option<String>,
}

pub(super) fn run(args: &Args, world: &mut World<'_>) -> Result<(), Error> {
    change::run(&args.options, Urgency::CanWait, Some(&args.forget), world, |current| {
        let version = args.version.as_str();
        current.require_version(version)?;
        if version == current.schedule.baseline {
            return Err(Error::refused(format!(
                "{version} is the baseline, and cannot be drained. Promote another version first, which drains {version}"
            )));
        }
        let at = current.start_time(args.at.as_deref())?;
        let schedule = current.schedule.with_share(version, &[(at, 0)]);
        let summary = if schedule == *current.schedule {
            format!("{version} gets no new conversations already")
        } else {
            let before = percent(current.schedule.parts_before(version, at));
            format!("{version} has {before} %, gets no new conversations {}", current.describe_start(at))
        };
        Ok(Change { schedules: vec![schedule], last_resort: None, summary, at: Some(at), asked_by: None })
    })
}
