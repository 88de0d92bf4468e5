//! The live page: the one of `report`, that goes on.

use super::shown::write;
use super::view::{Moment, View};
use super::{Reply, Request};
use crate::page::{Journal, Now, Page, served_policy};
use llm_canary_verdict::policy::Policy;

/// The page, or that it is still the one that the client has.
///
/// # Errors
/// It cannot be written. No reason for that is known.
pub(super) fn reply(request: &Request, view: &View, moment: Moment) -> Result<Reply, Reply> {
    let trouble = view.trouble(moment);
    let written = match &view.page {
        Some(shown) if trouble == view.trouble => shown.written(),
        // The loop does not go round, so what it found may not hold any more.
        Some(shown) => shown.old(),
        None => write(&nothing_yet(view, trouble.as_deref())),
    };
    let written =
        written.map_err(|error| Reply::refused(500, &format!("the page cannot be written: {error}")))?;
    if request.header("if-none-match") == Some(written.tag.as_bytes()) {
        return Ok(Reply::new(304, "text/html; charset=utf-8", "").with("etag", &written.tag));
    }
    Ok(Reply::page(written.html, &served_policy()).with("etag", &written.tag))
}

/// Before the first look.
fn nothing_yet(view: &View, trouble: Option<&str>) -> Page {
    let idle =
        view.idle.as_deref().or((!view.has_looked).then_some("the first look at the source is not over"));
    let rollout = view.rollout.as_deref().unwrap_or("unknown");
    Page::new(rollout, Vec::new(), &Policy::default(), Journal::default(), None, 0).with_now(Now::new(
        view.state.as_deref(),
        trouble,
        idle,
    ))
}
