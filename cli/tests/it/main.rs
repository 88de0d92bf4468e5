//! The tool as its users run it: the binary, its output, its exit codes, real files, a real Envoy's protocol.
//!
//! `src/tests/` runs the same commands within the process, where time is an argument.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails may panic")]

mod broken;
mod change;
mod chat;
mod check;
mod explain;
mod kubectl;
mod mounts;
mod native;
mod replay;
mod tool;
mod version;
mod warnings;
mod watchdog;
mod words;
