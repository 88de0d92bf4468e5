//! Reads the responses of LLM servers: bytes cut anywhere in, an observation out.
//!
//! ```text
//! bytes → framing → json → dialect → observe
//! ```
//!
//! A package of its own, because every byte of every stream goes through it: it is compiled for speed, and all else
//! of the filter for size. Pure: bytes and moments in, values out.

#![cfg_attr(not(test), no_std)]
// Beside the lints of Cargo.toml; tests may compute as they like.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::string_slice))]

#[macro_use]
extern crate alloc;

pub mod dialect;
pub mod fnv;
pub mod framing;
pub mod json;
pub mod label;
pub mod observe;
pub mod refusal;
pub mod stencil;
pub mod word;
