//! Reads the responses of LLM servers: bytes in any pieces in, an [`observe::Observation`] out.
//!
//! ```text
//! bytes → framing → json → dialect → observe
//! ```
//!
//! This is a package of its own because every byte of every stream is read here: it is compiled for speed, and the
//! rest of the filter for size. It has no input or output and no clock: times are arguments.

#![cfg_attr(not(test), no_std)]
// In addition to the lints of Cargo.toml. Tests may overflow: then they fail.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::string_slice))]

#[macro_use]
extern crate alloc;

pub mod defect;
pub mod dialect;
pub mod event_template;
pub mod fnv;
pub mod framing;
pub mod json;
pub mod label;
pub mod observe;
pub mod protobuf;
pub mod refusal;
pub mod word;
