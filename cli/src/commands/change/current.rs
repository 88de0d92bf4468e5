//! A rollout as it is before its change, and when a change of it takes effect.

use crate::clocks::Present;
use crate::edit::schedule::Schedule;
use crate::error::Error;
use crate::suggest::suggest;
use crate::time_args::{self, format_duration, next_full_second};
use llm_canary::timestamp::{UnixMs, rfc3339};

/// A rollout before its change.
pub(in crate::commands) struct CurrentRollout<'a> {
    pub(in crate::commands) schedule: &'a Schedule,
    pub(in crate::commands) name: &'a str,
    /// The present, by every clock.
    pub(in crate::commands) present: Present,
    /// The Envoys whose clocks are not known.
    pub(in crate::commands) unknown_clocks: Vec<&'a str>,
    /// How long before they take effect steps are written, in milliseconds.
    pub(in crate::commands) lead_ms: u64,
}

impl CurrentRollout<'_> {
    /// Refuses the name of an unknown version.
    pub(in crate::commands) fn require_version(&self, name: &str) -> Result<(), Error> {
        let names: Vec<&str> = self.schedule.versions.iter().map(|(name, _)| name.as_str()).collect();
        if names.contains(&name) {
            return Ok(());
        }
        let suggestion = suggest(name, &names);
        Err(Error::refused(format!("rollout {} has no version {name:?}; {suggestion}", self.name)))
    }

    /// The time that `--at` gives, or the default.
    pub(in crate::commands) fn start_time(&self, at: Option<&str>) -> Result<UnixMs, Error> {
        let option = if at.is_some() { "--at " } else { "" };
        self.start(at).map_err(|message| Error::refused(format!("{option}{message}")))
    }

    /// The time that `--at` or a step of `--plan` gives, or the default. A past time is refused: conversations have
    /// begun since then under the old shares. It is after every step that any clock may have reached.
    pub(in crate::commands) fn start(&self, at: Option<&str>) -> Result<UnixMs, String> {
        let now = self.present.latest;
        let at = match at {
            Some(text) => match time_args::parse_time(text, now)? {
                at if at < now => {
                    return Err(format!(
                        "{text} is in the past; conversations that began since then would move. Write now, or +10m"
                    ));
                }
                at => at,
            },
            None => next_full_second(now + self.lead_ms),
        };
        let start = self.after_reached(at, self.present.reached);
        match self.schedule.last_taken(self.present.taken_until) {
            Some(planned) if start <= planned => Err(format!(
                "{} is before the step that is planned for {}. {} may have taken that step, because its clock is not known, so \
                 nothing can be put before it. Run the command again when that Envoy answers, write a later time, or leave out \
                 its --admin if it is gone",
                rfc3339(start),
                rfc3339(planned),
                self.unknown_clocks.join(" or ")
            )),
            _ => Ok(start),
        }
    }

    /// Now, or after the last step that any clock may have reached: for what is not refused.
    pub(in crate::commands) fn start_in_any_case(&self) -> UnixMs {
        self.after_reached(next_full_second(self.present.latest), self.present.taken_until)
    }

    /// A time, or a later one after every step up to `reached`.
    fn after_reached(&self, at: UnixMs, reached: UnixMs) -> UnixMs {
        match self.schedule.last_taken(reached) {
            Some(taken) if at <= taken => next_full_second(taken + 1),
            _ => at,
        }
    }

    /// `from 2026-11-23T09:00:00Z (in 2 s)`, for a time from [`Self::start_time`], by this machine's clock.
    pub(in crate::commands) fn describe_start(&self, at: UnixMs) -> String {
        format!("from {} (in {})", rfc3339(at), format_duration(at.saturating_sub(self.present.here)))
    }
}
