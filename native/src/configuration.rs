//! A configuration in force. Envoy loads it on its main thread, and all workers share it.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use llm_canary::filter::{BodiesCame, Ended, Host, LoadedConfig};
use llm_canary::metrics::{MetricKind, Series};

use crate::abi::FilterConfig;
use crate::backlog::Backlog;
use crate::clock::Clock;
use crate::counts::{BACKLOG_IS_LONG, Counts};
use crate::host::Envoy;
use crate::logger;
use crate::series::{self, SeriesId};

pub(crate) type Worker = llm_canary::filter::Worker<Envoy>;

/// The name that Envoy's configuration gives the filter. A module may have several filters; this one has one.
const FILTER_NAME: &str = "llm-canary";
/// Counts panics. It has no labels: what the exchange was is not known any more.
const PANICS: Series<'static> = Series { kind: MetricKind::Counter, name: "llm_panics_total", labels: &[] };

/// A configuration and its series.
pub struct Configuration {
    loaded: Arc<LoadedConfig<Envoy>>,
    clock: &'static Clock,
    panics: Option<SeriesId>,
    counts: Option<Arc<Counts>>,
    backlog: Backlog,
    /// Envoy's side of it, for what is done outside of exchanges.
    main: FilterConfig,
    /// Envoy uses it no more.
    has_ended: AtomicBool,
}

// Envoy's threads share it by a pointer, which no compiler checks.
const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<Configuration>();
};

thread_local! {
    /// This thread's state under each configuration.
    static WORKERS: RefCell<Vec<(Arc<Configuration>, Rc<Worker>)>> = const { RefCell::new(Vec::new()) };
}

impl Configuration {
    /// Loads a configuration; `None` if it is refused, and the log says why.
    pub fn load(
        loading: FilterConfig,
        clock: &'static Clock,
        filter_name: &[u8],
        text: &[u8],
    ) -> Option<Arc<Configuration>> {
        logger::install();
        if filter_name != FILTER_NAME.as_bytes() {
            let name = String::from_utf8_lossy(filter_name);
            log::error!(
                "configuration refused: filter_name is {name:?}; write {FILTER_NAME:?}, the only filter here"
            );
            return None;
        }
        series::begin(loading, clock.counts_delay);
        let host = Envoy::Loading(loading);
        let loaded = LoadedConfig::load(host, text);
        let panics = host.define_series(&PANICS);
        let counts = series::finish();
        let configuration = Configuration {
            loaded: Arc::new(loaded?),
            clock,
            panics,
            counts,
            backlog: Backlog::default(),
            main: loading,
            has_ended: AtomicBool::new(false),
        };
        Some(Arc::new(configuration))
    }

    /// This thread's state under this configuration.
    pub(crate) fn worker(self: &Arc<Configuration>) -> Rc<Worker> {
        WORKERS.with_borrow_mut(|workers| {
            if let Some((_, worker)) = workers.iter().find(|(of, _)| Arc::ptr_eq(of, self)) {
                return Rc::clone(worker);
            }
            workers.retain(|(of, _)| !of.has_ended.load(Ordering::Relaxed));
            let worker = Rc::new(Worker::new(Arc::clone(&self.loaded), BodiesCame::default()));
            workers.push((Arc::clone(self), Rc::clone(&worker)));
            worker
        })
    }

    pub(crate) fn clock(&self) -> &'static Clock {
        self.clock
    }

    /// Counts an exchange that has ended: on Envoy's main thread, or at once, by the host of the exchange.
    pub(crate) fn count_later(&self, host: Envoy, ended: Ended) {
        let are_enough = match self.backlog.add(ended) {
            Ok(are_enough) => are_enough,
            Err(ended) => return self.loaded.count(host, ended),
        };
        let Some(counts) = self.counts.as_ref().filter(|counts| counts.ask_to_fetch()) else {
            return self.count_backlog(host);
        };
        if are_enough {
            counts.hurry();
        }
    }

    /// A panic costs the exchange its statistics, and nothing else.
    fn count_backlog(&self, host: Envoy) {
        for ended in self.backlog.take() {
            if catch_unwind(AssertUnwindSafe(|| self.loaded.count(host, ended))).is_err() {
                self.count_panic(host);
            }
        }
    }

    /// Counts a panic.
    pub(crate) fn count_panic(&self, host: Envoy) {
        self.panics.iter().for_each(|panics| host.add(panics, 1));
    }

    /// Envoy's main thread fetches what was counted, and counts what waits for that.
    pub fn hand_over_counts(&self) {
        self.counts.iter().for_each(|counts| counts.begin_to_fetch());
        self.count_backlog(Envoy::Main(self.main));
        self.counts.iter().for_each(|counts| counts.hand_over());
    }

    /// Envoy's main thread has been asked to call.
    pub fn on_scheduled(&self, event: u64) {
        if event == BACKLOG_IS_LONG {
            self.count_backlog(Envoy::Main(self.main));
        } else {
            self.hand_over_counts();
        }
    }

    /// Envoy uses it no more. Exchanges have ended; a thread forgets it when it sees the next.
    pub fn end(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
        self.counts.iter().for_each(|counts| counts.end());
        self.hand_over_counts();
    }
}
