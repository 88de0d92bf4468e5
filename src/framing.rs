//! Where documents begin and end in a body.
//!
//! A framing cuts a stream of bytes, fed in any pieces, into events; it knows nothing of what is in them.

pub mod sse;
