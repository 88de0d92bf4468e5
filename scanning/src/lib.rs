//! Bytes in any pieces in; events, messages and values out.
//!
//! This is a package of its own because every byte of every stream passes here: it is compiled for speed, and the rest of
//! the filter for size. It has no input or output and no clock, and does not know what the values mean.

#![cfg_attr(not(test), no_std)]
// In addition to the lints of Cargo.toml. Tests may overflow: then they fail.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::string_slice))]

#[macro_use]
extern crate alloc;

pub mod defect;
pub mod event_template;
pub mod fnv;
pub mod framing;
pub mod json;
pub mod label;
pub mod lanes;
pub mod lazy;
pub mod protobuf;
pub mod word;
