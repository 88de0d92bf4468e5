//! Exchanges that have ended, until Envoy's main thread counts them.
//!
//! What a worker does at the end of an exchange, it does before it sends the end of the answer. So it leaves what can wait: to read
//! the last piece of the answer, which is all of it where nothing is streamed, and to count. Envoy's main thread does that
//! for many exchanges one after the other, which takes less time in all: code and tables are in its caches from the
//! second on.

use std::mem;
use std::sync::{Mutex, PoisonError};

use llm_canary::filter::Ended;

/// How much memory the exchanges may take, at most. Past it, a worker counts its exchanges itself.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// What an exchange takes beside what is unread of its answer, roughly.
const EXCHANGE_BYTES: usize = 4 * 1024;

#[derive(Default)]
pub(crate) struct Backlog(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    exchanges: Vec<Ended>,
    bytes: usize,
}

impl Backlog {
    /// Adds an exchange. Gives it back if there is no room.
    pub(crate) fn add(&self, ended: Ended) -> Result<(), Ended> {
        let bytes = ended.unread_bytes().saturating_add(EXCHANGE_BYTES);
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = waiting.bytes.saturating_add(bytes);
        if sum > BYTES_MAX {
            return Err(ended);
        }
        waiting.bytes = sum;
        waiting.exchanges.push(ended);
        Ok(())
    }

    /// Takes all exchanges.
    pub(crate) fn take(&self) -> Vec<Ended> {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).exchanges
    }
}
