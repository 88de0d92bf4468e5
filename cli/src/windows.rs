//! Samples of counters → windows of counts, for a version and its baseline.
//!
//! ```text
//! samples → scrapes of each instance → increments → sums over instances → window
//! ```
//!
//! [`Samples`] takes the samples of any source: in order of time for each series, and in any order of series. It is pure: times
//! are arguments. What becomes of a counter that goes back, of a series that comes late and of an instance that differs is in
//! `windows/counting.rs`.

mod ahead;
mod catalogue;
mod counting;
mod registry;
mod store;
mod tally;

pub(crate) use catalogue::{native_selector, newest_selector, selectors, traffic_selector};
pub(crate) use registry::{SeriesId, TooManySeries};
pub(crate) use store::Disorder;
pub(crate) use tally::{Comparison, Tally};

use catalogue::{HISTOGRAM_NAMES, without_prefix};
use counting::Counting;
use llm_canary::timestamp::UnixMs;
#[cfg(test)]
use llm_canary_verdict::window::Window;
use registry::{Registry, Target};
use std::collections::BTreeMap;
use store::Store;

/// A gap of more windows than this becomes one window.
const GAP_WINDOWS_MAX: u64 = 10_000;

/// Where windows end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    /// At multiples of so many milliseconds since the epoch; a sample at the end belongs to the window. At least 1.
    Aligned(u64),
    /// Where the source says so.
    Polls,
}

/// What was seen of a version.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SeenVersion {
    pub(crate) name: String,
    /// Compared requests that ended within the samples.
    pub(crate) requests: u64,
    /// The same since the instances were started, before the samples too.
    pub(crate) requests_ever: u64,
}

/// What was seen of a rollout.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SeenRollout {
    pub(crate) name: String,
    /// In order of their names. Envoy never forgets a version that was removed.
    pub(crate) versions: Vec<SeenVersion>,
}

/// The samples of all instances, and the windows that they become.
#[derive(Clone, Debug)]
pub(crate) struct Samples {
    span: Span,
    registry: Registry,
    store: Store,
    counting: Counting,
    /// Where the window under way began; `None` before the first sample.
    start_ms: Option<UnixMs>,
    /// The latest sample in it.
    latest_ms: Option<UnixMs>,
    /// The latest sample of all.
    newest_ms: Option<UnixMs>,
    /// Whether the window under way has samples that are more than starting points.
    is_under_way: bool,
}

impl Samples {
    pub(crate) fn new(span: Span) -> Self {
        Self {
            span,
            registry: Registry::default(),
            store: Store::default(),
            counting: Counting::default(),
            start_ms: None,
            latest_ms: None,
            newest_ms: None,
            is_under_way: false,
        }
    }

    /// The number of a series, for [`Samples::push`]; `None` for one that is not read. The labels are all that the source has.
    /// Without an instance's name, the instance is what its labels say.
    ///
    /// # Errors
    /// There are too many.
    pub(crate) fn series(
        &mut self,
        instance: Option<&str>,
        name: &str,
        labels: &[(impl AsRef<str>, impl AsRef<str>)],
    ) -> Result<Option<SeriesId>, TooManySeries> {
        self.registry.series(instance, name, labels)
    }

    /// Adds a sample; they become windows with [`Samples::drain`].
    ///
    /// # Errors
    /// It is not later than the one before of its series.
    pub(crate) fn push(&mut self, series: SeriesId, at_ms: UnixMs, value: f64) -> Result<(), Disorder> {
        let Some(instance) = self.registry.get(series).map(|series| series.instance) else { return Ok(()) };
        self.store.push(instance, series, at_ms, value)?;
        self.newest_ms = self.newest_ms.max(Some(at_ms));
        Ok(())
    }

    /// Notes that an instance answered, and that none of its series is read. To be called between two drains.
    pub(crate) fn answered(&mut self, instance: &str, at_ms: UnixMs) {
        let instance = self.registry.instance(instance);
        self.is_under_way |= self.counting.scrape(&self.registry, instance, at_ms, &[]);
        self.start_ms.get_or_insert(at_ms);
        self.latest_ms = self.latest_ms.max(Some(at_ms));
        self.newest_ms = self.newest_ms.max(Some(at_ms));
    }

    /// The time of the newest sample.
    pub(crate) fn newest_ms(&self) -> Option<UnixMs> {
        self.newest_ms
    }

    /// Whether all histograms have buckets.
    pub(crate) fn has_all_histograms(&self) -> bool {
        HISTOGRAM_NAMES.iter().all(|(_, quantity)| !self.registry.edges(*quantity).is_empty())
    }

    /// Notes that the source has a series of this name, if that is the name of a native histogram.
    pub(crate) fn note_native(&mut self, name: &str) {
        if let Some((_, name)) = without_prefix(name) {
            self.registry.note_native(name);
        }
    }

    /// The names of the histograms that the source has as native ones alone. Those are not read: an answer leaves out their empty
    /// buckets, and their edges change with what they count, so that there are no counters to be followed.
    pub(crate) fn native_only(&self) -> Vec<&'static str> {
        let is_native_only = |quantity| self.registry.is_native_only(quantity);
        let names = HISTOGRAM_NAMES.iter().filter(|(_, quantity)| is_native_only(*quantity));
        names.map(|(name, _)| *name).collect()
    }

    /// Takes all samples so far, and hands out each window that they close. The last window stays open where windows are
    /// aligned; [`Samples::close`] closes it.
    pub(crate) fn drain(&mut self, on_tally: &mut dyn FnMut(&Tally<'_>)) {
        let mut store = std::mem::take(&mut self.store);
        store.drain(|instance, at_ms, samples| {
            self.close_before(at_ms, on_tally);
            self.start_ms.get_or_insert(at_ms);
            self.is_under_way |= self.counting.scrape(&self.registry, instance, at_ms, samples);
            self.latest_ms = self.latest_ms.max(Some(at_ms));
        });
        self.store = store;
    }

    /// Closes the window under way, if it has samples. `is_missing`: an instance has not answered.
    pub(crate) fn close(&mut self, is_missing: bool, on_tally: &mut dyn FnMut(&Tally<'_>)) {
        match self.latest_ms {
            Some(end_ms) if self.is_under_way => self.hand_out(end_ms, true, is_missing, on_tally),
            // Starting points alone.
            Some(end_ms) => self.begin(end_ms),
            None => {}
        }
    }

    /// Closes a window that nobody answered in, after the first.
    pub(crate) fn close_silent(&mut self, end_ms: UnixMs, on_tally: &mut dyn FnMut(&Tally<'_>)) {
        if let (Some(start_ms), None) = (self.start_ms, self.latest_ms) {
            self.hand_out(end_ms.max(start_ms), false, true, on_tally);
        }
    }

    /// Closes all aligned windows that end at this time or before. Those without a sample are missing.
    pub(crate) fn close_until(&mut self, end_ms: UnixMs, on_tally: &mut dyn FnMut(&Tally<'_>)) {
        self.close_before(end_ms.saturating_add(1), on_tally);
    }

    /// Closes all aligned windows that a sample at this time is behind.
    fn close_before(&mut self, at_ms: UnixMs, on_tally: &mut dyn FnMut(&Tally<'_>)) {
        let (Span::Aligned(window_ms), Some(start_ms)) = (self.span, self.start_ms) else { return };
        // A window reaches to the end of the last one at the latest.
        let end_of = |at_ms: UnixMs| at_ms.div_ceil(window_ms.max(1)).saturating_mul(window_ms.max(1));
        let next = |start_ms: UnixMs| end_of(start_ms.saturating_add(1));
        if self.latest_ms.is_some() && next(start_ms) < at_ms {
            match self.latest_ms {
                Some(latest_ms) if self.is_under_way => self.hand_out(latest_ms, true, false, on_tally),
                // Starting points alone.
                _ => self.begin(start_ms),
            }
            self.start_ms = Some(next(start_ms));
        }
        let last_end = end_of(at_ms).saturating_sub(window_ms.max(1));
        while let Some(start_ms) =
            self.start_ms.filter(|start| next(*start) < at_ms && self.newest_ms.is_some())
        {
            let is_long = (last_end - start_ms) / window_ms.max(1) > GAP_WINDOWS_MAX;
            let end_ms = if is_long { last_end } else { next(start_ms) };
            self.hand_out(end_ms, false, true, on_tally);
        }
    }

    fn hand_out(
        &mut self,
        end_ms: UnixMs,
        has_samples: bool,
        is_missing: bool,
        on_tally: &mut dyn FnMut(&Tally<'_>),
    ) {
        let start_ms = self.start_ms.unwrap_or(end_ms);
        let window_ms = match self.span {
            Span::Aligned(window_ms) => window_ms,
            Span::Polls => end_ms.saturating_sub(start_ms),
        };
        let is_missing = is_missing || self.counting.is_missing(end_ms, window_ms);
        self.counting.close(&self.registry);
        let (registry, counting) = (&self.registry, &self.counting);
        on_tally(&Tally { registry, counting, start_ms, end_ms, is_missing, has_samples });
        self.begin(end_ms);
    }

    fn begin(&mut self, start_ms: UnixMs) {
        self.start_ms = Some(start_ms);
        self.latest_ms = None;
        self.is_under_way = false;
    }

    /// The rollouts and versions that have series, in order of their names.
    pub(crate) fn seen(&self) -> Vec<SeenRollout> {
        let mut seen: BTreeMap<(&str, &str), (f64, f64)> = BTreeMap::new();
        let sides = self.registry.sides();
        for (id, series) in self.registry.all() {
            let Some(side) = sides.get(series.side as usize).filter(|side| !side.version.is_empty()) else {
                continue;
            };
            let (requests, ever) = seen.entry((&side.rollout, &side.version)).or_default();
            if matches!(series.target, Target::Sum(slot) if ahead::is_of_requests(slot)) {
                *requests += self.store.growth(series.instance, id);
                *ever += self.store.last(id).filter(|last| last.is_finite()).unwrap_or(0.0);
            }
        }
        let mut rollouts: Vec<SeenRollout> = Vec::new();
        for ((rollout, version), (requests, ever)) in seen {
            let version = SeenVersion {
                name: version.to_owned(),
                requests: requests as u64,
                requests_ever: ever as u64,
            };
            match rollouts.last_mut().filter(|last| last.name == rollout) {
                Some(last) => last.versions.push(version),
                None => rollouts.push(SeenRollout { name: rollout.to_owned(), versions: vec![version] }),
            }
        }
        rollouts
    }

    /// Which instances run a rollout by another configuration than most, in words; `None` if all run the same. Asked of those
    /// with a sample since a time.
    pub(crate) fn other_configs(&self, rollout: &str, since_ms: UnixMs) -> Option<String> {
        let others = self.counting.other_configs(self.registry.rollout(rollout)?, since_ms);
        let names: Vec<&str> =
            others.iter().take(NAMES_MAX).map(|id| self.registry.instance_name(*id)).collect();
        let more = others.len().saturating_sub(names.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!names.is_empty()).then(|| {
            format!("not all instances run the same configuration; these differ: {}{more}", names.join(", "))
        })
    }

    /// How many instances run a rollout, and the names of those that run it by another configuration than the one with this hash.
    /// Asked of those with a sample since a time, and of those that are expected: of one without a sample nothing is known, so it
    /// does not run it.
    pub(crate) fn running(
        &self,
        rollout: &str,
        hash: u32,
        since_ms: UnixMs,
        expected: &[&str],
    ) -> (usize, Vec<String>) {
        let rollout = self.registry.rollout(rollout);
        let hashes =
            rollout.map(|rollout| self.counting.config_hashes(rollout, since_ms)).unwrap_or_default();
        let known: Vec<(&str, f64)> =
            hashes.iter().map(|(id, own)| (self.registry.instance_name(*id), *own)).collect();
        let behind = known.iter().filter(|(_, own)| *own != f64::from(hash)).map(|(name, _)| *name);
        // A second filter on its page is known by a longer name.
        let is_of = |one: &str, name: &str| {
            one.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        let is_known = |name: &&str| known.iter().any(|(one, _)| is_of(one, name));
        let silent: Vec<&str> = expected.iter().copied().filter(|name| !is_known(name)).collect();
        let count = known.len().saturating_add(silent.len());
        (count, behind.chain(silent).map(str::to_owned).collect())
    }
}

/// So many instances are named.
const NAMES_MAX: usize = 5;

/// All windows of a version, from samples that are complete.
#[cfg(test)]
pub(crate) fn windows_of(samples: &mut Samples, comparison: &Comparison) -> Vec<Window> {
    let mut windows = Vec::new();
    let mut keep = |tally: &Tally<'_>| windows.push(tally.window(comparison));
    samples.drain(&mut keep);
    samples.close(false, &mut keep);
    windows
}

#[cfg(test)]
mod oracle_tests;
#[cfg(test)]
mod tests;
