//! Who watches a release from outside, such as a page, and may approve its next step.

use crate::analysis::Analysis;
use crate::controller::State;
use crate::page::Page;
use crate::watchdog::summary::Summary;
use serde_json::Value;

/// A release after a look or a transition.
pub(crate) struct Snapshot<'a> {
    pub(crate) state: &'a State,
    /// The version's share in percent.
    pub(crate) percent: &'a str,
    pub(crate) analysis: &'a Analysis,
    /// What is missing of the evidence, in words; `None` while the source speaks.
    pub(crate) trouble: Option<&'a str>,
    /// The transitions so far, the newest last; at most [`RECORDS_MAX`].
    pub(crate) records: &'a [Value],
    /// Whether somebody has just looked at the source. Else the last look is as old as it is.
    pub(crate) is_look: bool,
    /// What the reference set beside the traffic showed last.
    pub(crate) watchdog: Option<&'a Summary>,
    /// Makes the page about it all: nobody else pays for that.
    pub(crate) page: &'a dyn Fn() -> Page,
}

/// So many transitions are kept.
pub(crate) const RECORDS_MAX: usize = 1_000;

/// Gets what happens, and hands in approvals. Nothing here waits.
pub(crate) trait Audience {
    /// Whether an approval can come from here at all. Without it a plan with a wait does not begin.
    fn can_approve(&self) -> bool;
    /// Shows the release as it is now.
    fn publish(&self, snapshot: &Snapshot<'_>);
    /// Whether somebody has approved the next step since this was asked last.
    fn take_approval(&self) -> bool;
    /// Answers the approval that was taken: words for who approved, or why it does not count.
    fn answer(&self, answer: Result<&str, &str>);
}

/// Nobody watches.
pub(crate) struct Nobody;

impl Audience for Nobody {
    fn can_approve(&self) -> bool {
        false
    }

    fn publish(&self, _: &Snapshot<'_>) {}

    fn take_approval(&self) -> bool {
        false
    }

    fn answer(&self, _: Result<&str, &str>) {}
}
