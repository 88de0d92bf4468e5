//! Whether requests wait for their bodies, on one worker.
//!
//! Envoy's VM delivers the body of a request paused at its head only under `allow_on_headers_stop_iteration` (a setting
//! of the plugin, since Envoy 1.35). A filter can neither read nor change that setting. So a request waits for a
//! limited time, and a worker that has proof that bodies are not delivered lets no request wait.
//!
//! A body that comes late is no proof, because its client decides when it comes. The proof is that the proxy has
//! received a part of the body and still keeps it from the request that waits for it. Where bodies are delivered, the
//! filter gets each part at the moment it arrives, so a client cannot cause that.

use alloc::rc::Rc;
use core::cell::Cell;

use super::host::Delivery;
use crate::config::BodyWait;
use crate::observe::Micros;

/// How long a request waits for the first piece of its body, before any body has come.
const WAIT_US_MAX: Micros = 2_000_000;
/// How long it waits afterwards: some clients are slow.
const KNOWN_WAIT_US_MAX: Micros = 10_000_000;
const NO_BODIES: &str = "requests no longer wait for their bodies, because the proxy does not deliver them: keys, \
    models and tags of ids in bodies are not read. Set allow_on_headers_stop_iteration on the plugin (Envoy 1.35 or \
    later), or use keys in headers, cookies, queries or metadata";

/// Whether the body of any waiting request has come on a worker thread. Configurations come and go, and the worker
/// keeps this.
#[derive(Clone, Default)]
pub struct BodiesCame(Rc<Cell<bool>>);

/// Whether requests wait for their bodies, under one configuration.
pub(super) struct BodyDelivery {
    setting: BodyWait,
    is_certain: bool,
    bodies_came: BodiesCame,
    /// There is proof that bodies are not delivered.
    is_off: Cell<bool>,
}

impl BodyDelivery {
    pub(super) fn new(delivery: Delivery, setting: BodyWait, bodies_came: BodiesCame) -> BodyDelivery {
        let is_certain = delivery == Delivery::Certain;
        BodyDelivery { setting, is_certain, bodies_came, is_off: Cell::new(false) }
    }

    /// Whether a request may wait for its body.
    pub(super) fn may_wait(&self) -> bool {
        self.setting != BodyWait::Never && !self.is_off.get()
    }

    /// How long a request may wait for the first piece of its body.
    pub(super) fn wait_us_max(&self) -> Micros {
        match (self.is_off.get(), self.are_delivered()) {
            (true, _) => 0,
            (false, true) => KNOWN_WAIT_US_MAX,
            (false, false) => WAIT_US_MAX,
        }
    }

    /// A piece of a waiting request's body has arrived.
    pub(super) fn has_arrived(&self) {
        self.bodies_came.0.set(true);
    }

    /// Whether proof that bodies are not delivered would change anything.
    pub(super) fn seeks_proof(&self) -> bool {
        self.setting == BodyWait::Auto && !self.is_off.get() && !self.are_delivered()
    }

    /// From now on no request waits.
    pub(super) fn turn_off(&self) {
        self.is_off.set(true);
        log::warn!("{NO_BODIES}");
    }

    fn are_delivered(&self) -> bool {
        self.is_certain || self.bodies_came.0.get()
    }
}
