//! Framings: how a body is divided into events or messages.
//!
//! In: bytes in any pieces. Out: events, whose content is not looked at. JSON Lines and JSON arrays need no
//! framing, because the JSON scanner sees where a document ends.

pub mod aws;
pub mod base64;
pub mod grpc;
pub mod sse;
pub mod websocket;
