//! Doubtful parts of a valid configuration.

mod hash;
mod pins;
mod turns;

use crate::describe;
use llm_canary::config::json::Node;
use llm_canary::config::{BodyWait, Config, Error, HostPattern, KeyKind, KeySource, Match, Rollout, Source};
use llm_canary::split::percent;
use llm_canary::timestamp::UnixMs;

/// A key with one of these anywhere in its name looks like a user's.
const USER_WORDS: [&str; 3] = ["user", "account", "email"];
/// A key with one of these as a whole word looks like a user's. They are also parts of other words, such as uuid.
const USER_WHOLE_WORDS: [&str; 2] = ["uid", "sub"];

/// Why a body is not read before a request is routed, and what to do.
const BODY_WAIT_NEVER: &str = "\"body_wait\" is \"never\"; write \"body_wait\": \"auto\", or change this";
const NO_BODIES: &str = "this resource cannot have Envoy hand over bodies (allow_on_headers_stop_iteration); use an EnvoyFilter or the \
     native module, or change this and write \"body_wait\": \"never\"";

/// Every warning about a configuration; `tree` is what it was read from. `gets_bodies` says whether a request may wait for its
/// body where it stands.
pub(crate) fn find(config: &Config, tree: &Node, gets_bodies: bool) -> Vec<Error> {
    let trees = tree.get("rollouts").map(Node::items).unwrap_or_default();
    let mut warnings = Vec::new();
    for (i, rollout) in config.rollouts.iter().enumerate() {
        let mut warn = |path: &str, message: String| {
            let path = format!("rollouts[{i}]{path}");
            warnings.push(Error { path, message });
        };
        let mut earlier = config.rollouts.iter().take(i);
        if let Some(first) = earlier.find(|earlier| covers(&earlier.matcher, &rollout.matcher)) {
            let message = format!(
                "no request can reach \"{}\": \"{}\" comes first and matches every request that it matches; put \"{}\" first",
                rollout.name, first.name, rollout.name
            );
            warn(".match", message);
        }
        for (k, key) in rollout.keys.iter().enumerate().filter(|(_, key)| looks_like_a_user(config, key)) {
            let message = format!(
                "{} looks like a user's key, which lives for years; write \"kind\": \"user\" beside it",
                describe::key_source(config, &key.source)
            );
            warn(&format!(".key[{k}]"), message);
        }
        let has_keys = trees.get(i).is_some_and(|rollout| rollout.get("key").is_some());
        if let Some(Error { path, message }) = turns::find(config, rollout, has_keys) {
            warn(&path, message);
        }
        for (field, message) in pins::find(config.rollouts.get(..i).unwrap_or_default(), rollout) {
            warn(field, message);
        }
        if config.body_wait == BodyWait::Never || !gets_bodies {
            let tree = trees.get(i);
            let has_own_keys = tree.is_some_and(|rollout| rollout.get("key").is_some());
            for (field, effect) in needs_waiting(rollout, has_own_keys) {
                let why = if gets_bodies { BODY_WAIT_NEVER } else { NO_BODIES };
                warn(&field, format!("{effect}, because {why}"));
            }
        }
        for (field, message) in hash::find(rollout) {
            warn(&field, message);
        }
        let has_split = trees
            .get(i)
            .is_some_and(|rollout| ["split", "steps"].iter().any(|name| rollout.get(name).is_some()));
        if !has_split && rollout.versions.len() > 1 {
            let baseline = name(rollout, rollout.baseline);
            warn(".split", format!("is missing, so every conversation goes to the baseline, \"{baseline}\""));
        }
        for taken in 1..=rollout.steps.count() {
            let step = taken - 1;
            // The first step may give everything to the baseline: it records a time.
            if step > 0 && rollout.steps.split(step) == rollout.steps.split(taken) {
                let message = "changes nothing, because every version has these shares already; remove it, or change a percentage";
                warn(&format!(".steps[{step}]"), message.to_owned());
            }
        }
        for (v, version) in rollout.versions.iter().enumerate() {
            let parts = rollout.steps.at(UnixMs::MAX).parts(v);
            if version.stopped && parts > 0 {
                let (baseline, share) = (name(rollout, rollout.baseline), percent(parts));
                let message =
                    format!("\"{}\" is stopped, so its {share} % go to \"{baseline}\"", version.name);
                warn(&format!(".versions[{v}].stopped"), message);
            }
        }
    }
    warnings
}

/// Fields that need requests to wait for their bodies, each with what it does where none waits. The default keys are no
/// mistake: most of them are in headers.
fn needs_waiting(rollout: &Rollout, has_own_keys: bool) -> Vec<(String, &'static str)> {
    let is_in_body = |source: &Source| matches!(source, Source::Body(_) | Source::FirstMessage);
    let keys = rollout.keys.iter().enumerate().filter(|(_, key)| has_own_keys && is_in_body(&key.source));
    let mut fields: Vec<_> = keys.map(|(k, _)| (format!(".key[{k}]"), "is never found")).collect();
    let responds = rollout.feedback.as_ref().is_some_and(|feedback| feedback.respond);
    let others = [
        (rollout.started_at.as_ref().is_some_and(is_in_body), ".started_at", "is never found"),
        (!rollout.matcher.models.is_empty(), ".match.models", "never holds"),
        (rollout.pin.response_id, ".pin.response_id", "holds only requests with an id in their path"),
        (responds, ".feedback.respond", "has no effect: feedback is counted and passed on"),
    ];
    let needed = others.into_iter().filter(|(needs, _, _)| *needs);
    fields.extend(needed.map(|(_, field, effect)| (field.to_owned(), effect)));
    fields
}

fn name(rollout: &Rollout, version: usize) -> &str {
    rollout.versions.get(version).map(|version| version.name.as_str()).unwrap_or_default()
}

fn looks_like_a_user(config: &Config, key: &KeySource) -> bool {
    let source = describe::key_source(config, &key.source).to_ascii_lowercase();
    // The last name of the source: of a header, of a cookie, or where the path to a value ends.
    let name = source.rsplit([' ', '/']).next().unwrap_or_default();
    let mut words = name.split(|c: char| !c.is_ascii_alphanumeric());
    key.kind == KeyKind::Conversation
        && (USER_WORDS.iter().any(|word| name.contains(word))
            || words.any(|word| USER_WHOLE_WORDS.contains(&word)))
}

/// Whether `earlier` matches every request that `later` matches.
fn covers(earlier: &Match, later: &Match) -> bool {
    let host_is_covered = |host: &HostPattern| {
        earlier.hosts.iter().any(|wide| match (wide, host) {
            // `.a.b` covers `x.a.b`, `.x.a.b` and itself, but not `a.b`.
            (HostPattern::Below(parent), HostPattern::Exact(host) | HostPattern::Below(host)) => {
                host.ends_with(parent.as_str())
            }
            (HostPattern::Exact(_), _) => wide == host,
        })
    };
    let hosts =
        earlier.hosts.is_empty() || !later.hosts.is_empty() && later.hosts.iter().all(host_is_covered);
    let path = match (&earlier.path_prefix, &later.path_prefix) {
        (None, _) => true,
        (Some(wide), Some(narrow)) => narrow.starts_with(wide.as_str()),
        (Some(_), None) => false,
    };
    let models = earlier.models.is_empty()
        || !later.models.is_empty() && later.models.iter().all(|model| earlier.models.contains(model));
    hosts && path && models && earlier.headers.iter().all(|header| later.headers.contains(header))
}
