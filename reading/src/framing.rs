//! Where documents begin and end in a body.
//!
//! A framing cuts a stream of bytes, fed in any pieces, into events; it knows nothing of what is in them.
//! Lines of JSON and arrays of it need none: the scanner sees where a document ends.

pub mod aws;
pub mod base64;
pub mod sse;
