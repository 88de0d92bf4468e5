//! Where windows come from, for the commands that judge.
//!
//! [`Feed`] is what they need of a source; tests have one of their own.

use super::source::SourceArgs;
use crate::controller::Running;
use crate::error::Error;
use crate::io::World;
use crate::io::source::Source;
use crate::subject::SeenRollout;
use crate::windows::Comparison;
use llm_canary::timestamp::UnixMs;
use llm_canary_verdict::health::Look;
use llm_canary_verdict::window::Window;
use std::time::Duration;

/// Where windows come from.
pub(crate) trait Feed {
    /// What has been seen so far: at least the rollouts and versions that are in the evidence now.
    fn seen(&self) -> Vec<SeenRollout>;

    /// Hands out the windows that have closed, in order of time, for each pair of version and baseline; waits until there may be
    /// one. The number is that of the pair.
    ///
    /// # Errors
    /// The source cannot be read.
    fn next(
        &mut self,
        world: &mut World<'_>,
        pairs: &Pairs,
        push: &mut dyn FnMut(usize, &Window),
    ) -> Result<Next, Error> {
        world.clock.sleep(self.wait(world));
        self.take(world, pairs, push)
    }

    /// How long to wait until there may be more windows.
    fn wait(&self, world: &World<'_>) -> Duration;

    /// Hands out the windows that have closed, as [`Feed::next`] does, and does not wait.
    ///
    /// # Errors
    /// The source cannot be read.
    fn take(
        &mut self,
        world: &mut World<'_>,
        pairs: &Pairs,
        push: &mut dyn FnMut(usize, &Window),
    ) -> Result<Next, Error>;

    /// What is known at this moment beside the windows.
    fn look(&self, rollout: &str, world: &World<'_>) -> Look;

    /// What was missing when the source was read last, in words.
    fn trouble(&self) -> Option<String>;

    /// Whether what was read last is where the counters start, so that nothing is known yet.
    fn is_starting(&self) -> bool {
        false
    }

    /// Which Envoys run the configuration with this hash; `None` if the source does not tell.
    fn running(&self, rollout: &str, hash: u32) -> Option<Running>;
}

/// Whether a source has more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Windows may follow.
    MayCome,
    /// This was all.
    Over,
}

/// The pairs of versions that are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pairs {
    pub(crate) rollout: String,
    pub(crate) baseline: String,
    pub(crate) versions: Vec<String>,
}

/// The source that the operator named.
pub(super) struct SourceFeed {
    source: Source,
    /// Whether something was loaded that was not handed out.
    is_fresh: bool,
    is_all: bool,
    /// Whether the next windows are those of the first poll, where the counters start.
    is_start: bool,
    /// Whether the last ones were.
    is_starting: bool,
    /// What the operator was told already.
    told: Vec<String>,
    /// What was missing when the source was read last.
    trouble: Option<String>,
}

/// So many different troubles are told.
const TOLD_MAX: usize = 100;

impl SourceFeed {
    /// Opens a source, for a rollout if that is known, and reads it for the first time. Envoys are polled twice, so that it is known which versions have requests.
    ///
    /// # Errors
    /// An option is wrong, or the source cannot be read.
    pub(super) fn open(
        args: &SourceArgs,
        since_ms: Option<UnixMs>,
        rollout: Option<&str>,
        world: &mut World<'_>,
    ) -> Result<Self, Error> {
        let mut feed = Self::unread(args, since_ms, rollout, world)?;
        feed.load(world)?;
        feed.is_fresh = true;
        if feed.is_start {
            feed.start();
            world.clock.sleep(feed.source.wait(world.clock));
            feed.load(world)?;
            feed.is_fresh = true;
        }
        Ok(feed)
    }

    /// Opens a source and reads nothing yet: it may be silent for now.
    ///
    /// # Errors
    /// An option is wrong.
    pub(super) fn unread(
        args: &SourceArgs,
        since_ms: Option<UnixMs>,
        rollout: Option<&str>,
        world: &World<'_>,
    ) -> Result<Self, Error> {
        args.check_files(world)?;
        let source = args.open(world, since_ms, rollout)?;
        let is_start = args.is_polled();
        Ok(Self {
            source,
            is_fresh: false,
            is_all: false,
            is_start,
            is_starting: false,
            told: Vec::new(),
            trouble: None,
        })
    }

    /// Reads what is new, for those who choose what is judged before they take windows. What is missing is a trouble.
    pub(super) fn read(&mut self, world: &mut World<'_>) {
        self.try_load(world);
        self.is_fresh = true;
        if self.is_start {
            self.start();
        }
    }

    /// Reads what is new. What fails is a trouble, and is tried again. Returns whether it was read.
    fn try_load(&mut self, world: &mut World<'_>) -> bool {
        let Err(error) = self.load(world) else { return true };
        // Who is asked to end waits for nobody, and there is nothing to tell of it.
        if !world.signals.is_waiting() {
            self.trouble = Some(error.to_string());
            self.tell(error.to_string(), world);
        }
        false
    }

    /// The first poll is where the counters start.
    fn start(&mut self) {
        self.source.windows(|_| {});
        self.is_start = false;
    }

    /// Drops the windows that have closed.
    pub(super) fn skip(&mut self) {
        self.source.windows(|_| {});
        self.is_fresh = false;
    }

    fn load(&mut self, world: &mut World<'_>) -> Result<(), Error> {
        let loaded = self.source.load(world)?;
        self.is_all = loaded.is_all;
        if !loaded.silent.is_empty() && self.source.seen().is_empty() {
            return Err(Error::invalid(loaded.silent));
        }
        let silent: Vec<String> = loaded.silent.iter().map(ToString::to_string).collect();
        self.trouble = (!silent.is_empty()).then(|| silent.join("; "));
        for trouble in loaded.silent.iter().map(ToString::to_string).chain(loaded.notes) {
            self.tell(trouble, world);
        }
        Ok(())
    }

    /// Tells of a trouble, once.
    fn tell(&mut self, trouble: String, world: &mut World<'_>) {
        if self.told.len() < TOLD_MAX && !self.told.contains(&trouble) {
            world.say(&format!("warning: {trouble}"));
            self.told.push(trouble);
        }
    }
}

impl Feed for SourceFeed {
    fn seen(&self) -> Vec<SeenRollout> {
        let rollouts = self.source.seen();
        let rollouts = rollouts.into_iter().map(|rollout| {
            let active = rollout.versions.iter().filter(|version| version.requests > 0).count();
            // Where nothing has come yet within the evidence, what came before must do.
            let counts_ever = active < 2;
            let versions = rollout.versions.into_iter().map(|version| {
                let requests = if counts_ever { version.requests_ever } else { version.requests };
                (version.name, requests)
            });
            SeenRollout { name: rollout.name, versions: versions.collect() }
        });
        rollouts.collect()
    }

    fn take(
        &mut self,
        world: &mut World<'_>,
        pairs: &Pairs,
        push: &mut dyn FnMut(usize, &Window),
    ) -> Result<Next, Error> {
        self.is_starting = false;
        // It may answer again. What is missing meanwhile is seen in the windows.
        let is_read = std::mem::take(&mut self.is_fresh) || self.try_load(world);
        if self.is_start {
            self.source.windows(|_| {});
            (self.is_start, self.is_starting) = (!is_read, is_read);
            return Ok(Next::MayCome);
        }
        let comparison = |version: &String| Comparison {
            rollout: pairs.rollout.clone(),
            version: version.clone(),
            baseline: pairs.baseline.clone(),
        };
        let comparisons: Vec<Comparison> = pairs.versions.iter().map(comparison).collect();
        self.source.windows(|tally| {
            for (pair, comparison) in comparisons.iter().enumerate() {
                push(pair, &tally.window(comparison));
            }
        });
        Ok(if self.is_all { Next::Over } else { Next::MayCome })
    }

    fn look(&self, rollout: &str, world: &World<'_>) -> Look {
        let now_ms = self.source.now_ms(world.clock);
        Look { now_ms: i64::try_from(now_ms).unwrap_or(i64::MAX), config: self.source.other_configs(rollout) }
    }

    fn wait(&self, world: &World<'_>) -> Duration {
        if self.is_fresh { Duration::ZERO } else { self.source.wait(world.clock) }
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.clone()
    }

    fn is_starting(&self) -> bool {
        self.is_starting
    }

    fn running(&self, rollout: &str, hash: u32) -> Option<Running> {
        let (envoys, behind) = self.source.running(rollout, hash)?;
        Some(Running { envoys, behind })
    }
}
