//! The place that holds a rollout: a file, or a live resource.

use super::clock::Clock;
use crate::error::Error;
use crate::plugin::PathSegment;
use std::time::Duration;

/// A place that was read and can be written.
pub(crate) trait Target {
    /// The file or the resource, as the operator named it.
    fn name(&self) -> &str;
    /// The text that was read.
    fn text(&self) -> &str;
    /// How long before they take effect steps are written, in milliseconds. Every Envoy must know a step when the
    /// first conversation begins under it.
    fn lead_ms(&self) -> u64;
    /// What the operator should know about this place.
    fn note(&self) -> Option<&str> {
        None
    }
    /// What will become of a change, if somebody else writes this place.
    fn warning(&self) -> Option<&str> {
        None
    }
    /// Checks a change without making it, if the place can do that.
    fn dry_run(&self, text: &str, path: &[PathSegment]) -> Result<(), Error>;
    /// Writes the text; `path` leads to the configuration in it. Only the text that was read is replaced.
    fn write(&self, text: &str, path: &[PathSegment], clock: &dyn Clock) -> Result<Write, Error>;
}

/// How a place is waited for that somebody else has locked.
pub(crate) struct Waiting<'a> {
    pub(crate) clock: &'a dyn Clock,
    /// Says a line to the operator.
    pub(crate) say: &'a mut dyn FnMut(&str),
    /// Whether the command goes on without the lock when it has waited long enough.
    pub(crate) goes_on: bool,
}

/// A write that succeeded.
pub(crate) struct Write {
    /// When others could read it, on [`Clock::elapsed`].
    pub(crate) at: Duration,
    pub(crate) warning: Option<String>,
}
