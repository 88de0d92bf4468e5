//! Parts of a configuration in words.

use llm_canary::bucket::scheme::{FlagdSeed, Fractional, Scheme, UnleashDraw};
use llm_canary::config::{Config, Rollout, Source};
use serde::Serialize;

/// Where a key is looked for, such as `header x-conversation-id`.
pub(crate) fn key_source(config: &Config, source: &Source) -> String {
    match source {
        Source::Header(name) => format!("header {name}"),
        Source::Cookie(name) => format!("cookie {name}"),
        Source::Query(name) => format!("query parameter {name}"),
        Source::Metadata(path) => format!("metadata {}", path.join("/")),
        Source::Body(pointer) => {
            let parts = config.pointers.get(*pointer).map(Vec::as_slice).unwrap_or_default();
            let escaped = |part: &String| format!("/{}", part.replace('~', "~0").replace('/', "~1"));
            format!("body {}", parts.iter().map(escaped).collect::<String>())
        }
        Source::FirstMessage => "the conversation's opening".to_owned(),
    }
}

/// Every place where a rollout looks for a key.
pub(crate) fn key_sources(config: &Config, rollout: &Rollout) -> String {
    let sources: Vec<String> = rollout.keys.iter().map(|key| key_source(config, &key.source)).collect();
    sources.join(", ")
}

/// A tool's mapping from keys to buckets, as a configuration writes it.
#[derive(Serialize)]
pub(crate) struct HashReport {
    scheme: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weights: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flag_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fractional: Option<&'static str>,
}

impl HashReport {
    /// `None`: it is this project's own.
    pub(crate) fn new(scheme: &Scheme) -> Option<Self> {
        let text = |bytes: &[u8]| Some(String::from_utf8_lossy(bytes).into_owned());
        let empty =
            Self { scheme: "", group_id: None, weights: None, flag_key: None, seed: None, fractional: None };
        Some(match scheme {
            Scheme::Own { .. } => return None,
            Scheme::Unleash { group_id, draw } => {
                let weights = match draw {
                    UnleashDraw::Rollout => None,
                    UnleashDraw::Variants(weights) => Some(weights.get()),
                };
                Self { scheme: "unleash", group_id: text(group_id), weights, ..empty }
            }
            Scheme::Flagd { seed, fractional } => {
                let (flag_key, seed) = match seed {
                    FlagdSeed::FlagKey(flag_key) => (text(flag_key), None),
                    FlagdSeed::Text(seed) => (None, text(seed)),
                };
                Self { scheme: "flagd", flag_key, seed, fractional: Some(version(*fractional)), ..empty }
            }
        })
    }
}

/// How a key got its bucket.
pub(crate) fn bucket_origin(scheme: &Scheme, bucket: u32) -> String {
    match scheme {
        Scheme::Own { salt } => format!("murmur3 of \"{}:\" and the key", salt.escape_ascii()),
        Scheme::Unleash { group_id, draw } => {
            let value = bucket / scheme.finest_share() + 1;
            let what = match draw {
                UnleashDraw::Rollout => "a gradual rollout",
                UnleashDraw::Variants(_) => "variants",
            };
            let (values, group_id) = (draw.values(), String::from_utf8_lossy(group_id));
            format!(
                "for {what} of Unleash {value} in 1 to {values}, by the group id {group_id:?} and the key"
            )
        }
        Scheme::Flagd { seed, fractional } => {
            let (what, text) = match seed {
                FlagdSeed::FlagKey(flag_key) => ("flag key", flag_key),
                FlagdSeed::Text(seed) => ("seed", seed),
            };
            let (version, text) = (version(*fractional), String::from_utf8_lossy(text));
            format!("as flagd's fractional {version} has it, by the {what} {text:?} and the key")
        }
    }
}

fn version(fractional: Fractional) -> &'static str {
    match fractional {
        Fractional::V1 => "v1",
        Fractional::V2 => "v2",
        Fractional::V3 => "v3",
    }
}
