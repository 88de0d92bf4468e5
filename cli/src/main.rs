//! The operator's tool.
//!
//! [`commands`] read the world through [`io`], call pure code, and print through [`io`]. Everything else is pure: bytes and
//! values in, values out, with time as an argument. Imports lead from `commands` to `io` and the pure parts, and from `io`
//! to the pure parts. Data goes to stdout, words to stderr.

mod analysis;
mod base64;
mod clocks;
mod commands;
mod controller;
mod describe;
mod discovery;
mod edit;
mod envoy;
mod error;
mod io;
mod kubernetes;
mod number_args;
mod page;
mod plugin;
mod policy;
mod prometheus_answer;
mod prometheus_text;
mod recording;
mod release;
mod release_plan;
mod release_record;
mod request;
mod route_report;
mod serving;
mod simulation;
mod status;
mod subject;
mod suggest;
mod table;
mod test_plan;
mod time_args;
mod totals;
mod verdict_json;
mod verdict_table;
mod warnings;
mod watchdog;
mod windows;
mod yaml;

use clap::Parser;
use commands::Cli;
use error::{Error, INPUT_ERROR, Problem, json_fields};
use io::World;
use io::admin::HttpAdmin;
use io::ask::HttpAsk;
use io::beside::OwnProgram;
use io::clock::SystemClock;
use io::files::FileSystem;
use io::kubectl::KubectlProgram;
use io::notices::Couriers;
use io::post::HttpPost;
use io::signals::SystemSignals;
use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let clock = SystemClock::start();
    let mut world = World {
        clock: &clock,
        files: &FileSystem,
        admin: &HttpAdmin::new(),
        kubectl: &KubectlProgram,
        post: &HttpPost::new(),
        ask: &HttpAsk::new(),
        notices: &Couriers::new(),
        beside: &OwnProgram,
        signals: &SystemSignals::default(),
        random: io::random,
        listen: io::server::listen,
        canvas: io::terminal::canvas,
        out: &mut std::io::stdout(),
        err: &mut std::io::stderr(),
    };
    ExitCode::from(run(std::env::args_os().collect(), &mut world))
}

/// Runs the tool with these arguments, the first of which is its name; returns the exit code.
fn run(arguments: Vec<OsString>, world: &mut World<'_>) -> u8 {
    let asks_for_json = arguments.iter().any(|argument| argument == "--json");
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let error = commands::in_own_words(error, &arguments);
            return report_usage(&error, asks_for_json, world);
        }
    };
    match cli.command.run(world) {
        Ok(code) => code,
        Err(error) if error.is_closed_output() => 0,
        Err(error) => report_error(&error, cli.command.is_json(), world),
    }
}

fn report_error(error: &Error, is_json: bool, world: &mut World<'_>) -> u8 {
    for line in error.lines() {
        world.say(&line);
    }
    if is_json {
        // The exit code says the same where the output cannot be written.
        let _ = world.print_json(&error.to_json());
    }
    error.exit_code()
}

/// Prints clap's error about the arguments, or the help that was asked for.
fn report_usage(error: &clap::Error, is_json: bool, world: &mut World<'_>) -> u8 {
    if !error.use_stderr() {
        // Printed by clap, which uses colours on a terminal.
        let _ = error.print();
        return 0;
    }
    let text = error.render().to_string();
    world.say(text.trim_end());
    if is_json {
        // The first paragraph is the error, the others are hints.
        let paragraph = text.split("\n\n").next().unwrap_or_default();
        let words: Vec<&str> = paragraph.trim_start_matches("error: ").split_whitespace().collect();
        let message = words.join(" ");
        let _ = world.print_json(&json_fields(&message, &[Problem::new("", "", &message)], INPUT_ERROR));
    }
    INPUT_ERROR
}

#[cfg(test)]
mod tests;
