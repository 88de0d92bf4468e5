//! Paths of the Responses API: which are about what a version has stored, and the marked ids in them.

use super::{Token, unmarked};
use alloc::vec::Vec;

/// What a path of the Responses API is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A response or a conversation: its answer's `id` names one, and is to be marked.
    Stored,
    /// What is inside one: an answer's `id` is an item's, which is not. (A deleted item is answered with
    /// its conversation, whose id then goes out unmarked; the client knows it already.)
    Inside,
}

impl Endpoint {
    /// What the path, with or without a query, is about. `None`: it is of another API.
    #[must_use]
    pub fn of(path: &[u8]) -> Option<Endpoint> {
        let mut after: Vec<&[u8]> = Vec::with_capacity(SEGMENTS_MAX);
        for segment in without_query(path).rsplit(is_slash) {
            if is_collection(segment) {
                let is_stored = matches!(after.as_slice(), [] | [_] | [b"cancel", _]);
                return Some(if is_stored { Endpoint::Stored } else { Endpoint::Inside });
            }
            // A slash at the end is no segment; and what is deep is inside, however deep.
            if after.len() < SEGMENTS_MAX && !(after.is_empty() && segment.is_empty()) {
                after.push(segment);
            }
        }
        None
    }
}

/// So many segments behind a collection tell what a path is about.
const SEGMENTS_MAX: usize = 3;

/// The path with the ids of responses and conversations in it unmarked, and the token of the first. The query
/// stays as it is. `None`: there is none whose token `is_known`.
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
        match unmarked(segment).filter(|&(_, token)| is_id && is_known(token)) {
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
