//! The commands in a world of their own: a clock that never waits, files in memory, Envoys that answer at once.
//!
//! `tests/` runs a few commands as users do, through the binary.

mod approve;
mod change;
mod choose;
mod clocks;
mod docs;
mod errors;
mod explain;
pub(crate) mod feed;
mod help;
mod install;
mod judge;
mod judges;
mod plan;
mod policy;
mod report;
pub(crate) mod results;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod server;
mod simulate;
mod stop;
pub(crate) mod traffic;
mod wait;
mod watchdog;
pub(crate) mod world;
mod xds;
