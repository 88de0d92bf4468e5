//! The filter's series in Envoy.
//!
//! Envoy deletes a series with labels when the configuration that used it is gone, unless a newer one uses it by then. A counter is
//! used by adding 0, a gauge is set. A histogram cannot be used without a value, so it has its labels in its name, and none for
//! Envoy: then it stays. The same stats tags as for WebAssembly turn that name back into labels.

use std::cell::RefCell;
use std::collections::BTreeMap;

use llm_canary::metrics::{MetricKind, Series};

use crate::abi::{Filter, Loading};

/// A series that was defined.
pub(crate) struct SeriesId {
    kind: MetricKind,
    /// Envoy's id of the metric, which its series share.
    metric: usize,
    label_values: Box<[Box<str>]>,
}

thread_local! {
    /// Envoy's ids of what has been defined for the configuration that is being loaded. A metric is defined once, for all its
    /// label values.
    static DEFINED: RefCell<BTreeMap<(u8, String), usize>> = const { RefCell::new(BTreeMap::new()) };
}

/// Begins to load a configuration.
pub(crate) fn begin() {
    DEFINED.take();
}

/// Defines a series, or finds the one with this name and these labels.
pub(crate) fn define(loading: Loading, series: &Series<'_>) -> Option<SeriesId> {
    let encoded = series.encoded_name();
    let is_encoded = series.kind == MetricKind::Histogram;
    let (name, labels) = if is_encoded { (encoded.as_str(), &[][..]) } else { (series.name, series.labels) };
    let (names, values): (Vec<&str>, Vec<&str>) = labels.iter().copied().unzip();
    let metric = DEFINED.with_borrow_mut(|defined| {
        let key = (series.kind as u8, String::from(name));
        if let Some(&metric) = defined.get(&key) {
            return Some(metric);
        }
        let metric = loading.define(series.kind, name, &names)?;
        defined.insert(key, metric);
        Some(metric)
    })?;
    let label_values: Box<[Box<str>]> = values.into_iter().map(Box::from).collect();
    if series.kind == MetricKind::Counter {
        loading.add(metric, &label_values, 0);
    }
    Some(SeriesId { kind: series.kind, metric, label_values })
}

impl SeriesId {
    /// Adds to a counter.
    pub(crate) fn add(&self, envoy: Filter, value: u64) {
        envoy.add(self.metric, &self.label_values, value);
    }

    /// Sets a gauge, or records a value in a histogram.
    pub(crate) fn record(&self, envoy: Filter, value: u64) {
        match self.kind {
            MetricKind::Histogram => envoy.record(self.metric, &self.label_values, value),
            MetricKind::Counter | MetricKind::Gauge => envoy.set(self.metric, &self.label_values, value),
        }
    }

    /// Sets a gauge while its configuration is loaded.
    pub(crate) fn record_while_loading(&self, loading: Loading, value: u64) {
        if self.kind == MetricKind::Gauge {
            loading.set(self.metric, &self.label_values, value);
        }
    }
}
