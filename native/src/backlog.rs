//! Exchanges that have ended, until Envoy's main thread counts them.
//!
//! What a worker does at the end of an exchange, it does before it sends the end of the answer. So where an answer came in one piece, it
//! leaves what can wait: to read that piece, and to count. Envoy's main thread does that for many exchanges one after the other, which takes
//! less time in all: code and tables are in its caches from the second on. The exchanges are not, so they are fetched ahead.

use std::sync::{Mutex, PoisonError};
use std::{iter, mem};

use llm_canary::filter::Ended;

use crate::host::Envoy;

/// How much memory the exchanges may take, at most. Past it, a worker counts its exchanges itself.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// So many are not to wait any longer: to count more at once keeps Envoy's main thread so busy that workers notice it where processors are few, and
/// what waits fills the caches.
const ENOUGH_EXCHANGES: usize = 64;
/// What an exchange takes beside what is kept of its bodies, at most.
const EXCHANGE_BYTES: usize = 2 * 1024;

#[derive(Default)]
pub(crate) struct Backlog(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    exchanges: Vec<Ended>,
    bytes: usize,
}

impl Backlog {
    /// Adds an exchange. Returns whether there are enough now to be counted at once. Gives the exchange back if its answer has been read,
    /// or if there is no room.
    pub(crate) fn add(&self, ended: Ended) -> Result<bool, Ended> {
        let Some(kept_bytes) = ended.kept_bytes() else { return Err(ended) };
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = waiting.bytes.saturating_add(kept_bytes).saturating_add(EXCHANGE_BYTES);
        if bytes > BYTES_MAX {
            return Err(ended);
        }
        waiting.bytes = bytes;
        waiting.exchanges.push(ended);
        Ok(waiting.exchanges.len() == ENOUGH_EXCHANGES)
    }

    /// Takes all exchanges, in their order. While one is counted, the processor fetches those that come after it.
    pub(crate) fn take(&self) -> impl Iterator<Item = Ended> {
        let waiting = mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut exchanges = waiting.exchanges.into_iter();
        iter::from_fn(move || {
            let ended = exchanges.next();
            let next = exchanges.as_slice();
            next.get(2).into_iter().for_each(Ended::prefetch::<Envoy>);
            next.get(1).into_iter().for_each(Ended::prefetch_bodies::<Envoy>);
            ended
        })
    }
}
