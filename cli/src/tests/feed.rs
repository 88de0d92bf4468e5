//! Windows that come as a test says.

use super::traffic::{START_MS, Traffic, windows};
use crate::commands::feed::{Feed, Next, Pairs};
use crate::controller::Running;
use crate::error::Error;
use crate::io::World;
use crate::subject::SeenRollout;
use llm_canary_verdict::health::Look;
use llm_canary_verdict::window::{Pair, Window};
use std::time::Duration;

/// Traffic of the rollout `chat`: so many windows, handed out so many at a time, a minute for each.
pub(crate) struct FakeFeed {
    versions: Vec<(String, Traffic)>,
    windows: u64,
    at_a_time: u64,
    given: u64,
    /// Whether the source ends with the last window, or nothing comes any more.
    ends: bool,
}

impl FakeFeed {
    pub(crate) fn new(versions: &[(&str, Traffic)], windows: u64, at_a_time: u64) -> Self {
        let versions = versions.iter().map(|(name, traffic)| ((*name).to_owned(), *traffic)).collect();
        Self { versions, windows, at_a_time, given: 0, ends: true }
    }

    /// The source goes on after the last window.
    pub(crate) fn without_end(self) -> Self {
        Self { ends: false, ..self }
    }

    fn traffic(&self, version: &str) -> Traffic {
        let found = self.versions.iter().find(|(name, _)| name == version);
        found.map_or(Traffic::new(0), |(_, traffic)| *traffic)
    }

    fn now_ms(&self) -> i64 {
        START_MS + self.given as i64 * 60_000
    }
}

impl Feed for FakeFeed {
    fn seen(&self) -> Vec<SeenRollout> {
        let versions = self.versions.iter().map(|(name, traffic)| (name.clone(), traffic.requests));
        vec![SeenRollout { name: "chat".to_owned(), versions: versions.collect() }]
    }

    fn take(
        &mut self,
        _: &mut World<'_>,
        pairs: &Pairs,
        push: &mut dyn FnMut(usize, &Window),
    ) -> Result<Next, Error> {
        let until = (self.given + self.at_a_time).min(self.windows);
        for (pair, version) in pairs.versions.iter().enumerate() {
            let traffic = Pair { version: self.traffic(version), baseline: self.traffic(&pairs.baseline) };
            let all = windows(until, traffic);
            all.iter().skip(self.given as usize).for_each(|window| push(pair, window));
        }
        self.given = until;
        Ok(if self.ends && until == self.windows { Next::Over } else { Next::MayCome })
    }

    fn look(&self, _: &str, _: &World<'_>) -> Look {
        Look { now_ms: self.now_ms(), config: None }
    }

    fn wait(&self, _: &World<'_>) -> Duration {
        Duration::from_secs(60 * self.at_a_time)
    }

    fn trouble(&self) -> Option<String> {
        None
    }

    fn running(&self, _: &str, _: u32) -> Option<Running> {
        None
    }
}
