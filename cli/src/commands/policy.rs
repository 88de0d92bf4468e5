//! `llm-canary policy`: the default policy, to begin with.

use crate::error::Error;
use crate::io::World;
use crate::policy::DEFAULT;
use crate::yaml;

/// Print the default policy, with a comment a line.
///
/// A policy says what a version must not do, and how sure the verdict has to be. `analyze` and `status` take one with
/// --policy; what it leaves out is as printed here. `check` reports every error of a policy at once.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary policy > policy.yaml
  llm-canary check policy.yaml

With --json it prints the same without comments, which is a policy as well.

Exit codes: 0 printed, 2 usage error.")]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(args: &Args, world: &mut World<'_>) -> Result<(), Error> {
    if args.json {
        world.print_json(&yaml::json(DEFAULT))?;
    } else {
        world.print(DEFAULT.trim_end())?;
    }
    Ok(())
}
