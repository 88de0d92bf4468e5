//! The commands: one file each, with its options and a `run` that reads the world, calls pure code and prints.
//!
//! [`change`] is what `ramp`, `drain`, `stop` and `promote` share, [`input`] what the others share. A new command is a file
//! here, a variant of [`Command`] and a line in each `match` below.
//!
//! [`judged`] is what `analyze`, `status`, `serve` and `report` share. Their verdicts are pure, in a package of their own. [`run`]
//! judges one version, decides by [`crate::controller`], and writes through [`change`].

mod analyze;
mod approve;
mod change;
mod check;
mod completions;
mod drain;
mod explain;
pub(crate) mod feed;
mod grade;
mod input;
mod judged;
mod listening;
mod man;
mod plan;
mod policy;
mod promote;
mod ramp;
mod replay;
mod report;
mod results;
mod run;
mod serve;
mod simulate;
mod source;
mod status;
mod stop;
mod watchdog;
mod xds;

use crate::error::Error;
use crate::io::World;
use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::ffi::OsString;

/// Canary releases for LLM serving: check a configuration, explain where a conversation goes, change who gets
/// what, read what a response shows, and judge a version by what was counted.
#[derive(Parser)]
#[command(
    name = "llm-canary",
    version = env!("LLM_CANARY_VERSION"),
    after_help = "Examples:
  llm-canary check envoy/ecds/llm-canary.yaml istio/*.yaml
  llm-canary explain envoy/ecds/llm-canary.yaml --header x-conversation-id=c-42 --path /v1/chat/completions
  llm-canary replay --chunks 1 answer.sse
  llm-canary ramp envoy/ecds/llm-canary.yaml v2 5 --admin http://localhost:9901
  llm-canary stop envoy/ecds/llm-canary.yaml v2
  llm-canary analyze envoy/ecds/llm-canary.yaml --prometheus http://localhost:9090
  llm-canary run envoy/ecds/llm-canary.yaml v2 --plan 1%,5%,25%@30m,100% --prometheus http://localhost:9090

Data goes to stdout, words to stderr. With --json, errors go to stdout too:
  {\"error\": \"...\", \"errors\": [{\"place\": \"...\", \"path\": \"...\", \"message\": \"...\"}], \"exit_code\": 2}

Exit codes: 0 fine; 2 usage or input error, and nothing was changed; 4 the file says what was asked, and not every Envoy
runs it (yet)."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    Check(check::Args),
    Explain(Box<explain::Args>),
    Plan(plan::Args),
    Policy(policy::Args),
    Replay(replay::Args),
    Simulate(simulate::Args),
    Ramp(ramp::Args),
    Drain(drain::Args),
    Status(Box<status::Args>),
    Stop(stop::Args),
    Analyze(Box<analyze::Args>),
    Run(Box<run::Args>),
    Serve(Box<serve::Args>),
    Xds(xds::Args),
    Approve(approve::Args),
    Report(Box<report::Args>),
    Promote(promote::Args),
    Watchdog(Box<watchdog::Args>),
    Grade(grade::Args),
    Completions(completions::Args),
    Man(man::Args),
}

impl Command {
    /// Returns the exit code.
    ///
    /// # Errors
    /// The command did not do what it was asked.
    pub(crate) fn run(&self, world: &mut World<'_>) -> Result<u8, Error> {
        let done = match self {
            // What they find is an exit code of its own.
            Self::Analyze(args) => return analyze::run(args, world),
            Self::Run(args) => return run::run(args, world),
            Self::Serve(args) => return serve::run(args, world),
            Self::Watchdog(args) => return watchdog::run(args, world),
            Self::Xds(args) => return xds::run(args, world),
            Self::Approve(args) => approve::run(args, world),
            Self::Check(args) => check::run(args, world),
            Self::Explain(args) => explain::run(args, world),
            Self::Plan(args) => plan::run(args, world),
            Self::Policy(args) => policy::run(args, world),
            Self::Replay(args) => replay::run(args, world),
            Self::Simulate(args) => simulate::run(args, world),
            Self::Ramp(args) => ramp::run(args, world),
            Self::Report(args) => report::run(args, world),
            Self::Drain(args) => drain::run(args, world),
            Self::Status(args) => status::run(args, world),
            Self::Stop(args) => stop::run(args, world),
            Self::Promote(args) => promote::run(args, world),
            Self::Grade(args) => grade::run(args, world),
            Self::Completions(args) => completions::run(args, world),
            Self::Man(args) => man::run(args, world),
        };
        done.map(|()| 0)
    }

    /// Whether the output is JSON.
    pub(crate) fn is_json(&self) -> bool {
        match self {
            Self::Analyze(args) => args.json,
            Self::Approve(args) => args.json,
            Self::Run(args) => args.json,
            Self::Serve(args) => args.json,
            Self::Xds(args) => args.json,
            Self::Check(args) => args.json,
            Self::Explain(args) => args.json,
            Self::Plan(args) => args.json,
            Self::Policy(args) => args.json,
            Self::Replay(args) => args.json,
            Self::Simulate(args) => args.json,
            Self::Ramp(args) => args.options.json,
            Self::Drain(args) => args.options.json,
            Self::Status(args) => args.json,
            Self::Stop(args) => args.options.json,
            Self::Promote(args) => args.options.json,
            Self::Report(args) => args.json,
            Self::Watchdog(args) => args.json,
            Self::Grade(args) => args.json,
            // What they print is for a shell and for man.
            Self::Completions(_) | Self::Man(_) => false,
        }
    }
}

/// The error about the arguments, in the words of the argument that is meant: a share below 0, which clap takes for an option.
pub(crate) fn in_own_words(error: clap::Error, arguments: &[OsString]) -> clap::Error {
    if error.kind() != ErrorKind::UnknownArgument || arguments.get(1).is_none_or(|command| command != "ramp")
    {
        return error;
    }
    // Of `-5%` clap names `-5`.
    let Some(ContextValue::String(unknown)) = error.get(ContextKind::InvalidArg) else { return error };
    let arguments = arguments.iter().filter_map(|argument| argument.to_str());
    let mut meant =
        arguments.filter(|argument| argument.starts_with(unknown) && ramp::is_meant_as_share(argument));
    let Some(share) = meant.next() else { return error };
    let words = ramp::share_words(share);
    let help = "For more information, try '--help'.";
    let message = format!("invalid value '{share}' for '[PERCENT]': {words}\n\n{help}\n");
    clap::Error::raw(ErrorKind::ValueValidation, message)
}
