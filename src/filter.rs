//! The filter inside Envoy: the only code that knows a host, and none below a branch.
//!
//! `abi.rs` is the proxy-wasm ABI, `host.rs` what the host can be asked, `headers.rs` a head, `root.rs` a loaded configuration,
//! `http.rs` one request and its response, `intake.rs`, `body.rs` and `feedback.rs` what is done with a request's
//! body. Here is what lives as long as the VM: the contexts.
//!
//! Envoy gives each worker thread a VM of its own, creates a root context for each configuration it
//! loads and one context for each request, and calls back from a single thread, never into a
//! callback that is running. The ABI: <https://github.com/proxy-wasm/spec>, version 0.2.1.

mod abi;
mod body;
mod contexts;
mod feedback;
mod headers;
mod host;
mod http;
mod ids;
mod intake;
mod platform;
mod root;

use alloc::rc::Rc;
use core::cell::RefCell;

use contexts::Contexts;
use http::Stream;
use platform::vm_local;
use root::Root;

/// Envoy's name for a context.
type ContextId = u32;

/// Everything that lives as long as the VM.
struct Vm {
    /// The configurations in use: the one in force, and older ones whose requests have not ended.
    roots: Contexts<Rc<Root>>,
    streams: Contexts<Stream>,
}

vm_local! {
    static VM: RefCell<Vm> = RefCell::new(Vm { roots: Contexts::new(), streams: Contexts::new() });
}

impl Vm {
    /// Runs `callback` on the VM. Envoy does not call back into a running callback; if it did, the inner
    /// call would change nothing and answer with the default.
    fn with<T: Default>(callback: impl FnOnce(&mut Vm) -> T) -> T {
        VM.with(|vm| vm.try_borrow_mut().map(|mut vm| callback(&mut vm)).unwrap_or_default())
    }

    /// Runs `callback` on a request's context, if it has one.
    fn with_stream<T: Default>(id: ContextId, callback: impl FnOnce(&mut Stream) -> T) -> T {
        Vm::with(|vm| vm.streams.get_mut(id).map(callback).unwrap_or_default())
    }

    /// Lets go on what has waited too long.
    fn on_tick(&mut self, root: ContextId) {
        let now = host::now();
        for (id, stream) in self.streams.iter_mut() {
            if stream.waits_too_long(now) {
                host::in_context(id, root, || {
                    stream.give_up_waiting(now);
                    host::resume_request();
                });
            }
        }
    }

    fn create_context(&mut self, id: ContextId, parent: ContextId) {
        if let Some(root) = self.roots.get_mut(parent) {
            self.streams.insert(id, Stream::new(Rc::clone(root)));
        }
    }

    fn configure(&mut self, id: ContextId, text: &[u8]) -> bool {
        let root = Root::load(text);
        let is_good = root.is_some();
        if let Some(root) = root {
            self.roots.insert(id, Rc::new(root));
        }
        if is_good && self.streams.iter_mut().any(|(_, stream)| stream.waits()) {
            // The old configuration's ticks have stopped.
            host::set_tick_period_ms(intake::TICK_MS);
        }
        is_good
    }

    fn delete_context(&mut self, id: ContextId) {
        self.streams.remove(id);
        self.roots.remove(id);
    }
}
