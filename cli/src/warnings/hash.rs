//! Where a rollout with a flag tool's mapping sends keys to other versions than the tool does.

use llm_canary::bucket::scheme::Scheme;
use llm_canary::config::{Rollout, Source};
use llm_canary::split::Split;

/// Doubtful fields of a rollout, each with what is wrong with it.
pub(super) fn find(rollout: &Rollout) -> Vec<(String, String)> {
    if matches!(rollout.scheme, Scheme::Own { .. }) {
        return Vec::new();
    }
    let is_of_messages = |source: &Source| matches!(source, Source::FirstMessage);
    let own_keys = rollout.keys.iter().enumerate().filter(|(_, key)| is_of_messages(&key.source));
    let mut found: Vec<_> = own_keys
        .map(|(k, _)| {
            let message = "is a key that no flag tool has, so \"hash\" agrees with nothing there; use an id that the tool knows";
            (format!(".key[{k}]"), message.to_owned())
        })
        .collect();
    let other = (1..=rollout.steps.count()).find(|taken| !is_as_listed(rollout, rollout.steps.split(*taken)));
    if let Some(step) = other.and_then(|taken| taken.checked_sub(1)) {
        let why = "a flag tool lays its variants onto the line anew, one after another; here versions keep what they had";
        let remedy =
            "so some keys have another version there; release one version at a time if they must agree";
        found.push((format!(".steps[{step}]"), format!("differs from \"hash\": {why}, {remedy}")));
    }
    found
}

/// Whether the versions lie on the line in their order, each in one piece, and then the baseline.
fn is_as_listed(rollout: &Rollout, split: &Split) -> bool {
    let place = |version: usize| if version == rollout.baseline { usize::MAX } else { version };
    let places: Vec<usize> = split.ranges().iter().map(|range| place(range.version)).collect();
    places.is_sorted_by(|earlier, later| earlier < later)
}
