//! Envoy's WebAssembly VM as a host of the filter.
//!
//! `callbacks.rs` exports the functions that Envoy calls, `vm.rs` holds their contexts, and `host.rs` implements the
//! filter's calls with the hostcalls of `abi.rs`. No other module of the crate depends on Envoy's VM or has `unsafe`
//! code.

mod abi;
mod callbacks;
mod contexts;
mod counters;
mod host;
mod logger;
#[cfg(target_family = "wasm")]
mod runtime;
mod series_ids;
mod vm;
mod vm_local;
