//! The filter's series in Envoy.
//!
//! Envoy deletes a series with labels when the configuration that used it is gone, unless a newer one uses it by then. A counter is
//! used by adding 0, a gauge is set. A histogram cannot be used without a value, so it has its labels in its name, and none for
//! Envoy: then it stays. The same stats tags as for WebAssembly turn that name back into labels.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use llm_canary::metrics::{MetricKind, Series};

use crate::abi::{Filter, FilterConfig};
use crate::counts::{Counter, Counts, Fetching};

/// A series that was defined.
pub(crate) enum SeriesId {
    Counter(Arc<Counter>),
    /// Envoy's id of the metric, and the values of its labels.
    Gauge(usize, Box<[Box<str>]>),
    /// Envoy's id.
    Histogram(usize),
}

/// What has been defined for the configuration that is being loaded.
struct Defined {
    config: FilterConfig,
    /// Envoy's ids. A metric is defined once, for all its label values.
    metrics: BTreeMap<(u8, String), usize>,
    counters: Vec<Arc<Counter>>,
    fetching: Arc<Fetching>,
}

thread_local! {
    static DEFINED: RefCell<Option<Defined>> = const { RefCell::new(None) };
}

/// Begins to load a configuration. Counts wait for `delay` at most.
pub(crate) fn begin(config: FilterConfig, delay: Option<Duration>) {
    let fetching = Fetching::new(config, delay);
    let defined = Defined { config, metrics: BTreeMap::new(), counters: Vec::new(), fetching };
    DEFINED.set(Some(defined));
}

/// The counts of all that was defined since [`begin`].
pub(crate) fn finish() -> Option<Counts> {
    DEFINED.take().map(|defined| Counts::new(defined.counters, defined.fetching))
}

/// Defines a series, or finds the one with this name and these labels.
pub(crate) fn define(series: &Series<'_>) -> Option<SeriesId> {
    DEFINED.with_borrow_mut(|defined| defined.as_mut()?.define(series))
}

impl Defined {
    fn define(&mut self, series: &Series<'_>) -> Option<SeriesId> {
        if series.kind == MetricKind::Histogram {
            return self.metric(series.kind, &series.encoded_name(), &[]).map(SeriesId::Histogram);
        }
        let (names, values): (Vec<&str>, Vec<&str>) = series.labels.iter().copied().unzip();
        let metric = self.metric(series.kind, series.name, &names)?;
        let values = values.into_iter().map(Box::from).collect();
        if series.kind == MetricKind::Gauge {
            return Some(SeriesId::Gauge(metric, values));
        }
        let counter = Arc::new(Counter::new(metric, values, &self.fetching));
        self.counters.push(Arc::clone(&counter));
        Some(SeriesId::Counter(counter))
    }

    fn metric(&mut self, kind: MetricKind, name: &str, labels: &[&str]) -> Option<usize> {
        let key = (kind as u8, String::from(name));
        if let Some(&metric) = self.metrics.get(&key) {
            return Some(metric);
        }
        let metric = self.config.define(kind, name, labels)?;
        self.metrics.insert(key, metric);
        Some(metric)
    }
}

impl SeriesId {
    /// Adds to a counter.
    pub(crate) fn add(&self, envoy: Filter, value: u64) {
        if let SeriesId::Counter(counter) = self {
            counter.add(envoy, value);
        }
    }

    /// Sets a gauge, or records a value in a histogram.
    pub(crate) fn record(&self, envoy: Filter, value: u64) {
        match self {
            SeriesId::Counter(_) => {}
            SeriesId::Gauge(metric, labels) => envoy.set(*metric, labels, value),
            SeriesId::Histogram(metric) => envoy.record(*metric, value),
        }
    }

    /// Sets a gauge while its configuration is loaded.
    pub(crate) fn record_while_loading(&self, config: FilterConfig, value: u64) {
        if let SeriesId::Gauge(metric, labels) = self {
            config.set(*metric, labels, value);
        }
    }
}
