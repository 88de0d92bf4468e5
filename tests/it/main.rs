//! Integration tests, through the crate's public interface.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod asked;
mod buckets;
mod compare;
mod config;
mod cookies;
mod counting;
mod defective;
mod defects;
mod docs;
mod ends;
mod filter;
mod flag_tools;
mod fuzz;
mod grpc;
mod handed_over;
mod hold;
mod host;
mod labels;
mod memory;
mod redirects;
mod refusals;
mod request;
mod route;
mod scenarios;
mod security;
mod turns;
mod waiting;
