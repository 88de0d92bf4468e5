//! Integration tests, through the crate's public interface.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may panic, and prints what it skips"
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
mod labels;
mod memory;
mod refusals;
mod request;
mod route;
mod scenarios;
mod security;
mod streams;
mod tags;
mod tidy;
mod waiting;
