//! A page as it is shown after a look. It is written when somebody asks for it first, once for each look, so that those who ask often
//! cost no more.

use crate::page::{Life, Now, Page, html, tag};
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
pub(super) struct Written {
    pub(super) html: Arc<str>,
    pub(super) tag: String,
}

impl Shown {
    pub(crate) fn new(page: Page) -> Self {
        Self { page, written: OnceLock::new(), old: OnceLock::new() }
    }

    /// As it is after the look.
    ///
    /// # Errors
    /// It cannot be written, in words.
    pub(super) fn written(&self) -> Result<Written, String> {
        self.written.get_or_init(|| write(&self.page)).clone()
    }

    /// As it is when no look came for long.
    ///
    /// # Errors
    /// It cannot be written, in words.
    pub(super) fn old(&self) -> Result<Written, String> {
        let old = || {
            let trouble = Now::new(None, Some(NO_LOOK), None).trouble;
            write(&self.page.clone().with_now(Now { trouble, ..self.page.now.clone() }))
        };
        self.old.get_or_init(old).clone()
    }
}

/// A page as it is served.
///
/// # Errors
/// It cannot be written, in words.
pub(super) fn write(page: &Page) -> Result<Written, String> {
    let html = html(page, Life::Served { every_ms: EVERY_MS }).map_err(|error| error.to_string())?;
    Ok(Written { tag: tag(&html), html: html.into() })
}
