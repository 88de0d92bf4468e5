//! What is installed beside the tool: scripts for shells, and manual pages. `tests/scripts/` has a shell and `man` read them.

use super::world::FakeWorld;
use crate::Cli;
use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;

fn world() -> FakeWorld {
    FakeWorld::new("2026-11-23T09:00:00Z", &[])
}

/// The names of all commands.
fn commands() -> Vec<String> {
    Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

#[test]
fn a_script_of_each_shell_has_every_command() {
    for shell in Shell::value_variants() {
        let script = world().fine(&["completions", &shell.to_string()]).out;
        for command in commands() {
            assert!(script.contains(&command), "{shell}: {command}");
        }
        assert!(script.contains("prometheus"), "{shell}: options are there");
    }
    let refused = world().run(&["completions", "tcsh"]);
    assert!(refused.code == 2 && refused.err.contains("bash"), "{refused:?}");
}

#[test]
fn each_command_has_a_page() {
    let page = world().fine(&["man"]).out;
    assert!(page.contains(".TH llm-canary 1") && page.contains(env!("LLM_CANARY_VERSION")), "{page}");
    for command in commands() {
        assert!(page.contains(&format!("llm\\-canary\\-{command}(1)")), "{command}");
        let page = world().fine(&["man", &command]).out;
        assert!(page.contains(&format!(".TH llm-canary-{command} 1")), "{page}");
    }
    let refused = world().run(&["man", "rmp"]);
    assert!(refused.code == 2 && refused.err.contains("did you mean ramp?"), "{refused:?}");
}

#[test]
fn pages_are_written_into_a_folder() {
    let world = world();
    let ran = world.fine(&["man", "-o", "man1"]);
    assert!(ran.out.is_empty() && ran.err.contains("pages"), "{ran:?}");
    assert_eq!(world.read("man1/llm-canary.1"), world.fine(&["man"]).out);
    for command in commands() {
        let (file, page) = (format!("man1/llm-canary-{command}.1"), world.fine(&["man", &command]).out);
        assert_eq!(world.read(&file), page);
    }
}
