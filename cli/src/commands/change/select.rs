//! Which rollout of a text is changed.
//!
//! In: the configurations of a text, and what the operator said. Out: one rollout, or an error that names the places and
//! the way to choose. The filter reads each configuration alone, so a broken one does not prevent a change of another.

use crate::error::{Error, Problem};
use crate::plugin::{self, PluginConfig};
use crate::suggest::suggest;
use llm_canary::config::json::Node;

/// The rollout that is changed.
pub(super) struct Selected<'a> {
    pub(super) plugin: &'a PluginConfig,
    /// Its index in the configuration.
    pub(super) index: usize,
    pub(super) rollout: &'a Node,
    /// What was passed over, as sentences.
    pub(super) warnings: Vec<String>,
}

/// A rollout of the text.
struct Candidate<'a> {
    /// The number of its configuration in the text, counted from 1.
    number: usize,
    plugin: &'a PluginConfig,
    index: usize,
    rollout: &'a Node,
    name: &'a str,
    is_broken: bool,
}

/// The only rollout, or the one that `--rollout` names: `chat`, or `a.yaml/chat` where several have this name.
pub(super) fn select_rollout<'a>(
    file: &str,
    plugins: &'a [PluginConfig],
    wanted: Option<&str>,
) -> Result<Selected<'a>, Error> {
    if plugins.is_empty() {
        return Err(plugin::none_found(file));
    }
    let broken: Vec<(&PluginConfig, Vec<Problem>)> = plugins
        .iter()
        .filter_map(|plugin| Some((plugin, plugin.problems(&plugin.config().err()?))))
        .collect();
    let is_broken = |plugin: &PluginConfig| broken.iter().any(|(broken, _)| std::ptr::eq(*broken, plugin));
    let candidates = plugins.iter().enumerate().flat_map(|(at, plugin)| {
        let rollouts = plugin.tree.as_ref().ok().and_then(|tree| tree.get("rollouts")).map(Node::items);
        let is_broken = is_broken(plugin);
        rollouts.unwrap_or_default().iter().enumerate().map(move |(index, rollout)| {
            let name = rollout.get("name").and_then(Node::as_str).unwrap_or_default();
            Candidate { number: at + 1, plugin, index, rollout, name, is_broken }
        })
    });
    let candidates: Vec<Candidate<'_>> = candidates.collect();
    let choices = || -> Vec<String> { candidates.iter().map(|one| choice(one, &candidates)).collect() };
    let all_problems = || broken.iter().flat_map(|(_, problems)| problems.clone());
    // One whose name is not known may be the one that is meant.
    let is_nameless = |plugin: &PluginConfig| !candidates.iter().any(|one| std::ptr::eq(one.plugin, plugin));
    match (matching(&candidates, wanted).as_slice(), wanted) {
        ([one], _) if one.is_broken => {
            let own = broken.iter().filter(|(plugin, _)| std::ptr::eq(*plugin, one.plugin));
            Err(Error::invalid(own.flat_map(|(_, problems)| problems.clone()).collect()))
        }
        ([one], None) if broken.iter().any(|(plugin, _)| is_nameless(plugin)) => {
            let choice = choice(one, &candidates);
            let message = format!(
                "has the rollout {choice}, and beside it a configuration that is broken; say which with --rollout {choice}"
            );
            let first = Problem::new(file, "", &message);
            Err(Error::invalid([first].into_iter().chain(all_problems()).collect()))
        }
        ([one], _) => Ok(Selected {
            plugin: one.plugin,
            index: one.index,
            rollout: one.rollout,
            warnings: broken.iter().map(|(_, problems)| passed_over(problems)).collect(),
        }),
        ([], None) if broken.is_empty() => Err(Error::refused(format!("{file} has no rollouts"))),
        ([], None) => Err(Error::invalid(all_problems().collect())),
        ([], Some(wanted)) => {
            let choices = choices();
            let known: Vec<&str> = choices.iter().map(String::as_str).collect();
            let message = format!("{file} has no rollout {wanted:?}; {}", suggest(wanted, &known));
            if broken.is_empty() {
                return Err(Error::refused(message));
            }
            let first = Problem::new("", "", &message);
            Err(Error::invalid([first].into_iter().chain(all_problems()).collect()))
        }
        (several, None) => {
            let broken = |one: &&Candidate<'_>| if one.is_broken { " (broken)" } else { "" };
            let all = several.iter().map(|one| format!("{}{}", choice(one, &candidates), broken(one)));
            let all = all.collect::<Vec<_>>().join(", ");
            Err(Error::refused(format!("{file} has the rollouts {all}; say which with --rollout")))
        }
        (several, Some(wanted)) => {
            let start = format!("{file}: ");
            let described = |one: &&Candidate<'_>| {
                let place = one.plugin.place.strip_prefix(&start).unwrap_or(&one.plugin.place);
                let broken = if one.is_broken { ", which is broken" } else { "" };
                format!("{} ({place}{broken})", choice(one, &candidates))
            };
            let all: Vec<String> = several.iter().map(described).collect();
            let first = several.first().map(|one| choice(one, &candidates)).unwrap_or_default();
            Err(Error::refused(format!(
                "{file} has several rollouts {wanted:?}: {}; say which with --rollout, such as --rollout {first}",
                all.join(", ")
            )))
        }
    }
}

/// The rollouts that the operator may mean. A rollout's name has no slash.
fn matching<'a, 'b>(candidates: &'b [Candidate<'a>], wanted: Option<&str>) -> Vec<&'b Candidate<'a>> {
    let Some(wanted) = wanted else { return candidates.iter().collect() };
    let Some((place, name)) = wanted.rsplit_once('/') else {
        return candidates.iter().filter(|one| one.name == wanted).collect();
    };
    let named = || candidates.iter().filter(|one| one.name == name);
    let labelled: Vec<_> =
        named().filter(|one| one.plugin.labels().iter().any(|label| label == place)).collect();
    if labelled.is_empty() {
        named().filter(|one| one.number.to_string() == place).collect()
    } else {
        labelled
    }
}

/// What to write behind `--rollout` for one of the rollouts: the shortest that names no other.
fn choice(one: &Candidate<'_>, candidates: &[Candidate<'_>]) -> String {
    let labels = one.plugin.labels().into_iter().chain([one.number.to_string()]);
    let names = [one.name.to_owned()].into_iter().chain(labels.map(|label| format!("{label}/{}", one.name)));
    let is_unique = |name: &String| matching(candidates, Some(name)).len() == 1;
    let mut names = names.filter(is_unique);
    names.next().unwrap_or_else(|| one.name.to_owned())
}

/// A sentence about a configuration that is broken.
fn passed_over(problems: &[Problem]) -> String {
    let first = problems.first().map(Problem::to_string).unwrap_or_default();
    let more = match problems.len().saturating_sub(1) {
        0 => String::new(),
        more => format!(" (and {more} more; run check)"),
    };
    format!("{first}{more}: this configuration is broken, and was passed over")
}
