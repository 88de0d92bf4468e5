//! Counts on their way to Envoy's counters.
//!
//! Envoy looks a counter with labels up for each addition, and an exchange adds to a dozen of them. So counts are added up
//! here, and Envoy's main thread fetches them. A module has no timer: a thread of ours tells it to, a moment after the first
//! count.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use crate::abi::{Filter, FilterConfig, Scheduler};

const THREAD_NAME: &str = "llm-canary";
/// Why Envoy's main thread is asked to call: counts have waited long enough, or enough exchanges wait to be counted.
const COUNTS_ARE_DUE: u64 = 0;
pub(crate) const BACKLOG_IS_LONG: u64 = 1;

/// One of Envoy's counters.
pub(crate) struct Counter {
    /// Envoy's id of the metric.
    pub(crate) metric: usize,
    pub(crate) label_values: Box<[Box<str>]>,
}

/// The counts of a configuration.
pub(crate) struct Counts {
    config: FilterConfig,
    /// How long counts wait. `None`: Envoy's side fetches them without being told to.
    delay: Option<Duration>,
    /// Whether Envoy's main thread is going to fetch them.
    is_awaited: AtomicBool,
    /// `None` within: the machine gives no thread.
    messenger: OnceLock<Option<Messenger>>,
    /// Set when all are defined. What is to be added to each, side by side, because an exchange adds to neighbours.
    values: OnceLock<Box<[AtomicU64]>>,
    /// The same, of what Envoy's main thread adds itself. No other thread writes here, so it need not be one atomic step to add.
    values_of_main: OnceLock<Box<[AtomicU64]>>,
    counters: OnceLock<Box<[Counter]>>,
}

impl Counts {
    pub(crate) fn new(config: FilterConfig, delay: Option<Duration>) -> Counts {
        Counts {
            config,
            delay,
            is_awaited: AtomicBool::new(false),
            messenger: OnceLock::new(),
            values: OnceLock::new(),
            values_of_main: OnceLock::new(),
            counters: OnceLock::new(),
        }
    }

    /// All counters are defined. From now on the configuration uses them.
    pub(crate) fn begin(&self, counters: Vec<Counter>) {
        counters.iter().for_each(|counter| self.config.add(counter.metric, &counter.label_values, 0));
        let zeros = || counters.iter().map(|_| AtomicU64::new(0)).collect();
        self.values.get_or_init(zeros);
        self.values_of_main.get_or_init(zeros);
        self.counters.get_or_init(|| counters.into());
    }

    /// Adds to the counter at this place.
    pub(crate) fn add(&self, at: usize, envoy: Filter, value: u64) {
        let Some(count) = self.values.get().and_then(|values| values.get(at)) else { return };
        count.fetch_add(value, Ordering::SeqCst);
        if !self.ask_to_fetch()
            && let Some(Counter { metric, label_values }) = self.counters.get().and_then(|all| all.get(at))
        {
            envoy.add(*metric, label_values, count.swap(0, Ordering::SeqCst));
        }
    }

    /// Adds to the counter at this place, on Envoy's main thread. It fetches the counts later.
    pub(crate) fn add_on_main(&self, at: usize, value: u64) {
        if let Some(count) = self.values_of_main.get().and_then(|values| values.get(at)) {
            count.store(count.load(Ordering::Relaxed).wrapping_add(value), Ordering::Relaxed);
        }
    }

    /// Has Envoy fetch the counts. Returns false if it cannot be told to.
    pub(crate) fn ask_to_fetch(&self) -> bool {
        if self.is_awaited.load(Ordering::SeqCst) {
            return true;
        }
        let Some(delay) = self.delay else { return true };
        let messenger = self.messenger.get_or_init(|| Messenger::start(self.config.scheduler(), delay));
        let Some(messenger) = messenger else { return false };
        if !self.is_awaited.swap(true, Ordering::SeqCst) {
            messenger.thread.unpark();
        }
        true
    }

    /// Has Envoy's main thread count the exchanges that wait, at once. It does not fetch their counts yet.
    pub(crate) fn hurry(&self) {
        self.messenger
            .get()
            .into_iter()
            .flatten()
            .for_each(|messenger| messenger.run.scheduler.commit(BACKLOG_IS_LONG));
    }

    /// Envoy has come to fetch the counts. To be called first, so that a count that comes meanwhile has Envoy called again.
    pub(crate) fn begin_to_fetch(&self) {
        self.is_awaited.store(false, Ordering::SeqCst);
    }

    /// Envoy fetches the counts.
    pub(crate) fn hand_over(&self) {
        let Some(counters) = self.counters.get() else { return };
        for values in [&self.values, &self.values_of_main].into_iter().filter_map(OnceLock::get) {
            for (value, Counter { metric, label_values }) in values.iter().zip(counters) {
                if value.load(Ordering::SeqCst) > 0 {
                    self.config.add(*metric, label_values, value.swap(0, Ordering::SeqCst));
                }
            }
        }
    }

    /// The configuration ends. What is left is fetched after this.
    pub(crate) fn end(&self) {
        if let Some(Some(messenger)) = self.messenger.get() {
            messenger.end();
        }
    }
}

/// A thread that has Envoy's main thread call the module, a while after it was woken.
struct Messenger {
    run: Arc<Run>,
    thread: Thread,
    handle: Mutex<Option<JoinHandle<()>>>,
}

/// What the thread runs on.
struct Run {
    scheduler: Scheduler,
    delay: Duration,
    has_ended: Mutex<bool>,
    end: Condvar,
}

impl Messenger {
    fn start(scheduler: Scheduler, delay: Duration) -> Option<Messenger> {
        let run = Arc::new(Run { scheduler, delay, has_ended: Mutex::default(), end: Condvar::new() });
        let of_thread = Arc::clone(&run);
        let spawned = thread::Builder::new().name(THREAD_NAME.into()).spawn(move || of_thread.run());
        let failed = |error| log::warn!("counts are handed over one by one, for want of a thread: {error}");
        let handle = spawned.map_err(failed).ok()?;
        let thread = handle.thread().clone();
        Some(Messenger { run, thread, handle: Mutex::new(Some(handle)) })
    }

    /// Ends the thread, and waits for that: Envoy may unload the module.
    fn end(&self) {
        *self.run.has_ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.run.end.notify_all();
        self.thread.unpark();
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner).take();
        handle.into_iter().for_each(|handle| _ = handle.join());
    }
}

impl Run {
    fn run(&self) {
        loop {
            // To wake a thread that is not parked takes no system call, and under load it never is.
            thread::park();
            let has_ended = self.has_ended.lock().unwrap_or_else(PoisonError::into_inner);
            let pause = self.end.wait_timeout_while(has_ended, self.delay, |has_ended| !*has_ended);
            let (has_ended, _) = pause.unwrap_or_else(PoisonError::into_inner);
            if *has_ended {
                return;
            }
            drop(has_ended);
            self.scheduler.commit(COUNTS_ARE_DUE);
        }
    }
}
