//! llm-canary: canary releases for LLM serving, as an Envoy filter.
//!
//! There are two flows, from left to right. Most modules are pure: bytes and values in, values out, with time and
//! randomness as arguments. [`filter`] handles the callbacks of any proxy; `proxy_wasm` connects it to Envoy's
//! WebAssembly VM.
//!
//! ```text
//! request    config → key → bucket → split → route → header edits
//! response   bytes → framing → json → dialect → observe → metrics
//! ```
//!
//! ARCHITECTURE.md lists which module may import which; `tests/tidy/` checks it.

// The module does not link std: see src/proxy_wasm/runtime.rs.
#![cfg_attr(not(test), no_std)]
// In addition to the lints in Cargo.toml. Tests are exempt.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::string_slice))]

#[macro_use]
extern crate alloc;
#[cfg(not(target_family = "wasm"))]
extern crate std;

pub mod bucket;
pub mod config;
pub mod edit;
pub mod feedback;
pub mod filter;
pub mod fingerprint;
pub mod headers;
pub mod key;
pub mod metrics;
pub mod observation_json;
pub mod operation;
pub mod pin;
pub mod pointer;
#[cfg(feature = "proxy-wasm")]
mod proxy_wasm;
pub mod request_facts;
pub mod retry;
pub mod rewrite;
pub mod route;
pub mod split;
pub mod steps;
pub mod timestamp;
pub mod usage;

pub use llm_canary_reading::{defect, dialect, event_template, fnv, framing, json, label, observe, refusal};
