//! What every byte of a stream goes through: framing, a scanner of JSON, and a comparison with what came before.
//!
//! A package of its own, because it is compiled for speed and all else for size. Pure: bytes in, values out.

#![cfg_attr(not(test), no_std)]
// Beside the lints of Cargo.toml; tests may compute as they like.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::string_slice))]

#[macro_use]
extern crate alloc;

pub mod framing;
pub mod json;
pub mod stencil;
