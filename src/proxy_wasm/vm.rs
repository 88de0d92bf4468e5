//! The state of a VM: a context for each configuration and for each request.
//!
//! Envoy runs a VM on each worker thread. It creates a root context for each configuration that it loads, and a context
//! for each request. It makes callbacks from one thread, and none while another callback runs.

use alloc::rc::Rc;
use alloc::sync::Arc;
use core::cell::RefCell;

use super::abi::{self, ContextId};
use super::contexts::Contexts;
use super::counters::Counters;
use super::host::EnvoyVm;
use super::logger;
use super::vm_local::vm_local;
use crate::filter::{Action, BodiesCame, Host, LoadedConfig};
use crate::observe::Micros;

type Stream = crate::filter::Stream<EnvoyVm>;
type Worker = crate::filter::Worker<EnvoyVm>;

/// How often waiting requests are checked.
const CHECK_US: Micros = 500_000;

pub(super) struct Vm {
    /// The configuration in force, and older ones whose requests have not ended.
    workers: Contexts<Rc<Worker>>,
    streams: Contexts<Stream>,
    /// Created with the first configuration.
    bodies_came: Option<BodiesCame>,
    /// When waiting requests were checked last.
    checked: Micros,
}

vm_local! {
    static VM: RefCell<Vm> =
        RefCell::new(Vm { workers: Contexts::new(), streams: Contexts::new(), bodies_came: None, checked: 0 });
}

impl Vm {
    /// Runs `callback` on the VM. A callback within a callback, which Envoy does not make, would change nothing and
    /// return the default.
    pub(super) fn with<T: Default>(callback: impl FnOnce(&mut Vm) -> T) -> T {
        VM.with(|vm| {
            let Ok(mut vm) = vm.try_borrow_mut() else { return T::default() };
            let result = callback(&mut vm);
            EnvoyVm::on_callback_end();
            result
        })
    }

    /// Runs `callback` on a request's context, if it has one.
    pub(super) fn with_stream<T: Default>(
        id: ContextId,
        callback: impl FnOnce(&mut Stream, EnvoyVm) -> T,
    ) -> T {
        Vm::with(|vm| vm.streams.get_mut(id).map(|stream| callback(stream, EnvoyVm)).unwrap_or_default())
    }

    /// The same for a part of its request, which may have to wait after that.
    pub(super) fn with_request(
        id: ContextId,
        callback: impl FnOnce(&mut Stream, EnvoyVm) -> Action,
    ) -> Action {
        Vm::with_stream(id, |stream, host| {
            let action = callback(stream, host);
            if stream.waits() {
                EnvoyVm::ask_for_ticks();
            }
            action
        })
    }

    /// Hands over what was counted, and resumes requests that have waited too long.
    pub(super) fn on_tick(&mut self, root: ContextId) {
        let now = EnvoyVm.now();
        EnvoyVm::with_counters(|counters| counters.on_tick(now, || self.has_waiting()));
        if now.abs_diff(self.checked) < CHECK_US {
            return;
        }
        self.checked = now;
        for (id, stream) in self.streams.iter_mut() {
            if stream.waits() {
                abi::in_context(id, root, || {
                    if stream.on_tick(EnvoyVm, now) {
                        abi::resume_request();
                    }
                });
            }
        }
    }

    pub(super) fn create_context(&mut self, id: ContextId, parent: ContextId) {
        if let Some(worker) = self.workers.get_mut(parent) {
            self.streams.insert(id, Stream::new(Rc::clone(worker)));
        }
    }

    /// Loads a configuration. Returns false if it is refused.
    pub(super) fn configure(&mut self, id: ContextId, text: &[u8]) -> bool {
        logger::install();
        EnvoyVm::declare_handed_over();
        let Some(loaded) = LoadedConfig::load(EnvoyVm, text) else { return false };
        let bodies_came = self.bodies_came.get_or_insert_default().clone();
        let worker = Worker::new(Arc::new(loaded), bodies_came);
        self.workers.insert(id, Rc::new(worker));
        // Envoy has stopped the ticks of the old configuration, whose requests may still wait.
        EnvoyVm::with_counters(Counters::without_ticks);
        if self.has_waiting() {
            EnvoyVm::ask_for_ticks();
        }
        true
    }

    fn has_waiting(&mut self) -> bool {
        self.streams.iter_mut().any(|(_, stream)| stream.waits())
    }

    pub(super) fn delete_context(&mut self, id: ContextId) {
        self.streams.remove(id);
        if self.workers.remove(id) {
            // Its ticks have stopped.
            EnvoyVm::with_counters(Counters::without_ticks);
        }
    }
}
