//! Checks a whole configuration, and each of its rollouts.
//!
//! A check that finds an error notes it and returns `None`; the caller goes on with the next check.

use super::errors::Errors;
use super::json::Node;
use super::messages::quoted;
use super::validator::Validator;
use super::{
    BodyWait, Config, HostKind, Keyless, Match, NAME_CHARS_MAX, Observe, Pin, ROLLOUTS_MAX, Rollout,
    SHARDED_VERSIONS_MAX, Usage, Version, cookie, feedback, hash, headers, names, pin, requests, sources,
    steps, versions,
};
use crate::bucket::scheme::Scheme;
use crate::headers::HeaderName;
use alloc::borrow::ToOwned;
use alloc::vec::Vec;

const CLUSTER_HEADER: &str = "x-llm-cluster";
const VERSION_HEADER: &str = "x-llm-version";

pub(super) fn config(tree: &Node, host: HostKind) -> Result<Config, Errors> {
    let mut validator = Validator::new(tree, host);
    let config = read_config(&mut validator, tree);
    match config {
        Some(config) if validator.has_no_error_since(0) => Ok(config),
        _ => Err(validator.errors),
    }
}

fn read_config(v: &mut Validator<'_>, root: &Node) -> Option<Config> {
    let known = ["cluster_header", "version_header", "version_on_response", "body_wait", "rollouts"];
    let object = v.object(root, &known)?;
    let cluster_header = output_header(v, object, "cluster_header", CLUSTER_HEADER);
    let version_header = output_header(v, object, "version_header", VERSION_HEADER);
    if cluster_header.is_some() && cluster_header == version_header {
        let message = format_args!("is the same as cluster_header; give each its own name");
        v.error_below(object, "version_header", message);
    }
    let version_on_response = object.get("version_on_response").map_or(Some(true), |node| v.bool(node));
    let body_wait = object.get("body_wait").map_or(Some(BodyWait::default()), |node| {
        v.choice(node, [("auto", BodyWait::Auto), ("always", BodyWait::Always), ("never", BodyWait::Never)])
    });
    v.own_headers = [&cluster_header, &version_header].into_iter().flatten().cloned().collect();
    let rollouts = v
        .required(object, "rollouts", "write a list of rollouts, or [] to route nothing")
        .and_then(|node| Some((node, v.list(node, ROLLOUTS_MAX)?)))
        .map(|(node, items)| rollouts(v, node, items));
    Some(Config {
        cluster_header: cluster_header?,
        version_header: version_header?,
        version_on_response: version_on_response?,
        body_wait: body_wait?,
        rollouts: rollouts?,
        pointers: v.take_pointers(),
    })
}

fn output_header(v: &mut Validator<'_>, object: &Node, name: &str, default: &str) -> Option<HeaderName> {
    let Some(node) = object.get(name) else { return HeaderName::for_output(default).ok() };
    let text = v.string(node)?;
    headers::output_header_name(v, node, text)
}

fn rollouts(v: &mut Validator<'_>, list: &Node, items: &[Node]) -> Vec<Rollout> {
    let mut names: Vec<&str> = Vec::new();
    let mut rollouts: Vec<Rollout> = Vec::new();
    for node in items {
        names::unique_name(v, node, &mut names, "rollout");
        let read = rollout(v, node);
        if let Some(earlier) = read.as_ref().and_then(|read| feedback::shadowing(&rollouts, read))
            && let Some(path) = node.get("feedback").and_then(|feedback| feedback.get("path"))
        {
            let earlier = quoted(earlier);
            let remedy = "which would receive all feedback; give each its own path";
            let message = format_args!(
                "is also the path of rollout {earlier}, with the same hosts and headers, {remedy}"
            );
            v.error(path, message);
        }
        cookie::same_name(v, node, &rollouts, read.as_ref());
        rollouts.extend(read);
    }
    same_tokens(v, items, &rollouts);
    too_many_shards(v, list, &rollouts);
    rollouts
}

/// Each version of a rollout that counts by shard has hundreds of series.
fn too_many_shards(v: &mut Validator<'_>, list: &Node, rollouts: &[Rollout]) {
    let versions = |rollout: &Rollout| if rollout.shards { rollout.versions.len() } else { 0 };
    let pairs: usize = rollouts.iter().map(versions).sum();
    if pairs > SHARDED_VERSIONS_MAX {
        v.error(
            list,
            format_args!(
                "have {pairs} pairs of rollout and version that count by shard, and {SHARDED_VERSIONS_MAX} is the limit; \
                 write \"shards\": false in those rollouts that no verdict is asked of"
            ),
        );
    }
}

/// Tokens are hashes, so two versions could have the same one. Then a pin would name both.
fn same_tokens(v: &mut Validator<'_>, items: &[Node], rollouts: &[Rollout]) {
    // Rollouts and items correspond only if no rollout has an error.
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
                    "has by chance the same pin as {same} of rollout {other}; give it another name"
                );
                v.error(node, message);
            }
            known.push((rollout, version));
        }
    }
}

fn rollout(v: &mut Validator<'_>, node: &Node) -> Option<Rollout> {
    let known = [
        "name",
        "match",
        "salt",
        "hash",
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
        "defects",
        "shards",
        "log_observations",
        "observe",
        "random",
    ];
    let errors = v.errors.count();
    let object = v.object(node, &known)?;
    let name = v
        .required(object, "name", "write a short name such as \"chat\"; it is a label of every metric")
        .and_then(|node| rollout_name(v, node));
    let matcher = object.get("match").and_then(|node| requests::matcher(v, node));
    let scheme = hash::scheme(v, object, name);
    let keys = match object.get("key") {
        Some(node) => sources::keys(v, node),
        None => Some(sources::default_keys(v)),
    };
    let keyless = match object.get("keyless") {
        Some(node) => v.choice(node, [("baseline", Keyless::Baseline), ("random", Keyless::Random)]),
        None => Some(Keyless::Baseline),
    };
    let started_at = object.get("started_at").and_then(|node| sources::started_at(v, node));
    let versions = v
        .required(object, "versions", "write a list such as [{\"name\": \"v1\", \"cluster\": \"llm-v1\"}]")
        .and_then(|node| versions::versions(v, node, name));
    // Fields that name a version are checked against all names as written, so that an invalid name is one error only.
    let names = names::version_names(object);
    let baseline = v
        .required(object, "baseline", "write the name of the version that gets the rest")
        .and_then(|node| names::version_index(v, node, &names));
    if let Some((baseline, versions)) = baseline.zip(versions.as_ref())
        && let Some(version) = versions.get(baseline).filter(|version| version.stopped)
    {
        let name = quoted(&version.name);
        let message = format_args!("{name} is stopped, but the baseline must serve; name another version");
        v.error_below(object, "baseline", message);
    }
    let finest_share = scheme.as_ref().map_or(1, Scheme::finest_share);
    let steps = steps::steps(v, object, &names, baseline, finest_share);
    let overrides = object.get("overrides").and_then(|node| requests::overrides(v, node, &names));
    let pin = object.get("pin").and_then(|node| pin::pin(v, node));
    let feedback = object.get("feedback").and_then(|node| feedback::feedback(v, node));
    let usage = match object.get("usage") {
        Some(node) => v.choice(node, [("as_is", Usage::AsIs), ("request", Usage::Request)]),
        None => Some(Usage::AsIs),
    };
    let refusal_phrases = object.get("refusal_phrases").map_or(Some(false), |node| v.bool(node));
    let defects = object.get("defects").map_or(Some(true), |node| v.bool(node));
    let shards = object.get("shards").map_or(Some(true), |node| v.bool(node));
    let log_observations = object.get("log_observations").map_or(Some(false), |node| v.bool(node));
    let observe = observe(v, object, matcher.as_ref(), versions.as_deref());
    // There is no error, so a field that is `None` was not given.
    if !v.has_no_error_since(errors) {
        return None;
    }
    Some(Rollout {
        name: name?.to_owned(),
        matcher: matcher.unwrap_or_default(),
        scheme: scheme?,
        keys: keys.unwrap_or_default(),
        keyless: keyless?,
        started_at,
        baseline: baseline?,
        versions: versions.unwrap_or_default(),
        steps: steps?,
        overrides: overrides.unwrap_or_default(),
        pin: pin.unwrap_or_default(),
        feedback,
        usage: usage?,
        refusal_phrases: refusal_phrases?,
        defects: defects?,
        shards: shards?,
        log_observations: log_observations?,
        observe,
    })
}

fn observe(
    v: &mut Validator<'_>,
    object: &Node,
    matcher: Option<&Match>,
    versions: Option<&[Version]>,
) -> Option<Observe> {
    let observes = object.get("observe").map_or(Some(false), |node| v.bool(node));
    let is_random = object.get("random").map_or(Some(false), |node| v.bool(node));
    if observes != Some(true) {
        if is_random == Some(true) && observes == Some(false) {
            let message =
                "is about the versions that observe watches; set observe to true, or leave this out";
            v.error_below(object, "random", format_args!("{message}"));
        }
        return None;
    }
    if matcher.is_some_and(|matcher| !matcher.models.is_empty())
        && let Some(node) = object.get("match")
    {
        let message = "are in bodies, and an observed request does not wait for its body; match by host, path or headers";
        v.error_below(node, "models", format_args!("{message}"));
    }
    let nodes = object.get("versions").map(Node::items).unwrap_or_default();
    let mut clusters: Vec<&Version> = Vec::new();
    for (node, version) in nodes.iter().zip(versions.unwrap_or_default()) {
        if let Some(earlier) = clusters.iter().find(|earlier| earlier.cluster == version.cluster) {
            let earlier = quoted(&earlier.name);
            let message = format_args!(
                "is also the cluster of {earlier}, so observe cannot tell them apart; give each its own"
            );
            v.error_below(node, "cluster", message);
        }
        clusters.push(version);
    }
    Some(Observe { is_random: is_random? })
}

fn rollout_name<'a>(v: &mut Validator<'_>, node: &'a Node) -> Option<&'a str> {
    let name = v.string(node)?;
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.bytes().all(allowed) {
        let name = quoted(name);
        let remedy = "of a-z, 0-9, '_' and '-'";
        v.error(node, format_args!("{name} is not a rollout name; use 1 to {NAME_CHARS_MAX} {remedy}"));
        return None;
    }
    Some(name)
}
