//! Is the version worse than its baseline? Windows of counts in, a [`verdict::Judgement`] out.
//!
//! ```text
//! windows → steps → evidence of each signal → look → judgement
//! ```
//!
//! There is no input or output and no clock here: times are arguments, and nothing is random. Everything that is decided may
//! be looked at any time, as often as one likes: `docs/verdict.md` says why, and what it cannot tell.
//!
//! [`judge::Judge`] is the way in: it takes windows one by one, in order of time, and keeps sums only.
//!
//! ```text
//! let mut judge = Judge::new(Policy::default(), steps);
//! for window in &windows {
//!     judge.push(window);
//! }
//! let judgement = judge.judgement(&Look { now_ms, config: None });
//! ```
//!
//! A reference set is judged by [`watchdog::Watchdog`]: not windows come in there, but rounds of answers. What it says
//! enters the judgement of a release as an [`outside::Outside`].
//!
//! For A/B there is [`difference::Comparison`], and [`outlook::plan`] tells how long a test takes.

// In addition to the lints of Cargo.toml. Tests may overflow: then they fail.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::string_slice))]

pub mod changed;
pub mod difference;
pub mod evidence;
pub mod health;
pub mod hypergeometric;
pub mod interval;
pub mod judge;
mod length;
pub mod limits;
pub mod logrank;
pub mod looks;
mod math;
pub mod means;
pub mod outlook;
pub mod outside;
pub mod pairwise;
pub mod phi;
pub mod policy;
pub mod prompts;
pub mod rates;
pub mod share;
pub mod sign_flip;
pub mod signal;
pub mod starts;
pub mod steps;
pub mod verdict;
pub mod watchdog;
pub mod window;
pub mod words;
