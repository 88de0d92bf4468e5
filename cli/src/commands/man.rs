//! `llm-canary man`: manual pages, made of what `--help` says.

use super::Cli;
use crate::error::{Error, io_words};
use crate::io::World;
use crate::suggest::suggest;
use clap::CommandFactory;
use clap_mangen::Man;
use std::path::PathBuf;

/// Print a manual page, or write all of them into a folder.
///
/// The pages say what --help says. There is one for the tool, llm-canary.1, and one for each command, such as
/// llm-canary-ramp.1.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary man | man -l -
  llm-canary man ramp | man -l -
  mkdir -p ~/.local/share/man/man1 && llm-canary man -o ~/.local/share/man/man1

Exit codes: 0 printed or written, 2 usage error, or the folder cannot be written.")]
pub(crate) struct Args {
    /// The command whose page is printed; without it, that of the tool
    #[arg(conflicts_with = "output")]
    command: Option<String>,
    /// Write all pages into this folder, which must exist
    #[arg(long, short, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &Args, world: &mut World<'_>) -> Result<(), Error> {
    let tool = tool();
    let commands: Vec<&clap::Command> = tool.get_subcommands().collect();
    let Some(folder) = &args.output else {
        let page = match &args.command {
            None => Man::new(tool.clone()),
            Some(name) => {
                let named = commands.iter().find(|command| command.get_name() == name);
                let names: Vec<&str> = commands.iter().map(|command| command.get_name()).collect();
                let unknown =
                    || Error::refused(format!("there is no command {name:?}; {}", suggest(name, &names)));
                Man::new((*named.ok_or_else(unknown)?).clone())
            }
        };
        page.render(&mut world.out)?;
        return Ok(());
    };
    let mut names = Vec::new();
    for command in [&tool].into_iter().chain(commands) {
        let page = Man::new(command.clone());
        let name = page.get_filename();
        let mut bytes = Vec::new();
        page.render(&mut bytes)?;
        let refused = |error| {
            let (folder, why) = (folder.display(), io_words(&error));
            Error::refused(format!(
                "--output {folder}: {why}; give a folder that is there and that you may write to"
            ))
        };
        world.files.replace(&folder.join(&name), &bytes).map_err(refused)?;
        names.push(name);
    }
    world.say(&format!(
        "{}: {} pages, from {} on",
        folder.display(),
        names.len(),
        names.first().map_or("", String::as_str)
    ));
    Ok(())
}

/// The tool as clap knows it, with the full name of each command. Nobody needs a page of `help`.
fn tool() -> clap::Command {
    let mut tool = Cli::command().disable_help_subcommand(true);
    tool.build();
    tool
}
