//! How much of the bodies of requests that wait Envoy holds for this module, on one worker thread.

use std::cell::Cell;

/// How many bytes of its body a request may wait for.
pub(crate) const REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How many bytes all requests of a worker may hold together. One that reaches this goes on with what has come.
const WORKER_BYTES_MAX: usize = 64 * 1024 * 1024;

thread_local! {
    static WORKER_BYTES: Cell<usize> = const { Cell::new(0) };
}

/// Whether Envoy may hold more on this worker.
pub(crate) fn has_room() -> bool {
    WORKER_BYTES.get() <= WORKER_BYTES_MAX
}

/// What Envoy holds of one request.
#[derive(Default)]
pub(crate) struct Held {
    bytes: usize,
}

impl Held {
    /// Envoy holds this many bytes from now on.
    pub(crate) fn set(&mut self, bytes: usize) {
        if bytes == self.bytes {
            return;
        }
        let others = WORKER_BYTES.get().saturating_sub(self.bytes);
        WORKER_BYTES.set(others.saturating_add(bytes));
        self.bytes = bytes;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::{Held, WORKER_BYTES_MAX, has_room};

    #[test]
    fn room_comes_back_when_requests_go_on_or_end() {
        let (mut one, mut other) = (Held::default(), Held::default());
        one.set(WORKER_BYTES_MAX - 1);
        other.set(1);
        assert!(has_room());
        other.set(2);
        assert!(!has_room());
        one.set(0);
        assert!(has_room());
        one.set(WORKER_BYTES_MAX);
        assert!(!has_room());
        drop(other);
        assert!(has_room());
    }
}
