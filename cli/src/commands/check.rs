//! `llm-canary check`: every error of a configuration, before Envoy reads it.

use super::input::read_file;
use crate::error::{Error, Problem};
use crate::io::World;
use crate::plugin::{self, ACCEPTED_FILES, PluginConfig};
use crate::policy;
use crate::warnings;
use llm_canary::config::{self, Config, HostKind, Rollout};
use llm_canary::split::percent;
use llm_canary::timestamp::UnixMs;
use llm_canary_verdict::policy::Policy;
use llm_canary_verdict::signal::Mode;
use serde::Serialize;
use serde_json::{Map, Value};
use std::path::PathBuf;

/// Report every error and every doubtful part of configurations and policies, with its path and what to write instead.
///
/// Reads the plugin's own JSON or YAML; Envoy's discovery files and bootstraps; Istio's WasmPlugin, TrafficExtension and
/// EnvoyFilter; Envoy Gateway's EnvoyExtensionPolicy; and ConfigMaps with files of these. A file may have several documents.
/// Prints a line for each valid rollout. A policy (see `llm-canary policy`) is told from a configuration by its fields.
///
/// What a native module of Envoy cannot do is an error in the configuration of one. Envoy's files and the resources say which
/// host reads them.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary check envoy/ecds/llm-canary.yaml
  llm-canary check --host native llm-canary.json
  llm-canary check policy.yaml
  llm-canary check --json istio/*.yaml | jq 'objects | .errors[]'
  git ls-files -z '*.yaml' | xargs -0 llm-canary check --skip-others

With --json it prints a list of configurations with place, rollouts and warnings; a policy has policy: alpha, beta, tolerance,
guards. If a configuration has errors, it prints an object: error, errors (place, path, message), exit_code, and the list as
configurations.

Exit codes: 0 every configuration is valid, though there may be warnings; 2 at least one is not.")]
pub(crate) struct Args {
    /// Files that hold a configuration or a policy
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The host of configurations in the plugin's own JSON or YAML, which do not say it
    #[arg(long, value_enum, default_value_t = Host::Wasm)]
    host: Host,
    /// Leave files alone that have nothing of llm-canary, whatever they hold; it is fine if all are such: for hooks and pipelines
    #[arg(long)]
    skip_others: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// What reads a configuration.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Host {
    /// Envoy's WebAssembly VM
    Wasm,
    /// Envoy, with the native module
    Native,
}

/// What one configuration, or one policy, says.
#[derive(Default, Serialize)]
struct PluginReport {
    place: String,
    rollouts: Vec<RolloutReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<PolicyReport>,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
}

#[derive(Serialize)]
struct PolicyReport {
    alpha: f64,
    beta: f64,
    tolerance: f64,
    guards: Vec<String>,
}

#[derive(Serialize)]
struct RolloutReport {
    name: String,
    baseline: String,
    versions: Vec<VersionReport>,
}

#[derive(Serialize)]
struct VersionReport {
    name: String,
    cluster: String,
    percent: f64,
    stopped: bool,
}

pub(super) fn run(args: &Args, world: &mut World<'_>) -> Result<(), Error> {
    let now = world.clock.now();
    let host = match args.host {
        Host::Wasm => HostKind::WebAssembly,
        Host::Native => HostKind::Native,
    };
    let mut reports = Vec::new();
    for file in &args.files {
        let name = file.display().to_string();
        let bytes = read_file(world, file);
        if args.skip_others && bytes.as_ref().is_ok_and(|bytes| !is_ours(bytes)) {
            continue;
        }
        if let Some(bytes) = bytes.as_ref().ok().filter(|bytes| policy::is_policy(bytes)) {
            reports.push(policy_report(name, bytes));
            continue;
        }
        for unread in bytes.iter().flat_map(|bytes| plugin::unread_parts(&name, bytes)) {
            world.say(&format!("warning: {unread}"));
        }
        match bytes.and_then(|bytes| plugin::parse(&name, &bytes)) {
            Ok(plugins) if args.skip_others => {
                let ours = plugins.iter().filter(|plugin| plugin.is_surely_ours());
                reports.extend(ours.map(|plugin| report(plugin, host, now)));
            }
            Ok(plugins) if plugins.is_empty() => {
                world.say(&format!("note: {name}: holds no llm-canary configuration"));
            }
            Ok(plugins) => reports.extend(plugins.iter().map(|plugin| report(plugin, host, now))),
            Err(error) => reports.push(PluginReport {
                place: name,
                errors: error.problems(),
                ..PluginReport::default()
            }),
        }
    }
    if reports.is_empty() && !args.skip_others {
        return Err(Error::refused(format!("there is nothing to check; {ACCEPTED_FILES}")));
    }
    for warning in reports.iter().flat_map(|report| &report.warnings) {
        world.say(&format!("warning: {warning}"));
    }
    let problems: Vec<Problem> = reports.iter().flat_map(|report| report.errors.clone()).collect();
    if args.json && problems.is_empty() {
        world.print_json(&reports)?;
    } else if !args.json {
        print(&reports, world)?;
    }
    if problems.is_empty() {
        return Ok(());
    }
    let reports = serde_json::to_value(&reports).map_err(std::io::Error::from)?;
    let report: Map<String, Value> = [("configurations".to_owned(), reports)].into_iter().collect();
    Err(Error::Invalid { problems, report })
}

/// Whether a file has something of ours in it, if any file may be given.
fn is_ours(bytes: &[u8]) -> bool {
    plugin::may_be_ours(bytes) || policy::is_surely_policy(bytes)
}

fn report(plugin: &PluginConfig, host: HostKind, now: UnixMs) -> PluginReport {
    let (rollouts, errors, warnings) = match plugin.config_for(host) {
        Ok((config, tree)) => {
            (rollouts(&config, now), Vec::new(), warnings::find(&config, tree, plugin.gets_bodies()))
        }
        Err(errors) => (Vec::new(), plugin.problems(&errors), Vec::new()),
    };
    let warning = |warning: &config::Error| Problem::new(&plugin.place, &warning.path, &warning.message);
    PluginReport {
        place: plugin.place.clone(),
        rollouts,
        policy: None,
        errors,
        warnings: warnings.iter().map(warning).collect(),
    }
}

fn policy_report(name: String, bytes: &[u8]) -> PluginReport {
    let (policy, errors) = match policy::parse(&name, bytes) {
        Ok(policy) => (Some(describe_policy(&policy)), Vec::new()),
        Err(error) => (None, error.problems()),
    };
    PluginReport { place: name, policy, errors, ..PluginReport::default() }
}

fn describe_policy(policy: &Policy) -> PolicyReport {
    let guards = policy.all_signals().filter(|signal| policy.mode(signal) == Mode::Guard);
    PolicyReport {
        alpha: policy.alpha,
        beta: policy.beta,
        tolerance: policy.tolerance,
        guards: guards.map(|signal| signal.to_string()).collect(),
    }
}

fn rollouts(config: &Config, now: UnixMs) -> Vec<RolloutReport> {
    let versions = |rollout: &Rollout| {
        let split = rollout.steps.at(now);
        let version = |(index, version): (usize, &config::Version)| VersionReport {
            name: version.name.clone(),
            cluster: version.cluster.clone(),
            percent: f64::from(split.parts(index)) / 10_000.0,
            stopped: version.stopped,
        };
        rollout.versions.iter().enumerate().map(version).collect()
    };
    let rollout = |rollout: &Rollout| RolloutReport {
        name: rollout.name.clone(),
        baseline: rollout.versions.get(rollout.baseline).map(|v| v.name.clone()).unwrap_or_default(),
        versions: versions(rollout),
    };
    config.rollouts.iter().map(rollout).collect()
}

fn print(reports: &[PluginReport], world: &mut World<'_>) -> Result<(), Error> {
    for report in reports {
        if let Some(PolicyReport { alpha, beta, tolerance, guards }) = &report.policy {
            let guards = guards.join(", ");
            world.print(&format!(
                "{}: a policy: alpha {alpha}, beta {beta}, tolerance {tolerance}; guards: {guards}",
                report.place
            ))?;
        } else if report.errors.is_empty() && report.rollouts.is_empty() {
            world.print(&format!("{}: no rollouts; nothing is routed", report.place))?;
        }
        for rollout in &report.rollouts {
            let versions: Vec<String> =
                rollout.versions.iter().map(|version| describe(version, &rollout.baseline)).collect();
            world.print(&format!("{}: {}: {}", report.place, rollout.name, versions.join(", ")))?;
        }
    }
    Ok(())
}

fn describe(version: &VersionReport, baseline: &str) -> String {
    let parts = (version.percent * 10_000.0).round() as u32;
    let stopped = if version.stopped { ", stopped" } else { "" };
    let role = if version.name == baseline { ", baseline" } else { "" };
    format!("{} {} % (cluster {}{role}{stopped})", version.name, percent(parts), version.cluster)
}
