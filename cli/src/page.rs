//! The page about a release: what was decided and why, the signal behind it, and its numbers.
//!
//! ```text
//! windows, looks → track ┐
//! judgement, totals      ├→ data (a value that serde writes) → charts and words → templates → HTML
//! journal → events       │
//! RESULTS → changed      ┘
//! ```
//!
//! [`html`] is pure, and the same for a file (`report`) and for a page that goes on while a release does. Nothing here knows where
//! windows come from, and the page asks nobody for anything: its style, script and data are within it. Whatever a label says, it
//! stays text: the templates escape it, and [`text::Text`] takes out what would hide or turn other text.

mod chart;
mod data;
mod journal;
mod now;
mod panels;
mod parts;
mod security;
mod text;
mod tiles;
mod track;
mod undo;
mod view;
mod watchdog;
mod word;

pub(crate) use data::{Found, Page};
pub(crate) use journal::Journal;
pub(crate) use now::Now;
pub(crate) use parts::journal_line;
pub(crate) use security::tag;
pub(crate) use track::{Track, points_max};
pub(crate) use undo::quoted;
pub(crate) use view::{LIVE_PATH, Life, html, served_policy};

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod size_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod watchdog_tests;
