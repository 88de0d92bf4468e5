//! `llm-canary drain`: no new conversations for a version.

use crate::Failure;
use crate::operate::{self, Change, Options};
use llm_canary::split::percent;

/// Give a version no new conversations, and let those it has finish there.
///
/// Conversations whose id tells when they began, and pinned ones, finish where they are; all others go to the baseline
/// with their next request. To empty a version at once, stop it. What was planned for it is dropped, and said.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary drain envoy/ecds/llm-canary.yaml v2
  llm-canary drain envoy/ecds/llm-canary.yaml v2 --at 2026-11-23T18:00:00Z
  llm-canary drain --kubectl wasmplugin/llm-canary -n istio-ingress v2

Exit code 0: done, or nothing to do; 2: refused, or an Envoy does not run it.")]
pub(crate) struct Args {
    #[command(flatten)]
    options: Options,
    /// The version.
    version: String,
    /// When it takes effect: now, +10m, or RFC 3339.
    #[arg(long, value_name = "MOMENT")]
    at: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<u8, Failure> {
    operate::run(&args.options, |found| {
        let version = args.version.as_str();
        found.version(version)?;
        if version == found.plan.baseline {
            return Err(Failure::new(format!(
                "{version} is the baseline: new conversations must have somewhere to go. Promote another version \
                 first, which drains {version}"
            )));
        }
        let at = found.from(args.at.as_deref())?;
        let plan = found.plan.with_share(version, &[(at, 0)]);
        let words = if plan == *found.plan {
            format!("{version} gets no new conversations already")
        } else {
            let before = percent(found.plan.parts_at(version, at.saturating_sub(1)));
            format!("{version} has {before} %, gets no conversations begun {}", found.beginning_in_words(at))
        };
        Ok(Change { plan, words, at: Some(at) })
    })
}
