//! `llm-canary check`: every error of a configuration, before Envoy sees it.

use crate::now;
use crate::source::{self, GIVE_ONE, NONE_FOUND, Plugin};
use crate::{FINE, Failure, INPUT_ERROR, warnings};
use llm_canary::config::{Config, Error, Rollout};
use llm_canary::split::percent;
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;

/// Report every error and doubt of configurations, with its path and the way out.
///
/// Reads the plugin's own JSON or YAML, Envoy's discovery files and bootstraps, and Istio's WasmPlugin,
/// TrafficExtension and EnvoyFilter, several documents in a file too. Prints a line for each good rollout.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary check envoy/ecds/llm-canary.yaml
  llm-canary check --json istio/*.yaml | jq '.[].errors'

Exit code 0: all can be used, though there may be warnings; 2: at least one cannot.")]
pub(crate) struct Args {
    /// Files that hold a configuration.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one JSON list instead: place, rollouts, errors and warnings of each configuration.
    #[arg(long)]
    json: bool,
}

/// What was found in one place.
#[derive(Serialize)]
struct Report {
    place: String,
    rollouts: Vec<RolloutLine>,
    errors: Vec<Line>,
    warnings: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    path: String,
    message: String,
}

#[derive(Serialize)]
struct RolloutLine {
    name: String,
    baseline: String,
    versions: Vec<VersionLine>,
}

#[derive(Serialize)]
struct VersionLine {
    name: String,
    cluster: String,
    percent: f64,
    stopped: bool,
}

pub(crate) fn run(args: &Args) -> Result<u8, Failure> {
    let mut reports = Vec::new();
    for file in &args.files {
        match source::read(file) {
            Ok(plugins) if plugins.is_empty() => eprintln!("note: {}: {NONE_FOUND}", file.display()),
            Ok(plugins) => reports.extend(plugins.iter().map(report)),
            Err(message) => reports.push(unreadable(message)),
        }
    }
    if reports.is_empty() {
        return Err(Failure::new(format!("there was nothing to check; {GIVE_ONE}")));
    }
    if args.json {
        let text = serde_json::to_string_pretty(&reports).map_err(std::io::Error::from)?;
        writeln!(std::io::stdout(), "{text}")?;
    } else {
        print(&reports)?;
    }
    let fine = reports.iter().all(|report| report.errors.is_empty());
    Ok(if fine { FINE } else { INPUT_ERROR })
}

fn unreadable(message: String) -> Report {
    // The message names the file itself.
    let errors = vec![Line { path: String::new(), message }];
    Report { place: String::new(), rollouts: Vec::new(), errors, warnings: Vec::new() }
}

fn report(plugin: &Plugin) -> Report {
    let read = match &plugin.tree {
        Ok(tree) => Config::from_json(tree).map(|config| (warnings::of(&config, tree), config)),
        Err(errors) => Err(errors.clone()),
    };
    let place = plugin.place.clone();
    match read {
        Ok((warnings, config)) => Report {
            place,
            rollouts: config.rollouts.iter().map(rollout_line).collect(),
            errors: Vec::new(),
            warnings: warnings.iter().map(line).collect(),
        },
        Err(errors) => {
            let mut lines: Vec<Line> = errors.iter().map(line).collect();
            if errors.left_out() > 0 {
                let message = format!("has {} more errors; mend these first", errors.left_out());
                lines.push(Line { path: String::new(), message });
            }
            Report { place, rollouts: Vec::new(), errors: lines, warnings: Vec::new() }
        }
    }
}

fn line(error: &Error) -> Line {
    Line { path: error.path.clone(), message: error.message.clone() }
}

fn rollout_line(rollout: &Rollout) -> RolloutLine {
    let version = |(i, version): (usize, &llm_canary::config::Version)| VersionLine {
        name: version.name.clone(),
        cluster: version.cluster.clone(),
        percent: f64::from(rollout.steps.at(now()).parts(i)) / 10_000.0,
        stopped: version.stopped,
    };
    RolloutLine {
        name: rollout.name.clone(),
        baseline: rollout.versions.get(rollout.baseline).map(|v| v.name.clone()).unwrap_or_default(),
        versions: rollout.versions.iter().enumerate().map(version).collect(),
    }
}

fn print(reports: &[Report]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    for report in reports {
        for (word, lines) in [("error", &report.errors), ("warning", &report.warnings)] {
            for line in lines {
                let places = [report.place.as_str(), line.path.as_str(), line.message.as_str()];
                let words: Vec<&str> = places.into_iter().filter(|place| !place.is_empty()).collect();
                eprintln!("{word}: {}", words.join(": "));
            }
        }
        if report.errors.is_empty() && report.rollouts.is_empty() {
            writeln!(out, "{}: no rollouts; nothing is routed", report.place)?;
        }
        for rollout in &report.rollouts {
            let shares: Vec<String> =
                rollout.versions.iter().map(|version| share(version, &rollout.baseline)).collect();
            writeln!(out, "{}: {}: {}", report.place, rollout.name, shares.join(", "))?;
        }
    }
    let errors: usize = reports.iter().map(|report| report.errors.len()).sum();
    if errors > 0 {
        eprintln!("{errors} error{}", if errors == 1 { "" } else { "s" });
    }
    Ok(())
}

fn share(version: &VersionLine, baseline: &str) -> String {
    let parts = (version.percent * 10_000.0).round() as u32;
    let stopped = if version.stopped { ", stopped" } else { "" };
    let role = if version.name == baseline { ", baseline" } else { "" };
    format!("{} {} % (cluster {}{role}{stopped})", version.name, percent(parts), version.cluster)
}
