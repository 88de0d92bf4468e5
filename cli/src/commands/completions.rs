//! `llm-canary completions`: what a shell needs to complete commands and options.

use super::Cli;
use crate::error::Error;
use crate::io::World;
use clap::CommandFactory;
use clap_complete::Shell;

/// Print a script by which a shell completes commands and options.
///
/// Put it where the shell looks for such scripts, under the name that is shown below, and open a new shell.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary completions bash > ~/.local/share/bash-completion/completions/llm-canary
  llm-canary completions zsh > ~/.zfunc/_llm-canary          (with fpath+=~/.zfunc before compinit in ~/.zshrc)
  llm-canary completions fish > ~/.config/fish/completions/llm-canary.fish
  source <(llm-canary completions bash)                      (for this shell alone)

Exit codes: 0 printed, 2 usage error.")]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &Args, world: &mut World<'_>) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "llm-canary", &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    if args.shell == Shell::Bash {
        // clap_complete 4.6 (clap-rs/clap#6421) takes the dash in the tool's name for a step to a subcommand, at one of the two places where it names a
        // state. Then nothing is completed after a command.
        script = script.replace("llm__subcmd__canary", "llm__canary");
    }
    world.out.write_all(script.as_bytes())?;
    Ok(())
}
