//! The operator's tool.
//!
//! One file a subcommand; [`source`] finds the plugin's configuration in whatever file it is kept in, [`edit`]
//! changes it there, and [`operate`] is what the commands that change it have in common.
//! Data goes to stdout, words to stderr. Exit code 0: fine; 2: usage or input error.

mod check;
mod drain;
mod edit;
mod explain;
mod moment;
mod operate;
mod promote;
mod ramp;
mod replay;
mod request;
mod simulate;
mod source;
mod stop;
mod warnings;

use clap::{Parser, Subcommand};
use llm_canary::timestamp::UnixMs;
use std::io;
use std::process::ExitCode;
use std::time::SystemTime;

/// Canary releases for LLM serving: what a configuration says, where a conversation goes, what a response
/// shows, and changes of who gets what.
#[derive(Parser)]
#[command(
    name = "llm-canary",
    version,
    after_help = "Examples:
  llm-canary check envoy/ecds/llm-canary.yaml istio/*.yaml
  llm-canary explain envoy/ecds/llm-canary.yaml --header x-conversation-id=c-42 --path /v1/chat/completions
  llm-canary replay --chunks 1 answer.sse
  llm-canary ramp envoy/ecds/llm-canary.yaml v2 5 --admin http://localhost:9901
  llm-canary stop envoy/ecds/llm-canary.yaml v2

Data goes to stdout, words to stderr. Exit code 0: fine; 2: usage or input error."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(check::Args),
    Explain(Box<explain::Args>),
    Replay(replay::Args),
    Simulate(simulate::Args),
    Ramp(ramp::Args),
    Drain(drain::Args),
    Stop(stop::Args),
    Promote(promote::Args),
}

/// Why a command could not do its work, in words that name the way out.
struct Failure(String);

impl Failure {
    fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        // Whoever read our output has read enough; the usual `| head` is not an error.
        if error.kind() == io::ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        Self(format!("cannot write the output: {error}"))
    }
}

/// The time of day, in Unix milliseconds.
#[expect(clippy::disallowed_methods, reason = "a tool's one clock")]
fn now() -> UnixMs {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixMs::try_from(since.as_millis()).unwrap_or(UnixMs::MAX)
}

const FINE: u8 = 0;
const INPUT_ERROR: u8 = 2;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Check(args) => check::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Ramp(args) => ramp::run(&args),
        Command::Drain(args) => drain::run(&args),
        Command::Stop(args) => stop::run(&args),
        Command::Promote(args) => promote::run(&args),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(Failure(words)) => {
            eprintln!("error: {words}");
            ExitCode::from(INPUT_ERROR)
        }
    }
}
