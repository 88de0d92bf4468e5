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
//! ARCHITECTURE.md says who may import whom, and `tests/it/tidy.rs` holds it to that.

pub mod bucket;
pub mod config;
pub mod headers;
pub mod key;
pub mod route;
pub mod split;
