//! Reads the responses of LLM servers: bytes in any pieces in, an [`observe::Observation`] out.
//!
//! ```text
//! bytes → framing → json → dialect → observe
//! ```
//!
//! Framing and JSON are in a package of their own, `scanning`. This has no input or output and no clock: times are
//! arguments.

#![cfg_attr(not(test), no_std)]
// In addition to the lints of Cargo.toml. Tests may overflow: then they fail.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::string_slice))]

#[macro_use]
extern crate alloc;

pub mod dialect;
pub mod observe;
pub mod refusal;

pub use llm_canary_scanning::{
    defect, event_template, fnv, framing, json, label, lanes, lazy, protobuf, word,
};
