//! What a configuration may say as a whole and of a rollout; each function notes every error it finds.

use super::errors::Errors;
use super::json::Node;
use super::validator::{Empty, Validator};
use super::words::quoted;
use super::{
    Config, Keyless, NAME_CHARS_MAX, Pin, ROLLOUTS_MAX, Rollout, Usage, Version, feedback, headers, names,
    pin, requests, sources, steps, versions,
};
use crate::headers::HeaderName;
use alloc::borrow::ToOwned;
use alloc::vec::Vec;

const CLUSTER_HEADER: &str = "x-llm-cluster";
const VERSION_HEADER: &str = "x-llm-version";

pub(super) fn config(tree: &Node) -> Result<Config, Errors> {
    let mut validator = Validator::new(tree);
    let config = read_config(&mut validator, tree);
    match config {
        Some(config) if validator.is_right_since(0) => Ok(config),
        _ => Err(validator.errors),
    }
}

fn read_config(r: &mut Validator<'_>, root: &Node) -> Option<Config> {
    let known = ["cluster_header", "version_header", "version_on_response", "rollouts"];
    let object = r.object(root, &known)?;
    let cluster_header = output_header(r, object, "cluster_header", CLUSTER_HEADER);
    let version_header = output_header(r, object, "version_header", VERSION_HEADER);
    if cluster_header.is_some() && cluster_header == version_header {
        let message = format_args!("is the same as cluster_header; give each a name of its own");
        r.error_below(object, "version_header", message);
    }
    let version_on_response = object.get("version_on_response").map_or(Some(true), |node| r.bool(node));
    r.removed = [&cluster_header, &version_header].into_iter().flatten().cloned().collect();
    let rollouts = r
        .required(object, "rollouts", "write a list of rollouts, or [] to route nothing")
        .and_then(|node| r.list(node, ROLLOUTS_MAX))
        .map(|items| rollouts(r, items));
    Some(Config {
        cluster_header: cluster_header?,
        version_header: version_header?,
        version_on_response: version_on_response?,
        rollouts: rollouts?,
        pointers: r.take_pointers(),
    })
}

fn output_header(r: &mut Validator<'_>, object: &Node, name: &str, default: &str) -> Option<HeaderName> {
    let Some(node) = object.get(name) else { return HeaderName::for_output(default).ok() };
    let text = r.string(node)?;
    headers::output_header(r, node, text)
}

fn rollouts(r: &mut Validator<'_>, items: &[Node]) -> Vec<Rollout> {
    let mut names: Vec<&str> = Vec::new();
    let mut rollouts: Vec<Rollout> = Vec::new();
    for node in items {
        names::first_of_its_name(r, node, &mut names, "rollout");
        let read = rollout(r, node);
        if let Some(earlier) = read.as_ref().and_then(|read| feedback::shadowing(&rollouts, read))
            && let Some(path) = node.get("feedback").and_then(|feedback| feedback.get("path"))
        {
            let earlier = quoted(earlier);
            let remedy = "which would count all of it; give each a path of its own";
            let message =
                format_args!("is that of rollout {earlier} too, for the same hosts and headers, {remedy}");
            r.error(path, message);
        }
        rollouts.extend(read);
    }
    same_tokens(r, items, &rollouts);
    rollouts
}

/// Tokens are hashes, so two versions may have the same; then a pin would name both.
fn same_tokens(r: &mut Validator<'_>, items: &[Node], rollouts: &[Rollout]) {
    // Their places are known only where all have been read.
    if items.len() != rollouts.len() {
        return;
    }
    let mut known: Vec<(&Rollout, &Version)> = Vec::new();
    for (node, rollout) in items.iter().zip(rollouts).filter(|(_, rollout)| rollout.pin != Pin::default()) {
        let nodes = node.get("versions").map(Node::items).unwrap_or_default();
        for (node, version) in nodes.iter().zip(&rollout.versions) {
            if let Some((other, same)) = known.iter().find(|(_, known)| known.token == version.token)
                && let Some(node) = node.get("name")
            {
                let (other, same) = (quoted(&other.name), quoted(&same.name));
                let message = format_args!(
                    "happens to have the same pin as {same} of rollout {other}; give it another name"
                );
                r.error(node, message);
            }
            known.push((rollout, version));
        }
    }
}

fn rollout(r: &mut Validator<'_>, node: &Node) -> Option<Rollout> {
    let known = [
        "name",
        "match",
        "salt",
        "key",
        "keyless",
        "started_at",
        "baseline",
        "versions",
        "split",
        "steps",
        "overrides",
        "pin",
        "feedback",
        "usage",
        "refusal_phrases",
    ];
    let errors = r.errors.count();
    let object = r.object(node, &known)?;
    let name = r
        .required(object, "name", "write a short name such as \"chat\"; it is a label of every metric")
        .and_then(|node| rollout_name(r, node));
    let matcher = object.get("match").and_then(|node| requests::matcher(r, node));
    let salt = match object.get("salt") {
        Some(node) => r.text(node, Empty::Allowed),
        None => name,
    };
    let keys = match object.get("key") {
        Some(node) => sources::keys(r, node),
        None => Some(sources::default_keys(r)),
    };
    let is_random = object.get("keyless").map_or(Some(false), |node| r.is_second(node, "baseline", "random"));
    let started_at = object.get("started_at").and_then(|node| sources::started_at(r, node));
    let versions = r
        .required(object, "versions", "write a list such as [{\"name\": \"v1\", \"cluster\": \"llm-v1\"}]")
        .and_then(|node| versions::versions(r, node, name));
    // What names a version is checked against the names that were written, right or wrong: one error each.
    let names = names::version_names(object);
    let baseline = r
        .required(object, "baseline", "write the name of the version that gets what no other is given")
        .and_then(|node| names::version_index(r, node, &names));
    if let Some((baseline, versions)) = baseline.zip(versions.as_ref())
        && let Some(version) = versions.get(baseline).filter(|version| version.stopped)
    {
        let name = quoted(&version.name);
        let message = format_args!("{name} is stopped; conversations must have somewhere to go");
        r.error_below(object, "baseline", message);
    }
    let steps = steps::steps(r, object, &names, baseline);
    let overrides = object.get("overrides").and_then(|node| requests::overrides(r, node, &names));
    let pin = object.get("pin").and_then(|node| pin::pin(r, node));
    let feedback = object.get("feedback").and_then(|node| feedback::feedback(r, node));
    let is_asked = object.get("usage").map_or(Some(false), |node| r.is_second(node, "as_is", "request"));
    let refusal_phrases = object.get("refusal_phrases").map_or(Some(false), |node| r.bool(node));
    // From here on what is absent may be so.
    if !r.is_right_since(errors) {
        return None;
    }
    let keyless = if is_random? { Keyless::Random } else { Keyless::Baseline };
    let usage = if is_asked? { Usage::Request } else { Usage::AsIs };
    Some(Rollout {
        name: name?.to_owned(),
        matcher: matcher.unwrap_or_default(),
        salt: salt?.as_bytes().to_vec(),
        keys: keys.unwrap_or_default(),
        keyless,
        started_at,
        baseline: baseline?,
        versions: versions.unwrap_or_default(),
        steps: steps?,
        overrides: overrides.unwrap_or_default(),
        pin: pin.unwrap_or_default(),
        feedback,
        usage,
        refusal_phrases: refusal_phrases?,
    })
}

fn rollout_name<'a>(r: &mut Validator<'_>, node: &'a Node) -> Option<&'a str> {
    let name = r.string(node)?;
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.bytes().all(allowed) {
        let name = quoted(name);
        let remedy = "of a-z, 0-9, '_' and '-'";
        r.error(node, format_args!("{name} is not a rollout name; use 1 to {NAME_CHARS_MAX} {remedy}"));
        return None;
    }
    Some(name)
}
