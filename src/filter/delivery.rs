//! Whether the bodies of requests that wait are handed over, as one worker has seen it.
//!
//! Envoy's VM hands over the body of a request that waits after its head only under `allow_on_headers_stop_iteration`
//! (a setting of the plugin, since Envoy 1.35), which a filter can neither read nor ask for. So a request waits for a
//! limited time, and once it is clear that no bodies come, no request waits.

use core::cell::Cell;

use super::host::Delivery;
use crate::observe::Micros;

/// How long a request waits for the first piece of its body, while it is not known whether bodies come.
const WAIT_US_MAX: Micros = 2_000_000;
/// How long it waits where bodies have been seen to come: some clients are slow.
const KNOWN_WAIT_US_MAX: Micros = 10_000_000;
/// A body that comes so soon after its request went on had been there while the request waited.
const AT_ONCE_US: Micros = 20_000;
const NO_BODIES: &str = "requests go on without waiting for their bodies from now on, because none came: keys, models and \
    tags of ids in bodies are not read. Set allow_on_headers_stop_iteration on the plugin (Envoy 1.35 or later), or use \
    keys in headers, cookies, queries or metadata";

/// What is known of the bodies of requests that wait.
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

    /// The body of a request that waits has come.
    pub(super) fn has_arrived(&self) {
        self.0.set(State::Arrives);
    }

    /// The first piece of a body has come so long after its request gave up waiting.
    pub(super) fn has_arrived_after(&self, delay_us: Micros) {
        if delay_us <= AT_ONCE_US && self.0.get() == State::Unknown {
            self.0.set(State::NeverArrives);
            log::warn!("{NO_BODIES}");
        }
    }
}
