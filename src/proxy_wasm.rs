//! Envoy's WebAssembly VM as a host of the filter.
//!
//! `callbacks.rs` is what Envoy calls, `vm.rs` the contexts that these calls are about, `host.rs` the answers to the
//! filter's calls by way of `abi.rs`. The crate has no other code that knows Envoy's VM, and no other `unsafe` code.

mod abi;
mod callbacks;
mod contexts;
mod host;
mod logger;
#[cfg(target_family = "wasm")]
mod runtime;
mod series_ids;
mod vm;
mod vm_local;
