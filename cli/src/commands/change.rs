//! What the commands that change a rollout have in common: read, change, show, check, write, wait.
//!
//! Nothing is written that `check` would refuse, or that would overwrite somebody else's change.

mod current;
mod fleet;
mod found;
mod options;
mod select;
mod text;

use crate::clocks::{self, Present};
use crate::edit::history;
use crate::edit::schedule::{Schedule, Step, describe_shares};
use crate::envoy::{EnvoyStatus, UpdateState, Watched};
use crate::error::{Error, Problem};
use crate::io::World;
use crate::io::admin::{Envoys, News, check_address};
use crate::io::kubectl::LiveResource;
use crate::io::target::{Target, Waiting};
use crate::plugin;
use crate::time_args::{self, format_duration, millis, next_full_second};
pub(super) use current::CurrentRollout;
pub(super) use found::{Found, find};
use llm_canary::config::json::Node;
use llm_canary::timestamp::{UnixMs, rfc3339};
pub(super) use options::{ChangeOptions, ForgetOption};
use select::{Selected, select_rollout};
use serde::Serialize;
use serde_json::{Map, Value};
use std::io;
use std::path::Path;
use std::time::Duration;
use text::{Changed, diff, first_possible};

/// The exit codes, for the help of each command that changes a rollout.
pub(super) const EXIT_CODES: &str = "Exit codes: 0 done, or nothing to do, and every Envoy of --admin and --xds runs it; 2 refused, and nothing was
changed; 4 FILE says what was asked, and not every Envoy runs it (yet).";

/// What a command makes of a rollout.
pub(super) struct Change {
    /// The first of these that is within the limits is written.
    pub(super) schedules: Vec<Schedule>,
    /// If given, the change must not fail. Where the others make the configuration too long, the last of them is written
    /// without line breaks and blanks, or else this.
    pub(super) last_resort: Option<Schedule>,
    /// What the change does, as a sentence without the rollout's name.
    pub(super) summary: String,
    /// When the shares take effect; `None`: at once, for every conversation.
    pub(super) at: Option<UnixMs>,
    /// The option that asks for several steps, for a refusal.
    pub(super) asked_by: Option<String>,
}

#[derive(Serialize)]
struct ChangeReport<'a> {
    place: &'a str,
    rollout: &'a str,
    baseline: &'a str,
    changed: bool,
    written: bool,
    /// When the shares take effect; `null`: at once.
    from: Option<String>,
    steps: Vec<StepReport>,
    stopped: Vec<String>,
    config_hash: u32,
    warnings: Vec<String>,
    envoys: Vec<EnvoyStatus>,
}

#[derive(Serialize)]
struct StepReport {
    at: String,
    percent: Map<String, Value>,
}

/// Whether a change may wait for the clocks of Envoys that answer slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    AtOnce,
    CanWait,
}

/// What was written, or would have been without --dry-run.
pub(super) struct Done<'a> {
    /// The rollout as it is now.
    pub(super) schedule: &'a Schedule,
    pub(super) config_hash: u32,
    /// When the shares take effect; `None`: at once, or nothing had to be changed.
    pub(super) at: Option<UnixMs>,
    /// When it was written, on [`crate::io::clock::Clock::elapsed`]; `None` for a dry run.
    written_at: Option<Duration>,
    envoys: Envoys<'a>,
    /// What the Envoys of --xds must run.
    expected: fleet::Expected,
    report: ChangeReport<'a>,
    summary: String,
}

/// Carries out a change, and waits until the Envoys run it.
pub(super) fn run(
    options: &ChangeOptions,
    urgency: Urgency,
    forget: Option<&ForgetOption>,
    world: &mut World<'_>,
    change: impl FnOnce(&CurrentRollout<'_>) -> Result<Change, Error>,
) -> Result<(), Error> {
    carry_out(options, urgency, forget, world, change, |done, world| match done.written_at {
        Some(written_at) => wait(options, world, done, written_at),
        None => Ok(print(options, world, &done.summary, &done.report)?),
    })
}

/// The text of a file as a change would leave it, by this machine's clock. Nothing is written.
pub(super) fn edited(
    file: &str,
    text: &str,
    rollout: Option<&str>,
    now: UnixMs,
    change: impl FnOnce(&CurrentRollout<'_>) -> Result<Change, Error>,
) -> Result<String, Error> {
    let plugins = plugin::parse(file, text.as_bytes())?;
    let Selected { plugin, index, rollout, .. } = select_rollout(file, &plugins, rollout)?;
    let old = Schedule::read(rollout);
    let name = rollout.get("name").and_then(Node::as_str).unwrap_or_default();
    let present = Present { earliest: now, latest: now, reached: now, taken_until: now, here: now };
    let current = CurrentRollout { schedule: &old, name, present, unknown_clocks: Vec::new(), lead_ms: 0 };
    let change = change(&current)?;
    Ok(first_possible(file, text, plugin, index, &old, &change)?.text)
}

/// Carries out a change, and hands over what was done.
pub(super) fn carry_out<T>(
    options: &ChangeOptions,
    urgency: Urgency,
    forget: Option<&ForgetOption>,
    world: &mut World<'_>,
    change: impl FnOnce(&CurrentRollout<'_>) -> Result<Change, Error>,
    hand_over: impl FnOnce(Done<'_>, &mut World<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    for admin in &options.admins {
        check_address(admin)
            .map_err(|words| Error::refused(format!("--admin {admin}: {words}; nothing was changed")))?;
    }
    fleet::check(options)?;
    let target: Box<dyn Target + '_> = if options.kubectl {
        let (namespace, context) = (options.namespace.as_deref(), options.context.as_deref());
        Box::new(LiveResource::get(world.kubectl, &options.target, namespace, context)?)
    } else {
        let (files, clock) = (world.files, world.clock);
        let mut say = |line: &str| world.say(line);
        let waiting = &mut Waiting { clock, say: &mut say, goes_on: urgency == Urgency::AtOnce };
        files.lock(Path::new(&options.target), waiting)?
    };
    if let Some(note) = target.note() {
        world.say(&format!("note: {note}"));
    }
    let text = target.text().to_owned();
    let text = text.as_str();
    let plugins = plugin::parse(target.name(), text.as_bytes())?;
    for unread in plugin::unread_parts(target.name(), text.as_bytes()) {
        world.say(&format!("warning: {unread}"));
    }
    let Selected { plugin, index, rollout, warnings } =
        select_rollout(target.name(), &plugins, options.rollout.as_deref())?;
    let old = Schedule::read(rollout);
    let name = rollout.get("name").and_then(Node::as_str).unwrap_or_default();
    fleet::check_served(options, plugin)?;
    let watched =
        Watched { rollout: name, discovered_as: plugin.discovered_as.as_deref(), host: plugin.host };
    let mut envoys = Envoys::before_change(world.admin, world.clock, &options.admins, watched);
    if urgency == Urgency::CanWait && envoys.clocks().any(|(_, clock)| clock.is_err()) {
        envoys.ask_again();
    }
    let present = envoys.present();
    let unknown_clocks: Vec<&str> =
        envoys.clocks().filter_map(|(name, clock)| clock.is_err().then_some(name)).collect();
    let mut notes: Vec<String> = target.warning().map(str::to_owned).into_iter().chain(warnings).collect();
    notes.extend(clock_warnings(&envoys));
    notes.iter().for_each(|warning| world.say(&format!("warning: {warning}")));
    let kept = match forget.and_then(|option| option.forget_before.as_deref()) {
        Some(time) => {
            let (kept, note) = forgotten(&old, time, present)?;
            world.say(&format!("warning: {note}"));
            notes.push(note);
            kept
        }
        None => old.clone(),
    };
    let lead_ms = target.lead_ms();
    let mut change = change(&CurrentRollout { schedule: &kept, name, present, unknown_clocks, lead_ms })?;
    change.schedules =
        history::within_limit(&kept, change.schedules, present.taken_until).map_err(|words| {
            let asked_by = change.asked_by.as_deref().map(|option| format!(". {option} asks for that"));
            Error::refused(format!("rollout {name}: {words}{}", asked_by.unwrap_or_default()))
        })?;
    let Changed { schedule, text: new_text, decoded, tree, warnings } =
        first_possible(target.name(), text, plugin, index, &old, &change)?;
    warnings.iter().for_each(|warning| world.say(&format!("warning: {warning}")));
    notes.extend(warnings);
    let changed = schedule != old;
    if changed {
        let shown = match plugin.decoded.as_deref().zip(decoded.as_deref()) {
            Some((before, after)) => diff(&plugin.place, before, after),
            None => diff(target.name(), text, &new_text),
        };
        world.say(shown.trim_end_matches('\n'));
        for step in old.dropped_in(&schedule, present.taken_until) {
            let shares = describe_shares(&step.shares);
            world.say(&format!("note: no longer planned: {shares} from {}", rfc3339(step.at)));
        }
    }
    let is_stopped = |(name, stopped): &'_ (String, bool)| stopped.then(|| name.clone());
    let report = ChangeReport {
        place: &plugin.place,
        rollout: name,
        baseline: &schedule.baseline,
        changed,
        written: changed && !options.dry_run,
        from: change.at.filter(|_| changed).map(rfc3339),
        steps: schedule.steps.iter().map(step_report).collect(),
        stopped: schedule.versions.iter().filter_map(is_stopped).collect(),
        config_hash: tree.hash(),
        warnings: notes,
        envoys: Vec::new(),
    };
    let prefix = match (changed, options.dry_run) {
        (true, true) => "not done, because of --dry-run: ",
        (true, false) => "",
        (false, _) => "nothing to do: ",
    };
    let summary = format!("{name}: {prefix}{}", change.summary);
    let written_at = match (options.dry_run, changed) {
        (true, true) => {
            target.dry_run(&new_text, &plugin.path)?;
            None
        }
        (true, false) => None,
        (false, true) => {
            let write = target.write(&new_text, &plugin.path, world.clock)?;
            if let Some(warning) = write.warning {
                world.say(&format!("warning: {warning}"));
            }
            Some(write.at)
        }
        (false, false) => Some(world.clock.elapsed()),
    };
    let expected = fleet::expected(options, plugin, target.name(), &new_text);
    drop(target); // another run need not wait until the Envoys run this change
    let (at, config_hash) = (change.at.filter(|_| changed), tree.hash());
    let done = Done { schedule: &schedule, config_hash, at, written_at, envoys, expected, report, summary };
    hand_over(done, world)
}

/// What the Envoys' clocks have to do with a change.
fn clock_warnings(envoys: &Envoys<'_>) -> Vec<String> {
    let unknown = envoys.clocks().filter_map(|(name, clock)| Some(clocks::unknown(name, clock.err()?)));
    let known: Vec<_> = envoys.clocks().filter_map(|(name, clock)| Some((name, clock.ok()?))).collect();
    unknown.chain(clocks::warnings(&known)).collect()
}

/// The schedule without the steps before a time, and what that moves.
fn forgotten(old: &Schedule, time: &str, present: Present) -> Result<(Schedule, String), Error> {
    let refused = |message: String| Error::refused(format!("--forget-before {message}"));
    let at = time_args::parse_time(time, present.latest).map_err(refused)?;
    if at > next_full_second(present.latest) {
        return Err(refused(format!(
            "{time} is in the future; only steps that have taken effect are forgotten"
        )));
    }
    let kept = old.forgotten_before(at);
    let dropped = old.steps.len() - kept.steps.len();
    if dropped == 0 {
        let why = match old.steps.get(1) {
            Some(second) => format!(
                "the first step is in force until {}; a time before that drops nothing",
                rfc3339(second.at)
            ),
            None => "the rollout has no step besides the one that must stay".to_owned(),
        };
        return Ok((kept, format!("--forget-before {time} drops no step, because {why}")));
    }
    let dropped = history::count(dropped);
    let moved = old.moved_by(&kept).describe(&kept);
    Ok((kept, format!("--forget-before drops {dropped}: {moved}")))
}

/// Prints the result of a change: a sentence, or the report as JSON.
fn print(
    options: &ChangeOptions,
    world: &mut World<'_>,
    summary: &str,
    report: &ChangeReport<'_>,
) -> io::Result<()> {
    if options.json { world.print_json(report) } else { world.print(summary) }
}

/// Waits until every Envoy runs the change, and prints the result. The change is written, so the exit code says whether
/// the Envoys run it, and not whether this could be printed.
fn wait(
    options: &ChangeOptions,
    world: &mut World<'_>,
    done: Done<'_>,
    written_at: Duration,
) -> Result<(), Error> {
    let Done { mut envoys, expected, mut report, summary, at: step_at, .. } = done;
    let written_at_ms = world.clock.now().saturating_sub(millis(world.clock.elapsed() - written_at));
    let warned = clock_warnings(&envoys);
    let mut printed = if options.json { Ok(()) } else { world.print(&summary) };
    report.envoys = envoys.wait(report.config_hash, written_at, options.timeout, |news| match news {
        News::Done(status) if !options.json && printed.is_ok() => printed = world.print(&status.to_string()),
        News::Done(_) => {}
        News::Waiting(open, seconds) => {
            world.say(&format!("waiting for {}, {seconds} s so far", open.join(", ")));
        }
    });
    let (found, silent) = fleet::wait(options, &expected, world, written_at, |status, world| {
        if !options.json && printed.is_ok() {
            printed = world.print(&status.to_string());
        }
    });
    report.envoys.extend(found);
    for warning in silent {
        world.say(&format!("warning: {warning}"));
        report.warnings.push(warning);
    }
    // A clock that was not known may be known now. One that still is not has been named.
    let is_new = |warning: &String| !warned.contains(warning) && !warning.contains(" is not known, because ");
    let mut news: Vec<String> = clock_warnings(&envoys).into_iter().filter(is_new).collect();
    if let Some(at) = step_at {
        let times = envoys.times_at(written_at_ms);
        news.extend(
            report.envoys.iter().zip(times).filter_map(|(envoy, time)| late_warning(envoy, time, at)),
        );
    }
    for warning in &news {
        world.say(&format!("warning: {warning}"));
    }
    report.warnings.extend(news);
    require_all_running(&report)?;
    if options.json {
        printed = world.print_json(&report);
    }
    match printed.map_err(Error::from) {
        Err(error) if !error.is_closed_output() => world.say(&format!("warning: {error}")),
        _ => {}
    }
    if let [_, _, ..] = report.envoys.as_slice() {
        let slowest = report.envoys.iter().filter_map(|envoy| envoy.after_ms).fold(0.0, f64::max);
        let count = report.envoys.len();
        world.say(&format!("all {count} Envoys run it; the slowest took {slowest:.0} ms"));
    }
    Ok(())
}

fn step_report(step: &Step) -> StepReport {
    let percent = |parts: &u32| Value::from(f64::from(*parts) / 10_000.0);
    let shares = step.shares.iter().map(|(name, parts)| (name.clone(), percent(parts)));
    StepReport { at: rfc3339(step.at), percent: shares.collect() }
}

/// A warning if an Envoy ran a step later than the step took effect by its clock: a conversation that began there in between began
/// under the old shares.
fn late_warning(envoy: &EnvoyStatus, written_at_ms: UnixMs, step_at: UnixMs) -> Option<String> {
    let ran_at = written_at_ms + envoy.after_ms?.ceil() as UnixMs;
    let late = ran_at.checked_sub(step_at).filter(|late| *late > 0)?;
    Some(format!(
        "{} ran the step {} after it took effect; a conversation that began there in between may change its version once. \
         Leave more time with --at, or in --plan",
        envoy.admin,
        format_duration(late)
    ))
}

fn require_all_running(report: &ChangeReport<'_>) -> Result<(), Error> {
    let behind: Vec<&EnvoyStatus> =
        report.envoys.iter().filter(|envoy| envoy.state != UpdateState::Runs).collect();
    if behind.is_empty() {
        return Ok(());
    }
    let all = report.envoys.len();
    let consequence = if report.written {
        format!("the change is written to {}, and stays", report.place)
    } else {
        format!("{} is written as was asked, and nothing had to be changed", report.place)
    };
    let problem = |envoy: &&EnvoyStatus| {
        let state = if envoy.state == UpdateState::Refused { "refused it" } else { "does not run it" };
        let why = envoy.why.as_deref().unwrap_or_default();
        Problem::new(&envoy.admin, "", &format!("{state}: {why}"))
    };
    let report = serde_json::to_value(report).map_err(io::Error::from)?;
    Err(Error::NotRunning {
        message: format!("{} of {all} Envoys run it; {consequence}", all - behind.len()),
        problems: behind.iter().map(problem).collect(),
        report: report.as_object().cloned().unwrap_or_default(),
    })
}
