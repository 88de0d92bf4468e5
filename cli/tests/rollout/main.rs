//! The commands about a rollout as it changes, as an operator runs them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that fails may panic, and time passes in it"
)]

mod explain;
mod operate;
mod simulate;
mod tool;
