//! One function for each fuzz target: any bytes in, and a panic where something that must always hold does not.
//!
//! This folder is compiled twice: by the fuzzers, and by the tests that replay seeds and regressions. Both have
//! the fake Envoy as `crate::host`.

mod config;
mod defects;
mod filter;
mod input;
mod keys;
mod request;
mod response;
mod steps;

use config::config;
use defects::defects;
use filter::filter;
use keys::keys;
use request::request;
use response::response;
use steps::steps;

/// A fuzz target.
pub(crate) type Target = fn(&[u8]);

/// Every target by its name, which is also that of its binary and of its folders.
pub(crate) const TARGETS: [(&str, Target); 7] = [
    ("config", config),
    ("response", response),
    ("request", request),
    ("keys", keys),
    ("defects", defects),
    ("steps", steps),
    ("filter", filter),
];
