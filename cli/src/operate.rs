//! What the commands that change a rollout have in common: read, plan, show, check, write, wait.
//!
//! Nothing is written that `check` would refuse, and nothing over a change of somebody else's.

mod admin;
mod kubectl;
mod target;
mod write;

use crate::edit::plan::{Plan, Step, shares_in_words};
use crate::moment;
use crate::source::Plugin;
use crate::{FINE, Failure, INPUT_ERROR, edit, now, source, warnings};
use admin::{Envoy, State};
use llm_canary::config::json::Node;
use llm_canary::config::{Config, Error, Errors};
use llm_canary::timestamp::{UnixMs, rfc3339};
use serde::Serialize;
use std::io::Write;
use std::time::{Duration, Instant};
use target::Target;

/// Nearness at which a name is taken for a misspelling of another, from 0 to 1.
const MISSPELLED_MIN: f32 = 0.5;

/// Options of every command that changes a rollout.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The file that Envoy or kubectl reads; with --kubectl a resource, such as wasmplugin/llm-canary.
    #[arg(value_name = "FILE")]
    target: String,
    /// The rollout, where there are several.
    #[arg(long, value_name = "NAME")]
    rollout: Option<String>,
    /// Show what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Wait until the Envoy with this admin address runs the change; repeat it for each Envoy.
    #[arg(long = "admin", value_name = "URL")]
    admins: Vec<String>,
    /// How long to wait for them.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = moment::parse_duration)]
    timeout: Duration,
    /// Change a live WasmPlugin, TrafficExtension or EnvoyFilter through kubectl.
    #[arg(long)]
    kubectl: bool,
    /// The resource's namespace.
    #[arg(long, short, requires = "kubectl", value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// The context of kubectl's configuration.
    #[arg(long, requires = "kubectl", value_name = "CONTEXT")]
    context: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// A rollout as it was found, and when.
pub(crate) struct Found<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) rollout: &'a str,
    pub(crate) now: UnixMs,
    /// When a change holds from, where nothing else is said.
    pub(crate) soon: UnixMs,
}

/// What a command makes of it.
pub(crate) struct Change {
    pub(crate) plan: Plan,
    /// What is done, in words.
    pub(crate) words: String,
    /// From when the shares hold, where that matters to conversations that begin around it.
    pub(crate) at: Option<UnixMs>,
}

#[derive(Serialize)]
struct Report<'a> {
    place: &'a str,
    rollout: &'a str,
    baseline: &'a str,
    changed: bool,
    written: bool,
    /// When the shares take effect; `null`: the change is felt at once.
    from: Option<String>,
    steps: Vec<StepLine>,
    stopped: Vec<&'a str>,
    config_hash: u32,
    warnings: Vec<String>,
    envoys: Vec<Envoy>,
}

#[derive(Serialize)]
struct StepLine {
    at: String,
    percent: serde_json::Map<String, serde_json::Value>,
}

impl Options {
    /// What is changed, as it was given.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }
}

impl Found<'_> {
    /// A version by its name.
    pub(crate) fn version(&self, name: &str) -> Result<(), Failure> {
        let names: Vec<&str> = self.plan.versions.iter().map(|(name, _)| name.as_str()).collect();
        let is_known = names.contains(&name);
        let words = || format!("rollout {} has no version {name:?}; {}", self.rollout, instead(name, &names));
        is_known.then_some(()).ok_or_else(|| Failure::new(words()))
    }

    /// When a change holds from: what was asked for, or soon. Not in the past, because conversations have
    /// been held by what held then.
    pub(crate) fn from(&self, asked: Option<&str>) -> Result<UnixMs, Failure> {
        let Some(asked) = asked else { return Ok(self.soon) };
        let at =
            moment::parse_from(asked, self.now).map_err(|words| Failure::new(format!("--at {words}")))?;
        if at < self.now {
            return Err(Failure::new(format!(
                "--at {asked} is past; conversations begun since then would move. Write now, or +10m"
            )));
        }
        Ok(at)
    }

    /// `from 2026-11-23T09:00:00Z on (in 2 s)`
    pub(crate) fn beginning_in_words(&self, at: UnixMs) -> String {
        format!("from {} on (in {})", rfc3339(at), moment::words(at.saturating_sub(self.now)))
    }
}

/// Carries out a change.
pub(crate) fn run(
    options: &Options,
    change: impl FnOnce(&Found<'_>) -> Result<Change, Failure>,
) -> Result<u8, Failure> {
    let target = if options.kubectl {
        Target::live(&options.target, options.namespace.as_deref(), options.context.as_deref())?
    } else {
        Target::file(&options.target)?
    };
    let text = target.text();
    let plugins = source::parse(target.name(), text.as_bytes()).map_err(Failure::new)?;
    let (plugin, index, rollout) = chosen(target.name(), &plugins, options.rollout.as_deref())?;
    let old = Plan::read(rollout);
    let name = rollout.get("name").and_then(Node::as_str).unwrap_or_default();
    let now = now();
    let soon = moment::full_second(now.saturating_add(target.lead_ms()));
    let change = change(&Found { plan: &old, rollout: name, now, soon })?;
    let changed = change.plan != old;
    let new_text = if changed {
        edit::edit(text, plugin, index, &old, &change.plan)
            .map_err(|words| Failure::new(format!("{} {words}", plugin.place)))?
    } else {
        text.to_owned()
    };
    let (tree, warnings) = checked(target.name(), plugin, &new_text)?;
    for warning in &warnings {
        eprintln!("warning: {warning}");
    }
    eprint!("{}", diff(target.name(), text, &new_text));
    for step in old.dropped_by(&change.plan, now).iter().filter(|_| changed) {
        let planned = shares_in_words(&step.shares);
        eprintln!("note: no longer planned: {planned} from {} on", rfc3339(step.at));
    }
    let mut report = Report {
        place: &plugin.place,
        rollout: name,
        baseline: &change.plan.baseline,
        changed,
        written: changed && !options.dry_run,
        from: change.at.filter(|_| changed).map(rfc3339),
        steps: change.plan.steps.iter().map(step_line).collect(),
        stopped: change
            .plan
            .versions
            .iter()
            .filter(|(_, stopped)| *stopped)
            .map(|(name, _)| name.as_str())
            .collect(),
        config_hash: tree.hash(),
        warnings,
        envoys: Vec::new(),
    };
    let said = match (changed, options.dry_run) {
        (true, true) => "not done, because of --dry-run: ",
        (true, false) => "",
        (false, _) => "nothing to do: ",
    };
    if options.dry_run {
        if changed {
            target.try_out(&new_text, &plugin.path)?;
        }
        say(options, &report, &format!("{said}{}", change.words))?;
        return Ok(FINE);
    }
    let before = admin::Counters::of_all(&options.admins);
    let since = if changed { target.write(&new_text, &plugin.path)? } else { instant() };
    if !options.json {
        say(options, &report, &format!("{said}{}", change.words))?;
    }
    report.envoys = admin::wait(&before, report.config_hash, since, options.timeout, |envoy| {
        if !options.json {
            let _ = writeln!(std::io::stdout(), "{envoy}");
        }
    });
    if let (true, Some(at)) = (changed, change.at) {
        warn_of_the_late(&report.envoys, crate::now(), since, at);
    }
    if options.json {
        say(options, &report, "")?;
    }
    Ok(verdict(&report))
}

/// The one rollout that is meant, with its configuration and its index there.
fn chosen<'a>(
    name: &str,
    plugins: &'a [Plugin],
    wanted: Option<&str>,
) -> Result<(&'a Plugin, usize, &'a Node), Failure> {
    if plugins.is_empty() {
        return Err(Failure::new(format!("{name}: {}; {}", source::NONE_FOUND, source::GIVE_ONE)));
    }
    let mut found = Vec::new();
    for plugin in plugins {
        let tree = plugin.tree.as_ref().map_err(|errors| refused(&plugin.place, errors))?;
        Config::from_json(tree).map_err(|errors| refused(&plugin.place, &errors))?;
        let rollouts = tree.get("rollouts").map(Node::items).unwrap_or_default();
        found.extend(rollouts.iter().enumerate().map(|(index, rollout)| (plugin, index, rollout)));
    }
    let name_of = |rollout: &'a Node| rollout.get("name").and_then(Node::as_str).unwrap_or_default();
    let names: Vec<&str> = found.iter().map(|(_, _, rollout)| name_of(rollout)).collect();
    let meant: Vec<_> = found
        .iter()
        .filter(|(_, _, rollout)| wanted.is_none_or(|wanted| name_of(rollout) == wanted))
        .collect();
    match (meant.as_slice(), wanted) {
        ([one], _) => Ok(**one),
        ([], Some(wanted)) => {
            Err(Failure::new(format!("{name} has no rollout {wanted:?}; {}", instead(wanted, &names))))
        }
        ([], None) => Err(Failure::new(format!("{name} has no rollouts"))),
        (_, None) => Err(Failure::new(format!(
            "{name} has the rollouts {}; say which with --rollout",
            names.join(", ")
        ))),
        (_, Some(wanted)) => {
            Err(Failure::new(format!("{name} has several rollouts {wanted:?}; give a file with one of them")))
        }
    }
}

/// The changed configuration, read as the filter will read it, and what `check` newly says of it.
fn checked(name: &str, plugin: &Plugin, new_text: &str) -> Result<(Node, Vec<String>), Failure> {
    let plugins = source::parse(name, new_text.as_bytes()).map_err(Failure::new)?;
    let same = |other: &&Plugin| other.document == plugin.document && other.path == plugin.path;
    let tree = plugins.iter().find(same).and_then(|plugin| plugin.tree.clone().ok());
    let tree = tree.ok_or_else(|| Failure::new(format!("{name}: the change would break it")))?;
    let config = Config::from_json(&tree).map_err(|errors| {
        let Failure(words) = refused(&plugin.place, &errors);
        Failure::new(format!("nothing was written, because the filter would refuse it:\n{words}"))
    })?;
    let old: Vec<Error> = plugin
        .tree
        .as_ref()
        .ok()
        .and_then(|tree| Some(warnings::of(&Config::from_json(tree).ok()?, tree)))
        .unwrap_or_default();
    let new = warnings::of(&config, &tree).into_iter().filter(|warning| !old.contains(warning));
    let warnings = new.map(|warning| format!("{}: {}: {}", plugin.place, warning.path, warning.message));
    Ok((tree, warnings.collect()))
}

fn refused(place: &str, errors: &Errors) -> Failure {
    let lines: Vec<String> = errors.to_string().lines().map(|line| format!("{place}: {line}")).collect();
    Failure::new(lines.join("\nerror: "))
}

/// What was probably meant, or what there is.
fn instead(name: &str, known: &[&str]) -> String {
    let lower = name.to_lowercase();
    let alike = |known: &&&str| similar::TextDiff::from_chars(lower.as_str(), &known.to_lowercase()).ratio();
    let nearest = known.iter().max_by(|a, b| alike(a).total_cmp(&alike(b)));
    match nearest.filter(|nearest| alike(nearest) >= MISSPELLED_MIN) {
        Some(nearest) if known.len() > 1 => format!("did you mean {nearest}? There are {}", known.join(", ")),
        Some(nearest) => format!("did you mean {nearest}?"),
        None if known.is_empty() => "there are none".to_owned(),
        None => format!("there are {}", known.join(", ")),
    }
}

/// What changes, as a unified diff; empty where nothing does.
fn diff(name: &str, old: &str, new: &str) -> String {
    let diff = similar::TextDiff::from_lines(old, new);
    diff.unified_diff().context_radius(3).header(name, &format!("{name} (changed)")).to_string()
}

fn say(options: &Options, report: &Report<'_>, words: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    if options.json {
        writeln!(out, "{}", serde_json::to_string_pretty(report).map_err(std::io::Error::from)?)?;
    } else {
        writeln!(out, "{}: {words}", report.rollout)?;
    }
    Ok(())
}

fn step_line(step: &Step) -> StepLine {
    let percent = |parts: &u32| serde_json::Value::from(f64::from(*parts) / 10_000.0);
    let shares = step.shares.iter().map(|(name, parts)| (name.clone(), percent(parts)));
    StepLine { at: rfc3339(step.at), percent: shares.collect() }
}

/// A conversation begun after the step, on an Envoy that did not know of it yet, may change its version once.
fn warn_of_the_late(envoys: &[Envoy], now: UnixMs, since: Instant, at: UnixMs) {
    let written = now.saturating_sub(moment::ms(since.elapsed()));
    for envoy in envoys {
        let Some(after) = envoy.after_ms else { continue };
        let late = written.saturating_add(after.ceil() as UnixMs).saturating_sub(at);
        if late > 0 {
            eprintln!(
                "warning: {} ran it {} after it took effect; a conversation begun on it in between may change its \
                 version once. Leave more time with --at",
                envoy.admin,
                moment::words(late)
            );
        }
    }
}

fn verdict(report: &Report<'_>) -> u8 {
    let slowest = report.envoys.iter().filter_map(|envoy| envoy.after_ms).fold(0.0, f64::max);
    let running = report.envoys.iter().filter(|envoy| envoy.state == State::Runs).count();
    let all = report.envoys.len();
    if running < all {
        let kept = if report.written { "the change stays written" } else { "nothing was changed" };
        eprintln!("error: {running} of {all} Envoys run it; {kept}");
        return INPUT_ERROR;
    }
    if all > 1 {
        eprintln!("all {all} Envoys run it; the slowest took {slowest:.0} ms");
    }
    FINE
}

/// A moment to count from.
#[expect(clippy::disallowed_methods, reason = "here an operator waits")]
fn instant() -> Instant {
    Instant::now()
}
