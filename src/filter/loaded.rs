//! A loaded configuration, with its series defined in the host.

use alloc::vec::Vec;

use super::ended::Ended;
use super::host::{FilterState, Host};
use crate::config::json;
use crate::config::{BodyWait, Config, Source, Usage};
use crate::feedback::Rating;
use crate::metrics::{self, MetricKind, SeriesLayout, Update};
use crate::observation_json::observation_json;
use crate::observe::Observation;
use crate::pointer::Pointers;
use crate::request_facts::RequestFacts;
use crate::route::Decision;

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Envoy passes a `google.protobuf.Struct` to the filter as protobuf.
const NOT_JSON_HINT: &str = "the configuration must be a JSON object; \
    in Envoy's own configuration, pass it as a google.protobuf.StringValue that contains the JSON";

/// A configuration and its series in the host. It is immutable, so workers may share it.
pub struct LoadedConfig<H: Host> {
    pub(super) config: Config,
    /// The JSON pointers to the values that are read from bodies.
    pub(super) pointers: Pointers,
    /// Whether any rollout uses the conversation's fingerprint as a key.
    pub(super) reads_fingerprints: bool,
    /// Whether any rollout looks for defects, so that it has to be known what a request asks for.
    pub(super) reads_asked: bool,
    layout: SeriesLayout,
    /// In the order of [`metrics::for_each_series`]; `None` where the host refused the definition.
    series: Vec<Option<H::SeriesId>>,
    /// The gauge [`metrics::BODY_WAITS`].
    body_waits: Option<H::SeriesId>,
}

impl<H: Host> LoadedConfig<H> {
    /// Loads a configuration from the plugin's JSON. An invalid one is refused, and every error is logged.
    pub fn load(host: H, text: &[u8]) -> Option<LoadedConfig<H>> {
        let tree = json::parse(text);
        match tree.and_then(|tree| Ok((Config::from_json(&tree, H::KIND)?, tree.hash()))) {
            Ok((config, hash)) => {
                let names: Vec<&str> = config.rollouts.iter().map(|rollout| rollout.name.as_str()).collect();
                log::info!("version {VERSION}, rollouts: {}", names.join(", "));
                for name in names {
                    let (gauge, label) = metrics::config_hash(name);
                    set_gauge(host, gauge, label, u64::from(hash));
                }
                let loaded = LoadedConfig::new(host, config);
                loaded.set_body_waits(host, loaded.config.body_wait != BodyWait::Never);
                Some(loaded)
            }
            Err(errors) => {
                for error in errors.iter() {
                    log::error!("configuration refused: {error}");
                }
                if !text.trim_ascii_start().starts_with(b"{") {
                    log::error!("{NOT_JSON_HINT}");
                }
                None
            }
        }
    }

    fn new(host: H, config: Config) -> LoadedConfig<H> {
        let mut series = Vec::new();
        metrics::for_each_series(&config, |defined| series.push(host.define_series(defined)));
        if config.rollouts.iter().any(|rollout| rollout.refusal_phrases) {
            let (name, label) = metrics::refusal_list();
            set_gauge(host, name, (label.0, &label.1), 1);
        }
        let mut keys = config.rollouts.iter().flat_map(|rollout| &rollout.keys);
        LoadedConfig {
            layout: SeriesLayout::new(&config),
            series,
            pointers: Pointers::compile(&config.pointers),
            reads_asked: config.rollouts.iter().any(|rollout| rollout.defects),
            reads_fingerprints: keys.any(|key| key.source == Source::FirstMessage),
            body_waits: host.define_series(&gauge(metrics::BODY_WAITS, &[])),
            config,
        }
    }

    pub(super) fn count_decision(&self, host: H, decision: &Decision) {
        metrics::decided(decision, self.counts(host, decision));
    }

    pub(super) fn count_retry(&self, host: H, decision: &Decision) {
        self.counts(host, decision)(metrics::retried());
    }

    pub(super) fn count_body_limit(&self, host: H, decision: &Decision) {
        self.counts(host, decision)(metrics::body_limit_reached());
    }

    pub(super) fn count_rating(&self, host: H, decision: &Decision, rating: Rating) {
        self.counts(host, decision)(metrics::rated(rating));
    }

    /// Counts an exchange that has ended, and began under this configuration.
    pub fn count(&self, host: H, ended: Ended) {
        self.count_and_observe(host, ended);
    }

    /// Counts an exchange that has ended if its observation goes to the access log, which is written now. Returns others.
    pub(super) fn count_if_logged(&self, host: H, ended: Ended) -> Option<Ended> {
        let decision = ended.routed.decision;
        let rollout = self.config.rollouts.get(decision.rollout);
        if !rollout.is_some_and(|rollout| rollout.log_observations) {
            return Some(ended);
        }
        let status = ended.status();
        let (request, observation) = self.count_and_observe(host, ended);
        let json = observation_json(&self.config, &decision, status, request, &observation);
        host.set_filter_state(FilterState::Observation, &json);
        None
    }

    fn count_and_observe(&self, host: H, ended: Ended) -> (RequestFacts, Observation) {
        let decision = ended.routed.decision;
        let (request, observation) = ended.observe();
        metrics::observed(&self.config, &decision, request, &observation, self.counts(host, &decision));
        if request.is_first_turn == Some(true) {
            metrics::first_turn(&observation, self.counts(host, &decision));
        }
        (request, observation)
    }

    /// Exports whether requests wait for their bodies.
    pub(super) fn set_body_waits(&self, host: H, waits: bool) {
        self.body_waits.iter().for_each(|gauge| host.record(gauge, u64::from(waits)));
    }

    /// Applies updates to the series of the decision.
    fn counts(&self, host: H, decision: &Decision) -> impl FnMut(Update) {
        let block = self.layout.block(decision);
        move |update| {
            let position = block.and_then(|block| block.position(&update));
            let Some(Some(series)) = position.and_then(|position| self.series.get(position)) else { return };
            match update.kind {
                MetricKind::Counter => host.add(series, update.value),
                MetricKind::Gauge | MetricKind::Histogram => host.record(series, update.value),
            }
        }
    }

    /// Whether the filter may edit the body of a request with this path, or answer the request as feedback.
    pub(super) fn may_edit(&self, path: Option<&[u8]>) -> bool {
        let path = path.and_then(|path| path.split(|&b| b == b'?').next());
        self.config.rollouts.iter().filter(|rollout| rollout.observe.is_none()).any(|rollout| {
            rollout.pin.response_id
                || rollout.usage == Usage::Request
                || rollout.versions.iter().any(|version| version.rewrite.model.is_some())
                || rollout.feedback.as_ref().is_some_and(|feedback| Some(feedback.path.as_bytes()) == path)
        })
    }
}

fn set_gauge<H: Host>(host: H, name: &str, label: (&str, &str), value: u64) {
    if let Some(gauge) = host.define_series(&gauge(name, &[label])) {
        host.record(&gauge, value);
    }
}

fn gauge<'s>(name: &'s str, labels: &'s [(&'s str, &'s str)]) -> metrics::Series<'s> {
    metrics::Series { kind: MetricKind::Gauge, name, labels }
}
