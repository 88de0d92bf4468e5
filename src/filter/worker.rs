//! A configuration in force on one worker thread.

use alloc::sync::Arc;

use super::delivery::{BodiesCame, BodyDelivery};
use super::host::Host;
use super::loaded::LoadedConfig;

/// A loaded configuration, which workers may share, and this worker's own state.
pub struct Worker<H: Host> {
    pub(super) loaded: Arc<LoadedConfig<H>>,
    pub(super) delivery: BodyDelivery,
}

impl<H: Host> Worker<H> {
    /// Creates a worker with a loaded configuration. `bodies_came` is the same for all configurations of the thread.
    #[must_use]
    pub fn new(loaded: Arc<LoadedConfig<H>>, bodies_came: BodiesCame) -> Worker<H> {
        let delivery = BodyDelivery::new(H::DELIVERY, loaded.config.body_wait, bodies_came);
        Worker { loaded, delivery }
    }
}
