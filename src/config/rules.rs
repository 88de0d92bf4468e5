//! What a configuration may say as a whole and of a rollout; each function notes every error it finds.

use super::errors::Errors;
use super::json::Node;
use super::reader::{Empty, Field, Object, Reader, member, quoted};
use super::{
    Config, Keyless, Match, NAME_CHARS_MAX, Pin, ROLLOUTS_MAX, Rollout, Usage, feedback, pin, requests,
    sources, steps, versions,
};
use crate::headers::HeaderName;
use std::collections::BTreeMap;

const CLUSTER_HEADER: &str = "x-llm-cluster";
const VERSION_HEADER: &str = "x-llm-version";

pub(super) fn config(tree: &Node) -> Result<Config, Errors> {
    let mut reader = Reader::default();
    let root = Field { path: String::new(), node: tree };
    let config = read_config(&mut reader, &root);
    match config {
        Some(config) if reader.errors.is_empty() => Ok(config),
        _ => Err(reader.errors),
    }
}

fn read_config(r: &mut Reader, root: &Field<'_>) -> Option<Config> {
    let known = ["cluster_header", "version_header", "version_on_response", "rollouts"];
    let object = r.object(root, &known)?;
    let cluster_header = output_header(r, &object, "cluster_header", CLUSTER_HEADER);
    let version_header = output_header(r, &object, "version_header", VERSION_HEADER);
    if cluster_header.is_some() && cluster_header == version_header {
        let path = member(&object.path, "version_header");
        r.error(&path, "is the same as cluster_header; give each a name of its own");
    }
    let version_on_response = match object.get("version_on_response") {
        Some(field) => r.bool(&field),
        None => Some(true),
    };
    let removed: Vec<HeaderName> =
        [&cluster_header, &version_header].into_iter().flatten().cloned().collect();
    let rollouts = r
        .required(&object, "rollouts", "write a list of rollouts, or [] to route nothing")
        .and_then(|field| r.list(&field, ROLLOUTS_MAX))
        .map(|fields| rollouts(r, &fields, &removed));
    Some(Config {
        cluster_header: cluster_header?,
        version_header: version_header?,
        version_on_response: version_on_response?,
        rollouts: rollouts?,
        pointers: r.take_pointers(),
    })
}

fn output_header(r: &mut Reader, object: &Object<'_>, name: &str, default: &str) -> Option<HeaderName> {
    let Some(field) = object.get(name) else { return HeaderName::for_output(default).ok() };
    let text = r.string(&field)?;
    HeaderName::for_output(text).map_err(|e| r.error(&field.path, format!("{} {e}", quoted(text)))).ok()
}

fn rollouts(r: &mut Reader, fields: &[Field<'_>], removed: &[HeaderName]) -> Vec<Rollout> {
    let mut names: Vec<&str> = Vec::new();
    let mut rollouts: Vec<Rollout> = Vec::new();
    for field in fields {
        let name = field.node.get("name").and_then(Node::as_str);
        if let Some(name) = name {
            if names.contains(&name) {
                let path = member(&field.path, "name");
                r.error(&path, format!("{} names an earlier rollout too; give each its own", quoted(name)));
            }
            names.push(name);
        }
        let read = rollout(r, field, removed);
        if let Some(earlier) = read.as_ref().and_then(|read| feedback::shadowing(&rollouts, read)) {
            let path = member(&member(&field.path, "feedback"), "path");
            let message = format!(
                "is that of rollout {} too, for the same hosts and headers, which would count all of it; \
                 give each a path of its own",
                quoted(earlier)
            );
            r.error(&path, message);
        }
        rollouts.extend(read);
    }
    same_tokens(r, fields, &rollouts);
    rollouts
}

/// Tokens are hashes, so two versions may have the same; then a pin would name both.
fn same_tokens(r: &mut Reader, fields: &[Field<'_>], rollouts: &[Rollout]) {
    // Their places are known only where all have been read.
    if fields.len() != rollouts.len() {
        return;
    }
    let mut known = BTreeMap::new();
    for (field, rollout) in fields.iter().zip(rollouts).filter(|(_, rollout)| rollout.pin != Pin::default()) {
        for (i, version) in rollout.versions.iter().enumerate() {
            if let Some((other, name)) = known.insert(version.token, (&rollout.name, &version.name)) {
                let message = format!(
                    "happens to have the same pin as {} of rollout {}; give it another name",
                    quoted(name),
                    quoted(other)
                );
                r.error(&format!("{}.versions[{i}].name", field.path), message);
            }
        }
    }
}

fn rollout(r: &mut Reader, field: &Field<'_>, removed: &[HeaderName]) -> Option<Rollout> {
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
    let object = r.object(field, &known)?;
    let name = r
        .required(&object, "name", "write a short name such as \"chat\"; it is a label of every metric")
        .and_then(|field| rollout_name(r, &field));
    let matcher = match object.get("match") {
        Some(field) => requests::matcher(r, &field, removed),
        None => Some(Match::default()),
    };
    let salt = match object.get("salt") {
        Some(field) => r.text(&field, Empty::Allowed).map(|salt| salt.as_bytes().to_vec()),
        None => name.as_ref().map(|name| name.as_bytes().to_vec()),
    };
    let keys = match object.get("key") {
        Some(field) => sources::keys(r, &field, removed),
        None => Some(sources::default_keys(r)),
    };
    let keyless = match object.get("keyless") {
        Some(field) => keyless(r, &field),
        None => Some(Keyless::Baseline),
    };
    let started_at = match object.get("started_at") {
        Some(field) => sources::started_at(r, &field, removed).map(Some),
        None => Some(None),
    };
    let versions = r
        .required(&object, "versions", "write a list such as [{\"name\": \"v1\", \"cluster\": \"llm-v1\"}]")
        .and_then(|field| versions::versions(r, &field, name.as_deref(), removed));
    // What names a version is checked against the names that were written, right or wrong: one error each.
    let names = versions::version_names(&object);
    let baseline = r
        .required(&object, "baseline", "write the name of the version that gets what no other is given")
        .and_then(|field| versions::version_index(r, &field, &names));
    if let Some((baseline, versions)) = baseline.zip(versions.as_ref())
        && versions.get(baseline).is_some_and(|version| version.stopped)
    {
        let path = member(&object.path, "baseline");
        let name = names.get(baseline).copied().unwrap_or_default();
        r.error(&path, format!("{} is stopped; conversations must have somewhere to go", quoted(name)));
    }
    let steps = steps::steps(r, &object, &names, baseline);
    let overrides = match object.get("overrides") {
        Some(field) => requests::overrides(r, &field, &names, removed),
        None => Some(Vec::new()),
    };
    let pin = match object.get("pin") {
        Some(field) => pin::pin(r, &field, removed),
        None => Some(Pin::default()),
    };
    let feedback = match object.get("feedback") {
        Some(field) => feedback::feedback(r, &field).map(Some),
        None => Some(None),
    };
    let usage = match object.get("usage") {
        Some(field) => usage(r, &field),
        None => Some(Usage::AsIs),
    };
    let refusal_phrases = match object.get("refusal_phrases") {
        Some(field) => r.bool(&field),
        None => Some(false),
    };
    Some(Rollout {
        name: name?,
        matcher: matcher?,
        salt: salt?,
        keys: keys?,
        keyless: keyless?,
        started_at: started_at?,
        baseline: baseline?,
        versions: versions?,
        steps: steps?,
        overrides: overrides?,
        pin: pin?,
        feedback: feedback?,
        usage: usage?,
        refusal_phrases: refusal_phrases?,
    })
}

fn rollout_name(r: &mut Reader, field: &Field<'_>) -> Option<String> {
    let name = r.string(field)?;
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || !name.chars().all(allowed) {
        let message = format!(
            "{} is not a rollout name; use 1 to {NAME_CHARS_MAX} of a-z, 0-9, '_' and '-'",
            quoted(name)
        );
        r.error(&field.path, message);
        return None;
    }
    Some(name.to_owned())
}

fn usage(r: &mut Reader, field: &Field<'_>) -> Option<Usage> {
    match r.string(field)? {
        "as_is" => Some(Usage::AsIs),
        "request" => Some(Usage::Request),
        other => {
            r.error(&field.path, format!("is {}; write \"as_is\" or \"request\"", quoted(other)));
            None
        }
    }
}

fn keyless(r: &mut Reader, field: &Field<'_>) -> Option<Keyless> {
    match r.string(field)? {
        "baseline" => Some(Keyless::Baseline),
        "random" => Some(Keyless::Random),
        other => {
            r.error(&field.path, format!("is {}; write \"baseline\" or \"random\"", quoted(other)));
            None
        }
    }
}
