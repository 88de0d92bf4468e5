//! The filter's series in Envoy, with native labels.
//!
//! Envoy deletes a series with labels when the configuration that used it is gone, so a new configuration has to use each
//! before that. A counter is used by adding 0. A histogram cannot be used without a value. But a histogram that exists can
//! be kept by defining one without labels whose name consists of the same parts: for Envoy both are the same series.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use llm_canary::metrics::{MetricKind, Series};

use crate::abi::{Filter, Loading};

/// A series that was defined.
pub(crate) struct SeriesId {
    kind: MetricKind,
    /// Envoy's id of the metric, which its series share.
    metric: usize,
    label_values: Box<[Box<str>]>,
    /// Of a histogram.
    kept: Option<Arc<KeptHistogram>>,
}

/// A histogram, and whether a configuration keeps it.
pub(crate) struct KeptHistogram {
    name: String,
    is_kept: AtomicBool,
}

/// How many configurations keep each histogram. Its name is in this list only while it exists with its labels.
static KEEPERS: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

/// What has been defined for the configuration that is being loaded.
#[derive(Default)]
struct Defined {
    /// Envoy's ids. A metric is defined once, for all its label values.
    metrics: BTreeMap<(u8, String), usize>,
    histograms: Vec<Arc<KeptHistogram>>,
}

thread_local! {
    static DEFINED: RefCell<Defined> = RefCell::default();
}

/// Begins to load a configuration.
pub(crate) fn begin() {
    DEFINED.take();
}

/// All histograms that were defined since [`begin`].
pub(crate) fn finish() -> Vec<Arc<KeptHistogram>> {
    DEFINED.take().histograms
}

/// Defines a series, or finds the one with this name and these labels.
pub(crate) fn define(loading: Loading, series: &Series<'_>) -> Option<SeriesId> {
    DEFINED.with_borrow_mut(|defined| {
        let key = (series.kind as u8, String::from(series.name));
        let metric = match defined.metrics.get(&key) {
            Some(&metric) => metric,
            None => {
                let labels: Vec<&str> = series.labels.iter().map(|(label, _)| *label).collect();
                let metric = loading.define(series.kind, series.name, &labels)?;
                defined.metrics.insert(key, metric);
                metric
            }
        };
        let kept =
            (series.kind == MetricKind::Histogram).then(|| Arc::new(KeptHistogram::find(loading, series)));
        defined.histograms.extend(kept.clone());
        let label_values = series.labels.iter().map(|(_, value)| Box::from(*value)).collect();
        let id = SeriesId { kind: series.kind, metric, label_values, kept };
        if series.kind == MetricKind::Counter {
            loading.add(id.metric, &id.label_values, 0);
        }
        Some(id)
    })
}

impl SeriesId {
    /// Adds to a counter.
    pub(crate) fn add(&self, envoy: Filter, value: u64) {
        envoy.add(self.metric, &self.label_values, value);
    }

    /// Sets a gauge, or records a value in a histogram.
    pub(crate) fn record(&self, envoy: Filter, value: u64) {
        match &self.kept {
            Some(kept) => {
                envoy.record(self.metric, &self.label_values, value);
                kept.keep();
            }
            None => envoy.set(self.metric, &self.label_values, value),
        }
    }

    /// Sets a gauge while its configuration is loaded.
    pub(crate) fn record_while_loading(&self, loading: Loading, value: u64) {
        if self.kind == MetricKind::Gauge {
            loading.set(self.metric, &self.label_values, value);
        }
    }
}

impl KeptHistogram {
    /// Keeps the histogram for the new configuration, if it exists.
    fn find(loading: Loading, series: &Series<'_>) -> KeptHistogram {
        let kept = KeptHistogram { name: name_of_parts(series), is_kept: AtomicBool::new(false) };
        let exists = keepers(|keepers| keepers.contains_key(&kept.name));
        if exists && loading.define(MetricKind::Histogram, &kept.name, &[]).is_some() {
            kept.keep();
        }
        kept
    }

    /// The configuration uses the histogram, so it exists from now on.
    fn keep(&self) {
        if !self.is_kept.load(Ordering::Relaxed) && !self.is_kept.swap(true, Ordering::Relaxed) {
            keepers(|keepers| {
                let count = keepers.entry(self.name.clone()).or_default();
                *count = count.saturating_add(1);
            });
        }
    }

    /// The configuration ends.
    pub(crate) fn release(&self) {
        if self.is_kept.swap(false, Ordering::Relaxed) {
            keepers(|keepers| match keepers.get_mut(&self.name) {
                Some(count) if *count > 1 => *count = count.saturating_sub(1),
                _ => mem::drop(keepers.remove(&self.name)),
            });
        }
    }
}

fn keepers<T>(f: impl FnOnce(&mut BTreeMap<String, usize>) -> T) -> T {
    f(&mut KEEPERS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The name under which Envoy keeps a series with labels: all its parts, joined by dots. Envoy cuts dots at the end of a part.
fn name_of_parts(series: &Series<'_>) -> String {
    let labels = series.labels.iter().flat_map(|(label, value)| [*label, *value]);
    let parts = std::iter::once(series.name).chain(labels).map(|part| part.trim_end_matches('.'));
    parts.collect::<Vec<_>>().join(".")
}
