//! A key's place on the line `0..1_000_000`: the public contract of stickiness.
//!
//! ```text
//! h      = murmur3_x86_32(salt ":" key, seed 0)
//! bucket = (h as u64 * 1_000_000) >> 32
//! ```
//!
//! Frozen by `tests/data/buckets.csv`, made by an independent murmur3. A change of the
//! mapping is a new named one, never an edit of this one.

/// Parts in the whole line: buckets are parts per million.
pub const PARTS: u32 = 1_000_000;
/// Shards a version's requests are spread over for the verdict's variance.
pub const SHARDS: u32 = 16;
