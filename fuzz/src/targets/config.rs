//! Any bytes as a configuration: it is refused with errors that can be read, or it is whole.

use std::borrow::Cow;
use std::collections::HashSet;

use llm_canary::bucket::PARTS;
use llm_canary::config::json::{self, Node};
use llm_canary::config::{
    Config, ERRORS_MAX, KEYS_MAX, OVERRIDES_MAX, ROLLOUTS_MAX, Rollout, SHARDED_VERSIONS_MAX, STEPS_MAX,
    Source, VERSIONS_MAX,
};
use llm_canary::metrics::{self, SeriesLayout};
use llm_canary::pointer::Fact;
use llm_canary::route;

/// The configuration is all there is.
pub(crate) fn config(bytes: &[u8]) {
    let tree = json::parse(bytes);
    if let Ok(tree) = &tree {
        hashes_alike(bytes, tree);
    }
    match Config::parse(bytes) {
        Ok(config) => is_whole(&config),
        Err(errors) => {
            assert!((1..=ERRORS_MAX).contains(&errors.iter().count()));
            for error in errors.iter() {
                let line = error.to_string();
                assert!(!line.is_empty() && !line.contains('\n'), "{line:?}");
            }
        }
    }
}

/// However it is written, and in whatever order, it is the same configuration and has the same hash.
fn hashes_alike(text: &[u8], tree: &Node) {
    let written = written_otherwise(text);
    let again = json::parse(&written).unwrap();
    assert_eq!((&again, again.hash()), (tree, tree.hash()), "{}", written.escape_ascii());
    if !has_doubles(tree) {
        assert_eq!(reversed(tree).hash(), tree.hash());
    }
}

fn has_doubles(tree: &Node) -> bool {
    let mut names = HashSet::new();
    tree.members().iter().any(|(name, value)| !names.insert(name) || has_doubles(value))
        || tree.items().iter().any(has_doubles)
}

fn reversed(tree: &Node) -> Node {
    match tree {
        Node::List(items) => Node::List(items.iter().map(reversed).collect()),
        Node::Object(members) => {
            Node::Object(members.iter().rev().map(|(name, value)| (name.clone(), reversed(value))).collect())
        }
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::String(_) => tree.clone(),
    }
}

/// JSON with other white space, and with escapes where none are needed.
fn written_otherwise(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut rest, mut is_in_string) = (text, false);
    while let Some((&byte, after)) = rest.split_first() {
        let mut length = 1;
        match byte {
            b'"' => {
                is_in_string = !is_in_string;
                out.push(byte);
            }
            b'\\' => {
                length = if after.first() == Some(&b'u') { 6 } else { 2 };
                out.extend_from_slice(&rest[..length]);
            }
            _ if is_in_string && byte.is_ascii() => out.extend(format!("\\u{byte:04X}").bytes()),
            b'{' | b'}' | b'[' | b']' | b',' | b':' if !is_in_string => {
                out.extend([b'\n', byte, b'\t', b'\r'])
            }
            _ if byte.is_ascii_whitespace() && !is_in_string => {}
            _ => out.push(byte),
        }
        rest = &rest[length..];
    }
    out
}

fn is_whole(config: &Config) {
    assert!(config.rollouts.len() <= ROLLOUTS_MAX);
    config.rollouts.iter().for_each(|rollout| is_whole_rollout(config, rollout));
    let sharded = config.rollouts.iter().filter(|rollout| rollout.shards);
    assert!(sharded.map(|rollout| rollout.versions.len()).sum::<usize>() <= SHARDED_VERSIONS_MAX);
    let names: HashSet<_> = config.rollouts.iter().map(|rollout| &rollout.name).collect();
    assert_eq!(names.len(), config.rollouts.len());
    let series = count_series(config);
    for now in [0, 1_700_000_000_000, u64::MAX] {
        for request in [Request(b"/v1/chat/completions"), Request(b"")] {
            let decided = route::decide(config, &request, now, || u32::MAX).unwrap();
            if let Some(decision) = decided {
                let rollout = &config.rollouts[decision.rollout];
                let version = &rollout.versions[decision.version];
                assert!(!version.stopped);
                let retried = SeriesLayout::new(config)
                    .block(&decision)
                    .and_then(|block| block.position(&metrics::retried()));
                assert!(retried.is_some_and(|at| at < series));
            }
            let _ = route::feedback(config, &request, now);
        }
    }
}

fn is_whole_rollout(config: &Config, rollout: &Rollout) {
    let versions = rollout.versions.len();
    assert!((1..=VERSIONS_MAX).contains(&versions) && rollout.baseline < versions);
    assert!(!rollout.versions[rollout.baseline].stopped);
    assert!(!rollout.keys.is_empty() && rollout.keys.len() <= KEYS_MAX);
    assert!(rollout.overrides.len() <= OVERRIDES_MAX);
    assert!(rollout.overrides.iter().all(|rule| rule.version < versions && !rule.values.is_empty()));
    let sources = rollout.keys.iter().map(|key| &key.source).chain(&rollout.started_at);
    for source in sources {
        if let Source::Body(pointer) = source {
            assert!(*pointer < config.pointers.len());
        }
    }
    // Tokens tell versions apart, and every bucket has an owner at any moment.
    for (index, version) in rollout.versions.iter().enumerate() {
        assert_eq!(rollout.version_of(version.token), Some(index));
    }
    let steps = &rollout.steps;
    assert!(steps.count() <= STEPS_MAX);
    assert!(steps.steps().is_sorted_by(|a, b| a.at < b.at));
    for taken in 0..=steps.count() {
        let mut end = 0;
        for range in steps.split(taken).ranges() {
            assert!(range.start == end && range.end > range.start && range.version < versions);
            end = range.end;
        }
        assert_eq!(end, PARTS);
    }
}

/// How many series there are. Each is defined once, and nothing in a label's value ends it.
fn count_series(config: &Config) -> usize {
    let mut seen = HashSet::new();
    metrics::for_each_series(config, |series| {
        let labels = series.labels.iter().map(|(name, value)| {
            assert!(!value.contains(|c: char| c.is_control() || c == ';' || c == '='), "{series:?}");
            format!("{name}={value}")
        });
        assert!(seen.insert((series.name.to_owned(), labels.collect::<Vec<_>>())), "{series:?}");
    });
    seen.len()
}

/// One of which nothing is known but its path.
struct Request(&'static [u8]);

impl route::Request for Request {
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        (name == ":path").then_some(Cow::Borrowed(self.0))
    }

    fn metadata(&self, _: &[String]) -> Option<Vec<u8>> {
        None
    }

    fn body(&self, _: usize) -> Fact<'_> {
        Fact::Absent
    }

    fn fingerprint(&self) -> Fact<'_> {
        Fact::Absent
    }
}
