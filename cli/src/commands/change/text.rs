//! The text of a change: how it reads afterwards.

use super::Change;
use crate::edit::schedule::Schedule;
use crate::edit::{self, Spacing};
use crate::error::{Error, Problem};
use crate::plugin::{self, PluginConfig};
use crate::warnings;
use llm_canary::config::Error as ConfigError;
use llm_canary::config::json::Node;

/// A change that can be written.
pub(super) struct Changed {
    pub(super) schedule: Schedule,
    pub(super) text: String,
    /// The text that holds the configuration, where that stands in base64.
    pub(super) decoded: Option<String>,
    /// The configuration in it.
    pub(super) tree: Node,
    /// What `check` would warn of, and did not before.
    pub(super) warnings: Vec<String>,
}

/// The first of a change's schedules that can be written.
pub(super) fn first_possible(
    name: &str,
    text: &str,
    plugin: &PluginConfig,
    rollout: usize,
    old: &Schedule,
    change: &Change,
) -> Result<Changed, Error> {
    let attempt = |schedule: &Schedule, spacing| {
        let text = if schedule == old {
            text.to_owned()
        } else {
            edit::edit(text, plugin, rollout, old, schedule, spacing)
                .map_err(|message| Error::problem(&plugin.place, message))?
        };
        let Validated { decoded, tree, warnings } = validate(name, plugin, &text)?;
        Ok(Changed { schedule: schedule.clone(), text, decoded, tree, warnings })
    };
    let mut result = Err(Error::refused("there is nothing to write"));
    for schedule in &change.schedules {
        result = attempt(schedule, Spacing::Kept);
        if result.is_ok() {
            return result;
        }
    }
    let Some(last_resort) = &change.last_resort else { return result };
    let compact = |schedule| attempt(schedule, Spacing::Compact);
    let last = change.schedules.last().map(compact).and_then(Result::ok);
    last.map_or_else(|| attempt(last_resort, Spacing::Kept).or_else(|_| compact(last_resort)).or(result), Ok)
}

/// A changed configuration that the filter will take.
struct Validated {
    decoded: Option<String>,
    tree: Node,
    /// The warnings that it did not give before.
    warnings: Vec<String>,
}

/// Reads the changed configuration as the filter will read it.
fn validate(name: &str, plugin: &PluginConfig, new_text: &str) -> Result<Validated, Error> {
    let plugins = plugin::parse(name, new_text.as_bytes())?;
    let is_same = |other: &&PluginConfig| other.path == plugin.path;
    let changed = plugins.iter().find(is_same);
    let changed = changed
        .ok_or_else(|| Error::problem(name, "the change would make it unreadable; nothing was changed"))?;
    let (config, tree) =
        changed.config().map_err(|errors| Error::WouldBeRefused(plugin.problems(&errors)))?;
    let gets_bodies = plugin.gets_bodies();
    let old =
        plugin.config().map(|(config, tree)| warnings::find(&config, tree, gets_bodies)).unwrap_or_default();
    let new = new_warnings(warnings::find(&config, tree, gets_bodies), &old).into_iter();
    let text =
        |warning: ConfigError| Problem::new(&plugin.place, &warning.path, &warning.message).to_string();
    Ok(Validated { decoded: changed.decoded.clone(), tree: tree.clone(), warnings: new.map(text).collect() })
}

/// The warnings that were not there before. A step that comes or goes changes the index of those behind it. So a warning is old
/// if there was one with the same words, and with the same path but for its indices.
fn new_warnings(now: Vec<ConfigError>, old: &[ConfigError]) -> Vec<ConfigError> {
    let without_indices = |path: &str| path.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    let mut left: Vec<&ConfigError> = old.iter().filter(|old| !now.contains(old)).collect();
    let mut new = now.clone();
    new.retain(|warning| {
        let is_shifted = |old: &&ConfigError| {
            old.message == warning.message && without_indices(&old.path) == without_indices(&warning.path)
        };
        match left.iter().position(is_shifted) {
            _ if old.contains(warning) => false,
            Some(at) => {
                left.swap_remove(at);
                false
            }
            None => true,
        }
    });
    new
}

/// The change as a unified diff.
pub(super) fn diff(name: &str, old: &str, new: &str) -> String {
    let diff = similar::TextDiff::from_lines(old, new);
    diff.unified_diff().context_radius(3).header(name, &format!("{name} (changed)")).to_string()
}
