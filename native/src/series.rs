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
use crate::counts::{Counter, Counts};

/// A series that was defined.
pub(crate) enum SeriesId {
    /// The counts that it is one of, and its place among them.
    Counter(Arc<Counts>, u32),
    Gauge(Box<Gauge>),
    /// Envoy's id.
    Histogram(usize),
}

/// One of Envoy's gauges: its id, and the values of its labels.
pub(crate) struct Gauge(usize, Box<[Box<str>]>);

/// What has been defined for the configuration that is being loaded.
struct Defined {
    config: FilterConfig,
    /// Envoy's ids. A metric is defined once, for all its label values.
    metrics: BTreeMap<(u8, String), usize>,
    counters: Vec<Counter>,
    counts: Arc<Counts>,
}

thread_local! {
    static DEFINED: RefCell<Option<Defined>> = const { RefCell::new(None) };
}

/// Begins to load a configuration. Counts wait for `delay` at most.
pub(crate) fn begin(config: FilterConfig, delay: Option<Duration>) {
    let counts = Arc::new(Counts::new(config, delay));
    let defined = Defined { config, metrics: BTreeMap::new(), counters: Vec::new(), counts };
    DEFINED.set(Some(defined));
}

/// The counts of all that was defined since [`begin`].
pub(crate) fn finish() -> Option<Arc<Counts>> {
    let Defined { counters, counts, .. } = DEFINED.take()?;
    counts.begin(counters);
    Some(counts)
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
        let label_values = values.into_iter().map(Box::from).collect();
        if series.kind == MetricKind::Gauge {
            return Some(SeriesId::Gauge(Box::new(Gauge(metric, label_values))));
        }
        let at = u32::try_from(self.counters.len()).ok()?;
        self.counters.push(Counter { metric, label_values });
        Some(SeriesId::Counter(Arc::clone(&self.counts), at))
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
        if let SeriesId::Counter(counts, at) = self {
            counts.add(*at as usize, envoy, value);
        }
    }

    /// The same, on Envoy's main thread.
    pub(crate) fn add_on_main(&self, value: u64) {
        if let SeriesId::Counter(counts, at) = self {
            counts.add_on_main(*at as usize, value);
        }
    }

    /// Sets a gauge, or records a value in a histogram.
    pub(crate) fn record(&self, envoy: Filter, value: u64) {
        match self {
            SeriesId::Counter(..) => {}
            SeriesId::Gauge(gauge) => envoy.set(gauge.0, &gauge.1, value),
            SeriesId::Histogram(metric) => envoy.record(*metric, value),
        }
    }

    /// The same, outside of an exchange: on Envoy's main thread.
    pub(crate) fn record_on_main(&self, config: FilterConfig, value: u64) {
        match self {
            SeriesId::Counter(..) => {}
            SeriesId::Gauge(gauge) => config.set(gauge.0, &gauge.1, value),
            SeriesId::Histogram(metric) => config.record(*metric, value),
        }
    }
}
