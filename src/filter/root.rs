//! A loaded configuration, with its metrics defined in Envoy.

use super::host::{self, Level, MetricKind};
use super::intake::{self, Waits};
use crate::config::json;
use crate::config::{Config, Rollout, Source, Usage};
use crate::feedback::Rating;
use crate::metrics::{self, Kind, SeriesLayout, Update};
use crate::observe::Observation;
use crate::pointer::Pointers;
use crate::route::Decision;
use alloc::string::String;
use alloc::vec::Vec;

/// A configuration and the ids of its metrics.
pub(super) struct Root {
    pub(super) config: Config,
    blocks: SeriesLayout,
    /// Envoy's ids of [`metrics::names`]; `None` where it refused one.
    ids: Vec<Option<u32>>,
    /// Whether Envoy sends on the bodies of requests that wait.
    pub(super) waits: Waits,
    /// Where values are looked for in bodies.
    pub(super) pointers: Pointers,
    /// Whether conversations are told by their openings anywhere.
    pub(super) reads_fingerprints: bool,
}

impl Root {
    /// Loads a configuration. One that is wrong is refused, with every error in Envoy's log.
    pub(super) fn load(text: &[u8]) -> Option<Root> {
        let tree = json::parse(text);
        match tree.and_then(|tree| Ok((Config::from_json(&tree)?, tree.hash()))) {
            Ok((config, hash)) => {
                let names: Vec<&str> = config.rollouts.iter().map(|rollout| rollout.name.as_str()).collect();
                host::log(Level::Info, &format!("version {VERSION}, rollouts: {}", names.join(", ")));
                let root = Root::new(config);
                if let Some(id) = host::define_metric(MetricKind::Gauge, metrics::CONFIG_HASH) {
                    host::record_metric(id, u64::from(hash));
                }
                Some(root)
            }
            Err(errors) => {
                for error in errors.iter() {
                    host::log(Level::Error, &format!("configuration refused: {error}"));
                }
                if !text.trim_ascii_start().starts_with(b"{") {
                    host::log(Level::Error, NOT_JSON_HINT);
                }
                None
            }
        }
    }

    fn new(config: Config) -> Root {
        let define = |(kind, name): (Kind, String)| {
            let kind = match kind {
                Kind::Counter => MetricKind::Counter,
                Kind::Histogram => MetricKind::Histogram,
            };
            host::define_metric(kind, &name)
        };
        let ids = metrics::names(&config).map(define).collect();
        if config.rollouts.iter().any(|rollout| rollout.refusal_phrases)
            && let Some(id) = host::define_metric(MetricKind::Gauge, &metrics::refusal_list_name())
        {
            host::record_metric(id, 1);
        }
        if config.rollouts.iter().any(may_wait) {
            host::set_tick_period_ms(intake::TICK_MS);
        }
        let mut keys = config.rollouts.iter().flat_map(|rollout| &rollout.keys);
        Root {
            blocks: SeriesLayout::new(&config),
            ids,
            waits: Waits::default(),
            pointers: Pointers::compile(&config.pointers),
            reads_fingerprints: keys.any(|key| key.source == Source::FirstMessage),
            config,
        }
    }

    pub(super) fn count_decision(&self, decision: &Decision) {
        let start = self.blocks.start(decision);
        metrics::decided(decision, |update| self.apply(start, update));
    }

    pub(super) fn count_retry(&self, decision: &Decision) {
        self.apply(self.blocks.start(decision), metrics::retried());
    }

    pub(super) fn count_rating(&self, decision: &Decision, rating: Rating) {
        self.apply(self.blocks.start(decision), metrics::rated(rating));
    }

    pub(super) fn count_first_turn(&self, decision: &Decision, observation: &Observation) {
        let start = self.blocks.start(decision);
        metrics::first_turn(observation, |update| self.apply(start, update));
    }

    pub(super) fn count_observation(&self, decision: &Decision, observation: &Observation) {
        let start = self.blocks.start(decision);
        metrics::observed(&self.config, decision, observation, |update| self.apply(start, update));
    }

    /// Whether the body of a request with this path may be changed on its way to a version, or be answered.
    pub(super) fn may_edit(&self, path: Option<&[u8]>) -> bool {
        let path = path.and_then(|path| path.split(|&b| b == b'?').next());
        self.config.rollouts.iter().any(|rollout| {
            rollout.pin.response_id
                || rollout.usage == Usage::Request
                || rollout.versions.iter().any(|version| version.rewrite.model.is_some())
                || rollout.feedback.as_ref().is_some_and(|feedback| Some(feedback.path.as_bytes()) == path)
        })
    }

    fn apply(&self, start: usize, update: Update) {
        let Some(id) = self.ids.get(start.saturating_add(update.series)).copied().flatten() else { return };
        match update.kind {
            Kind::Counter => host::increment_metric(id, i64::try_from(update.value).unwrap_or(i64::MAX)),
            Kind::Histogram => host::record_metric(id, update.value),
        };
    }
}

/// Whether any request of a rollout may have to wait for its body.
fn may_wait(rollout: &Rollout) -> bool {
    let is_in_body = |source: &Source| matches!(source, Source::Body(_) | Source::FirstMessage);
    rollout.feedback.as_ref().is_some_and(|feedback| feedback.respond)
        || !rollout.matcher.models.is_empty()
        || rollout.pin.response_id
        || rollout.keys.iter().any(|key| is_in_body(&key.source))
        || rollout.started_at.as_ref().is_some_and(is_in_body)
        || rollout.versions.iter().any(|version| version.rewrite.model.is_some())
}

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Envoy hands a `google.protobuf.Struct` over as protobuf.
const NOT_JSON_HINT: &str = "the configuration must be a JSON object; \
    in Envoy's own configuration give it as a google.protobuf.StringValue that holds the JSON";
