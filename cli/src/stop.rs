//! `llm-canary stop`: the rollback.

use crate::Failure;
use crate::operate::{self, Change, Options};

/// Take a version out of service at once, whatever pins, overrides or start times say.
///
/// Its conversations go to the baseline with their next request; answers that are being streamed finish. It also gets
/// a step of 0 %, in the same write, so that starting it again does not bring its old share back: ramp it with
/// --resume when it is mended. What was planned for it is dropped, and said.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary stop envoy/ecds/llm-canary.yaml v2
  llm-canary stop envoy/ecds/llm-canary.yaml v2 --admin http://envoy-1:9901 --admin http://envoy-2:9901
  llm-canary stop --kubectl wasmplugin/llm-canary -n istio-ingress v2

Exit code 0: stopped, or stopped before; 2: refused, or an Envoy does not run it.")]
pub(crate) struct Args {
    #[command(flatten)]
    options: Options,
    /// The version.
    version: String,
}

pub(crate) fn run(args: &Args) -> Result<u8, Failure> {
    operate::run(&args.options, |found| {
        let version = args.version.as_str();
        found.version(version)?;
        if version == found.plan.baseline {
            return Err(Failure::new(format!(
                "{version} is the baseline: conversations must have somewhere to go. Make another version the baseline \
                 first: llm-canary promote {} VERSION, and then with --finish --held 0s",
                args.options.target()
            )));
        }
        let at = found.from(Some("now"))?;
        let plan = found.plan.with_share(version, &[(at, 0)]).with_stopped(version, true);
        let words = if plan == *found.plan {
            format!("{version} is stopped already")
        } else {
            format!("{version} is stopped; {} serves its conversations", found.plan.baseline)
        };
        Ok(Change { plan, words, at: None })
    })
}
