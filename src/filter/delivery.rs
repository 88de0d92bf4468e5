//! Whether the host delivers the bodies of waiting requests, as one worker has observed it.
//!
//! Envoy's VM delivers the body of a request paused at its head only under `allow_on_headers_stop_iteration` (a setting
//! of the plugin, since Envoy 1.35). A filter can neither read nor change that setting. So a request waits for a
//! limited time, and once a worker has observed that bodies do not arrive, no request waits.

use core::cell::Cell;

use super::host::Delivery;
use crate::observe::Micros;

/// How long a request waits for the first piece of its body, while it is unknown whether bodies arrive.
const WAIT_US_MAX: Micros = 2_000_000;
/// How long it waits where bodies are known to arrive: some clients are slow.
const KNOWN_WAIT_US_MAX: Micros = 10_000_000;
/// A body that arrives this soon after its request resumed was in the proxy while the request waited.
const AT_ONCE_US: Micros = 20_000;
const NO_BODIES: &str = "requests no longer wait for their bodies, because the proxy does not deliver them: keys, \
    models and tags of ids in bodies are not read. Set allow_on_headers_stop_iteration on the plugin (Envoy 1.35 or \
    later), or use keys in headers, cookies, queries or metadata";

/// Whether the bodies of waiting requests arrive.
pub(super) struct BodyDelivery(Cell<State>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Unknown,
    Arrives,
    NeverArrives,
}

impl BodyDelivery {
    pub(super) fn new(delivery: Delivery) -> BodyDelivery {
        BodyDelivery(Cell::new(match delivery {
            Delivery::Certain => State::Arrives,
            Delivery::Uncertain => State::Unknown,
        }))
    }

    /// Whether a request may wait for its body.
    pub(super) fn may_wait(&self) -> bool {
        self.0.get() != State::NeverArrives
    }

    /// How long a request may wait for the first piece of its body.
    pub(super) fn wait_us_max(&self) -> Micros {
        if self.0.get() == State::Arrives { KNOWN_WAIT_US_MAX } else { WAIT_US_MAX }
    }

    /// A piece of a waiting request's body has arrived.
    pub(super) fn has_arrived(&self) {
        self.0.set(State::Arrives);
    }

    /// The first piece of a body has arrived, `delay_us` after its request gave up waiting.
    pub(super) fn has_arrived_after(&self, delay_us: Micros) {
        if delay_us <= AT_ONCE_US && self.0.get() == State::Unknown {
            self.0.set(State::NeverArrives);
            log::warn!("{NO_BODIES}");
        }
    }
}
