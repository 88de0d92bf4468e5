//! The metrics of Envoys' admin pages, polled: all at once, so that none holds the others up.

use super::admin::Admin;
use super::clock::Clock;
use crate::prometheus_text::{Lines, read_page};
use crate::windows::Samples;
use llm_canary::timestamp::UnixMs;
use std::thread;
use std::time::Duration;

/// The longest time that a poll waits for an Envoy. The next poll asks it again.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Envoys that are polled.
pub(crate) struct Polls {
    envoys: Vec<Polled>,
    every: Duration,
    /// When the next poll is due, on [`Clock::elapsed`].
    due: Duration,
}

struct Polled {
    address: String,
    /// The series of its earlier pages.
    lines: Lines,
}

/// An Envoy whose metrics could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Silent {
    pub(crate) address: String,
    /// A sentence.
    pub(crate) why: String,
}

impl Polls {
    pub(crate) fn new(addresses: &[String], every: Duration) -> Self {
        let polled = |address: &String| Polled { address: address.clone(), lines: Lines::default() };
        Self { envoys: addresses.iter().map(polled).collect(), every, due: Duration::ZERO }
    }

    /// The Envoys' addresses, by which windows name them.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &str> {
        self.envoys.iter().map(|envoy| envoy.address.as_str())
    }

    /// How many Envoys there are.
    pub(crate) fn count(&self) -> usize {
        self.envoys.len()
    }

    /// How long the next poll is to wait.
    pub(crate) fn wait(&self, clock: &dyn Clock) -> Duration {
        self.due.saturating_sub(clock.elapsed())
    }

    /// Asks all Envoys at once. Returns those that did not answer.
    pub(crate) fn poll(
        &mut self,
        admin: &dyn Admin,
        clock: &dyn Clock,
        samples: &mut Samples,
    ) -> Vec<Silent> {
        // A poll that took long does not make the next ones follow faster.
        self.due = clock.elapsed() + self.every;
        let ask = |address: &str| {
            let page = admin.metrics(address, TIMEOUT)?;
            Ok((page, clock.now()))
        };
        let pages: Vec<Result<(Vec<u8>, UnixMs), String>> = thread::scope(|scope| {
            let asked: Vec<_> = self.envoys.iter().map(|envoy| scope.spawn(|| ask(&envoy.address))).collect();
            let gone = || Err("its page could not be read".to_owned());
            asked.into_iter().map(|asked| asked.join().unwrap_or_else(|_| gone())).collect()
        });
        // A clock may be set back. Samples follow each other all the same.
        let earliest = samples.newest_ms().map_or(0, |newest| newest.saturating_add(1));
        let mut silent = Vec::new();
        for (envoy, page) in self.envoys.iter_mut().zip(pages) {
            let read = page.and_then(|(page, at_ms)| {
                read_page(&page, &mut envoy.lines, &envoy.address, at_ms.max(earliest), samples)
                    .map_err(|words| format!("its page {words}"))
            });
            if let Err(why) = read {
                silent.push(Silent { address: envoy.address.clone(), why });
            }
        }
        silent
    }
}
