//! llm-canary: canary releases for LLM serving, as an Envoy filter.
//!
//! Two flows, each read left to right; every module but [`filter`] is pure: bytes and
//! values in, values out, with time and randomness as arguments.
//!
//! ```text
//! request    config → key → bucket → split → route → header edits
//! response   bytes → framing → json → dialect → observe → metrics
//! ```
//!
//! ARCHITECTURE.md says who may import whom, and `tests/tidy/` holds it to that.

// The module does without std: see src/filter/platform.rs.
#![cfg_attr(not(test), no_std)]
// Beside the lints of Cargo.toml; tests may compute as they like.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::string_slice))]

#[macro_use]
extern crate alloc;
#[cfg(not(target_family = "wasm"))]
extern crate std;

pub mod bucket;
pub mod config;
pub mod edit;
pub mod feedback;
mod filter;
pub mod headers;
pub mod key;
pub mod metrics;
pub mod moment;
pub mod opening;
pub mod pin;
pub mod pointer;
pub mod retry;
pub mod rewrite;
pub mod route;
pub mod split;
pub mod steps;
pub mod turn;
pub mod usage;

pub use llm_canary_reading::{dialect, fnv, framing, json, label, observe, refusal, stencil};
