//! The live page: the one of `report`, that goes on. A page is written when somebody asks for it first, once for each look, so that
//! those who ask often cost no more.

use super::view::{Moment, View};
use super::{Reply, Request};
use crate::page::{Journal, Life, Now, Page, html, served_policy, tag};
use llm_canary_verdict::policy::Policy;
use std::sync::{Arc, OnceLock};

/// So often a page asks whether there is another one.
const EVERY_MS: u32 = 2_000;

/// What such a page says when no look came for long.
const NO_LOOK: &str = "nobody has looked at the source for a while, and what was found may not hold any more";

/// A page after a look.
#[derive(Debug)]
pub(crate) struct Shown {
    page: Page,
    written: OnceLock<Result<Written, String>>,
    /// The same where no look came for long.
    old: OnceLock<Result<Written, String>>,
}

/// A page as HTML, and its name among all texts.
#[derive(Clone, Debug)]
struct Written {
    html: Arc<str>,
    tag: String,
}

impl Shown {
    pub(crate) fn new(page: Page) -> Self {
        Self { page, written: OnceLock::new(), old: OnceLock::new() }
    }

    fn written(&self) -> Result<Written, String> {
        self.written.get_or_init(|| write(&self.page)).clone()
    }

    fn old(&self) -> Result<Written, String> {
        let old = || {
            let trouble = Now::new(None, Some(NO_LOOK), None).trouble;
            write(&self.page.clone().with_now(Now { trouble, ..self.page.now.clone() }))
        };
        self.old.get_or_init(old).clone()
    }
}

fn write(page: &Page) -> Result<Written, String> {
    let html = html(page, Life::Served { every_ms: EVERY_MS }).map_err(|error| error.to_string())?;
    Ok(Written { tag: tag(&html), html: html.into() })
}

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
