//! What the tool says, as snapshots. `INSTA_UPDATE=always cargo test -p llm-canary-cli` writes them anew; read the difference.

use super::change::CHAT;
use super::world::{FakeWorld, Takes};
use clap::CommandFactory;
use std::fmt::Write;
use std::time::Duration;

#[test]
fn help() {
    let mut tool = crate::Cli::command();
    insta::assert_snapshot!("help", tool.render_long_help());
    for command in tool.get_subcommands_mut().filter(|command| command.get_name() != "help") {
        let name = format!("help-{}", command.get_name());
        insta::assert_snapshot!(name, command.render_long_help());
    }
}

#[test]
fn a_release() {
    let mut world = FakeWorld::new("2026-11-23T09:00:00Z", &[("chat.json", CHAT)]);
    world.add_envoy("http://envoy:9901", Takes::After(Duration::from_millis(100)));
    let mut said = String::new();
    for (minutes_later, command) in [
        (0, "simulate chat.json --count 1000"),
        (0, "ramp chat.json v2 --plan 20%,50%@+1h --admin http://envoy:9901"),
        (10, "stop chat.json v2 --admin http://envoy:9901"),
        (10, "stop chat.json v2"),
        (10, "ramp chat.json v2 1"),
        (10, "ramp chat.json v2 1 --resume --dry-run"),
        (10, "drain chat.json v3"),
        (10, "promote chat.json v3"),
        (10, "promote chat.json v3 --finish"),
        (30, "promote chat.json v3 --finish --held 30m"),
        (10, "simulate chat.json --count 1000"),
        (10, "explain chat.json --key c-42"),
    ] {
        world.pass(Duration::from_secs(60 * minutes_later));
        let arguments: Vec<&str> = command.split(' ').collect();
        let ran = world.run(&arguments);
        let status = if ran.code == 0 { String::new() } else { format!("exit code {}\n", ran.code) };
        writeln!(said, "$ llm-canary {command}\n{}{}{status}", ran.err, ran.out).unwrap();
    }
    insta::assert_snapshot!("release", said);
}
