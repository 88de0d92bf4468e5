//! Tests that see the crate from outside.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may panic, and says aloud what it skips"
)]

mod buckets;
mod compare;
mod config;
mod corpus;
mod docs;
mod filter;
mod fuzz;
mod hold;
mod host;
mod marks;
mod memory;
mod refusals;
mod request;
mod route;
mod security;
mod streams;
mod waiting;
