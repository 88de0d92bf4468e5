//! Envoy's dynamic modules as a host of the filter: the same filter as the `.wasm`, as a shared library in Envoy's own
//! process.
//!
//! `hooks.rs` is what Envoy calls, and `abi.rs` what the module calls; all `unsafe` code is there, but for the one instruction of
//! `prefetch.rs`. `configuration.rs` is a configuration, which all workers share, and `exchange.rs` one exchange. `host.rs` implements
//! the filter's calls, and `series.rs` its metrics. `counts.rs` adds counts up on their way to Envoy. `backlog.rs` has the exchanges
//! that are not counted yet. `waiting.rs` limits what the proxy holds back for requests that wait.
//! `handover.rs` carries a text through an internal redirect, `clock.rs` has time and chance, and `logger.rs` the log.

#![deny(clippy::arithmetic_side_effects, clippy::string_slice)]

pub mod abi;
mod backlog;
pub mod clock;
pub mod configuration;
mod counts;
pub mod exchange;
mod handover;
mod hooks;
mod host;
mod logger;
mod prefetch;
#[cfg(feature = "provoke-panics")]
mod provoke;
mod series;
mod waiting;
