//! Counts on their way to Envoy's counters.
//!
//! Envoy looks a counter with labels up for each addition, and an exchange adds to a dozen of them. So counts are added up
//! here, and Envoy's main thread fetches them. A module has no timer: a thread of ours tells it to, a moment after the first
//! count.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use crate::abi::{Filter, FilterConfig, Scheduler};

const THREAD_NAME: &str = "llm-canary";

/// What is to be added to one of Envoy's counters.
pub(crate) struct Counter {
    /// Envoy's id of the metric.
    metric: usize,
    label_values: Box<[Box<str>]>,
    count: AtomicU64,
    fetching: Arc<Fetching>,
}

/// Whether Envoy's main thread is going to fetch the counts of a configuration.
pub(crate) struct Fetching {
    config: FilterConfig,
    /// How long counts wait. `None`: Envoy's side fetches them without being told to.
    delay: Option<Duration>,
    is_on: AtomicBool,
    /// `None` within: the machine gives no thread.
    messenger: OnceLock<Option<Messenger>>,
}

/// All counts of a configuration.
pub(crate) struct Counts {
    counters: Vec<Arc<Counter>>,
    fetching: Arc<Fetching>,
}

impl Counter {
    pub(crate) fn new(metric: usize, label_values: Box<[Box<str>]>, fetching: &Arc<Fetching>) -> Counter {
        let counter =
            Counter { metric, label_values, count: AtomicU64::new(0), fetching: Arc::clone(fetching) };
        // From now on the configuration uses the counter.
        fetching.config.add(metric, &counter.label_values, 0);
        counter
    }

    pub(crate) fn add(&self, envoy: Filter, value: u64) {
        self.count.fetch_add(value, Ordering::SeqCst);
        if !self.fetching.is_on.load(Ordering::SeqCst) && !self.fetching.begin() {
            envoy.add(self.metric, &self.label_values, self.count.swap(0, Ordering::SeqCst));
        }
    }

    fn hand_over(&self, config: FilterConfig) {
        if self.count.load(Ordering::SeqCst) > 0 {
            config.add(self.metric, &self.label_values, self.count.swap(0, Ordering::SeqCst));
        }
    }
}

impl Fetching {
    pub(crate) fn new(config: FilterConfig, delay: Option<Duration>) -> Arc<Fetching> {
        Arc::new(Fetching { config, delay, is_on: AtomicBool::new(false), messenger: OnceLock::new() })
    }

    /// Has Envoy fetch the counts. Returns false if it cannot be told to.
    fn begin(&self) -> bool {
        let Some(delay) = self.delay else { return true };
        let messenger = self.messenger.get_or_init(|| Messenger::start(self.config.scheduler(), delay));
        let Some(messenger) = messenger else { return false };
        if !self.is_on.swap(true, Ordering::SeqCst) {
            messenger.thread.unpark();
        }
        true
    }
}

impl Counts {
    pub(crate) fn new(counters: Vec<Arc<Counter>>, fetching: Arc<Fetching>) -> Counts {
        Counts { counters, fetching }
    }

    /// Envoy fetches the counts.
    pub(crate) fn hand_over(&self) {
        // First, so that a count that comes meanwhile has Envoy called again.
        self.fetching.is_on.store(false, Ordering::SeqCst);
        self.counters.iter().for_each(|counter| counter.hand_over(self.fetching.config));
    }

    /// The configuration ends.
    pub(crate) fn end(&self) {
        if let Some(Some(messenger)) = self.fetching.messenger.get() {
            messenger.end();
        }
        self.hand_over();
    }
}

/// A thread that has Envoy's main thread call the module, a while after it was woken.
struct Messenger {
    thread: Thread,
    handle: Mutex<Option<JoinHandle<()>>>,
    has_ended: Arc<AtomicBool>,
}

impl Messenger {
    fn start(scheduler: Scheduler, delay: Duration) -> Option<Messenger> {
        let has_ended = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&has_ended);
        let run = move || {
            while !is_over.load(Ordering::SeqCst) {
                thread::park();
                thread::park_timeout(delay);
                scheduler.commit();
            }
        };
        let spawned = thread::Builder::new().name(THREAD_NAME.into()).spawn(run);
        let failed = |error| log::warn!("counts are handed over one by one, for want of a thread: {error}");
        let handle = spawned.map_err(failed).ok()?;
        let thread = handle.thread().clone();
        Some(Messenger { thread, handle: Mutex::new(Some(handle)), has_ended })
    }

    /// Ends the thread, and waits for that: Envoy may unload the module.
    fn end(&self) {
        self.has_ended.store(true, Ordering::SeqCst);
        self.thread.unpark();
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner).take();
        handle.into_iter().for_each(|handle| _ = handle.join());
    }
}
