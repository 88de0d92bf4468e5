//! Paths of the Responses API, and tagged ids in them.

use super::{Token, untag_id};
use alloc::vec::Vec;

/// What a path of the Responses API names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A response or a conversation. The `id` in the response's body is its id, and is tagged.
    Stored,
    /// Something inside of one. The `id` in the response's body is an item's, and is not tagged. (The response to the
    /// deletion of an item has the conversation's id, which stays without a tag there; the client has the tagged one.)
    Inside,
}

impl Endpoint {
    /// What the path names, with or without a query. `None`: it belongs to another API.
    #[must_use]
    pub fn of(path: &[u8]) -> Option<Endpoint> {
        let mut after: Vec<&[u8]> = Vec::with_capacity(SEGMENTS_MAX);
        for segment in without_query(path).rsplit(is_slash) {
            if is_collection(segment) {
                let is_stored = matches!(after.as_slice(), [] | [_] | [b"cancel", _]);
                return Some(if is_stored { Endpoint::Stored } else { Endpoint::Inside });
            }
            // A slash at the end begins no segment. Further segments make no difference.
            if after.len() < SEGMENTS_MAX && !(after.is_empty() && segment.is_empty()) {
                after.push(segment);
            }
        }
        None
    }
}

/// Segments behind a collection that are read.
const SEGMENTS_MAX: usize = 3;

/// The path without the tags of its responses and conversations, and the first tag's token. The query does not change.
/// `None`: the path has no tag whose token `is_known`.
#[must_use]
pub fn untag_path(path: &[u8], is_known: impl Fn(Token) -> bool) -> Option<(Vec<u8>, Token)> {
    let whole = without_query(path);
    let mut sent = Vec::with_capacity(path.len());
    let mut first = None;
    let mut is_id = false;
    for (at, segment) in whole.split(is_slash).enumerate() {
        if at > 0 {
            sent.push(b'/');
        }
        match untag_id(segment).filter(|&(_, token)| is_id && is_known(token)) {
            Some((id, token)) => {
                first = first.or(Some(token));
                sent.extend_from_slice(id);
            }
            None => sent.extend_from_slice(segment),
        }
        is_id = is_collection(segment);
    }
    sent.extend_from_slice(path.get(whole.len()..).unwrap_or_default());
    first.map(|token| (sent, token))
}

fn without_query(path: &[u8]) -> &[u8] {
    path.split(|&byte| byte == b'?').next().unwrap_or_default()
}

fn is_slash(byte: &u8) -> bool {
    *byte == b'/'
}

fn is_collection(segment: &[u8]) -> bool {
    matches!(segment, b"responses" | b"conversations")
}
