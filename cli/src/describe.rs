//! Parts of a configuration in words.

use llm_canary::config::{Config, Rollout, Source};

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
