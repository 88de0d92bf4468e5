//! Writes a release's steps and its stop, through the same code as `ramp` and `stop`, unless somebody else was there.

use crate::commands::change::{self, ChangeOptions, Found, Urgency};
use crate::commands::{ramp, stop};
use crate::edit::schedule::Schedule;
use crate::error::Error;
use crate::io::World;
use crate::release::difference;
use llm_canary::timestamp::UnixMs;

/// The rollout in its file or resource.
pub(super) struct Writer {
    options: ChangeOptions,
    version: String,
    /// As it was read or written last.
    schedule: Schedule,
    config_hash: u32,
    /// Whether nothing is written.
    is_dry: bool,
    /// Whether the version was stopped when the release was read last, by whomever.
    is_stopped: bool,
}

/// What became of a write.
pub(super) enum Write {
    /// It holds from this time on.
    Done(UnixMs),
    /// Somebody else has changed the release.
    OtherHand(String),
    Failed(String),
}

impl Writer {
    pub(super) fn new(options: ChangeOptions, version: &str, found: &Found, is_dry: bool) -> Self {
        Self {
            options,
            version: version.to_owned(),
            schedule: found.schedule.clone(),
            config_hash: found.config_hash,
            is_dry,
            is_stopped: found.schedule.is_stopped(version),
        }
    }

    pub(super) fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    pub(super) fn config_hash(&self) -> u32 {
        self.config_hash
    }

    /// Reads again. What does not concern the release is taken as it is.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn read(&mut self, world: &World<'_>) -> Result<Option<String>, Error> {
        let found = change::find(&self.options, world)?;
        let difference = difference(&self.schedule, &found.schedule, &self.version);
        self.is_stopped = found.schedule.is_stopped(&self.version);
        if difference.is_none() || self.is_dry {
            self.schedule = found.schedule;
            self.config_hash = found.config_hash;
        }
        Ok(difference)
    }

    /// Gives the version a share; starts it again if it is stopped and that is wanted.
    pub(super) fn share(&mut self, parts: u32, resume: bool, world: &mut World<'_>) -> Write {
        let (expected, version) = (&self.schedule, &self.version);
        let (mut other_hand, mut is_stopped) = (None, self.is_stopped);
        let change = |current: &change::CurrentRollout<'_>| {
            is_stopped = current.schedule.is_stopped(version);
            // Under the lock, so that what was read is what is written over.
            if let Some(words) = difference(expected, current.schedule, version) {
                other_hand = Some(words.clone());
                return Err(Error::refused(words));
            }
            let at = current.start_time(None)?;
            ramp::ramping(current, version, &[(at, parts)], resume)
        };
        let now = world.clock.now();
        let done = change::carry_out(&self.options, Urgency::CanWait, None, world, change, |done, _| {
            Ok((done.at.unwrap_or(now), done.schedule.clone(), done.config_hash))
        });
        self.is_stopped = is_stopped;
        match (done, other_hand) {
            (_, Some(words)) => Write::OtherHand(words),
            (done, None) => self.take(done),
        }
    }

    /// Stops the version, whatever else has changed.
    pub(super) fn stop(&mut self, world: &mut World<'_>) -> Write {
        let (version, options) = (&self.version, &self.options);
        let change =
            |current: &change::CurrentRollout<'_>| stop::stopping(current, version, options.target());
        let done = change::carry_out(options, Urgency::AtOnce, None, world, change, |done, world| {
            Ok((world.clock.now(), done.schedule.clone(), done.config_hash))
        });
        self.take(done)
    }

    fn take(&mut self, done: Result<(UnixMs, Schedule, u32), Error>) -> Write {
        match done {
            Ok((at, schedule, config_hash)) => {
                self.is_stopped = schedule.is_stopped(&self.version);
                if !self.is_dry {
                    (self.schedule, self.config_hash) = (schedule, config_hash);
                }
                Write::Done(at)
            }
            Err(error) => Write::Failed(error.to_string()),
        }
    }
}
